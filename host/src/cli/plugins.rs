//! `pm plugins`: what lies in the plugin directory, why it is not used if it is not, and what a part can be told.
//!
//! For these only manifests are read: none of a library's code runs, so it is safe to look at one that would crash. What
//! authors need has files of its own: `new`, `verify` and `call`, which does run it.

mod call;
mod hand;
mod new;
mod reference;
pub(crate) mod running;
mod verify;

use crate::cli::arguments::{Format, Global, PluginsVerb, WhichOptions};
use crate::cli::table::{WIDTH, table};
use crate::cli::{Failure, Terminal, compose, json};
use crate::config::Environment;
use crate::plugins::{Entry, OnDisk, Registry, State, nearest};
use crate::policy::model::printable;
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::Key;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn plugins(
    global: &Global,
    verb: &PluginsVerb,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match verb {
        PluginsVerb::List(options) => {
            list(&*registry(global)?, running::look(global, options.format), options.format, terminal.out)
        }
        PluginsVerb::Info(options) => info(&*registry(global)?, &options.name, options.format, terminal.out),
        PluginsVerb::Reload(which) => order(global, "reload", which, terminal.out),
        PluginsVerb::Stop(which) => order(global, "stop", which, terminal.out),
        PluginsVerb::New(options) => new::new(global, options, terminal.out),
        PluginsVerb::Verify(options) => verify::verify(global, options, terminal.out),
        PluginsVerb::Call(options) => call::call(global, options, terminal.out),
        PluginsVerb::Reference => reference::reference(&*registry(global)?, terminal.out),
    }
}

/// Plugins can be looked at before there is a configuration; when there is one, it may say where they are.
fn registry(global: &Global) -> Result<Arc<Registry>, Failure> {
    let no_file = compose::config_file(global, &Environment::of_this_process()).is_err();
    if no_file || (global.plugins_dir.is_some() && global.config.is_none()) {
        return Ok(Arc::new(compose::registry(global, None)));
    }
    Ok(compose::read(global)?.registry)
}

fn order(global: &Global, what: &str, which: &WhichOptions, out: &mut dyn Write) -> Result<(), Failure> {
    let done = running::order(global, what, &which.name)?;
    match which.format {
        Format::Json => json::write(&json!({ "plugin": which.name, "done": done }), out),
        Format::Text => Ok(writeln!(out, "plugin \"{}\": {done}", which.name)?),
    }
}

/// Lists every library, the reasons of those that are not used, and what the pm that runs makes of them. A directory
/// that cannot be used is a failure; a pm that does not answer is only said.
fn list(
    registry: &Registry,
    running: Result<Option<Value>, Failure>,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let entries = registry.entries();
    let refusal = registry.refusal().map(|refusal| refusal.to_string());
    match format {
        Format::Json => {
            let sums = registry.checksums();
            let plugins: Vec<_> = entries.iter().map(|entry| in_json(entry, sums.get(&entry.file))).collect();
            let (daemon, silent) = match running {
                Ok(daemon) => (daemon, None),
                Err(failure) => (None, Some(failure.text().to_owned())),
            };
            let all = json!({
                "directory": registry.directory(), "refusal": refusal, "plugins": plugins,
                "running": daemon, "running_unknown": silent,
            });
            json::write(&all, out)?;
        }
        Format::Text if entries.is_empty() && refusal.is_none() => {
            writeln!(out, "There are no plugins in {}.", registry.directory().display())?;
        }
        Format::Text => {
            write!(out, "{}", table(&["NAME", "KIND", "VERSION", "FILE", "STATE"], rows(&entries)))?;
            for entry in &entries {
                if let Some(reason) = reason(entry) {
                    writeln!(out)?;
                    wrapped(out, &format!("{}: {reason}", file_name(entry)), "", "  ")?;
                }
            }
            running::tell(running, out)?;
        }
    }
    refusal.map_or(Ok(()), |refusal| Err(Failure::Plugin(refusal)))
}

/// One row per name that an operator can write, with the kinds that bear it.
fn rows(entries: &[Entry]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for entry in entries {
        let version = entry.manifest.as_ref().map_or("-", |manifest| manifest.version.as_str());
        let mut kinds = BTreeMap::<&str, Vec<&str>>::new();
        for offer in entry.manifest.iter().flat_map(|manifest| &manifest.offers) {
            kinds.entry(&offer.name).or_default().push(&offer.kind);
        }
        if kinds.is_empty() {
            kinds.insert("-", vec!["-"]);
        }
        rows.extend(kinds.into_iter().map(|(name, kinds)| {
            vec![
                name.to_owned(),
                kinds.join(", "),
                version.to_owned(),
                file_name(entry),
                state_of(entry, name).to_owned(),
            ]
        }));
    }
    rows.sort();
    rows
}

/// The state of all parts of a name; one that another library provides is not used, whatever the library does.
fn state_of(entry: &Entry, name: &str) -> &'static str {
    let mut offers =
        entry.manifest.iter().flat_map(|manifest| &manifest.offers).filter(|offer| offer.name == name);
    let taken = offers.clone().next().is_some() && offers.all(|offer| overriding(entry, offer).is_some());
    if taken { "overridden" } else { word(&entry.state) }
}

/// Tells what the plugin, or the part, called `name` offers.
fn info(registry: &Registry, name: &str, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    let entries = registry.entries();
    let found: Vec<_> = entries.iter().filter_map(|entry| narrowed(entry, name)).collect();
    if found.is_empty() {
        return Err(unknown(registry, &entries, name));
    }
    match format {
        Format::Json => {
            let sums = registry.checksums();
            let all: Vec<_> = found.iter().map(|entry| in_json(entry, sums.get(&entry.file))).collect();
            json::write(&json!(all), out)?;
        }
        Format::Text => {
            for (number, entry) in found.iter().enumerate() {
                if number > 0 {
                    writeln!(out)?;
                }
                describe(entry, out)?;
            }
        }
    }
    let usable = found.iter().any(|entry| !matches!(entry.state, State::Refused(_)));
    if usable { Ok(()) } else { Err(Failure::Plugin(refusals(&found))) }
}

/// All of a plugin by its own name or its file's, else its parts of that name.
fn narrowed(entry: &Entry, name: &str) -> Option<Entry> {
    let file = file_name(entry);
    let whole = file == name || file.strip_suffix(".so") == Some(name);
    let mut entry = entry.clone();
    match &mut entry.manifest {
        _ if whole => Some(entry),
        Some(manifest) if manifest.name == name => Some(entry),
        Some(manifest) => {
            manifest.offers.retain(|offer| offer.name == name);
            (!manifest.offers.is_empty()).then_some(entry)
        }
        None => None,
    }
}

fn unknown(registry: &Registry, entries: &[Entry], name: &str) -> Failure {
    if let Some(refusal) = registry.refusal() {
        return Failure::Plugin(format!("no plugin or part \"{name}\": {refusal}"));
    }
    let mut names: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.manifest.as_ref())
        .flat_map(|manifest| {
            manifest.offers.iter().map(|offer| offer.name.as_str()).chain([manifest.name.as_str()])
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    let there = format!("in {} there are: {}", registry.directory().display(), names.join(", "));
    let meant = nearest(name, names).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
    Failure::Plugin(format!("no plugin or part \"{name}\"; {there}{meant}"))
}

fn refusals(found: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let reason = reason(entry).unwrap_or_default();
        format!("plugin {}: {reason}", entry.file.display())
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn describe(entry: &Entry, out: &mut dyn Write) -> Result<(), Failure> {
    match &entry.manifest {
        Some(manifest) => {
            writeln!(out, "plugin \"{}\" {}", manifest.name, manifest.version)?;
            writeln!(out, "file       {}", printable(&entry.file.to_string_lossy()))?;
            writeln!(out, "interface  {} (API level {})", manifest.interface, manifest.api_minor)?;
        }
        None => writeln!(out, "file       {}", printable(&entry.file.to_string_lossy()))?,
    }
    let state = word(&entry.state);
    match reason(entry) {
        Some(reason) => wrapped(out, &format!("{state}: {reason}"), "state      ", "           ")?,
        None => writeln!(out, "state      {state}")?,
    }
    for offer in entry.manifest.iter().flat_map(|manifest| &manifest.offers) {
        part(offer, entry, out)?;
    }
    Ok(())
}

fn part(offer: &Offer, entry: &Entry, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "\n{} \"{}\"", offer.kind, offer.name)?;
    if let Some(other) = overriding(entry, offer) {
        writeln!(out, "  overridden by {}", printable(&other.to_string_lossy()))?;
    }
    if offer.keys.is_empty() {
        writeln!(out, "  no settings")?;
    }
    for key in &offer.keys {
        writeln!(out, "  {}  ({})", key.name, facts(key))?;
        wrapped(out, &key.text, "      ", "      ")?;
    }
    Ok(())
}

/// Type, unit, allowed values and default of a key.
fn facts(key: &Key) -> String {
    let unit = key.unit.as_ref().map(|unit| format!("unit {unit}"));
    let allowed = key.allowed.as_ref().map(|allowed| match allowed.split_once("..") {
        Some(("", most)) => format!("at most {most}"),
        Some((least, "")) => format!("at least {least}"),
        Some((least, most)) => format!("{least} to {most}"),
        None => allowed.replace('|', " or "),
    });
    let default = match (&key.default, key.required) {
        (Some(default), _) => format!("default {default}"),
        (None, true) => "required".to_owned(),
        (None, false) => "no default".to_owned(),
    };
    [Some(key.kind.clone()), unit, allowed, Some(default)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

fn in_json(entry: &Entry, sum: Option<&String>) -> Value {
    let manifest = entry.manifest.as_ref();
    let key = |key: &Key| {
        json!({
            "name": key.name,
            "type": key.kind,
            "unit": key.unit,
            "allowed": key.allowed,
            "default": key.default,
            "required": key.required,
            "text": key.text,
        })
    };
    let offer = |offer: &Offer| {
        let settings: Vec<_> = offer.keys.iter().map(key).collect();
        let by = overriding(entry, offer);
        json!({ "kind": offer.kind, "name": offer.name, "settings": settings, "overridden_by": by })
    };
    json!({
        "file": entry.file.to_string_lossy(),
        "name": manifest.map(|manifest| &manifest.name),
        "version": manifest.map(|manifest| &manifest.version),
        "interface": manifest.map(|manifest| manifest.interface),
        "api_minor": manifest.map(|manifest| manifest.api_minor),
        "sha256": sum,
        "state": word(&entry.state),
        "reason": reason(entry),
        "offers": manifest.map(|manifest| manifest.offers.iter().map(offer).collect::<Vec<_>>()),
    })
}

/// The library that provides the part in place of this one.
fn overriding<'e>(entry: &'e Entry, offer: &Offer) -> Option<&'e Path> {
    entry.overridden.get(&(offer.kind.clone(), offer.name.clone())).map(PathBuf::as_path)
}

fn word(state: &State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::Loaded => "loaded",
        State::Outlived(OnDisk::Gone) => "gone",
        State::Outlived(_) => "replaced",
        State::Refused(_) => "refused",
    }
}

/// What there is to say beyond the state.
fn reason(entry: &Entry) -> Option<String> {
    match &entry.state {
        State::Ready | State::Loaded => None,
        State::Refused(reason) => Some(reason.to_string()),
        State::Outlived(OnDisk::Version(version)) => {
            Some(match entry.report.as_ref().and_then(|report| report.worker) {
                Some(_) => format!("the file is version {version} now, which is being tried"),
                None if entry.manifest.as_ref().is_some_and(|manifest| manifest.version == *version) => {
                    "the file is another one now, of the same version; restart pm to use it".to_owned()
                }
                None => format!("the file is version {version} now; restart pm to use it"),
            })
        }
        State::Outlived(OnDisk::Refused(reason)) => {
            Some(format!("the file was replaced, and the new one is refused: {reason}"))
        }
        State::Outlived(OnDisk::Gone) => Some("the file is gone; it serves until pm is restarted".to_owned()),
    }
}

fn file_name(entry: &Entry) -> String {
    let name = entry.file.file_name().map(Path::new).unwrap_or(&entry.file);
    name.display().to_string()
}

/// Writes `text` in lines of at most the common width; words longer than a line stand alone.
fn wrapped(out: &mut dyn Write, text: &str, first: &str, others: &str) -> Result<(), Failure> {
    let text = printable(text);
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > usize::from(WIDTH) {
            writeln!(out, "{}", line.trim_end())?;
            line = others.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(out, "{}", line.trim_end())?;
    Ok(())
}
