//! Listening for changes of the alarms, and how much sooner than at its pace the store thread polls for them.
//!
//! A bell only makes the next poll come sooner. Whatever is wrong with it is said once, and polls go on as without it;
//! it is tried again, less and less often. It must not read the table.

use super::keeper::Command;
use crate::policy::time::Ticks;
use crate::ports::{Bell, Clock, Ring, Waited};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;
use tracing::{info, warn};

/// A ring may come before what it is about can be read: after one that led to no news these pauses are made, each
/// followed by another poll.
const ECHOES: [u64; 9] = [1, 1, 1, 2, 3, 5, 10, 20, 40];
/// Rings that lead to no news, one after the other, make the least pause between two polls grow up to this.
const LONGEST_GAP: Duration = Duration::from_millis(50);
/// With a pause from this on it rings all the time, and one late poll serves for all echoes.
const BUSY: Duration = Duration::from_millis(8);
/// Without a ring for so long the pause is forgotten.
const CALM: Duration = Duration::from_secs(1);
/// The first and the longest pause before a bell that failed is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// The listening for the present database.
pub(super) struct Push {
    commands: Sender<Command>,
    clock: Arc<dyn Clock>,
    /// Counts the databases there were; a bell of an earlier one is not wanted any more.
    epoch: Arc<AtomicU64>,
    /// Whether a ring is on its way to the store thread; more would only fill the queue.
    ringing: Arc<AtomicBool>,
}

impl Push {
    pub(super) fn new(commands: Sender<Command>, clock: Arc<dyn Clock>) -> Self {
        Self { commands, clock, epoch: Arc::default(), ringing: Arc::default() }
    }

    /// Listens to this bell from now on and to no other.
    pub(super) fn listen_to(&self, bell: Option<Box<dyn Bell>>) {
        let mine = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        let Some(bell) = bell else { return };
        let listener = Listener {
            commands: self.commands.clone(),
            clock: Arc::clone(&self.clock),
            ringing: Arc::clone(&self.ringing),
            epoch: Arc::clone(&self.epoch),
            mine,
        };
        // It may be blocked when pm leaves, or another database is configured: it ends with the process, or with the next
        // thing that it hears.
        if let Err(error) =
            std::thread::Builder::new().name("pm-push".to_owned()).spawn(|| listener.run(bell))
        {
            warn!(
                "The system refuses a thread that listens for changes ({error}); alarms are found by polling"
            );
        }
    }

    /// A ring is taken in; the next one is sent again.
    pub(super) fn heard(&self) {
        self.ringing.store(false, Ordering::Release);
    }
}

struct Listener {
    commands: Sender<Command>,
    clock: Arc<dyn Clock>,
    ringing: Arc<AtomicBool>,
    epoch: Arc<AtomicU64>,
    mine: u64,
}

impl Listener {
    fn run(self, mut bell: Box<dyn Bell>) {
        let mut pause = PAUSES[0];
        let mut told = None;
        while self.is_wanted() {
            let (mut listened, source) = (false, bell.source());
            let ended = bell.listen(&mut |heard| self.hear(heard, &source, &mut listened));
            let Err(error) = ended else { return };
            let why = error.to_string();
            if listened {
                (pause, told) = (PAUSES[0], None);
            }
            if told.as_ref() != Some(&why) {
                warn!("{why}. Alarms are found by polling until that works");
                told = Some(why);
            }
            if self.clock.wait(pause) == Waited::Interrupted {
                return;
            }
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    fn hear(&self, heard: Ring, source: &str, listened: &mut bool) -> ControlFlow<()> {
        if !self.is_wanted() {
            return ControlFlow::Break(());
        }
        if !std::mem::replace(listened, true) {
            info!("Listening for alarms: {source}");
        }
        if heard != Ring::Nothing && !self.ringing.swap(true, Ordering::AcqRel) {
            // The store thread being gone means that pm is leaving.
            return self.commands.send(Command::Ring).map_or(ControlFlow::Break(()), ControlFlow::Continue);
        }
        ControlFlow::Continue(())
    }

    fn is_wanted(&self) -> bool {
        self.epoch.load(Ordering::Acquire) == self.mine
    }
}

/// When the next poll is because of rings.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When it rang last.
    rang: Option<Ticks>,
    /// The echoes of the last ring that are still to come.
    echo: Option<usize>,
    /// The least pause after a poll.
    gap: Duration,
    /// Whether the last ring has led to no news so far.
    useless: bool,
}

impl Pace {
    /// It rang; answers when to poll, when the last poll was at `last`.
    pub(super) fn ring(&mut self, now: Ticks, last: Ticks) -> Ticks {
        self.gap = match self.rang {
            Some(rang) if self.useless && now.since(rang) < CALM => {
                (self.gap * 2).clamp(Duration::from_millis(1), LONGEST_GAP)
            }
            _ => Duration::ZERO,
        };
        (self.rang, self.echo, self.useless) = (Some(now), Some(0), true);
        last.after(self.gap).max(now)
    }

    /// There was a poll; answers how soon the next one is because of the last ring.
    pub(super) fn polled(&mut self, news: News) -> Option<Duration> {
        let echo = self.echo?;
        if news == News::Some {
            (self.echo, self.useless) = (None, false);
            return None;
        }
        if self.gap >= BUSY {
            self.echo = None;
            return ECHOES.last().map(|last| Duration::from_millis(*last));
        }
        self.echo = (echo + 1 < ECHOES.len()).then_some(echo + 1);
        Some(Duration::from_millis(ECHOES[echo]))
    }
}

/// Whether a poll found other alarms than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Others.
    Some,
    /// The same.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Ticks {
        Ticks(millis)
    }

    #[test]
    fn a_ring_after_a_calm_is_answered_at_once_and_followed_up_until_there_are_news() {
        let mut pace = Pace::default();
        assert_eq!(pace.polled(News::None), None, "nothing has rung");
        assert_eq!(pace.ring(at(5_000), at(4_999)), at(5_000));
        let pauses: Vec<_> = std::iter::from_fn(|| pace.polled(News::None)).collect();
        assert_eq!(pauses.iter().sum::<Duration>(), Duration::from_millis(83));
        assert_eq!((pauses.len(), pauses[0]), (9, Duration::from_millis(1)));
        // One that led to nothing, as what pm itself writes does, makes the next one hardly slower.
        assert_eq!(pace.ring(at(5_100), at(5_100)), at(5_101));
        assert_eq!((pace.polled(News::Some), pace.polled(News::None)), (None, None));
        assert_eq!(pace.ring(at(5_200), at(5_200)), at(5_200), "news make it quick again");
    }

    #[test]
    fn rings_without_end_that_lead_to_nothing_cost_twenty_polls_a_second() {
        let mut pace = Pace::default();
        let (mut now, mut polls, mut late) = (at(0), 0, 0);
        while now < at(10_000) {
            now = pace.ring(now, now);
            late += u32::from(pace.polled(News::None) == Some(Duration::from_millis(40)));
            polls += 1;
        }
        assert!((200..=215).contains(&polls), "{polls}");
        assert!(polls - late < 10, "while it rings all the time one late poll serves for all echoes: {late}");
        assert_eq!(pace.ring(at(20_000), at(19_999)), at(20_000), "a second of calm makes it quick again");
    }
}
