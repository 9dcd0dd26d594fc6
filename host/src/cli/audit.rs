//! `pm audit`: what operators asked for and what came of it, newest first, and whether that is as it was written.

use crate::cli::arguments::{AuditOptions, Format, Global};
use crate::cli::compose::Context;
use crate::cli::table::{local, table};
use crate::cli::{Failure, Terminal, json, whom};
use crate::policy::model::{Name, printable};
use crate::policy::window::Scope;
use crate::ports::Journal;
use crate::ports::overrides::{Audited, Chain, Entry, Wanted, as_option};
use serde_json::{Value, json};

pub(crate) fn audit(
    global: &Global,
    options: &AuditOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let journal = context.journal_read_only()?;
    if options.verify {
        let chain = journal.chain().map_err(|error| Failure::failed(&error))?;
        return verdict(&chain, options.format, terminal);
    }
    let since = options.since.as_deref().map(|text| context.past("--since", text));
    let of = options.name.as_deref().map(Name::new);
    let wanted = Wanted {
        group: of.as_ref().and_then(|name| whom::group_of(&context, name)),
        of,
        since: since.transpose()?,
        limit: usize::try_from(options.limit).unwrap_or(usize::MAX),
    };
    let entries = journal.audited(&wanted).map_err(|error| Failure::failed(&error))?;
    match options.format {
        Format::Json => json::write(&entries.iter().map(as_json).collect(), terminal.out),
        Format::Text if entries.is_empty() => Ok(writeln!(terminal.out, "No entries.")?),
        Format::Text => {
            let header = ["NO", "AT", "BY", "WHAT, WHY AND WHAT CAME OF IT"];
            Ok(write!(terminal.out, "{}", table(&header, entries.iter().map(row)))?)
        }
    }
}

fn row(Audited { number, entry, .. }: &Audited) -> Vec<String> {
    let Entry { request, verb, scope, until, result } = entry;
    let until = until.map(|at| format!(" until {}", local(at))).unwrap_or_default();
    let why = if request.why.is_empty() { String::new() } else { format!(" ({})", request.why) };
    vec![
        number.to_string(),
        local(request.at),
        request.by.clone(),
        format!("{verb} {}{until}{why}: {result}", as_option(scope)),
    ]
}

fn as_json(Audited { number, entry, hash }: &Audited) -> Value {
    json!({
        "number": number,
        "at_ms": entry.request.at.0,
        "by": entry.request.by,
        "verb": entry.verb,
        "scope": scope_json(&entry.scope),
        "why": entry.request.why,
        "until_ms": entry.until.map(|at| at.0),
        "result": entry.result,
        "hash": hash,
    })
}

/// The scope for programs.
pub(crate) fn scope_json(scope: &Scope) -> Value {
    match scope {
        Scope::All => json!({"kind": "all"}),
        Scope::Group(name) => json!({"kind": "group", "name": name.as_str()}),
        Scope::Process(name) => json!({"kind": "process", "name": name.as_str()}),
    }
}

fn verdict(chain: &Chain, format: Format, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let last = chain.last.as_ref();
    if format == Format::Json {
        let value = json!({
            "intact": chain.flaw.is_none(),
            "flaw": chain.flaw,
            "entries": chain.entries,
            "first": chain.first,
            "last": last.map(|(number, _)| number),
            "hash": last.map(|(_, hash)| hash),
        });
        json::write(&value, terminal.out)?;
    } else if let (None, Some(first), Some((number, hash))) = (&chain.flaw, chain.first, last) {
        writeln!(terminal.out, "The audit is as it was written: entries {first} to {number}.")?;
        writeln!(terminal.out, "Hash of entry {number}: {}", printable(hash))?;
    } else if chain.flaw.is_none() {
        writeln!(terminal.out, "The audit is empty.")?;
    }
    match &chain.flaw {
        None => Ok(()),
        Some(flaw) => Err(Failure::Failed(format!(
            "the audit is not as it was written: {flaw}; keep a copy of the state directory and find out who could write there"
        ))),
    }
}
