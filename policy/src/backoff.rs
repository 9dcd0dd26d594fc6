//! The pause after a failed attempt within a job: it grows by a factor up to a cap.

use std::time::Duration;

/// How pauses grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// `restart_delay`: the first pause.
    pub base: Duration,
    /// `restart_delay_factor`: each pause is this many times the one before; 1 keeps it constant, as ever.
    pub factor: f64,
    /// `restart_delay_max`: no pause is longer.
    pub cap: Duration,
}

impl Backoff {
    /// The pause after failed attempt number `attempt`, counted from 1.
    #[must_use]
    pub fn after(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        // No pause stays none: times infinity it would be no number.
        let grown = self.factor.max(1.0).powi(exponent).min(f64::MAX);
        let longest = self.cap.max(self.base);
        let pause = Duration::try_from_secs_f64(self.base.as_secs_f64() * grown);
        pause.map_or(longest, |pause| pause.min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_never_below_the_base() {
        let secs = Duration::from_secs;
        let backoff = Backoff { base: secs(2), factor: 3.0, cap: secs(20) };
        let pauses: Vec<_> = [1, 2, 3, 4, u32::MAX].map(|n| backoff.after(n)).into();
        assert_eq!(pauses, [secs(2), secs(6), secs(18), secs(20), secs(20)]);
        let constant = Backoff { base: secs(5), factor: 1.0, cap: Duration::ZERO };
        assert_eq!(constant.after(9), secs(5));
    }

    #[test]
    fn however_many_there_were_no_pause_stays_none_and_a_low_cap_never_cuts_the_base() {
        let secs = Duration::from_secs;
        let none = Backoff { base: Duration::ZERO, factor: 2.0, cap: secs(300) };
        let low = Backoff { base: secs(5), factor: 2.0, cap: secs(1) };
        for count in [1, 2, 1_024, 1_025, 2_000, u32::MAX] {
            assert_eq!((none.after(count), low.after(count)), (Duration::ZERO, secs(5)), "{count}");
        }
    }
}
