//! The two processes between fork and exec: the program's own, and its parent that waits for its end.
//!
//! Everything they need is allocated before the fork: another thread may hold any lock at that moment, so they make
//! system calls and nothing else. They do not allocate, lock, panic or return.

// Between fork and exec nothing else can be written; each block says why it is sound.
#![allow(unsafe_code)]

use super::User;
use rustix::process::Pid;
use std::ffi::{CString, c_char, c_int, c_uint, c_ulong};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

/// Descriptors of the program's process: above the three standard ones, both closed by exec. The kernel closes them in
/// ascending order, and the end of the status is the sign that it has happened: it has to be the last.
const GO: RawFd = 3;
const STATUS: RawFd = 4;
/// The only descriptor of its parent.
const LINK: RawFd = 0;

/// All that the program gets.
pub(super) struct Plan {
    pub(super) path: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) directory: CString,
    /// None changes nothing.
    pub(super) user: Option<User>,
    pub(super) umask: u32,
    pub(super) input: OwnedFd,
    pub(super) output: OwnedFd,
}

/// The other ends of our pipes.
pub(super) struct Ends<'a> {
    pub(super) status: BorrowedFd<'a>,
    pub(super) go: BorrowedFd<'a>,
    pub(super) link: BorrowedFd<'a>,
}

/// What the child reports: its pid, or at which step it failed. The numbers travel through the pipe.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Ready = 0,
    Fork = 1,
    Descriptors = 2,
    User = 3,
    Directory = 4,
    Execute = 5,
}

/// Forks with all signals blocked, so that no handler of ours ever runs in the child. Returns the pid of the program's
/// parent; the pid of the program comes through the status pipe.
pub(super) fn fork(plan: &Plan, ends: &Ends<'_>) -> io::Result<Pid> {
    let pointers = |texts: &[CString]| -> Vec<*const c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(&plan.arguments), pointers(&plan.environment));
    let child = Child {
        plan,
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        input: plan.input.as_raw_fd(),
        output: plan.output.as_raw_fd(),
        status: ends.status.as_raw_fd(),
        go: ends.go.as_raw_fd(),
        link: ends.link.as_raw_fd(),
    };
    // SAFETY: the two sets are plain memory that the calls fill in. After `fork` the child side calls nothing but
    // `Child::run`, which never returns and only makes system calls on memory that was prepared above.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let pid = libc::fork();
        if pid == 0 {
            child.run();
        }
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        Pid::from_raw(pid).filter(|_| pid > 0).ok_or(error)
    }
}

/// The side after the fork. Everything is a number or points to memory that outlives the child's use of it.
struct Child<'a> {
    plan: &'a Plan,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    input: RawFd,
    output: RawFd,
    status: RawFd,
    go: RawFd,
    link: RawFd,
}

impl Child<'_> {
    /// # Safety
    /// Only in a process that was just forked, which then has one thread.
    unsafe fn run(&self) -> ! {
        // SAFETY: system calls on valid arguments. The second `fork` is called in a process with a single thread, whose copy of
        // the allocator and of stdio the first `fork` has left unlocked.
        unsafe {
            match libc::fork() {
                0 => self.program(),
                -1 => self.fail(self.status, Step::Fork),
                program => self.parent(program),
            }
        }
    }

    /// Waits for the end of the program, or of the interest in it. No signal gets through to it but SIGKILL.
    unsafe fn parent(&self, program: libc::pid_t) -> ! {
        // SAFETY: as in `run`.
        unsafe {
            libc::setsid();
            // Ignored, it would keep the end of the program from us.
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            libc::dup2(self.link, LINK);
            close_from(LINK + 1);
            let ended = libc::syscall(libc::SYS_pidfd_open, program, 0 as c_uint) as c_int;
            // Without the second, on an old kernel, the first is asked for by the clock.
            let mut fds = [
                libc::pollfd { fd: LINK, events: libc::POLLIN, revents: 0 },
                libc::pollfd { fd: ended, events: libc::POLLIN, revents: 0 },
            ];
            let pause = if ended < 0 { 10 } else { -1 };
            loop {
                libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, pause);
                let mut status: c_int = 0;
                match libc::waitpid(program, &raw mut status, libc::WNOHANG) {
                    0 => {}
                    -1 => libc::_exit(1),
                    _ => {
                        let bytes = size_of::<c_int>();
                        libc::send(LINK, (&raw const status).cast(), bytes, libc::MSG_NOSIGNAL);
                        libc::_exit(0)
                    }
                }
                if fds[0].revents != 0 {
                    libc::_exit(0);
                }
            }
        }
    }

    unsafe fn program(&self) -> ! {
        // SAFETY: as in `run`.
        unsafe {
            default_signals();
            if !self.arrange_descriptors() {
                self.fail(self.status, Step::Descriptors);
            }
            report(STATUS, Step::Ready, libc::getpid());
            let mut word = 0_u8;
            if libc::read(GO, (&raw mut word).cast(), 1) != 1 {
                // Whoever was to give the word is gone, or changed its mind.
                libc::_exit(0);
            }
            libc::setsid();
            libc::umask(self.plan.umask);
            forget_privileges();
            if libc::chdir(self.plan.directory.as_ptr()) != 0 {
                self.fail(STATUS, Step::Directory);
            }
            if let Some(user) = &self.plan.user {
                self.become_user(user);
            }
            libc::execve(self.plan.path.as_ptr(), self.arguments, self.environment);
            self.fail(STATUS, Step::Execute)
        }
    }

    /// 0 to 4 become input, output, output, go, status; everything else is closed.
    unsafe fn arrange_descriptors(&self) -> bool {
        // SAFETY: as in `run`. The sources are first copied above the targets, because they may be among these.
        unsafe {
            let wanted = [self.input, self.output, self.output, self.go, self.status];
            let mut copies = [0; 5];
            for (copy, from) in copies.iter_mut().zip(wanted) {
                *copy = libc::fcntl(from, libc::F_DUPFD, 5);
                if *copy < 0 {
                    return false;
                }
            }
            for (to, copy) in (0..).zip(copies) {
                let flags = if to > 2 { libc::O_CLOEXEC } else { 0 };
                if libc::dup3(copy, to, flags) < 0 {
                    return false;
                }
            }
            close_from(5);
            true
        }
    }

    unsafe fn become_user(&self, user: &User) {
        // SAFETY: as in `run`; the list of groups was allocated before the fork.
        unsafe {
            if libc::setgroups(user.groups.len(), user.groups.as_ptr()) != 0
                || libc::setresgid(user.gid, user.gid, user.gid) != 0
                || libc::setresuid(user.uid, user.uid, user.uid) != 0
            {
                self.fail(STATUS, Step::User);
            }
        }
    }

    unsafe fn fail(&self, status: RawFd, step: Step) -> ! {
        // SAFETY: as in `run`; errno belongs to the calling thread.
        unsafe {
            report(status, step, *libc::__errno_location());
            libc::_exit(127)
        }
    }
}

/// Five bytes are written to a pipe all at once or not at all.
unsafe fn report(status: RawFd, step: Step, number: c_int) {
    let [a, b, c, d] = number.to_ne_bytes();
    let bytes = [step as u8, a, b, c, d];
    // SAFETY: the bytes are on the stack. Nobody listening any more is no reason to stop.
    unsafe { libc::write(status, bytes.as_ptr().cast(), bytes.len()) };
}

/// What is ignored stays ignored through exec, and a blocked signal stays blocked: both would deafen the program.
unsafe fn default_signals() {
    // SAFETY: numbers that are no signal, or cannot be set, are refused by the call.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Rights and protection that pm's unit may give to pm alone.
unsafe fn forget_privileges() {
    // SAFETY: a constant path and constant arguments. Where the kernel refuses, nothing was inherited or nothing can be
    // done about it.
    unsafe {
        let (clear, unused): (c_ulong, c_ulong) = (libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong, 0);
        libc::prctl(libc::PR_CAP_AMBIENT, clear, unused, unused, unused);
        let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, c"0".as_ptr().cast(), 1);
            libc::close(file);
        }
    }
}

unsafe fn close_from(first: c_int) {
    // SAFETY: closing numbers is all this does; nothing in the child owns a descriptor behind them any more.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, c_int::MAX, 0) == 0 {
            return;
        }
        // A kernel before 5.9: one by one, up to the limit.
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let mut fd = first;
        while libc::rlim_t::try_from(fd).is_ok_and(|number| number < limit.rlim_cur) && fd < 1 << 20 {
            libc::close(fd);
            fd += 1;
        }
    }
}
