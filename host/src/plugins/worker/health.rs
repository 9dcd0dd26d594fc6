//! When a worker that died may be started again, and when its plugin counts as failing. Pure: `now` is an argument.
//!
//! The first time at once, then after growing pauses, the longest being a minute: whoever watches others must never give
//! up quietly, and a plugin that is mended by its next version must not wait for half an hour.

use crate::policy::time::Ticks;
use std::time::Duration;

/// Pauses before the first, second, … start after a death, in seconds.
const PAUSES: [u64; 7] = [0, 1, 2, 5, 10, 30, 60];
/// So long without a death and everything is forgotten.
const QUIET: Duration = Duration::from_secs(600);
/// With so many deaths within [`QUIET`] the plugin is failing.
pub(super) const MANY: u32 = 5;

/// What is remembered of the deaths of a plugin's workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// Deaths since it was last quiet.
    deaths: u32,
    last: Ticks,
    /// When the next start is allowed.
    next: Ticks,
    /// Deaths since pm was started.
    pub(super) total: u64,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It died, and is replaced.
    Some {
        /// Deaths since it was last quiet.
        deaths: u32,
    },
    /// It has just begun to count as failing.
    Failing,
    /// It still is.
    StillFailing,
}

impl Health {
    /// Takes in a death.
    pub(super) fn died(&mut self, now: Ticks) -> Trouble {
        self.forget(now);
        let pause = PAUSES[(self.deaths as usize).min(PAUSES.len() - 1)];
        self.deaths += 1;
        self.total += 1;
        self.last = now;
        self.next = now.after(Duration::from_secs(pause));
        match self.deaths {
            MANY => Trouble::Failing,
            deaths if deaths > MANY => Trouble::StillFailing,
            deaths => Trouble::Some { deaths },
        }
    }

    /// How long the next start has to wait; zero when it has not.
    pub(super) fn wait(&mut self, now: Ticks) -> Duration {
        self.forget(now);
        self.next.since(now)
    }

    /// Whether it died too often lately.
    pub(super) fn failing(&self, now: Ticks) -> bool {
        self.deaths >= MANY && now.since(self.last) < QUIET
    }

    /// Deaths since it was last quiet.
    pub(super) fn deaths(&self) -> u32 {
        self.deaths
    }

    /// The operator wants it tried now.
    pub(super) fn pardon(&mut self) {
        *self = Self { total: self.total, ..Self::default() };
    }

    fn forget(&mut self, now: Ticks) {
        if self.deaths > 0 && now.since(self.last) >= QUIET {
            self.pardon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Ticks {
        Ticks(seconds * 1000)
    }

    #[test]
    fn pauses_grow_to_a_minute_and_never_end() {
        let (mut health, mut now, mut pauses) = (Health::default(), at(100), Vec::new());
        for _ in 0..9 {
            health.died(now);
            let pause = health.wait(now);
            pauses.push(pause.as_secs());
            now = now.after(pause);
            assert_eq!(health.wait(now), Duration::ZERO);
        }
        assert_eq!(pauses, [0, 1, 2, 5, 10, 30, 60, 60, 60]);
        assert_eq!(health.total, 9);
    }

    #[test]
    fn the_fifth_death_in_ten_minutes_makes_it_fail_once() {
        let mut health = Health::default();
        let troubles: Vec<_> = (0..6).map(|n| health.died(at(n * 100))).collect();
        assert_eq!(troubles[3], Trouble::Some { deaths: 4 });
        assert_eq!(troubles[4..], [Trouble::Failing, Trouble::StillFailing]);
        assert!(health.failing(at(500)) && health.failing(at(1099)) && !health.failing(at(1100)));
    }

    #[test]
    fn ten_quiet_minutes_or_an_operator_make_a_new_beginning() {
        let mut health = Health::default();
        (0..5).for_each(|_| _ = health.died(at(0)));
        assert_eq!(health.wait(at(599)), Duration::ZERO);
        assert_eq!(health.died(at(600)), Trouble::Some { deaths: 1 });
        assert_eq!(health.died(at(600)), Trouble::Some { deaths: 2 });
        assert_eq!(health.wait(at(600)), Duration::from_secs(1));
        health.pardon();
        assert_eq!((health.wait(at(600)), health.deaths(), health.total), (Duration::ZERO, 0, 7));
    }
}
