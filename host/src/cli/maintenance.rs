//! `pm maintenance`: windows that operators add to those of the file. They are kept in the journal, where the daemon
//! finds them; nothing here decides what an open window stops.

mod list;
pub(crate) mod words;

use crate::calendar::{Calendar, Part, Recurring, Zone, when};
use crate::cli::arguments::{AddWindowOptions, Global, MaintenanceVerb};
use crate::cli::compose::Context;
use crate::cli::{Failure, Terminal, operator, who};
use crate::config::Config;
use crate::policy::model::Name;
use crate::policy::time::Wall;
use crate::policy::window::{Definition, Scope, When};
use crate::ports::{Added, Windows as _};
use pm_plugin_api::value::Value as _;
use std::time::Duration;

pub(crate) fn maintenance(
    global: &Global,
    verb: &MaintenanceVerb,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    match verb {
        MaintenanceVerb::Add(options) => add(&context, options, terminal),
        MaintenanceVerb::List(options) => list::list(&context, options.format, terminal),
        MaintenanceVerb::Remove(options) => remove(&context, &Name::new(&options.name), terminal),
    }
}

fn add(context: &Context, options: &AddWindowOptions, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (now, id) = (context.now().wall, Name::new(&options.name));
    if id.is_blank() {
        return Err(Failure::Usage("a maintenance window needs a name".to_owned()));
    }
    let zone = options.zone.as_deref().map_or_else(|| Ok(Zone::system()), Zone::named);
    let zone = zone.map_err(|unknown| Failure::Usage(format!("--zone: {unknown}; {}", unknown.hint())))?;
    let definition = Definition {
        scopes: scopes(&context.config, options)?,
        reason: options.reason.clone(),
        by: options.by.clone().unwrap_or_else(who::login),
        when: time(options, &zone, now)?,
        id,
    };
    let id = &definition.id;
    if let Some(line) = context.config.maintenance_lines.get(id) {
        let place = format!("line {line} of {}", context.config.file.display());
        return Err(Failure::Failed(format!(
            "there is a window \"{id}\" already ({place}); take another name"
        )));
    }
    let added = context.journal()?.add_window(&definition, now).map_err(|error| Failure::failed(&error))?;
    if added == Added::Taken {
        let remove = format!("pm maintenance remove {id}");
        return Err(Failure::Failed(format!(
            "there is a window \"{id}\" already; take another name, or remove that one first: {remove}"
        )));
    }
    let (calendar, _) = Calendar::new([definition.clone()]);
    let local = Zone::system();
    for window in calendar.occurrences(now) {
        let (from, until) = (local.show(window.from), local.show(window.until));
        let covers = words::covers(&definition.scopes);
        if window.is_open(now) {
            writeln!(terminal.out, "Added: {id} is open until {until}, for {covers}.")?;
        } else {
            writeln!(terminal.out, "Added: {id} opens at {from} until {until}, for {covers}.")?;
        }
    }
    for remark in remarks(context, &definition.scopes) {
        writeln!(terminal.out, "{remark}")?;
    }
    tell(context, terminal)
}

/// What is to be said of groups that no process is in, and of processes that have neither a section of their own nor a
/// row: they may be yet to come, or misspelt.
fn remarks(context: &Context, scopes: &[Scope]) -> Vec<String> {
    let config = &context.config;
    let missing = |scope: &&Scope| match scope {
        Scope::All => false,
        Scope::Group(group) => !context.arrangement().groups.contains_key(group),
        Scope::Process(name) => !config.processes.contains_key(name.as_str()),
    };
    let missing: Vec<&Scope> = scopes.iter().filter(missing).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let rows = match context.store().list() {
        Ok(rows) => rows,
        Err(error) => return vec![format!("Whether the table knows whom it covers is not known: {error}")],
    };
    let remark = |scope: &Scope| match scope {
        Scope::Group(group) => Some(format!("Nobody is in a group {group} now; see: pm check, pm db status")),
        Scope::Process(name) if rows.iter().all(|row| row.name != *name) => {
            Some(format!("There is no process {name} now, neither a section nor a row; see: pm status"))
        }
        Scope::Process(_) | Scope::All => None,
    };
    missing.into_iter().filter_map(remark).collect()
}

/// Tells the daemon at once: whoever begins to work now must not wait until it looks by itself.
fn tell(context: &Context, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if let Some(told) = operator::ring(context) {
        writeln!(terminal.out, "{told}")?;
    }
    Ok(())
}

fn scopes(config: &Config, options: &AddWindowOptions) -> Result<Vec<Scope>, Failure> {
    if options.all {
        return Ok(vec![Scope::All]);
    }
    let processes: Vec<_> = options.process.iter().map(|name| Name::new(name)).collect();
    let groups: Vec<_> = options.group.iter().map(|name| Name::new(name)).collect();
    if let Some(unknown) = processes.iter().find(|name| config.process(name.as_str()).is_none()) {
        let file = config.file.display();
        return Err(Failure::Usage(format!(
            "\"{unknown}\" is not configured, nothing was added; {file} needs a section [process.{unknown}]"
        )));
    }
    if processes.iter().chain(&groups).any(Name::is_blank) {
        return Err(Failure::Usage("a process and a group have a name".to_owned()));
    }
    Ok(processes.into_iter().map(Scope::Process).chain(groups.into_iter().map(Scope::Group)).collect())
}

/// When the window is; one whose beginning has passed begins now.
fn time(options: &AddWindowOptions, zone: &Zone, now: Wall) -> Result<When, Failure> {
    let usage = |option: &str, why: String| Failure::Usage(format!("{option}: {why}"));
    let duration = options.lasting.as_deref().map(Duration::parse).transpose();
    let duration = duration.map_err(|why| usage("--for", why))?;
    if let (Some(cron), Some(duration)) = (&options.cron, duration) {
        Recurring::new(cron, duration, zone.name()).map_err(|wrong| {
            let option = match wrong.part {
                Part::Cron => "--cron",
                Part::Duration => "--for",
                Part::Zone => "--zone",
            };
            usage(option, wrong.to_string())
        })?;
        return Ok(When::Recurring { cron: cron.clone(), duration, zone: zone.name().to_owned() });
    }
    let from = options.from.as_deref().unwrap_or("now");
    let from = when::moment(from, now, zone).map_err(|why| usage("--from", why))?;
    let until = match (&options.until, duration) {
        (Some(until), _) => when::moment(until, from, zone).map_err(|why| usage("--until", why))?,
        (None, duration) => when::after(from, duration.unwrap_or_default()),
    };
    let shown = zone.show(until);
    if until <= from {
        let begins = zone.show(from);
        return Err(Failure::Usage(format!(
            "the window would end at {shown}, which is not after its beginning, {begins}"
        )));
    }
    if until <= now {
        return Err(Failure::Usage(format!("the window would be over already: it ends at {shown}")));
    }
    Ok(When::Once { from: from.max(now), until })
}

fn remove(context: &Context, id: &Name, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let journal = context.journal()?;
    let line = context.config.maintenance_lines.get(id);
    if journal.remove_window(id).map_err(|error| Failure::failed(&error))? {
        writeln!(terminal.out, "Removed: {id}.")?;
        return tell(context, terminal);
    }
    if let Some(line) = line {
        let file = context.config.file.display();
        return Err(Failure::Failed(format!(
            "the window \"{id}\" is one of the configuration: delete the section [maintenance.{id}], line {line} of \
             {file}"
        )));
    }
    let windows = journal.windows().map_err(|error| Failure::failed(&error))?;
    let there: Vec<_> = windows.iter().map(|window| window.id.to_string()).collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    Err(Failure::Failed(format!("there is no window \"{id}\" that could be removed; there are: {there}")))
}
