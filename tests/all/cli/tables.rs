//! `pm db` and `pm plugins` of the built program.

use super::{fits, json, shop};
use pm_tests::sandbox::Sandbox;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn migrating_twice_is_as_good_as_once_and_takes_nothing_away() {
    let sandbox = Sandbox::sqlite("");
    let file = sandbox.dir().join("alarms.db");
    let table = rusqlite::Connection::open(&file).unwrap();
    // The tables of an early release: no host, no index.
    table
        .execute_batch(
            "CREATE TABLE STATUS_PROCESS (process_id INTEGER PRIMARY KEY, alarma TINYINT NOT NULL DEFAULT 0, \
             sound TINYINT NOT NULL DEFAULT 0, notes VARCHAR(100)); \
             CREATE TABLE PROCESE (process_id INTEGER PRIMARY KEY, process_name VARCHAR(100) NOT NULL); \
             INSERT INTO STATUS_PROCESS VALUES (1, 1, 0, 'kept'); INSERT INTO PROCESE VALUES (1, 'web')",
        )
        .unwrap();
    let before = sandbox.ok(&["db", "status"]);
    assert!(
        before.contains("Schema    not recorded") && before.contains("To add what is missing: pm db migrate"),
        "{before}"
    );
    let first = sandbox.ok(&["db", "migrate"]);
    assert!(first.lines().count() >= 1 && !first.contains("Nothing to do"), "{first}");
    assert_eq!(sandbox.ok(&["db", "migrate"]), "Nothing to do: the tables are up to date.\n");
    let after = sandbox.ok(&["db", "status"]);
    assert!(after.contains("Missing   nothing"), "{after}");
    fits(&first, 100);
    let value = json(&sandbox.ok(&["db", "status", "--format", "json"]));
    assert_eq!((&value["missing"], &value["version"]), (&serde_json::json!([]), &value["newest"]));
    assert_eq!(sandbox.row("web")["notes"], "kept");
}

#[test]
fn what_the_tables_say_of_groups_and_dependencies_is_judged_together_with_the_file() {
    let sandbox = Sandbox::sqlite(
        "[process.web]\nrestart_strategy = custom\nrestart_command = true\ndepends_on = db\n\
         [process.db]\nrestart_strategy = custom\nrestart_command = true\ncriticality = high\n",
    );
    sandbox.ok(&["db", "migrate"]);
    let quiet = sandbox.ok(&["db", "status"]);
    assert!(!quiet.contains("Relations") && !quiet.contains("Problem"), "{quiet}");
    let table = rusqlite::Connection::open(sandbox.dir().join("alarms.db")).unwrap();
    table
        .execute_batch(
            "INSERT INTO pm_group VALUES ('web', 'shop'), ('mail', 'shop'); \
             INSERT INTO pm_dependency VALUES ('db', 'web'), ('db', 'disk')",
        )
        .unwrap();
    let shown = sandbox.ok(&["db", "status"]);
    fits(&shown, 140);
    for line in [
        "Relations 2 in pm_group, 2 in pm_dependency",
        "Problem   db → web → db is a cycle (in pm_dependency and the file); until one of these is deleted, web does",
        "Problem   db → disk: disk is not configured here (in pm_dependency); db does not wait for it",
        "Elsewhere mail: in these tables, not configured here",
    ] {
        assert!(shown.lines().any(|shown| shown.starts_with(line)), "{line}\n{shown}");
    }
    let value = json(&sandbox.ok(&["db", "status", "--format", "json"]));
    assert_eq!((&value["groups"], &value["dependencies"]), (&2.into(), &2.into()));
    assert_eq!(value["problems"].as_array().unwrap().len(), 2);
    assert_eq!(value["not_configured"], serde_json::json!(["mail"]));
    // Another table by that name is a finding, not a failure.
    table.execute_batch("DROP TABLE pm_group; CREATE TABLE pm_group (a TEXT, b TEXT)").unwrap();
    let odd = sandbox.ok(&["db", "status"]);
    assert!(
        odd.contains("Problem   reading the groups from pm_group at ") && odd.contains("Missing"),
        "{odd}"
    );
    // The file is told of by pm check.
    let check = sandbox.ok(&["check"]);
    let row =
        |name: &str| check.lines().rfind(|line| line.starts_with(name)).unwrap().split_whitespace().collect();
    let (web, db): (Vec<_>, Vec<_>) = (row("web "), row("db "));
    assert_eq!((web, db), (vec!["web", "normal", "-", "1", "db"], vec!["db", "high", "-", "0", "-"]));
}

#[test]
fn plugins_are_listed_and_explained_and_a_refused_one_is_status_4() {
    let sandbox = shop();
    let listed = sandbox.ok(&["plugins", "list"]);
    fits(&listed, 80);
    for name in ["auto", "command", "custom", "docker", "http", "process", "service", "tcp"] {
        assert!(listed.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}\n{listed}");
    }
    for name in ["custom", "process", "service", "docker", "http", "tcp", "auto"] {
        let told = sandbox.ok(&["plugins", "info", name]);
        fits(&told, 100);
        assert!(told.contains("state      ready"), "{told}");
    }
    assert!(
        sandbox
            .ok(&["plugins", "info", "process"])
            .contains("stop_timeout  (duration, unit seconds, default 10s)")
    );
    let unknown = sandbox.pm(&["plugins", "info", "proces"]);
    assert!(unknown.code == 4 && unknown.err.contains("did you mean \"process\"?"), "{unknown:?}");
    // A library that is none.
    let plugins = sandbox.dir().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let broken = plugins.join("libbroken.so");
    std::fs::write(&broken, "no library").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let there = ["--plugins-dir", plugins.to_str().unwrap()];
    let listed = sandbox.ok(&[&["plugins", "list"], &there[..]].concat());
    assert!(listed.contains("libbroken.so") && listed.contains("refused"), "{listed}");
    let told = sandbox.pm(&[&["plugins", "info", "libbroken.so"], &there[..]].concat());
    assert!(told.code == 4 && told.err.contains("is not a shared library"), "{told:?}");
    let nowhere = sandbox.pm(&["plugins", "list", "--plugins-dir", "/nowhere"]);
    assert!(nowhere.code == 4 && nowhere.err.contains("/nowhere"), "{nowhere:?}");
    // Without the plugins a process cannot be handled, and that is said of it.
    let why = sandbox.pm(&[&["why", "web"], &there[..]].concat());
    assert!(why.out.contains("HOLD configured    its configuration cannot be used: "), "{why:?}");
}
