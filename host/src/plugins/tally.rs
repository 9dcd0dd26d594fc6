//! How many calls a plugin had, and how long the last of them took. Pure.

use std::time::Duration;

/// So many of the last calls are kept.
const KEPT: usize = 512;

/// The calls of one plugin.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) failed: u64,
    /// Microseconds of the last calls, as a ring.
    last: Vec<u32>,
    next: usize,
}

impl Tally {
    /// One more call, that took so long.
    pub(super) fn add(&mut self, took: Duration, answered: Answered) {
        self.calls += 1;
        self.failed += u64::from(answered == Answered::No);
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        if self.last.len() < KEPT {
            self.last.push(micros);
        } else {
            self.last[self.next] = micros;
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// The duration that `percent` of the last calls did not exceed; none without calls.
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.last.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).map(|micros| Duration::from_micros(u64::from(*micros)))
    }
}

/// Whether a call was answered by the part: an error of the part is an answer too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_calls_tell_median_and_tail() {
        let mut tally = Tally::default();
        assert_eq!(tally.percentile(50), None);
        (1..=100).for_each(|n| tally.add(Duration::from_micros(n), Answered::Yes));
        assert_eq!(tally.percentile(50), Some(Duration::from_micros(50)));
        assert_eq!(tally.percentile(99), Some(Duration::from_micros(99)));
        (0..KEPT).for_each(|_| tally.add(Duration::from_micros(7), Answered::No));
        assert_eq!(tally.percentile(99), Some(Duration::from_micros(7)));
        assert_eq!((tally.calls, tally.failed), (612, 512));
    }
}
