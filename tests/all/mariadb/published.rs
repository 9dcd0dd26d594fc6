//! Attempts in the table that all hosts share: once each, without a right, after an outage, after a kill.

use super::{BACK, Base, LEAST, LOST, R8, UNTOLD, World, custom};
use mysql::prelude::Queryable as _;
use mysql::{Conn, OptsBuilder};
use pm_tests::proxy::{Fault, Proxy};

const WEB: &str = "restart_command = echo x >> @DIR@/ran";
const PUBLISHES: &[&str] = &[
    "SELECT ON {db}.PROCESE",
    "SELECT, UPDATE (alarma, notes) ON {db}.STATUS_PROCESS",
    "SELECT, INSERT, UPDATE ON {db}.pm_attempt",
];

/// The tables as they are after `pm db migrate` by somebody with all rights.
fn migrated() -> Option<Base> {
    let base = Base::new(R8)?;
    let admin = &base.server;
    let keys = format!(
        "socket = {}\nuser = {}\npassword = {}\ndatabase = {}\n",
        admin.socket.display(),
        admin.user,
        admin.password,
        base.name
    );
    let world = pm_tests::sandbox::Sandbox::new(&super::config(&keys, "", ""));
    let said = world.ok(&["db", "migrate"]);
    assert!(said.contains("created pm_attempt\nversion 4: attempts of all hosts\n"), "{said}");
    Some(base)
}

/// A world that publishes.
fn telling(base: Base, database: &str, sections: &str) -> World {
    let world = World::on(base, database, "", sections);
    world.configure(&world.read("config.ini").replace(UNTOLD, ""));
    world
}

impl World {
    /// The rows of the table, and how many keys they have.
    fn published(&self) -> (i64, i64) {
        let rows = self.base.number("SELECT COUNT(*) FROM pm_attempt");
        (rows, self.base.number("SELECT COUNT(DISTINCT host, journal, attempt_id) FROM pm_attempt"))
    }

    fn until_published(&self, rows: i64) {
        self.until(&format!("{rows} rows in pm_attempt"), |_| self.published().0 >= rows);
        assert_eq!(self.published(), (rows, rows));
        self.until("nothing to wait", |_| {
            self.journal("SELECT COUNT(*) FROM attempts WHERE revision > published") == 0
        });
    }
}

#[test]
fn each_attempt_is_published_once_with_what_became_of_it() {
    let Some(base) = migrated() else { return };
    let database = base.tcp(&base.account(PUBLISHES), base.server.port);
    let secret =
        custom("leaks", "restart_command = echo login: password=hunter2 >&2; false\nmax_attempts = 1");
    let mut world = telling(base, &database, &(custom("web", WEB) + &secret));
    world.start();
    let id = world.handled("web");
    world.until_published(1);
    world.base.again(id, "down again");
    world.cleared(id);
    world.until_published(2);
    world.until("the first to have lasted", |_| {
        world.base.number("SELECT COUNT(*) FROM pm_attempt WHERE effect = 'lasted'") >= 1
    });
    let leaks = world.base.alarm("leaks");
    world.until_log("All restart attempts failed for leaks");
    world.base.sql(&format!("UPDATE STATUS_PROCESS SET alarma = 0 WHERE process_id = {leaks}"));
    world.until("the failed one", |_| {
        world.base.number("SELECT COUNT(*) FROM pm_attempt WHERE outcome = 'failed'") >= 1
    });
    assert_eq!(world.base.number("SELECT COUNT(*) FROM pm_attempt WHERE detail LIKE '%hunter2%'"), 0);
    assert_eq!(
        world.base.number(
            "SELECT COUNT(*) FROM pm_attempt WHERE began_at > ended_at OR host = '' OR recovery_ms < 0"
        ),
        0
    );
    world.stop();
    let (rows, keys) = world.published();
    assert_eq!(rows, keys);
}

#[test]
fn without_the_table_or_the_right_it_is_said_once_and_pm_goes_on() {
    let Some(base) = Base::new(R8) else { return };
    let database = base.tcp(&base.account(LEAST), base.server.port);
    let mut world = telling(base, &database, &custom("web", WEB));
    world.start();
    for _ in 0..2 {
        world.round();
    }
    world.until_said("Attempts are not published: there is no table pm_attempt here", 1);
    world.round();
    assert_eq!(world.said("not published"), 1, "{}", world.log());
    assert!(world.complaints().is_empty(), "{}", world.log());
    world.stop();

    let Some(base) = migrated() else { return };
    let database = base.tcp(&base.account(LEAST), base.server.port);
    let mut world = telling(base, &database, &custom("web", WEB));
    world.start();
    world.round();
    world.until_said("Attempts are not published", 1);
    world.round();
    assert_eq!((world.said("not published"), world.published().0), (1, 0), "{}", world.log());
    world.stop();
    let config = world.read("config.ini");
    world.configure(&format!("{config}{UNTOLD}"));
    world.start();
    world.round();
    world.stop();
    assert_eq!(world.said("not published"), 1, "{}", world.log());
}

#[test]
fn what_was_not_published_while_the_database_was_away_or_pm_was_killed_is_caught_up() {
    let Some(base) = migrated() else { return };
    let user = base.account(PUBLISHES);
    let proxy = Proxy::to(base.server.port);
    let database = base.tcp(&user, proxy.port()) + "connect_timeout = 0.5\nread_timeout = 1\n";
    let mut world = telling(base, &database, &custom("web", WEB));
    world.start();
    world.handled("web");
    world.until_published(1);
    world.kill();
    // Ended long ago and never told: more than two batches, some of them after a commit that nobody has noted.
    let journal = rusqlite::Connection::open(world.dir().join("state/journal.db")).unwrap();
    journal
        .execute_batch(
            "INSERT INTO attempts (name, strategy, alarms, boot, began_boot, began_wall, owner_pid, owner_start, \
             owner_boot, stage, ended_wall, outcome, tries, detail, revision) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) \
             SELECT 'old' || i, 'custom', '[]', 'b', 1, unixepoch() * 1000, 1, 1, 'b', 'ended', unixepoch() * 1000 + i, \
             'failed', 1, 'was down', 1 FROM n; UPDATE attempts SET published = 0;",
        )
        .unwrap();
    drop(journal);
    proxy.set(Fault::Refuse);
    world.start();
    world.until_said(LOST, 1);
    assert_eq!(world.published(), (1, 1), "{}", world.log());
    proxy.set(Fault::None);
    world.until_said(BACK, 1);
    world.until_published(251);
    assert_eq!(world.base.number("SELECT COUNT(*) FROM pm_attempt WHERE detail = 'was down'"), 250);
    assert_eq!(world.said("not published"), 0, "{}", world.log());
    // What is published is not published again.
    world.base.sql("DELETE FROM pm_attempt");
    world.round();
    world.until_published(1);
    world.stop();
}

#[test]
fn a_table_that_somebody_has_locked_delays_no_restart() {
    let Some(base) = migrated() else { return };
    let database = base.tcp(&base.account(PUBLISHES), base.server.port) + "read_timeout = 1\n";
    let mut world = telling(base, &database, &custom("web", WEB));
    let options = OptsBuilder::new()
        .socket(world.base.server.socket.to_str())
        .user(Some(&world.base.server.user))
        .pass(Some(&world.base.server.password))
        .db_name(Some(&world.base.name));
    let mut somebody = Conn::new(options).unwrap();
    somebody.query_drop("LOCK TABLES pm_attempt WRITE").unwrap();
    world.start();
    for _ in 0..3 {
        world.round();
    }
    assert!(world.complaints().is_empty(), "{}", world.log());
    assert_eq!(world.journal("SELECT COUNT(*) FROM attempts WHERE published > 0"), 0);
    somebody.query_drop("UNLOCK TABLES").unwrap();
    world.until_published(3);
    world.stop();
}
