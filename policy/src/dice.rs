//! Chance for a pure policy: the same name at the same moment always throws the same, other names and other hosts
//! throw something else.
//!
//! It spreads retries, nothing more; it must never be used where somebody could gain by guessing it.

use crate::name::Name;
use std::time::Duration;

/// `duration`, longer or shorter by up to `percent` of it.
#[must_use]
pub fn spread(duration: Duration, percent: u8, name: &Name, seed: u64) -> Duration {
    let share = f64::from(percent.min(100)) / 100.0;
    let seconds = duration.as_secs_f64() * (1.0 + share * (2.0 * throw(name, seed) - 1.0));
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Uniform in 0..1.
fn throw(name: &Name, seed: u64) -> f64 {
    // FNV-1a over the name, then the finisher of splitmix64: neighbouring seeds end far apart.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
    for byte in name.as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    f64::from(u32::try_from(hash >> 32).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn throws_repeat_stay_in_their_bounds_and_cover_them() {
        let names: Vec<Name> = (0..1000).map(|number| Name::new(&format!("host{number}"))).collect();
        let throws: Vec<Duration> = names.iter().map(|name| spread(MINUTE, 20, name, 7)).collect();
        let again: Vec<Duration> = names.iter().map(|name| spread(MINUTE, 20, name, 7)).collect();
        assert_eq!(throws, again);
        let (least, most) = (Duration::from_secs(48), Duration::from_secs(72));
        assert!(throws.iter().all(|throw| (least..=most).contains(throw)));
        // Each tenth of the range gets its share: a herd of a thousand does not come back together.
        for tenth in 0..10 {
            let from = least + Duration::from_millis(2400) * tenth;
            let within =
                throws.iter().filter(|throw| (from..from + Duration::from_millis(2400)).contains(throw));
            assert!((60..140).contains(&within.count()), "tenth {tenth}");
        }
        let mean = throws.iter().sum::<Duration>() / 1000;
        assert!(mean > Duration::from_secs(59) && mean < Duration::from_secs(61), "{mean:?}");
    }

    /// Known values: were they to change with a new version, a fleet could come back as one herd after all.
    #[test]
    fn the_throws_are_those_of_ever() {
        let long = Duration::from_secs(1_000_000_000);
        let throws = [("web", 0), ("web", 1), ("db", 0), ("", u64::MAX)]
            .map(|(name, seed)| spread(long, 100, &Name::new(name), seed).as_millis());
        assert_eq!(throws, [1_564_970_045_816, 1_360_287_750_139, 1_223_621_096_462, 983_293_973_840]);
    }

    #[test]
    fn another_seed_throws_something_else_and_no_spread_leaves_it() {
        let name = Name::new("web");
        let throws: std::collections::BTreeSet<_> =
            (0..100).map(|seed| spread(MINUTE, 50, &name, seed)).collect();
        assert!(throws.len() > 95);
        assert_eq!(spread(MINUTE, 0, &name, 3), MINUTE);
        assert!(spread(MINUTE, 255, &name, 3) <= 2 * MINUTE);
    }
}
