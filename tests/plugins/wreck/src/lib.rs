//! A plugin that wrecks the process it runs in, in every way there is, for the tests of workers.
//!
//! A test makes several libraries of it by writing other digits in the place of `wreck-00`, everywhere in the file. It is
//! never installed. Everything unsafe in it is meant: that is what it is for.

#![allow(unsafe_code, clippy::print_stdout, clippy::print_stderr)]

use pm_plugin_api::{Health, HealthCheck, Outcome, Result, Strategy, Target};
use std::ffi::c_void;
use std::time::Duration;

pm_plugin_api::settings! {
    /// Settings of the strategy.
    struct HowSettings {
        /// What it does.
        how: String = "nothing",
    }
}

struct Wreck {
    how: String,
}

impl Strategy for Wreck {
    type Settings = HowSettings;

    fn new(settings: HowSettings) -> Result<Self> {
        Ok(Self { how: settings.how })
    }

    fn restart(&self, target: &Target) -> Result<Outcome> {
        match self.how.as_str() {
            "panic" => panic!("boom for {}", target.name),
            "abort" => std::process::abort(),
            "exit" => std::process::exit(0),
            "segfault" => segfault(),
            "overflow" => return Ok(Outcome::ran(overflow(1).to_string())),
            "hang" => sleep_for_ever(),
            "busy" => spin(),
            "print" => print(),
            "leak" => leak(),
            "fork" => fork(false),
            "stray" => fork(true),
            "close" => close(),
            "garbage" => scribble(b"this is no message"),
            "short" => scribble(b"x"),
            "twice" => twice(),
            "large" => return Ok(Outcome::ran("x".repeat(1 << 20))),
            "huge" => return Ok(Outcome::ran("x".repeat(1 << 30))),
            "deaf" => deaf(),
            _ => {}
        }
        Ok(Outcome::ran(format!("{} {}", self.how, env!("CARGO_PKG_VERSION"))))
    }
}

fn segfault() {
    // SAFETY: none; the process is to die of it.
    unsafe { std::ptr::null_mut::<u8>().wrapping_add(8).write_volatile(1) }
}

#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn overflow(depth: u64) -> u64 {
    let frame = [depth; 512];
    std::hint::black_box(&frame);
    overflow(depth + 1) + frame[7]
}

fn sleep_for_ever() {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is to print without end")]
fn print() {
    loop {
        println!("and another line");
        eprintln!("and another line of errors");
    }
}

fn leak() {
    let memory = vec![1_u8; 200 << 20];
    std::mem::forget(memory);
}

/// A bomb with a limit: it is to be swept up, not to take the machine along. Strays leave the group of the worker.
fn fork(stray: bool) {
    for number in 0..60 {
        // SAFETY: the child makes system calls only, and never comes back.
        unsafe {
            if libc::fork() == 0 {
                if stray && number % 2 == 0 {
                    libc::setpgid(0, 0);
                }
                if number % 3 == 0 {
                    libc::fork();
                }
                loop {
                    libc::pause();
                }
            }
        }
    }
    sleep_for_ever();
}

fn close() {
    for fd in 0..1024 {
        // SAFETY: none; whoever uses them finds them gone.
        unsafe {
            libc::close(fd);
        }
    }
    sleep_for_ever();
}

/// Writes into every socket of the process.
fn scribble(bytes: &[u8]) {
    for fd in 3..64 {
        // SAFETY: the address and length are those of the slice.
        unsafe {
            libc::send(fd, bytes.as_ptr().cast::<c_void>(), bytes.len(), libc::MSG_NOSIGNAL);
        }
    }
}

/// Answers every call that there may have been; the right answer follows when this returns.
fn twice() {
    for number in 1_u64..100 {
        let mut packet = vec![4];
        packet.extend(number.to_le_bytes());
        packet.extend(br#"{"result":"done","action":"ran","detail":"forged"}"#);
        scribble(&packet);
    }
}

fn deaf() {
    // SAFETY: ignoring a signal touches no memory.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
    }
    sleep_for_ever();
}

/// Tells what its process may do.
struct Rights {
    how: String,
}

impl HealthCheck for Rights {
    type Settings = HowSettings;

    fn new(settings: HowSettings) -> Result<Self> {
        Ok(Self { how: settings.how })
    }

    fn check(&self, _: &Target) -> Result<Health> {
        if self.how == "abort" {
            std::process::abort();
        }
        let status = std::fs::read_to_string("/proc/self/status")?;
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(",")
        };
        let mut variables: Vec<_> =
            std::env::vars_os().map(|(key, _)| key.to_string_lossy().into_owned()).collect();
        variables.sort();
        Ok(Health::healthy(format!(
            "uid {} groups {} capabilities {} no_new_privs {} variables {}",
            value("Uid:"),
            value("Groups:"),
            value("CapEff:"),
            value("NoNewPrivs:"),
            variables.join(",")
        )))
    }
}

/// A file whose presence makes the library crash while it is loaded. A test writes the path here.
#[used]
static PLACE: [u8; 128] = *b"/wreck-place/-----------------------------------------------------------------------------------------------------------------\0\0";

/// Runs before anything of the library can be looked at.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    // Volatile, so that the path is read from the file and not from the code.
    // SAFETY: the static is there and never changes while the program runs.
    let place = unsafe { std::ptr::read_volatile(&raw const PLACE) };
    // SAFETY: it ends with a NUL.
    if unsafe { libc::access(place.as_ptr().cast(), libc::F_OK) } == 0 {
        std::process::abort();
    }
}

pm_plugin_api::export! {
    strategy "wreck-00" => Wreck,
    check "wreck-00" => Rights,
}
