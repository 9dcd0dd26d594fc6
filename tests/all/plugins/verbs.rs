//! `pm plugins list` and `pm plugins info` as the operator sees them, called as a function with writers.

use super::{AUTO, MISBEHAVE, Plugins, lines_fit};
use serde_json::Value;
use std::ffi::OsString;

struct Said {
    code: u8,
    out: String,
    err: String,
}

fn pm(plugins: &Plugins, words: &str) -> Said {
    let mut arguments: Vec<_> = words.split(' ').map(OsString::from).collect();
    arguments.push("--plugins-dir".into());
    arguments.push(plugins.path().into());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pm_host::cli::main(arguments, &mut out, &mut err);
    Said { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn the_list_shows_every_library_and_why_one_is_refused() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    plugins.put("broken.so", b"no library");
    let said = pm(&plugins, "pm plugins list");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    lines_fit(&said.out);
    let row = |name: &str| {
        let line = said.out.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("no row {name} in\n{}", said.out))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(row("NAME"), ["NAME", "KIND", "VERSION", "FILE", "STATE"]);
    assert_eq!(row("auto"), ["auto", "strategy", version, AUTO, "ready"]);
    assert_eq!(row("looks"), ["looks", "check", version, MISBEHAVE, "ready"]);
    assert_eq!(row("-"), ["-", "-", "-", "broken.so", "refused"]);
    let reason = "\nbroken.so: is not a shared library (no ELF header); remove it or copy it again\n";
    assert!(said.out.contains(reason), "{}", said.out);
}

#[test]
fn the_list_for_programs_says_the_same() {
    let plugins = Plugins::with(&[AUTO]);
    plugins.put("broken.so", b"no library");
    let said = pm(&plugins, "pm plugins list --format json");
    let list = json(&said);
    assert_eq!(list["directory"], plugins.path().to_str().unwrap());
    assert_eq!(list["refusal"], Value::Null);
    let (broken, auto) = (&list["plugins"][0], &list["plugins"][1]);
    assert_eq!((&broken["state"], &broken["name"]), (&"refused".into(), &Value::Null));
    assert!(broken["reason"].as_str().unwrap().starts_with("is not a shared library"));
    assert_eq!(
        (&auto["name"], &auto["state"], &auto["interface"]),
        (&"auto".into(), &"ready".into(), &1.into())
    );
    assert_eq!(auto["file"], plugins.file(AUTO).to_str().unwrap());
    assert_eq!(auto["offers"][0]["kind"], "strategy");
    assert_eq!(auto["offers"][0]["settings"][0]["default"], "not-found");
}

#[test]
fn a_library_that_is_dropped_in_appears() {
    let plugins = Plugins::empty();
    let said = pm(&plugins, "pm plugins list");
    let nothing = format!("There are no plugins in {}.\n", plugins.path().display());
    assert_eq!((said.code, said.out), (0, nothing));
    plugins.put(AUTO, &super::built(AUTO));
    assert!(pm(&plugins, "pm plugins list").out.contains("auto"));
}

#[test]
fn a_directory_that_cannot_be_used_is_a_plugin_failure() {
    let plugins = Plugins::empty();
    std::fs::remove_dir(plugins.path()).unwrap();
    let said = pm(&plugins, "pm plugins list");
    assert_eq!(said.code, 4);
    let expected = format!("pm: plugin directory {} cannot be read: No such file", plugins.path().display());
    assert!(said.err.starts_with(&expected), "{}", said.err);
    assert_eq!(pm(&plugins, "pm plugins info auto").code, 4);
}

#[test]
fn info_tells_every_setting_with_type_default_and_text() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let said = pm(&plugins, "pm plugins info counts");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    lines_fit(&said.out);
    let expected = [
        "plugin \"pm-test-plugin-misbehave\"",
        "interface  1",
        "state      ready",
        "strategy \"counts\"",
        "  label  (text, no default)\n      Tells one part from another.",
        "  wait  (duration, unit seconds, default 10s)\n      Is read as a duration.",
    ];
    for text in expected {
        assert!(said.out.contains(text), "{text:?} is missing in\n{}", said.out);
    }
    assert!(!said.out.contains("\"hangs\""), "only the part that was asked for");
    let whole = pm(&plugins, "pm plugins info pm-test-plugin-misbehave").out;
    assert!(
        whole.contains("strategy \"hangs\"") && whole.contains("check \"looks\"\n  no settings"),
        "{whole}"
    );
}

#[test]
fn info_for_programs_tells_the_same() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let said = pm(&plugins, "pm plugins info counts --format json");
    let offers = &json(&said)[0]["offers"];
    assert_eq!(offers.as_array().unwrap().len(), 1);
    let setting = &offers[0]["settings"][1];
    let expected = serde_json::json!({
        "name": "wait", "type": "duration", "unit": "seconds", "allowed": null, "default": "10s", "required": false,
        "text": "Is read as a duration.",
    });
    assert_eq!(*setting, expected);
}

#[test]
fn info_of_a_missing_or_refused_plugin_is_a_plugin_failure() {
    let plugins = Plugins::with(&[AUTO]);
    plugins.put("broken.so", b"no library");
    let said = pm(&plugins, "pm plugins info atuo");
    assert_eq!((said.code, said.out.as_str()), (4, ""));
    assert!(said.err.ends_with("there are: auto; did you mean \"auto\"?\n"), "{}", said.err);
    let said = pm(&plugins, "pm plugins info broken");
    assert_eq!(said.code, 4);
    assert!(said.out.contains("state      refused: is not a shared library"), "{}", said.out);
    assert!(said.err.contains("broken.so: is not a shared library"), "{}", said.err);
}
