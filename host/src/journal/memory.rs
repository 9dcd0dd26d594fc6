//! The forms in which standings, groups and decisions stand in the journal: JSON in one column, each moment in
//! milliseconds of the boot clock.
//!
//! What a newer pm added is left out by an older one and a missing part reads as a clean slate, so that neither loses
//! more than it does not know.

use super::windows::StoredScope;
use crate::policy::breaker::{Breaker, Probe, State};
use crate::policy::bucket::Bucket;
use crate::policy::driver::Driver;
use crate::policy::group::{Group, GroupState};
use crate::policy::mass::{Condition, Mass, Stage};
use crate::policy::model::{Due, Name, OnTrial, Standing};
use crate::policy::relations::Relations;
use crate::policy::time::{Ticks, Wall};
use crate::policy::window::{Announced, Scope};
use crate::ports::{Answer, Asked, HostMemory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What of a standing has no column of its own.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptStanding {
    half_open: Option<KeptProbe>,
    level: u8,
    useless: Vec<u64>,
    quiet_from: Option<u64>,
    last_end: Option<u64>,
    rung: u32,
    trial: Option<(u32, u64)>,
    after_window: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeptProbe {
    Due,
    Used,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptGroup {
    state: KeptState,
    level: u8,
    full_at: u64,
    troubled: BTreeMap<String, u64>,
    tried: BTreeMap<String, u64>,
    quiet_from: Option<u64>,
    proving_from: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KeptState {
    #[default]
    Closed,
    Open(u64),
    CanaryDue,
    CanaryRuns(String),
    CanaryProbation(String, u64),
    Releasing(u32, u32, u32),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptDriver {
    failures: u32,
    until: Option<u64>,
    trial: Option<String>,
}

/// Two names.
type Pair = (String, String);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptHost {
    groups: BTreeMap<String, KeptGroup>,
    drivers: BTreeMap<String, KeptDriver>,
    due: BTreeMap<String, (String, u64)>,
    storm: u64,
    mass: KeptMass,
    suspects: Vec<String>,
    /// Who was looked at, whether that was good, and when.
    seen: Vec<(String, bool, u64)>,
    windows: Vec<String>,
    /// Whom they cover, since when they are open, and until when: of those whose start this or a later version announced.
    announced: Vec<(String, Vec<StoredScope>, i64, i64)>,
    /// Processes and their groups, processes and what they depend on.
    relations: (Vec<Pair>, Vec<Pair>),
    seen_until: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KeptMass {
    #[default]
    None,
    Looking(u64),
    Held(u64, u64),
    Believed,
}

/// The part of a standing that has no column of its own.
pub(super) fn packed(standing: &Standing) -> String {
    let breaker = &standing.breaker;
    text(&KeptStanding {
        half_open: match breaker.state {
            State::HalfOpen(Probe::Due) => Some(KeptProbe::Due),
            State::HalfOpen(Probe::Used) => Some(KeptProbe::Used),
            State::Closed | State::Open { .. } => None,
        },
        level: breaker.level,
        useless: breaker.useless.iter().map(|at| at.0).collect(),
        quiet_from: breaker.quiet_from.map(|at| at.0),
        last_end: standing.last_end.map(|at| at.0),
        rung: standing.rung,
        trial: standing.trial.map(|trial| (trial.rung, trial.since.0)),
        after_window: standing.after_window,
    })
}

/// A standing from its columns and [`packed`]; `open_until` is that of an open breaker.
pub(super) fn unpacked(memory: Option<&str>, failures: u32, open_until: Option<Ticks>) -> Option<Standing> {
    let kept: KeptStanding =
        memory.map_or(Some(KeptStanding::default()), |text| serde_json::from_str(text).ok())?;
    let state = match (open_until, kept.half_open) {
        (Some(until), _) => State::Open { until },
        (None, Some(KeptProbe::Due)) => State::HalfOpen(Probe::Due),
        (None, Some(KeptProbe::Used)) => State::HalfOpen(Probe::Used),
        (None, None) => State::Closed,
    };
    Some(Standing {
        breaker: Breaker {
            state,
            level: kept.level,
            failures,
            useless: kept.useless.into_iter().map(Ticks).collect(),
            quiet_from: kept.quiet_from.map(Ticks),
        },
        last_end: kept.last_end.map(Ticks),
        rung: kept.rung,
        trial: kept.trial.map(|(rung, since)| OnTrial { rung, since: Ticks(since) }),
        after_window: kept.after_window,
        ..Standing::default()
    })
}

/// What is remembered of the host.
pub(super) fn packed_host(host: &HostMemory) -> String {
    let group = |(name, group): (&Name, &Group)| (name.as_str().to_owned(), kept_group(group));
    let driver = |(name, its): (&Name, &Driver)| {
        let (until, trial) = (its.until.map(|at| at.0), its.trial.as_ref().map(own));
        (own(name), KeptDriver { failures: its.failures, until, trial })
    };
    let due = |(name, due): (&Name, &Due)| (own(name), (own(&due.because), due.since.0));
    let seen =
        |(name, (seen, at)): (&Name, &(Condition, Ticks))| (own(name), *seen == Condition::Healthy, at.0);
    let announced = |(id, its): (&Name, &Announced)| {
        (own(id), its.scopes.iter().map(StoredScope::from).collect(), its.since.0, its.until.0)
    };
    text(&KeptHost {
        groups: host.groups.iter().map(group).collect(),
        drivers: host.drivers.iter().map(driver).collect(),
        due: host.due.iter().map(due).collect(),
        storm: host.storm.full_at.0,
        mass: match host.mass.stage {
            Stage::None => KeptMass::None,
            Stage::Looking { since } => KeptMass::Looking(since.0),
            Stage::Held { looked, healthy } => KeptMass::Held(looked, healthy),
            Stage::Believed => KeptMass::Believed,
        },
        suspects: host.mass.suspects.iter().map(own).collect(),
        seen: host.mass.seen.iter().map(seen).collect(),
        windows: host.windows.keys().map(own).collect(),
        announced: host.windows.iter().map(announced).collect(),
        relations: (
            host.relations.groups.iter().map(pair).collect(),
            host.relations.dependencies.iter().map(pair).collect(),
        ),
        seen_until: host.seen_until.map(|at| at.0),
    })
}

/// The reverse of [`packed_host`].
pub(super) fn unpacked_host(memory: &str) -> Option<HostMemory> {
    let kept: KeptHost = serde_json::from_str(memory).ok()?;
    let due = |(name, (because, since)): (String, (String, u64))| {
        (Name::new(&name), Due { because: Name::new(&because), since: Ticks(since) })
    };
    let seen = |(name, healthy, at): &(String, bool, u64)| {
        let condition = if *healthy { Condition::Healthy } else { Condition::Bad };
        (Name::new(name), (condition, Ticks(*at)))
    };
    let mass = Mass {
        stage: match kept.mass {
            KeptMass::None => Stage::None,
            KeptMass::Looking(since) => Stage::Looking { since: Ticks(since) },
            KeptMass::Held(looked, healthy) => Stage::Held { looked, healthy },
            KeptMass::Believed => Stage::Believed,
        },
        suspects: kept.suspects.iter().map(|name| Name::new(name)).collect(),
        seen: kept.seen.iter().map(seen).collect(),
    };
    let known = kept.announced.iter().map(|(id, scopes, since, until)| {
        let scopes = scopes.iter().map(Scope::from).collect();
        (Name::new(id), Announced { scopes, since: Wall(*since), until: Wall(*until) })
    });
    let driver = |(name, kept): (String, KeptDriver)| {
        let (until, trial) = (kept.until.map(Ticks), kept.trial.as_deref().map(Name::new));
        (Name::new(&name), Driver { failures: kept.failures, until, trial })
    };
    Some(HostMemory {
        drivers: kept.drivers.into_iter().map(driver).collect(),
        groups: kept.groups.into_iter().map(|(name, group)| (Name::new(&name), read_group(group))).collect(),
        due: kept.due.into_iter().map(due).collect(),
        storm: Bucket { full_at: Ticks(kept.storm) },
        mass,
        windows: kept.windows.iter().map(|id| (Name::new(id), Announced::default())).chain(known).collect(),
        relations: Relations {
            groups: kept.relations.0.iter().map(read_pair).collect(),
            dependencies: kept.relations.1.iter().map(read_pair).collect(),
        },
        seen_until: kept.seen_until.map(Ticks),
    })
}

/// In another boot its moments mean nothing.
pub(super) fn after_reboot(host: HostMemory) -> HostMemory {
    let groups = host.groups.iter().map(|(name, group)| (name.clone(), group.after_reboot())).collect();
    let mut due = host.due.clone();
    for due in due.values_mut() {
        due.since = Ticks(0);
    }
    let HostMemory { windows, relations, .. } = host;
    HostMemory { groups, due, windows, relations, ..HostMemory::default() }
}

/// A chain of checks.
pub(super) fn packed_chain(chain: &[Asked]) -> String {
    let asked = |asked: &Asked| (asked.check.clone(), asked.answer == Answer::Held, asked.saw.clone());
    text(&chain.iter().map(asked).collect::<Vec<_>>())
}

/// The reverse of [`packed_chain`].
pub(super) fn unpacked_chain(text: &str) -> Option<Vec<Asked>> {
    let chain: Vec<(String, bool, String)> = serde_json::from_str(text).ok()?;
    let asked =
        |(check, held, saw)| Asked { check, answer: if held { Answer::Held } else { Answer::Passed }, saw };
    Some(chain.into_iter().map(asked).collect())
}

fn kept_group(group: &Group) -> KeptGroup {
    KeptGroup {
        state: match &group.state {
            GroupState::Closed => KeptState::Closed,
            GroupState::Open { until } => KeptState::Open(until.0),
            GroupState::CanaryDue => KeptState::CanaryDue,
            GroupState::CanaryRuns(name) => KeptState::CanaryRuns(own(name)),
            GroupState::CanaryProbation { canary, since } => KeptState::CanaryProbation(own(canary), since.0),
            GroupState::Releasing { batch, begun, good } => KeptState::Releasing(*batch, *begun, *good),
        },
        level: group.level,
        full_at: group.bucket.full_at.0,
        troubled: group.troubled.iter().map(|(name, at)| (own(name), at.0)).collect(),
        tried: group.tried.iter().map(|(name, at)| (own(name), at.0)).collect(),
        quiet_from: group.quiet_from.map(|at| at.0),
        proving_from: group.proving_from.map(|at| at.0),
    }
}

fn read_group(kept: KeptGroup) -> Group {
    Group {
        state: match kept.state {
            KeptState::Closed => GroupState::Closed,
            KeptState::Open(until) => GroupState::Open { until: Ticks(until) },
            KeptState::CanaryDue => GroupState::CanaryDue,
            KeptState::CanaryRuns(name) => GroupState::CanaryRuns(Name::new(&name)),
            KeptState::CanaryProbation(name, since) => {
                GroupState::CanaryProbation { canary: Name::new(&name), since: Ticks(since) }
            }
            KeptState::Releasing(batch, begun, good) => GroupState::Releasing { batch, begun, good },
        },
        level: kept.level,
        bucket: Bucket { full_at: Ticks(kept.full_at) },
        tried: kept.tried.iter().map(|(name, at)| (Name::new(name), Ticks(*at))).collect(),
        troubled: kept.troubled.iter().map(|(name, at)| (Name::new(name), Ticks(*at))).collect(),
        quiet_from: kept.quiet_from.map(Ticks),
        proving_from: kept.proving_from.map(Ticks),
    }
}

fn pair((name, of): &(Name, Name)) -> Pair {
    (own(name), own(of))
}

fn read_pair((name, of): &Pair) -> (Name, Name) {
    (Name::new(name), Name::new(of))
}

fn own(name: &Name) -> String {
    name.as_str().to_owned()
}

fn text(value: &impl Serialize) -> String {
    // These are trees of texts and numbers with texts as keys; nothing in them can fail.
    serde_json::to_string(value).unwrap_or_default()
}
