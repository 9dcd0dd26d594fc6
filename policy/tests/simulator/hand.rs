//! Restarts by hand: `pm restart` makes one by itself, whether a daemon runs or not, and the daemon counts it afterwards.

use crate::check::{Ended, Moment, Verdict};
use crate::host::view;
use crate::world::SECOND;
use crate::year::{Event, Year};
use pm_policy::breaker::Admission;
use pm_policy::model::{Checked, End, Job, Name, Order, Outcome, Trial};
use pm_policy::settle::count;

/// A step of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hand {
    /// An operator wants one.
    Asked(Name),
    /// It was made; `up` is what it says itself.
    Made { name: Name, id: u64, up: bool },
    /// The daemon looks what has been done.
    Doorbell,
}

pub(crate) fn happen(year: &mut Year, hand: Hand) -> Verdict {
    match hand {
        Hand::Asked(name) => asked(year, &name),
        Hand::Made { name, id, up } => {
            made(year, &name, id, up);
            Ok(())
        }
        Hand::Doorbell => obey(year),
    }
}

/// It is refused while the process is held or has a job; an open breaker refuses only who does not insist.
fn asked(year: &mut Year, name: &Name) -> Verdict {
    let in_hand = year.journal.unfinished.values().any(|job| job.name == *name);
    let in_hand = in_hand || year.journal.by_hand.contains_key(name);
    if in_hand || year.ordered(Order::Hold, name) || !year.is_configured(name) {
        return Ok(());
    }
    let (rules, now) = (year.rules(name), year.now().boot);
    let standing = year.journal.standings.get(name);
    let refused = standing.map(|its| its.breaker.admits(&rules, now));
    let insists = year.dice.percent(50);
    if matches!(refused, Some(Admission::Refused { .. })) && !insists {
        return Ok(());
    }
    year.log.note(year.t, || format!("{name} is restarted by hand"));
    let id = year.journal.claim_by_hand(name);
    year.check.numbered(id)?;
    let (name, process) = (name.clone(), year.world.index(name));
    if year.is_away(&name, 0) {
        year.after(SECOND, Event::Hand(Hand::Made { name, id, up: false }));
    } else {
        let (up, lasts) = year.restart(process, 0);
        year.after(lasts, Event::Hand(Hand::Made { name, id, up }));
    }
    Ok(())
}

/// It has ended, which the journal tells the daemon.
fn made(year: &mut Year, name: &Name, id: u64, up: bool) {
    if year.journal.by_hand.get(name) != Some(&id) {
        return;
    }
    year.journal.by_hand.remove(name);
    let rules = year.rules(name);
    let good = match rules.check {
        Checked::ByCheck => year.world.healthy(year.world.index(name)),
        Checked::Unchecked => up,
    };
    let away = year.is_away(name, 0);
    let (end, attempts) = match (away, good) {
        (true, _) => (End::Infrastructure, 1),
        (false, true) => (End::Restarted, 1),
        (false, false) => (End::Failed, 1),
    };
    let driver = away.then(|| rules.ladder[0].clone());
    let outcome = Outcome { end, attempts, rung: Some(0), driver, detail: String::new() };
    year.journal.made_by_hand.push((name.clone(), outcome));
    let wait = year.dice.between(1, SECOND);
    year.after(wait, Event::Hand(Hand::Doorbell));
}

/// The daemon counts what was made by hand like what it makes itself.
pub(crate) fn obey(year: &mut Year) -> Verdict {
    if year.pm.is_none() || year.journal.made_by_hand.is_empty() {
        return Ok(());
    }
    for (name, outcome) in std::mem::take(&mut year.journal.made_by_hand) {
        if year.is_configured(&name) {
            counted(year, &name, &outcome)?;
        }
    }
    year.after(SECOND, Event::Flush);
    year.judge()
}

fn counted(year: &mut Year, name: &Name, outcome: &Outcome) -> Verdict {
    let (now, at) = (year.now(), Moment { t: year.t, now: year.now() });
    let rules = year.rules(name);
    let Some(pm) = &mut year.pm else { return Ok(()) };
    let standing = pm.state.standing(name);
    let trial = match standing.map(|standing| standing.breaker.admits(&rules, now.boot)) {
        None | Some(Admission::Allowed) => Trial::No,
        Some(_) => Trial::Probe,
    };
    // Without a check its own word is the answer to the alarms that stood before.
    let answers = rules.check == Checked::Unchecked
        && outcome.end == End::Restarted
        && standing.is_some_and(|its| its.in_flight.is_none() && its.alarm_since.is_some());
    let its = pm.seen.alarms.iter().filter(|alarm| answers && alarm.name == *name && !alarm.acknowledged);
    let job = Job { alarms: its.cloned().collect(), ..Job::by_hand(name, trial) };
    let truth = view(&pm.seen, &year.desk, &year.world, now);
    let told = year.sabotage.rules(&rules);
    let mut settled = count(&mut pm.state, &truth, &told, &job, outcome, now);
    year.sabotage.settled(&mut settled, &job, outcome.end);
    year.log.note(year.t, || format!("{name} by hand: {:?} {settled:?}", outcome.end));
    let ended = Ended { job: &job, outcome, settled: &settled, rules: &rules };
    year.check.counted(&ended, &truth, &pm.state, at)?;
    pm.settled(&job, &settled, &mut year.journal);
    pm.keep(&mut year.journal);
    Ok(())
}
