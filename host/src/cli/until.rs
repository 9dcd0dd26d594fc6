//! Moments and durations as operators write them on the command line.
//!
//! A text without an offset is local time. What cannot be read is refused with examples, never guessed.

use crate::cli::Failure;
use crate::policy::time::Wall;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use pm_plugin_api::value::Value as _;
use std::time::Duration;

/// On which side of now a time of day, and a duration with a sign, is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// `22:00` is the next one; `+2h`.
    Next,
    /// `22:00` is the last one; `-2h`.
    Last,
}

/// Reads a duration: `90s`, `30m`, `2h`, `1d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text.trim())
}

/// Reads a moment: `22:00`, `2026-12-01 22:00`, `2026-12-01T22:00:00Z`, `+2h` (or `-2h`).
pub(crate) fn moment(text: &str, side: Side, now: Wall, zone: &TimeZone) -> Result<Wall, String> {
    let text = text.trim();
    let unreadable = || {
        let span = if side == Side::Next { "+2h" } else { "-2h" };
        format!("{text:?} is no time; write 22:00, \"2026-12-01 22:00\", 2026-12-01T22:00:00Z or {span}")
    };
    if let Some(span) = text.strip_prefix(if side == Side::Next { '+' } else { '-' }) {
        let millis = i64::try_from(duration(span)?.as_millis()).map_err(|_| unreadable())?;
        let millis = if side == Side::Next { millis } else { -millis };
        return Ok(Wall(now.0.saturating_add(millis)));
    }
    // Only the zone's own name could stand in brackets, and it could contradict the rest.
    if text.contains('[') {
        return Err(unreadable());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Wall(at.as_millisecond()));
    }
    if let Some(time) = time_of_day(text) {
        return of_day(time, side, now, zone).ok_or_else(unreadable);
    }
    let local = text.parse::<DateTime>().map_err(|_| unreadable())?;
    let at = zone.to_ambiguous_timestamp(local).compatible().map_err(|_| unreadable())?;
    Ok(Wall(at.as_millisecond()))
}

/// Reads a moment that is not in the future, for the options of those who look back.
pub(crate) fn past(text: &str, now: Wall) -> Result<Wall, Failure> {
    let at = if text.trim() == "now" { Ok(now) } else { moment(text, Side::Last, now, &TimeZone::system()) };
    match at {
        Ok(at) if at <= now => Ok(at),
        Ok(_) => Err(Failure::Usage(format!("{text:?} is in the future; write a moment of the past"))),
        Err(why) => Err(Failure::Usage(why)),
    }
}

/// `22:00` or `22:00:30`; nothing else that begins like a date.
fn time_of_day(text: &str) -> Option<Time> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let padded =
        if matches!(shape.as_str(), "0:00" | "0:00:00") { format!("0{text}") } else { text.to_owned() };
    matches!(shape.as_str(), "0:00" | "00:00" | "0:00:00" | "00:00:00").then(|| padded.parse().ok()).flatten()
}

/// The nearest moment with that time of day on one side of now. Where clocks are set back a time comes twice.
fn of_day(time: Time, side: Side, now: Wall, zone: &TimeZone) -> Option<Wall> {
    let now = Timestamp::from_millisecond(now.0).ok()?;
    let today = now.to_zoned(zone.clone()).date();
    let days = [-1, 0, 1].into_iter().filter_map(|days| today.checked_add(days.days()).ok());
    let moments = days.flat_map(|day| {
        let both = zone.to_ambiguous_timestamp(day.to_datetime(time));
        [both.earlier(), both.later()].into_iter().flatten()
    });
    let found = match side {
        Side::Next => moments.filter(|at| *at > now).min(),
        Side::Last => moments.filter(|at| *at <= now).max(),
    };
    found.map(|at| Wall(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours ahead of UTC, three in summer; changes at 3:00 on 2026-03-29 and at 4:00 on 2026-10-25.
    fn zone() -> TimeZone {
        TimeZone::posix("EET-2EEST,M3.5.0/3,M10.5.0/4").unwrap()
    }

    fn utc(text: &str) -> Wall {
        Wall(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn read(text: &str, side: Side, now: &str) -> Result<Wall, String> {
        moment(text, side, utc(now), &zone())
    }

    #[test]
    fn local_times_offsets_and_spans_are_read() {
        let now = "2026-12-01T10:00:00Z";
        for (text, expected) in [
            ("2026-12-01 22:00", "2026-12-01T20:00:00Z"),
            ("2026-12-01T22:00:30", "2026-12-01T20:00:30Z"),
            (" 2026-12-01 22:00 ", "2026-12-01T20:00:00Z"),
            ("2026-12-02", "2026-12-01T22:00:00Z"),
            ("2026-07-01 22:00", "2026-07-01T19:00:00Z"),
            ("2026-12-01T22:00:00Z", "2026-12-01T22:00:00Z"),
            ("2026-12-01T22:00:00+01:00", "2026-12-01T21:00:00Z"),
            ("2026-12-01 22:00:00.5Z", "2026-12-01T22:00:00.5Z"),
            ("+2h", "2026-12-01T12:00:00Z"),
            ("+90", "2026-12-01T10:01:30Z"),
            ("12:30", "2026-12-01T10:30:00Z"),
            ("12:00", "2026-12-02T10:00:00Z"),
            ("9:05", "2026-12-02T07:05:00Z"),
            ("23:59:59", "2026-12-01T21:59:59Z"),
        ] {
            assert_eq!(read(text, Side::Next, now), Ok(utc(expected)), "{text}");
        }
        for (text, expected) in [
            ("12:00", "2026-12-01T10:00:00Z"),
            ("12:30", "2026-11-30T10:30:00Z"),
            ("-2h", "2026-12-01T08:00:00Z"),
            ("2026-11-01", "2026-10-31T22:00:00Z"),
        ] {
            assert_eq!(read(text, Side::Last, now), Ok(utc(expected)), "{text}");
        }
    }

    #[test]
    fn hours_that_come_twice_or_not_at_all_are_found() {
        // 3:30 comes at 0:30 and at 1:30 UTC.
        for (now, expected) in [
            ("2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
            ("2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
            ("2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"),
        ] {
            assert_eq!(read("3:30", Side::Next, now), Ok(utc(expected)), "{now}");
        }
        // There is no 3:30 on that day; it is taken for what clocks show then, 4:30.
        let spring = read("2026-03-29 03:30", Side::Next, "2026-03-28T00:00:00Z");
        assert_eq!(spring, Ok(utc("2026-03-29T01:30:00Z")));
        assert!(read("3:30", Side::Next, "2026-03-29T00:00:00Z").is_ok());
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        let now = "2026-12-01T10:00:00Z";
        for text in [
            "",
            "soon",
            "25:00",
            "12:60",
            "12",
            "2026-13-01",
            "2026-12-01 25:00",
            "tomorrow 9:00",
            "-2h",
            "+",
            "+soon",
            "2026-12-01T22:00[Europe/Paris]",
            "12:00:00:00",
            "1e9",
            "+1e300h",
            "+99999999999999999h",
            "12:00 pm",
        ] {
            let refused = read(text, Side::Next, now).unwrap_err();
            assert!(refused.contains("+2h") || refused.contains("is not a duration"), "{text}: {refused}");
        }
        assert!(read("+2h", Side::Last, now).unwrap_err().contains("-2h"));
    }
}
