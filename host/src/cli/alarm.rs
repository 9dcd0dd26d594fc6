//! `pm alarm raise|clear|list`: what the original's test tool did, for one, several or all processes of this host.

use crate::cli::arguments::{AlarmVerb, Format, Global, RowsOptions};
use crate::cli::compose::Context;
use crate::cli::table::{local, table};
use crate::cli::{Failure, Terminal, json};
use crate::policy::model::{Name, printable};
use crate::ports::{AlarmStore, Row, Rows};
use serde_json::json;

pub(crate) fn alarm(global: &Global, verb: &AlarmVerb, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut store = context.store();
    let stamp = local(context.now().wall);
    match verb {
        AlarmVerb::Add(options) => {
            for name in &options.names {
                let name = Name::new(name);
                if name.is_blank() {
                    return Err(Failure::Usage("a process needs a name".to_owned()));
                }
                let row = store.add(&name).map_err(|error| Failure::database(&error))?;
                writeln!(terminal.out, "{name} has row {}.", row.0)?;
            }
        }
        AlarmVerb::Raise(options) => {
            let note = options.note.clone().unwrap_or_else(|| format!("Test alarm triggered at {stamp}"));
            let rows = rows(options, store.as_mut())?;
            let count = store.raise(&rows, &note).map_err(|error| Failure::database(&error))?;
            writeln!(terminal.out, "In alarm now: {}.", counted(count))?;
        }
        AlarmVerb::Clear(options) => {
            let note = options.note.clone().unwrap_or_else(|| format!("Reset at {stamp}"));
            let rows = rows(options, store.as_mut())?;
            let count = store.reset(&rows, &note).map_err(|error| Failure::database(&error))?;
            writeln!(terminal.out, "Out of alarm now: {}.", counted(count))?;
        }
        AlarmVerb::List(options) => {
            let rows = store.list().map_err(|error| Failure::database(&error))?;
            list(&rows, options.format, terminal)?;
        }
    }
    Ok(())
}

/// The rows that are meant; a name that is not in the table is an error before anything is written.
fn rows(options: &RowsOptions, store: &mut dyn AlarmStore) -> Result<Rows, Failure> {
    if options.all {
        return Ok(Rows::All);
    }
    let known = store.list().map_err(|error| Failure::database(&error))?;
    let names: Vec<_> = options.names.iter().map(|name| Name::new(name)).collect();
    for name in &names {
        if !known.iter().any(|row| row.name == *name) {
            let there: Vec<_> = known.iter().map(|row| row.name.to_string()).collect();
            return Err(Failure::Failed(format!(
                "no process \"{name}\" in the table, nothing was changed; there are: {}",
                if there.is_empty() { "none".to_owned() } else { there.join(", ") }
            )));
        }
    }
    Ok(Rows::Named(names))
}

fn counted(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

fn state(row: &Row) -> &'static str {
    match (row.alarm, row.sound) {
        (1, 0) => "alarm",
        (1, _) => "alarm, ticked",
        _ => "normal",
    }
}

fn list(rows: &[Row], format: Format, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if format == Format::Json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({"id": row.row.0, "name": row.name.as_str(), "alarma": row.alarm, "sound": row.sound,
                       "notes": row.notes, "state": state(row)})
            })
            .collect();
        return json::write(&json!(rows), terminal.out);
    }
    if rows.is_empty() {
        writeln!(terminal.out, "No processes in the table. To add one: pm alarm add NAME")?;
        return Ok(());
    }
    let rows = rows.iter().map(|row| {
        let notes = printable(row.notes.as_deref().unwrap_or_default());
        vec![row.row.0.to_string(), row.name.to_string(), state(row).to_owned(), notes]
    });
    write!(terminal.out, "{}", table(&["ID", "NAME", "STATE", "NOTES"], rows))?;
    Ok(())
}
