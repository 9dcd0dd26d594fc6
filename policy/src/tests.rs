//! The judgement as a whole: tables of situations, random histories, and a simulated day under a moving clock.

use crate::breaker::Breaker;
use crate::decide::{Check, decide, examine};
use crate::model::{
    Alarm, Checked, Configured, End, Handled, Hold, InFlight, Intake, Job, Name, Notice, Outcome, Plan,
    RowId, Rules, Standing, Table, Trial, Verify, View,
};
use crate::settle::{DRIVER_PAUSE, settle};
use crate::testing::{alarm, rules};
use crate::time::{Now, Ticks, Wall};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const NOON: Now = Now { boot: Ticks(1_000_000), wall: Wall(1_700_000_000_000) };

/// A world that one test sets up and asks.
struct World {
    alarms: Vec<Alarm>,
    configured: BTreeMap<Name, Configured>,
    standings: BTreeMap<Name, Standing>,
    limit: usize,
    table: Table,
    intake: Intake,
}

impl World {
    fn new(names: &[&str]) -> Self {
        let alarms = (1..).zip(names).map(|(row, name)| alarm(row, name)).collect();
        let configured = names.iter().map(|name| (Name::new(name), Configured::Yes(rules()))).collect();
        Self {
            alarms,
            configured,
            standings: BTreeMap::new(),
            limit: 4,
            table: Table::Writable,
            intake: Intake::Open,
        }
    }
    fn standing(&mut self, name: &str) -> &mut Standing {
        self.standings.entry(Name::new(name)).or_default()
    }
    fn view(&self) -> View<'_> {
        View {
            alarms: &self.alarms,
            configured: &self.configured,
            standings: &self.standings,
            limit: self.limit,
            running: self.standings.values().filter(|standing| standing.in_flight.is_some()).count(),
            table: self.table,
            intake: self.intake,
        }
    }
    fn decide(&self) -> Plan {
        decide(&self.view(), NOON)
    }
    /// The only alarm is held for this reason, `examine` names the same, and the plan wakes when it ends.
    fn holds(&self, check: Check, hold: &Hold) {
        let plan = self.decide();
        assert_eq!(plan.held, [(0, hold.clone())]);
        assert!(plan.start.is_empty());
        assert_eq!(plan.wake_at, hold.ends());
        let chain = examine(&self.alarms[0], &self.view(), NOON);
        assert_eq!(chain.last().unwrap(), &(check, Err(hold.clone())));
        assert!(!hold.sentence(NOON).is_empty() && !hold.word().is_empty());
    }
}

fn started(plan: &Plan) -> Vec<&str> {
    plan.start.iter().map(|job| job.name.as_str()).collect()
}

#[test]
fn every_reason_to_hold_has_its_check() {
    let mut blank = World::new(&["web"]);
    blank.alarms[0].name = Name::new("  ");
    blank.holds(Check::Named, &Hold::Unnamed);

    let mut unknown = World::new(&["web"]);
    unknown.configured.clear();
    unknown.holds(Check::Configured, &Hold::NotConfigured);

    let mut unusable = World::new(&["web"]);
    unusable.configured.insert(Name::new("web"), Configured::Unusable("no strategy \"x\"".to_owned()));
    unusable.holds(Check::Configured, &Hold::Unusable("no strategy \"x\"".to_owned()));

    let mut ticked = World::new(&["web"]);
    ticked.alarms[0].acknowledged = true;
    ticked.holds(Check::Unacknowledged, &Hold::Acknowledged);

    let mut busy = World::new(&["web"]);
    busy.standing("web").in_flight = Some(InFlight { since: Ticks(5) });
    busy.holds(Check::NotRunning, &Hold::InFlight { since: Ticks(5) });

    let mut handled = World::new(&["web"]);
    let recheck = NOON.boot.after(Duration::from_secs(3));
    handled.standing("web").handled.push(Handled { row: RowId(1), notes: None, recheck });
    handled.holds(Check::NotHandled, &Hold::Handled { recheck });

    let mut driver = World::new(&["web"]);
    let until = NOON.boot.after(Duration::from_secs(2));
    driver.standing("web").pause = Some(until);
    driver.holds(Check::Driver, &Hold::DriverPause { until });

    let mut open = World::new(&["web"]);
    let until = NOON.boot.after(Duration::from_secs(9));
    open.standing("web").breaker = Breaker::Open { failures: 3, until };
    open.holds(Check::Breaker, &Hold::BreakerOpen { failures: 3, until });

    let mut stopping = World::new(&["web"]);
    stopping.intake = Intake::Stopping;
    stopping.holds(Check::Intake, &Hold::Stopping);

    let mut full = World::new(&["web"]);
    full.limit = 0;
    full.holds(Check::Capacity, &Hold::Capacity { limit: 0 });
}

#[test]
fn an_alarm_that_passes_all_checks_is_started_and_the_chain_tells_what_each_saw() {
    let world = World::new(&["web", "db"]);
    let plan = world.decide();
    assert_eq!(started(&plan), ["web", "db"]);
    assert_eq!((plan.held.len(), plan.wake_at), (0, None));
    assert_eq!((plan.start[0].verify, plan.start[0].trial), (Verify::AfterOnly, Trial::No));
    let chain = examine(&world.alarms[1], &world.view(), NOON);
    assert_eq!(chain.len(), Check::ALL.len());
    assert!(chain.iter().all(|(check, seen)| !check.word().is_empty() && !seen.as_ref().unwrap().is_empty()));
}

#[test]
fn rows_of_one_name_share_one_restart() {
    let mut world = World::new(&["web", "web", "web", "db"]);
    world.alarms[1].acknowledged = true;
    world.limit = 2;
    let plan = world.decide();
    assert_eq!(started(&plan), ["web", "db"]);
    let rows: Vec<_> = plan.start[0].alarms.iter().map(|alarm| alarm.row.0).collect();
    assert_eq!(rows, [1, 3]);
    assert_eq!(plan.held, [(1, Hold::Acknowledged)]);
}

#[test]
fn a_half_open_breaker_gets_exactly_one_probe() {
    let mut world = World::new(&["web"]);
    world.standing("web").breaker = Breaker::Open { failures: 3, until: NOON.boot };
    assert_eq!(world.decide().start[0].trial, Trial::Probe);
}

#[test]
fn doubtful_alarms_are_verified_first_when_there_is_a_check() {
    let verify = |prepare: &dyn Fn(&mut World)| {
        let mut world = World::new(&["web"]);
        prepare(&mut world);
        world.decide().start[0].verify
    };
    let recent = Ticks(NOON.boot.0 - 59_999);
    let stale = Ticks(NOON.boot.0 - 60_000);
    assert_eq!(verify(&|_| ()), Verify::AfterOnly);
    assert_eq!(verify(&|w| w.standing("web").last_good = Some(recent)), Verify::First);
    assert_eq!(verify(&|w| w.standing("web").last_good = Some(stale)), Verify::AfterOnly);
    assert_eq!(verify(&|w| w.table = Table::ReadOnly), Verify::First);
    let mark = Handled { row: RowId(1), notes: None, recheck: NOON.boot };
    assert_eq!(verify(&|w| w.standing("web").handled.push(mark.clone())), Verify::First);
    let asked = Configured::Yes(Rules { verify: Verify::First, ..rules() });
    assert_eq!(verify(&|w| drop(w.configured.insert(Name::new("web"), asked.clone()))), Verify::First);
    let unchecked = Configured::Yes(Rules { check: Checked::Unchecked, verify: Verify::First, ..rules() });
    assert_eq!(
        verify(&|w| drop(w.configured.insert(Name::new("web"), unchecked.clone()))),
        Verify::AfterOnly
    );
}

#[test]
fn other_notes_on_a_handled_row_mean_a_new_alarm() {
    let mut world = World::new(&["web"]);
    let recheck = NOON.boot.after(Duration::from_secs(60));
    world.standing("web").handled.push(Handled { row: RowId(1), notes: Some("old".to_owned()), recheck });
    assert_eq!(started(&world.decide()), ["web"]);
}

fn job(trial: Trial) -> Job {
    Job { name: Name::new("web"), alarms: vec![alarm(1, "web")], verify: Verify::AfterOnly, trial }
}

fn outcome(end: End) -> Outcome {
    Outcome { end, attempts: 1, detail: String::new() }
}

#[test]
fn success_clears_forgives_and_marks_the_row() {
    let standing = Standing { breaker: Breaker::Closed { failures: 2 }, ..Standing::default() };
    let settled = settle(&standing, &rules(), &job(Trial::No), &outcome(End::Restarted), NOON);
    assert_eq!(settled.standing.breaker, Breaker::default());
    assert_eq!(settled.standing.last_good, Some(NOON.boot));
    assert_eq!(settled.notices, [Notice::FailuresForgotten]);
    assert_eq!((settled.clear.len(), settled.clear[0].restarted_at), (1, Some(NOON.wall)));
    assert!(settled.standing.handled(&alarm(1, "web")).is_some());
    // Verified again while its clearing still waits: not queued a second time.
    let again = settle(&settled.standing, &rules(), &job(Trial::No), &outcome(End::AlreadyHealthy), NOON);
    assert!(again.clear.is_empty());
    assert_eq!(again.standing.handled.len(), 1);
    // And a healthy process that was not restarted gets no stamp.
    let healthy =
        settle(&Standing::default(), &rules(), &job(Trial::No), &outcome(End::AlreadyHealthy), NOON);
    assert_eq!((healthy.clear[0].restarted_at, healthy.notices.len()), (None, 0));
}

#[test]
fn failure_counts_opens_and_withdraws_what_waits() {
    let mut standing = Standing { breaker: Breaker::Closed { failures: 2 }, ..Standing::default() };
    standing.handled.push(Handled { row: RowId(1), notes: None, recheck: NOON.boot });
    let settled = settle(&standing, &rules(), &job(Trial::No), &outcome(End::Failed), NOON);
    let until = NOON.boot.after(rules().open_time);
    assert_eq!(settled.notices, [Notice::BreakerOpened { failures: 3, until }]);
    assert_eq!(settled.withdraw, [RowId(1)]);
    assert!(settled.standing.handled.is_empty() && settled.clear.is_empty());
}

#[test]
fn a_successful_probe_closes_the_breaker() {
    let standing =
        Standing { breaker: Breaker::Open { failures: 3, until: Ticks(0) }, ..Standing::default() };
    let settled = settle(&standing, &rules(), &job(Trial::Probe), &outcome(End::Restarted), NOON);
    assert_eq!(
        (settled.standing.breaker, settled.notices),
        (Breaker::default(), vec![Notice::BreakerClosed])
    );
}

#[test]
fn infrastructure_failures_never_count_against_the_process() {
    let open = Breaker::Open { failures: 3, until: NOON.boot };
    let standing = Standing { breaker: open, ..Standing::default() };
    let settled = settle(&standing, &rules(), &job(Trial::Probe), &outcome(End::Infrastructure), NOON);
    assert_eq!(settled.standing.breaker, open);
    assert_eq!(settled.standing.pause, Some(NOON.boot.after(DRIVER_PAUSE)));
    let handed = settle(&standing, &rules(), &job(Trial::Probe), &outcome(End::HandedOver), NOON);
    assert_eq!((handed.standing.breaker, handed.standing.pause), (open, None));
}

/// A process in alarm every two minutes for a day, whose restarts work in the morning and the evening only.
#[test]
fn a_simulated_day() {
    let mut world = World::new(&["web"]);
    let name = Name::new("web");
    let (mut restarts, mut useless, mut opened, mut closed) = (0, 0, 0_usize, 0_usize);
    for minute in (0..24 * 60).step_by(2) {
        let now = Now { boot: Ticks(minute * 60_000), wall: Wall(0) };
        let works = !(8 * 60..20 * 60).contains(&minute);
        let plan = decide(&world.view(), now);
        assert_eq!(plan.start.len() + plan.held.len(), 1, "started or held, never both, never neither");
        for job in &plan.start {
            let end = if works { End::Restarted } else { End::Failed };
            restarts += 1;
            useless += usize::from(!works);
            let standing = world.standings.get(&name).cloned().unwrap_or_default();
            let settled = settle(&standing, &rules(), job, &outcome(end), now);
            opened += settled.notices.iter().filter(|n| matches!(n, Notice::BreakerOpened { .. })).count();
            closed += settled.notices.iter().filter(|n| **n == Notice::BreakerClosed).count();
            // The table clears at once.
            world.standings.insert(name.clone(), Standing { handled: Vec::new(), ..settled.standing });
        }
    }
    // Trouble from 08:00: failures at 08:00, 08:02 and 08:04 open the breaker for 5 minutes; probes from 08:10 on,
    // every 6 minutes because polls are even, the last useless one at 19:58. So health is noticed at 20:04.
    assert_eq!(useless, 3 + 119);
    assert_eq!(restarts - useless, 12 * 30 - 2);
    assert_eq!((opened, closed), (useless - 2, 1));
}

/// One event of a random history.
#[derive(Debug, Clone)]
enum Event {
    Poll(Vec<(u8, bool)>),
    End(u8, End),
    Pass(u32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let end = prop_oneof![
        Just(End::Restarted),
        Just(End::Failed),
        Just(End::Failed),
        Just(End::Infrastructure),
        Just(End::AlreadyHealthy)
    ];
    let event = prop_oneof![
        prop::collection::vec((0u8..5, any::<bool>()), 0..8).prop_map(Event::Poll),
        (0u8..5, end).prop_map(|(name, end)| Event::End(name, end)),
        (0u32..400_000).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every alarm is started or held, no name runs twice, the limit holds, an open breaker admits nothing before
    /// its time and one probe after it, and the same view gives the same plan.
    #[test]
    fn random_histories_keep_the_invariants(history in events()) {
        let mut world = World::new(&["n0", "n1", "n2", "n3", "n4"]);
        world.limit = 3;
        let mut running: BTreeMap<Name, Job> = BTreeMap::new();
        let mut now = NOON;
        for event in history {
            match event {
                Event::Pass(ms) => now = now.after(Duration::from_millis(ms.into())),
                Event::End(number, end) => {
                    let name = Name::new(&format!("n{number}"));
                    if let Some(job) = running.remove(&name) {
                        let standing = world.standings[&name].clone();
                        let settled = settle(&standing, &rules(), &job, &outcome(end), now);
                        world.standings.insert(name, settled.standing);
                    }
                }
                Event::Poll(rows) => {
                    world.alarms = (1..).zip(&rows).map(|(row, (number, ticked))| Alarm {
                        acknowledged: *ticked, ..alarm(row, &format!("n{number}"))
                    }).collect();
                    let plan = decide(&world.view(), now);
                    prop_assert_eq!(&plan, &decide(&world.view(), now));
                    let jobs: Vec<RowId> = plan.start.iter().flat_map(|job| &job.alarms).map(|a| a.row).collect();
                    let held: Vec<RowId> = plan.held.iter().map(|(index, _)| world.alarms[*index].row).collect();
                    let all: BTreeSet<_> = jobs.iter().chain(&held).collect();
                    prop_assert_eq!(all.len(), world.alarms.len());
                    prop_assert_eq!(jobs.len() + held.len(), world.alarms.len());
                    for job in plan.start {
                        prop_assert!(!running.contains_key(&job.name));
                        prop_assert!(job.alarms.iter().all(|alarm| !alarm.acknowledged));
                        let standing = world.standing(job.name.as_str());
                        if let Breaker::Open { until, .. } = standing.breaker {
                            prop_assert!(until <= now.boot);
                            prop_assert_eq!(job.trial, Trial::Probe);
                        }
                        standing.in_flight = Some(InFlight { since: now.boot });
                        running.insert(job.name.clone(), job);
                    }
                    prop_assert!(running.len() <= 3);
                }
            }
        }
    }
}
