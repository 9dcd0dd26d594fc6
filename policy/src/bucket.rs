//! A budget of restarts: so many at once, and one more each so often.
//!
//! One moment is all that is stored: when the bucket will be full again. No timer fills it.

use crate::time::Ticks;
use std::time::Duration;

/// The size of a bucket and how it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Restarts at once; 0 means that there is no limit.
    pub size: u32,
    /// One more each.
    pub refill: Duration,
}

/// What has been taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When it is full again, if nothing more is taken.
    pub full_at: Ticks,
}

impl Budget {
    /// No limit.
    pub const NONE: Self = Self { size: 0, refill: Duration::ZERO };
}

impl Bucket {
    /// How many may be taken at `now`; none when there is no limit.
    #[must_use]
    pub fn left(self, budget: Budget, now: Ticks) -> Option<u32> {
        if budget.size == 0 {
            return None;
        }
        let refill = budget.refill.max(Duration::from_millis(1)).as_millis();
        let missing = self.full_at.since(now).as_millis().div_ceil(refill);
        Some(budget.size.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX)))
    }

    /// Takes one, whether there is one or not.
    #[must_use]
    pub fn taken(self, budget: Budget, now: Ticks) -> Self {
        let full_at = self.full_at.max(now).after(budget.refill.max(Duration::from_millis(1)));
        // An overdrawn bucket must not stay empty for longer than filling it takes.
        let longest = now.after(budget.refill.max(Duration::from_millis(1)).saturating_mul(budget.size));
        Self { full_at: full_at.min(longest) }
    }

    /// Gives one back that was not used.
    #[must_use]
    pub fn given_back(self, budget: Budget) -> Self {
        let refill = u64::try_from(budget.refill.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { full_at: Ticks(self.full_at.0.saturating_sub(refill)) }
    }

    /// When there will be one to take.
    #[must_use]
    pub fn next(self, budget: Budget, now: Ticks) -> Ticks {
        let refill = budget.refill.max(Duration::from_millis(1));
        let ahead = refill.saturating_mul(budget.size.saturating_sub(1));
        let ahead = u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX);
        Ticks(self.full_at.0.saturating_sub(ahead)).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { size: 3, refill: Duration::from_secs(6) };

    #[test]
    fn so_many_at_once_and_one_more_each_so_often() {
        let now = Ticks(100_000);
        let mut bucket = Bucket::default();
        for left in [3, 2, 1] {
            assert_eq!((bucket.left(BUDGET, now), bucket.next(BUDGET, now)), (Some(left), now));
            bucket = bucket.taken(BUDGET, now);
        }
        assert_eq!((bucket.left(BUDGET, now), bucket.next(BUDGET, now)), (Some(0), Ticks(106_000)));
        assert_eq!(bucket.left(BUDGET, Ticks(105_999)), Some(0));
        assert_eq!(bucket.left(BUDGET, Ticks(106_000)), Some(1));
        assert_eq!(bucket.left(BUDGET, Ticks(117_999)), Some(2));
        assert_eq!(bucket.left(BUDGET, Ticks(118_000)), Some(3));
        assert_eq!(bucket.left(BUDGET, Ticks(u64::MAX)), Some(3));
    }

    #[test]
    fn what_was_not_used_comes_back_and_overdrawing_costs_no_more_than_all() {
        let now = Ticks(50_000);
        let one = Bucket::default().taken(BUDGET, now);
        assert_eq!(one.given_back(BUDGET).left(BUDGET, now), Some(3));
        assert_eq!(one.taken(BUDGET, now).given_back(BUDGET), one);
        let mut bucket = one;
        for _ in 0..50 {
            bucket = bucket.taken(BUDGET, now);
        }
        assert_eq!(bucket.full_at, now.after(3 * BUDGET.refill));
        assert_eq!(bucket.next(BUDGET, now), Ticks(56_000));
        assert_eq!(Bucket::default().given_back(BUDGET), Bucket::default());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let taken = Bucket::default().taken(Budget::NONE, Ticks(5));
        assert_eq!(taken.left(Budget::NONE, Ticks(5)), None);
    }

    #[test]
    fn a_refill_of_nothing_still_counts_to_its_size() {
        let budget = Budget { size: 2, refill: Duration::ZERO };
        let bucket = Bucket::default().taken(budget, Ticks(5)).taken(budget, Ticks(5));
        assert_eq!(bucket.left(budget, Ticks(5)), Some(0));
        assert_eq!(bucket.next(budget, Ticks(5)), Ticks(6));
        assert_eq!(bucket.given_back(budget).left(budget, Ticks(5)), Some(1));
        assert_eq!(bucket.left(budget, Ticks(6)), Some(1));
    }
}
