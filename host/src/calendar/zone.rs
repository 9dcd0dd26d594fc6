//! Time zones by name. The data of the host is used where there is some, and what is built in where there is none.
//!
//! A name is only looked up in the list of known names; it is never a path.

use crate::policy::time::Wall;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::fmt;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Why there is no such zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchZone {
    /// The name.
    pub name: String,
    /// The name that is like it.
    pub near: Option<String>,
}

/// What a local time is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Local {
    /// A moment.
    Once(Wall),
    /// Nothing: the clock is put forward over it, from the first of these local times to the second.
    Skipped(DateTime, DateTime),
    /// Two moments: the clock is put back.
    Twice(Wall, Wall),
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

/// Its name, or what it is called in a sentence.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.name().is_empty() { "the time zone of this host" } else { self.name() })
    }
}

impl Zone {
    /// The one of this host, or of `$TZ`; UTC when that cannot be told.
    #[must_use]
    pub fn system() -> Self {
        TimeZone::try_system().ok().filter(|zone| !zone.is_unknown()).map_or_else(Self::default, Self)
    }

    /// The one of an IANA name, in any case; the empty name is the one of this host.
    ///
    /// # Errors
    /// [`NoSuchZone`].
    pub fn named(name: &str) -> Result<Self, NoSuchZone> {
        if name.is_empty() {
            return Ok(Self::system());
        }
        let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown());
        zone.map(Self).ok_or_else(|| NoSuchZone { name: name.to_owned(), near: near(name) })
    }

    /// Whether the host tells what its own is; otherwise [`system`](Self::system) is UTC.
    #[must_use]
    pub fn is_known() -> bool {
        TimeZone::try_system().is_ok_and(|zone| !zone.is_unknown())
    }

    /// The IANA name; empty when the host does not tell the name of its own.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or_default()
    }

    /// The local time for people: `2026-12-01 22:00`, with seconds when there are any.
    #[must_use]
    pub fn show(&self, at: Wall) -> String {
        let end = if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let local = self.0.to_datetime(Timestamp::from_millisecond(at.0).unwrap_or(end));
        let form = if local.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
        local.strftime(form).to_string()
    }

    /// The offset at a moment, as RFC 3339 has it: `+02:00`.
    pub(super) fn offset(&self, at: Wall) -> String {
        offset_in_words(self.ahead(at))
    }

    /// Minutes that it is ahead of UTC at a moment.
    #[must_use]
    pub fn ahead(&self, at: Wall) -> i32 {
        Timestamp::from_millisecond(at.0).map_or(0, |at| self.0.to_offset(at).seconds() / 60)
    }

    pub(super) fn local(&self, at: Wall) -> Option<DateTime> {
        Some(self.0.to_datetime(Timestamp::from_millisecond(at.0).ok()?))
    }

    /// What a local time is here; none when it is beyond all calendars.
    pub(super) fn resolve(&self, local: DateTime) -> Option<Local> {
        let wall = |zoned: Result<Timestamp, jiff::Error>| Some(Wall(zoned.ok()?.as_millisecond()));
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        Some(match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => Local::Once(wall(ambiguous.unambiguous())?),
            AmbiguousOffset::Fold { .. } => {
                Local::Twice(wall(ambiguous.earlier())?, wall(ambiguous.later())?)
            }
            AmbiguousOffset::Gap { before, after } => {
                let inside = before.to_timestamp(local).ok()?;
                let change = self.0.preceding(inside.checked_add(jiff::SignedDuration::from_secs(1)).ok()?);
                let change = change.take(1).next()?.timestamp();
                Local::Skipped(before.to_datetime(change), after.to_datetime(change))
            }
        })
    }

    pub(super) fn inner(&self) -> &TimeZone {
        &self.0
    }
}

/// Minutes ahead of UTC as RFC 3339 has them: `+02:00`.
#[must_use]
pub fn offset_in_words(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// The known name that somebody may have meant: with a slip of the pen, or only its last part.
fn near(name: &str) -> Option<String> {
    let (lower, allowed) = (name.to_lowercase(), (name.chars().count() / 4).clamp(1, 3));
    if name.chars().count() > 64 {
        return None;
    }
    let city = lower.replace(' ', "_");
    let distance = |known: &str| {
        let known = known.to_lowercase();
        let last = known.rsplit('/').next().unwrap_or_default();
        if last == city { 0 } else { strsim::osa_distance(&known, &lower) }
    };
    let names = jiff::tz::db().available().map(|known| known.to_string());
    let names = names.filter(|known| !known.starts_with("posix/") && !known.starts_with("right/"));
    let (steps, near) = names.map(|known| (distance(&known), known)).min()?;
    (steps <= allowed).then_some(near)
}

impl fmt::Display for NoSuchZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no time zone", self.name)
    }
}

impl NoSuchZone {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.near {
            Some(near) => format!("did you mean {near:?}?"),
            None => "write an IANA name, such as Europe/Bucharest, America/New_York or UTC".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_near_ones_are_suggested() {
        assert_eq!(Zone::named("europe/bucharest").unwrap().name(), "Europe/Bucharest");
        assert_eq!(Zone::named("utc").unwrap(), Zone::default());
        for (name, near) in [
            ("Europe/Bucarest", Some("Europe/Bucharest")),
            ("bucharest", Some("Europe/Bucharest")),
            ("New York", Some("America/New_York")),
            ("../../etc/passwd", None),
            ("Etc/Unknown", None),
            ("Mars/Olympus_Mons", None),
            (&"x".repeat(9999), None),
        ] {
            assert_eq!(Zone::named(name).unwrap_err().near.as_deref(), near, "{name}");
        }
    }

    #[test]
    fn the_zones_are_built_in() {
        let inside = jiff::tz::TimeZoneDatabase::bundled();
        for name in ["Europe/Bucharest", "America/New_York", "Australia/Lord_Howe"] {
            assert!(inside.get(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn local_times_are_shown_and_resolved() {
        let zone = Zone::named("Europe/Bucharest").unwrap();
        let local = |text: &str| text.parse::<DateTime>().unwrap();
        let Some(Local::Once(at)) = zone.resolve(local("2026-12-01 22:00")) else { panic!() };
        assert_eq!((zone.show(at), zone.offset(at)), ("2026-12-01 22:00".to_owned(), "+02:00".to_owned()));
        assert_eq!(zone.show(Wall(at.0 + 5_000)), "2026-12-01 22:00:05");
        let skipped = Local::Skipped(local("2026-03-29 03:00"), local("2026-03-29 04:00"));
        assert_eq!(zone.resolve(local("2026-03-29 03:30")), Some(skipped));
        let Some(Local::Twice(first, second)) = zone.resolve(local("2026-10-25 03:30")) else { panic!() };
        assert_eq!(second.0 - first.0, 3_600_000);
        assert!(zone.show(Wall(i64::MAX)).starts_with("9999-"));
    }
}
