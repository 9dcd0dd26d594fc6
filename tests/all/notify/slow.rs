//! A receiver that is slow or away delays nothing, and loses nothing that it could still be told.

use super::{failing, is_there, raise, webhook};
use pm_tests::sandbox::Sandbox;
use pm_wire::fake::{Hook, Server};
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn fifty_restarts_end_while_a_receiver_that_accepts_and_never_answers_still_has_the_first_notice() {
    let (came, left) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (in_, out) = (Arc::clone(&came), Arc::clone(&left));
    let silent = Server::raw(move |mut stream| {
        in_.fetch_add(1, Ordering::SeqCst);
        let _ = stream.read_to_end(&mut Vec::new());
        out.fetch_add(1, Ordering::SeqCst);
    });
    let quick = Hook::willing();
    let names: Vec<String> = (0..50).map(|number| format!("p{number}")).collect();
    let patient = "rate_limit = 0\nwebhook_timeout = 5m\nnotify_timeout = 5m\n";
    let sections = failing(names.iter().cloned())
        + &webhook("silent", silent.port, patient)
        + &webhook("quick", quick.port, patient);
    let mut sandbox = Sandbox::sqlite(&sections);
    sandbox.start();
    raise(&sandbox, &["p0"]);
    sandbox.until("the first notice to be taken", |_| came.load(Ordering::SeqCst) == 1);
    raise(&sandbox, &names[1..]);
    for name in &names {
        sandbox.until_log(&format!("Failed to handle alarm for {name}:"));
        quick.until(name, |posted| is_there(posted, "restart_failed", name));
    }
    assert_eq!(
        (came.load(Ordering::SeqCst), left.load(Ordering::SeqCst)),
        (1, 0),
        "it still waits for the first answer"
    );
    assert!(!sandbox.log().contains("could not be told"), "{}", sandbox.log());
    // Nor does it keep pm from leaving.
    sandbox.stop();
    sandbox.until_log("silent does not take its notices in time");
}

#[test]
fn a_receiver_that_was_away_gets_the_notice_when_it_is_back() {
    let port = Hook::nobody();
    let mut sandbox =
        Sandbox::sqlite(&(failing(["web".to_owned()]) + &webhook("chat", port, "events = breaker_opened\n")));
    sandbox.start();
    raise(&sandbox, &["web"]);
    sandbox.until_log("[notify.chat] could not be told: POST http://127.0.0.1:");
    let hook = Hook::on(port, |number| if number == 0 { 503 } else { 200 });
    let posted = hook.until("the second try", |posted| posted.len() == 2);
    assert_eq!(posted[0].body, posted[1].body, "the same notice with the same id");
    sandbox.until_log("[notify.chat] can be told again");
    let log = sandbox.log();
    assert!(log.contains("It is tried again for 60 min") && !log.contains("hunter2"), "{log}");
}

#[test]
fn what_waits_goes_out_before_pm_leaves() {
    let hook = Hook::willing();
    let mut sandbox = Sandbox::sqlite(
        &(failing(["web".to_owned()]) + &webhook("chat", hook.port, "events = restart_failed\n")),
    );
    sandbox.start();
    raise(&sandbox, &["web"]);
    sandbox.until_log("Circuit breaker opened for web");
    sandbox.stop();
    let posted = hook.posted();
    assert_eq!(posted.len(), 2, "the first one, and the two repetitions that waited: {posted:?}");
    assert_eq!(super::body(&posted[1])["repeated"], 2);
}
