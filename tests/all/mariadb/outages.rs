//! The server is away: at the start, in the middle of a restart, silent, with killed sessions, somewhere else. Each
//! change is one line, nothing is lost, nothing is done twice, and every command says what is the matter.

use super::{BACK, Base, LEAST, LOST, R8, WAITING, World, config, custom};
use pm_tests::proxy::{self, Fault, Proxy};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn down_at_the_start_is_one_line_and_the_alarm_is_handled_when_it_comes() {
    let Some(base) = Base::new(R8) else { return };
    let (socket, port) = proxy::closed();
    let database = base.tcp(&base.account(LEAST), port);
    let mut world = World::on(base, &database, "", &custom("web", "restart_command = echo x >> @DIR@/ran"));
    let id = world.base.alarm("web");
    world.start();
    world.until_log(LOST);
    world.away(&format!("127.0.0.1:{port}"));
    let _proxy = Proxy::on(proxy::open(socket), world.base.server.port);
    world.cleared(id);
    assert_eq!((world.count("ran"), world.story()), (1, vec!["lost", "back"]), "{}", world.log());
    let complaint = world.complaint();
    for words in [
        "ERROR reading the alarms",
        &format!("127.0.0.1:{port}"),
        "refused",
        "check host, port and socket in [database]",
    ] {
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
    let status = world.discreet(&["status"]);
    assert!(status.code == 0 && !status.out.contains("does not answer"), "{status:?}");
}

/// Whether pm lives on or is killed while the clearing waits makes no difference.
#[test]
fn dying_in_the_middle_of_a_restart_it_gets_its_clearing_once_when_it_is_back() {
    for killed in [false, true] {
        let Some((mut world, proxy)) = World::proxied("", &custom("web", WAITING)) else { return };
        world.start();
        let id = world.base.alarm("web");
        world.until_count("begun", 1);
        proxy.set(Fault::Gone);
        world.until_log(LOST);
        world.write("go", "", 0o644);
        world.until_log("Successfully handled alarm for web");
        world.until("the clearing to be kept", |_| world.outbox() == 1);
        assert_eq!(world.base.state(id), (1, "down".to_owned()));
        world.away(&format!("127.0.0.1:{}", proxy.port()));
        if killed {
            world.kill();
        }
        proxy.set(Fault::None);
        if killed {
            world.start();
        }
        let notes = world.cleared(id);
        assert!(
            notes.starts_with("down - Restarted at ") && notes.matches("Restarted").count() == 1,
            "{notes}"
        );
        world.round();
        world.delivered();
        assert_eq!(world.count("begun"), 1, "{}", world.log());
        let updated = format!("Successfully updated alarm status for process_id: {id}");
        assert_eq!(world.said(&updated), 1, "{}", world.log());
        assert_eq!(world.story(), if killed { vec!["lost"] } else { vec!["lost", "back"] });
        assert_eq!(world.complaint().matches("ERROR reading the alarms").count(), 1);
    }
}

#[test]
fn silent_it_stops_neither_heartbeat_nor_restarts_nor_the_end() {
    let Some((mut world, proxy)) = World::proxied("", &custom("web", WAITING)) else { return };
    world.start();
    let id = world.base.alarm("web");
    world.until_count("begun", 1);
    proxy.set(Fault::Freeze);
    world.until_log(LOST);
    let (first, frozen) = (world.beat(), Instant::now());
    world.write("go", "", 0o644);
    world.until_log("Successfully handled alarm for web");
    world.until("the clearing to be kept", |_| world.outbox() == 1);
    world.until("a later heartbeat", |_| world.beat() > first);
    assert!(frozen.elapsed() < Duration::from_secs(6), "the heartbeat waited for the database");
    let asked = Instant::now();
    world.stop();
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert!(world.complaint().contains("no answer within 1 s"), "{}", world.log());
    assert_eq!((world.story(), world.base.state(id).0), (vec!["lost"], 1));
    proxy.set(Fault::None);
    world.start();
    world.cleared(id);
    world.round();
    assert_eq!((world.count("begun"), world.complaints().len()), (1, 1), "{}", world.log());
}

/// Here pm still waits for the answer to its last question when it is asked to leave.
#[test]
fn an_answer_that_does_not_come_is_not_waited_for_at_the_end() {
    let Some(base) = Base::new(R8) else { return };
    let proxy = Proxy::to(base.server.port);
    let database = base.tcp(&base.account(LEAST), proxy.port());
    let mut world = World::on(base, &database, "shutdown_timeout = 1", &custom("web", WAITING));
    world.start();
    let id = world.base.alarm("web");
    world.until_count("begun", 1);
    proxy.set(Fault::Freeze);
    let questions = proxy.questions();
    world.until("a question without an answer", |_| proxy.questions() > questions);
    let asked = Instant::now();
    world.signal(Signal::TERM);
    assert_eq!(world.ended(), 0);
    // The running restart gets its second, and two for its last words; the silent server gets nothing on top.
    assert!(asked.elapsed() < Duration::from_millis(4500), "{:?}", asked.elapsed());
    assert!(world.complaint().contains("Restart of web handed over"), "{}", world.log());
    proxy.set(Fault::None);
    world.write("go", "", 0o644);
    world.start();
    world.cleared(id);
    assert_eq!((world.count("begun"), world.story()), (2, vec![]), "{}", world.log());
}

#[test]
fn killed_sessions_are_made_anew_and_nothing_is_done_twice() {
    let Some(mut world) = World::new(&custom("web", WAITING)) else { return };
    world.start();
    let id = world.base.alarm("web");
    world.until_count("begun", 1);
    for times in 1..=2 {
        world.base.kill_sessions();
        world.until_said(BACK, times);
    }
    world.write("go", "", 0o644);
    world.cleared(id);
    world.round();
    assert_eq!(world.story(), ["lost", "back", "lost", "back"], "{}", world.log());
    assert_eq!((world.complaints().len(), world.count("begun")), (2, 1), "{}", world.log());
    assert_eq!(world.base.sessions().len(), 1, "what was killed is not left behind");
}

#[test]
fn sighup_moves_over_to_another_server_wherever_pm_stands() {
    let sections = custom("web", "restart_command = echo $DB_NAME >> @DIR@/ran");
    let Some((mut world, proxy)) = World::proxied("", &sections) else { return };
    let Some(other) = Base::new(R8) else { return };
    let moved = other.tcp(&other.account(LEAST), other.server.port);
    let first = world.read("config.ini");
    let reloads = "all of it is in effect";
    world.start();
    world.handled("web");
    world.configure(&config(&moved, "", &sections));
    world.signal(Signal::HUP);
    world.until_said(reloads, 1);
    let there = other.alarm("web");
    world.until("the alarm of the other database to be cleared", |_| other.state(there).0 == 0);
    let here = world.base.alarm("web");
    other.again(there, "again");
    world.until("it to be cleared again", |_| other.state(there).0 == 0);
    assert_eq!(
        (world.base.state(here).0, world.base.sessions().len()),
        (1, 0),
        "the first one is left alone"
    );
    assert_eq!(world.lines("ran"), [world.base.name.clone(), other.name.clone(), other.name.clone()]);
    assert_eq!(world.complaints(), [""; 0]);
    // To one that does not answer, and from there back to one that does: each is a change of state.
    proxy.set(Fault::Gone);
    world.configure(&first);
    world.signal(Signal::HUP);
    world.until_said(LOST, 1);
    world.configure(&config(&moved, "", &sections));
    world.signal(Signal::HUP);
    world.until_said(BACK, 1);
    other.again(there, "once more");
    world.until("it to be cleared once more", |_| other.state(there).0 == 0);
    assert_eq!(world.story(), ["lost", "back"], "{}", world.log());
    assert!(world.complaint().contains(&format!("127.0.0.1:{}", proxy.port())));
    assert_eq!(world.base.state(here).0, 1);
    world.stop();
}

#[test]
fn a_restart_by_hand_needs_no_database() {
    let Some((mut world, proxy)) =
        World::proxied("", &custom("web", "restart_command = echo x >> @DIR@/ran"))
    else {
        return;
    };
    world.start();
    proxy.set(Fault::Gone);
    world.until_log(LOST);
    let answer = world.discreet(&["restart", "web"]);
    assert_eq!((answer.code, world.count("ran")), (0, 1), "{answer:?}");
}
