//! Judges what a section says of strategies and checks against the parts that are installed.
//!
//! Without a catalogue names and keys of plugins cannot be judged; they are accepted with one warning. A key whose
//! value its part would refuse is left out, so that the part's default stands in.

use super::library::KEYS as LIBRARY_KEYS;
use super::reader::{Reader, comment_hint, comment_look_alike, may_hold_marks};
use crate::config::environment::{Catalogue, Installed, Kind};
use crate::config::problem::{At, Problems, did_you_mean};
use crate::config::process::{CHECK_COMMAND, Process, Setting};
use crate::config::secret::names_a_secret;
use crate::config::sections::{DEFAULT, LIBRARY, PLUGIN, Sections};
use crate::policy::model::Verify;
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::{Key, judge as valid};
use pm_plugin_api::value::in_words;
use std::collections::BTreeMap;

/// Judges the names and the plugin keys of a process; marks it when it cannot be restarted.
/// `sections` are all, for those of plugins.
pub(in crate::config) fn judge(
    reader: &mut Reader<'_>,
    process: &mut Process,
    sections: &Sections,
    catalogue: &Catalogue,
) {
    if catalogue.is_blank() {
        let message =
            "no plugins were found, so names of strategies and checks and their keys are not checked";
        reader.problems.warning(
            &At::default(),
            message,
            "name the directory with --plugins-dir or [plugins] dir",
        );
    } else {
        names(reader, process, catalogue);
        keys(reader, process, catalogue);
        complete(reader, process, sections, catalogue);
    }
    if process.strategies.is_empty() && process.restart_command().is_none() {
        let hint = "write restart_strategy = auto, or a restart_command";
        reader.error("restart_strategy", "is required, because there is no [process.default]", hint);
        process.unusable = Some("it has no restart_strategy".to_owned());
    }
}

fn names(reader: &mut Reader<'_>, process: &mut Process, catalogue: &Catalogue) {
    let mut known = Vec::new();
    for name in &process.strategies {
        match catalogue.find(Kind::Strategy, name) {
            Some(_) => known.push(name.clone()),
            None => {
                let (message, hint) = no_such(Kind::Strategy, name, catalogue);
                reader.error("restart_strategy", message, hint);
            }
        }
    }
    if known.is_empty() && !process.strategies.is_empty() {
        process.unusable = Some(format!("no strategy {:?}", process.strategies.join(", ")));
    } else {
        process.strategies = known;
    }
    let Some(check) = process.check().map(str::to_owned) else { return };
    if catalogue.find(Kind::Check, &check).is_none() {
        let (message, hint) = no_such(Kind::Check, &check, catalogue);
        let key = if process.health_check.is_some() { "health_check" } else { CHECK_COMMAND };
        reader.error(key, message, hint);
        process.unusable = Some(format!("no check {check:?}"));
    }
}

/// Message and hint for a name that no part has.
pub(super) fn no_such(kind: Kind, name: &str, catalogue: &Catalogue) -> (String, String) {
    let word = kind.word();
    let names: Vec<&str> = catalogue.of(kind).map(|offer| offer.name.as_str()).collect();
    let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let other = |other: &Kind| *other != kind && catalogue.find(*other, name).is_some();
    if let Some(other) = Kind::ALL.into_iter().find(other) {
        let key = match other {
            Kind::Strategy => "restart_strategy",
            Kind::Check => "health_check",
            Kind::Notifier => "notifier",
        };
        return (
            format!("{name:?} is a {}, not a {word}", other.word()),
            match kind {
                Kind::Notifier => format!("write one of: {list}"),
                _ => format!("write {key} = {name}; the kind {word} has: {list}"),
            },
        );
    }
    let refused = catalogue
        .refused
        .iter()
        .find(|refused| refused.file.file_stem().is_some_and(|stem| stem.to_string_lossy().contains(name)));
    let hint = if let Some(refused) = refused {
        format!("{} was refused: {}", refused.file.display(), refused.reason)
    } else if let Some(hint) = comment_hint(name, |before| names.contains(&before)) {
        hint
    } else {
        did_you_mean(name, names.iter().copied()).unwrap_or_else(|| "see: pm plugins list".to_owned())
    };
    (format!("no {word} {name:?}; there are: {list}"), hint)
}

/// The parts whose keys may stand in the section; all strategies and checks in `[process.default]`.
fn used<'c>(section: &str, process: &Process, catalogue: &'c Catalogue) -> Vec<&'c Offer> {
    if section == DEFAULT {
        return catalogue.of(Kind::Strategy).chain(catalogue.of(Kind::Check)).collect();
    }
    let mut strategies: Vec<&str> = process.strategies.iter().map(String::as_str).collect();
    if strategies.contains(&"auto") || strategies.contains(&"custom") {
        strategies.extend(["service", "process"]);
    }
    if process.restart_command().is_some() {
        strategies.push("custom");
    }
    let strategies = strategies.into_iter().filter_map(|name| catalogue.find(Kind::Strategy, name));
    let check = process.check().and_then(|name| catalogue.find(Kind::Check, name));
    strategies.chain(check).collect()
}

/// Reports a value that the declared types of its key do not take, or that looks like a mistake; answers whether it can
/// be used.
pub(super) fn is_good(reader: &mut Reader<'_>, declared: &[&Key], key: &str, value: &str) -> bool {
    if let Err(Refusal { message, hint }) = accept(declared, key, value) {
        reader.error(key, message, hint);
        return false;
    }
    if let Some(message) = comment_in(declared, key, value) {
        reader.warning(key, message, "put the comment on a line of its own");
    }
    true
}

fn keys(reader: &mut Reader<'_>, process: &mut Process, catalogue: &Catalogue) {
    let used = used(reader.section, process, catalogue);
    for (key, text) in reader.rest() {
        let declared = declared(&used, key);
        if !declared.is_empty() {
            if !is_good(reader, &declared, key, &text.value) {
                process.settings.remove(key);
            }
        } else if text.section == reader.section {
            let owners: Vec<&Offer> = catalogue.offers.iter().filter(|offer| has(offer, key)).collect();
            if owners.is_empty() {
                reader.unknown(key, used.iter().flat_map(|offer| &offer.keys).map(|key| key.name.as_str()));
            } else {
                let names: Vec<_> = owners.iter().map(|o| format!("{} {:?}", o.kind, o.name)).collect();
                let message = format!("is a key of {}, which this process does not use", names.join(" and "));
                reader.warning(key, message, "it is ignored");
            }
        }
    }
}

/// Reports what the parts of a process cannot do without. What `[process.default]` alone lacks is no mistake: it is
/// completed by the processes.
fn complete(reader: &mut Reader<'_>, process: &Process, sections: &Sections, catalogue: &Catalogue) {
    if reader.section == DEFAULT {
        return;
    }
    let chain = process.chain().into_iter().map(|name| (Kind::Strategy, name));
    let check = process.check().map(|name| (Kind::Check, name));
    for offer in chain.chain(check).filter_map(|(kind, name)| catalogue.find(kind, name)) {
        required(reader, offer, sections);
    }
}

/// Reports keys that a part cannot do without and that stand neither here nor in `[plugin.PART]`.
pub(super) fn required(reader: &mut Reader<'_>, offer: &Offer, sections: &Sections) {
    let general = sections.get(&format!("{PLUGIN}{}", offer.name));
    for key in offer.keys.iter().filter(|key| key.required) {
        let texts = [Some(reader.keys), general].into_iter().flatten();
        let mut texts = texts.filter_map(|keys| keys.texts.get(&key.name));
        if texts.all(|text| text.value.is_empty()) {
            let message = format!("is required by the {} {:?}", offer.kind, offer.name);
            let at = At { line: Some(reader.keys.line), section: reader.section, key: Some(&key.name) };
            reader.problems.error(&at, message, format!("write it, {}", example(key)));
        }
    }
}

/// What could stand behind the `=`.
fn example(key: &Key) -> String {
    match &key.allowed {
        Some(allowed) => format!("one of: {}", allowed.replace('|', ", ")),
        None => in_words(&key.kind),
    }
}

/// Reads `[plugin.NAME]`: settings of the parts called NAME, for all processes.
pub(in crate::config) fn plugin_settings(
    reader: &mut Reader<'_>,
    plugin: &str,
    catalogue: &Catalogue,
) -> BTreeMap<String, Setting> {
    let parts: Vec<&Offer> = catalogue.offers.iter().filter(|offer| offer.name == plugin).collect();
    let at = At { line: Some(reader.keys.line), section: reader.section, key: None };
    if parts.is_empty() && !catalogue.is_blank() {
        let hint = did_you_mean(plugin, catalogue.offers.iter().map(|offer| offer.name.as_str()));
        let hint = hint.or_else(|| of_library(plugin, catalogue));
        let hint = hint.unwrap_or_else(|| "see: pm plugins list".to_owned());
        reader.problems.warning(
            &at,
            format!("no strategy, check or notifier {plugin:?}; the section is ignored"),
            hint,
        );
    }
    let mut settings = BTreeMap::new();
    for (key, text) in reader.rest().filter(|(_, text)| !text.value.is_empty()) {
        let declared = declared(&parts, key);
        if declared.is_empty() && !parts.is_empty() && LIBRARY_KEYS.contains(&key.as_str()) {
            let message = "is a key of a library, not of a strategy or check";
            reader.warning(key, message, of_library(plugin, catalogue).unwrap_or_default());
        } else if declared.is_empty() && !parts.is_empty() {
            reader.unknown(key, parts.iter().flat_map(|offer| &offer.keys).map(|key| key.name.as_str()));
        } else if let Err(Refusal { message, hint }) = accept(&declared, key, &text.value) {
            reader.error(key, message, hint);
            continue;
        }
        settings.insert(key.clone(), Setting { value: text.value.clone(), line: text.line });
    }
    settings
}

/// Where the settings of a library stand that is called `name` or offers a part of that name.
fn of_library(name: &str, catalogue: &Catalogue) -> Option<String> {
    let libraries = || catalogue.libraries.iter().flatten();
    let offers = |library: &&Installed| library.parts.iter().any(|(_, part)| part == name);
    let library = libraries().find(|own| own.is_called(name)).or_else(|| libraries().find(offers))?;
    Some(format!("settings of a library stand in [{LIBRARY}{}]", library.name.as_deref()?))
}

fn has(offer: &Offer, key: &str) -> bool {
    offer.keys.iter().any(|declared| declared.name == key)
}

pub(super) fn declared<'c>(parts: &[&'c Offer], key: &str) -> Vec<&'c Key> {
    parts.iter().flat_map(|offer| &offer.keys).filter(|declared| declared.name == key).collect()
}

struct Refusal {
    message: String,
    hint: String,
}

/// Whether the declared types take the value; one of several is enough, for two parts may share a name of a key.
fn accept(declared: &[&Key], key: &str, value: &str) -> Result<(), Refusal> {
    let right = |text: &str| declared.iter().any(|declared| valid(declared, text).is_ok());
    let Some(first) = declared.first() else { return Ok(()) };
    if value.is_empty() || right(value) {
        return Ok(());
    }
    let meanwhile = || match &first.default {
        Some(default) => format!("its default {default} is used until then"),
        None => "it is taken as absent until then".to_owned(),
    };
    let message = match valid(first, value) {
        Err(why) if !names_a_secret(key) => why,
        _ => format!("the value is no {}", first.kind),
    };
    let words = first.allowed.iter().flat_map(|allowed| allowed.split('|'));
    let hint = comment_hint(value, right).or_else(|| did_you_mean(value, words));
    Err(Refusal { message, hint: hint.unwrap_or_else(meanwhile) })
}

/// What to say of a text that ends like a comment.
fn comment_in(declared: &[&Key], key: &str, value: &str) -> Option<String> {
    let is_text = declared.iter().all(|declared| matches!(declared.kind.as_str(), "text" | "path" | "list"));
    if !is_text || may_hold_marks(key) {
        return None;
    }
    let (_, comment) = comment_look_alike(value)?;
    Some(format!("{comment:?} is part of the value, not a comment"))
}

/// `default` alone would read like the name of a process.
fn shown(process: &Process) -> &str {
    if process.name == "default" { DEFAULT } else { &process.name }
}

/// One finding for all processes whose restarts nobody verifies.
pub(in crate::config) fn without_check<'p>(
    processes: impl Iterator<Item = &'p Process>,
    problems: &mut Problems,
) {
    let bare: Vec<&Process> = processes.filter(|p| p.check().is_none()).collect();
    let Some(first) = bare.iter().min_by_key(|process| process.line) else { return };
    let mut names: Vec<&str> = bare.iter().map(|process| shown(process)).take(5).collect();
    let more = format!("{} more", bare.len() - names.len());
    if bare.len() > names.len() {
        names.push(&more);
    }
    let at = At { line: Some(first.line), ..At::default() };
    let message = format!("no health check for {}: a restart is taken for a success", names.join(", "));
    problems.warning(&at, message, "add health_check or health_check_command");
    for process in bare.iter().filter(|process| process.verify_before == Verify::First) {
        let section = format!("process.{}", process.name);
        let at = At { line: Some(process.line), section: &section, key: Some("verify_before") };
        problems.warning(
            &at,
            "has no effect without a health check",
            "add health_check or health_check_command",
        );
    }
}
