//! `pm plugins call`: one operation of one part, by hand. What the part logs, what it answers, how long it took.
//!
//! It does for real what the operation does, for whoever asked; nothing is noted in the journal and no database is
//! opened. What the library says is data: it is escaped before a terminal sees it.

use super::hand::{Asked, Hand, about};
use crate::cli::arguments::{CallOptions, Format, Global, setting};
use crate::cli::{Failure, json};
use crate::plugins::{Entry, Operation, State};
use crate::policy::model::printable;
use crate::spec::PartRef;
use pm_plugin_api::ErrorKind;
use pm_plugin_api::settings::Texts;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How much longer pm waits than it tells the part, so that the part's own words are heard.
const GRACE: Duration = Duration::from_millis(500);

pub(super) fn call(global: &Global, options: &CallOptions, out: &mut dyn Write) -> Result<(), Failure> {
    let (kind, name) = &options.part;
    let (target, settings) = words(&options.words)?;
    let (hand, entry) = found(global, options)?;
    offered(&entry, kind, name)?;
    let body = body(options, target)?;
    let part = PartRef { name: name.to_owned(), settings };
    let (op, subject, timeout) =
        (options.op.as_str(), target.unwrap_or("the request"), options.timeout + GRACE);
    let asked = hand.ask(kind, &part, Operation { op, subject, body: body.as_bytes(), timeout, heard: None });
    match options.format {
        Format::Json => json::write(&in_json(&asked), out)?,
        Format::Text => {
            if let Some(objection) = &hand.objection {
                writeln!(out, "note    pm itself would not load it: {objection}")?;
            }
            in_text(&asked, out)?;
        }
    }
    if asked.answer.is_ok() { Ok(()) } else { Err(Failure::Said(1)) }
}

/// The file, or the library of that name in the plugin directory.
fn found(global: &Global, options: &CallOptions) -> Result<(Hand, Entry), Failure> {
    let plugin = &options.plugin;
    let hand = if plugin.contains('/') || plugin.ends_with(".so") {
        Hand::of_file(Path::new(plugin))?
    } else {
        Hand::with(super::registry(global)?)
    };
    let entries = hand.registry.entries();
    let wanted = Path::new(plugin).file_name().unwrap_or_default().to_string_lossy();
    match entries.iter().find(|entry| super::narrowed(entry, &wanted).is_some()) {
        Some(entry) => Ok((hand, entry.clone())),
        None => Err(super::unknown(&hand.registry, &entries, plugin)),
    }
}

/// The target, and the settings.
fn words(words: &[String]) -> Result<(Option<&str>, Texts), Failure> {
    let (mut target, mut settings) = (None, Texts::new());
    for word in words {
        match setting(word) {
            Ok((key, value)) => {
                settings.insert(key, value);
            }
            Err(_) if target.is_none() => target = Some(word.as_str()),
            Err(why) => return Err(Failure::Usage(format!("\"{}\": {why}", printable(word)))),
        }
    }
    Ok((target, settings))
}

fn body(options: &CallOptions, target: Option<&str>) -> Result<String, Failure> {
    match (&options.body, target) {
        (Some(body), None) => Ok(body.clone()),
        (Some(_), Some(_)) => Err(Failure::Usage("a TARGET and --body exclude each other".to_owned())),
        (None, Some(name)) => Ok(about(&options.part.0, name, options.timeout).to_string()),
        (None, None) => Err(Failure::Usage(format!(
            "{} of what? Name the process, as in: pm plugins call {} {}:{} {} web",
            options.op, options.plugin, options.part.0, options.part.1, options.op
        ))),
    }
}

/// Whether the library can be used, and has that part.
fn offered(entry: &Entry, kind: &str, name: &str) -> Result<(), Failure> {
    if let State::Refused(reason) = &entry.state {
        return Err(Failure::Plugin(format!("plugin {}: {reason}", entry.file.display())));
    }
    let offers = entry.manifest.iter().flat_map(|manifest| &manifest.offers);
    let there: Vec<_> = offers.map(|offer| format!("{}:{}", offer.kind, offer.name)).collect();
    if there.contains(&format!("{kind}:{name}")) {
        return Ok(());
    }
    let asked = printable(&format!("{kind}:{name}"));
    Err(Failure::Plugin(format!("the plugin has no part {asked}; there are: {}", there.join(", "))))
}

fn in_text(asked: &Asked, out: &mut dyn Write) -> Result<(), Failure> {
    for line in asked.heard.lines() {
        writeln!(out, "log     {}", printable(line))?;
    }
    match &asked.answer {
        Ok(answer) => writeln!(out, "answer  {}", printable(&String::from_utf8_lossy(answer)))?,
        Err(error) => writeln!(out, "error   {}: {}", word(error.kind), printable(&error.message))?,
    }
    Ok(writeln!(out, "took    {} ms", asked.took.as_millis())?)
}

fn in_json(asked: &Asked) -> Value {
    let (answer, error) = match &asked.answer {
        Ok(answer) => {
            let text = || Value::from(String::from_utf8_lossy(answer));
            (serde_json::from_slice(answer).unwrap_or_else(|_| text()), Value::Null)
        }
        Err(error) => (Value::Null, json!({ "kind": word(error.kind), "message": error.message })),
    };
    let log: Vec<_> = asked.heard.lines().collect();
    json!({ "answer": answer, "error": error, "log": log, "took_ms": u64::try_from(asked.took.as_millis()).ok() })
}

/// The kind as it travels: `not_found`.
pub(super) fn word(kind: ErrorKind) -> String {
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}
