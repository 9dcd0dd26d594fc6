//! `pm notify test` and `pm check`.

use super::{body, failing, webhook};
use pm_tests::sandbox::Sandbox;
use pm_wire::fake::Hook;
use serde_json::Value;

#[test]
fn a_test_notice_goes_to_each_receiver_and_what_came_of_it_is_shown() {
    let hook = Hook::willing();
    let nobody = Hook::nobody();
    let sections = failing(["web".to_owned()])
        + &webhook("chat", hook.port, "events = breaker_opened\n")
        + &webhook("gone", nobody, "");
    let sandbox = Sandbox::sqlite(&sections);
    let answer = sandbox.pm(&["notify", "test"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let shown: Vec<_> = answer.out.split_whitespace().collect();
    assert_eq!(shown[..3], ["RECEIVER", "NOTIFIER", "RESULT"]);
    assert!(answer.out.contains("chat      webhook   delivered in "), "{}", answer.out);
    assert!(shown.join(" ").contains("refused the connection, nobody listens there"), "{}", answer.out);
    assert!(!answer.out.contains("hunter2"), "{}", answer.out);
    let posted = hook.posted();
    assert_eq!((posted.len(), body(&posted[0])["event"].as_str()), (1, Some("test")));

    let json: Value =
        serde_json::from_str(&sandbox.ok(&["notify", "test", "chat", "--format", "json"])).unwrap();
    let one = &json["receivers"][0];
    assert_eq!((one["name"].as_str(), one["delivered"].as_bool()), (Some("chat"), Some(true)));
    let unknown = sandbox.pm(&["notify", "test", "nobody"]);
    assert_eq!((unknown.code, unknown.err.as_str()), (2, "pm: no receiver nobody; there are: chat, gone\n"));
}

#[test]
fn without_receivers_a_test_says_so() {
    let answer = Sandbox::sqlite(&failing(["web".to_owned()])).pm(&["notify", "test"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("there is no usable section [notify.NAME]"), "{answer:?}");
}

#[test]
fn check_judges_the_keys_of_the_shipped_notifiers_and_shows_who_is_told() {
    let good = webhook("chat", 8080, "events = restart_failed, breaker_opened\n");
    let bad =
        "[notify.mail]\nnotifier = email\nsmtp_host = localhost\nfrom = pm@example.org\nsmtp_prot = 25\n";
    let sandbox = Sandbox::sqlite(&(failing(["web".to_owned()]) + &good + bad));
    let check = sandbox.pm(&["check"]);
    assert_eq!(check.code, 2, "{check:?}");
    let out = check.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(out.contains("[notify.mail] to: is required by the notifier \"email\""), "{out}");
    assert!(out.contains("[notify.mail] smtp_prot: unknown key; did you mean \"smtp_port\"?"), "{out}");
    assert!(out.contains("chat webhook en info restart_failed, breaker_opened"), "{out}");
    assert!(!out.contains("hunter2"), "{out}");
}
