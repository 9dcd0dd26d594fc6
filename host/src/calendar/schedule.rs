//! When a recurring window starts: a cron expression in a time zone, across changes of the clock.
//!
//! A day on which the clock is changed has local times that do not exist, or exist twice. The rules, for everybody
//! to remember: a start that does not exist is at the moment of the change; one that exists twice is at the first
//! of the two, except where the hour begins with `*`, which means every hour that passes, so at both.
//!
//! Between two changes local time runs evenly. So the expression is asked about local times only, stretch by stretch,
//! and the rules stand where two stretches meet.

use super::zone::Zone;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Stretches that are looked through; with two changes of the clock in a year, that is longer than leap days and
/// fifth Mondays of February are apart.
const MOST_STRETCHES: usize = 200;
/// Seconds of the years 1970 to 4000; no window is outside of them.
const YEARS: std::ops::Range<i64> = 0..64_060_588_800;

/// What is wrong with a cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadCron {
    /// What is wrong, and where.
    pub(super) why: String,
    /// What to do about it.
    pub(super) hint: String,
}

/// When a recurring window starts.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    cron: Cron,
    zone: Zone,
    twice: Twice,
}

/// Which of the two moments counts that have the same local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twice {
    First,
    Both,
}

/// A time during which the offset of a zone stays the same. Moments are seconds since the epoch.
struct Stretch {
    offset: Offset,
    /// When it began, and the offset before.
    begin: Option<(i64, Offset)>,
    /// When it ends, and the offset then.
    end: Option<(i64, Offset)>,
}

/// The five fields: what each is called, which characters it may hold, what to write.
const FIELDS: [(&str, &str, &str); 5] = [
    ("minute", "0123456789*,-/", "0-59"),
    ("hour", "0123456789*,-/", "0-23"),
    ("day of the month", "0123456789*,-/?LW", "1-31, or L for the last one"),
    ("month", "0123456789*,-/ABCDEFGJLMNOPRSTUVY", "1-12 or JAN-DEC"),
    (
        "day of the week",
        "0123456789*,-/?#L+ADEFHIMNORSTUW",
        "0-7 or SUN-SAT, SAT#2 for the second, SAT#L for the last",
    ),
];
/// Short forms.
const WORDS: [(&str, &str); 6] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl Schedule {
    pub(super) fn new(expression: &str, zone: Zone) -> Result<Self, BadCron> {
        let text = five_fields(expression)?;
        let cron = parse(&text).map_err(|_| field_at_fault(expression, &text))?;
        let hour = text.split(' ').nth(1).unwrap_or_default();
        let twice = if hour.starts_with('*') { Twice::Both } else { Twice::First };
        let schedule = Self { cron, zone, twice };
        let start = DateTime::constant(2024, 1, 1, 0, 0, 0, 0);
        if schedule.cron.find_next_occurrence(&start, true).is_err() {
            return Err(BadCron {
                why: format!("{expression:?} never happens"),
                hint: "write a day that its month has".to_owned(),
            });
        }
        Ok(schedule)
    }

    /// The first start after the moment `after`, in seconds since the epoch.
    pub(super) fn next(&self, after: i64) -> Option<i64> {
        let mut stretch = Stretch::at(&self.zone, after)?;
        let mut from = local(after + 1, stretch.offset)?;
        for _ in 0..MOST_STRETCHES {
            let from_here = match stretch.repeats_until().filter(|_| self.twice == Twice::First) {
                Some(end) => from.max(end),
                None => from,
            };
            let found = self.cron.find_next_occurrence(&from_here, true).ok()?;
            let Some((change, then)) = stretch.end else { return moment(found, stretch.offset) };
            if found < local(change, stretch.offset)? {
                return moment(found, stretch.offset);
            }
            if found < local(change, then)? {
                return Some(change);
            }
            stretch = Stretch::at(&self.zone, change)?;
            from = local(change, then)?;
        }
        None
    }

    /// The last start that is not after the moment `at`, in seconds since the epoch.
    pub(super) fn last(&self, at: i64) -> Option<i64> {
        let mut stretch = Stretch::at(&self.zone, at)?;
        let mut until = local(at, stretch.offset)?;
        for _ in 0..MOST_STRETCHES {
            let found = self.cron.find_previous_occurrence(&until, true).ok()?;
            let Some((change, before)) = stretch.begin else { return moment(found, stretch.offset) };
            let repeats = stretch.repeats_until().filter(|_| self.twice == Twice::First);
            if found >= repeats.unwrap_or(local(change, stretch.offset)?) {
                return moment(found, stretch.offset);
            }
            // Where the clock was put forward, this is what it was put forward over; otherwise it is empty.
            let skipped = local(change, before)?..local(change, stretch.offset)?;
            if skipped.contains(&found) {
                return Some(change);
            }
            stretch = Stretch::at(&self.zone, change - 1)?;
            until = local(change - 1, before)?;
        }
        None
    }
}

impl Stretch {
    /// The one that holds a moment.
    fn at(zone: &Zone, at: i64) -> Option<Self> {
        if !YEARS.contains(&at) {
            return None;
        }
        let zone = zone.inner();
        let after = Timestamp::from_second(at + 1).ok()?;
        let offset = zone.to_offset(Timestamp::from_second(at).ok()?);
        let before = |change: Timestamp| zone.to_offset(change - SignedDuration::from_secs(1));
        let begin = zone
            .preceding(after)
            .next()
            .map(|change| (change.timestamp().as_second(), before(change.timestamp())));
        let end = zone.following(Timestamp::from_second(at).ok()?).next();
        let end = end.map(|change| (change.timestamp().as_second(), change.offset()));
        Some(Self { offset, begin, end })
    }

    /// Where the clock was put back at its beginning: the local time up to which it shows what it has shown before.
    fn repeats_until(&self) -> Option<DateTime> {
        let (change, before) = self.begin?;
        local(change, before).filter(|_| before > self.offset)
    }
}

fn local(at: i64, offset: Offset) -> Option<DateTime> {
    Some(offset.to_datetime(Timestamp::from_second(at).ok()?))
}

fn moment(local: DateTime, offset: Offset) -> Option<i64> {
    Some(offset.to_timestamp(local).ok()?.as_second())
}

fn parse(text: &str) -> Result<Cron, croner::errors::CronError> {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(text)
}

/// The fields in capitals with one blank between them, and a short form written out.
fn five_fields(expression: &str) -> Result<String, BadCron> {
    let upper = expression.trim().to_uppercase();
    if upper.starts_with('@') {
        let known = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(&upper));
        return known.map(|(_, fields)| (*fields).to_owned()).ok_or_else(|| BadCron {
            why: format!("{expression:?} is none of: {}", WORDS.map(|(word, _)| word).join(", ")),
            hint: "write five fields, such as 0 22 * * 6".to_owned(),
        });
    }
    let fields: Vec<_> = upper.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(BadCron {
            why: format!("{expression:?} has {} fields, not five", fields.len()),
            hint: format!("write {}: 0 22 * * 6", FIELDS.map(|(name, ..)| name).join(", ")),
        });
    }
    let text = fields.join(" ");
    let fits = |(field, (_, allowed, _)): (&&str, (&str, &str, &str))| {
        field.chars().all(|c| allowed.contains(c)) && !field.split(',').any(str::is_empty)
    };
    if fields.iter().zip(FIELDS).all(fits) { Ok(text) } else { Err(field_at_fault(expression, &text)) }
}

/// The first field that cannot stand for itself.
fn field_at_fault(expression: &str, text: &str) -> BadCron {
    let fields: Vec<_> = text.split(' ').collect();
    let wrong = |place: &usize| {
        let mut alone = ["*"; 5];
        alone[*place] = fields[*place];
        let letters = fields[*place].chars().all(|c| FIELDS[*place].1.contains(c));
        !letters || fields[*place].split(',').any(str::is_empty) || parse(&alone.join(" ")).is_err()
    };
    match (0..fields.len().min(FIELDS.len())).find(wrong) {
        Some(place) => {
            let (name, _, write) = FIELDS[place];
            BadCron {
                why: format!("{expression:?} is no cron expression: its {name} is {:?}", fields[place]),
                hint: format!("write {write}, * for every one, */5 for every fifth, 1,3 or 1-5"),
            }
        }
        None => BadCron {
            why: format!("{expression:?} is no cron expression"),
            hint: "write five fields, such as 0 22 * * 6".to_owned(),
        },
    }
}
