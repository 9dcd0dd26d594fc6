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
use pm_policy::model::{
    Alarm, Configured, Criticality, Intake, Limits, Name, Rules, Sight, Standing, Table, View,
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
const NOW: Now = Now { boot: Ticks(10_000_000), wall: Wall(1_800_000_000_000) };

struct Case {
    alarms: Vec<Alarm>,
    configured: HashMap<Name, Configured>,
    related: Related,
    groups: HashMap<Name, GroupRules>,
    state: State,
}

pub(crate) fn measure() -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut per_alarm = Vec::new();
    for count in [1_000, 10_000, 100_000] {
        let case = Case::new(count);
        let view = case.view();
        let floor = timed(|| case.floor());
        let decided = timed(|| decide(&view, &case.state, NOW).held.len());
        let mut states: Vec<State> = (0..ROUNDS).map(|_| case.state.clone()).collect();
        let advanced = timed(|| states.pop().map(|mut state| advance(&mut state, &view, NOW).len()));
        let what =
            format!("decide on {count} alarms, {NODES} names with dependencies; floor: two look-ups a name");
        figures.push(compared(what, decided, floor));
        figures.push(compared(
            format!("the same: let time and alarms change what is remembered ({count})"),
            advanced,
            floor,
        ));
        per_alarm.push(decided.as_secs_f64() / count as f64);
    }
    let growth: Vec<_> = per_alarm.iter().map(|each| text(Duration::from_secs_f64(each * 1_000.0))).collect();
    println!("decide, per 1,000 alarms, at 1,000, 10,000 and 100,000: {}", growth.join(", "));
    figures
}

/// The middle of several runs.
fn timed<T>(mut run: impl FnMut() -> T) -> Duration {
    let once = |run: &mut dyn FnMut() -> T| {
        let began = Instant::now();
        black_box(run());
        began.elapsed()
    };
    median((0..ROUNDS).map(|_| once(&mut run)).collect())
}

impl Case {
    /// `count` processes in alarm. A thousand of them depend on up to three others each, every second one is in one of
    /// the groups, every tenth has a history, every hundredth an open breaker.
    fn new(count: usize) -> Self {
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
        Self {
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
            windows: &[],
            overrides: &[],
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
