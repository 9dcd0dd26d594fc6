//! The table of attempts that all hosts share: once per attempt, whatever is repeated, whoever is hostile, however old the
//! tables are.

use super::engines::{Database, Engine, fixture, name};
use super::on_each_engine;
use pm_host::policy::model::{AttemptId, End, Name};
use pm_host::policy::time::Wall;
use pm_host::ports::{Attempt, Effect, Publication, Published, Rows};

on_each_engine! {
    an_attempt_stands_there_once_in_its_newest_state
    attempts_of_other_hosts_and_journals_are_others
    texts_are_cut_to_their_columns_and_hostile_ones_are_data
    without_the_table_nothing_is_published_and_nothing_fails
    an_upgrade_from_every_older_version_keeps_what_is_there
}

fn publication(id: i64, of: &str) -> Publication {
    Publication {
        host: "shop1".to_owned(),
        journal: "0011223344556677".to_owned(),
        attempt: Attempt {
            id: AttemptId(id),
            name: Name::new(of),
            strategy: "service, custom".to_owned(),
            seen: Some(Wall(1_767_225_599_000)),
            began: Wall(1_767_225_600_250),
            ended: Some((Wall(1_767_225_601_000), End::Restarted, 2, "job done".to_owned())),
            under_way: false,
            cause: "alarm".to_owned(),
            by: Some("custom".to_owned()),
            effect: None,
        },
        revision: 1,
    }
}

/// The values of some columns, in the order of the keys.
fn told(database: &dyn Database, columns: &str) -> Vec<String> {
    database.column(&format!("SELECT {columns} FROM pm_attempt ORDER BY host, journal, attempt_id"))
}

fn an_attempt_stands_there_once_in_its_newest_state(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(None);
    store.migrate().unwrap();
    let mut rows: Vec<_> = (1..=150).map(|id| publication(id, "web")).collect();
    assert_eq!(store.publish(&rows).unwrap(), Published::All);
    rows[6].attempt.effect = Some(Effect::Relapsed);
    for _ in 0..2 {
        assert_eq!(store.publish(&rows[..10]).unwrap(), Published::All);
    }
    assert_eq!(database.column("SELECT COUNT(*) FROM pm_attempt"), ["150"]);
    assert_eq!(told(&*database, "COALESCE(effect, '-')")[5..8], ["-", "relapsed", "-"]);
    let first = |column| told(&*database, column).remove(0);
    for (column, value) in [
        ("host", "shop1"),
        ("process_name", "web"),
        ("cause", "alarm"),
        ("strategy", "service, custom"),
        ("acted", "custom"),
        ("outcome", "restarted"),
        ("tries", "2"),
        ("recovery_ms", "2000"),
        ("detail", "job done"),
    ] {
        assert_eq!(first(column), value, "{column}");
    }
    let moment = match database.engine() {
        Engine::Sqlite => "began_at",
        Engine::MariaDb => "CAST(began_at AS CHAR)",
        Engine::PostgreSql => "to_char(began_at, 'YYYY-MM-DD HH24:MI:SS.MS')",
    };
    assert_eq!(first(moment), "2026-01-01 00:00:00.250");
    assert_eq!(store.publish(&[]).unwrap(), Published::All);
}

fn attempts_of_other_hosts_and_journals_are_others(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(None);
    store.migrate().unwrap();
    let other_host = Publication { host: "shop2".to_owned(), ..publication(1, "web") };
    let other_case = Publication { host: "SHOP1".to_owned(), ..publication(1, "web") };
    let new_journal = Publication { journal: "ffff223344556677".to_owned(), ..publication(1, "web") };
    store.publish(&[publication(1, "web"), other_host, other_case, new_journal]).unwrap();
    assert_eq!(database.column("SELECT COUNT(*) FROM pm_attempt"), ["4"]);
}

fn texts_are_cut_to_their_columns_and_hostile_ones_are_data(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(None);
    store.migrate().unwrap();
    let mut long = publication(1, &"ș".repeat(400));
    long.attempt.ended =
        Some((Wall(1_767_225_601_000), End::Failed, 1, format!("{} password=hunter2", "😀".repeat(600))));
    let mut hostile = publication(2, "'); DROP TABLE pm_attempt; --");
    hostile.attempt.ended =
        Some((Wall(1_767_225_601_000), End::Failed, 1, "login: token=abc123 \u{1b}[2J".to_owned()));
    store.publish(&[long, hostile]).unwrap();
    let length = if database.engine() == Engine::Sqlite { "LENGTH" } else { "CHAR_LENGTH" };
    assert_eq!(told(&*database, &format!("{length}(process_name)"))[0], "100");
    assert_eq!(told(&*database, &format!("{length}(detail)"))[0], "500");
    assert_eq!(told(&*database, "process_name")[1], "'); DROP TABLE pm_attempt; --");
    assert_eq!(told(&*database, "detail")[1], "login: token=******** \\u{1b}[2J");
    assert!(!told(&*database, "detail")[0].contains("hunter2"));
}

fn without_the_table_nothing_is_published_and_nothing_fails(database: &dyn Database) {
    let database = database.empty();
    database.sql(&fixture("r8.sql"));
    let mut store = database.store(None);
    assert_eq!(store.publish(&[publication(1, "web")]).unwrap(), Published::Nowhere);
    assert_eq!(store.poll(9).unwrap().len(), 0);
    store.migrate().unwrap();
    assert_eq!(store.publish(&[publication(1, "web")]).unwrap(), Published::All, "as soon as it is there");
    let mut another = store.another().unwrap().another().unwrap();
    assert_eq!(another.publish(&[publication(2, "web")]).unwrap(), Published::All);
}

/// The table of version 4, as it was made then.
fn older_attempts(engine: Engine) -> String {
    let (text, moment) = match engine {
        Engine::Sqlite => ("VARCHAR(%)", "DATETIME(3)"),
        Engine::MariaDb => ("VARCHAR(%) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "DATETIME(3)"),
        Engine::PostgreSql => ("VARCHAR(%) COLLATE \"C\"", "TIMESTAMP(3)"),
    };
    let text = |length: u32| text.replace('%', &length.to_string());
    let (short, long) = (text(100), text(500));
    format!(
        "CREATE TABLE pm_attempt (host {short} NOT NULL, journal {0} NOT NULL, attempt_id BIGINT NOT NULL, \
         process_name {short} NOT NULL, cause {1} NOT NULL, strategy {short} NOT NULL, acted {short} NULL, \
         began_at {moment} NOT NULL, ended_at {moment} NOT NULL, outcome {2} NOT NULL, effect {2} NULL, \
         tries BIGINT NOT NULL, recovery_ms BIGINT NULL, detail {long} NOT NULL, \
         PRIMARY KEY (host, journal, attempt_id));\n",
        text(16),
        text(120),
        text(20)
    )
}

/// What each version consisted of when it was the newest.
fn an_upgrade_from_every_older_version_keeps_what_is_there(database: &dyn Database) {
    for version in 0..5 {
        let database = database.empty();
        database.sql(&fixture("r6-host.sql"));
        let mut store = database.store(Some(1));
        if version > 0 {
            database.sql(
                "CREATE TABLE pm_schema (version INTEGER NOT NULL PRIMARY KEY, what VARCHAR(100) NOT NULL, \
                 applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
            );
        }
        for number in 1..=version {
            database.sql(&format!("INSERT INTO pm_schema (version, what) VALUES ({number}, 'of then')"));
        }
        if version >= 3 {
            database.sql(
                "CREATE TABLE pm_group (process_name VARCHAR(100) NOT NULL PRIMARY KEY, group_name VARCHAR(100) NOT NULL);\n\
                 CREATE TABLE pm_dependency (process_name VARCHAR(100) NOT NULL, depends_on VARCHAR(100) NOT NULL, PRIMARY KEY (process_name, depends_on));\n\
                 INSERT INTO pm_group VALUES ('web', 'front');\n",
            );
        }
        if version >= 4 {
            database.sql(&older_attempts(database.engine()));
        }
        store.add(&name("web")).unwrap();
        store.raise(&Rows::All, "kept").unwrap();
        let done = store.migrate().unwrap();
        let versions = done.iter().filter(|step| step.starts_with("version ")).count();
        assert_eq!(versions, 5 - version, "{done:?}");
        assert!(done.contains(&"created pm_host".to_owned()), "{done:?}");
        assert_eq!(done.contains(&"created pm_attempt".to_owned()), version < 4, "{done:?}");
        assert_eq!(done.contains(&"created pm_group".to_owned()), version < 3, "{done:?}");
        assert_eq!(store.poll(9).unwrap()[0].notes.as_deref(), Some("kept"));
        assert_eq!(store.relations().unwrap().groups.len(), usize::from(version >= 3));
        let schema = store.schema().unwrap();
        assert_eq!((schema.version, schema.missing), (Some(5), Vec::new()));
        assert_eq!(store.publish(&[publication(1, "web")]).unwrap(), Published::All);
        assert!(store.migrate().unwrap().is_empty());
    }
}
