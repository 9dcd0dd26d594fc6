//! The loop with its real threads against doubles in memory. Every wait is for an event, with a limit; no sleeps.

mod clock;
mod orders;
mod related;
mod remembered;
mod told;

use super::{Daemon, Event, Parts, start};
use crate::clock::{Stop, SystemClock};
use crate::policy::backoff::Backoff;
use crate::policy::model::{
    Alarm, AttemptId, Checked, Clear, Configured, End, Intake, Limits, Name, RowId, Rules, Standing, Verify,
    Window,
};
use crate::policy::relations::{Declaration, Declared, Related, Relations};
use crate::policy::testing::rules;
use crate::policy::time::{Now, Ticks, Wall};
use crate::policy::window::{Order, Override};
use crate::ports::overrides::{Audited, Chain, Entry, Ordered, Request, Wanted, Wish};
use crate::ports::{
    AlarmStore, Alive, Arrangement, Asked, Attempt, Captured, Catalog, Cleared, Clock, CommandLine, Decision,
    Effect, Exec, HostMemory, Intent, Journal, JournalError, Knobs, Pending, Presence, Publication, Record,
    Refresh, Refreshed, Retention, Row, Rows, Schema, Sight, Stage, Step, StoreError, Strategies, Tidied,
    Trouble, Unfinished, Witness,
};
use crate::spec::{PartRef, Spec};
use pm_plugin_api::{Error, Evidence, Health, Outcome, Target};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const AT_ONCE: Duration = Duration::from_millis(1);

/// The outside world, shared by all doubles.
#[derive(Default)]
struct Outside {
    rows: BTreeMap<i64, (String, Option<String>)>,
    trouble: Option<Trouble>,
    relations: Relations,
    /// How often reading them fails.
    unrelated: u32,
    write_trouble: Option<Trouble>,
    polls: u32,
    restarts: Vec<String>,
    /// Names whose restart waits until `gate` opens.
    stuck: BTreeSet<String>,
    gate_open: bool,
    running: usize,
    most_running: usize,
    /// Names whose restart does not help.
    broken: BTreeSet<String>,
    checked: u32,
    parallel: usize,
    entries: BTreeMap<i64, (String, Option<End>)>,
    outbox: BTreeMap<i64, Clear>,
    standings: BTreeMap<Name, Standing>,
    next: i64,
    overrides: Vec<Override>,
    orders: Vec<Ordered>,
    /// What the history has of restarts by hand.
    by_hand: BTreeMap<i64, Attempt>,
    /// Whether another process has changed the journal.
    changed: bool,
    /// How often the loop has read the overrides.
    looked: u32,
    /// What people were told.
    told: Vec<crate::ports::Happened>,
    /// Whether the journal cannot be written at the moment.
    full: bool,
    effects: Vec<(Name, Effect)>,
    /// What the journal has of the host.
    host: HostMemory,
    /// Who is being restarted by hand, and since when.
    elsewhere: Vec<(Name, Wall)>,
}

#[derive(Clone)]
struct Double {
    outside: Arc<(Mutex<Outside>, Condvar)>,
    unchecked: bool,
    /// How long a handled row is left alone.
    grace: Duration,
    stable: Duration,
}

impl Double {
    fn new() -> Self {
        Self { outside: Arc::default(), unchecked: true, grace: rules().grace, stable: rules().stable }
    }
    fn with<T>(&self, act: impl FnOnce(&mut Outside) -> T) -> T {
        let result = act(&mut self.outside.0.lock().unwrap());
        self.outside.1.notify_all();
        result
    }
    fn raise(&self, row: i64, name: &str) {
        self.with(|o| drop(o.rows.insert(row, (name.to_owned(), None))));
    }
    /// Waits until the world is as described.
    fn until(&self, what: &str, there: impl Fn(&Outside) -> bool) {
        let guard = self.outside.0.lock().unwrap();
        let (_guard, timeout) =
            self.outside.1.wait_timeout_while(guard, PATIENCE, |outside| !there(outside)).unwrap();
        assert!(!timeout.timed_out(), "never came: {what}");
    }
    fn spec(&self) -> Spec {
        let part = |name: &str| PartRef { name: name.to_owned(), settings: BTreeMap::new() };
        let check = if self.unchecked { Checked::Unchecked } else { Checked::ByCheck };
        Spec {
            system_name: "x".to_owned(),
            group: None,
            rules: Rules {
                check,
                verify: Verify::AfterOnly,
                grace: self.grace,
                stable: self.stable,
                ..rules()
            },
            strategy_text: "double".to_owned(),
            chain: vec![part("double")],
            delegates: BTreeMap::new(),
            check: (!self.unchecked).then(|| part("double")),
            max_attempts: 1,
            backoff: Backoff { base: Duration::ZERO, factor: 1.0, cap: Duration::ZERO },
            check_timeout: Duration::from_millis(1),
            check_interval: Duration::from_millis(1),
            restart_timeout: Duration::from_secs(5),
            pre_restart: None,
            pre_restart_timeout: Duration::from_secs(5),
            evidence: None,
            working_directory: PathBuf::from("/"),
            environment: BTreeMap::new(),
        }
    }
    fn start(&self, parallel: usize) -> Running {
        let stop = Stop::new();
        let parts = self.parts(parallel, Arc::new(SystemClock::new(stop.clone())), stop);
        Running::of(self, parts)
    }
    /// What the loop works with, and where its signs of life go.
    fn parts(&self, parallel: usize, clock: Arc<dyn Clock>, halt: Stop) -> (Parts, Receiver<&'static str>) {
        self.with(|o| o.parallel = parallel);
        let (said, presence) = channel();
        let parts = Parts {
            clock,
            journal: Arc::new(self.clone()),
            strategies: Arc::new(self.clone()),
            exec: Arc::new(self.clone()),
            chronicle: Arc::new(crate::chronicle::Statistics::default()),
            witness: Arc::new(self.clone()),
            herald: Arc::new(self.clone()),
            catalog: Box::new(self.clone()),
            presence: Box::new(Signs(said)),
            knobs: Knobs {
                interval: Duration::from_millis(50),
                parallel,
                shutdown: Duration::from_millis(200),
                keep: Retention { days: 90, bytes: 1 << 30 },
                publish: true,
            },
            intake: Intake::Open,
            host: "here".to_owned(),
            speaker: None,
            halt: Box::new(move || halt.request()),
        };
        (parts, presence)
    }
}

struct Running {
    events: Sender<Event>,
    thread: Option<JoinHandle<()>>,
    presence: Receiver<&'static str>,
}

impl Running {
    fn of(world: &Double, (parts, presence): (Parts, Receiver<&'static str>)) -> Self {
        let (daemon, events): (Daemon, _) = start(parts, Box::new(world.clone())).unwrap();
        let thread = std::thread::spawn(move || daemon.run().unwrap());
        Self { events, thread: Some(thread), presence }
    }
    fn stop(mut self) -> Vec<&'static str> {
        self.events.send(Event::Stop).unwrap();
        self.thread.take().unwrap().join().unwrap();
        self.presence.try_iter().collect()
    }
}

struct Signs(Sender<&'static str>);

impl Presence for Signs {
    fn alive(&mut self, _: Now, _: &Alive) {}
    fn ready(&mut self) {
        let _ = self.0.send("ready");
    }
    fn reloading(&mut self) {
        let _ = self.0.send("reloading");
    }
    fn stopping(&mut self) {
        let _ = self.0.send("stopping");
    }
    fn beat(&self) -> Duration {
        Duration::from_millis(50)
    }
}

fn store_error(trouble: Trouble) -> StoreError {
    StoreError { trouble, attempted: "asking the double".to_owned(), why: "told to".to_owned(), hint: None }
}

impl AlarmStore for Double {
    fn poll(&mut self, _: usize) -> Result<Vec<Alarm>, StoreError> {
        self.with(|outside| {
            outside.polls += 1;
            if let Some(trouble) = outside.trouble {
                return Err(store_error(trouble));
            }
            let alarm = |(row, (name, notes)): (&i64, &(String, Option<String>))| Alarm {
                row: RowId(*row),
                name: Name::new(name),
                notes: notes.clone(),
                acknowledged: false,
            };
            Ok(outside.rows.iter().map(alarm).collect())
        })
    }
    fn clear(&mut self, clear: &Clear) -> Result<Cleared, StoreError> {
        self.with(|outside| match outside.write_trouble {
            Some(trouble) => Err(store_error(trouble)),
            None => Ok(outside.rows.remove(&clear.row.0).map_or(Cleared::Gone, |_| Cleared::Done)),
        })
    }
    fn list(&mut self) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }
    fn known(&mut self) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn relations(&mut self) -> Result<Relations, StoreError> {
        self.with(|outside| match outside.unrelated {
            0 => Ok(outside.relations.clone()),
            ref mut times => {
                *times -= 1;
                Err(store_error(Trouble::Other))
            }
        })
    }
    fn add(&mut self, _: &Name) -> Result<RowId, StoreError> {
        Err(store_error(Trouble::Other))
    }
    fn raise(&mut self, _: &Rows, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn reset(&mut self, _: &Rows, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn schema(&mut self) -> Result<Schema, StoreError> {
        Err(store_error(Trouble::Other))
    }
    fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

impl Strategies for Double {
    fn restart(&self, _: &PartRef, target: &Target) -> Result<Outcome, Error> {
        assert_ne!(target.name, "panics", "this strategy panics on purpose");
        let mut guard = self.outside.0.lock().unwrap();
        guard.restarts.push(target.name.clone());
        guard.running += 1;
        guard.most_running = guard.most_running.max(guard.running);
        self.outside.1.notify_all();
        let stuck = |outside: &mut Outside| outside.stuck.contains(&target.name) && !outside.gate_open;
        let (mut guard, _) = self.outside.1.wait_timeout_while(guard, PATIENCE, stuck).unwrap();
        guard.running -= 1;
        if guard.broken.contains(&target.name) {
            Err(Error::failed("broken"))
        } else {
            Ok(Outcome::restarted(""))
        }
    }
    fn identity(&self, _: &PartRef, _: &Target) -> Result<Option<String>, Error> {
        Err(Error::unsupported("none"))
    }
    fn evidence(&self, _: &PartRef, _: &Target) -> Result<Evidence, Error> {
        Err(Error::unsupported("none"))
    }
    fn check(&self, _: &PartRef, _: &Target) -> Result<Health, Error> {
        self.with(|outside| outside.checked += 1);
        Ok(Health::healthy("fine"))
    }
}

impl Exec for Double {
    fn run(&self, _: &CommandLine<'_>) -> Captured {
        Captured { output: String::new(), end: Ok(()) }
    }
    fn capture(&self, _: &CommandLine<'_>, _: usize) -> Captured {
        Captured { output: String::new(), end: Ok(()) }
    }
}

impl Witness for Double {
    fn look(&self, _: &[u32], _: Ticks) -> Sight {
        Sight::default()
    }
}

impl Catalog for Double {
    fn look_up(&mut self, name: &Name) -> (Configured, Option<Arc<Spec>>) {
        if name.as_str() == "stranger" {
            return (Configured::No, None);
        }
        let spec = self.spec();
        (Configured::Yes(spec.rules.clone()), Some(Arc::new(spec)))
    }
    fn arrange(&mut self, table: &Relations) -> Arrangement {
        let limits = Limits { parallel: self.with(|o| o.parallel), ..crate::policy::testing::limits() };
        let declared = Declared { default: Some(Declaration::default()), ..Declared::default() };
        Arrangement { related: Related::merge(&declared, table), groups: HashMap::new(), limits }
    }
    fn windows(&mut self, _: Wall) -> Vec<Window> {
        Vec::new()
    }
    fn reread_windows(&mut self) {}
    fn refresh(&mut self, how: Refresh) -> Refreshed {
        if how == Refresh::Everything { Refreshed::Processes } else { Refreshed::Unchanged }
    }
}

impl Journal for Double {
    fn begin(&self, intent: &Intent) -> Result<AttemptId, JournalError> {
        self.with(|outside| {
            if outside.elsewhere.iter().any(|(name, _)| *name == intent.name) {
                return Err(JournalError::Busy { name: intent.name.clone(), attempt: 7 });
            }
            let holds = |given: &&Override| {
                given.order == Order::Hold
                    && given.is_in_force(intent.at.wall)
                    && given.scope.covers(&intent.name, intent.group.as_ref())
            };
            if let Some(hold) = outside.overrides.iter().find(holds) {
                return Err(JournalError::Held {
                    name: intent.name.clone(),
                    scope: hold.scope.clone(),
                    by: hold.by.clone(),
                    why: hold.why.clone(),
                    until: hold.until,
                });
            }
            outside.next += 1;
            outside.entries.insert(outside.next, (intent.name.as_str().to_owned(), None));
            Ok(AttemptId(outside.next))
        })
    }
    fn acting(&self, _: AttemptId, _: Option<&str>, _: Wall) -> Result<(), JournalError> {
        Ok(())
    }
    fn stage(&self, _: AttemptId, _: Stage, _: Option<&str>) -> Result<(), JournalError> {
        Ok(())
    }
    fn unpublished(&self, _: &str, _: usize) -> Result<Vec<Publication>, JournalError> {
        Ok(Vec::new())
    }
    fn published(&self, _: &[Publication]) -> Result<(), JournalError> {
        Ok(())
    }
    fn tidy(&self, _: &Retention, _: Wall) -> Result<Tidied, JournalError> {
        Ok(Tidied::Nothing)
    }
    fn step(&self, _: AttemptId, _: &Step) -> Result<(), JournalError> {
        Ok(())
    }
    fn steps_of(&self, _: AttemptId) -> Result<Vec<Step>, JournalError> {
        Ok(Vec::new())
    }
    fn evidence(&self, _: AttemptId, _: &str) -> Result<(), JournalError> {
        Ok(())
    }
    fn evidence_of(&self, _: AttemptId) -> Result<Option<String>, JournalError> {
        Ok(None)
    }
    fn end(
        &self,
        id: AttemptId,
        name: &Name,
        record: &Record,
        settled: Option<(&Standing, &[Clear])>,
    ) -> Result<(), JournalError> {
        self.with(|outside| {
            outside.entries.insert(id.0, (name.as_str().to_owned(), Some(record.end)));
            let Some((standing, clears)) = settled else { return };
            outside.standings.insert(name.clone(), standing.clone());
            for clear in clears {
                outside.next += 1;
                outside.outbox.insert(outside.next, clear.clone());
            }
        });
        Ok(())
    }
    fn elsewhere(&self) -> Result<Vec<(Name, Wall)>, JournalError> {
        Ok(self.with(|outside| outside.elsewhere.clone()))
    }
    fn outbox(&self) -> Result<Vec<Pending>, JournalError> {
        let pending = |(id, clear): (&i64, &Clear)| Pending { id: *id, clear: clear.clone() };
        Ok(self.with(|outside| outside.outbox.iter().map(pending).collect()))
    }
    fn delivered(&self, ids: &[i64]) -> Result<(), JournalError> {
        self.with(|outside| outside.outbox.retain(|id, _| !ids.contains(id)));
        Ok(())
    }
    fn standings(&self) -> Result<BTreeMap<Name, Standing>, JournalError> {
        Ok(self.with(|outside| outside.standings.clone()))
    }
    fn keep(&self, standings: &[(Name, Standing)], host: Option<&HostMemory>) -> Result<(), JournalError> {
        self.with(|outside| {
            outside.standings.extend(standings.iter().cloned());
            outside.host = host.cloned().unwrap_or_else(|| outside.host.clone());
        });
        Ok(())
    }
    fn host(&self) -> Result<HostMemory, JournalError> {
        Ok(self.with(|outside| outside.host.clone()))
    }
    fn judged(&self, name: &Name, effect: Effect) -> Result<(), JournalError> {
        self.with(|outside| outside.effects.push((name.clone(), effect)));
        Ok(())
    }
    fn decided(&self, _: &[Decision]) -> Result<(), JournalError> {
        Ok(())
    }
    fn decisions(&self, _: &Name, _: Wall, _: usize) -> Result<Vec<Decision>, JournalError> {
        Ok(Vec::new())
    }
    fn explanation(&self, _: AttemptId) -> Result<Vec<Asked>, JournalError> {
        Ok(Vec::new())
    }
    fn last_before(&self, _: &Name, _: Wall) -> Result<Option<Attempt>, JournalError> {
        Ok(None)
    }
    fn history(&self, _: Option<&Name>, _: Wall, _: usize) -> Result<Vec<Attempt>, JournalError> {
        Ok(Vec::new())
    }
    fn unfinished(&self) -> Result<Vec<Unfinished>, JournalError> {
        Ok(Vec::new())
    }
    fn attempts(&self, _: Option<&Name>, _: usize) -> Result<Vec<Attempt>, JournalError> {
        Ok(Vec::new())
    }
    fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, JournalError> {
        Ok(self.with(|outside| outside.by_hand.get(&id.0).cloned()))
    }
    fn overrides(&self) -> Result<Vec<Override>, JournalError> {
        self.with(|outside| outside.looked += 1);
        Ok(self.with(|outside| outside.overrides.clone()))
    }
    fn order(&self, _: &Request, _: &[Wish]) -> Result<Vec<Vec<Override>>, JournalError> {
        unreachable!("operators order, not the loop")
    }
    fn orders(&self) -> Result<Vec<Ordered>, JournalError> {
        Ok(self.with(|outside| outside.orders.clone()))
    }
    fn obeyed(&self, ids: &[i64], standings: &[(Name, Standing)]) -> Result<(), JournalError> {
        self.with(|outside| {
            if outside.full {
                return Err(JournalError::Unusable {
                    attempted: "writing",
                    path: PathBuf::from("journal.db"),
                    why: "database or disk is full".to_owned(),
                });
            }
            outside.orders.retain(|ordered| !ids.contains(&ordered.id));
            outside.standings.extend(standings.iter().cloned());
            Ok(())
        })
    }
    fn end_by_hand(&self, _: AttemptId, _: &Record, _: &Entry) -> Result<(), JournalError> {
        unreachable!("the command ends it, not the loop")
    }
    fn audit(&self, _: &[Entry]) -> Result<(), JournalError> {
        unreachable!("commands are audited, not the loop")
    }
    fn audited(&self, _: &Wanted) -> Result<Vec<Audited>, JournalError> {
        Ok(Vec::new())
    }
    fn chain(&self) -> Result<Chain, JournalError> {
        Ok(Chain { entries: 0, first: None, last: None, flaw: None })
    }
    fn changed_by_others(&self) -> bool {
        self.with(|outside| std::mem::take(&mut outside.changed))
    }
}

#[test]
fn an_alarm_is_restarted_cleared_and_noted() {
    let world = Double::new();
    world.raise(1, "web");
    world.raise(2, "stranger");
    let daemon = world.start(4);
    world.until("web is cleared and nothing waits", |o| !o.rows.contains_key(&1) && o.outbox.is_empty());
    assert_eq!(daemon.stop(), ["ready", "stopping"]);
    world.with(|o| {
        assert_eq!(o.restarts, ["web"]);
        assert_eq!(o.entries.values().collect::<Vec<_>>(), [&("web".to_owned(), Some(End::Restarted))]);
        assert!(o.rows.contains_key(&2), "a stranger is left alone");
    });
}

#[test]
fn one_slow_process_never_delays_another_and_the_limit_holds() {
    let world = Double::new();
    world.with(|o| o.stuck.insert("slow".to_owned()));
    world.raise(1, "slow");
    for row in 2..=60 {
        world.raise(row, &format!("p{row}"));
    }
    let daemon = world.start(3);
    world.until("all others are cleared", |o| o.rows.keys().eq([&1]));
    world.with(|o| o.gate_open = true);
    world.until("the slow one too", |o| o.rows.is_empty());
    daemon.stop();
    world.with(|o| {
        assert!(o.most_running <= 3, "{}", o.most_running);
        assert_eq!(o.restarts.len(), 60, "each exactly once");
    });
}

#[test]
fn a_read_only_table_leads_to_one_restart_and_then_to_looking() {
    let world = Double { unchecked: false, grace: AT_ONCE, ..Double::new() };
    world.with(|o| o.write_trouble = Some(Trouble::ReadOnly));
    world.raise(1, "web");
    let daemon = world.start(4);
    world.until("it was looked at several times", |o| o.checked >= 5);
    daemon.stop();
    world.with(|o| {
        assert_eq!(o.restarts, ["web"]);
        assert_eq!(o.outbox.len(), 1, "one clearing waits, not one per look");
    });
    // A later pm with the right to write clears it, outbox first, without restarting anything.
    world.with(|o| o.write_trouble = None);
    let daemon = world.start(4);
    world.until("cleared", |o| o.rows.is_empty() && o.outbox.is_empty());
    daemon.stop();
    world.with(|o| assert_eq!(o.restarts, ["web"]));
}

/// The mark of a handled row is over after a millisecond here, so only the order of the calls protects the process.
#[test]
fn what_waits_while_the_database_is_away_is_cleared_before_its_row_is_believed_again() {
    let world = Double { grace: AT_ONCE, ..Double::new() };
    world.with(|o| o.stuck.insert("web".to_owned()));
    world.raise(1, "web");
    let daemon = world.start(4);
    world.until("it runs", |o| o.running == 1);
    world.with(|o| (o.trouble, o.write_trouble) = (Some(Trouble::Away), Some(Trouble::Away)));
    world.with(|o| o.gate_open = true);
    world.until("its clearing waits", |o| o.outbox.len() == 1);
    let polls = world.with(|o| o.polls);
    world.until("it was asked for in vain", |o| o.polls > polls);
    world.with(|o| (o.trouble, o.write_trouble) = (None, None));
    world.until("cleared", |o| o.rows.is_empty() && o.outbox.is_empty());
    daemon.stop();
    world.with(|o| assert_eq!(o.restarts, ["web"]));
}

#[test]
fn a_panic_in_a_job_costs_the_job_and_nothing_else() {
    let world = Double::new();
    world.raise(1, "panics");
    world.raise(2, "web");
    let daemon = world.start(1);
    world.until("the other one is handled", |o| o.rows.keys().eq([&1]));
    daemon.stop();
    let ended = |o: &mut Outside| o.entries.values().all(|(_, end)| end.is_some());
    assert!(world.with(ended), "an entry that never ends would keep its name busy");
}
