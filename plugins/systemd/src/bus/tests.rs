//! What is sent, what is believed, and that no trouble with the connection makes a job be submitted twice.

use super::*;
use crate::names::Unit;
use fake::{FakeBus, Move, SYSTEMD, queued, refuse, removed, reply, unit};
use std::time::Duration;

mod fake;

fn web() -> Subject {
    Subject { unit: Unit::named("web").unwrap(), scope: Scope::System }
}

fn bus(fake: &FakeBus, millis: u64) -> Bus {
    let now = Instant::now();
    Bus::open(Scope::System, fake.address.clone(), now, now + Duration::from_millis(millis)).unwrap()
}

fn ended(result: &str) -> Ended {
    Ended::Result(result.to_owned())
}

#[test]
fn a_job_is_subscribed_to_before_it_is_queued_and_the_link_is_left_clean() {
    let fake = FakeBus::start(|_, member, message| match member {
        "RestartUnit" => vec![queued(message), removed(SYSTEMD, "done")],
        "ListUnitsByNames" => vec![unit(message, "active", 0, SYSTEMD)],
        _ => vec![],
    });
    assert_eq!(bus(&fake, 5000).run(&web(), Step::Restart), Ok(ended("done")));
    assert_eq!(bus(&fake, 5000).look(&web()).unwrap().active, "active");
    assert_eq!(fake.asked(), ["AddMatch", "RestartUnit", "RemoveMatch", "ListUnitsByNames"]);
}

#[test]
fn the_end_of_a_job_may_come_before_the_answer() {
    let fake = FakeBus::start(|_, member, message| match member {
        "StartUnit" => vec![removed(SYSTEMD, "failed"), queued(message)],
        _ => vec![],
    });
    assert_eq!(bus(&fake, 5000).run(&web(), Step::Join), Ok(ended("failed")));
}

#[test]
fn only_systemd_is_believed() {
    let fake = FakeBus::start(|_, member, message| match member {
        "RestartUnit" => vec![queued(message), removed(":1.66", "done"), removed(SYSTEMD, "timeout")],
        _ => vec![],
    });
    assert_eq!(bus(&fake, 5000).run(&web(), Step::Restart), Ok(ended("timeout")));
}

#[test]
fn a_systemd_that_was_replaced_meanwhile_is_believed_once_it_answers() {
    let fake = FakeBus::start(|_, member, message| match member {
        "RestartUnit" => vec![queued(message), removed(":1.8", "canceled")],
        "ListUnitsByNames" => vec![unit(message, "inactive", 0, ":1.8")],
        _ => vec![],
    });
    assert_eq!(bus(&fake, 5000).run(&web(), Step::Restart), Ok(ended("canceled")));
}

#[test]
fn a_job_that_is_gone_without_a_word_is_over() {
    let fake = FakeBus::start(|_, member, message| match member {
        "RestartUnit" => vec![queued(message)],
        "ListUnitsByNames" => vec![unit(message, "active", 0, SYSTEMD)],
        _ => vec![],
    });
    assert_eq!(bus(&fake, 5000).run(&web(), Step::Restart), Ok(Ended::Unseen));
}

#[test]
fn a_job_that_takes_too_long_is_a_timeout_that_names_the_state() {
    let fake = FakeBus::start(|_, member, message| match member {
        "StartUnit" => vec![queued(message)],
        "ListUnitsByNames" => vec![unit(message, "activating", 5, SYSTEMD)],
        _ => vec![],
    });
    let began = Instant::now();
    let error = bus(&fake, 1300).run(&web(), Step::Start).unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(1600));
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("start job was not over after 1.3 s, activating (sub)"), "{error}");
}

#[test]
fn a_refused_job_is_no_job() {
    let fake = FakeBus::start(|_, member, message| match member {
        "RestartUnit" => vec![refuse(message, "org.freedesktop.DBus.Error.AccessDenied")],
        _ => vec![],
    });
    let error = bus(&fake, 5000).run(&web(), Step::Restart).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permission);
    assert!(error.message.contains("verb restart"), "{error}");
}

#[test]
fn a_request_without_an_answer_is_not_repeated() {
    let closing = FakeBus::start(|_, member, _| match member {
        "RestartUnit" => vec![Move::Close],
        _ => vec![],
    });
    let silent = FakeBus::start(|_, _, _| vec![]);
    for (fake, words) in [(closing, "broke"), (silent, "does not answer")] {
        let error = bus(&fake, 400).run(&web(), Step::Restart).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
        assert!(error.message.contains("unknown whether it did") && error.message.contains(words), "{error}");
        assert_eq!(fake.count("RestartUnit"), 1);
    }
}

#[test]
fn a_connection_lost_while_the_job_runs_is_made_again_and_the_job_is_not() {
    let mut looks = 0;
    let fake = FakeBus::start(move |_, member, message| match member {
        "RestartUnit" => vec![queued(message), Move::Close],
        "ListUnitsByNames" => {
            looks += 1;
            let (active, job) = if looks < 3 { ("activating", 5) } else { ("active", 0) };
            vec![unit(message, active, job, SYSTEMD)]
        }
        _ => vec![],
    });
    assert_eq!(bus(&fake, 5000).run(&web(), Step::Restart), Ok(Ended::Unseen));
    assert_eq!((fake.count("RestartUnit"), fake.count("ListUnitsByNames")), (1, 3));
}

#[test]
fn a_connection_that_stays_lost_leaves_the_effect_unknown() {
    let fake = FakeBus::start(|number, member, message| match (number, member) {
        (0, "RestartUnit") => vec![queued(message), Move::Close],
        (0, _) => vec![],
        _ => vec![Move::Close],
    });
    let error = bus(&fake, 700).run(&web(), Step::Restart).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert_eq!(fake.count("RestartUnit"), 1);
}

#[test]
fn a_kept_link_that_has_died_is_replaced_before_the_job_is_submitted() {
    let fake = FakeBus::start(|number, member, message| match (number, member) {
        (0, _) => vec![unit(message, "active", 0, SYSTEMD), Move::Close],
        (_, "RestartUnit") => vec![queued(message), removed(SYSTEMD, "done")],
        _ => vec![],
    });
    bus(&fake, 5000).look(&web()).unwrap();
    // The other end needs a moment to close.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(bus(&fake, 5000).run(&web(), Step::Restart), Ok(ended("done")));
    assert_eq!(fake.count("RestartUnit"), 1);
}

#[test]
fn a_question_survives_a_kept_link_that_dies() {
    let mut asked = 0;
    let fake = FakeBus::start(move |_, _, message| {
        asked += 1;
        if asked == 2 { vec![Move::Close] } else { vec![unit(message, "active", 0, SYSTEMD)] }
    });
    bus(&fake, 5000).look(&web()).unwrap();
    assert_eq!(bus(&fake, 5000).look(&web()).unwrap().active, "active");
}

#[test]
fn a_silent_bus_is_unavailable_in_time() {
    let fake = FakeBus::start(|_, _, _| vec![]);
    let began = Instant::now();
    let error = bus(&fake, 300).look(&web()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("does not answer"), "{error}");
    assert!(began.elapsed() < Duration::from_millis(600));
}

#[test]
fn a_late_answer_meets_nobody() {
    let fake = FakeBus::start(|number, _, message| {
        if number == 0 {
            std::thread::sleep(Duration::from_millis(400));
        }
        vec![unit(message, if number == 0 { "failed" } else { "active" }, 0, SYSTEMD)]
    });
    bus(&fake, 100).look(&web()).unwrap_err();
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(bus(&fake, 5000).look(&web()).unwrap().active, "active");
}

#[test]
fn an_address_without_a_bus_is_absent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let open = || {
        let now = Instant::now();
        let address = format!("unix:path={}", path.display());
        Bus::open(Scope::System, address, now, now + Duration::from_secs(5)).err()
    };
    assert!(matches!(open(), Some(Trouble::Absent { .. })), "no such file");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(matches!(open(), Some(Trouble::Absent { .. })), "nobody listens");
}

#[test]
fn properties_that_a_kind_of_unit_lacks_are_left_out() {
    let fake = FakeBus::start(|_, member, message| {
        assert_eq!(member, "Get");
        let (interface, name): (String, String) = message.body().deserialize().unwrap();
        match (interface.rsplit('.').next(), name.as_str()) {
            (Some("Timer"), "Result") => vec![reply(message, &zbus::Variant::from("resources"))],
            (Some("Unit"), "ConditionResult") => vec![reply(message, &zbus::Variant::from(true))],
            _ => vec![refuse(message, "org.freedesktop.DBus.Error.UnknownProperty")],
        }
    });
    let subject = Subject { unit: Unit::named("web.timer").unwrap(), scope: Scope::System };
    let report = bus(&fake, 5000).report(&subject).unwrap();
    let pairs: Vec<_> = report.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("ConditionResult", "yes"), ("Result", "resources")]);
}

#[test]
fn the_id_of_a_start_is_hexadecimal_and_none_before_the_first() {
    for (bytes, id) in [(vec![0x0a_u8, 0xff], Some("0aff")), (vec![0; 16], None), (vec![], None)] {
        let fake = FakeBus::start(move |_, member, message| match member {
            "Get" => vec![reply(message, &zbus::Variant::from(bytes.clone()))],
            _ => vec![unit(message, "active", 0, SYSTEMD)],
        });
        let seen = bus(&fake, 5000).invocation(&web()).unwrap();
        assert_eq!(seen.invocation.as_deref(), id);
    }
}
