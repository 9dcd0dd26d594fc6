//! `pm maintenance`: windows that operators add to those of the file. They are kept in the journal, where the daemon
//! finds them; nothing here decides what an open window stops.

mod list;
pub(crate) mod words;

use crate::calendar::{Calendar, Part, Recurring, Zone, when};
use crate::cli::arguments::{AddWindowOptions, Global, MaintenanceVerb, RemoveWindowOptions, WordOptions};
use crate::cli::compose::Context;
use crate::cli::operator::{self, Operator};
use crate::cli::{Failure, Terminal};
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
        MaintenanceVerb::Remove(options) => remove(&context, options, terminal),
    }
}

fn add(context: &Context, options: &AddWindowOptions, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let id = Name::new(&options.name);
    if id.is_blank() {
        return Err(Failure::Usage("a maintenance window needs a name".to_owned()));
    }
    let why = (!options.reason.is_empty()).then(|| options.reason.clone());
    let operator = Operator::of(context, &WordOptions { why, by: options.by.clone() }, terminal)?;
    let now = operator.request.at;
    let scopes = scopes(options);
    let refuse = |refusal| operator.refuse("maintenance add", &scopes, None, refusal);
    let definition = definition(&operator, options, &scopes).map_err(refuse)?;
    let added = operator.journal.add_window(&definition, now).map_err(|error| Failure::failed(&error))?;
    if added == Added::Taken {
        let remove = format!("pm maintenance remove {id}");
        return Err(refuse(Failure::Failed(format!(
            "there is a window \"{id}\" already; take another name, or remove that one first: {remove}"
        ))));
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

/// The window that is asked for, or why there cannot be one.
fn definition(
    operator: &Operator<'_>,
    options: &AddWindowOptions,
    scopes: &[Scope],
) -> Result<Definition, Failure> {
    let zone = options.zone.as_deref().map_or_else(|| Ok(Zone::system()), Zone::named);
    let zone = zone.map_err(|unknown| Failure::Usage(format!("--zone: {unknown}; {}", unknown.hint())))?;
    let (id, config) = (Name::new(&options.name), &operator.context.config);
    usable(config, scopes)?;
    let when = time(options, &zone, operator.request.at)?;
    if let Some(line) = config.maintenance_lines.get(&id) {
        let place = format!("line {line} of {}", config.file.display());
        return Err(Failure::Failed(format!(
            "there is a window \"{id}\" already ({place}); take another name"
        )));
    }
    let by = operator.request.by.clone();
    Ok(Definition { id, scopes: scopes.to_vec(), reason: options.reason.clone(), by, when })
}

fn scopes(options: &AddWindowOptions) -> Vec<Scope> {
    if options.all {
        return vec![Scope::All];
    }
    let processes = options.process.iter().map(|name| Scope::Process(Name::new(name)));
    processes.chain(options.group.iter().map(|name| Scope::Group(Name::new(name)))).collect()
}

fn usable(config: &Config, scopes: &[Scope]) -> Result<(), Failure> {
    for scope in scopes {
        match scope {
            Scope::Process(name) if config.process(name.as_str()).is_none() => {
                let file = config.file.display();
                return Err(Failure::Usage(format!(
                    "\"{name}\" is not configured, nothing was added; {file} needs a section [process.{name}]"
                )));
            }
            Scope::Process(name) | Scope::Group(name) if name.is_blank() => {
                return Err(Failure::Usage("a process and a group have a name".to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
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
        (Some(until), _) => when::to_come(until, from, zone).map_err(|why| usage("--until", why))?,
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

fn remove(
    context: &Context,
    options: &RemoveWindowOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let operator = Operator::of(context, &options.word, terminal)?;
    let (journal, id) = (&operator.journal, &Name::new(&options.name));
    let line = context.config.maintenance_lines.get(id);
    // Whom a window would cover that is not there is not known.
    let refuse = |why| operator.refuse("maintenance remove", &[Scope::All], None, Failure::Failed(why));
    if journal.remove_window(id, &operator.request).map_err(|error| Failure::failed(&error))? {
        writeln!(terminal.out, "Removed: {id}.")?;
        return tell(context, terminal);
    }
    if let Some(line) = line {
        let file = context.config.file.display();
        return Err(refuse(format!(
            "the window \"{id}\" is one of the configuration: delete the section [maintenance.{id}], line {line} of \
             {file}"
        )));
    }
    let windows = journal.windows().map_err(|error| Failure::failed(&error))?;
    let there: Vec<_> = windows.iter().map(|window| window.id.to_string()).collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    Err(refuse(format!("there is no window \"{id}\" that could be removed; there are: {there}")))
}
