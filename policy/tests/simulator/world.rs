//! The truth: processes that die, and the table of alarms, which tells of it late, wrongly or not at all.
//!
//! Nothing of pm is in here, and pm sees nothing of this but rows, checks and the results of restarts.

use crate::dice::Dice;
use pm_policy::backoff::Backoff;
use pm_policy::bucket::Budget;
use pm_policy::group::GroupRules;
use pm_policy::model::{Checked, Clear, Criticality, Dependents, Limits, Name, RowId, Rules, Verify};
use pm_policy::relations::{Declaration, Declared, Membership, Related, Relations};
use std::collections::HashMap;
use std::time::Duration;

/// Milliseconds since the year began; the boot clock and the wall clock are made of it.
pub(crate) type Ms = u64;

pub(crate) const SECOND: Ms = 1_000;
pub(crate) const MINUTE: Ms = 60 * SECOND;
pub(crate) const HOUR: Ms = 60 * MINUTE;
pub(crate) const DAY: Ms = 24 * HOUR;

/// Name, group, what it depends on.
const PARK: [(&str, Option<&str>, &[&str]); 12] = [
    ("db", None, &[]),
    ("queue", None, &[]),
    ("auth", None, &["db"]),
    ("api", Some("core"), &["auth", "queue"]),
    ("billing", Some("core"), &["db"]),
    ("web1", Some("front"), &["api"]),
    ("web2", Some("front"), &["api"]),
    ("web3", Some("front"), &["api"]),
    ("web4", Some("front"), &[]),
    ("mail", None, &[]),
    ("report", None, &["billing"]),
    ("legacy", None, &[]),
];

/// A process as it really is.
pub(crate) struct Process {
    pub(crate) name: Name,
    pub(crate) rules: Rules,
    pub(crate) group: Option<Name>,
    pub(crate) needs: Vec<usize>,
    pub(crate) up: bool,
    /// No restart helps before.
    pub(crate) broken_until: Ms,
    /// The only step of the ladder that helps, if not all do.
    pub(crate) cure: Option<u32>,
    /// Dies that long after each start, until then.
    pub(crate) flaps: Option<(Ms, Ms)>,
    /// Number of its starts.
    pub(crate) life: u64,
    was_healthy: bool,
}

/// A row of the table.
pub(crate) struct Row {
    pub(crate) id: RowId,
    pub(crate) process: usize,
    /// Whether it is in the table.
    pub(crate) there: bool,
    pub(crate) alarm: bool,
    pub(crate) ticked: bool,
    pub(crate) notes: Option<String>,
    /// Whether its source clears it when it sees the process healthy.
    pub(crate) clears: bool,
    /// How late its source is at the most.
    pub(crate) lag: Ms,
}

/// What became of a clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Cleared,
    /// The row is not what was read.
    NotMatched,
    Refused,
    Unreachable,
}

pub(crate) struct World {
    pub(crate) processes: Vec<Process>,
    pub(crate) rows: Vec<Row>,
    pub(crate) reachable: bool,
    pub(crate) writable: bool,
    /// Strategies whose driver is away.
    pub(crate) drivers_away: Vec<Name>,
    pub(crate) related: Related,
    pub(crate) groups: HashMap<Name, GroupRules>,
    pub(crate) limits: Limits,
}

impl World {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut processes = Vec::new();
        for (process, (name, ..)) in PARK.iter().enumerate() {
            let (group, needs) = Self::built(process);
            processes.push(Process {
                name: Name::new(name),
                rules: rules(name, dice),
                group,
                needs,
                up: true,
                broken_until: 0,
                cure: None,
                flaps: None,
                life: 0,
                was_healthy: true,
            });
        }
        let mut rows = Vec::new();
        // Some names have two rows.
        for process in (0..processes.len()).chain([5, 9]) {
            let id = RowId(rows.len() as i64 + 1);
            let (clears, lag) = (dice.percent(40), dice.between(1, 90) * SECOND);
            rows.push(Row {
                id,
                process,
                there: true,
                alarm: false,
                ticked: false,
                notes: None,
                clears,
                lag,
            });
        }
        Self {
            related: related(&processes),
            processes,
            rows,
            reachable: true,
            writable: true,
            drivers_away: Vec::new(),
            groups: [("core", 2), ("front", 4)]
                .map(|(name, members)| (Name::new(name), group_rules(members, dice)))
                .into(),
            limits: host_limits(dice),
        }
    }

    /// The group of a process and what it depends on, as the park was built.
    pub(crate) fn built(process: usize) -> (Option<Name>, Vec<usize>) {
        let at = |name: &&str| PARK.iter().position(|its| its.0 == *name).unwrap();
        let (_, group, needs) = PARK[process];
        (group.map(Name::new), needs.iter().map(at).collect())
    }

    /// Groups and dependencies are read anew.
    pub(crate) fn relate(&mut self) {
        self.related = related(&self.processes);
        for (group, rules) in &mut self.groups {
            rules.members = self.related.members(group).len() as u32;
        }
    }

    pub(crate) fn index(&self, name: &Name) -> usize {
        self.processes.iter().position(|process| process.name == *name).unwrap()
    }

    /// Whether a check of it would be good.
    pub(crate) fn healthy(&self, process: usize) -> bool {
        let its = &self.processes[process];
        its.up && its.needs.iter().all(|needed| self.healthy(*needed))
    }

    /// Whose health has changed since it was asked last.
    pub(crate) fn changes(&mut self) -> Vec<usize> {
        let mut changed = Vec::new();
        for process in 0..self.processes.len() {
            let healthy = self.healthy(process);
            if std::mem::replace(&mut self.processes[process].was_healthy, healthy) != healthy {
                changed.push(process);
            }
        }
        changed
    }

    /// A step of its ladder acts on a process; whether it is up.
    pub(crate) fn restart(&mut self, process: usize, rung: u32, now: Ms) -> bool {
        let its = &mut self.processes[process];
        its.up = now >= its.broken_until && its.cure.is_none_or(|cure| cure == rung);
        its.life += 1;
        its.up
    }

    /// The source of a row reports what it has seen, which may be long ago.
    pub(crate) fn report(&mut self, row: usize, healthy: bool) {
        let its = &mut self.rows[row];
        if !its.there {
            return;
        }
        if !healthy {
            its.alarm = true;
        } else if its.clears {
            its.alarm = false;
        }
    }

    /// pm's guarded UPDATE.
    pub(crate) fn clear(&mut self, clear: &Clear) -> Written {
        if !self.reachable {
            return Written::Unreachable;
        }
        if !self.writable {
            return Written::Refused;
        }
        let row = self.rows.iter_mut().find(|row| row.id == clear.row).unwrap();
        if !row.alarm || row.notes != clear.notes {
            return Written::NotMatched;
        }
        row.alarm = false;
        if let Some(at) = clear.restarted_at {
            row.notes = Some(format!("Restarted at {}", at.0));
        }
        Written::Cleared
    }
}

fn related(processes: &[Process]) -> Related {
    let mut file = Declared::default();
    for its in processes {
        let needs = its.needs.iter().map(|needed| processes[*needed].name.clone()).collect();
        let declaration =
            Declaration { group: its.group.clone().map(Membership::Of), depends_on: Some(needs) };
        file.processes.insert(its.name.clone(), declaration);
    }
    Related::merge(&file, &Relations::default())
}

pub(crate) fn rules(name: &str, dice: &mut Dice) -> Rules {
    use Criticality::{Critical, High, Low, Normal};
    let secs = Duration::from_secs;
    let (criticality, threshold, base, open, most) = match name {
        "db" | "queue" => (Critical, 5, 5, 120, 1_800),
        "auth" | "api" => (High, 4, 10, 180, 2_700),
        "report" => (Low, 2, 30, 900, 10_800),
        _ => (Normal, 3, 10, 300, 3_600),
    };
    let steps: &[&str] = if matches!(name, "mail" | "web2") { &["service", "process"] } else { &["service"] };
    Rules {
        criticality,
        threshold: threshold + dice.below(2) as u32,
        window: secs(60 * dice.between(10, 30)),
        open_time: secs(open),
        open_max: secs(most),
        open_jitter: 20,
        stable: secs(60 * dice.between(5, 12)),
        pause: Backoff { base: secs(base), factor: 2.0, cap: secs(300) },
        pause_jitter: 10,
        check: if name == "legacy" { Checked::Unchecked } else { Checked::ByCheck },
        verify: if name == "report" { Verify::First } else { Verify::AfterOnly },
        grace: secs(if name == "legacy" { 3_600 } else { 60 }),
        ladder: steps.iter().map(|step| Name::new(step)).collect(),
        dependents: if name == "auth" { Dependents::Restart } else { Dependents::Leave },
        ..pm_policy::testing::rules()
    }
}

pub(crate) fn group_rules(members: u32, dice: &mut Dice) -> GroupRules {
    GroupRules {
        budget: Budget { size: dice.between(3, 6) as u32, refill: Duration::from_secs(60) },
        share: 50,
        window: Duration::from_secs(600),
        open_time: Duration::from_secs(180),
        open_max: Duration::from_secs(1_800),
        stable: Duration::from_secs(300),
        members,
        ..pm_policy::testing::group_rules()
    }
}

/// The limits of the host.
pub(crate) fn host_limits(dice: &mut Dice) -> Limits {
    let mut limits = pm_policy::testing::World::new(&[]).limits;
    limits.parallel = dice.between(2, 5) as usize;
    limits.storm = Budget { size: dice.between(3, 8) as u32, refill: Duration::from_secs(15) };
    (limits.mass_min, limits.mass_share) = (10, 60);
    limits
}
