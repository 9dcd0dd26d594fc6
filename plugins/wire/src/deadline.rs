//! One point in time at which a look is over, whatever it was doing.

use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Instant,
    /// How long the look may take in all.
    pub allowed: Duration,
}

impl Deadline {
    /// From now on for `wished`, but never so long that pm gives the call up first.
    pub fn new(wished: Duration, limit: Duration) -> Self {
        let allowed = within(wished, limit);
        Self { at: Instant::now() + allowed, allowed }
    }

    /// What is left; none when it is over.
    pub fn left(&self) -> Option<Duration> {
        Some(self.at.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}

/// A day is more than anybody waits for a check, and keeps the clock from overflowing.
const LONGEST: Duration = Duration::from_secs(86_400);

fn within(wished: Duration, limit: Duration) -> Duration {
    let reserve = (limit / 10).min(Duration::from_millis(500));
    wished.min(limit.saturating_sub(reserve)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_ends_before_pms_limit() {
        for (wished, limit, expected) in
            [(5_000, 30_000, 5_000), (5_000, 2_000, 1_800), (60_000, 10_000, 9_500), (0, 10_000, 0)]
        {
            let allowed = within(Duration::from_millis(wished), Duration::from_millis(limit));
            assert_eq!(allowed, Duration::from_millis(expected), "{wished} of {limit}");
        }
        assert_eq!(within(Duration::MAX, Duration::MAX), LONGEST);
    }

    #[test]
    fn nothing_is_left_after_the_end() {
        assert_eq!(Deadline::new(Duration::ZERO, Duration::from_secs(1)).left(), None);
        assert!(Deadline::new(Duration::from_secs(60), Duration::from_secs(60)).left().is_some());
    }
}
