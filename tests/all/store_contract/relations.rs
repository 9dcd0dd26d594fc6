//! The optional tables with groups and dependencies, and the count of the rows: read as they are, missed without
//! harm, made by the third version.

use super::engines::{Database, MariaDb, fixture, name};
use super::reach::{account, forget, login};
use super::{on_each_engine, row};
use pm_host::ports::{Rows, Trouble};
use pm_host::store::ServerAddress;

on_each_engine! {
    groups_and_dependencies_are_read_as_they_are
    names_are_compared_byte_for_byte
    without_the_tables_there_are_neither_groups_nor_dependencies
    rows_without_names_are_left_out
    a_table_with_other_columns_is_named
    the_tables_count_for_all_hosts_and_the_rows_for_their_own
    an_upgrade_from_version_2_adds_the_tables_and_keeps_what_is_there
    a_table_of_somebody_else_is_left_as_it_is
}

fn pair(database: &dyn Database, table: &str, process: &str, other: &str) {
    let column = if table == "pm_group" { "group_name" } else { "depends_on" };
    database.bind(&format!("INSERT INTO {table} (process_name, {column}) VALUES ('new', ?)"), other);
    database.bind(&format!("UPDATE {table} SET process_name = ? WHERE process_name = 'new'"), process);
}

fn texts(pairs: &[(pm_host::policy::model::Name, pm_host::policy::model::Name)]) -> Vec<(&str, &str)> {
    let mut texts: Vec<_> = pairs.iter().map(|(one, two)| (one.as_str(), two.as_str())).collect();
    texts.sort_unstable();
    texts
}

fn groups_and_dependencies_are_read_as_they_are(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(None);
    store.migrate().unwrap();
    let full = "ș".repeat(100);
    for (process, group) in [("web", "front"), ("api", "front"), (" a|b ", "'; DROP TABLE pm_group; -- ")] {
        pair(&*database, "pm_group", process, group);
    }
    for (process, needs) in
        [("web", "api"), ("web", "db"), ("api", "db"), ("db", &full), ("x\ny", "\u{1b}[2J")]
    {
        pair(&*database, "pm_dependency", process, needs);
    }
    for _ in 0..2 {
        let relations = store.relations().unwrap();
        assert_eq!(
            texts(&relations.groups),
            [(" a|b ", "'; DROP TABLE pm_group; -- "), ("api", "front"), ("web", "front")]
        );
        assert_eq!(
            texts(&relations.dependencies),
            [("api", "db"), ("db", &*full), ("web", "api"), ("web", "db"), ("x\ny", "\u{1b}[2J")]
        );
    }
    database.sql("DELETE FROM pm_group WHERE process_name = 'web'");
    assert_eq!(store.relations().unwrap().groups.len(), 2, "each call reads anew");
}

fn names_are_compared_byte_for_byte(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(None);
    store.migrate().unwrap();
    for process in ["web", "Web", "wéb", "we\u{301}b"] {
        pair(&*database, "pm_group", process, process);
        pair(&*database, "pm_dependency", "all", process);
    }
    let relations = store.relations().unwrap();
    assert_eq!((relations.groups.len(), relations.dependencies.len()), (4, 4));
    assert!(relations.groups.iter().all(|(process, group)| process == group));
}

fn without_the_tables_there_are_neither_groups_nor_dependencies(database: &dyn Database) {
    database.sql(&fixture("r8.sql"));
    row(database, 1, "web", 1, 0, "NULL");
    let mut store = database.store(None);
    assert_eq!(store.relations().unwrap(), pm_host::policy::relations::Relations::default());
    assert_eq!(store.poll(9).unwrap().len(), 1);
    assert!(!store.schema().unwrap().missing.iter().any(|what| what.contains("pm_")), "nobody misses them");
    // One of the two is enough, and it is seen as soon as it is there.
    database.sql("CREATE TABLE pm_dependency (process_name VARCHAR(50), depends_on VARCHAR(50))");
    database.sql("INSERT INTO pm_dependency VALUES ('web', 'db')");
    let relations = store.relations().unwrap();
    assert_eq!((relations.groups.len(), texts(&relations.dependencies)), (0, vec![("web", "db")]));
}

fn rows_without_names_are_left_out(database: &dyn Database) {
    let database = database.empty();
    database.sql(
        "CREATE TABLE pm_group (process_name VARCHAR(50), group_name VARCHAR(50));\n\
         INSERT INTO pm_group VALUES ('a', NULL), (NULL, 'g'), ('', 'g'), ('b', '  '), ('c', 'g');\n\
         CREATE TABLE pm_dependency (process_name VARCHAR(50), depends_on INTEGER);\n\
         INSERT INTO pm_dependency VALUES ('a', 7), ('b', NULL);\n",
    );
    let relations = database.store(None).relations().unwrap();
    assert_eq!(texts(&relations.groups), [("c", "g")]);
    assert_eq!(texts(&relations.dependencies), [("a", "7")], "a number is a name as well");
}

fn a_table_with_other_columns_is_named(database: &dyn Database) {
    database.sql(&fixture("r8.sql"));
    database.sql("CREATE TABLE pm_group (process_name VARCHAR(50), team VARCHAR(50))");
    let mut store = database.store(None);
    let error = store.relations().unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema, "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("reading the groups from pm_group at ") && text.contains("group_name"),
        "{text}"
    );
    assert!(store.poll(9).unwrap().is_empty(), "the polls go on");
}

fn the_tables_count_for_all_hosts_and_the_rows_for_their_own(database: &dyn Database) {
    database.sql(&fixture("r6-host.sql"));
    database.store(Some(7)).migrate().unwrap();
    for id in 1..=5 {
        row(database, id, "p", i64::from(id == 1), 0, "NULL");
    }
    database.sql("UPDATE STATUS_PROCESS SET host_id = 7 WHERE process_id > 3");
    database.sql("INSERT INTO STATUS_PROCESS (process_id, alarma, host_id) VALUES (6, 1, 7)");
    pair(database, "pm_group", "p", "g");
    for (host, known) in [(Some(7), 2), (Some(1), 3), (Some(3), 0), (None, 5)] {
        let mut store = database.store(host);
        assert_eq!(store.known().unwrap(), known, "{host:?}: all rows with a process, in alarm or not");
        assert_eq!(store.known().unwrap(), store.list().unwrap().len() as u64);
        assert_eq!(texts(&store.relations().unwrap().groups), [("p", "g")], "{host:?}");
    }
}

fn an_upgrade_from_version_2_adds_the_tables_and_keeps_what_is_there(database: &dyn Database) {
    database.sql(&fixture("r6-host.sql"));
    database.sql(
        "CREATE TABLE pm_schema (version INTEGER NOT NULL PRIMARY KEY, what VARCHAR(100) NOT NULL, \
         applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);\n\
         INSERT INTO pm_schema (version, what) VALUES (1, 'the tables of the alarms'), (2, 'an index on the alarms');\n",
    );
    let mut store = database.store(Some(1));
    store.add(&name("web")).unwrap();
    store.raise(&Rows::All, "kept").unwrap();
    assert_eq!(store.schema().unwrap().version, Some(2));
    let done = store.migrate().unwrap();
    assert_eq!(
        done[..3],
        ["created pm_group", "created pm_dependency", "version 3: groups and dependencies"]
    );
    assert_eq!(store.poll(9).unwrap()[0].notes.as_deref(), Some("kept"));
    assert_eq!(database.column("SELECT version FROM pm_schema ORDER BY version"), ["1", "2", "3", "4", "5"]);
    pair(database, "pm_group", "web", "front");
    assert!(store.migrate().unwrap().is_empty());
    assert_eq!(texts(&store.relations().unwrap().groups), [("web", "front")]);
}

fn a_table_of_somebody_else_is_left_as_it_is(database: &dyn Database) {
    let database = database.empty();
    database.sql(
        "CREATE TABLE teams (member VARCHAR(50), team VARCHAR(50));\n\
         INSERT INTO teams VALUES ('web', 'front');\n\
         CREATE VIEW pm_group AS SELECT member AS process_name, team AS group_name FROM teams;\n",
    );
    let mut store = database.store(None);
    let done = store.migrate().unwrap();
    assert!(done.iter().any(|step| step == "created pm_dependency"), "{done:?}");
    assert!(!done.iter().any(|step| step == "created pm_group"), "{done:?}");
    assert_eq!(texts(&store.relations().unwrap().groups), [("web", "front")], "a view serves as well");
}

#[test]
fn an_account_without_the_right_to_read_them_goes_on_without_them() {
    let Some(database) = MariaDb::new() else { return };
    database.store(None).migrate().unwrap();
    for table in ["pm_group", "pm_dependency"] {
        pair(&database, table, "web", "x");
    }
    let user = account(
        &database,
        "rel",
        "GRANT SELECT ON {db}.PROCESE TO {user};GRANT SELECT ON {db}.STATUS_PROCESS TO {user};\
         GRANT SELECT (process_name) ON {db}.pm_dependency TO {user}",
    );
    let mut store = database.open(ServerAddress { logins: vec![login(&user, "pw")], ..database.address() });
    let relations = store.relations().unwrap();
    assert_eq!((relations.groups.len(), relations.dependencies.len()), (0, 0));
    assert_eq!((store.known().unwrap(), store.poll(9).unwrap().len()), (0, 0));
    assert_eq!(store.schema().unwrap().denied, ["pm_group", "pm_dependency"]);
    let grant = format!("GRANT SELECT ON {}.pm_group TO '{user}'@'localhost'", database.database);
    mysql::prelude::Queryable::query_drop(&mut database.connection(None), grant).unwrap();
    let mut store = database.open(ServerAddress { logins: vec![login(&user, "pw")], ..database.address() });
    assert_eq!(texts(&store.relations().unwrap().groups), [("web", "x")]);
    forget(&database, &user);
}
