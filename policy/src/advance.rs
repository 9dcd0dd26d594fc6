//! `advance`: lets time and alarms change what is remembered, before anything is decided.
//!
//! What an alarm means is worked out in [`fate`](crate::fate). What says nothing about the process disturbs its quiet
//! and changes nothing else.

mod removed;

use crate::breaker::{Forgiven, Opened};
use crate::fate::{Fate, Seen};
use crate::group::{Calm, Group, GroupChange, GroupLook, GroupOpened, GroupRules, GroupState};
use crate::model::{Configured, Name, Notice, Rules, Sight, Standing, View};
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::HashSet;

/// Lets the state catch up with `view` and `now`; answers what people should know.
pub fn advance(state: &mut State, view: &View<'_>, now: Now) -> Vec<Notice> {
    let mut notices = Vec::new();
    heal(state, view);
    windows(state, view, now, &mut notices);
    if view.sight == Sight::Clear {
        crate::mass::watch(state, view, now, &mut notices);
    }
    let seen = Seen::new(state, view, now);
    take_in(state, view, &seen, now, &mut notices);
    overdraw(state, view, &seen, now, &mut notices);
    quiet(state, view, &seen, now);
    pass_time(state, view, &seen, now, &mut notices);
    groups(state, view, &seen, now, &mut notices);
    removed::forget(state, view, &seen);
    state.standings.retain(|_, standing| *standing != Standing::default());
    notices
}

/// What only ends with a job ends also when the job got lost, and what is due when there is no such process any more.
fn heal(state: &mut State, view: &View<'_>) {
    let due = state.due.len();
    state.due.retain(|name, _| view.configured.get(name) != Some(&Configured::No));
    state.dirty.host |= state.due.len() != due;
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

fn take_in(state: &mut State, view: &View<'_>, seen: &Seen<'_>, now: Now, notices: &mut Vec<Notice>) {
    for (name, fate) in seen.in_alarm() {
        let standing = state.standings.entry(name.clone()).or_default();
        standing.alarm_since.get_or_insert(now.boot);
        let changed = match fate {
            // What is not known yet changes nothing: the outcome of the job tells.
            Fate::Quiet | Fate::Busy | Fate::Doubted => false,
            Fate::Excused => standing.breaker.disturbed(),
            Fate::Waits => {
                standing.waited = true;
                standing.breaker.disturbed()
            }
            Fate::InWindow => in_window(standing),
            Fate::Believed => match view.configured.get(name) {
                Some(Configured::Yes(rules)) => believed(state, view, rules, name, now, notices),
                _ => false,
            },
        };
        if changed {
            state.dirty.standings.insert(name.clone());
        }
    }
}

/// An alarm of planned work says nothing about the process, nor about the restart before the work, which cannot prove
/// itself any more; whether something that is stored has changed.
fn in_window(standing: &mut Standing) -> bool {
    let unjudged = standing.trial.take().is_some();
    if unjudged {
        standing.breaker.unjudged();
    }
    let disturbed = standing.breaker.disturbed();
    let first = !std::mem::replace(&mut standing.after_window, true);
    unjudged || disturbed || first
}

/// An alarm counts; whether something that is stored has changed.
fn believed(
    state: &mut State,
    view: &View<'_>,
    rules: &Rules,
    name: &Name,
    now: Now,
    notices: &mut Vec<Notice>,
) -> bool {
    let relapsed = relapsed(state, rules, name, now, notices);
    let Some(standing) = state.standings.get_mut(name) else { return relapsed };
    let was_quiet = standing.breaker.quiet_from.is_some();
    let opened = standing.breaker.alarmed(rules, name, now.boot);
    if let Some(Opened { count, level, until }) = opened {
        notices.push(Notice::BreakerOpened { name: name.clone(), count, level, until });
    }
    if relapsed || opened.is_some() {
        group_told(state, view, name, Group::trouble, now, notices);
    }
    group_told(state, view, name, Group::alarmed, now, notices);
    was_quiet || opened.is_some()
}

/// Members want restarts that the budget of their group does not allow.
fn overdraw(state: &mut State, view: &View<'_>, seen: &Seen<'_>, now: Now, notices: &mut Vec<Notice>) {
    for group in &seen.overdrawn {
        let Some(rules) = view.groups.get(group) else { continue };
        let its = state.groups.entry((*group).clone()).or_default();
        if let Some(opened) = its.overdrawn(rules, group, now.boot) {
            notices.push(group_opened(group, opened));
            state.dirty.host = true;
        }
    }
}

/// Whoever is not in alarm is quiet, as far as it can be seen.
fn quiet(state: &mut State, view: &View<'_>, seen: &Seen<'_>, now: Now) {
    let blind = view.sight == Sight::Blind;
    for (name, standing) in &mut state.standings {
        let hidden = standing.is_out_of_sight(view.polled);
        if hidden && !blind {
            // Whether it is still in alarm is for the next poll to say.
            continue;
        }
        if !hidden {
            standing.ended = None;
        }
        if seen.fate(name) != Fate::Quiet {
            continue;
        }
        // After a job that could not be carried out the row may be out of sight until the next poll.
        let kept = blind || standing.pause.is_some();
        let mut changed = !kept && std::mem::take(&mut standing.after_window);
        standing.waited &= kept;
        let went_away = !hidden && standing.alarm_since.take().is_some();
        changed |= (blind || went_away) && standing.breaker.disturbed();
        if !blind && standing.in_flight.is_none() {
            changed |= standing.breaker.quiet(now.boot);
        }
        if changed {
            state.dirty.standings.insert(name.clone());
        }
    }
}

/// A restart that seemed to help did not last, if one did: the next step of the ladder is due.
pub(crate) fn relapsed(
    state: &mut State,
    rules: &Rules,
    name: &Name,
    now: Now,
    notices: &mut Vec<Notice>,
) -> bool {
    let Some(standing) = state.standings.get_mut(name) else { return false };
    let step = standing.step(rules);
    let Some(trial) = standing.trial.take() else { return false };
    standing.rung = step;
    state.dirty.standings.insert(name.clone());
    // It may have been looked at, or have waited, since its alarm came.
    let alarm = standing.alarm_since.filter(|alarm| *alarm >= trial.since).unwrap_or(now.boot);
    let after = alarm.since(trial.since).as_millis();
    notices.push(Notice::Relapsed {
        name: name.clone(),
        after_ms: u64::try_from(after).unwrap_or(u64::MAX),
        rung: standing.rung,
    });
    true
}

/// What a group is told of a member: that it failed, relapsed or tripped, was restarted again, or is in alarm.
pub(crate) type Word = fn(&mut Group, &GroupRules, &Name, &Name, Ticks) -> Option<GroupOpened>;

/// Tells the group of `name`, if it has one with limits.
pub(crate) fn group_told(
    state: &mut State,
    view: &View<'_>,
    name: &Name,
    word: Word,
    now: Now,
    notices: &mut Vec<Notice>,
) {
    let Some(group) = view.related.group_of(name) else { return };
    let Some(rules) = view.groups.get(group) else { return };
    let its = state.groups.entry(group.clone()).or_default();
    let before = its.clone();
    if let Some(opened) = word(its, rules, group, name, now.boot) {
        notices.push(group_opened(group, opened));
    }
    state.dirty.host |= *its != before;
}

fn group_opened(group: &Name, opened: GroupOpened) -> Notice {
    let GroupOpened { cause, troubled, until } = opened;
    Notice::GroupOpened { group: group.clone(), cause, troubled, until }
}

fn pass_time(state: &mut State, view: &View<'_>, seen: &Seen<'_>, now: Now, notices: &mut Vec<Notice>) {
    let mut names: Vec<Name> = state.standings.keys().cloned().collect();
    names.sort_unstable();
    for name in names {
        let Some(Configured::Yes(rules)) = view.configured.get(&name) else { continue };
        let Some(standing) = state.standings.get_mut(&name) else { continue };
        let mut changed = standing.breaker.elapse(now.boot);
        if changed {
            notices.push(Notice::BreakerHalfOpen { name: name.clone() });
        }
        let is_quiet = standing.in_flight.is_none() && seen.fate(&name) == Fate::Quiet;
        let proven = now.boot.min(view.polled);
        // The restart on trial, and those before it.
        let lasted_after_others = standing.trial.is_some() && standing.breaker.useless.len() > 1;
        while is_quiet && let Some(forgiven) = standing.breaker.forgive(rules, proven) {
            changed = true;
            if forgiven == Forgiven::Level {
                continue;
            }
            standing.rung = 0;
            if standing.trial.take().is_some() {
                notices.push(Notice::Lasted { name: name.clone() });
            }
            match forgiven {
                Forgiven::Closed => notices.push(Notice::BreakerClosed { name: name.clone() }),
                Forgiven::Restarts if lasted_after_others => {
                    notices.push(Notice::FailuresForgotten { name: name.clone() });
                }
                Forgiven::Restarts | Forgiven::Level => {}
            }
        }
        // After a reboot nothing is left that a stable period could forgive.
        if is_quiet && standing.breaker.is_clean() && standing.trial.is_none() {
            changed |= std::mem::take(&mut standing.rung) > 0;
        }
        changed |= forget(standing, rules, now.boot);
        if changed {
            state.dirty.standings.insert(name);
        }
    }
}

/// What only meant "a while ago" is forgotten when it has no meaning any more; whether something was.
fn forget(standing: &mut Standing, rules: &Rules, now: Ticks) -> bool {
    let before = (standing.last_good, standing.last_end, standing.pause);
    let over = |at: Option<Ticks>, lasts| at.is_some_and(|at| now.since(at) >= lasts);
    let lasts = rules.stable.max(rules.doubt).max(rules.window);
    // As long as there is an alarm, it matters how long before it that was.
    if standing.alarm_since.is_none() && over(standing.last_good, lasts) {
        standing.last_good = None;
    }
    if over(standing.last_end, lasts.max(rules.pause.cap.max(rules.pause.base).saturating_mul(2))) {
        standing.last_end = None;
    }
    if standing.pause.is_some_and(|until| until <= now) {
        standing.pause = None;
    }
    before != (standing.last_good, standing.last_end, standing.pause)
}

fn groups(state: &mut State, view: &View<'_>, seen: &Seen<'_>, now: Now, notices: &mut Vec<Notice>) {
    let running = state.standings.iter().filter(|(_, its)| its.in_flight.is_some()).map(|(name, _)| name);
    let busy: HashSet<&Name> = seen
        .in_alarm()
        .map(|(name, _)| name)
        .chain(running)
        .filter_map(|name| view.related.group_of(name))
        .collect();
    for (group, its) in &mut state.groups {
        let Some(rules) = view.groups.get(group) else { continue };
        let calm = |quiet: bool| if view.sight == Sight::Clear && quiet { Calm::Yes } else { Calm::No };
        let look = GroupLook {
            now: now.boot,
            proven: now.boot.min(view.polled),
            canary: calm(its.on_probation().is_some_and(|canary| seen.fate(canary) == Fate::Quiet)),
            members: calm(!busy.contains(group)),
        };
        let before = (its.quiet_from, its.proving_from);
        while let Some(change) = its.elapse(rules, look) {
            state.dirty.host = true;
            let group = group.clone();
            notices.extend(match change {
                GroupChange::HalfOpen => Some(Notice::GroupHalfOpen { group }),
                GroupChange::Releasing => Some(Notice::GroupReleasing { group }),
                GroupChange::Closed => Some(Notice::GroupClosed { group }),
                GroupChange::Level => None,
            });
        }
        // A pm that is killed must not take an old quiet for one that lasted; one that begins anew forgives later, no more.
        state.dirty.host |= before.0.is_some() && its.quiet_from.is_none();
        state.dirty.host |= before.1.is_some() && its.proving_from.is_none();
    }
    let before = state.groups.len();
    // Groups that only a table speaks of are known again when the database is.
    let known = |group: &Name| view.sight == Sight::Blind || view.groups.contains_key(group);
    state.groups.retain(|group, its| known(group) && !is_clean(its, now.boot));
    state.dirty.host |= state.groups.len() != before;
}

fn is_clean(group: &Group, now: Ticks) -> bool {
    let full = group.bucket.full_at <= now;
    group.state == GroupState::Closed && group.level == 0 && group.troubled.is_empty() && full
}

#[cfg(test)]
mod tests;
