//! `[library.NAME]` and `[plugins]`: how the libraries are run, and which of them must be there as they are.
//!
//! Unlike `[plugin.NAME]`, whose keys belong to a strategy or a check, all keys here are pm's own. A value that protects
//! (a sum, a user) and cannot be read is an error; so is a name that is probably misspelt, because what it should
//! protect is then left unprotected.

use super::World;
use super::reader::Reader;
use crate::config::environment::{Catalogue, Installed};
use crate::config::library::{Isolation, Library};
use crate::config::model::Plugins;
use crate::config::problem::{At, Problems, did_you_mean};
use crate::config::sections::{LIBRARY, PLUGIN, Sections};
use pm_plugin_api::value::Size;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A worker that has loaded an empty library uses a tenth of the least.
const MEMORY: RangeInclusive<u64> = 16 << 20..=1 << 40;
const IDLE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
const ISOLATION: [(&str, Isolation); 2] =
    [("worker", Isolation::Worker), ("in-process", Isolation::InProcess)];

/// All keys of a library, for those who meet one elsewhere.
pub(super) const KEYS: [&str; 9] = [
    "isolation",
    "user",
    "check_user",
    "no_new_privs",
    "memory_max",
    "idle_time",
    "sha256",
    "required",
    "override",
];

/// Reads `[plugins]`: the directory, and what holds for libraries that have no section.
pub(super) fn plugins(mut reader: Reader<'_>) -> Plugins {
    let dir = reader.path("dir");
    let only_pinned = reader.value("only_pinned").unwrap_or_default();
    let general = general(&mut reader, &Library::default());
    reader.finish();
    Plugins { dir, only_pinned, general, ..Plugins::default() }
}

/// The keys that both kinds of sections have.
fn general(reader: &mut Reader<'_>, base: &Library) -> Library {
    Library {
        isolation: reader.choice("isolation", &ISOLATION).unwrap_or(base.isolation),
        memory_max: memory(reader).unwrap_or(base.memory_max),
        idle_time: reader.duration_within("idle_time", IDLE).unwrap_or(base.idle_time),
        ..base.clone()
    }
}

fn memory(reader: &mut Reader<'_>) -> Option<u64> {
    let Size(bytes) = reader.value("memory_max")?;
    if MEMORY.contains(&bytes) {
        return Some(bytes);
    }
    let message = format!("{} is not from {} to {}", Size(bytes), Size(*MEMORY.start()), Size(*MEMORY.end()));
    reader.error("memory_max", message, "write 256M, which is the default; it is used until then");
    None
}

/// Reads all `[library.NAME]`.
pub(super) fn libraries(
    world: &World<'_>,
    sections: &Sections,
    base: &Library,
    problems: &mut Problems,
) -> BTreeMap<String, Library> {
    let named =
        |section: &String| section.strip_prefix(LIBRARY).filter(|name| !name.is_empty()).map(str::to_owned);
    let mut libraries = BTreeMap::new();
    for (name, section, keys) in sections.iter().filter_map(|(s, keys)| Some((named(s)?, s, keys))) {
        let mut reader = Reader::new(section, keys, world.base, problems);
        let library = library(&mut reader, base, world);
        rest(reader, &name, world.catalogue);
        libraries.insert(name, library);
    }
    let Some(installed) = &world.catalogue.libraries else { return libraries };
    let both: Vec<_> = libraries.iter().filter(|(_, l)| l.overrides).map(|(name, _)| name.clone()).collect();
    for (name, library) in &mut libraries {
        let section = format!("{LIBRARY}{name}");
        let keys = &sections[&section];
        let line = |key: &str| keys.texts.get(key).map(|text| text.line);
        let at = |key| At { line: line(key), section: &section, key: Some(key) };
        let own: Vec<_> = installed.iter().filter(|library| library.is_called(name)).collect();
        if own.is_empty() && !library.required {
            unknown(&At { line: Some(keys.line), section: &section, key: None }, name, installed, problems);
        }
        if library.required {
            library.missing = missing(name, &own, installed, &at("required"), problems);
        }
        if library.overrides && !own.is_empty() {
            needed(&own, installed, &both, &at("override"), problems);
        }
    }
    libraries
}

fn library(reader: &mut Reader<'_>, base: &Library, world: &World<'_>) -> Library {
    let mut library = general(reader, base);
    library.user = user(reader, "user", world);
    library.check_user = user(reader, "check_user", world);
    library.no_new_privs = reader.value("no_new_privs").unwrap_or_default();
    library.sha256 = sum(reader);
    library.required = reader.value("required").unwrap_or_default();
    library.overrides = reader.value("override").unwrap_or_default();
    if library.isolation == Isolation::InProcess {
        for key in ["user", "check_user", "no_new_privs", "memory_max", "idle_time"] {
            if reader.is_own(key) {
                let message = "has no effect on a library that runs in pm itself";
                reader.warning(key, message, "write isolation = worker, or delete the key");
            }
        }
    }
    library
}

/// Reports what is no key of a library; keys of its parts stand elsewhere.
fn rest(mut reader: Reader<'_>, name: &str, catalogue: &Catalogue) {
    let own = catalogue.libraries.iter().flatten().filter(|library| library.is_called(name));
    let parts: Vec<_> = own.flat_map(|library| &library.parts).collect();
    for (key, _) in reader.rest() {
        let owner = catalogue.offers.iter().find(|offer| {
            let is_own = parts.iter().any(|(kind, name)| (kind, name) == (&offer.kind, &offer.name));
            is_own && offer.keys.iter().any(|declared| declared.name == *key)
        });
        match owner {
            Some(offer) => {
                let message = format!("is a key of {} {:?}, not of its library", offer.kind, offer.name);
                reader.warning(key, message, format!("write it in [{PLUGIN}{}]", offer.name));
            }
            None => reader.unknown(key, []),
        }
    }
}

/// An account that there is, and that pm can change to. What cannot be judged, or not now, stays as it is written: a
/// worker that cannot become that user does not start, while one without would run with all rights of pm.
fn user(reader: &mut Reader<'_>, key: &'static str, world: &World<'_>) -> Option<String> {
    let name = reader.text(key)?.to_owned();
    // The first reading only looks for the plugin directory.
    if world.catalogue.libraries.is_none() {
        return Some(name);
    }
    let users = &world.environment.users;
    // A number need not have an account.
    let number = || name.parse::<u32>().ok().filter(|uid| *uid != u32::MAX);
    match users.named(&name).or_else(|error| number().ok_or(error)) {
        Err(error) => {
            let hint = "create the account or name another one; until then its worker does not start";
            reader.error(key, error.to_string(), hint);
        }
        Ok(uid) if users.ours() != 0 && uid != users.ours() => {
            let message = format!("pm runs as uid {} and cannot become {name:?}", users.ours());
            reader.warning(
                key,
                message,
                "run pm as root, or delete the key; otherwise its worker does not start",
            );
        }
        Ok(_) => {}
    }
    Some(name)
}

/// A sum that cannot be read stays as it is written: it fits no file, so nothing else is loaded in its place.
fn sum(reader: &mut Reader<'_>) -> Option<String> {
    let sum = reader.raw("sha256")?.to_ascii_lowercase();
    if sum.len() != 64 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = format!("{sum:?} is no SHA-256 sum, which has 64 hexadecimal digits");
        reader.error(
            "sha256",
            message,
            "write what sha256sum FILE prints; until then the library is refused",
        );
    }
    Some(sum)
}

fn unknown(at: &At<'_>, name: &str, installed: &[Installed], problems: &mut Problems) {
    let names = || installed.iter().filter_map(|library| library.name.as_deref());
    let message = format!("no library is called {name:?}; the section has no effect");
    let part = |library: &Installed| library.parts.iter().any(|(_, part)| part == name);
    if let Some(hint) = did_you_mean(name, names()) {
        problems.error(at, message, hint);
    } else if let Some(owner) = installed.iter().find(|library| part(library)).and_then(|l| l.name.as_ref()) {
        problems.error(
            at,
            message,
            format!("{name:?} is offered by the library {owner:?}; write [{LIBRARY}{owner}]"),
        );
    } else {
        problems.warning(at, message, "see: pm plugins list");
    }
}

/// Why a required library cannot be used; says so.
fn missing(
    name: &str,
    own: &[&Installed],
    installed: &[Installed],
    at: &At<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let (why, hint) = match own {
        [] => {
            let names = installed.iter().filter_map(|library| library.name.as_deref());
            let hint =
                did_you_mean(name, names).unwrap_or_else(|| "install it, or write required = no".to_owned());
            (format!("the library {name:?} is required and not installed"), hint)
        }
        [first, ..] if own.iter().all(|library| library.refused.is_some()) => {
            let reason = first.refused.as_deref().unwrap_or_default();
            let why = format!(
                "the library {name:?} is required and refused: plugin {}: {reason}",
                first.file.display()
            );
            (why, "pm does not start without it".to_owned())
        }
        _ => return None,
    };
    problems.error(at, why.clone(), hint);
    Some(why)
}

/// Says when a library takes the place of nobody, or of one that does the same.
fn needed(
    own: &[&Installed],
    installed: &[Installed],
    both: &[String],
    at: &At<'_>,
    problems: &mut Problems,
) {
    let own_part = |part: &(String, String)| own.iter().any(|library| library.parts.contains(part));
    let is_own = |library: &Installed| own.iter().any(|other| other.file == library.file);
    let rivals: Vec<_> = installed.iter().filter(|l| !is_own(l) && l.parts.iter().any(own_part)).collect();
    let equal = rivals.iter().find(|library| both.iter().any(|name| library.is_called(name)));
    if let Some(equal) = equal {
        let shown = equal.name.as_deref().unwrap_or_default();
        let message = format!("the library {shown:?} offers the same and overrides too");
        problems.error(at, message, "write it for one of them");
    } else if rivals.is_empty() {
        problems.warning(
            at,
            "no other library offers a part of this one",
            "delete the key; it has no effect",
        );
    }
}
