//! The configuration is changed while pm runs, and so are the tables behind it: numbers, checks, ladders, groups,
//! dependencies, limits, rows.

use crate::check::Verdict;
use crate::dice::Dice;
use crate::fault::Fault;
use crate::world::{self, HOUR, World};
use crate::year::{Event, Year};
use pm_policy::model::{Checked, Configured, Criticality, Dependents, Name, Rules, Verify};
use std::time::Duration;

/// Somebody edits the file, or a table.
pub(crate) fn edit(year: &mut Year) -> Verdict {
    match year.dice.below(10) {
        0..5 => process(year),
        5..7 => relations(year),
        7 => group(year),
        8 => limits(year),
        _ => row(year),
    }
    year.check.reloaded(&year.world);
    Ok(())
}

fn any(year: &mut Year) -> usize {
    year.dice.below(year.world.processes.len() as u64) as usize
}

fn process(year: &mut Year) {
    let process = any(year);
    let name = year.world.processes[process].name.clone();
    let rules = other_rules(&name, &mut year.dice);
    if let Some(its @ Configured::Yes(_)) = year.desk.configured.get_mut(&name) {
        *its = Configured::Yes(rules.clone());
    }
    year.world.processes[process].rules = rules;
}

fn other_rules(name: &Name, dice: &mut Dice) -> Rules {
    let mut rules = world::rules(name.as_str(), dice);
    if dice.percent(30) {
        rules.criticality = *dice.pick(&Criticality::ALL);
    }
    if dice.percent(15) {
        rules.check = *dice.pick(&[Checked::ByCheck, Checked::Unchecked]);
    }
    if dice.percent(15) {
        rules.verify = *dice.pick(&[Verify::First, Verify::AfterOnly]);
    }
    if dice.percent(30) {
        rules.ladder =
            ["service", "process"][..dice.between(1, 2) as usize].iter().map(|its| Name::new(its)).collect();
    }
    if dice.percent(15) {
        rules.dependents = *dice.pick(&[Dependents::Leave, Dependents::Restart]);
    }
    if dice.percent(30) {
        (rules.open_time, rules.pause.base) = (rules.open_time * 2, rules.pause.base * 2);
    }
    rules
}

/// Who is a member, or depends on what, is changed, or changed back.
fn relations(year: &mut Year) {
    let process = any(year);
    let (group, needs) = World::built(process);
    let its = &mut year.world.processes[process];
    if year.dice.percent(50) {
        its.group = if its.group.is_some() { None } else { group };
    } else {
        its.needs = if its.needs.is_empty() { needs } else { Vec::new() };
    }
    year.world.relate();
}

fn group(year: &mut Year) {
    let name = Name::new(year.dice.pick::<&str>(&["front", "core"]));
    let Some(rules) = year.world.groups.get_mut(&name) else { return };
    *rules = world::group_rules(rules.members, &mut year.dice);
    rules.correlation = year.dice.between(0, 3) as u32;
    rules.share = *year.dice.pick(&[0, 50, 80]);
    rules.stable = Duration::from_secs(60 * year.dice.between(3, 8));
}

fn limits(year: &mut Year) {
    year.world.limits = world::host_limits(&mut year.dice);
    year.world.limits.mass_min = year.dice.between(8, 12) as u32;
}

/// A row is deleted, and inserted again later.
fn row(year: &mut Year) {
    let row = year.dice.below(year.world.rows.len() as u64) as usize;
    let its = &mut year.world.rows[row];
    (its.there, its.alarm) = (false, false);
    let lasts = year.dice.wait(HOUR);
    year.after(lasts, Event::Fault(Fault::Insert(row)));
}
