//! What becomes of the row: only the alarm that was handled is cleared, and a row that may not be written is no reason
//! to restart twice.

use super::{BACK, Base, LEAST, LOST, R8, READ, WAITING, World, custom};
use pm_tests::components::{self, Private};
use pm_tests::proxy::Fault;
use rustix::process::Signal;

/// A restart that makes the process healthy; the check is noted, too.
const HEALED: &str = "restart_command = echo x >> @DIR@/ran; touch @DIR@/healthy\n\
                      health_check_command = echo x >> @DIR@/looked; test -e @DIR@/healthy";
/// What leaves a restarted process alone only while it is healthy, and asks often.
const ASKING: &str = "handled_grace = 0.1\n";

#[test]
fn an_alarm_raised_anew_during_its_restart_stays_and_is_not_believed_at_once() {
    // Where a restart has to last, an alarm soon after it is doubted.
    let waiting = |begun: &str, keys: &str| WAITING.replace("/begun", begun) + "\nstable_time = " + keys;
    let sections = custom("checked", &waiting("/checked", "10m\nhealth_check_command = test ! -e @DIR@/ill"))
        + &custom(
            "ill",
            &waiting(
                "/twice",
                "10m\nhealth_check_command = echo x >> @DIR@/looked; test $(wc -l < @DIR@/looked) -ne 2",
            ),
        )
        + &custom("unchecked", &waiting("/unchecked", "0"));
    let Some(mut world) = World::new(&sections) else { return };
    world.start();
    let rows = ["checked", "ill", "unchecked"].map(|name| world.base.alarm(name));
    for file in ["checked", "twice", "unchecked"] {
        world.until_count(file, 1);
    }
    for row in rows {
        world.base.again(row, "second");
    }
    world.write("go", "", 0o644);
    let notes = rows.map(|row| world.cleared(row));
    for row in rows {
        let anew = format!("DB UPDATE LOG: Alarm was raised anew meanwhile and stays, process_id: {row}");
        assert_eq!(world.said(&anew), 1, "{}", world.log());
    }
    // Healthy: nothing to restart and no stamp. Ill by then, or nobody knows: restarted again.
    assert_eq!(notes[0], "second");
    assert!(
        notes[1].starts_with("second - Restarted at 20") && notes[2].starts_with("second - Restarted at 20")
    );
    assert_eq!(["checked", "twice", "unchecked"].map(|file| world.count(file)), [1, 2, 2], "{}", world.log());
    assert_eq!(world.said("RESTART LOG: checked is healthy, nothing to restart"), 1);
    world.round();
    assert!(world.complaint().contains("The restart of ill did not last: in alarm again after "));
}

#[test]
fn an_account_that_may_only_read_gets_one_restart_until_the_check_turns_bad() {
    let Some(base) = Base::new(R8) else { return };
    let user = base.account(READ);
    let database = base.tcp(&user, base.server.port);
    let sections =
        custom("web", HEALED) + &custom("unchecked", "restart_command = echo x >> @DIR@/unchecked");
    let mut world = World::on(base, &database, ASKING, &sections);
    world.start();
    let rows = [world.base.alarm("web"), world.base.alarm("unchecked")];
    world.until_log("DB UPDATE LOG: Failed to update");
    world.until_count("looked", 5);
    assert_eq!((world.count("ran"), world.count("unchecked")), (1, 1), "{}", world.log());
    assert_eq!(rows.map(|row| world.base.state(row)), [(1, "down".to_owned()), (1, "down".to_owned())]);
    let complaint = world.complaint();
    for words in [
        "ERROR DB UPDATE LOG: Failed to update",
        "UPDATE command denied",
        "grant SELECT on PROCESE",
        "kept and repeated",
    ] {
        assert!(complaint.contains(words), "{complaint}");
    }
    // It falls ill: that is an alarm again, whoever may write.
    std::fs::remove_file(world.dir().join("healthy")).unwrap();
    world.until_count("ran", 2);
    let looked = world.count("looked");
    world.until_count("looked", looked + 4);
    assert_eq!((world.count("ran"), world.count("unchecked")), (2, 1), "{}", world.log());
    // Neither does the next start forget.
    world.kill();
    world.start();
    let looked = world.count("looked");
    world.until_count("looked", looked + 3);
    assert_eq!((world.count("ran"), world.count("unchecked"), world.outbox()), (2, 1, 2), "{}", world.log());
    // Whoever reloads without the right is told nothing new.
    world.signal(Signal::HUP);
    world.until_log("all of it is in effect");
    let looked = world.count("looked");
    world.until_count("looked", looked + 3);
    assert_eq!(world.said("Failed to update"), 2, "once per start: {}", world.log());
    // The right is given, and SIGHUP says so: what waited is made good.
    world.base.grant(&user, "UPDATE (alarma, notes) ON {db}.STATUS_PROCESS");
    world.signal(Signal::HUP);
    for row in rows {
        assert!(world.cleared(row).starts_with("down - Restarted at "), "{:?}", world.base.state(row));
    }
    world.round();
    world.delivered();
    assert_eq!((world.count("ran"), world.count("unchecked")), (2, 1), "{}", world.log());
    assert_eq!((world.complaints().len(), world.story()), (2, vec![]), "{}", world.log());
}

/// A server of its own, because everybody on it is bound by the switch, and stopped with it.
#[test]
fn a_server_that_is_read_only_or_stopped_is_said_once_and_costs_no_healthy_process() {
    if components::mysql().is_none() {
        return;
    }
    let private = Private::start("mariadb");
    let base = Base::planned(private.mysql().unwrap());
    base.create(R8);
    let way = format!("socket = {}\nconnect_timeout = 0.5\nread_timeout = 1\n", base.server.socket.display());
    let database = way + &base.login(&base.account(LEAST));
    let sections = custom("web", HEALED) + &custom("other", &HEALED.replace("/ran", "/other"));
    let mut world = World::on(base, &database, ASKING, &sections);
    world.start();
    world.round();
    world.base.sql("SET GLOBAL read_only = 1");
    let web = world.base.alarm("web");
    world.until_log("DB UPDATE LOG: Failed to update");
    // From then on an alarm may be one that its source could not take back: what is healthy is left alone.
    let other = world.base.alarm("other");
    world.until_log("RESTART LOG: other is healthy, nothing to restart");
    world.until_count("looked", 5);
    assert_eq!((world.count("ran"), world.count("other")), (1, 0), "{}", world.log());
    assert!(world.complaint().contains("the server is read-only: point [database] to the primary"));
    // A stopped server takes connections and never speaks.
    let pid = std::fs::read_to_string(world.base.text("SELECT @@pid_file")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    world.until_log(LOST);
    world.away(&world.base.server.socket.display().to_string());
    rustix::process::kill_process(pid, Signal::CONT).unwrap();
    world.until_log(BACK);
    world.base.sql("SET GLOBAL read_only = 0");
    world.signal(Signal::HUP);
    assert!(world.cleared(web).starts_with("down - Restarted at "));
    assert_eq!(world.cleared(other), "down");
    assert_eq!((world.count("ran"), world.count("other")), (1, 0), "{}", world.log());
    assert_eq!((world.complaints().len(), world.story()), (2, vec!["lost", "back"]), "{}", world.log());
}

#[test]
fn a_clearing_whose_answer_was_lost_is_recognised_and_nothing_is_repeated() {
    for killed in [false, true] {
        let Some((mut world, proxy)) =
            World::proxied("", &custom("web", "restart_command = echo x >> @DIR@/ran"))
        else {
            return;
        };
        world.start();
        world.round();
        // The note goes as a value with the statement that is executed.
        let fault = if killed { Fault::Freeze } else { Fault::CutAnswer };
        proxy.set(Fault::After(b" - Restarted at ".to_vec(), Box::new(fault)));
        let id = world.base.alarm("web");
        let notes = world.cleared(id);
        if killed {
            world.until("the answer to be held back", |_| proxy.fault() == Fault::Freeze);
            assert_eq!(world.outbox(), 1);
            world.kill();
            proxy.set(Fault::None);
            world.start();
        }
        world.until_log(&format!("DB UPDATE LOG: Alarm was cleared already, process_id: {id}"));
        world.round();
        world.delivered();
        assert_eq!(world.count("ran"), 1, "{}", world.log());
        assert_eq!((world.base.state(id), notes.matches("Restarted at").count()), ((0, notes.clone()), 1));
        assert_eq!(world.said(&format!("updated alarm status for process_id: {id}")), 0, "{}", world.log());
        // The server answers the next poll: nothing is lost but this one answer.
        let complaints = world.complaints();
        assert_eq!((complaints.len(), world.story()), (usize::from(!killed), vec![]), "{}", world.log());
        assert!(
            complaints
                .iter()
                .all(|line| line.contains("the connection was cut") && line.contains("kept and repeated"))
        );
    }
}

#[test]
fn a_table_that_is_locked_against_writing_delays_only_its_clearings() {
    let sections = custom("web", "restart_command = echo x >> @DIR@/ran")
        + &custom("other", "restart_command = echo x >> @DIR@/other");
    let Some((mut world, _proxy)) = World::proxied("", &sections) else { return };
    let (web, other) = (world.base.alarm("web"), 2);
    world.base.put(other, "other", 0, None);
    // Whoever makes a backup this way lets everybody read.
    world.base.sql("LOCK TABLES STATUS_PROCESS READ");
    world.start();
    world.until_log("DB UPDATE LOG: Failed to update");
    assert_eq!((world.base.state(web).0, world.outbox()), (1, 1));
    world.base.sql("UNLOCK TABLES");
    world.base.again(other, "later");
    assert!(
        world.cleared(web).starts_with("down - Restarted at ")
            && world.cleared(other).starts_with("later - ")
    );
    world.round();
    world.delivered();
    assert_eq!((world.count("ran"), world.count("other")), (1, 1), "{}", world.log());
    assert_eq!(world.story(), [""; 0], "{}", world.log());
    assert!(world.complaint().contains(&format!("process_id: {web}: clearing the alarm")), "{}", world.log());
}
