//! The daemon: one loop that owns all state, woken by one closed enum of events.
//!
//! Threads: `pm-loop` (this one), `pm-store` (polls and clears, see [`keeper`]), `pm-job-N` (restarts, see
//! [`pool`]), and whoever sends [`Event::Stop`] and [`Event::Reload`]. The loop never blocks on a database, a
//! plugin or a process. It must not import an adapter: everything comes in through the ports of [`Parts`].

mod book;
mod chores;
mod event;
mod judging;
mod keeper;
mod lease;
mod link;
mod orders;
mod outbox;
mod pool;
mod publisher;
mod push;
mod resume;
#[cfg(test)]
mod tests;
mod wall;

pub use event::Event;
pub(crate) use judging::record;

use crate::failpoint::{self, Point};
use crate::policy::model::{End, Intake, Job, Name, Outcome};
use crate::policy::relations::Relations;
use crate::policy::state::State;
use crate::policy::time::Ticks;
use crate::ports::{
    AlarmStore, Alive, Catalog, Chronicle, Clock, Exec, Happened, Herald, HostMemory, Journal, JournalError,
    Knobs, Presence, Refresh, Refreshed, Speaker, Strategies, Witness,
};
use crate::respond::{Claim, Report, World, respond};
use crate::spec::Spec;
use crate::wording;
use book::{Book, Running};
use keeper::{Command, Keeper, Progress};
use pool::Pool;
use publisher::{Answers, Press, Word};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{info, warn};

/// How long jobs that were told to stop get to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A poll that has not come back after this time on top of its interval is stuck; the watchdog is not fed.
const STUCK: Duration = Duration::from_secs(120);

/// Everything the daemon works with.
pub struct Parts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// pm's own memory.
    pub journal: Arc<dyn Journal>,
    /// The plugins.
    pub strategies: Arc<dyn Strategies>,
    /// The operator's commands.
    pub exec: Arc<dyn Exec>,
    /// Who is told of every attempt.
    pub chronicle: Arc<dyn Chronicle>,
    /// Who looks at processes.
    pub witness: Arc<dyn Witness>,
    /// Who tells people.
    pub herald: Arc<dyn Herald>,
    /// The configuration.
    pub catalog: Box<dyn Catalog>,
    /// Signs of life.
    pub presence: Box<dyn Presence>,
    /// The daemon's own settings.
    pub knobs: Knobs,
    /// The name of this machine.
    pub host: String,
    /// Whether it acts, or only observes.
    pub intake: Intake,
    /// What it calls itself where a database serves many hosts; none when it only observes.
    pub speaker: Option<Speaker>,
    /// Ends the waits of running jobs.
    pub halt: Box<dyn Fn() + Send>,
}

/// The daemon before it runs.
pub struct Daemon {
    parts: Parts,
    inbox: Receiver<Event>,
    events: Sender<Event>,
    commands: Sender<Command>,
    keeper: JoinHandle<()>,
    progress: Arc<Progress>,
    publisher: Press,
    pool: Pool,
    book: Book,
    /// What the tables of the alarm database say of groups and dependencies.
    table: Relations,
    doorbell: orders::Doorbell,
    /// When the loop has to look at its alarms again although nothing happened.
    wake_at: Option<Ticks>,
    intake: Intake,
    /// Whether this pm speaks for its host, as far as the store thread has told.
    speaks: bool,
    /// Until when running jobs may go on after a stop.
    give_up: Option<Ticks>,
}

/// Starts the daemon's threads; [`Daemon::run`] is the loop. The sender takes signals from outside.
///
/// # Errors
/// When the journal cannot be read, or the system refuses a thread.
pub fn start(mut parts: Parts, store: Box<dyn AlarmStore>) -> Result<(Daemon, Sender<Event>), JournalError> {
    let (events, inbox) = channel();
    let (commands, orders) = channel();
    let progress = Arc::new(Progress::default());
    progress.lease_until.store(u64::MAX, Ordering::Relaxed);
    let outbox = parts.journal.outbox()?;
    let now = parts.clock.now();
    let remembered = parts.journal.host()?;
    let HostMemory { groups, drivers, due, storm, mass, windows, relations, seen_until } = remembered;
    let standings = parts.journal.standings()?.into_iter().collect();
    let mut state = State { standings, groups, drivers, due, storm, mass, windows, ..State::default() };
    state.unseen(seen_until.unwrap_or(Ticks(0)), now.boot);
    // As they were read last: the database may be away, and a hold of a group holds all the same.
    let arrangement = parts.catalog.arrange(&relations);
    let book = Book::open(state, arrangement, &outbox);
    progress.last.store(now.boot.0, Ordering::Relaxed);
    let publisher = Press::start(
        publishing(&*store, parts.intake),
        (Arc::clone(&parts.journal), Arc::clone(&parts.clock)),
        parts.host.clone(),
        parts.knobs.publish,
    );
    let waiting = !outbox.is_empty();
    let (bell, telling) = (commands.clone(), events.clone());
    let keeper = Keeper::new(store, &parts, book.limits().mass_min, waiting, (telling, bell), &progress);
    let keeper = std::thread::Builder::new()
        .name("pm-store".to_owned())
        .spawn(move || keeper.run(&orders))
        .map_err(|error| JournalError::Unusable {
        attempted: "starting the thread for",
        path: "the alarm database".into(),
        why: error.to_string(),
    })?;
    let intake = parts.intake;
    let daemon = Daemon {
        parts,
        inbox,
        events: events.clone(),
        commands,
        keeper,
        progress,
        publisher,
        pool: Pool::default(),
        book,
        table: relations,
        doorbell: orders::Doorbell::default(),
        wake_at: None,
        intake,
        speaks: true,
        give_up: None,
    };
    Ok((daemon, events))
}

/// The store that attempts are published in. Whoever only observes publishes nothing.
fn publishing(store: &dyn AlarmStore, intake: Intake) -> Option<Box<dyn AlarmStore>> {
    if intake == Intake::Observing { None } else { store.another() }
}

impl Daemon {
    /// Runs until it is told to stop and every job has ended or been handed over.
    ///
    /// # Errors
    /// When the journal cannot be read at start.
    pub fn run(mut self) -> Result<(), JournalError> {
        self.orders();
        self.resume()?;
        self.parts.presence.ready();
        while !self.finished() {
            let now = self.parts.clock.now();
            self.alive();
            let next = [Some(now.boot.after(self.parts.presence.beat())), self.wake_at, self.give_up];
            let pause = next.into_iter().flatten().min().map_or(Duration::ZERO, |at| at.since(now.boot));
            match self.inbox.recv_timeout(pause) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => self.refresh(Refresh::IfChanged),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // Looked at before the inbox is emptied: the news of a poll are in it before it can be seen here.
            let polled = Ticks(self.progress.asked.load(Ordering::Acquire));
            // Everything that has happened is taken in before anything is decided.
            while let Ok(event) = self.inbox.try_recv() {
                self.handle(event);
            }
            self.book.polled_at = polled;
            self.look();
            self.decide();
        }
        self.leave();
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Polled(alarms, known, before) => {
                self.refresh(Refresh::IfChanged);
                self.catch_up(before);
                self.book.polled(alarms, known);
            }
            Event::Related(table) => {
                self.table = table;
                self.book.state.dirty.host = true;
                self.arrange();
            }
            Event::Link(state) => {
                self.tell_link(&state);
                let answers = if state.is_ok() { Answers::Yes } else { Answers::No };
                self.publisher.tell(Word::Link(answers));
                self.book.linked(state);
            }
            Event::Delivered(rows) => {
                self.book.delivered(&rows);
                failpoint::pass(Point::DeliveryTold);
            }
            Event::Table(table) => self.book.table = table,
            Event::Speaks(speaks) => self.speaks = speaks,
            Event::Done(name, report) => self.settle(&name, &report),
            Event::Orders => self.orders(),
            Event::Mended(strategies) => {
                self.refresh(Refresh::IfChanged);
                strategies.iter().for_each(|name| self.book.state.mended(&Name::new(name)));
            }
            Event::Changed => self.refresh(Refresh::IfChanged),
            Event::Reload => {
                info!("Reading the configuration again (SIGHUP)");
                self.parts.presence.reloading();
                self.refresh(Refresh::Everything);
                self.parts.presence.ready();
            }
            Event::Stop if self.intake == Intake::Stopping => self.give_up = Some(Ticks(0)),
            Event::Stop => {
                info!("{}", wording::stopping(self.book.running.len(), self.parts.knobs.shutdown));
                self.parts.presence.stopping();
                self.intake = Intake::Stopping;
                self.give_up = Some(self.parts.clock.now().boot.after(self.parts.knobs.shutdown));
            }
        }
    }

    /// Takes in, before the alarms of a poll, how long it was quiet until the poll before it: while there are no alarms
    /// polls bring no news, and a restart that has lasted must not be taken for one that did not.
    fn catch_up(&mut self, before: Ticks) {
        if self.book.alarms.is_empty() && before > self.book.polled_at {
            self.book.polled_at = before;
            self.decide();
        }
    }

    /// Tells people that the database is away, or back.
    fn tell_link(&self, state: &Result<(), String>) {
        match (state, &self.book.database) {
            (Err(why), _) => self.tell(Happened::DatabaseLost { why: why.clone() }),
            (Ok(()), Err(_)) => self.tell(Happened::DatabaseBack),
            (Ok(()), Ok(())) => {}
        }
    }

    /// Tells people, unless another pm speaks for this host and tells them the same.
    fn tell(&self, happened: Happened) {
        if self.speaks {
            self.parts.herald.tell(happened);
        }
    }

    fn refresh(&mut self, how: Refresh) {
        match self.parts.catalog.refresh(how) {
            Refreshed::Unchanged => {}
            Refreshed::Processes => self.arrange(),
            Refreshed::Everything(knobs, store) => {
                self.arrange();
                self.parts.knobs = knobs;
                if let Some(store) = store {
                    self.publisher.tell(Word::Replace(publishing(&*store, self.parts.intake)));
                    self.order(Command::Replace(store));
                }
                self.publisher.tell(Word::Switch(knobs.publish));
                self.order(Command::Pace(knobs, self.book.limits().mass_min));
            }
        }
    }

    /// Takes in how processes belong together, which the file and the tables say.
    fn arrange(&mut self) {
        self.book.forget_configured();
        self.book.arrangement = self.parts.catalog.arrange(&self.table);
        self.say_who_covers_nobody();
    }

    fn begin(&mut self, job: Job, spec: Arc<Spec>, claim: Claim) {
        let name = job.name.clone();
        let (clock, strategies) = (Arc::clone(&self.parts.clock), Arc::clone(&self.parts.strategies));
        let (exec, journal) = (Arc::clone(&self.parts.exec), Arc::clone(&self.parts.journal));
        let (chronicle, witness) = (Arc::clone(&self.parts.chronicle), Arc::clone(&self.parts.witness));
        let (events, in_hand, its_spec) = (self.events.clone(), job.clone(), Arc::clone(&spec));
        let running = Running { job, spec, called_off: Arc::default() };
        let called_off = Arc::clone(&running.called_off);
        let seen = self.book.alarm_since(&name, self.parts.clock.now());
        let work = move || {
            let world = World {
                clock: &*clock,
                strategies: &*strategies,
                exec: &*exec,
                journal: &*journal,
                chronicle: &*chronicle,
                witness: &*witness,
                seen,
                called_off: &|| called_off.get().cloned(),
            };
            let report = catch_unwind(AssertUnwindSafe(|| respond(&in_hand, &its_spec, &claim, &world)))
                .unwrap_or_else(|_| broken("a bug in pm: the restart panicked; please report it"));
            failpoint::pass(Point::Responded);
            // The loop being gone means that pm is exiting; the journal knows how far the job came.
            let _ = events.send(Event::Done(in_hand.name.clone(), Box::new(report)));
        };
        self.book.running.insert(name.clone(), running);
        self.book.call_off(self.parts.clock.now());
        if let Err(error) = self.pool.run(Box::new(work)) {
            let why = format!("the system refuses another thread: {error}");
            let _ = self.events.send(Event::Done(name, Box::new(broken(&why))));
        }
    }

    fn alive(&mut self) {
        let now = self.parts.clock.now();
        let last = Ticks(self.progress.last.load(Ordering::Relaxed));
        if now.boot.since(last) > self.parts.knobs.interval + STUCK {
            return;
        }
        let next = Ticks(self.progress.next.load(Ordering::Relaxed));
        let alive = Alive {
            alarms: self.book.alarms.len(),
            running: self.book.running.keys().cloned().collect(),
            database: self.book.database.clone(),
            next_poll: (next > now.boot).then(|| now.wall_at(next)),
        };
        self.parts.presence.alive(now, &alive);
    }

    fn finished(&self) -> bool {
        self.intake == Intake::Stopping
            && (self.book.running.is_empty()
                || self.give_up.is_some_and(|until| until <= self.parts.clock.now().boot))
    }

    /// Asks what still runs to leave, takes its last words, and sees the clearings off.
    fn leave(mut self) {
        if !self.book.state.is_at_rest() {
            // Up to here it was seen who is quiet.
            self.book.state.dirty.host = true;
            self.keep();
        }
        (self.parts.halt)();
        let last_words = self.parts.clock.now().boot.after(LAST_WORDS);
        while !self.book.running.is_empty() {
            let left = last_words.since(self.parts.clock.now().boot);
            let Ok(event) = self.inbox.recv_timeout(left) else { break };
            self.handle(event);
        }
        for name in self.book.running.keys() {
            warn!("{}", wording::handed_over(name));
        }
        self.order(Command::Stop);
        self.publisher.silence();
        // A database that hangs must not keep pm from leaving: it gets what is left of the time to finish. What it did
        // not take stays in the journal. The last thread that lets go of that closes it in good order.
        let until = self.give_up.map_or(last_words, |give_up| give_up.max(last_words));
        let gone = |daemon: &Self| daemon.keeper.is_finished() && daemon.publisher.has_left();
        while !gone(&self) && self.parts.clock.now().boot < until {
            if self
                .inbox
                .recv_timeout(Duration::from_millis(5))
                .is_err_and(|e| e == RecvTimeoutError::Disconnected)
            {
                break;
            }
        }
        info!("Process Monitor Service stopped");
    }

    /// Whether new jobs may begin now. A lease that was not renewed in time is over, whoever knows of that.
    fn intake(&self) -> Intake {
        let over = self.parts.clock.now().boot.0 >= self.progress.lease_until.load(Ordering::Acquire);
        if self.intake == Intake::Open && (!self.speaks || over) { Intake::Silenced } else { self.intake }
    }

    fn order(&self, command: Command) {
        // The thread being gone means that pm is leaving.
        let _ = self.commands.send(command);
    }
}

fn broken(why: &str) -> Report {
    Report { id: None, outcome: Outcome::new(End::Infrastructure, 0, why) }
}
