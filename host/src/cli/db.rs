//! `pm db migrate|status`: the tables of the alarm database. Additive only; nothing is ever dropped.

use crate::cli::arguments::{DbVerb, Format, Global};
use crate::cli::compose::Context;
use crate::cli::{Failure, Terminal, json};
use crate::policy::model::Name;
use crate::policy::relations::{Related, Relations};
use crate::ports::Schema;
use serde_json::json;

/// So many names are told; the rest is counted.
const MOST_NAMES: usize = 5;
/// So many findings are told; the rest is counted.
const MOST_PROBLEMS: usize = 20;

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
            // The tables answer, so what is wrong with these two is a finding like others.
            let (relations, unread) = match store.relations() {
                Ok(relations) => (relations, None),
                Err(error) => (Relations::default(), Some(error.to_string())),
            };
            let declared = context.config.declared();
            let shown = Shown {
                database: context.database_name(),
                address: store.address(),
                schema,
                related: Related::merge(&declared, &relations),
                alone: Related::merge(&declared, &Relations::default()),
                relations,
                unread,
            };
            match options.format {
                Format::Json => json::write(&shown.to_json(), terminal.out),
                Format::Text => shown.write(terminal),
            }
        }
    }
}

/// What `pm db status` tells.
struct Shown {
    database: String,
    /// Which of several addresses answered.
    address: Option<String>,
    schema: Schema,
    relations: Relations,
    /// File and tables together.
    related: Related,
    /// The file alone: what is wrong with that is told by `pm check`.
    alone: Related,
    /// Why groups and dependencies could not be read.
    unread: Option<String>,
}

impl Shown {
    /// What is wrong with the tables, or with the file and the tables together.
    fn problems(&self) -> Vec<String> {
        let of_file = self.alone.problems();
        let news = self.related.problems().iter().filter(|problem| !of_file.contains(problem));
        self.unread.iter().cloned().chain(news.map(ToString::to_string)).collect()
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "database": self.database,
            "address": self.address,
            "engine": self.schema.engine,
            "version": self.schema.version,
            "newest": self.schema.newest,
            "missing": self.schema.missing,
            "denied": self.schema.denied,
            "groups": self.relations.groups.len(),
            "dependencies": self.relations.dependencies.len(),
            "problems": self.problems(),
            "not_configured": self.related.foreign().iter().map(Name::as_str).collect::<Vec<_>>(),
        })
    }

    fn write(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (schema, out) = (&self.schema, &mut *terminal.out);
        let version = schema.version.map_or_else(|| "not recorded".to_owned(), |version| version.to_string());
        writeln!(out, "Database  {}", self.database)?;
        if let Some(address) = &self.address {
            writeln!(out, "Address   {address}")?;
        }
        writeln!(out, "Engine    {}", schema.engine)?;
        writeln!(out, "Schema    {version} (this pm knows {})", schema.newest)?;
        let Relations { groups, dependencies } = &self.relations;
        if !(groups.is_empty() && dependencies.is_empty()) {
            writeln!(out, "Relations {} in pm_group, {} in pm_dependency", groups.len(), dependencies.len())?;
        }
        if !schema.denied.is_empty() {
            let tables = schema.denied.join(", ");
            writeln!(out, "Unread    {tables}: not there, or this account may not read it (GRANT SELECT)")?;
        }
        let problems = self.problems();
        for problem in problems.iter().take(MOST_PROBLEMS) {
            writeln!(out, "Problem   {problem}")?;
        }
        if problems.len() > MOST_PROBLEMS {
            let more = problems.len() - MOST_PROBLEMS;
            writeln!(out, "Problem   {more} more; all of them: pm db status --format json")?;
        }
        let foreign = self.related.foreign();
        if !foreign.is_empty() {
            let names: Vec<String> = foreign.iter().take(MOST_NAMES).map(Name::to_string).collect();
            let more = match foreign.len() - names.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            writeln!(out, "Elsewhere {}{more}: in these tables, not configured here", names.join(", "))?;
        }
        if schema.missing.is_empty() {
            writeln!(out, "Missing   nothing")?;
        } else {
            for missing in &schema.missing {
                writeln!(out, "Missing   {missing}")?;
            }
            writeln!(out, "\nTo add what is missing: pm db migrate")?;
        }
        Ok(())
    }
}
