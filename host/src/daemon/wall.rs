//! Notices that the wall clock of the machine was set, against the clock of the boot.
//!
//! The clock of the boot counts the time that a machine sleeps, so waking up is no jump; neither is a clock that is brought
//! right bit by bit. It changes nothing: whoever reads the wall clock reads the new time anyway. It only tells.

use crate::policy::time::Now;

/// The longest jump in milliseconds that is not told: whatever follows the wall clock is given in minutes.
const LEAST: u64 = 60_000;

/// How the wall clock stood against the clock of the boot when it was looked at last.
#[derive(Debug, Default)]
pub(super) struct WallClock {
    ahead: Option<i64>,
}

impl WallClock {
    /// Looks at it; how many milliseconds it has been put forward since the last look, or back, if that is worth a word.
    pub(super) fn look(&mut self, now: Now) -> Option<i64> {
        let ahead = now.wall.0.saturating_sub(i64::try_from(now.boot.0).unwrap_or(i64::MAX));
        let moved = ahead.saturating_sub(self.ahead.replace(ahead)?);
        (moved.unsigned_abs() > LEAST).then_some(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::time::{Ticks, Wall};

    /// What is noticed when so many milliseconds have passed by each clock.
    fn noticed(boot: u64, wall: i64) -> Option<i64> {
        let mut clock = WallClock::default();
        let first = clock.look(Now { boot: Ticks(5_000), wall: Wall(1_700_000_000_000) });
        assert_eq!(first, None, "the first look has nothing to compare with");
        clock.look(Now { boot: Ticks(5_000 + boot), wall: Wall(1_700_000_000_000 + wall) })
    }

    #[test]
    fn a_jump_of_more_than_a_minute_is_told_with_its_direction() {
        assert_eq!(noticed(4_000, 4_000 + 60_001), Some(60_001));
        assert_eq!(noticed(4_000, 4_000 - 60_001), Some(-60_001));
        assert_eq!([noticed(4_000, 64_000), noticed(4_000, -56_000)], [None, None]);
    }

    #[test]
    fn a_machine_that_slept_has_no_jump() {
        assert_eq!(noticed(8 * 3_600_000, 8 * 3_600_000), None);
    }

    #[test]
    fn a_clock_that_is_brought_right_bit_by_bit_is_no_jump_and_a_jump_is_told_once() {
        let mut clock = WallClock::default();
        let at = |tick: i64, ahead: i64| Now {
            boot: Ticks(u64::try_from(tick * 4_000).unwrap()),
            wall: Wall(tick * 4_000 + ahead),
        };
        let told = (0..100).filter_map(|tick| clock.look(at(tick, tick * 2_000)));
        assert_eq!(told.count(), 0);
        assert_eq!(clock.look(at(100, 3_600_000)), Some(3_402_000));
        assert_eq!(clock.look(at(101, 3_600_000)), None);
    }
}
