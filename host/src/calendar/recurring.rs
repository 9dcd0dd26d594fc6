//! A recurring window: when it starts and how long it lasts, as one thing that is known to make sense.
//!
//! A duration is time that passes. A window of two hours that starts before the clock is changed ends two real hours
//! later, whatever the clock shows then.

use super::schedule::{BadCron, Schedule};
use super::zone::Zone;
use crate::policy::time::Wall;
use std::fmt;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// The longest that one window may last; what lasts longer is no maintenance.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);
const SHORTEST: Duration = Duration::from_secs(60);
/// How far windows without a break between them are joined.
const MOST_JOINED_DAYS: u32 = 400;
/// The same in steps: enough for windows of a minute, one after the other, for a quarter of a year.
const MOST_JOINED: u32 = 140_000;

/// A recurring window that makes sense.
#[derive(Debug, Clone)]
pub struct Recurring {
    schedule: Schedule,
    duration: i64,
}

/// The part of a recurring window that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The cron expression.
    Cron,
    /// How long it lasts.
    Duration,
    /// The time zone.
    Zone,
}

/// What is wrong with a recurring window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where.
    pub part: Part,
    /// What.
    pub why: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.why, self.hint)
    }
}

/// Whether a window may last so long.
///
/// # Errors
/// What is shorter is over before anybody has begun, what is longer is no maintenance: most likely a slip of the pen.
pub fn length(duration: Duration) -> Result<(), Wrong> {
    if (SHORTEST..=LONGEST).contains(&duration) {
        return Ok(());
    }
    Err(Wrong {
        part: Part::Duration,
        why: "a window lasts from 1 minute to 31 days".to_owned(),
        hint: "write 30m, 2h or 1d".to_owned(),
    })
}

impl Recurring {
    /// Understands a cron expression of five fields, a duration and the name of a time zone (empty: the one of the host).
    ///
    /// # Errors
    /// The first part that is [`Wrong`]. One that never closes is wrong, because it would stop pm for good.
    pub fn new(cron: &str, duration: Duration, zone: &str) -> Result<Self, Wrong> {
        let zone = Zone::named(zone).map_err(|unknown| Wrong {
            part: Part::Zone,
            why: unknown.to_string(),
            hint: unknown.hint(),
        })?;
        let schedule = Schedule::new(cron, zone).map_err(|BadCron { why, hint }| Wrong {
            part: Part::Cron,
            why,
            hint,
        })?;
        length(duration)?;
        let recurring = Self { schedule, duration: i64::try_from(duration.as_millis()).unwrap_or(i64::MAX) };
        if recurring.never_closes() {
            return Err(Wrong {
                part: Part::Duration,
                why: format!("{cron:?} comes again before the window has closed, so it never closes"),
                hint: "write a shorter duration".to_owned(),
            });
        }
        Ok(recurring)
    }

    /// The occurrence that holds `now`, else the next one: from, and the first moment after it.
    #[must_use]
    pub fn occurrence(&self, now: Wall) -> Option<(Wall, Wall)> {
        let second = now.0.div_euclid(1000);
        let last = self.schedule.last(second).filter(|start| start * 1000 + self.duration > now.0);
        let Some(start) = last else {
            let next = self.schedule.next(second)?;
            return Some((Wall(next * 1000), self.end(next).0));
        };
        Some((Wall(self.beginning(start) * 1000), self.end(start).0))
    }

    /// The first of the windows that reach to the one that starts at `start` without a break.
    fn beginning(&self, start: i64) -> i64 {
        let mut first = start;
        for _ in 0..MOST_JOINED {
            // Of all that are still open at its start the first reaches furthest back.
            match self.schedule.next(first - self.duration / 1000 - 1) {
                Some(before) if before < first && !too_far(before, start) => first = before,
                _ => break,
            }
        }
        first
    }

    /// When the windows end that follow the one that starts at `start` without a break, and whether there is an end.
    fn end(&self, start: i64) -> (Wall, Ends) {
        let mut last = start;
        for _ in 0..MOST_JOINED {
            let until = last * 1000 + self.duration;
            // Of all that begin before this one ends the last reaches furthest.
            match self.schedule.last(until.div_euclid(1000)) {
                Some(later) if later > last && !too_far(start, later) => last = later,
                Some(later) if later > last => return (Wall(until), Ends::Never),
                _ => return (Wall(until), Ends::Here),
            }
        }
        (Wall(last * 1000 + self.duration), Ends::Never)
    }

    fn never_closes(&self) -> bool {
        // The beginning of a year with a leap day, so that nothing is decided by the day somebody happens to ask.
        const BEGINNING: i64 = 1_704_067_200;
        self.schedule.next(BEGINNING).is_some_and(|start| self.end(start).1 == Ends::Never)
    }
}

/// Whether windows without a break between them end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Here,
    Never,
}

fn too_far(from: i64, to: i64) -> bool {
    u64::try_from(to - from).unwrap_or_default() > (DAY * MOST_JOINED_DAYS).as_secs()
}
