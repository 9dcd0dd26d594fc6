//! Tells the time and waits: the only file of the host that reads a clock or sleeps.
//!
//! Durations run on the boot clock, which never jumps and counts suspended time; the wall clock is for people. A
//! wait ends early, for every waiter at once, when [`Stop`] is requested; after that no wait begins.

use crate::policy::time::{Now, Ticks, Wall};
use crate::ports::{Clock, Waited};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Where the kernel keeps the name of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Ends the waits of everybody who shares it. Clones are the same handle.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// A handle that nobody has requested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Ends all waits, now and for good.
    pub fn request(&self) {
        *self.0.requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
    /// Whether it was requested.
    #[must_use]
    pub fn requested(&self) -> bool {
        *self.0.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of this machine.
#[derive(Debug)]
pub struct SystemClock {
    stop: Stop,
    boot_id: String,
}

impl SystemClock {
    /// A clock whose waits end when `stop` is requested.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        Self { stop, boot_id: boot_id(std::fs::read_to_string(BOOT_ID).ok().as_deref(), now().wall) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        now()
    }
    fn wait(&self, duration: Duration) -> Waited {
        let until = now().boot.after(duration);
        let mut requested = self.stop.0.requested.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = until.since(now().boot);
            if *requested {
                return Waited::Interrupted;
            } else if left.is_zero() {
                return Waited::Elapsed;
            }
            // The condition waits on a clock that stands still during a suspend: the worst is a wait that ends late.
            let waited = self.stop.0.changed.wait_timeout(requested, left);
            requested = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
    fn boot_id(&self) -> &str {
        &self.boot_id
    }
}

/// Measures how long something takes, finer than [`Clock`] and for nothing but that.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Timespec);

impl Stopwatch {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(clock_gettime(ClockId::Monotonic))
    }
    /// How long ago that was.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let nanos = i128::from(now.tv_sec - self.0.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
            - i128::from(self.0.tv_nsec);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
    }
}

fn now() -> Now {
    let boot = u64::try_from(millis(clock_gettime(ClockId::Boottime))).unwrap_or(0);
    Now { boot: Ticks(boot), wall: Wall(millis(clock_gettime(ClockId::Realtime))) }
}

/// The kernel's name for this boot. Where it does not tell (no `/proc`), a name that is never seen again: what
/// an earlier pm noted then counts as of an earlier boot, which is the careful reading.
fn boot_id(told: Option<&str>, wall: Wall) -> String {
    match told.map(str::trim) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("unknown-{}-{}", std::process::id(), wall.0),
    }
}

fn millis(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_agree_with_the_kernel() {
        let clock = SystemClock::new(Stop::new());
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let now = clock.now();
        #[expect(clippy::cast_precision_loss, reason = "an uptime has fewer than 53 bits")]
        let boot = now.boot.0 as f64 / 1000.0;
        assert!((boot - uptime).abs() < 5.0, "{boot} {uptime}");
        // 2020-09-13 is in the past of every machine that runs this.
        assert!(now.wall.0 > 1_600_000_000_000);
    }

    #[test]
    fn a_wait_lasts_as_long_as_was_asked() {
        let clock = SystemClock::new(Stop::new());
        let before = clock.now().boot;
        assert_eq!(clock.wait(Duration::from_millis(30)), Waited::Elapsed);
        assert!(clock.now().boot.since(before) >= Duration::from_millis(30));
        assert_eq!(clock.wait(Duration::ZERO), Waited::Elapsed);
    }

    #[test]
    fn a_request_ends_all_waits_and_those_to_come() {
        let stop = Stop::new();
        let clock = Arc::new(SystemClock::new(stop.clone()));
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let clock = Arc::clone(&clock);
                std::thread::spawn(move || clock.wait(Duration::MAX))
            })
            .collect();
        assert!(!stop.requested());
        stop.request();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Waited::Interrupted);
        }
        assert!(stop.requested());
        assert_eq!(clock.wait(Duration::from_secs(3600)), Waited::Interrupted);
    }

    #[test]
    fn an_unknown_boot_is_never_taken_for_an_earlier_one() {
        assert_eq!(boot_id(Some("8d1f\n"), Wall(1)), "8d1f");
        assert_ne!(boot_id(None, Wall(1)), boot_id(None, Wall(2)));
        assert!(boot_id(Some("\n"), Wall(1)).starts_with("unknown-"));
        let clock = SystemClock::new(Stop::new());
        assert_eq!(clock.boot_id().len(), 36, "{}", clock.boot_id());
    }
}
