//! Times and durations as people write them.
//!
//! A local time that does not exist, or exists twice, because the clock is changed that night is refused with what to
//! write instead: it is typed once, by somebody who can be asked.

use super::zone::{Local, Zone};
use crate::policy::time::Wall;
use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp};
use pm_plugin_api::value::Value as _;
use std::time::Duration;

/// Reads a time that means the same whenever it is read: `2026-12-01 22:00`, `2026-12-01 22:00 Europe/Bucharest`, or
/// with an offset as in RFC 3339, `2026-12-01T22:00:00+02:00`. `zone` is used where none is written.
///
/// # Errors
/// A phrase that completes "KEY: …": what is wrong and what to write.
pub fn absolute(text: &str, zone: &Zone) -> Result<Wall, String> {
    read_absolute(text, zone).unwrap_or_else(|| {
        Err(format!("{text:?} is not a time; write 2026-12-01 22:00 or 2026-12-01T22:00:00+02:00"))
    })
}

/// Reads a time that may depend on the moment `base`: as [`absolute`], and `now`, `+2h`, or `22:00`, which is the next
/// such time.
///
/// # Errors
/// A phrase that completes "--from: …": what is wrong and what to write.
pub fn moment(text: &str, base: Wall, zone: &Zone) -> Result<Wall, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(base);
    }
    if let Some(duration) = text.strip_prefix('+') {
        return Duration::parse(duration.trim()).map(|duration| after(base, duration));
    }
    if let Some(time) = time_of_day(text) {
        return next(time, base, zone);
    }
    read_absolute(text, zone).unwrap_or_else(|| {
        let forms = "2026-12-01 22:00, 22:00, now, +2h or 2026-12-01T22:00:00+02:00";
        Err(format!("{text:?} is not a time; write {forms}"))
    })
}

/// Reads when something ends that begins at `base`: as [`moment`], and `now` is no time to come.
///
/// # Errors
/// A phrase that completes "--until: …": what is wrong and what to write.
pub fn to_come(text: &str, base: Wall, zone: &Zone) -> Result<Wall, String> {
    moment(text, base, zone).map_err(|why| why.replace(", now, +2h", ", +2h"))
}

/// Reads a moment that is not after `base`, for those who look back: a time as in [`absolute`], a day
/// (`2026-12-01`, its beginning), `22:00`, `22:00:05` or `22:00:05.25`, which is the last such time, `-2h`, and `now`.
///
/// # Errors
/// A phrase that completes "--since: …": what is wrong and what to write.
pub fn past(text: &str, base: Wall, zone: &Zone) -> Result<Wall, String> {
    let text = text.trim();
    let at = if text.eq_ignore_ascii_case("now") {
        base
    } else if let Some(duration) = text.strip_prefix('-') {
        let millis = Duration::parse(duration.trim())?.as_millis();
        Wall(base.0.saturating_sub(i64::try_from(millis).unwrap_or(i64::MAX)))
    } else if let Some(time) = time_of_day(text) {
        last(time, base, zone)?
    } else {
        let day = text.parse::<Date>().ok().filter(|_| !text.contains(':'));
        let read = day.map_or_else(
            || read_absolute(text, zone),
            |day| resolve(day.to_datetime(Time::midnight()), zone),
        );
        let forms = "2026-12-01 22:00, 2026-12-01, 22:00, now, -2h or 2026-12-01T22:00:00+02:00";
        read.unwrap_or_else(|| Err(format!("{text:?} is not a time; write {forms}")))?
    };
    if at > base {
        return Err(format!("{text:?} is in the future; write a moment of the past"));
    }
    Ok(at)
}

/// Reads a moment as [`past`] does, and answers the end of what was written: of the day, the minute, the second or the
/// part of a second, and never later than `base`. A time that was cut when it was shown finds what it was shown of.
///
/// # Errors
/// As [`past`].
pub fn up_to(text: &str, base: Wall, zone: &Zone) -> Result<Wall, String> {
    let begins = past(text, base, zone)?;
    let ends = match text.trim().parse::<Date>().ok().filter(|_| !text.contains(':')) {
        Some(day) => {
            let next = day.checked_add(Span::new().days(1)).map_err(|error| error.to_string())?;
            let midnight = resolve(next.to_datetime(Time::midnight()), zone);
            midnight.and_then(Result::ok).unwrap_or_else(|| after(begins, Duration::from_secs(86_400)))
        }
        None => after(begins, written_length(text)),
    };
    // The last millisecond of it: the next one is of what follows.
    Ok(Wall(ends.0.saturating_sub(1)).max(begins).min(base))
}

/// How long the part is to which a time of day was written: `22:00` is a minute.
fn written_length(text: &str) -> Duration {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let Some((_, minute)) = text.split_once(':') else { return Duration::ZERO };
    let Some(second) = minute.get(2..).and_then(|rest| rest.strip_prefix(':')) else {
        return Duration::from_secs(60);
    };
    match second.get(2..).and_then(|rest| rest.strip_prefix(['.', ','])).map(digits) {
        None => Duration::from_secs(1),
        Some(1) => Duration::from_millis(100),
        Some(2) => Duration::from_millis(10),
        Some(_) => Duration::from_millis(1),
    }
}

/// The moment `duration` after another one.
#[must_use]
pub fn after(at: Wall, duration: Duration) -> Wall {
    Wall(at.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
}

/// A duration as people write it: `90m`, `2h`.
#[must_use]
pub fn in_words(duration: Duration) -> String {
    let whole = |seconds: u64| duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(seconds);
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    match units.into_iter().find(|(seconds, _)| !duration.is_zero() && whole(*seconds)) {
        Some((seconds, unit)) => format!("{}{unit}", duration.as_secs() / seconds),
        None => format!("{}s", duration.as_secs_f64()),
    }
}

/// `None`: it is nothing that looks like a time.
fn read_absolute(text: &str, zone: &Zone) -> Option<Result<Wall, String>> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Ok(Wall(at.as_millisecond())));
    }
    let named = text.rsplit_once(char::is_whitespace);
    let named = named.filter(|(_, name)| name.starts_with(|c: char| c.is_ascii_alphabetic()));
    // Only what stands behind a time can be the name of a zone: "last night" is neither.
    let named = named.filter(|(local, _)| local.contains(':'));
    let (local, zone) = match named.map(|(local, name)| (local.trim(), Zone::named(name))) {
        None => (text, zone.clone()),
        Some((local, Ok(zone))) => (local, zone),
        Some((_, Err(unknown))) => return Some(Err(format!("{unknown}; {}", unknown.hint()))),
    };
    // Without a time of day the last day of a window would be in doubt.
    let local = local.parse::<DateTime>().ok().filter(|_| local.contains(':'))?;
    resolve(local, &zone)
}

fn resolve(local: DateTime, zone: &Zone) -> Option<Result<Wall, String>> {
    let shown = local.strftime("%Y-%m-%d %H:%M");
    Some(match zone.resolve(local)? {
        Local::Once(at) => Ok(at),
        Local::Skipped(from, to) => {
            let (from, to) = (from.strftime("%H:%M"), to.strftime("%H:%M"));
            Err(format!("{shown} does not exist in {zone}: the clock goes from {from} to {to}; write {to}"))
        }
        Local::Twice(first, second) => {
            let form = |at| format!("{}{}", local.strftime("%Y-%m-%dT%H:%M"), zone.offset(at));
            let (first, second) = (form(first), form(second));
            Err(format!(
                "{shown} comes twice in {zone}; write {first} for the first, {second} for the second"
            ))
        }
    })
}

fn time_of_day(text: &str) -> Option<Time> {
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, nanoseconds) = match text.split_once(['.', ',']) {
        Some((whole, part)) if (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) => {
            (whole, format!("{part:0<9}").parse().ok()?)
        }
        Some(_) => return None,
        None => (text, 0),
    };
    let parts: Vec<&str> = whole.split(':').collect();
    // A part of a minute is nothing that people write.
    if nanoseconds > 0 && parts.len() < 3 {
        return None;
    }
    let (hour, rest) = parts.split_first().filter(|(_, rest)| (1..=2).contains(&rest.len()))?;
    // Lines of the log have seconds.
    if !digits(hour) || !rest.iter().all(|part| digits(part) && part.len() == 2) {
        return None;
    }
    let second = rest.get(1).map_or(Ok(0), |second| second.parse()).ok()?;
    Time::new(hour.parse().ok()?, rest[0].parse().ok()?, second, nanoseconds).ok()
}

fn next(time: Time, base: Wall, zone: &Zone) -> Result<Wall, String> {
    let beyond = || format!("{} has no next time in any calendar", time.strftime("%H:%M"));
    let local = zone.local(base).ok_or_else(beyond)?;
    let tomorrow = local.date().checked_add(Span::new().days(1)).map_err(|_| beyond())?;
    let today = resolve(local.date().to_datetime(time), zone).ok_or_else(beyond)?;
    if today.as_ref().map_or(local.time() < time, |at| *at > base) {
        return today;
    }
    resolve(tomorrow.to_datetime(time), zone).ok_or_else(beyond)?
}

fn last(time: Time, base: Wall, zone: &Zone) -> Result<Wall, String> {
    let beyond = || format!("{} has no time before in any calendar", time.strftime("%H:%M"));
    let local = zone.local(base).ok_or_else(beyond)?;
    let yesterday = local.date().checked_sub(Span::new().days(1)).map_err(|_| beyond())?;
    let today = resolve(local.date().to_datetime(time), zone).ok_or_else(beyond)?;
    if today.as_ref().map_or(local.time() >= time, |at| *at <= base) {
        return today;
    }
    resolve(yesterday.to_datetime(time), zone).ok_or_else(beyond)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucharest() -> Zone {
        Zone::named("Europe/Bucharest").unwrap()
    }

    fn utc(text: &str) -> Wall {
        absolute(text, &Zone::default()).unwrap()
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        let now = utc("2026-11-27 20:30");
        for (text, expected) in [
            ("2026-12-01 22:00", "2026-12-01 20:00"),
            ("2026-12-01T22:00", "2026-12-01 20:00"),
            ("  2026-12-01   22:00:05 ", "2026-12-01 20:00:05"),
            ("2026-07-01 22:00", "2026-07-01 19:00"),
            ("2026-12-01 22:00 America/New_York", "2026-12-02 03:00"),
            ("2026-12-01 22:00 utc", "2026-12-01 22:00"),
            ("2026-12-01T22:00:00+05:30", "2026-12-01 16:30"),
            ("2026-12-01T22:00:00Z", "2026-12-01 22:00"),
            ("2026-12-01 22:00+02:00", "2026-12-01 20:00"),
            ("2026-10-25T03:30+02:00", "2026-10-25 01:30"),
            ("now", "2026-11-27 20:30"),
            ("+2h", "2026-11-27 22:30"),
            ("+ 90m", "2026-11-27 22:00"),
            ("23:00", "2026-11-27 21:00"),
            ("22:30", "2026-11-28 20:30"),
            ("7:05", "2026-11-28 05:05"),
            ("22:30:05", "2026-11-27 20:30:05"),
        ] {
            let read = moment(text, now, &bucharest());
            // Two blanks between day and time are one too many for every reader of such times.
            if text.contains("   ") {
                assert!(read.is_err(), "{text}");
            } else {
                assert_eq!(read, Ok(utc(expected)), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_time_is_told_with_an_example() {
        let now = utc("2026-11-27 20:30");
        for (text, part) in [
            ("", "is not a time; write 2026-12-01 22:00, 22:00, now"),
            ("tomorrow", "is not a time"),
            ("2026-12-01", "is not a time"),
            ("2026-13-01 22:00", "is not a time"),
            ("24:00", "is not a time"),
            ("7:5", "is not a time"),
            ("7:05:5", "is not a time"),
            ("7:05:05:05", "is not a time"),
            ("+soon", "not a duration"),
            ("-2h", "is not a time"),
            ("2026-12-01 22:00 Europe/Bucarest", "is no time zone; did you mean \"Europe/Bucharest\"?"),
            (
                "2026-03-29 03:30",
                "does not exist in Europe/Bucharest: the clock goes from 03:00 to 04:00; write 04:00",
            ),
            (
                "2026-10-25 03:30",
                "comes twice in Europe/Bucharest; write 2026-10-25T03:30+03:00 for the first, 2026-10-25T03:30+02:00 for",
            ),
        ] {
            let told = moment(text, now, &bucharest()).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
        let until = to_come("soon", now, &bucharest()).unwrap_err();
        assert!(
            until.ends_with("is not a time; write 2026-12-01 22:00, 22:00, +2h or 2026-12-01T22:00:00+02:00"),
            "{until}"
        );
        let night = past("last night", now, &bucharest()).unwrap_err();
        assert!(night.starts_with("\"last night\" is not a time; write 2026-12-01 22:00"), "{night}");
        for text in ["now", "+2h", "22:00"] {
            assert!(absolute(text, &bucharest()).is_err(), "{text} depends on the moment");
        }
    }

    #[test]
    fn a_time_of_day_in_the_night_of_a_change_is_refused_only_when_it_is_meant() {
        let zone = bucharest();
        assert!(moment("03:30", utc("2026-03-28 23:00"), &zone).unwrap_err().contains("does not exist"));
        assert_eq!(moment("03:30", utc("2026-03-29 12:00"), &zone), Ok(utc("2026-03-30 00:30")));
        assert_eq!(moment("02:30", utc("2026-03-29 12:00"), &zone), Ok(utc("2026-03-29 23:30")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[0-9:+T \\-]{0,24}|[0-9]{4}-[01][0-9]-[0-3][0-9] [0-9:]{4,8}") {
            for base in [Wall(0), Wall(1_795_811_400_000), Wall(i64::MAX), Wall(i64::MIN)] {
                let _ = moment(&text, base, &bucharest());
                let _ = up_to(&text, base, &bucharest());
            }
        }
    }

    #[test]
    fn moments_of_the_past_are_read_and_those_of_the_future_refused() {
        let now = utc("2026-12-01 10:00");
        let read = |text: &str| past(text, now, &bucharest());
        for (text, expected) in [
            ("now", "2026-12-01 10:00"),
            ("-2h", "2026-12-01 08:00"),
            (" - 90s ", "2026-12-01 09:58:30"),
            ("12:00", "2026-12-01 10:00"),
            ("12:30", "2026-11-30 10:30"),
            ("9:05", "2026-12-01 07:05"),
            ("2026-11-01", "2026-10-31 22:00"),
            ("2026-11-01 22:00", "2026-11-01 20:00"),
            ("2026-12-01T10:00:00Z", "2026-12-01 10:00"),
        ] {
            assert_eq!(read(text), Ok(utc(expected)), "{text}");
        }
        for wrong in ["", "-", "-x", "+2h", "2099-01-01 00:00", "2099-01-01", "yesterday", "25:00", "12"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        // 3:30 came twice that night: which one is meant has to be written.
        let twice = past("3:30", utc("2026-10-25 06:00"), &bucharest()).unwrap_err();
        assert!(twice.contains("comes twice"), "{twice}");
    }

    #[test]
    fn a_time_that_was_cut_when_it_was_shown_means_all_that_it_was_shown_of() {
        let now = utc("2026-12-01 10:00:20.5");
        let read = |text: &str| up_to(text, now, &bucharest()).unwrap();
        for (text, expected) in [
            ("11:15", "2026-12-01 09:15:59.999"),
            ("11:15:14", "2026-12-01 09:15:14.999"),
            ("11:15:14.5", "2026-12-01 09:15:14.599"),
            ("11:15:14,52", "2026-12-01 09:15:14.529"),
            ("11:15:14.523", "2026-12-01 09:15:14.523"),
            ("12:00", "2026-12-01 10:00:20.5"),
            ("12:00:20", "2026-12-01 10:00:20.5"),
            ("2026-11-30 22:00", "2026-11-30 20:00:59.999"),
            ("2026-11-30 22:00:05.25", "2026-11-30 20:00:05.259"),
            ("2026-11-30T22:00:05Z", "2026-11-30 22:00:05.999"),
            ("2026-11-30T22:00+02:00", "2026-11-30 20:00:59.999"),
            ("2026-11-30 22:00:07 America/New_York", "2026-12-01 03:00:07.999"),
            ("2026-11-30", "2026-11-30 21:59:59.999"),
            // The longest day of the year.
            ("2026-10-25", "2026-10-25 21:59:59.999"),
            ("2026-12-01", "2026-12-01 10:00:20.5"),
            ("now", "2026-12-01 10:00:20.5"),
            ("-2h", "2026-12-01 08:00:20.5"),
        ] {
            assert_eq!(read(text), utc(expected), "{text}");
        }
        for wrong in ["11:15.5", "11:15:14.", "11:15:14.x", "12:30 tomorrow", "2099-01-01"] {
            assert!(up_to(wrong, now, &bucharest()).is_err(), "{wrong}");
        }
    }
}
