//! `[maintenance.NAME]` to a [`Definition`]: whom a window covers and when it is.
//!
//! A window whose time is not understood is left out, with an error: it could be any time. A name that is wrong is an
//! error as well, but the window stays in force for the others: it must protect rather more than less.

use super::reader::Reader;
use crate::calendar::{Part, Recurring, Zone, length, when};
use crate::config::problem::{At, Problems, did_you_mean, nearest};
use crate::config::sections::{DEFAULT, MAINTENANCE, PROCESS, Sections};
use crate::policy::model::Name;
use crate::policy::time::Wall;
use crate::policy::window::{Definition, Scope, When};
use pm_plugin_api::value::Value as _;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What follows every mistake.
const MEANWHILE: &str = "the window is left out until then";
/// Stands in for a part that is wrong or missing, so that the others are looked at all the same.
const STAND_IN: Duration = Duration::from_secs(60);

/// Reads all windows; answers them, and the lines of their headers.
pub(in crate::config) fn windows(
    sections: &Sections,
    base: &Path,
    zone: &Zone,
    problems: &mut Problems,
) -> (Vec<Definition>, BTreeMap<Name, u32>) {
    let (mut windows, mut lines) = (Vec::new(), BTreeMap::new());
    for (section, keys) in sections {
        let Some(name) = section.strip_prefix(MAINTENANCE).filter(|name| !name.trim().is_empty()) else {
            continue;
        };
        let mut reader = Reader::new(section, keys, base, problems);
        let scopes = scopes(&mut reader, sections);
        let when = time(&mut reader, zone);
        let reason = reader.text("reason").unwrap_or_default().to_owned();
        reader.finish();
        let id = Name::new(name);
        lines.insert(id.clone(), keys.line);
        if let (Some(scopes), Some(when)) = (scopes, when) {
            windows.push(Definition { id, scopes, reason, by: "configuration".to_owned(), when });
        }
    }
    (windows, lines)
}

fn scopes(reader: &mut Reader<'_>, sections: &Sections) -> Option<Vec<Scope>> {
    let all = reader.value("all");
    let processes = reader.value::<Vec<String>>("process").unwrap_or_default();
    let groups = reader.value::<Vec<String>>("group").unwrap_or_default();
    for name in &groups {
        unknown_group(reader, name, sections);
    }
    let (unknown, known): (Vec<_>, Vec<_>) = processes.iter().partition(|name| is_unknown(name, sections));
    let others = all == Some(true) || !known.is_empty() || !groups.is_empty();
    for name in unknown {
        let known = sections.keys().filter_map(|section| section.strip_prefix(PROCESS));
        let hint = did_you_mean(name, known);
        let hint = hint.unwrap_or_else(|| format!("add a section [{PROCESS}{name}]"));
        let rest = if others { "; the window covers the others" } else { "; the window covers nothing" };
        reader.error("process", format!("no process {name:?} is configured{rest}"), hint);
    }
    if all == Some(true) {
        for (key, names) in [("process", &processes), ("group", &groups)] {
            if !names.is_empty() {
                reader.warning(key, "has no effect beside all = yes", "delete one of them");
            }
        }
        return Some(vec![Scope::All]);
    }
    if processes.is_empty() && groups.is_empty() {
        let hint = "write process = NAME, group = NAME, or all = yes";
        missing(reader, "process", "the window covers nothing", hint);
        return None;
    }
    let groups = groups.iter().map(|name| Scope::Group(Name::new(name)));
    let scopes = known.into_iter().map(|name| Scope::Process(Name::new(name))).chain(groups);
    others.then(|| scopes.collect())
}

fn is_unknown(name: &str, sections: &Sections) -> bool {
    !sections.contains_key(DEFAULT) && !sections.contains_key(&format!("{PROCESS}{name}"))
}

/// Groups may also be declared in a table, so one that no section names is only a warning.
fn unknown_group(reader: &mut Reader<'_>, name: &str, sections: &Sections) {
    let of_processes = sections.iter().filter(|(section, _)| section.starts_with(PROCESS));
    let known = of_processes.filter_map(|(_, keys)| Some(keys.texts.get("group")?.value.as_str()));
    let known: Vec<_> = known.filter(|group| !group.is_empty()).collect();
    if !known.contains(&name) {
        let hint =
            did_you_mean(name, known).unwrap_or_else(|| format!("write group = {name} in its members"));
        reader.warning("group", format!("no process section is in a group {name:?}"), hint);
    }
}

fn time(reader: &mut Reader<'_>, system: &Zone) -> Option<When> {
    let zone = match reader.raw("time_zone").map(Zone::named) {
        None => Some(system.clone()),
        Some(Ok(zone)) => Some(zone),
        Some(Err(unknown)) => {
            reader.error("time_zone", unknown.to_string(), unknown.hint());
            None
        }
    };
    let (from, until) = (reader.raw("from"), reader.raw("until"));
    match (reader.raw("cron"), from.or(until)) {
        (Some(cron), None) => recurring(reader, cron, zone.as_ref()),
        (None, Some(_)) => once(reader, from, until, zone.as_ref()),
        (cron, _) => {
            reader.know(&["duration"]);
            if cron.is_some() {
                reader.error("cron", "has no place beside from and until", "delete cron, or from and until");
            } else {
                let hint = "write from and until, or cron and duration";
                missing(reader, "from", "the window has no time", hint);
            }
            None
        }
    }
}

fn once(
    reader: &mut Reader<'_>,
    from: Option<&str>,
    until: Option<&str>,
    zone: Option<&Zone>,
) -> Option<When> {
    let lasts = reader.raw("duration").is_some();
    if lasts && until.is_some() {
        reader.error("duration", "has no place beside until", "delete one of them");
    }
    let lasting = duration(reader);
    let Some(from) = from else {
        missing(reader, "from", "is required beside until", "write when it begins, such as 2026-12-01 22:00");
        return None;
    };
    let zone = zone?;
    let mut read = |key, text: &str| -> Option<Wall> {
        when::absolute(text, zone).map_err(|why| reader.error(key, why, MEANWHILE)).ok()
    };
    let from = read("from", from);
    let until = match until {
        Some(text) => read("until", text),
        None if lasts => from.zip(lasting).map(|(from, lasting)| when::after(from, lasting)),
        None => {
            missing(
                reader,
                "until",
                "is required beside from",
                "write when it ends, such as 2026-12-02 02:00",
            );
            None
        }
    };
    let (from, until) = (from?, until?);
    if until <= from {
        let message = format!("{} is not after from, {}", zone.show(until), zone.show(from));
        reader.error("until", message, "write a later time");
        return None;
    }
    let lasts = Duration::from_millis(u64::try_from(until.0 - from.0).unwrap_or_default());
    if let Err(wrong) = length(lasts) {
        let key = if lasting.is_some() { "duration" } else { "until" };
        let message = format!("{}, and this one {}", wrong.why, when::in_words(lasts));
        reader.warning(key, message, "it counts as it is written; to hold without an end: pm hold");
    }
    Some(When::Once { from, until })
}

fn recurring(reader: &mut Reader<'_>, cron: &str, zone: Option<&Zone>) -> Option<When> {
    let given = reader.raw("duration").is_some();
    let lasting = duration(reader);
    if !given {
        let hint = "write how long each window lasts: duration = 2h";
        missing(reader, "duration", "is required beside cron", hint);
    }
    let name = zone.map(Zone::name);
    match Recurring::new(cron, lasting.unwrap_or(STAND_IN), name.unwrap_or("UTC")) {
        Ok(_) => Some(When::Recurring { cron: cron.to_owned(), duration: lasting?, zone: name?.to_owned() }),
        Err(wrong) => {
            let key = match wrong.part {
                Part::Cron => "cron",
                Part::Duration => "duration",
                Part::Zone => "time_zone",
            };
            // About a duration that nobody wrote there is nothing more to say.
            if wrong.part != Part::Duration || lasting.is_some() {
                reader.error(key, wrong.why, wrong.hint);
            }
            None
        }
    }
}

/// There is no default that could stand in, as there is for other durations.
fn duration(reader: &mut Reader<'_>) -> Option<Duration> {
    let text = reader.raw("duration")?;
    Duration::parse(text).map_err(|why| reader.error("duration", why, MEANWHILE)).ok()
}

/// A key that is not there is reported at the header.
fn missing(reader: &mut Reader<'_>, key: &str, message: &str, hint: &str) {
    let at = At { line: Some(reader.keys.line), section: reader.section, key: Some(key) };
    reader.problems.error(&at, message, hint);
}

/// What a header was meant to be that nearly begins a window: an ignored window would be found out too late.
pub(in crate::config) fn meant(section: &str) -> Option<String> {
    let (kind, name) = section.split_once(['.', '_', ' ', ':']).unwrap_or((section, "NAME"));
    let right = MAINTENANCE.trim_end_matches('.');
    let is_meant = kind == right || nearest(kind, [right]).is_some() || matches!(kind, "window" | "windows");
    is_meant.then(|| format!("[{MAINTENANCE}{name}]"))
}
