//! The thread `pm-store`: polls the alarm table and makes the clearings (see [`outbox`](super::outbox)), so that the
//! loop never waits for a database.
//!
//! Outbox first, poll second: a row whose clearing waits must be cleared before it is read again, otherwise its
//! process would be restarted twice. It decides nothing: what it reads goes to the loop, and only news go, so that an
//! idle pm costs one query per interval and no second thread's wake-up.

use crate::daemon::Parts;
use crate::daemon::chores::Chores;
use crate::daemon::event::Event;
use crate::daemon::lease::Tenure;
use crate::daemon::link::{Change, Link};
use crate::daemon::push::{News, Pace, Push};
use crate::failpoint::{self, Point};
use crate::policy::model::{Alarm, Clear, RowId, Table};
use crate::policy::relations::Relations;
use crate::policy::time::{Now, Ticks};
use crate::ports::{AlarmStore, Clock, Herald, Journal, Knobs, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// Rows per poll; the rest comes with the next one. Bounds memory when somebody forgets a WHERE.
const MOST: usize = 10_000;
/// No poll follows another faster, whatever the interval says.
const LEAST: Duration = Duration::from_millis(50);

/// So often the rows are counted again while there are many alarms.
const COUNT_AGAIN: Duration = Duration::from_secs(60);
/// So often the tables of groups and dependencies are read again while there are alarms: two small tables, and somebody
/// who has just written into one expects the next decision to know.
const RELATE_AGAIN: Duration = Duration::from_secs(10);

/// What the loop asks for.
pub(super) enum Command {
    /// Make the clearings of the outbox, and these, which could not be noted there.
    Flush(Vec<Clear>),
    /// Do not clear these rows any more.
    Withdraw(BTreeSet<RowId>),
    /// Other settings, and another number of alarms from which on the rows are counted.
    Pace(Knobs, u32),
    /// Another database.
    Replace(Box<dyn AlarmStore>),
    /// The alarms may have changed.
    Ring,
    /// Make the clearings once more and leave.
    Stop,
}

/// What the thread lets others see without waking them; moments of the boot clock in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// When it last finished a poll, good or bad; the watchdog looks at it.
    pub(super) last: AtomicU64,
    /// When the last good poll was asked for, whose news have been sent: what it read is not older.
    pub(super) asked: AtomicU64,
    /// When the next poll begins; only for the eye.
    pub(super) next: AtomicU64,
    /// Until when this pm may speak for its host without having renewed its lease; for ever without leases.
    pub(super) lease_until: AtomicU64,
}

pub(super) struct Keeper {
    pub(super) store: Box<dyn AlarmStore>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) herald: Arc<dyn Herald>,
    pub(super) events: Sender<Event>,
    pub(super) interval: Duration,
    /// From so many alarms on the rows are counted; 0: never.
    pub(super) many: u32,
    /// How many there were when they were counted last, and when that was.
    pub(super) counted: Option<(Ticks, u64)>,
    /// What the tables said last of groups and dependencies, and when they were asked.
    pub(super) related: Relations,
    pub(super) related_at: Option<Ticks>,
    /// Why they could not be asked; it has been said.
    pub(super) unrelated: Option<String>,
    pub(super) progress: Arc<Progress>,
    pub(super) link: Link,
    pub(super) table: Table,
    /// Rows whose own trouble has been said.
    pub(super) complained: BTreeSet<RowId>,
    /// Clearings that could not be noted in the journal.
    pub(super) unnoted: Vec<Clear>,
    /// Whether the outbox may hold something.
    pub(super) waiting: bool,
    /// No clearing is tried before this moment.
    pub(super) not_before: Ticks,
    /// Flushes in a row that ended early.
    pub(super) cut_short: u32,
    /// The clearing that ended a flush, and what to say of it if the database answers the next poll.
    pub(super) doubt: Option<(RowId, String)>,
    /// What is done between two polls.
    pub(super) chores: Chores,
    /// What the loop was told last; none before the first poll.
    pub(super) told: Option<Vec<Alarm>>,
    pub(super) tenure: Tenure,
    pub(super) push: Push,
    pub(super) pace: Pace,
    /// Whether it has rung since it was last looked.
    pub(super) rung: bool,
}

impl Keeper {
    /// What the thread begins with. `many` alarms make it count the rows; `waiting` says whether the outbox holds something.
    pub(super) fn new(
        store: Box<dyn AlarmStore>,
        parts: &Parts,
        many: u32,
        waiting: bool,
        (events, bell): (Sender<Event>, Sender<Command>),
        progress: &Arc<Progress>,
    ) -> Self {
        Self {
            store,
            journal: Arc::clone(&parts.journal),
            clock: Arc::clone(&parts.clock),
            herald: Arc::clone(&parts.herald),
            events,
            interval: parts.knobs.interval,
            many,
            counted: None,
            related: Relations::default(),
            related_at: None,
            unrelated: None,
            progress: Arc::clone(progress),
            link: Link::default(),
            table: Table::Writable,
            complained: BTreeSet::new(),
            unnoted: Vec::new(),
            waiting,
            not_before: Ticks(0),
            cut_short: 0,
            doubt: None,
            chores: Chores::new(parts.knobs.keep),
            told: None,
            tenure: Tenure::new(parts.speaker.clone()),
            push: Push::new(bell, Arc::clone(&parts.clock)),
            pace: Pace::default(),
            rung: false,
        }
    }

    /// Serves until told to stop or the loop is gone.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut next = self.clock.now().boot;
        let mut last = Ticks(0);
        self.push.listen_to(self.store.bell());
        loop {
            let pause = next.min(self.tenure_due()).since(self.clock.now().boot);
            match commands.recv_timeout(pause) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(command) => {
                    let mut stop = self.obey(command);
                    // A burst of settlements becomes one flush.
                    while let Ok(command) = commands.try_recv() {
                        if matches!(command, Command::Stop) {
                            stop = Stop::Yes;
                            break;
                        }
                        stop = self.obey(command).or(stop);
                    }
                    self.flush();
                    match stop {
                        Stop::Yes => break,
                        Stop::No if self.doubt.is_none() => {}
                        Stop::PollNow | Stop::No => next = self.clock.now().boot,
                    }
                    // A database that was lost is asked again at the pace that its trouble allows.
                    if std::mem::take(&mut self.rung) && !self.link.is_lost() {
                        next = self.pace.ring(self.clock.now().boot, last).min(next);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.clock.now().boot < next {
                        self.tenure();
                        continue;
                    }
                    self.flush();
                    let (pause, news) = self.poll();
                    self.chores.tidy(&*self.journal, self.clock.now());
                    let now = self.clock.now();
                    let soon = self.pace.polled(news).unwrap_or(Duration::MAX);
                    next = now.boot.after(pause.max(LEAST).min(soon));
                    last = now.boot;
                    self.progress.last.store(now.boot.0, Ordering::Relaxed);
                    self.progress.next.store(next.0, Ordering::Relaxed);
                }
            }
        }
        self.not_before = Ticks(0);
        self.flush();
        self.let_go();
        if let Some((_, text)) = self.doubt.filter(|_| !self.link.is_lost()) {
            error!("{text}");
        }
    }

    fn obey(&mut self, command: Command) -> Stop {
        match command {
            Command::Flush(clears) => {
                self.unnoted.extend(clears);
                self.waiting = true;
            }
            Command::Withdraw(rows) => self.withdraw(&rows),
            Command::Pace(knobs, many) => {
                (self.interval, self.many) = (knobs.interval, many);
                self.chores.keep(knobs.keep);
                (self.related_at, self.counted) = (None, None);
                // Whoever asks for a reload may have put something right: a password, a right to write.
                self.not_before = Ticks(0);
                return Stop::PollNow;
            }
            Command::Replace(store) => {
                self.store = store;
                self.link.replaced();
                self.complained.clear();
                self.set_table(Table::Writable);
                (self.told, self.related_at, self.counted) = (None, None, None);
                self.push.listen_to(self.store.bell());
                return Stop::PollNow;
            }
            Command::Ring => {
                self.push.heard();
                self.rung = true;
            }
            Command::Stop => return Stop::Yes,
        }
        Stop::No
    }

    /// Reads the alarms; answers how long to wait for the next time, and whether they are others than before.
    fn poll(&mut self) -> (Duration, News) {
        let asked = self.clock.now().boot;
        match self.store.poll(MOST) {
            Ok(alarms) => {
                self.tenure();
                if let Change::Back(_) = self.works()
                    && self.waiting
                {
                    // These rows are from before the clearings that waited: they are read again behind them.
                    self.flush();
                    return (Duration::ZERO, News::Some);
                }
                if let Some((row, text)) = self.doubt.take()
                    && self.complained.insert(row)
                {
                    error!("{text}");
                }
                if alarms.len() >= MOST {
                    warn!(
                        "The table holds {MOST} or more alarms; the others are read when these are handled"
                    );
                }
                let news = if self.told.as_ref() == Some(&alarms) { News::None } else { News::Some };
                if self.told.as_ref().is_none_or(|told| !told.is_empty() || !alarms.is_empty()) {
                    failpoint::pass(Point::AlarmsRead);
                    // Groups and dependencies first: the decision about these alarms needs them.
                    self.relate();
                    let known = self.count(alarms.len());
                    self.told = Some(alarms.clone());
                    let before = Ticks(self.progress.asked.load(Ordering::Acquire));
                    self.send(Event::Polled(alarms, known, before));
                }
                self.progress.asked.store(asked.0, Ordering::Release);
                (self.interval, news)
            }
            Err(error) => (self.fails(&error), News::Some),
        }
    }

    /// Reads what the tables say of groups and dependencies: at the first poll, and while there are alarms now and
    /// then again, with every poll as long as that fails. An idle pm does not ask.
    fn relate(&mut self) {
        let now = self.clock.now().boot;
        if self.related_at.is_some_and(|at| now.since(at) < RELATE_AGAIN) {
            return;
        }
        match self.store.relations() {
            Ok(related) => {
                (self.related_at, self.unrelated) = (Some(now), None);
                if related != self.related {
                    self.related = related.clone();
                    self.send(Event::Related(related));
                }
            }
            Err(error) => {
                let why = error.to_string();
                if self.unrelated.as_ref() != Some(&why) {
                    warn!("{why}. Groups and dependencies stay as they were");
                }
                self.unrelated = Some(why);
            }
        }
    }

    /// How many rows there are, when so many are in alarm that it matters. Alarms may stand for days, and counting
    /// costs the server far more than a poll, while it hardly changes what comes out.
    fn count(&mut self, alarms: usize) -> Option<u64> {
        if self.many == 0 || alarms < self.many as usize {
            return None;
        }
        let now = self.clock.now().boot;
        let holds = |(at, known): &(Ticks, u64)| now.since(*at) < COUNT_AGAIN && alarms as u64 <= *known;
        if let Some((_, known)) = self.counted.filter(holds) {
            return Some(known);
        }
        match self.store.known() {
            Ok(known) => {
                self.counted = Some((now, known));
                Some(known)
            }
            Err(error) => {
                debug!("{error}. Whether this is a mass alarm is not known");
                None
            }
        }
    }

    pub(super) fn set_table(&mut self, table: Table) {
        if self.table != table {
            self.table = table;
            self.send(Event::Table(table));
        }
    }

    pub(super) fn works(&mut self) -> Change {
        let change = self.link.works(self.clock.now());
        if let Change::Back(after) = change {
            info!("Database connection is back after {} seconds", after.as_secs());
            self.send(Event::Link(Ok(())));
            // What waited while it was away need not wait any longer, and the loop sees nothing before it is told.
            (self.not_before, self.told) = (Ticks(0), None);
        }
        change
    }

    fn fails(&mut self, error: &StoreError) -> Duration {
        let now = self.clock.now();
        self.doubt = None;
        let (change, pause) = self.link.fails(error, now, self.interval, dice(now));
        if change == Change::Lost {
            error!("{error}. Trying again until it works; alarms are not lost");
            self.send(Event::Link(Err(error.to_string())));
        }
        pause
    }

    pub(super) fn send(&self, event: Event) {
        // The loop being gone is noticed by the next receive.
        let _ = self.events.send(event);
    }
}

#[derive(Clone, Copy)]
enum Stop {
    No,
    PollNow,
    Yes,
}

impl Stop {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::PollNow, _) | (_, Self::PollNow) => Self::PollNow,
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// A number in 0..1 that differs between hosts and moments; jitter needs no more.
pub(super) fn dice(now: Now) -> f64 {
    let mut x = now.boot.0 ^ (now.wall.0.unsigned_abs() << 20) ^ (u64::from(std::process::id()) << 40) | 1;
    for shift in [13_u32, 7, 17] {
        x ^= if shift == 7 { x >> shift } else { x << shift };
    }
    #[expect(clippy::cast_precision_loss, reason = "jitter needs no precision")]
    let fraction = (x >> 11) as f64 / (1_u64 << 53) as f64;
    fraction
}
