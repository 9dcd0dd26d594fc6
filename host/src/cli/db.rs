//! `pm db migrate|status`: the tables of the alarm database. Additive only; nothing is ever dropped.

use crate::cli::arguments::{DbVerb, Format, Global};
use crate::cli::compose::Context;
use crate::cli::{Failure, Terminal, json};
use crate::ports::Schema;
use serde_json::json;

pub(crate) fn db(global: &Global, verb: &DbVerb, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let mut store = context.store();
    match verb {
        DbVerb::Migrate => {
            let done = store.migrate().map_err(|error| Failure::database(&error))?;
            if done.is_empty() {
                writeln!(terminal.out, "Nothing to do: the tables are up to date.")?;
            }
            for step in done {
                writeln!(terminal.out, "{step}")?;
            }
            Ok(())
        }
        DbVerb::Status(options) => {
            let schema = store.schema().map_err(|error| Failure::database(&error))?;
            show(&schema, &context.database_name(), options.format, terminal)
        }
    }
}

fn show(schema: &Schema, database: &str, format: Format, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if format == Format::Json {
        let value = json!({
            "database": database,
            "engine": schema.engine,
            "version": schema.version,
            "newest": schema.newest,
            "missing": schema.missing,
        });
        return json::write(&value, terminal.out);
    }
    let version = schema.version.map_or_else(|| "not recorded".to_owned(), |version| version.to_string());
    writeln!(terminal.out, "Database  {database}")?;
    writeln!(terminal.out, "Engine    {}", schema.engine)?;
    writeln!(terminal.out, "Schema    {version} (this pm knows {})", schema.newest)?;
    if schema.missing.is_empty() {
        writeln!(terminal.out, "Missing   nothing")?;
    } else {
        for missing in &schema.missing {
            writeln!(terminal.out, "Missing   {missing}")?;
        }
        writeln!(terminal.out, "\nTo add what is missing: pm db migrate")?;
    }
    Ok(())
}
