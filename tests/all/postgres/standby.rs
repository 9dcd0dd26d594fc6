//! A primary and its standby, both of them in `host`: the standby is passed over while it only reads, and takes over when it
//! has been promoted. Nothing is lost, and nothing is done twice.

use super::{Base, LOST, WAITING, World};
use pm_tests::components::{self, Postgres, Private};
use pm_tests::postgres::Admin;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_standby_takes_over_what_its_primary_left_in_the_middle_of_a_restart() {
    if components::postgres().is_none() {
        return;
    }
    let private = Private::start("postgres-pair");
    let pair = private.postgres_pair().unwrap();
    let base = Base::of(pair.primary.clone()).made();
    let [standby, primary] = [pair.standby, pair.primary.port].map(|port| format!("127.0.0.1:{port}"));
    let keys = base.keys(1).replace("host = 127.0.0.1\n", &format!("host = {standby}, {primary}\n"));
    let mut world = World::on(base, &(keys + "connect_timeout = 1\nread_timeout = 5\n"), WAITING);
    world.start();
    world.until_log(&format!("The alarm database is used at {primary}; {standby}: it is read-only"));
    world.base.alarm(1, "web", "down");
    world.until_count("begun", 1);
    // It ends as in a crash.
    kill_process(Pid::from_raw(pair.pid).unwrap(), Signal::QUIT).unwrap();
    let reads = "(it can only be read; no address takes changes) from now on, not at";
    world.until_log(&format!("The alarm database is used at {standby} {reads} {primary}: "));
    world.write("go", "", 0o644);
    world.until_log("DB UPDATE LOG: Failed to update");
    assert!(world.log().contains("(SQLSTATE 25006)"), "{}", world.log());
    let promoted = Postgres { port: pair.standby, ..pair.primary };
    Admin::of(&promoted, "postgres").run("SELECT pg_promote()");
    // What was asked of the primary is asked of the other one from here on.
    *world.base.admin.borrow_mut() = Admin::of(&promoted, &world.base.name);
    world.base.server = promoted;
    world.signal(Signal::HUP);
    let notes = world.cleared(1);
    assert!(notes.starts_with("down - ") && notes.matches("Restarted").count() == 1, "{notes}");
    world.round();
    assert_eq!((world.count("begun"), world.said(LOST)), (1, 0), "{}", world.log());
}
