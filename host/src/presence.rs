//! How pm shows that it lives: to an old watchdog (a heartbeat file), to systemd, and to a second pm (a lock).
//!
//! Each sign is a [`Presence`] of its own; [`Signs`] makes one of all. Nothing here blocks, and nothing here fails
//! the daemon: trouble is logged once per change.

mod heartbeat;
mod lock;
mod notify;

pub use heartbeat::Heartbeat;
pub use lock::{LockError, StateLock};
pub use notify::Notify;

use crate::policy::time::Now;
use crate::ports::{Alive, Presence};
use std::time::Duration;

/// The longest pause between two signs; the predecessor's heartbeat was written every five seconds.
const BEAT: Duration = Duration::from_secs(4);

/// Several signs as one.
pub struct Signs(Vec<Box<dyn Presence>>);

impl Signs {
    /// All of `signs`.
    #[must_use]
    pub fn new(signs: Vec<Box<dyn Presence>>) -> Self {
        Self(signs)
    }
}

impl Presence for Signs {
    fn alive(&mut self, now: Now, state: &Alive) {
        self.0.iter_mut().for_each(|sign| sign.alive(now, state));
    }
    fn ready(&mut self) {
        self.0.iter_mut().for_each(|sign| sign.ready());
    }
    fn reloading(&mut self) {
        self.0.iter_mut().for_each(|sign| sign.reloading());
    }
    fn stopping(&mut self) {
        self.0.iter_mut().for_each(|sign| sign.stopping());
    }
    fn beat(&self) -> Duration {
        self.0.iter().map(|sign| sign.beat()).chain([BEAT]).min().unwrap_or(BEAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    struct Sign(&'static str, u64, Arc<Mutex<Vec<String>>>);

    impl Sign {
        fn say(&self, what: &str) {
            self.2.lock().unwrap().push(format!("{} {what}", self.0));
        }
    }

    impl Presence for Sign {
        fn alive(&mut self, _: Now, state: &Alive) {
            self.say(&format!("alive {}", state.alarms));
        }
        fn ready(&mut self) {
            self.say("ready");
        }
        fn reloading(&mut self) {
            self.say("reloading");
        }
        fn stopping(&mut self) {
            self.say("stopping");
        }
        fn beat(&self) -> Duration {
            Duration::from_secs(self.1)
        }
    }

    #[test]
    fn every_sign_is_given_and_the_most_impatient_sets_the_beat() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let sign = |name, beat| Box::new(Sign(name, beat, Arc::clone(&said)));
        let mut signs = Signs::new(vec![sign("a", 9), sign("b", 3600)]);
        assert_eq!(signs.beat(), Duration::from_secs(4));
        signs.ready();
        let state = Alive { alarms: 7, running: Vec::new(), database: Ok(()), next_poll: None };
        signs.alive(Now::default(), &state);
        signs.reloading();
        signs.stopping();
        let expected = [
            "a ready",
            "b ready",
            "a alive 7",
            "b alive 7",
            "a reloading",
            "b reloading",
            "a stopping",
            "b stopping",
        ];
        assert_eq!(*said.lock().unwrap(), expected);
        assert_eq!(Signs::new(vec![sign("c", 1)]).beat(), Duration::from_secs(1));
        assert_eq!(Signs::new(Vec::new()).beat(), BEAT);
    }
}
