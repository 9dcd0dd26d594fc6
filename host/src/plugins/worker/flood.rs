//! How much a worker may say: a library that logs without end must not push everything else out of the log. Pure.

use std::time::Duration;

/// Lines that may come at once.
const BURST: u32 = 500;
/// Lines a second after that.
const RATE: u32 = 50;
/// Lines for each call: a thousand restarts have more to say than one.
const PER_CALL: u32 = 20;

/// What is left of the lines a worker may say.
#[derive(Debug)]
pub(super) struct Flood {
    left: u32,
    /// Up to when lines were given, since the worker began.
    given: Duration,
    /// Lines that were left out since the last that was let through.
    dropped: u64,
}

impl Default for Flood {
    fn default() -> Self {
        Self { left: BURST, given: Duration::ZERO, dropped: 0 }
    }
}

impl Flood {
    /// A call is made.
    pub(super) fn earned(&mut self) {
        self.left = self.left.saturating_add(PER_CALL).min(BURST);
    }

    /// Whether a line may be said now, `since` the worker began; and how many were left out before it.
    pub(super) fn admit(&mut self, since: Duration) -> Option<u64> {
        let seconds = since.saturating_sub(self.given).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(RATE);
            self.left = self.left.saturating_add(more).min(BURST);
            self.given += Duration::from_secs(seconds);
        }
        if self.left == 0 {
            self.dropped += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_many_calls_has_more_to_say() {
        let mut flood = Flood::default();
        for _ in 0..5_000 {
            flood.earned();
            assert!((0..5).all(|_| flood.admit(Duration::ZERO) == Some(0)));
        }
    }

    #[test]
    fn a_flood_is_let_through_by_the_second_and_counted() {
        let mut flood = Flood::default();
        let second = Duration::from_secs(1);
        let through = |flood: &mut Flood, at| (0..10_000).filter(|_| flood.admit(at).is_some()).count();
        assert_eq!(through(&mut flood, Duration::ZERO), 500);
        assert_eq!(through(&mut flood, second), 50);
        assert_eq!(flood.admit(second * 2), Some(9_950), "what was left out is said once");
        assert_eq!(flood.admit(second * 2), Some(0));
        assert_eq!(through(&mut flood, second * 3600), 500, "a quiet hour is no more than a burst");
    }
}
