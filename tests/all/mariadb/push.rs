//! Alarms are heard of from the binary log: with polls an hour apart only a ring can be why one is handled.

use super::{Base, LEAST, R8, World, custom};

/// Polls once an hour.
fn rarely(base: Base, rights: &[&str], push: &str) -> World {
    let user = base.account(&[LEAST, rights].concat());
    let database = base.tcp(&user, base.server.port) + push;
    let world = World::on(base, &database, "", &custom("web", "restart_command = echo x >> @DIR@/ran"));
    let config = world.read("config.ini").replace("check_interval = 0.1", "check_interval = 1h");
    world.configure(&config);
    world
}

#[test]
fn a_change_is_heard_in_every_format_of_the_binary_log_and_after_a_cut() {
    let Some(base) = Base::new(R8) else { return };
    let mut world = rarely(base, &["REPLICATION SLAVE ON *.*"], "push = yes\npush_server_id = 77001\n");
    world.start();
    world.until_log("Listening for alarms: the binary log of 127.0.0.1:");
    world.base.put(1, "web", 0, None);
    for (run, format) in ["ROW", "MIXED", "STATEMENT"].into_iter().enumerate() {
        world.base.sql(&format!("SET SESSION binlog_format = {format}"));
        world.base.again(1, format);
        world.until_count("ran", run + 1);
        world.cleared(1);
    }
    world.base.kill_sessions();
    world.until_log("Alarms are found by polling until that works");
    world.until_said("Listening for alarms: ", 2);
    world.base.again(1, "after the cut");
    world.until_count("ran", 4);
    world.cleared(1);
}

#[test]
fn without_the_right_to_read_the_log_it_says_so_once_and_polls() {
    let Some(base) = Base::new(R8) else { return };
    let mut world = rarely(base, &[], "push = yes\n");
    let config = world.read("config.ini").replace("check_interval = 1h", "check_interval = 0.1");
    world.configure(&config);
    world.start();
    world.until_log(
        "GRANT REPLICATION SLAVE ON *.* TO its account, or write push = no. Alarms are found by polling",
    );
    let id = world.base.alarm("web");
    world.cleared(id);
    assert_eq!((world.said("Alarms are found by polling"), world.said("Listening for alarms")), (1, 0));
}
