//! Names that want to be more than names: whoever can write the table must not be able to run anything.

use super::{World, alive};
use rusqlite::types::Value;

/// Command lines that put the name where a shell would see it.
const DEFAULT: &str = "[process.default]\nrestart_strategy = custom\nmax_attempts = 1\n\
    pre_restart_command = echo \"$process_name\" > /dev/null\n\
    restart_command = cat /dev/null %s; printf '%%s' %{name} > /dev/null; : \"%s\" ; true\n\
    health_check_command = true %s\nrestart_delay = 0.01\nmax_restart_failures = 1\n";

/// Names that mean something to a shell, a terminal, systemd, a path or the configuration.
const ODD: [&str; 36] = [
    "it's",
    "\"quoted\"",
    "a;b",
    "a b",
    "--now",
    "-H host",
    "*",
    "[a-z]*",
    "../../x",
    "poweroff.target",
    "a\\b",
    "a%sb",
    "%s",
    "%{name}",
    "$HOME",
    "{a,b}",
    "~root",
    "a|b",
    "a&b",
    "a>b",
    "#",
    "!",
    "",
    " ",
    "\t",
    "a\u{202e}b",
    "e\u{301}",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{feff}x",
    "x@$(id)",
    "=",
    "a=b",
    "process.default",
    "default",
    "a]\n[process.b]\nrestart_command=touch x",
    "ș",
];

/// Names that would make a file, `@`, if anything of them was executed.
const TRICKS: [&str; 17] = [
    "x; touch @",
    "$(touch @)",
    "`touch @`",
    "x\ntouch @",
    "' ; touch @ ; '",
    "\" ; touch @ ; \"",
    "&& touch @",
    "|| touch @",
    "| touch @",
    "> @",
    "x' $(touch @) '",
    "\\'; touch @ #",
    "%s; touch @",
    "${IFS}touch${IFS}@",
    "\r\ntouch @\r\n",
    "!!; touch @",
    "\0; touch @",
];

fn names(folder: &str) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let tricks = TRICKS.iter().enumerate();
    let tricks = tricks.map(|(number, trick)| text(&trick.replace('@', &format!("{folder}/owned-{number}"))));
    let forged = "x\n2020-01-01 00:00:00  [INFO] - Successfully handled alarm for forged";
    let long = ["n".repeat(255), "ă".repeat(100), "x".repeat(10_000), forged.to_owned()];
    let no_text = [Value::Blob(vec![0xff, 0xfe, b'x']), Value::Integer(42), Value::Real(1.5)];
    ODD.iter().map(|name| text(name)).chain(tricks).chain(long.map(Value::Text)).chain(no_text).collect()
}

#[test]
fn nothing_of_a_name_is_ever_executed_and_the_log_cannot_be_forged() {
    let mut world = World::with(DEFAULT);
    let pm = world.start();
    let folder = world.path("");
    let names = names(folder.trim_end_matches('/'));
    for (id, name) in (1..).zip(&names) {
        let notes = format!("$(touch {folder}owned-by-notes)\n`id`");
        world.put(id, name, 1, 0, Some(&notes));
    }
    let last = i64::try_from(names.len()).unwrap();
    // A good name that is read after them shows that the daemon goes on.
    world.put(last + 1, &"honest", 1, 0, None);
    world.cleared(last + 1);
    let ended = |world: &World, id: i64| world.state(id).0 == 0 || world.said(&format!("(ID: {id})")) > 0;
    for (id, name) in (1..).zip(&names).filter(|(_, name)| matches!(name, Value::Text(_))) {
        world.until(&format!("row {id}, {name:?}, to be decided"), |_| ended(&world, id));
    }
    world.until("every job to end", |_| {
        let messages = world.messages();
        let count = |text: &str| messages.iter().filter(|line| line.starts_with(text)).count();
        count("INFO RESTART LOG: Beginning restart procedure for ")
            == count("INFO Successfully handled alarm for ") + count("ERROR Failed to handle alarm for ")
    });
    world.round();
    assert!(alive(pm));
    let owned: Vec<_> = std::fs::read_dir(world.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("owned") || name == "x")
        .collect();
    assert_eq!(owned, Vec::<String>::new(), "a name was executed");
    // Every line has the shape of a line of pm, and none of it can draw on a terminal.
    for line in world.messages() {
        assert_ne!(line, "INFO Successfully handled alarm for forged");
        assert!(!line.contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']), "{line:?}");
        assert!(line.len() < 40_000, "{} bytes in one line", line.len());
    }
    // A name is never looked up as a pattern: it either is handled by the default section or refused by itself.
    assert!(world.said("Found process in alarm: *") == 1);
    for words in [&["status"][..], &["alarm", "list"], &["why", "$(id)"], &["status", "--format", "json"]] {
        let shown = world.pm(words);
        assert_eq!(shown.code, 0, "{words:?}: {}", shown.err);
        assert!(!shown.out.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{words:?}");
    }
}

#[test]
fn names_that_are_paths_or_patterns_find_no_program() {
    // Without start_command the strategy process starts the program of that name in PATH; a path is no name.
    let default =
        "[process.default]\nrestart_strategy = process\nmax_attempts = 1\nhealth_check_timeout = 0.1\n";
    let mut world = World::with(default);
    let script = world.script("evil", "touch @DIR@/owned");
    let script = script.to_str().unwrap().to_owned();
    world.start();
    for name in [script.as_str(), "../evil", "./evil", "evil", "poweroff", "reboot", "sh -c 'touch owned'"] {
        world.alarm(name);
        world.until_log(&format!("Failed to handle alarm for {name}"));
    }
    assert!(!world.dir().join("owned").exists());
    world.round();
}
