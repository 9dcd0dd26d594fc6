//! A Galera cluster of three nodes, all of them in `host`: one is killed in the middle of the work, then another, so that the
//! last one has lost its cluster. Nothing is lost, and nothing is done twice.

use super::{BACK, Base, LEAST, LOST, PASSWORD, R8, World, custom};
use pm_tests::components::{self, Mysql, Private};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;

const ALARMS: i64 = 30;

#[test]
fn a_node_that_is_killed_in_the_middle_of_restarts_loses_nothing_and_doubles_nothing() {
    let Some(mariadb) = components::mysql() else { return };
    let private = Private::start("galera");
    let cluster = private.galera().unwrap();
    // Who raises the alarms does so at the node that survives.
    let server = Mysql { socket: cluster.sockets[2].clone(), port: cluster.ports[2], ..mariadb };
    let base = Base::planned(server);
    base.create(R8);
    let user = base.account(LEAST);
    let node: Vec<String> = cluster.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let database = format!(
        "host = {}\nuser = {user}\npassword = {PASSWORD}\ndatabase = {}\nconnect_timeout = 1\nread_timeout = 20\n",
        node.join(", "),
        base.name
    );
    let command = "restart_command = echo $process_id >> @DIR@/ran; sleep 0.05";
    let sections: String = (1..=ALARMS).map(|n| custom(&format!("p{n}"), command)).collect();
    let mut world = World::on(base, &database, "", &sections);
    (1..=ALARMS).for_each(|id| world.base.put(id, &format!("p{id}"), 1, Some("down")));
    let kill =
        |index: usize| kill_process(Pid::from_raw(cluster.pids[index]).unwrap(), Signal::KILL).unwrap();
    world.start();
    world.until_log(&format!("The alarm database is used at {}", node[0]));
    let open = format!("SELECT COUNT(*) FROM STATUS_PROCESS WHERE alarma = 1 AND process_id <= {ALARMS}");
    world.until("some to be cleared", |_| (1..ALARMS - 5).contains(&world.base.number(&open)));
    kill(0);
    world.until("all to be cleared", |_| world.base.number(&open) == 0);
    world.round();
    world.delivered();
    let moved = format!("used at {} from now on, not at {}: ", node[1], node[0]);
    assert_eq!((world.said(&moved), world.story()), (1, vec![]), "{}", world.log());
    let ran = world.lines("ran");
    let each: BTreeSet<_> = ran.iter().collect();
    assert_eq!((each.len(), ran.len()), (30, 30), "each once: {ran:?}\n{}", world.log());
    let twice = "SELECT COUNT(*) FROM STATUS_PROCESS WHERE notes LIKE '%Restarted%Restarted%'";
    assert_eq!(world.base.number(twice), 0);

    // Two of three are gone: the last one answers, and refuses.
    kill(1);
    world.until_log(LOST);
    let words = format!("{}: the node does not hear from its cluster", node[2]);
    assert!(world.complaints().iter().any(|line| line.contains(&words)), "{}", world.log());
    world.base.sql("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'");
    world.until_log(BACK);
    world.base.again(1, "once more");
    world.cleared(1);
    assert_eq!((world.count("ran"), world.story()), (31, vec!["lost", "back"]), "{}", world.log());
}
