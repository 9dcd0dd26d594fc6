//! `advance`: lets time and alarms change what is remembered, before anything is decided.
//!
//! An alarm counts against a process only when it is believed: not while somebody holds the process, works on it,
//! restarts it or waits for what it depends on, and not just behind a restart that a check can still confirm.
//! What says nothing about the process disturbs its quiet and changes nothing else.

use crate::breaker::{Forgiven, Opened};
use crate::case::{Answer, Case};
use crate::decide::{Check, Round};
use crate::group::{Calm, Group, GroupAnswer, GroupChange, GroupOpened, GroupState};
use crate::mass::{LONGEST_LOOK, Stage};
use crate::model::{Checked, Configured, Name, Notice, Rules, Sight, Standing, View};
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::{HashMap, HashSet};

/// Lets the state catch up with `view` and `now`; answers what people should know.
pub fn advance(state: &mut State, view: &View<'_>, now: Now) -> Vec<Notice> {
    let mut notices = Vec::new();
    heal(state);
    windows(state, view, now, &mut notices);
    if view.sight == Sight::Clear {
        mass_alarm(state, view, now, &mut notices);
    }
    let fates = fates(state, view, now);
    take_in(state, view, &fates, now, &mut notices);
    pass_time(state, view, now, &mut notices);
    groups(state, view, &fates, now, &mut notices);
    state.standings.retain(|_, standing| *standing != Standing::default());
    notices
}

/// What the alarms of a name mean for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// There is none, or it was handled.
    Quiet,
    /// There is one, and it says nothing about the process.
    Excused,
    /// There is one because of work in a maintenance window.
    InWindow,
    /// There is one, and a check can still find out whether it is older than the last restart.
    Doubted,
    /// There is one, and it is believed.
    Believed {
        /// Whether only the budget of its group stands against a restart.
        overdraws: bool,
    },
}

/// What only ends with a job ends also when the job got lost.
fn heal(state: &mut State) {
    let lost = |name: &Name| state.standings.get(name).is_none_or(|standing| standing.in_flight.is_none());
    let nobody = state.running() == 0;
    for group in state.groups.values_mut() {
        match &mut group.state {
            GroupState::CanaryRuns(canary) if lost(canary) => group.state = GroupState::CanaryDue,
            GroupState::Releasing { begun, good, .. } if nobody => *begun = *good,
            _ => {}
        }
    }
    for driver in state.drivers.values_mut() {
        if driver.trial.as_ref().is_some_and(lost) {
            driver.trial = None;
        }
    }
}

fn windows(state: &mut State, view: &View<'_>, now: Now, notices: &mut Vec<Notice>) {
    for window in view.windows.iter().filter(|window| window.is_open(now.wall)) {
        if state.windows.insert(window.id.clone()) {
            let (id, reason, until) = (window.id.clone(), window.reason.clone(), window.until);
            notices.push(Notice::WindowStarted { id, reason, until });
            state.dirty.host = true;
        }
    }
    let open = |id: &Name| view.windows.iter().any(|window| window.id == *id && window.is_open(now.wall));
    let ended: Vec<Name> = state.windows.iter().filter(|id| !open(id)).cloned().collect();
    for id in ended {
        state.windows.remove(&id);
        state.dirty.host = true;
        notices.push(Notice::WindowEnded { id });
    }
}

fn mass_alarm(state: &mut State, view: &View<'_>, now: Now, notices: &mut Vec<Notice>) {
    let alarms = view.alarms.iter().filter(|alarm| !alarm.acknowledged).count() as u64;
    let known = view.known.unwrap_or_default();
    let limits = view.limits;
    let many = limits.mass_min > 0 && alarms >= u64::from(limits.mass_min);
    let is_mass = many && known > 0 && alarms * 100 > known * u64::from(limits.mass_share);
    match state.mass.stage {
        Stage::None if is_mass => {
            state.mass.stage = Stage::Looking { since: now.boot };
            notices.push(Notice::MassAlarm { alarms, known });
        }
        Stage::None => return,
        _ if !is_mass => {
            state.mass = crate::mass::Mass::default();
            notices.push(Notice::MassOver);
        }
        Stage::Looking { .. } | Stage::Held { .. } | Stage::Believed => {}
    }
    state.dirty.host = true;
    let Stage::Looking { since } = state.mass.stage else { return };
    let unseen = view.alarms.iter().any(|alarm| {
        let checked = matches!(view.configured.get(&alarm.name), Some(Configured::Yes(r)) if r.check == Checked::ByCheck);
        checked && !alarm.acknowledged && !state.mass.seen.contains_key(&alarm.name)
    });
    if !unseen || now.boot.since(since) >= LONGEST_LOOK {
        let (stage, looked, healthy) = state.mass.conclude();
        notices.push(match stage {
            Stage::Held { .. } => Notice::MassHeld { looked, healthy },
            _ => Notice::MassBelieved { looked, healthy },
        });
    }
}

fn fates(state: &State, view: &View<'_>, now: Now) -> HashMap<Name, Fate> {
    let round = Round::new(view, state, now);
    let mut fates: HashMap<Name, Fate> = HashMap::with_capacity(view.alarms.len());
    for alarm in view.alarms.iter().filter(|alarm| !alarm.name.is_blank()) {
        let fate = fate(&Case::of(&round, alarm), &round);
        let entry = fates.entry(alarm.name.clone()).or_insert(fate);
        // Of several rows of a name the one that says most counts.
        if weight(fate) > weight(*entry) {
            *entry = fate;
        }
    }
    fates
}

fn weight(fate: Fate) -> u8 {
    match fate {
        Fate::Quiet => 0,
        Fate::Excused => 1,
        Fate::InWindow => 2,
        Fate::Doubted => 3,
        Fate::Believed { .. } => 4,
    }
}

fn fate(case: &Case<'_>, round: &Round<'_>) -> Fate {
    let asked = Check::ALL.iter().take_while(|check| **check <= Check::Dependency);
    for check in asked {
        match (check, case.ask(*check, round)) {
            (_, Answer::Pass) => {}
            (Check::NotHandled, Answer::Hold(_)) => return Fate::Quiet,
            (Check::Maintenance, Answer::Hold(_)) => return Fate::InWindow,
            _ => return Fate::Excused,
        }
    }
    if case.is_doubted(round.now.boot) {
        return Fate::Doubted;
    }
    let budget_is_spent = |(group, rules)| {
        let its: Group = round.group(group);
        its.state == GroupState::Closed
            && matches!(its.admits(rules, round.now.boot), GroupAnswer::Open { .. })
    };
    let admitted =
        [Check::Driver, Check::Breaker, Check::Backoff].iter().all(|c| case.ask(*c, round) == Answer::Pass);
    let overdraws = admitted && !case.bypassed(round) && case.group(round).is_some_and(budget_is_spent);
    Fate::Believed { overdraws }
}

fn take_in(
    state: &mut State,
    view: &View<'_>,
    fates: &HashMap<Name, Fate>,
    now: Now,
    notices: &mut Vec<Notice>,
) {
    let mut names: Vec<&Name> = fates.keys().collect();
    names.sort_unstable();
    for name in names {
        let fate = fates[name];
        let standing = state.standings.entry(name.clone()).or_default();
        if fate == Fate::Quiet {
            standing.alarm_since = None;
            continue;
        }
        standing.alarm_since.get_or_insert(now.boot);
        if fate == Fate::InWindow && !std::mem::replace(&mut standing.after_window, true) {
            state.dirty.standings.insert(name.clone());
        }
        let Fate::Believed { overdraws } = fate else {
            standing.breaker.disturbed();
            continue;
        };
        let Some(Configured::Yes(rules)) = view.configured.get(name) else { continue };
        believed(state, view, rules, name, now, notices);
        if overdraws
            && let Some(group) = view.related.group_of(name)
            && let Some(its_rules) = view.groups.get(group)
            && let Some(opened) =
                state.groups.entry(group.clone()).or_default().overdrawn(its_rules, group, now.boot)
        {
            notices.push(group_opened(group, opened));
            state.dirty.host = true;
        }
    }
    let blind = view.sight == Sight::Blind;
    for (name, standing) in state.standings.iter_mut().filter(|(name, _)| !fates.contains_key(*name)) {
        (standing.alarm_since, standing.after_window) = (None, standing.after_window && blind);
        if blind || standing.in_flight.is_some() {
            standing.breaker.disturbed();
        } else if standing.breaker.quiet_from.is_none()
            && standing.breaker != crate::breaker::Breaker::default()
        {
            standing.breaker.quiet(now.boot);
            state.dirty.standings.insert(name.clone());
        }
    }
}

fn believed(
    state: &mut State,
    view: &View<'_>,
    rules: &Rules,
    name: &Name,
    now: Now,
    notices: &mut Vec<Notice>,
) {
    relapsed(state, view, rules, name, now, notices);
    let Some(standing) = state.standings.get_mut(name) else { return };
    let was_quiet = standing.breaker.quiet_from.is_some();
    standing.breaker.elapse(now.boot);
    let opened = standing.breaker.alarmed(rules, name, now.boot);
    if was_quiet || opened.is_some() {
        state.dirty.standings.insert(name.clone());
    }
    if let Some(Opened { count, level, until }) = opened {
        notices.push(Notice::BreakerOpened { name: name.clone(), count, level, until });
        troubled(state, view, name, now, notices);
    }
}

/// A restart that seemed to help did not last: the next step of the ladder is due.
pub(crate) fn relapsed(
    state: &mut State,
    view: &View<'_>,
    rules: &Rules,
    name: &Name,
    now: Now,
    notices: &mut Vec<Notice>,
) {
    let Some(standing) = state.standings.get_mut(name) else { return };
    let Some(trial) = standing.trial.take() else { return };
    let top = u32::try_from(rules.ladder.len()).unwrap_or(u32::MAX).saturating_sub(1);
    standing.rung = trial.rung.saturating_add(1).min(top);
    state.dirty.standings.insert(name.clone());
    let after = now.boot.since(trial.since).as_millis();
    notices.push(Notice::Relapsed {
        name: name.clone(),
        after_ms: u64::try_from(after).unwrap_or(u64::MAX),
        rung: standing.rung,
    });
    troubled(state, view, name, now, notices);
}

/// Tells the group of `name` that it failed, relapsed or tripped.
pub(crate) fn troubled(state: &mut State, view: &View<'_>, name: &Name, now: Now, notices: &mut Vec<Notice>) {
    let Some(group) = view.related.group_of(name) else { return };
    let Some(rules) = view.groups.get(group) else { return };
    state.dirty.host = true;
    let its = state.groups.entry(group.clone()).or_default();
    if let Some(opened) = its.trouble(rules, group, name, now.boot) {
        notices.push(group_opened(group, opened));
    }
}

fn group_opened(group: &Name, opened: GroupOpened) -> Notice {
    let GroupOpened { cause, troubled, until } = opened;
    Notice::GroupOpened { group: group.clone(), cause, troubled, until }
}

fn pass_time(state: &mut State, view: &View<'_>, now: Now, notices: &mut Vec<Notice>) {
    let mut names: Vec<Name> = state.standings.keys().cloned().collect();
    names.sort_unstable();
    for name in names {
        let Some(Configured::Yes(rules)) = view.configured.get(&name) else { continue };
        let Some(standing) = state.standings.get_mut(&name) else { continue };
        let mut changed = standing.breaker.elapse(now.boot);
        if changed {
            notices.push(Notice::BreakerHalfOpen { name: name.clone() });
        }
        while let Some(forgiven) = standing.breaker.forgive(rules, now.boot) {
            changed = true;
            if forgiven == Forgiven::Level {
                continue;
            }
            standing.rung = 0;
            if standing.trial.take().is_some() {
                notices.push(Notice::Lasted { name: name.clone() });
            }
            if forgiven == Forgiven::Closed {
                notices.push(Notice::BreakerClosed { name: name.clone() });
            }
        }
        forget(standing, rules, now.boot);
        if changed {
            state.dirty.standings.insert(name);
        }
    }
}

/// What only meant "a while ago" is forgotten when it has no meaning any more.
fn forget(standing: &mut Standing, rules: &Rules, now: Ticks) {
    let over = |at: Option<Ticks>, lasts| at.is_some_and(|at| now.since(at) >= lasts);
    let lasts = rules.stable.max(rules.doubt).max(rules.window);
    if over(standing.last_good, lasts) {
        standing.last_good = None;
    }
    if over(standing.last_end, lasts.max(rules.pause.cap.max(rules.pause.base) * 2)) {
        standing.last_end = None;
    }
    if standing.pause.is_some_and(|until| until <= now) {
        standing.pause = None;
    }
}

fn groups(
    state: &mut State,
    view: &View<'_>,
    fates: &HashMap<Name, Fate>,
    now: Now,
    notices: &mut Vec<Notice>,
) {
    let in_alarm = fates.iter().filter(|(_, fate)| **fate != Fate::Quiet).map(|(name, _)| name);
    let running = state.standings.iter().filter(|(_, its)| its.in_flight.is_some()).map(|(name, _)| name);
    let busy: HashSet<&Name> =
        in_alarm.chain(running).filter_map(|name| view.related.group_of(name)).collect();
    for (group, its) in &mut state.groups {
        let Some(rules) = view.groups.get(group) else { continue };
        let calm = if view.sight == Sight::Clear && !busy.contains(group) { Calm::Yes } else { Calm::No };
        while let Some(change) = its.elapse(rules, calm, now.boot) {
            state.dirty.host = true;
            let group = group.clone();
            notices.push(match change {
                GroupChange::HalfOpen => Notice::GroupHalfOpen { group },
                GroupChange::Releasing => Notice::GroupReleasing { group },
                GroupChange::Closed => Notice::GroupClosed { group },
            });
        }
    }
    state.groups.retain(|_, its| !is_clean(its, now.boot));
}

fn is_clean(group: &Group, now: Ticks) -> bool {
    let full = group.bucket.full_at <= now;
    group.state == GroupState::Closed && group.level == 0 && group.troubled.is_empty() && full
}
