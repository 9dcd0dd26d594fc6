//! `pm alarm`: adding, raising, clearing and listing one, several and all.

use super::{fits, json, shop};
use pm_tests::sandbox::Sandbox;

/// `NAME=STATE` of every row.
fn states(sandbox: &Sandbox) -> String {
    let rows = sandbox.rows();
    let state = |row: &serde_json::Value| {
        format!("{}={}", row["name"].as_str().unwrap(), row["state"].as_str().unwrap())
    };
    rows.as_array().unwrap().iter().map(state).collect::<Vec<_>>().join(" ")
}

#[test]
fn alarms_are_raised_and_cleared_for_one_several_and_all() {
    let sandbox = shop();
    for (words, said, after) in [
        (&["raise", "web"][..], "In alarm now: 1 row.\n", "web=alarm db=normal mail=normal stranger=normal"),
        (
            &["raise", "web", "db"],
            "In alarm now: 2 rows.\n",
            "web=alarm db=alarm mail=normal stranger=normal",
        ),
        (&["clear", "web"], "Out of alarm now: 1 row.\n", "web=normal db=alarm mail=normal stranger=normal"),
        (&["raise", "--all"], "In alarm now: 4 rows.\n", "web=alarm db=alarm mail=alarm stranger=alarm"),
        (
            &["clear", "db", "mail"],
            "Out of alarm now: 2 rows.\n",
            "web=alarm db=normal mail=normal stranger=alarm",
        ),
        (
            &["clear", "--all"],
            "Out of alarm now: 4 rows.\n",
            "web=normal db=normal mail=normal stranger=normal",
        ),
    ] {
        assert_eq!(sandbox.ok(&[&["alarm"], words].concat()), said);
        assert_eq!(states(&sandbox), after, "{words:?}");
    }
    sandbox.ok(&["alarm", "raise", "web", "--note", &"ș".repeat(150)]);
    assert_eq!(sandbox.row("web")["notes"].as_str().unwrap().chars().count(), 100);
    sandbox.ok(&["alarm", "raise", "web"]);
    assert!(sandbox.row("web")["notes"].as_str().unwrap().starts_with("Test alarm triggered at 20"));
    sandbox.ok(&["alarm", "clear", "web"]);
    assert!(sandbox.row("web")["notes"].as_str().unwrap().starts_with("Reset at 20"));
}

#[test]
fn an_unknown_name_changes_nothing_and_says_which_there_are() {
    let sandbox = shop();
    for verb in ["raise", "clear"] {
        let shown = sandbox.pm(&["alarm", verb, "web", "wbe"]);
        assert_eq!((shown.code, shown.out.as_str()), (1, ""));
        assert_eq!(
            shown.err,
            "pm: no process \"wbe\" in the table, nothing was changed; there are: web, db, mail, stranger\n"
        );
    }
    assert_eq!(states(&sandbox), "web=normal db=normal mail=normal stranger=normal");
}

#[test]
fn a_process_is_added_once_and_needs_a_name() {
    let sandbox = shop();
    assert_eq!(sandbox.ok(&["alarm", "add", "web", "new"]), "web has row 1.\nnew has row 5.\n");
    assert_eq!(sandbox.rows().as_array().unwrap().len(), 5);
    let shown = sandbox.pm(&["alarm", "add", " "]);
    assert_eq!((shown.code, shown.err.as_str()), (2, "pm: a process needs a name\n"));
}

#[test]
fn the_list_fits_shows_ticks_and_cannot_draw() {
    let sandbox = shop();
    sandbox.ok(&[
        "alarm",
        "raise",
        "db",
        "--note",
        "a\u{1b}[2J note that is long enough to be wrapped by a table of eighty columns",
    ]);
    let table = rusqlite::Connection::open(sandbox.dir().join("alarms.db")).unwrap();
    table.execute("UPDATE STATUS_PROCESS SET alarma = 1, sound = 1 WHERE process_id = 3", []).unwrap();
    table
        .execute(
            "UPDATE PROCESE SET process_name = 'a' || char(10) || 'b' || char(8238) WHERE process_id = 4",
            [],
        )
        .unwrap();
    let shown = sandbox.ok(&["alarm", "list"]);
    fits(&shown, 80);
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{202e}') && shown.contains("\\u{1b}[2J"),
        "{shown}"
    );
    assert!(shown.contains("alarm, ticked"), "{shown}");
    let rows = json(&sandbox.ok(&["alarm", "list", "--format", "json"]));
    assert_eq!(rows[3]["name"], "a\nb\u{202e}");
    assert_eq!((&rows[2]["sound"], &rows[2]["alarma"]), (&1.into(), &1.into()));
    let empty = Sandbox::sqlite("");
    empty.ok(&["db", "migrate"]);
    assert_eq!(empty.ok(&["alarm", "list"]), "No processes in the table. To add one: pm alarm add NAME\n");
    assert_eq!(empty.ok(&["alarm", "list", "--format", "json"]), "[]\n");
}

#[test]
fn without_the_database_every_verb_ends_with_3_and_one_line() {
    let sandbox = Sandbox::sqlite("");
    std::fs::create_dir(sandbox.dir().join("alarms.db")).unwrap();
    for words in [
        &["alarm", "list"][..],
        &["alarm", "add", "x"],
        &["alarm", "raise", "--all"],
        &["alarm", "clear", "x"],
        &["db", "status"],
        &["db", "migrate"],
    ] {
        let shown = sandbox.pm(words);
        assert_eq!((shown.code, shown.out.as_str()), (3, ""), "{words:?}");
        assert!(shown.err.starts_with("pm: ") && shown.err.lines().count() == 1, "{words:?}: {}", shown.err);
        assert!(shown.err.contains("alarms.db"), "{}", shown.err);
    }
}
