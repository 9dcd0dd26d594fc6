//! `[notify.NAME]` to a [`Receiver`]: who is told what, by which notifier; `[notify]` holds the defaults of all.
//!
//! A receiver whose notifier is not known is left out, with an error. A secret may stand elsewhere: `${NAME}` is the
//! variable, and notifiers read the files of keys that end in `_file` themselves.

use super::commands::variable_reference;
use super::parts::{declared, is_good, no_such, required};
use super::reader::Reader;
use super::{PluginSections, World, withheld};
use crate::config::environment::{Environment, Kind};
use crate::config::model::Plugins;
use crate::config::problem::{At, Problems, did_you_mean};
use crate::config::secret::names_a_secret;
use crate::config::sections::{DEFAULT, Keys, NOTIFY, PROCESS, Sections, is_command};
use crate::policy::bucket::Budget;
use crate::policy::model::Name;
use crate::spec::{EventKind, Language, PartRef, Receiver};
use pm_plugin_api::Severity;
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::Texts;
use std::collections::BTreeSet;
use std::time::Duration;

/// The section with the defaults.
const DEFAULTS: &str = "notify";
const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];
const LANGUAGES: [(&str, Language); 2] = [("en", Language::English), ("ro", Language::Romanian)];
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads all receivers.
pub(super) fn receivers(
    world: &World<'_>,
    sections: &Sections,
    plugins: &Plugins,
    problems: &mut Problems,
) -> Vec<Receiver> {
    let defaults = sections.get(DEFAULTS);
    if let Some(keys) = defaults {
        judge_defaults(world, keys, sections, problems);
    }
    let named = sections.iter().filter_map(|(section, keys)| {
        Some((section, section.strip_prefix(NOTIFY).filter(|name| !name.trim().is_empty())?, keys))
    });
    named
        .filter_map(|(section, name, own)| {
            let keys = own.over(defaults);
            let reader = Reader::new(section, &keys, world.base, problems);
            receiver(name, reader, world, sections, &plugins.sections)
        })
        .collect()
}

/// Finds mistakes in the defaults also when nobody uses them; without them they are told with their first use.
fn judge_defaults(world: &World<'_>, keys: &Keys, sections: &Sections, problems: &mut Problems) {
    let mut reader = Reader::new(DEFAULTS, keys, world.base, problems);
    reader.know(&["notifier"]);
    let _ = own("", &mut reader, world.environment, sections);
    let offers: Vec<&Offer> = world.catalogue.of(Kind::Notifier).collect();
    for (key, _) in reader.rest() {
        if !offers.is_empty() && declared(&offers, key).is_empty() {
            reader.unknown(key, offers.iter().flat_map(|offer| &offer.keys).map(|key| key.name.as_str()));
        }
    }
}

fn receiver(
    name: &str,
    mut reader: Reader<'_>,
    world: &World<'_>,
    sections: &Sections,
    plugins: &PluginSections,
) -> Option<Receiver> {
    let mut receiver = own(name, &mut reader, world.environment, sections);
    let Some(notifier) = reader.text("notifier").map(str::to_owned) else {
        let at = At { line: Some(reader.keys.line), section: reader.section, key: Some("notifier") };
        let names: Vec<_> = world.catalogue.of(Kind::Notifier).map(|offer| offer.name.as_str()).collect();
        let hint = if names.is_empty() { "webhook, email or command".to_owned() } else { names.join(", ") };
        reader.problems.error(&at, "is required; nobody is told until then", format!("write one of: {hint}"));
        return None;
    };
    let offer = world.catalogue.find(Kind::Notifier, &notifier);
    if offer.is_none() && !world.catalogue.is_blank() {
        let (message, hint) = no_such(Kind::Notifier, &notifier, world.catalogue);
        reader.error("notifier", message, hint);
        return None;
    }
    receiver.part = PartRef { settings: settings(&mut reader, world, sections, offer), name: notifier };
    let Some(offer) = offer else { return Some(receiver) };
    required(&mut reader, offer, sections);
    for key in &offer.keys {
        let general = plugins.get(&offer.name).and_then(|section| section.get(&key.name));
        let settings = &mut receiver.part.settings;
        if let Some(general) = general.filter(|_| !settings.contains_key(&key.name)) {
            settings.insert(key.name.clone(), general.value.clone());
        }
    }
    Some(receiver)
}

/// The keys that every receiver has.
fn own(name: &str, reader: &mut Reader<'_>, environment: &Environment, sections: &Sections) -> Receiver {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|key| environment.variable(key));
    let language = reader.choice("language", &LANGUAGES);
    Receiver {
        name: name.to_owned(),
        part: PartRef { name: String::new(), settings: Texts::new() },
        events: events(reader),
        min_severity: reader.choice("min_severity", &SEVERITIES).unwrap_or_default(),
        processes: processes(reader, sections),
        groups: names(reader, "groups"),
        language: language.unwrap_or_else(|| Language::of_locale(locale.unwrap_or_default())),
        rate: Budget {
            size: reader.number("rate_limit", 0..=1000).unwrap_or(10),
            refill: reader.duration_within("rate_refill", SECOND..=DAY).unwrap_or(MINUTE),
        },
        deduplicate: reader.duration("deduplicate", DAY).unwrap_or(10 * MINUTE),
        retry_for: reader.duration("retry_for", 7 * DAY).unwrap_or(60 * MINUTE),
        timeout: reader.duration_within("notify_timeout", SECOND..=10 * MINUTE).unwrap_or(MINUTE / 2),
    }
}

fn events(reader: &mut Reader<'_>) -> BTreeSet<EventKind> {
    let all = || EventKind::CHOICE.into_iter();
    let words = reader.value::<Vec<String>>("events").unwrap_or_default();
    let mut chosen = BTreeSet::new();
    for word in &words {
        match all().find(|kind| kind.word() == word) {
            Some(kind) => {
                chosen.insert(kind);
            }
            None if word == "all" => chosen.extend(all()),
            None => {
                let known = all().map(EventKind::word);
                let list = known.clone().collect::<Vec<_>>().join(", ");
                let hint = did_you_mean(word, known).unwrap_or_else(|| format!("there are: {list}"));
                reader.error("events", format!("no event {word:?}"), hint);
            }
        }
    }
    // A list of mistakes must not make a receiver silent.
    if chosen.is_empty() { all().collect() } else { chosen }
}

fn names(reader: &mut Reader<'_>, key: &'static str) -> BTreeSet<Name> {
    let names = reader.value::<Vec<String>>(key).unwrap_or_default();
    names.iter().map(|name| Name::new(name)).collect()
}

fn processes(reader: &mut Reader<'_>, sections: &Sections) -> BTreeSet<Name> {
    let names = names(reader, "processes");
    let unknown = |name: &&Name| {
        !sections.contains_key(DEFAULT) && !sections.contains_key(&format!("{PROCESS}{}", name.as_str()))
    };
    for name in names.iter().filter(unknown) {
        let known = sections.keys().filter_map(|section| section.strip_prefix(PROCESS));
        let hint = did_you_mean(name.as_str(), known);
        let hint = hint.unwrap_or_else(|| format!("add a section [{PROCESS}{name}]"));
        reader.error("processes", format!("no process {:?} is configured", name.as_str()), hint);
    }
    names
}

/// What is left for the notifier.
fn settings(reader: &mut Reader<'_>, world: &World<'_>, sections: &Sections, offer: Option<&Offer>) -> Texts {
    let mut settings = Texts::new();
    for (key, text) in reader.rest() {
        let keys = offer.map_or_else(Vec::new, |offer| declared(&[offer], key));
        if offer.is_some() && keys.is_empty() {
            // Defaults may hold the keys of other notifiers.
            if text.section == reader.section {
                let known = offer.into_iter().flat_map(|offer| &offer.keys).map(|key| key.name.as_str());
                reader.unknown(key, known);
            }
            continue;
        }
        if withheld::refused(reader, sections, world.environment, key, &text.value) {
            continue;
        }
        let Some(value) = resolved(reader, world, key, &text.value) else { continue };
        if value.is_empty() || !is_good(reader, &keys, key, &value) {
            continue;
        }
        settings.insert(key.clone(), value);
    }
    settings
}

/// The value, or that of the variable it refers to; none when that is not set.
fn resolved(reader: &mut Reader<'_>, world: &World<'_>, key: &str, value: &str) -> Option<String> {
    let Some(variable) = variable_reference(value).filter(|_| !is_command(key)) else {
        if names_a_secret(key) && world.mode & 0o004 != 0 && !value.is_empty() {
            let hint = format!("run: chmod 600 {}; or write {key}_file", world.path.display());
            reader.warning(key, "stands in a file that every user of this host can read", hint);
        }
        return Some(value.to_owned());
    };
    let found = world.environment.variable(variable).map(str::to_owned);
    if found.is_none() {
        reader.error(key, format!("the variable {variable} is not set"), "set it in the environment of pm");
    }
    found
}
