//! Many alarms at once, many rows and nothing to do: what it costs the server, counted by the server.

use super::{Base, LEAST, R6, R8, World, custom};
use pm_tests::proxy::Proxy;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const DEFAULT: &str = "[process.default]\nrestart_strategy = custom\nrestart_command = true\n\n";

/// Rows `p1` to `pN`, not in alarm.
fn rows(base: &Base, count: u32) {
    base.sql(&format!("INSERT INTO STATUS_PROCESS (process_id) SELECT seq FROM seq_1_to_{count}"));
    base.sql(&format!("INSERT INTO PROCESE SELECT seq, CONCAT('p', seq) FROM seq_1_to_{count}"));
}

/// Every alarm of a burst is cleared with one stamp, and its process was restarted once; nothing is complained about.
fn handled_once(world: &World, count: usize) {
    let left = "SELECT COUNT(*) FROM STATUS_PROCESS WHERE alarma = 1";
    world.until("all to be cleared", |_| world.base.number(left) == 0);
    world.delivered();
    let stamped = "SELECT COUNT(*) FROM STATUS_PROCESS \
                   WHERE notes REGEXP '^ - Restarted at [-0-9]{10} [:0-9]{8}$'";
    let expected = i64::try_from(count).unwrap();
    assert_eq!(world.base.number(stamped), expected);
    let entries = "SELECT COUNT(*) FROM attempts";
    assert_eq!(world.journal(entries), expected);
    assert_eq!(world.journal("SELECT COUNT(DISTINCT name) FROM attempts"), expected);
    let good = format!("{entries} WHERE ended_wall IS NOT NULL AND outcome = 'restarted' AND tries = 1");
    assert_eq!(world.journal(&good), expected);
    let log = world.log();
    let restarted: Vec<_> =
        log.lines().filter_map(|line| line.split_once("Custom restart command executed for: ")).collect();
    let names: BTreeSet<_> = restarted.iter().map(|(_, name)| name.split(' ').next()).collect();
    assert_eq!((restarted.len(), names.len()), (count, count));
    assert_eq!(world.complaints(), [""; 0]);
}

#[test]
fn a_thousand_alarms_at_once_are_each_restarted_and_cleared_once() {
    let Some(mut world) = World::new(DEFAULT) else { return };
    rows(&world.base, 1000);
    world.start();
    world.base.sql("UPDATE STATUS_PROCESS SET alarma = 1");
    handled_once(&world, 1000);
    let polls = world.discreet(&["status", "--format", "json"]);
    assert_eq!(polls.code, 0);
}

#[test]
fn an_account_with_one_connection_clears_a_burst_over_it_without_a_word() {
    let Some(base) = Base::new(R8) else { return };
    let user = base.account(LEAST);
    base.grant(&user, "USAGE ON *.* WITH MAX_USER_CONNECTIONS 1");
    let database = base.tcp(&user, base.server.port);
    let mut world = World::on(base, &database, "max_parallel_restarts = 16", DEFAULT);
    rows(&world.base, 200);
    world.start();
    world.base.sql("UPDATE STATUS_PROCESS SET alarma = 1");
    handled_once(&world, 200);
}

/// Commands that the server has counted for the accounts of a test: SELECT, and all others.
fn commands(base: &Base) -> (i64, i64) {
    let counted = |columns: &str| {
        let from = "information_schema.user_statistics WHERE user LIKE";
        base.number(&format!("SELECT CAST(SUM({columns}) AS SIGNED) FROM {from} '{}\\_0'", base.name))
    };
    (counted("SELECT_COMMANDS"), counted("UPDATE_COMMANDS + OTHER_COMMANDS"))
}

/// Rows of the status table that the server has read, and those of them by the index.
fn reads(base: &Base) -> (i64, i64) {
    let counted = |table: &str, more: &str| {
        let which = format!("table_schema = '{}' AND table_name = 'STATUS_PROCESS'{more}", base.name);
        base.number(&format!(
            "SELECT CAST(SUM(rows_read) AS SIGNED) FROM information_schema.{table} WHERE {which}"
        ))
    };
    let index = " AND index_name IN ('idx_alarma', 'idx_host_alarma')";
    (counted("table_statistics", ""), counted("index_statistics", index))
}

/// Waits for 15 questions after the present poll, which must be polls and nothing else.
fn only_polls(world: &World, proxy: &Proxy) {
    let first = proxy.questions();
    world.until("a poll to be over", |_| proxy.questions() > first);
    let ((selects, others), asked, begun) = (commands(&world.base), proxy.questions(), Instant::now());
    world.until("polls to go on", |_| proxy.questions() >= asked + 15);
    let elapsed = begun.elapsed();
    let (selects_now, others_now) = commands(&world.base);
    // A poll may be on its way at either end.
    assert!((14..=17).contains(&(selects_now - selects)), "{} polls", selects_now - selects);
    assert!(elapsed > Duration::from_millis(1300), "15 polls at 100 ms took {elapsed:?}");
    assert_eq!((others_now - others, proxy.connections()), (0, 1), "nothing but polls, on one connection");
}

#[test]
fn alarms_that_stand_for_long_cost_no_more_than_the_polls() {
    let Some(base) = Base::new(R8) else { return };
    base.sql("SET GLOBAL userstat = 1");
    rows(&base, 100);
    // So many that pm wants to know of how many, and all of them ticked by an operator.
    base.sql("UPDATE STATUS_PROCESS SET alarma = 1, sound = 1 WHERE process_id <= 20");
    let text = "VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
    for (table, column) in [("pm_group", "group_name"), ("pm_dependency", "depends_on")] {
        base.sql(&format!("CREATE TABLE {table} (process_name {text} PRIMARY KEY, {column} {text})"));
        base.sql(&format!("INSERT INTO {table} SELECT CONCAT('p', seq), 'p100' FROM seq_1_to_99"));
    }
    let proxy = Proxy::to(base.server.port);
    let relations = ["SELECT ON {db}.pm_group", "SELECT ON {db}.pm_dependency"];
    let database = base.tcp(&base.account(&[LEAST, &relations].concat()), proxy.port());
    let mut world = World::on(base, &database, "", DEFAULT);
    let config = world.read("config.ini");
    world.configure(&config.replace("mass_alarm_min = 0\n", ""));
    world.start();
    world.until_log("Not acting on p20");
    only_polls(&world, &proxy);
    let why = world.ok(&["why", "p1"]);
    assert!(why.contains("group         p100: "), "{why}");
    assert!(why.contains("wave 1; what it depends on is well"), "{why}");
}

#[test]
fn idle_with_a_hundred_thousand_rows_a_poll_is_one_query_by_the_index_on_one_connection() {
    let Some(base) = Base::new(R6) else { return };
    // Counting is for all, and harms nobody.
    base.sql("SET GLOBAL userstat = 1");
    rows(&base, 100_000);
    // One alarm that an operator has ticked, so that a poll has something to find.
    base.sql("UPDATE STATUS_PROCESS SET alarma = 1, sound = 1 WHERE process_id = 77777");
    base.sql("ANALYZE TABLE STATUS_PROCESS, PROCESE");
    let proxy = Proxy::to(base.server.port);
    let database = base.tcp(&base.account(LEAST), proxy.port());
    let mut world = World::on(
        base,
        &database,
        "",
        &(custom("p77777", "restart_command = true") + "[host]\nhost_id = 1\n\n"),
    );
    world.start();
    world.until_log("Not acting on p77777");
    let first = proxy.questions();
    world.until("a poll to be over", |_| proxy.questions() > first);
    let ((selects, others), (read, by_index)) = (commands(&world.base), reads(&world.base));
    let (asked, begun) = (proxy.questions(), Instant::now());
    world.until("polls to go on", |_| proxy.questions() >= asked + 15);
    let elapsed = begun.elapsed();
    let ((selects_now, others_now), (read_now, by_index_now)) = (commands(&world.base), reads(&world.base));
    let polls = selects_now - selects;
    // A poll may be on its way at either end.
    assert!((14..=17).contains(&polls), "{polls} polls");
    assert!(elapsed > Duration::from_millis(1300), "15 polls at 100 ms took {elapsed:?}");
    assert_eq!((others_now - others, proxy.connections()), (0, 1), "nothing but polls, on one connection");
    assert!((read_now - read) <= 2 * (polls + 1), "{} rows read by {polls} polls", read_now - read);
    assert!((by_index_now - by_index) >= polls - 1, "{} by the index", by_index_now - by_index);
    assert_eq!((world.base.sessions().len(), world.complaints().len()), (1, 0));
}
