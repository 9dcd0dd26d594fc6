//! Moments and how the policy sees them: a boot clock for durations, a wall clock for people.
//!
//! Nothing here reads a clock; `now` is always an argument. Arithmetic saturates: a deadline far in the future
//! is the end of time, never an overflow.

use std::time::Duration;

/// Milliseconds on the boot clock: it never jumps and it counts suspended time. Means nothing after a reboot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u64);

/// Milliseconds since the epoch, UTC: for history, notes and people. It may jump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// For every comparison and deadline.
    pub boot: Ticks,
    /// For records.
    pub wall: Wall,
}

impl Ticks {
    /// This moment plus `duration`.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
    /// How long from `earlier` to this moment; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Wall {
    /// How long from `earlier` to this moment; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }
}

impl Now {
    /// The moment `duration` later, on both clocks.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let wall = self.wall.0.saturating_add(i64::try_from(millis(duration)).unwrap_or(i64::MAX));
        Self { boot: self.boot.after(duration), wall: Wall(wall) }
    }
    /// The wall time at which the boot clock will show `ticks`, if neither clock jumps.
    #[must_use]
    pub fn wall_at(self, ticks: Ticks) -> Wall {
        let ahead = i128::from(ticks.0) - i128::from(self.boot.0);
        let wall = i128::from(self.wall.0) + ahead;
        Wall(i64::try_from(wall).unwrap_or(if wall.is_positive() { i64::MAX } else { i64::MIN }))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let late = Ticks(u64::MAX - 1);
        assert_eq!(late.after(Duration::from_secs(9)), Ticks(u64::MAX));
        assert_eq!(Ticks(5).since(Ticks(9)), Duration::ZERO);
        let now = Now { boot: Ticks(10), wall: Wall(1_000) };
        assert_eq!(now.wall_at(Ticks(5)), Wall(995));
        assert_eq!(now.wall_at(Ticks(u64::MAX)), Wall(i64::MAX));
    }

    #[test]
    fn both_clocks_go_on_together() {
        let now = Now { boot: Ticks(10_000), wall: Wall(1_000) };
        let later = now.after(Duration::from_millis(2_500));
        assert_eq!(later, Now { boot: Ticks(12_500), wall: Wall(3_500) });
        assert_eq!(later.boot.since(now.boot), Duration::from_millis(2_500));
        assert_eq!(later.wall.since(now.wall), Duration::from_millis(2_500));
        assert_eq!(now.wall.since(later.wall), Duration::ZERO);
        assert_eq!(now.wall_at(Ticks(12_500)), Wall(3_500));
        assert_eq!(now.wall_at(now.boot), now.wall);
    }

    #[test]
    fn the_ends_of_time_are_never_passed() {
        let first = Now { boot: Ticks(u64::MAX), wall: Wall(i64::MIN) };
        assert_eq!(first.wall_at(Ticks(0)), Wall(i64::MIN));
        let last = Now { boot: Ticks(0), wall: Wall(i64::MAX - 1) };
        assert_eq!(last.after(Duration::MAX), Now { boot: Ticks(u64::MAX), wall: Wall(i64::MAX) });
        assert_eq!(Wall(i64::MAX).since(Wall(i64::MIN)), Duration::from_millis(i64::MAX as u64));
    }
}
