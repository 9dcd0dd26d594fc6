//! What the alarms of one look mean for the processes they are about, before anything is decided.
//!
//! An alarm counts against a process only when it is believed: not while somebody holds the process, works on it,
//! restarts it or waits for what it depends on, and not as long as a check can still find out whether it is true.

use crate::case::{Answer, Case};
use crate::decide::Check;
use crate::group::GroupAnswer;
use crate::model::{Name, Standing, Verify, View};
use crate::round::Round;
use crate::state::State;
use crate::time::Now;
use std::collections::{BTreeSet, HashMap};

/// What the alarms of a name mean for it; of several rows the one that says most counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// There is none, or it was handled.
    Quiet,
    /// There is one, and it says nothing about the process.
    Excused,
    /// There is one, and what it depends on comes first.
    Waits,
    /// There is one, and a job that is running will tell.
    Busy,
    /// There is one while a maintenance window is open.
    InWindow,
    /// There is one, and a check has to look whether it is true.
    Doubted,
    /// There is one, and it is believed.
    Believed,
}

/// What one look shows.
pub(crate) struct Seen<'a> {
    fates: HashMap<&'a Name, Fate>,
    /// The names, in the order of the table.
    names: Vec<&'a Name>,
    /// Groups of which a member wants a restart that their budget does not allow.
    pub(crate) overdrawn: BTreeSet<&'a Name>,
}

/// Groups with a member that is being looked at: what was set aside for it of their budget may come back.
fn looking<'a>(state: &State, view: &View<'a>) -> BTreeSet<&'a Name> {
    let looks = |standing: &Standing| {
        standing.in_flight.is_some_and(|job| matches!(job.verify, Verify::First | Verify::Patiently))
    };
    let members = state.standings.iter().filter(|(_, standing)| looks(standing));
    members.filter_map(|(name, _)| view.related.group_of(name)).collect()
}

impl<'a> Seen<'a> {
    pub(crate) fn new(state: &State, view: &View<'a>, now: Now) -> Self {
        let round = Round::new(view, state, now);
        let count = view.alarms.len();
        let (fates, names) = (HashMap::with_capacity(count), Vec::with_capacity(count));
        let mut seen = Self { fates, names, overdrawn: BTreeSet::new() };
        let looking = looking(state, view);
        for alarm in view.alarms.iter().filter(|alarm| !alarm.name.is_blank()) {
            let case = Case::of(&round, alarm);
            let fate = fate(&case, &round);
            let known = seen.fates.entry(&alarm.name).or_insert_with(|| {
                seen.names.push(&alarm.name);
                fate
            });
            *known = fate.max(*known);
            let group = view.related.group_of(&alarm.name).filter(|group| !looking.contains(group));
            if fate >= Fate::Doubted && overdraws(&case, &round) {
                seen.overdrawn.extend(group);
            }
        }
        seen
    }

    pub(crate) fn fate(&self, name: &Name) -> Fate {
        self.fates.get(name).copied().unwrap_or(Fate::Quiet)
    }

    /// Everybody who is in alarm, with what that means, in the order of the table.
    pub(crate) fn in_alarm(&self) -> impl Iterator<Item = (&'a Name, Fate)> {
        let all = self.names.iter().map(|name| (*name, self.fates[name]));
        all.filter(|(_, fate)| *fate != Fate::Quiet)
    }
}

fn fate(case: &Case<'_>, round: &Round<'_>) -> Fate {
    if case.ask(Check::NotHandled, round) != Answer::Pass {
        return Fate::Quiet;
    }
    // Whatever else is the matter: what is worked on may leave an alarm behind.
    if round.sights.window(case.name).is_some() {
        return Fate::InWindow;
    }
    for check in Check::ALL.into_iter().take_while(|check| *check <= Check::Dependency) {
        if case.ask(check, round) != Answer::Pass {
            return match check {
                Check::NotRunning => Fate::Busy,
                Check::Dependency => Fate::Waits,
                _ => Fate::Excused,
            };
        }
    }
    if case.doubt(round).is_some() { Fate::Doubted } else { Fate::Believed }
}

/// Whether nothing but the spent budget of its group stands against a restart.
fn overdraws(case: &Case<'_>, round: &Round<'_>) -> bool {
    let Some((group, rules)) = case.group(round) else { return false };
    // That a group opens just now is what one that is closed answers when its budget is spent.
    let spent = round.group(group).admits(rules, round.now.boot) == GroupAnswer::Open { until: None };
    let admits = |check: &Check| case.ask(*check, round) == Answer::Pass;
    spent && !case.bypassed(round) && [Check::Driver, Check::Breaker, Check::Backoff].iter().all(admits)
}
