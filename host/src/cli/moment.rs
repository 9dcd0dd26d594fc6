//! Moments of the past as people write them: `2026-12-01 22:00`, `22:00` (the last such time), `-2h`.

use crate::calendar::{Zone, when};
use crate::cli::Failure;
use crate::policy::time::Wall;
use pm_plugin_api::value::Value as _;
use std::time::Duration;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// Reads a moment that is not in the future.
pub(crate) fn past(text: &str, now: Wall) -> Result<Wall, Failure> {
    let text = text.trim();
    let wrong = |why: String| Failure::Usage(format!("{why}; or 22:00 for the last such time, or -2h"));
    if let Some(ago) = text.strip_prefix('-') {
        let ago = Duration::parse(ago.trim()).map_err(wrong)?;
        return Ok(Wall(now.0.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))));
    }
    if text.starts_with('+') {
        return Err(Failure::Usage(format!("{text:?} is in the future; write a moment of the past")));
    }
    let at = when::moment(text, now, &Zone::system()).map_err(wrong)?;
    if at <= now {
        return Ok(at);
    }
    // A time of day is read as the next one; asked about the past, the one before is meant.
    let yesterday = Wall(now.0.saturating_sub(DAY));
    match when::moment(text, yesterday, &Zone::system()) {
        Ok(at) if at <= now => Ok(at),
        _ => Err(Failure::Usage(format!("{text:?} is in the future; write a moment of the past"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_past_are_read_and_those_of_the_future_refused() {
        let now = Wall(1_790_000_000_000);
        let read = |text: &str| past(text, now).map(|at| (now.0 - at.0) / 1000).map_err(|_| ());
        assert_eq!(read("-2h"), Ok(7200));
        assert_eq!(read(" - 90s "), Ok(90));
        assert_eq!(read("now"), Ok(0));
        assert_eq!(read("2026-09-21T14:13:10Z"), Ok(10));
        let last = read("03:00").unwrap();
        assert!((0..86_400 + 3_600).contains(&last), "{last}");
        for wrong in ["", "-", "-x", "+2h", "2099-01-01 00:00", "yesterday"] {
            assert_eq!(read(wrong), Err(()), "{wrong:?}");
        }
    }
}
