//! `pm maintenance list`: the windows of the file and of the journal with their present or next occurrence.

use super::words;
use crate::calendar::{Calendar, Zone};
use crate::cli::arguments::Format;
use crate::cli::compose::Context;
use crate::cli::{Failure, Terminal, json};
use crate::config::{Config, effective};
use crate::policy::model::{Name, printable};
use crate::policy::time::Wall;
use crate::policy::window::{Definition, When, Window};
use crate::ports::Windows as _;
use crate::ports::overrides::covers;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// A window and where it stands.
struct Listed {
    definition: Definition,
    /// The line of its section; none for one of the journal.
    line: Option<u32>,
    state: State,
}

enum State {
    Open(Window),
    Planned(Window),
    Over,
    Unusable(String),
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Planned(_) => "planned",
            Self::Over => "over",
            Self::Unusable(_) => "unusable",
        }
    }

    fn order(&self) -> (u8, i64) {
        match self {
            Self::Open(window) => (0, window.until.0),
            Self::Planned(window) => (1, window.from.0),
            Self::Unusable(_) => (2, 0),
            Self::Over => (3, 0),
        }
    }

    fn window(&self) -> Option<&Window> {
        match self {
            Self::Open(window) | Self::Planned(window) => Some(window),
            Self::Over | Self::Unusable(_) => None,
        }
    }
}

pub(super) fn list(context: &Context, format: Format, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (listed, broken) = (listed(context)?, broken(&context.config));
    match format {
        Format::Json => {
            let broken = broken.iter().map(|(id, line)| {
                json!({ "name": id.as_str(), "source": "configuration", "line": line, "state": "unusable",
                        "problem": "its section has errors; see: pm check" })
            });
            json::write(&json!(listed.iter().map(in_json).chain(broken).collect::<Vec<_>>()), terminal.out)
        }
        Format::Text if listed.is_empty() && broken.is_empty() => {
            writeln!(
                terminal.out,
                "No maintenance windows. To add one: pm maintenance add NAME --for 2h --all"
            )?;
            Ok(())
        }
        Format::Text => {
            for (number, window) in listed.iter().enumerate() {
                if number > 0 {
                    writeln!(terminal.out)?;
                }
                write(window, &context.config.file, terminal.out)?;
            }
            for (id, line) in broken {
                let file = context.config.file.display();
                writeln!(
                    terminal.out,
                    "\n{id}: cannot be used as line {line} of {file} has it; see: pm check"
                )?;
            }
            Ok(())
        }
    }
}

/// Windows of the file that were left out because of errors.
fn broken(config: &Config) -> Vec<(&Name, u32)> {
    let understood = |id: &Name| config.maintenance.iter().any(|window| window.id == *id);
    let all = config.maintenance_lines.iter().map(|(id, line)| (id, *line));
    all.filter(|(id, _)| !understood(id)).collect()
}

/// Those of the file and those of the journal: the open ones, then what comes next, then the rest.
fn listed(context: &Context) -> Result<Vec<Listed>, Failure> {
    let (config, now) = (&context.config, context.now().wall);
    let added = context.journal_read_only()?.windows().map_err(|error| Failure::failed(&error))?;
    let of_file = config.maintenance.iter().map(|definition| Listed {
        line: config.maintenance_lines.get(&definition.id).copied(),
        state: state(definition, now),
        definition: definition.clone(),
    });
    let hidden = |added: &Definition| config.maintenance.iter().any(|window| window.id == added.id);
    let of_journal = added.into_iter().map(|definition| {
        let remove = format!("pm maintenance remove {}", definition.id);
        let state = if hidden(&definition) {
            State::Unusable(format!("the configuration has one of this name; remove this one with: {remove}"))
        } else {
            state(&definition, now)
        };
        Listed { line: None, state, definition }
    });
    let mut listed: Vec<_> = of_file.chain(of_journal).collect();
    listed.sort_by_key(|listed| listed.state.order());
    Ok(listed)
}

fn state(definition: &Definition, now: Wall) -> State {
    let (calendar, mut problems) = Calendar::new([definition.clone()]);
    if let Some(problem) = problems.pop() {
        return State::Unusable(problem.why);
    }
    match calendar.occurrences(now).pop() {
        Some(window) if window.is_open(now) => State::Open(window),
        Some(window) => State::Planned(window),
        None => State::Over,
    }
}

fn write(listed: &Listed, file: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let Definition { id, scopes, reason, by, when } = &listed.definition;
    let local = Zone::system();
    match &listed.state {
        State::Open(window) => writeln!(out, "{id}: OPEN until {}", local.show(window.until))?,
        State::Planned(window) => writeln!(out, "{id}: opens at {}", local.show(window.from))?,
        State::Over => writeln!(out, "{id}: over")?,
        State::Unusable(why) => writeln!(out, "{id}: cannot be used: {why}")?,
    }
    let mut row = |label: &str, text: &str| writeln!(out, "  {label:<8} {}", printable(text));
    row("covers", &covers(scopes, usize::MAX))?;
    row("planned", &words::planned(when))?;
    if let (Some(window), When::Recurring { zone, .. }) = (listed.state.window(), when) {
        let label = if matches!(listed.state, State::Open(_)) { "now" } else { "next" };
        let local_name = if local.name().is_empty() { "local time" } else { local.name() };
        row(label, &span(window, &local, local_name))?;
        if let Some(its) = Zone::named(zone).ok().filter(|its| *its != local) {
            row("", &span(window, &its, zone))?;
        }
    }
    match listed.line {
        Some(line) => row("by", &format!("{by} ({}, line {line})", file.display()))?,
        None => row("by", by)?,
    }
    if !reason.is_empty() {
        row("reason", reason)?;
    }
    Ok(())
}

fn span(window: &Window, zone: &Zone, name: &str) -> String {
    format!("{} to {} ({name})", zone.show(window.from), zone.show(window.until))
}

fn in_json(listed: &Listed) -> Value {
    let mut out = effective::planned(&listed.definition);
    out["source"] = json!(if listed.line.is_some() { "configuration" } else { "journal" });
    out["line"] = json!(listed.line);
    out["state"] = json!(listed.state.word());
    out["problem"] = match &listed.state {
        State::Unusable(why) => json!(why),
        State::Open(_) | State::Planned(_) | State::Over => Value::Null,
    };
    out["occurrence"] = json!(
        listed
            .state
            .window()
            .map(|window| { json!({ "from_ms": window.from.0, "until_ms": window.until.0 }) })
    );
    out
}
