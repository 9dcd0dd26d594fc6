//! The judgement itself: a mass of alarms on a graph of dependencies, with groups, breakers and a history.
//!
//! Beside it, as the floor, one pass over the same alarms that looks each name up in the two maps that every judgement
//! needs: what is configured and what is remembered.

use crate::{Figure, compared, median, text};
use pm_policy::advance::advance;
use pm_policy::breaker::{Breaker, State as BreakerState};
use pm_policy::bucket::Budget;
use pm_policy::decide::decide;
use pm_policy::group::GroupRules;
use pm_policy::mass::{Condition, Mass, Stage};
use pm_policy::model::{
    Alarm, Configured, Criticality, Intake, Limits, Name, Order, Override, Rules, Scope, Sight, Standing,
    Table, View, Window,
};
use pm_policy::relations::{Declaration, Declared, Membership, Related, Relations};
use pm_policy::state::State;
use pm_policy::testing::{alarm, limits, rules};
use pm_policy::time::{Now, Ticks, Wall};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Names that depend on others, or on which others depend.
const NODES: usize = 1_000;
const GROUPS: usize = 50;
const ROUNDS: usize = 21;
const COUNTS: [usize; 3] = [1_000, 10_000, 100_000];
/// So long 10,000 alarms may take.
const AIM: Duration = Duration::from_millis(10);
const NOW: Now = Now { boot: Ticks(10_000_000), wall: Wall(1_800_000_000_000) };

struct Case {
    alarms: Vec<Alarm>,
    configured: HashMap<Name, Configured>,
    related: Related,
    groups: HashMap<Name, GroupRules>,
    windows: Vec<Window>,
    overrides: Vec<Override>,
    state: State,
}

/// What stands while it is judged, besides the alarms.
#[derive(Clone, Copy)]
enum Load {
    Nothing,
    Planned,
    Mass,
    Both,
}

impl Load {
    const ALL: [Self; 4] = [Self::Nothing, Self::Planned, Self::Mass, Self::Both];

    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing else",
            Self::Planned => "windows and orders of operators",
            Self::Mass => "a mass alarm that is held",
            Self::Both => "windows, orders and a mass alarm that is held",
        }
    }
}

pub(crate) fn measure() -> Vec<Figure> {
    let mut figures = Vec::new();
    for load in Load::ALL {
        let times = COUNTS.map(|count| measured(&Case::new(count, load), load, &mut figures));
        verdict(load, &times);
    }
    figures
}

/// How long it takes to decide.
fn measured(case: &Case, load: Load, figures: &mut Vec<Figure>) -> Times {
    let (view, count) = (case.view(), case.alarms.len());
    let floor = timed(|| case.floor());
    let decided = timed(|| decide(&view, &case.state, NOW).held.len());
    let mut states: Vec<State> = (0..ROUNDS).map(|_| case.state.clone()).collect();
    let advanced = timed(|| states.pop().map(|mut state| advance(&mut state, &view, NOW).len()));
    let with = load.words();
    let what = format!(
        "decide on {count} alarms, {NODES} names with dependencies, with {with}; floor: two look-ups a name"
    );
    figures.push(compared(what, decided.fastest, floor.fastest));
    let what = format!("the same: let time and alarms change what is remembered ({count}, with {with})");
    figures.push(compared(what, advanced.fastest, floor.fastest));
    decided
}

/// Whether the aim was met, and how the time grows with the alarms: were it in proportion, each step would be ten times the one
/// before.
fn verdict(load: Load, times: &[Times; 3]) {
    let with = load.words();
    let Times { fastest, middle } = times[1];
    let met = if fastest <= AIM { "met" } else { "MISSED" };
    println!(
        "decide with {with}: the aim of {} for 10,000 alarms was {met}, with {}; the middle of {ROUNDS} runs {}",
        text(AIM),
        text(fastest),
        text(middle)
    );
    for (pair, counts) in times.map(|its| its.fastest).windows(2).zip(COUNTS.windows(2)) {
        let grown = pair[1].as_secs_f64() / pair[0].as_secs_f64();
        println!(
            "decide with {with}: from {} to {} alarms {grown:.1} times as long, {} for 1,000 of them",
            counts[0],
            counts[1],
            text(pair[1].mul_f64(1_000.0 / counts[1] as f64))
        );
    }
}

/// How long several runs of the same took.
#[derive(Clone, Copy)]
struct Times {
    /// Nothing is waited for here, so whatever makes a run longer than this one is the machine.
    fastest: Duration,
    middle: Duration,
}

fn timed<T>(mut run: impl FnMut() -> T) -> Times {
    let once = |run: &mut dyn FnMut() -> T| {
        let began = Instant::now();
        black_box(run());
        began.elapsed()
    };
    let times: Vec<Duration> = (0..ROUNDS).map(|_| once(&mut run)).collect();
    Times { fastest: times.iter().min().copied().unwrap_or_default(), middle: median(times) }
}

impl Case {
    /// `count` processes in alarm. A thousand of them depend on up to three others each, every second one is in one of
    /// the groups, every tenth has a history, every hundredth an open breaker.
    fn new(count: usize, load: Load) -> Self {
        let names: Vec<Name> = (0..count).map(|number| Name::new(&format!("process-{number}"))).collect();
        let declared = Declared {
            processes: names
                .iter()
                .enumerate()
                .map(|(at, name)| (name.clone(), declaration(at, &names)))
                .collect(),
            default: None,
        };
        let group = GroupRules {
            budget: Budget { size: 5, refill: Duration::from_secs(60) },
            correlation: 3,
            share: 50,
            window: Duration::from_secs(900),
            open_time: Duration::from_secs(300),
            open_max: Duration::from_secs(3600),
            open_jitter: 15,
            stable: Duration::from_secs(600),
            members: 100,
        };
        let configured =
            names.iter().enumerate().map(|(at, name)| (name.clone(), Configured::Yes(rules_of(at))));
        let mut state = State::default();
        for (at, name) in names.iter().enumerate().filter(|(at, _)| at % 10 == 3) {
            state.standings.insert(name.clone(), standing(at));
        }
        if matches!(load, Load::Mass | Load::Both) {
            state.mass = mass(&names);
        }
        let planned = matches!(load, Load::Planned | Load::Both);
        Self {
            windows: if planned { windows(&names) } else { Vec::new() },
            overrides: if planned { overrides(&names) } else { Vec::new() },
            alarms: (1..).zip(&names).map(|(row, name)| alarm(row, name.as_str())).collect(),
            configured: configured.collect(),
            related: Related::merge(&declared, &Relations::default()),
            groups: (0..GROUPS)
                .map(|number| (Name::new(&format!("group-{number}")), group.clone()))
                .collect(),
            state,
        }
    }

    fn view(&self) -> View<'_> {
        View {
            alarms: &self.alarms,
            known: Some(2 * self.alarms.len() as u64),
            sight: Sight::Clear,
            polled: NOW.boot,
            configured: &self.configured,
            related: &self.related,
            groups: &self.groups,
            windows: &self.windows,
            overrides: &self.overrides,
            limits: Limits {
                parallel: 4,
                storm: Budget { size: 10, refill: Duration::from_secs(6) },
                mass_min: 10,
                mass_share: 50,
                ..limits()
            },
            table: Table::Writable,
            intake: Intake::Open,
        }
    }

    fn floor(&self) -> usize {
        let there = |alarm: &&Alarm| {
            self.configured.contains_key(&alarm.name) && !self.state.standings.contains_key(&alarm.name)
        };
        self.alarms.iter().filter(there).count()
    }
}

fn declaration(at: usize, names: &[Name]) -> Declaration {
    let needs = [at / 2, at / 3, at.saturating_sub(7)];
    let depends_on = (at > 0 && at < NODES)
        .then(|| needs.iter().filter(|to| **to < at).map(|to| names[*to].clone()).collect());
    let group = (at % 2 == 1).then(|| Membership::Of(Name::new(&format!("group-{}", at % GROUPS))));
    Declaration { group, depends_on }
}

fn rules_of(at: usize) -> Rules {
    Rules { criticality: Criticality::ALL[at % 4], ..rules() }
}

fn standing(at: usize) -> Standing {
    let state = match at % 100 {
        3 => BreakerState::Open { until: NOW.boot.after(Duration::from_secs(60)) },
        _ => BreakerState::Closed,
    };
    let breaker = Breaker { state, failures: 1, useless: vec![Ticks(9_900_000)], ..Breaker::default() };
    Standing {
        breaker,
        last_end: Some(Ticks(9_900_000)),
        alarm_since: Some(Ticks(9_950_000)),
        ..Standing::default()
    }
}

/// Ten windows over a process each, four over a group, and ten that are not open yet.
fn windows(names: &[Name]) -> Vec<Window> {
    let window = |number: usize, scope: Scope, from: i64| Window {
        id: Name::new(&format!("window-{number}")),
        scopes: vec![scope],
        reason: "new disks".to_owned(),
        from: Wall(NOW.wall.0 + from),
        until: Wall(NOW.wall.0 + from + 7_200_000),
    };
    let processes = (0..10).map(|at| window(at, Scope::Process(names[at * 90].clone()), -60_000));
    let group = |at: usize| Scope::Group(Name::new(&format!("group-{}", 2 * at + 1)));
    let groups = (0..4).map(|at| window(10 + at, group(at), -60_000));
    let later = (0..10).map(|at| window(20 + at, Scope::All, 3_600_000));
    processes.chain(groups).chain(later).collect()
}

/// Twenty orders of each kind, and one that covers a group.
fn overrides(names: &[Name]) -> Vec<Override> {
    let given = |scope: Scope, order: Order| Override {
        scope,
        order,
        by: "ana".to_owned(),
        why: "new disks".to_owned(),
        since: Wall(NOW.wall.0 - 60_000),
        until: Some(Wall(NOW.wall.0 + 3_600_000)),
    };
    let of_processes =
        [Order::Hold, Order::Observe, Order::Bypass].into_iter().enumerate().flat_map(|(kind, order)| {
            (0..20).map(move |at| given(Scope::Process(names[at * 45 + kind].clone()), order))
        });
    of_processes.chain([given(Scope::Group(Name::new("group-21")), Order::Hold)]).collect()
}

/// All are suspects, and all but every tenth were seen healthy half a minute ago.
fn mass(names: &[Name]) -> Mass {
    let seen = Ticks(NOW.boot.0 - 30_000);
    let condition = |at: usize| if at.is_multiple_of(10) { Condition::Bad } else { Condition::Healthy };
    let looked = names.len() as u64;
    Mass {
        stage: Stage::Held { looked, healthy: looked - looked / 10 },
        suspects: names.iter().cloned().collect(),
        seen: names.iter().enumerate().map(|(at, name)| (name.clone(), (condition(at), seen))).collect(),
    }
}
