//! What goes wrong, and what people do about it.

use crate::check::Verdict;
use crate::hand::Hand;
use crate::world::{DAY, HOUR, MINUTE, Ms, SECOND};
use crate::year::{Event, Year};
use pm_policy::model::{Configured, Intake, Name, Order, Override, Scope, Window};
use pm_policy::time::Wall;

/// The end of something that had begun.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Reachable,
    Writable,
    DriverBack(Name),
    /// An operator takes back what he has ordered.
    Release(String),
    /// An operator clears one wrong alarm, and comes back for the next.
    CleanUp,
    Untick(usize),
    Configure(usize),
    Intake,
    Kill,
    Recover(usize),
    Believe,
    /// A row that was deleted is inserted again.
    Insert(usize),
}

/// Something happens, by chance.
pub(crate) fn strike(year: &mut Year) -> Verdict {
    match year.dice.below(100) {
        0..30 => crash(year, 0),
        30..38 => {
            let lasts = year.dice.wait(3 * HOUR);
            crash(year, lasts);
        }
        38..46 => flap(year),
        46..50 => needs_another_step(year),
        50..56 => common_cause(year),
        56..60 => driver_away(year),
        60..64 => outage(year),
        64..67 => read_only(year),
        67..73 => false_alarm(year),
        73..75 => mass_update(year),
        75..79 => kill(year),
        79..80 => reboot(year),
        80..82 => year.wall_shift += year.dice.below(6 * HOUR) as i64 - 3 * HOUR as i64,
        82 => year.suspend(),
        83..86 => return crate::reload::edit(year),
        86..95 => return whim(year),
        _ => recover(year),
    }
    year.notice_changes();
    Ok(())
}

fn any(year: &mut Year) -> usize {
    let count = year.world.processes.len() as u64;
    year.dice.below(count) as usize
}

fn group(year: &mut Year) -> Name {
    Name::new(year.dice.pick::<&str>(&["front", "core"]))
}

fn name(year: &mut Year) -> Name {
    let process = any(year);
    year.world.processes[process].name.clone()
}

fn crash(year: &mut Year, broken_for: Ms) {
    let process = any(year);
    down(year, process, broken_for);
}

fn down(year: &mut Year, process: usize, broken_for: Ms) {
    let its = &mut year.world.processes[process];
    (its.up, its.life) = (false, its.life + 1);
    its.broken_until = its.broken_until.max(year.t + broken_for);
    // Most of what depends on it comes back with it, some has to be restarted as well.
    for dependent in 0..year.world.processes.len() {
        if year.world.processes[dependent].needs.contains(&process) && year.dice.percent(30) {
            year.world.processes[dependent].up = false;
        }
    }
}

fn flap(year: &mut Year) {
    let process = any(year);
    let (dies_after, lasts) = (year.dice.between(10 * SECOND, 10 * MINUTE), year.dice.wait(4 * HOUR));
    year.world.processes[process].flaps = Some((dies_after, year.t + lasts));
    down(year, process, 0);
}

fn needs_another_step(year: &mut Year) {
    let process = any(year);
    let steps = year.world.processes[process].rules.ladder.len() as u32;
    year.world.processes[process].cure = Some(steps - 1);
    down(year, process, 0);
}

fn common_cause(year: &mut Year) {
    let group = group(year);
    let lasts = year.dice.wait(HOUR);
    for process in 0..year.world.processes.len() {
        let member = year.world.processes[process].group.as_ref().is_some_and(|its| *its == group);
        if member && year.dice.percent(85) {
            down(year, process, lasts);
        }
    }
}

fn driver_away(year: &mut Year) {
    let driver = Name::new(year.dice.pick::<&str>(&["service", "process"]));
    let lasts = year.dice.wait(20 * MINUTE);
    year.world.drivers_away.push(driver.clone());
    year.after(lasts, Event::Fault(Fault::DriverBack(driver)));
    crash(year, 0);
}

fn outage(year: &mut Year) {
    year.world.reachable = false;
    let lasts = year.dice.wait(20 * MINUTE);
    year.after(lasts, Event::Fault(Fault::Reachable));
    crash(year, 0);
}

fn read_only(year: &mut Year) {
    year.world.writable = false;
    let lasts = year.dice.wait(2 * HOUR);
    year.after(lasts, Event::Fault(Fault::Writable));
    crash(year, 0);
}

fn false_alarm(year: &mut Year) {
    let row = year.dice.below(year.world.rows.len() as u64) as usize;
    year.world.report(row, false);
    year.poll_within(10 * SECOND);
}

/// An UPDATE without its WHERE; an operator finds it out later.
fn mass_update(year: &mut Year) {
    for row in &mut year.world.rows {
        row.alarm = row.there;
    }
    year.poll_within(10 * SECOND);
    let wait = year.dice.between(MINUTE, HOUR);
    year.after(wait, Event::Fault(Fault::CleanUp));
}

fn kill(year: &mut Year) {
    if let Some(pm) = year.pm.take() {
        year.check.crashed(pm.running.keys().cloned());
    }
    let wait = year.dice.between(SECOND, 10 * MINUTE);
    year.after(wait, Event::Start);
}

fn reboot(year: &mut Year) {
    kill(year);
    year.booted = year.t;
    year.journal.rebooted();
    year.journal.last_id = year.sabotage.last_id(year.journal.last_id);
    year.check.rebooted(year.t);
    for process in 0..year.world.processes.len() {
        let comes_up = year.dice.percent(90);
        let its = &mut year.world.processes[process];
        (its.up, its.life) = (comes_up && its.broken_until <= year.t, its.life + 1);
    }
}

fn recover(year: &mut Year) {
    let process = any(year);
    if year.world.processes[process].broken_until <= year.t {
        year.world.processes[process].up = true;
    }
}

/// Operators do something.
fn whim(year: &mut Year) -> Verdict {
    match year.dice.below(100) {
        0..20 => order(year, Order::Hold),
        20..35 => order(year, Order::Observe),
        35..50 => order(year, Order::Bypass),
        50..62 => window(year),
        62..72 => tick(year),
        72..78 => reset(year),
        78..84 => configure(year),
        84..88 => {
            year.desk.intake = *year.dice.pick(&[Intake::Observing, Intake::Stopping]);
            let stopping = year.desk.intake == Intake::Stopping;
            let lasts = if stopping { year.dice.between(SECOND, MINUTE) } else { year.dice.wait(HOUR) };
            let end = if stopping { Fault::Kill } else { Fault::Intake };
            year.after(lasts, Event::Fault(end));
        }
        88..92 => believe(year),
        _ => {
            let name = name(year);
            year.after(0, Event::Hand(Hand::Asked(name)));
        }
    }
    year.notice_changes();
    Ok(())
}

fn scope(year: &mut Year) -> Scope {
    match year.dice.below(10) {
        0 => Scope::All,
        1..4 => Scope::Group(group(year)),
        _ => Scope::Process(name(year)),
    }
}

fn order(year: &mut Year, order: Order) {
    let (scope, lasts) = (scope(year), year.dice.wait(2 * HOUR).min(DAY));
    let (since, by) = (year.now().wall, format!("operator {}", year.t));
    let until = (order == Order::Bypass || year.dice.percent(50)).then(|| Wall(since.0 + lasts as i64));
    year.desk.overrides.push(Override { scope, order, by: by.clone(), why: String::new(), since, until });
    year.after(lasts, Event::Fault(Fault::Release(by)));
}

fn window(year: &mut Year) {
    let wall = year.now().wall.0;
    let (from, lasts) = (year.dice.below(HOUR) as i64, year.dice.wait(HOUR) as i64);
    let window = Window {
        id: Name::new(&format!("work {}", year.t)),
        scopes: vec![scope(year), scope(year)],
        reason: String::new(),
        from: Wall(wall + from),
        until: Wall(wall + from + lasts),
    };
    year.desk.windows.retain(|window| window.until.0 > wall);
    year.desk.windows.push(window);
    // The work leaves something behind.
    let process = any(year);
    down(year, process, 0);
    year.after(from as Ms + lasts as Ms / 2, Event::Fault(Fault::Recover(process)));
}

fn tick(year: &mut Year) {
    let row = year.dice.below(year.world.rows.len() as u64) as usize;
    year.world.rows[row].ticked = true;
    let lasts = year.dice.wait(HOUR);
    year.after(lasts, Event::Fault(Fault::Untick(row)));
}

fn reset(year: &mut Year) {
    let name = name(year);
    let group = group(year);
    let Some(pm) = &mut year.pm else { return };
    if year.dice.percent(70) {
        pm.state.reset(&name);
        year.check.reset(&name);
    } else {
        pm.state.reset_group(&group);
        year.check.reset_group(&group, year.t);
    }
    pm.keep(&mut year.journal);
    year.poll_within(SECOND);
}

fn configure(year: &mut Year) {
    let process = any(year);
    let name = year.world.processes[process].name.clone();
    let without =
        if year.dice.percent(50) { Configured::No } else { Configured::Unusable("broken".to_owned()) };
    year.desk.configured.insert(name, without);
    let lasts = year.dice.wait(HOUR);
    year.after(lasts, Event::Fault(Fault::Configure(process)));
}

pub(crate) fn believe(year: &mut Year) {
    let Some(pm) = &mut year.pm else { return };
    pm.state.believe();
    year.check.believed();
    pm.keep(&mut year.journal);
}

/// Something that had begun comes to its end.
pub(crate) fn happen(year: &mut Year, fault: Fault) -> Verdict {
    match fault {
        Fault::Reachable => year.world.reachable = true,
        Fault::Writable => year.world.writable = true,
        Fault::DriverBack(driver) => year.world.drivers_away.retain(|away| *away != driver),
        Fault::Release(by) => year.desk.overrides.retain(|order| order.by != by),
        Fault::CleanUp => clean_up(year),
        Fault::Untick(row) => year.world.rows[row].ticked = false,
        Fault::Configure(process) => {
            let its = &year.world.processes[process];
            year.desk.configured.insert(its.name.clone(), Configured::Yes(its.rules.clone()));
        }
        Fault::Intake => year.desk.intake = Intake::Open,
        // In a quiet time nobody stops it any more.
        Fault::Kill if !year.troubled => {}
        Fault::Kill => {
            kill(year);
            year.desk.intake = Intake::Open;
        }
        Fault::Believe => believe(year),
        Fault::Insert(row) => year.world.rows[row].there = true,
        Fault::Recover(process) => year.world.processes[process].up = true,
    }
    year.notice_changes();
    year.poll_within(5 * SECOND);
    Ok(())
}

fn clean_up(year: &mut Year) {
    let wrong =
        |row: &usize| year.world.rows[*row].alarm && year.world.healthy(year.world.rows[*row].process);
    let Some(row) = (0..year.world.rows.len()).find(wrong) else { return };
    year.world.rows[row].alarm = false;
    year.after(20 * SECOND, Event::Fault(Fault::CleanUp));
}

/// Everything is repaired, everybody takes back what was ordered, and who asks whether to believe a mass alarm gets an
/// answer; pm has to do the rest.
pub(crate) fn repair(year: &mut Year) {
    year.troubled = false;
    let world = &mut year.world;
    (world.reachable, world.writable) = (true, true);
    world.drivers_away.clear();
    world.rows.iter_mut().for_each(|row| (row.there, row.ticked) = (true, false));
    for process in &mut world.processes {
        (process.broken_until, process.cure, process.flaps) = (0, None, None);
        process.life += 1;
        year.desk.configured.insert(process.name.clone(), Configured::Yes(process.rules.clone()));
    }
    year.desk.overrides.clear();
    year.desk.windows.clear();
    year.desk.intake = Intake::Open;
    year.after(SECOND, Event::Start);
    year.after(MINUTE, Event::Fault(Fault::Believe));
    year.notice_changes();
    year.poll_within(5 * SECOND);
}
