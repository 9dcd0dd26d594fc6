//! What a strategy depends on besides the process (a bus, a container daemon, the plugin itself) has a breaker of its
//! own: its failures never count against a process, and when it fails again and again, all its processes wait
//! together, with one message.

use crate::breaker::open_time;
use crate::dice::spread;
use crate::name::Name;
use crate::time::Ticks;
use std::time::Duration;

/// When a driver is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverRules {
    /// `driver_failures`: so many failures in a row pause everybody who needs it; 0 counts as 1.
    pub failures: u32,
    /// `driver_pause`: how long one process is left alone after the driver failed for it: so long that a log is not
    /// flooded at a poll a second, so short that nobody waits for a bus that came back.
    pub pause: Duration,
    /// `driver_open_time`: the first time that everybody waits.
    pub open_time: Duration,
    /// `driver_open_max`: no such time is longer: whoever repaired a bus is waiting.
    pub open_max: Duration,
    /// `driver_jitter`: how far these times are spread, in percent.
    pub jitter: u8,
}

/// What is remembered of a driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Driver {
    /// Failures in a row.
    pub failures: u32,
    /// Until when nobody asks it, when it failed too often.
    pub until: Option<Ticks>,
    /// Whose job finds out whether it works again.
    pub trial: Option<Name>,
}

/// What a driver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// As far as known, it works.
    Works,
    /// It failed; one job finds out, and this can be it.
    Trial,
    /// It failed; it is asked again then, or one job is finding out.
    Paused {
        /// When it is asked again; none while a job is finding out.
        until: Option<Ticks>,
    },
}

impl Driver {
    /// Whether a job of `name` may ask it now.
    #[must_use]
    pub fn reach(&self, now: Ticks) -> Reach {
        match (self.until, &self.trial) {
            (None, _) => Reach::Works,
            (Some(until), _) if now < until => Reach::Paused { until: Some(until) },
            (Some(_), None) => Reach::Trial,
            (Some(_), Some(_)) => Reach::Paused { until: None },
        }
    }

    /// A job of `name` begins.
    pub fn begun(&mut self, name: &Name, now: Ticks) {
        if self.reach(now) == Reach::Trial {
            self.trial = Some(name.clone());
        }
    }

    /// It failed for a job of `name`; when it is asked again, if everybody has to wait now who did not before.
    pub fn failed(&mut self, rules: &DriverRules, driver: &Name, name: &Name, now: Ticks) -> Option<Ticks> {
        // Jobs that had begun before the pause say again what is known; only the trial says that it still fails.
        if self.until.is_some() && self.trial.as_ref() != Some(name) {
            return None;
        }
        self.trial = None;
        self.failures = self.failures.saturating_add(1);
        let too_many = rules.failures.max(1);
        if self.failures < too_many {
            return None;
        }
        let level = u8::try_from((self.failures - too_many).saturating_add(1)).unwrap_or(u8::MAX);
        let time = open_time(rules.open_time, rules.open_max, level);
        let until = now.after(spread(time, rules.jitter, driver, now.0));
        let first = self.until.is_none();
        self.until = Some(until);
        first.then_some(until)
    }

    /// It answered; whether everybody had waited.
    pub fn answered(&mut self) -> bool {
        let waited = self.until.is_some();
        *self = Self::default();
        waited
    }

    /// The job of `name` ended without having found out.
    pub fn unanswered(&mut self, name: &Name) {
        if self.trial.as_ref() == Some(name) {
            self.trial = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_pause_everybody_and_one_job_finds_out() {
        let (bus, web, db) = (Name::new("service"), Name::new("web"), Name::new("db"));
        let (mut driver, rules) = (Driver::default(), crate::testing::limits().driver);
        assert_eq!([1, 2].map(|at| driver.failed(&rules, &bus, &web, Ticks(at))), [None, None]);
        assert_eq!(driver.reach(Ticks(2)), Reach::Works);
        let until = driver.failed(&rules, &bus, &web, Ticks(3)).unwrap();
        assert!((8_500..=11_503).contains(&until.0), "{until:?}");
        // A job that had begun before fails as well: that is no news, and nobody waits longer for it.
        assert_eq!((driver.failed(&rules, &bus, &db, Ticks(4)), driver.until), (None, Some(until)));
        assert_eq!(driver.reach(Ticks(until.0 - 1)), Reach::Paused { until: Some(until) });
        driver.begun(&db, Ticks(until.0 - 1));
        assert_eq!(driver.reach(until), Reach::Trial);
        driver.begun(&web, until);
        driver.begun(&db, until);
        assert_eq!(
            (driver.reach(until), driver.trial.clone()),
            (Reach::Paused { until: None }, Some(web.clone()))
        );
        driver.unanswered(&db);
        assert_eq!(driver.reach(until), Reach::Paused { until: None });
        driver.unanswered(&web);
        assert_eq!(driver.reach(until), Reach::Trial);
        // Told once, and paused for longer, up to the cap.
        driver.begun(&web, until);
        assert_eq!(driver.failed(&rules, &bus, &web, until), None);
        let pause = driver.until.unwrap().since(until);
        assert!(pause > Duration::from_secs(16) && pause < Duration::from_secs(24), "{pause:?}");
        for _ in 0..100 {
            let now = driver.until.unwrap();
            driver.begun(&web, now);
            assert_eq!(driver.failed(&rules, &bus, &web, now), None);
            assert!(driver.until.unwrap().since(now) <= Duration::from_secs(138));
        }
        assert!(driver.answered());
        assert!(!driver.answered());
        assert_eq!(driver, Driver::default());
    }

    #[test]
    fn when_it_is_paused_and_for_how_long_is_said_by_the_rules() {
        let (bus, web, secs) = (Name::new("bus"), Name::new("web"), Duration::from_secs);
        for failures in [0, 1] {
            let rules =
                DriverRules { failures, pause: secs(1), open_time: secs(30), open_max: secs(50), jitter: 0 };
            let mut driver = Driver::default();
            let mut now = Ticks(1_000);
            for pause in [30, 50, 50] {
                driver.begun(&web, now);
                let first = driver.until.is_none();
                let told = driver.failed(&rules, &bus, &web, now);
                assert_eq!((driver.until, told.is_some()), (Some(now.after(secs(pause))), first));
                now = now.after(secs(pause));
            }
        }
    }
}
