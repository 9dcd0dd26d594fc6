//! The numbers of restart control: `[criticality.LEVEL]`, `[group.NAME]`, and those keys of a process.
//!
//! Each number stands on its own: the nearest place that says it counts. A longest time below the first one is raised
//! to it at the end, so that a file which only lengthens the first one stays right.

use super::Sheet;
use super::reader::Reader;
use crate::calendar::when::in_words;
use crate::config::control::{Control, Criticality, Levels};
use crate::config::group::Group;
use crate::config::model::Monitor;
use crate::config::problem::{At, Problems, did_you_mean};
use crate::config::sections::{CRITICALITY, GROUP};
use crate::policy::driver::DriverRules;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// Windows in which failures count; none of nothing, in which no failure would ever count.
const WINDOW: RangeInclusive<Duration> = SECOND..=Duration::from_secs(7 * 86_400);
/// How long a lease lasts; one that is renewed many times a second would only load the database.
pub(super) const LEASE: RangeInclusive<Duration> = SECOND..=Duration::from_secs(3600);
/// The time after which one more restart is allowed; faster would be no limit.
pub(super) const REFILL: RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;
/// Pauses; one of nothing would ask again and again without end.
pub(super) const PAUSE: RangeInclusive<Duration> = SECOND..=DAY;
/// Percent by which a time is moved; more would make the shortest one meaningless.
const JITTER: RangeInclusive<u32> = 0..=50;

/// The names of the levels, for a choice.
pub(super) const LEVELS: [(&str, Criticality); 4] = [
    ("critical", Criticality::Critical),
    ("high", Criticality::High),
    ("normal", Criticality::Normal),
    ("low", Criticality::Low),
];

/// The numbers of all levels; the longest times are not raised yet.
pub(super) fn levels(sheet: &Sheet<'_>, monitor: &Monitor, problems: &mut Problems) -> Levels {
    let names = || LEVELS.iter().map(|(name, _)| *name);
    for (section, keys) in sheet.sections {
        let Some(level) = section.strip_prefix(CRITICALITY).filter(|level| !level.is_empty()) else {
            continue;
        };
        if !names().any(|name| name == level) {
            let at = At { line: Some(keys.line), section, key: None };
            let message = format!("there is no criticality {level:?}; the section is ignored");
            let hint = did_you_mean(level, names())
                .unwrap_or_else(|| format!("write one of: {}", names().collect::<Vec<_>>().join(", ")));
            problems.warning(&at, message, hint);
        }
    }
    Levels::from(|level| {
        let mut base = Control::built_in(level);
        if level == Criticality::Normal {
            base.max_restart_failures = monitor.max_restart_failures;
            base.circuit_reset_time = monitor.circuit_reset_time;
            base.stable_time = monitor.stable_time;
        }
        let section = format!("{CRITICALITY}{}", level.word());
        let Some(keys) = sheet.sections.get(&section) else { return base };
        let mut reader = Reader::new(&section, keys, sheet.base, problems);
        let control = control(&mut reader, &base);
        reader.finish();
        control
    })
}

/// The numbers that a section says, and those of `base` where it says none.
pub(super) fn control(reader: &mut Reader<'_>, base: &Control) -> Control {
    let control = Control {
        max_restart_failures: reader.value("max_restart_failures").unwrap_or(base.max_restart_failures),
        restart_window: reader.duration_within("restart_window", WINDOW).unwrap_or(base.restart_window),
        circuit_reset_time: reader
            .duration("circuit_reset_time", 366 * DAY)
            .unwrap_or(base.circuit_reset_time),
        circuit_reset_max: reader.duration("circuit_reset_max", 366 * DAY).unwrap_or(base.circuit_reset_max),
        circuit_jitter: reader.number("circuit_jitter", JITTER).unwrap_or(base.circuit_jitter),
        stable_time: reader.duration("stable_time", 7 * DAY).unwrap_or(base.stable_time),
        doubt_time: reader.duration("doubt_time", 7 * DAY).unwrap_or(base.doubt_time),
        backoff: reader.duration("backoff", DAY).unwrap_or(base.backoff),
        backoff_factor: reader.factor("backoff_factor").unwrap_or(base.backoff_factor),
        backoff_max: reader.duration("backoff_max", DAY).unwrap_or(base.backoff_max),
        backoff_jitter: reader.number("backoff_jitter", JITTER).unwrap_or(base.backoff_jitter),
    };
    raised(reader, "circuit_reset_max", control.circuit_reset_max, control.circuit_reset_time);
    raised(reader, "backoff_max", control.backoff_max, control.backoff);
    unprotected(reader, control.circuit_reset_time);
    control
}

/// Says that an open breaker protects nobody, where this very section wants it so.
pub(super) fn unprotected(reader: &mut Reader<'_>, circuit_reset_time: Duration) {
    if circuit_reset_time.is_zero() && reader.is_own("circuit_reset_time") {
        reader.warning(
            "circuit_reset_time",
            "0 lets the next restart go at once, so a breaker that opens protects from nothing",
            "write how long it stays open: 5m",
        );
    }
}

/// Says that a longest time which this very section sets is less than the first one.
fn raised(reader: &mut Reader<'_>, key: &'static str, longest: Duration, first: Duration) {
    if longest < first && reader.is_own(key) {
        let first = in_words(first);
        let message = format!("is less than the first time, {first}, which is used in its place");
        reader.warning(key, message, format!("write {first} or more"));
    }
}

/// When what strategies depend on is left alone: keys of `[monitor]`.
pub(super) fn driver(reader: &mut Reader<'_>) -> DriverRules {
    let (ten, longest) = (Duration::from_secs(10), Duration::from_secs(120));
    let rules = DriverRules {
        failures: reader.number("driver_failures", 1..=1000).unwrap_or(3),
        pause: reader.duration_within("driver_pause", PAUSE).unwrap_or(ten),
        open_time: reader.duration_within("driver_open_time", PAUSE).unwrap_or(ten),
        open_max: reader.duration_within("driver_open_max", PAUSE).unwrap_or(longest),
        jitter: reader.number("driver_jitter", JITTER).map_or(15, |percent| percent as u8),
    };
    raised(reader, "driver_open_max", rules.open_max, rules.open_time);
    DriverRules { open_max: rules.open_max.max(rules.open_time), ..rules }
}

/// Reads all `[group.NAME]`.
pub(super) fn groups(sheet: &Sheet<'_>, problems: &mut Problems) -> BTreeMap<String, Group> {
    let named = sheet.sections.iter().filter_map(|(section, keys)| {
        let name = section.strip_prefix(GROUP).filter(|name| !name.is_empty())?;
        Some((name.to_owned(), section, keys))
    });
    named
        .map(|(name, section, keys)| (name, group(Reader::new(section, keys, sheet.base, problems))))
        .collect()
}

fn group(mut reader: Reader<'_>) -> Group {
    let default = Group::default();
    let mut group = Group {
        budget: reader.number("budget", 1..=1000).unwrap_or(default.budget),
        budget_refill: reader.duration_within("budget_refill", REFILL).unwrap_or(default.budget_refill),
        correlation: reader.number("correlation", 0..=1000).unwrap_or(default.correlation),
        correlation_share: reader.number("correlation_share", 1..=100).unwrap_or(default.correlation_share),
        window: reader.duration_within("window", WINDOW).unwrap_or(default.window),
        circuit_reset_time: reader
            .duration("circuit_reset_time", 366 * DAY)
            .unwrap_or(default.circuit_reset_time),
        circuit_reset_max: reader
            .duration("circuit_reset_max", 366 * DAY)
            .unwrap_or(default.circuit_reset_max),
        circuit_jitter: reader.number("circuit_jitter", JITTER).unwrap_or(default.circuit_jitter),
        stable_time: reader.duration("stable_time", 7 * DAY).unwrap_or(default.stable_time),
    };
    raised(&mut reader, "circuit_reset_max", group.circuit_reset_max, group.circuit_reset_time);
    unprotected(&mut reader, group.circuit_reset_time);
    group.circuit_reset_max = group.circuit_reset_max.max(group.circuit_reset_time);
    reader.finish();
    group
}
