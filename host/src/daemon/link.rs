//! Whether the database answers, and when to try again. Pure: `now` and the dice are arguments.
//!
//! Retries use full jitter: a fleet that lost one database must not come back as one herd. The cap is low on
//! purpose, because whoever repaired the database is waiting: 10,000 hosts at 15 s are about 700 connections a
//! second, a tenth of what one modest server takes. Refused credentials are tried once a minute at most, because
//! servers lock accounts.

use crate::policy::time::{Now, Ticks};
use crate::ports::Trouble;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(15);
const REFUSED: Duration = Duration::from_secs(60);

/// The state of the connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Lost {
    since: Ticks,
    trouble: Trouble,
    tries: u32,
}

/// What to say, because it changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is lost, or lost for another reason than before.
    Lost,
    /// It is back after this time.
    Back(Duration),
    /// Nothing new.
    None,
}

impl Link {
    /// A call succeeded.
    pub(super) fn works(&mut self, now: Now) -> Change {
        self.lost.take().map_or(Change::None, |lost| Change::Back(now.boot.since(lost.since)))
    }

    /// A call failed; `dice` is uniform in 0..1. Answers what is new and how long to wait.
    pub(super) fn fails(
        &mut self,
        trouble: Trouble,
        now: Now,
        interval: Duration,
        dice: f64,
    ) -> (Change, Duration) {
        let (change, since, tries) = match &self.lost {
            Some(lost) if lost.trouble == trouble => (Change::None, lost.since, lost.tries.saturating_add(1)),
            Some(lost) => (Change::Lost, lost.since, 1),
            None => (Change::Lost, now.boot, 1),
        };
        self.lost = Some(Lost { since, trouble, tries });
        if trouble == Trouble::Refused {
            return (change, REFUSED);
        }
        let ceiling = FIRST.saturating_mul(2_u32.saturating_pow(tries)).min(CAP.max(interval));
        // Never at once: half of the ceiling is certain, the other half is the jitter.
        (change, ceiling.div_f64(2.0) + ceiling.div_f64(2.0).mul_f64(dice.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::time::Wall;

    fn at(ms: u64) -> Now {
        Now { boot: Ticks(ms), wall: Wall(0) }
    }

    #[test]
    fn one_change_per_state_and_growing_waits() {
        let mut link = Link::default();
        assert_eq!(link.works(at(0)), Change::None);
        let second = Duration::from_secs(1);
        let waits: Vec<_> = (0..8).map(|n| link.fails(Trouble::Away, at(n), second, 1.0)).collect();
        assert_eq!(waits.iter().filter(|(change, _)| *change == Change::Lost).count(), 1);
        let seconds: Vec<_> = waits.iter().map(|(_, wait)| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 15, 15, 15, 15]);
        assert_eq!(link.works(at(5_000)), Change::Back(Duration::from_secs(5)));
    }

    #[test]
    fn another_reason_is_said_and_refusals_are_not_hammered() {
        let mut link = Link::default();
        let interval = Duration::from_millis(100);
        let _ = link.fails(Trouble::Away, at(0), interval, 0.0);
        let (change, wait) = link.fails(Trouble::Refused, at(1), interval, 0.0);
        assert_eq!((change, wait), (Change::Lost, REFUSED));
        let (_, wait) = link.fails(Trouble::Schema, at(2), interval, 0.0);
        assert_eq!(wait, Duration::from_millis(500));
    }
}
