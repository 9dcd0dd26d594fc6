//! What has to hold for any input at all. The fuzzers look for inputs that break it, and the ordinary tests run the inputs
//! that were kept (`fuzz/inputs`) through the same functions. It touches no file and starts nothing.

use pm_host::config::environment::Given;
use pm_host::config::{Catalogue, Environment, Files, Loaded, effective, load, look_up};
use pm_host::plugins::wire::{Message, decode, encode};
use pm_plugin_api::command::{PercentS, shell_word, substitute};
use pm_plugin_api::manifest::{Manifest, Offer};
use pm_plugin_api::settings::Key;
use pm_plugin_api::value::validate;
use pm_plugin_api::{Error, Evidence, Health, Outcome};
use pm_policy::name::{Name, is_printable, printable};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What must not be seen anywhere.
const SECRET: &str = "kept-to-itself-4711";

fn key(name: &str, kind: &str) -> Key {
    Key {
        name: name.to_owned(),
        kind: kind.to_owned(),
        default: None,
        text: "Text.".to_owned(),
        unit: None,
        allowed: None,
        required: false,
    }
}

fn offers() -> Vec<Offer> {
    let offer =
        |kind: &str, name: &str, keys: Vec<Key>| Offer { kind: kind.to_owned(), name: name.to_owned(), keys };
    vec![
        offer("strategy", "service", vec![key("unit", "text")]),
        offer("strategy", "process", vec![key("start_command", "text"), key("stop_timeout", "duration")]),
        offer("strategy", "custom", vec![key("restart_command", "text"), key("restart_block_b64", "text")]),
        offer("check", "command", vec![key("health_check_command", "text")]),
        offer("check", "tcp", vec![key("host", "text"), key("port", "number16"), key("pin", "list")]),
    ]
}

fn read(bytes: &[u8], offers: Vec<Offer>) -> Loaded {
    let file = PathBuf::from("/etc/pm/config.ini");
    let given = |bytes: &[u8]| Given { bytes: bytes.to_vec(), mode: 0o600 };
    let files = [(file.clone(), given(bytes)), (PathBuf::from("/p"), given(SECRET.as_bytes()))];
    let environment = Environment {
        variables: BTreeMap::from([("PM_DATABASE_PASSWORD".to_owned(), SECRET.to_owned())]),
        files: Files::Given(files.into()),
        ..Environment::default()
    };
    load(Path::new(&file), &environment, &Catalogue { offers, ..Catalogue::default() })
}

fn judge(bytes: &[u8], offers: &[Offer]) {
    let loaded = read(bytes, offers.to_vec());
    assert!(loaded.config.is_some() || !loaded.usable(), "without a configuration there is an error");
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    let mut told = effective::to_json(&loaded).to_string();
    for problem in &loaded.problems {
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&(line as usize))), "{problem:?}");
        let text = problem.to_string();
        assert!(text.chars().all(is_printable), "{text:?} draws");
        told.push_str(&text);
    }
    let own = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    assert!(own || !told.contains(SECRET), "a secret is told");
    if let Some(config) = &loaded.config {
        for name in config.processes.keys().map(String::as_str).chain(["somebody else"]) {
            let _ = look_up(config, offers, &Name::new(name));
        }
    }
}

/// Any text as a configuration, with and without plugins.
pub(crate) fn configuration(bytes: &[u8]) {
    judge(bytes, &offers());
    judge(bytes, &[]);
}

/// Any bytes as what a library says of itself: 512 of them fixed, the rest its settings.
pub(crate) fn manifest(bytes: &[u8]) {
    let (fixed, settings) = bytes.split_at(bytes.len().min(512));
    let Ok(manifest) = Manifest::parse(fixed, settings) else { return };
    for key in manifest.offers.iter().flat_map(|offer| &offer.keys) {
        for value in ["", "1", "10s", "yes", "a, b", "\u{1b}"] {
            let _ = validate(&key.kind, value);
        }
    }
    // What it offers is taken up in the same process that reads the operator's file.
    let sections = manifest.offers.iter().map(|offer| {
        let keys = offer.keys.iter().map(|key| format!("{} = 1\n", key.name)).collect::<String>();
        let name = &offer.name;
        format!("[process.{name}]\nrestart_strategy = {name}\nhealth_check = {name}\n{keys}[plugin.{name}]\n{keys}")
    });
    let text: String = sections.collect();
    judge(text.as_bytes(), &manifest.offers);
}

/// Any texts as a name from the table, a system name and a command line of the operator.
pub(crate) fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(3, '\n');
    let [name, system_name, line] = [(); 3].map(|()| parts.next().unwrap_or_default());
    for shown in [printable(name), Name::new(name).to_string()] {
        assert!(shown.chars().all(is_printable), "{shown:?} draws");
        assert_eq!(printable(&shown), shown, "what is shown can be shown");
    }
    if let Ok(word) = shell_word(name) {
        assert_eq!(unquoted(&word).as_deref(), Some(name), "{word}");
    }
    for percent_s in [PercentS::Name, PercentS::SystemName] {
        if let Ok(command) = substitute(line, name, system_name, percent_s) {
            let given =
                |c: char| [line, name, system_name].iter().any(|text| text.contains(c)) || "'\\".contains(c);
            assert!(command.chars().all(given), "{command:?} holds what nobody gave");
        }
        let named = if percent_s == PercentS::Name { name } else { system_name };
        for line in ["run %s", "run %{name}", "run \"x-%s\"", "run 'x-%s'", "run $(pidof %s)"] {
            // One name for both: it may come from the table.
            let Ok(command) = substitute(line, named, named, percent_s) else { continue };
            let (before, after) = line
                .split_once('%')
                .map(|(before, after)| (before, &after[after.find(['s', '}']).unwrap_or(0) + 1..]))
                .unwrap();
            let put = command.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            let put = put.unwrap_or_else(|| panic!("{command:?} does not keep to {line:?}"));
            assert!(harmless(put), "{line:?} with {named:?} became {command:?}");
        }
    }
}

/// Whether a shell sees one word, inside of quotes or outside, and no option.
fn harmless(put: &str) -> bool {
    let text = put.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(put);
    // Combining marks, too: names are written in all ways that Unicode has for an accent.
    let plain = |c: char| c.is_alphanumeric() || "._@:- ".contains(c) || ('\u{300}'..='\u{36f}').contains(&c);
    let quoted = text.len() + 2 == put.len();
    text.chars().all(plain) && !text.starts_with('-') && (quoted || !text.contains(' '))
}

/// What a shell makes of a word in single quotes, in which `'\''` stands for one of them.
fn unquoted(word: &str) -> Option<String> {
    let inside = word.strip_prefix('\'')?.strip_suffix('\'')?;
    let parts: Vec<&str> = inside.split(r"'\''").collect();
    parts.iter().all(|part| !part.contains('\'')).then(|| parts.join("'"))
}

/// Any packet as a message between pm and a worker: it is one or it is not, and what it says is read or refused.
pub(crate) fn frames(bytes: &[u8]) {
    let Ok((number, message)) = decode(bytes) else { return };
    if let Some(again) = encode(number, &message) {
        assert_eq!(decode(&again), Ok((number, message.clone())), "what is understood can be said again");
    }
    if let Message::Answer(body) | Message::Failed(body) = message {
        let _ = serde_json::from_slice::<Outcome>(body);
        let _ = serde_json::from_slice::<Health>(body);
        let _ = serde_json::from_slice::<Evidence>(body);
        let _ = serde_json::from_slice::<Option<String>>(body);
        let _ = serde_json::from_slice::<Error>(body);
    }
}
