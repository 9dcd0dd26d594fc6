//! What a program inherits from whoever started it and must not pass on: descriptors, and signals that are ignored.
//!
//! For the beginning of a program, before it opens anything or starts a thread. A shell with an open file, or a `nohup`,
//! would otherwise reach through pm into every worker and command, also those that run as somebody else.

// Two system calls with constant arguments and one that reads into its own memory, each with its argument.
#![allow(unsafe_code)]

use std::ffi::c_int;

/// Nothing but standard input, output and error output is passed on to what this program starts, and no signal stays
/// ignored in it, except SIGPIPE, which std looks after.
pub fn pass_nothing_on() {
    close_on_exec(3);
    for signal in (1..=31).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP, libc::SIGPIPE].contains(signal)) {
        // SAFETY: the structure is plain data of this stack; only what is ignored is set to the default, so no handler of
        // anybody is lost, and there is no other thread yet.
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut now) == 0
                && now.sa_sigaction == libc::SIG_IGN
            {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

fn close_on_exec(first: c_int) {
    // SAFETY: marks descriptors, closes none and reads no memory: whoever owns one can go on using it.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0 {
            return;
        }
        // A kernel before 5.11: one by one, up to where descriptors end as a rule.
        for fd in first..1024 {
            let flags = libc::fcntl(fd, libc::F_GETFD);
            if flags >= 0 {
                libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC);
            }
        }
    }
}
