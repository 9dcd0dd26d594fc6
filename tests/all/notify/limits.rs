//! A flood arrives as few notices, and none of it is lost silently.

use super::{body, failing, raise, webhook};
use pm_tests::sandbox::Sandbox;
use pm_wire::fake::Hook;

#[test]
fn what_goes_beyond_the_limit_arrives_as_one_summary_with_all_of_it() {
    let hook = Hook::willing();
    let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let limit = "events = restart_failed\ndeduplicate = 0\nrate_limit = 3\nrate_refill = 2\n";
    let mut sandbox = Sandbox::sqlite(&(failing(names.iter().cloned()) + &webhook("chat", hook.port, limit)));
    sandbox.start();
    raise(&sandbox, &names);
    // Each fails three times, then its breaker opens.
    let told = |posted: &[pm_wire::fake::Posted]| -> u64 {
        let of = |body: serde_json::Value| match body["event"].as_str() {
            Some("held_back") => {
                let detail = body["detail"].as_str().unwrap().to_owned();
                detail
                    .lines()
                    .find_map(|line| line.strip_prefix("restart_failed: ")?.parse().ok())
                    .unwrap_or(0)
            }
            _ => 1,
        };
        posted.iter().map(|posted| of(body(posted))).sum()
    };
    let posted = hook.until("all of it", |posted| told(posted) == 24);
    assert!(posted.len() < 20, "{posted:?}");
    let summary = posted.iter().map(body).find(|body| body["event"] == "held_back").unwrap();
    assert!(summary["summary"].as_str().unwrap().contains(" more notices of pm on "), "{summary}");
}

#[test]
fn the_same_trouble_is_told_once_and_then_with_a_count() {
    let hook = Hook::willing();
    let calm = "events = restart_failed\ndeduplicate = 2\n";
    let mut sandbox = Sandbox::sqlite(&(failing(["web".to_owned()]) + &webhook("chat", hook.port, calm)));
    sandbox.start();
    raise(&sandbox, &["web"]);
    let posted = hook.until("the repetitions", |posted| posted.len() == 2);
    let repeated: Vec<_> = posted.iter().map(|posted| body(posted)["repeated"].as_u64()).collect();
    assert_eq!(repeated, [Some(1), Some(2)]);
    let detail = body(&posted[1])["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with("It happened 2 times since it was last told."), "{detail}");
}
