//! The server answers, and refuses: password, certificate, database, tables, columns. One clear line each, no
//! hammering, and work goes on as soon as it is put right.

use super::{BACK, Base, LEAST, LOST, PASSWORD, R6, R8, WAITING, WHOLE, World, config, custom};
use pm_tests::components;
use pm_tests::proxy::Proxy;
use rustix::process::Signal;

const WEB: &str = "restart_command = echo x >> @DIR@/ran";

/// Somebody changes the password while a restart runs, so that a clearing waits, too.
#[test]
fn a_wrong_password_is_tried_once_a_minute_at_most_and_never_shown() {
    let Some(base) = Base::new(R8) else { return };
    let proxy = Proxy::to(base.server.port);
    let user = base.account(LEAST);
    let database = base.tcp(&user, proxy.port());
    let mut world = World::on(base, &database, "", &custom("web", WAITING));
    let password = |world: &World, password: &str| {
        for host in ["localhost", "127.0.0.1"] {
            world.base.sql(&format!("ALTER USER '{user}'@'{host}' IDENTIFIED BY '{password}'"));
        }
    };
    world.start();
    let id = world.base.alarm("web");
    world.until_count("begun", 1);
    password(&world, "another one");
    world.base.kill_sessions();
    world.until_log("Access denied");
    world.write("go", "", 0o644);
    world.until_log("Successfully handled alarm for web");
    let complaints = world.complaints();
    assert!(complaints.len() == 2 && complaints[0].contains("the connection was cut"), "{complaints:?}");
    for words in [
        &format!("ERROR reading the alarms from STATUS_PROCESS: connecting at 127.0.0.1:{}", proxy.port()),
        &format!("Access denied for user '{user}'@'127.0.0.1' (using password: YES) (error 1045)"),
        "check user and password in [database]; pm tries again once a minute",
    ] {
        assert!(complaints[1].contains(words), "{words}: {complaints:?}");
    }
    // pm's own heartbeat tells how much of its time has gone by; another trouble would be tried again by then.
    let first = world.beat();
    world.until("some seconds to pass", |_| world.beat() >= first + 3);
    assert_eq!((proxy.connections(), world.outbox()), (2, 1), "the account is not to be locked");
    world.away(&format!("127.0.0.1:{}", proxy.port()));
    password(&world, PASSWORD);
    let tries = proxy.connections();
    world.signal(Signal::HUP);
    world.until_log(BACK);
    world.cleared(id);
    world.round();
    assert_eq!((proxy.connections() - tries, world.count("begun")), (1, 1), "{}", world.log());
    assert_eq!(world.story(), ["lost", "lost", "back"], "{}", world.log());
}

#[test]
fn a_server_that_cannot_prove_itself_is_not_believed_and_pm_goes_on() {
    let Some(base) = Base::new(R8) else { return };
    let user = base.account(LEAST);
    let tls = "tls = verify-full\ntls_ca_file = @DIR@/ca.pem\n";
    let database = base.tcp(&user, base.server.port) + tls;
    let mut world = World::on(base, &database, "", &custom("web", WEB));
    let id = world.base.alarm("web");
    let authority = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(authority).args(["-subj", "/CN=another authority", "-keyout", "key.pem", "-out", "ca.pem"]);
    let made = pm_tests::sandbox::answer(openssl.current_dir(world.dir()));
    assert_eq!(made.code, 0, "{made:?}");
    world.start();
    world.until_log(LOST);
    assert!(world.complaint().contains("the server's certificate"), "{}", world.log());
    assert!(world.complaint().contains("set tls_ca_file in [database]"), "{}", world.log());
    world.away(&format!("127.0.0.1:{}", world.base.server.port));
    // A file that is no certificate, none at all, and at last the right one: no start is needed.
    world.write("ca.pem", "no certificate", 0o644);
    world.signal(Signal::HUP);
    world.until_said(LOST, 2);
    std::fs::remove_file(world.dir().join("ca.pem")).unwrap();
    world.signal(Signal::HUP);
    world.until_said(LOST, 3);
    std::fs::copy(&world.base.server.ca, world.dir().join("ca.pem")).unwrap();
    world.signal(Signal::HUP);
    world.cleared(id);
    assert_eq!(world.story(), ["lost", "lost", "lost", "back"], "{}", world.log());
    let complaints = world.complaints();
    assert!(
        complaints.len() == 3 && complaints[1].contains("check tls_ca_file in [database]"),
        "{complaints:?}"
    );
    assert!(
        complaints[2].contains(&format!("cannot read {}/ca.pem", world.dir().display())),
        "{complaints:?}"
    );
}

#[test]
fn a_missing_database_then_missing_tables_are_named_and_found_when_they_come() {
    let Some(server) = components::mysql() else { return };
    let base = Base::planned(server);
    let database = base.tcp(&base.account(WHOLE), base.server.port);
    let mut world = World::on(base, &database, "", &custom("web", WEB));
    world.start();
    world.until_log(LOST);
    let name = world.base.name.clone();
    assert!(
        world.complaint().contains(&format!("Unknown database '{name}' (error 1049)")),
        "{}",
        world.log()
    );
    assert!(world.complaint().contains("check database in [database]"), "{}", world.log());
    world.away(&name);
    world.base.create("");
    world.until_said(LOST, 2);
    let complaint = world.complaints().remove(1);
    assert!(
        complaint.contains(&format!("Table '{name}.STATUS_PROCESS' doesn't exist (error 1146)")),
        "{complaint}"
    );
    assert!(complaint.contains("pm db migrate"), "{complaint}");
    world.base.tables(R8);
    world.until_log(BACK);
    world.handled("web");
    assert_eq!(world.story(), ["lost", "lost", "back"], "{}", world.log());
    assert_eq!((world.complaints().len(), world.count("ran")), (2, 1), "{}", world.log());
    // Gone again in the middle of the work: one more line, and back again.
    world.base.sql("RENAME TABLE PROCESE TO ELSEWHERE");
    world.until_said(LOST, 3);
    world.base.sql("RENAME TABLE ELSEWHERE TO PROCESE");
    world.until_said(BACK, 2);
    world.handled("web");
    assert_eq!((world.complaints().len(), world.count("ran")), (3, 2), "{}", world.log());
}

#[test]
fn a_host_id_for_tables_without_hosts_is_said_with_the_way_out() {
    let Some(base) = Base::new(R8) else { return };
    let database = base.tcp(&base.account(LEAST), base.server.port);
    let sections = custom("web", WEB) + "[host]\nhost_id = 1\n\n";
    let mut world = World::on(base, &database, "", &sections);
    let id = world.base.alarm("web");
    world.start();
    world.until_log(LOST);
    assert!(
        world
            .complaint()
            .contains("the tables have no hosts: delete host_id from the configuration, or add the column"),
        "{}",
        world.log()
    );
    world.configure(&config(&database, "", &custom("web", WEB)));
    world.signal(Signal::HUP);
    world.cleared(id);
    assert_eq!((world.story(), world.complaints().len()), (vec!["lost", "back"], 1), "{}", world.log());
}

#[test]
fn an_account_without_a_right_to_read_is_told_which() {
    let Some(base) = Base::new(R6) else { return };
    let user = base.account(&["SELECT ON {db}.PROCESE"]);
    let database = base.tcp(&user, base.server.port);
    let mut world = World::on(base, &database, "", &custom("web", WEB));
    let id = world.base.alarm("web");
    world.start();
    world.until_log(LOST);
    assert!(world.complaint().contains("grant SELECT on PROCESE and STATUS_PROCESS"), "{}", world.log());
    world.base.grant(&user, LEAST[1]);
    world.signal(Signal::HUP);
    world.cleared(id);
    assert_eq!((world.story(), world.complaints().len()), (vec!["lost", "back"], 1), "{}", world.log());
}
