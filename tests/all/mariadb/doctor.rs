//! `pm doctor` against a real server: every right that is missing, a missing index, a clock, and no row is changed.

use super::{Base, LEAST, PASSWORD, R6, R8, READ, World, custom};
use pm_tests::findings::Findings;

const WEB: &str = "restart_command = true\nhealth_check_command = true";

impl World {
    fn found(&self) -> Findings {
        Findings::of(&self.discreet(&["doctor", "--format", "json"]))
    }
}

#[test]
fn the_least_account_has_no_problems_and_no_row_is_changed() {
    let Some(mut world) = World::new(&custom("web", WEB)) else { return };
    world.start();
    world.base.put(1, "other", 0, Some("quiet"));
    let id = world.base.alarm("stranger");
    let updates = "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS \
                   WHERE VARIABLE_NAME = 'HANDLER_UPDATE'";
    world.round();
    let before = world.base.number(updates);
    let found = world.found();
    assert_eq!(found.problems(), Vec::<&str>::new(), "{found:?}");
    assert!(
        found.worst("rights").starts_with("ok: alarms can be read, and clearing one is allowed"),
        "{found:?}"
    );
    let clock = found.worst("clock");
    assert!(clock.starts_with("ok: the server is 0.") && clock.contains(" to UTC"), "{clock}");
    assert!(found.worst("database").contains("answers (mysql "), "{found:?}");
    // The other tests of the run share the server, so the rows are what counts.
    assert!(world.base.number(updates) >= before);
    assert_eq!((world.base.state(1), world.base.state(id)), ((0, "quiet".into()), (1, "down".into())));
    world.stop();
}

#[test]
fn each_right_that_is_missing_is_named_with_what_to_grant() {
    for (rights, subject, seen, fix) in [
        (READ, "rights", "UPDATE command denied", "UPDATE (alarma, notes) on STATUS_PROCESS"),
        (&["SELECT ON {db}.STATUS_PROCESS"], "tables", "table PROCESE", ""),
        (
            &["SELECT ON {db}.PROCESE", "SELECT, UPDATE (notes) ON {db}.STATUS_PROCESS"],
            "rights",
            "UPDATE command denied",
            "UPDATE (alarma, notes)",
        ),
    ] {
        let Some(base) = Base::new(R8) else { return };
        let database = base.tcp(&base.account(rights), base.server.port);
        let world = World::on(base, &database, "", &custom("web", WEB));
        let found = world.found();
        let worst = found.worst(subject);
        assert_eq!(found.code, 1, "{found:?}");
        assert!(worst.starts_with("problem: ") && worst.contains(seen), "{rights:?}: {worst}");
        assert!(!worst.contains("-2147483648"), "{worst}");
        assert!(format!("{:?}", found.about(subject)).contains(fix), "{rights:?}: {found:?}");
    }
}

#[test]
fn a_missing_index_a_wrong_password_and_a_server_that_is_away_are_told_apart() {
    let Some(base) = Base::new(R6) else { return };
    let user = base.account(LEAST);
    let port = base.server.port;
    let database = base.tcp(&user, port);
    base.sql("DROP INDEX idx_alarma ON STATUS_PROCESS");
    base.sql("DROP INDEX idx_host_alarma ON STATUS_PROCESS");
    let world = World::on(base, &database, "", &format!("{}[host]\nhost_id = 1\n", custom("web", WEB)));
    let found = world.found();
    let index = found.worst("index");
    assert!(index.contains("index on STATUS_PROCESS (host_id, alarma)"), "{index}");
    assert_eq!(found.commands("index"), ["pm db migrate"]);
    world.base.sql("CREATE INDEX alarms ON STATUS_PROCESS (host_id, alarma)");
    assert!(world.found().worst("index").starts_with("ok: "));

    let config = world.read("config.ini");
    world.configure(&config.replace(PASSWORD, "another one"));
    let found = world.found();
    assert!(found.worst("database").contains("Access denied for user"), "{found:?}");
    assert!(format!("{:?}", found.about("database")).contains("check user and password"), "{found:?}");
    world.configure(&config.replace(&format!("port = {port}"), "port = 1"));
    let found = world.found();
    assert!(found.worst("database").contains("127.0.0.1:1"), "{found:?}");
    assert!(found.about("rights").is_empty() && !found.about("plugins").is_empty(), "{found:?}");
}
