//! Whether the database answers, and when to try again. Pure: `now` and the dice are arguments.
//!
//! Retries use full jitter: a fleet that lost one database must not come back as one herd. The cap is low on
//! purpose, because whoever repaired the database is waiting: 10,000 hosts at 15 s are about 700 connections a
//! second, a tenth of what one modest server takes. Refused credentials are tried once a minute at most, because
//! servers lock accounts.
//!
//! A server that is away is away in many words (cut, refused, silent), which are one state. Where the server itself
//! says what is wrong, other words are another state: the database was made, now its tables are missing.

use crate::policy::time::{Now, Ticks};
use crate::ports::{StoreError, Trouble};
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
    /// Why; none when nothing has been said of the present database yet.
    reason: Option<Reason>,
    tries: u32,
}

/// What is one state for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    trouble: Trouble,
    /// The server's words, where they tell states apart.
    words: Option<String>,
}

impl Reason {
    fn of(error: &StoreError) -> Self {
        let words = match error.trouble {
            Trouble::Away | Trouble::Conflict | Trouble::ReadOnly => None,
            Trouble::Refused | Trouble::Schema | Trouble::Other => Some(error.why.clone()),
        };
        Self { trouble: error.trouble, words }
    }
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

    /// Whether the last call failed.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Another database takes the place of this one: its first failure is news, and so is its first success if this
    /// one is lost.
    pub(super) fn replaced(&mut self) {
        if let Some(lost) = &mut self.lost {
            lost.reason = None;
        }
    }

    /// A call failed; `dice` is uniform in 0..1. Answers what is new and how long to wait.
    pub(super) fn fails(
        &mut self,
        error: &StoreError,
        now: Now,
        interval: Duration,
        dice: f64,
    ) -> (Change, Duration) {
        let reason = Some(Reason::of(error));
        let (change, since, tries) = match &self.lost {
            Some(lost) if lost.reason == reason => (Change::None, lost.since, lost.tries.saturating_add(1)),
            Some(lost) => (Change::Lost, lost.since, 1),
            None => (Change::Lost, now.boot, 1),
        };
        self.lost = Some(Lost { since, reason, tries });
        if error.trouble == Trouble::Refused {
            return (change, REFUSED);
        }
        (change, pause(tries, interval, dice))
    }
}

/// How long to wait after so many failures in a row. Never at once: half of the ceiling is certain, the other half is
/// the jitter.
pub(super) fn pause(tries: u32, interval: Duration, dice: f64) -> Duration {
    let ceiling = FIRST.saturating_mul(2_u32.saturating_pow(tries)).min(CAP.max(interval));
    ceiling.div_f64(2.0) + ceiling.div_f64(2.0).mul_f64(dice.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::time::Wall;

    fn at(ms: u64) -> Now {
        Now { boot: Ticks(ms), wall: Wall(0) }
    }

    fn error(trouble: Trouble, why: &str) -> StoreError {
        StoreError { trouble, attempted: "asking".to_owned(), why: why.to_owned(), hint: None }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_change_per_state_and_growing_waits() {
        let mut link = Link::default();
        assert_eq!(link.works(at(0)), Change::None);
        let words = ["cut", "refused", "silent", "refused", "refused", "refused", "refused", "refused"];
        let waits: Vec<_> = (0..)
            .zip(words)
            .map(|(n, why)| link.fails(&error(Trouble::Away, why), at(n), SECOND, 1.0))
            .collect();
        assert_eq!(waits.iter().filter(|(change, _)| *change == Change::Lost).count(), 1);
        let seconds: Vec<_> = waits.iter().map(|(_, wait)| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 15, 15, 15, 15]);
        assert_eq!(link.works(at(5_000)), Change::Back(Duration::from_secs(5)));
    }

    #[test]
    fn another_reason_is_said_and_refusals_are_not_hammered() {
        let mut link = Link::default();
        let interval = Duration::from_millis(100);
        let mut fails = |trouble, why| link.fails(&error(trouble, why), at(0), interval, 0.0);
        let _ = fails(Trouble::Away, "cut");
        assert_eq!(fails(Trouble::Refused, "denied"), (Change::Lost, REFUSED));
        assert_eq!(fails(Trouble::Refused, "denied"), (Change::None, REFUSED));
        assert_eq!(fails(Trouble::Schema, "no database"), (Change::Lost, FIRST));
        assert_eq!(fails(Trouble::Schema, "no table"), (Change::Lost, FIRST));
        assert_eq!(fails(Trouble::Schema, "no table").0, Change::None);
    }

    #[test]
    fn another_database_is_news_whatever_it_does() {
        let mut link = Link::default();
        let away = error(Trouble::Away, "cut");
        link.replaced();
        assert_eq!(link.works(at(0)), Change::None, "nothing was lost");
        let _ = link.fails(&away, at(1_000), SECOND, 0.0);
        link.replaced();
        assert_eq!(link.fails(&away, at(2_000), SECOND, 0.0).0, Change::Lost);
        link.replaced();
        assert_eq!(link.works(at(4_000)), Change::Back(Duration::from_secs(3)));
    }
}
