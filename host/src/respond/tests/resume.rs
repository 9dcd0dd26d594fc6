//! What a pm that was killed has left: the journal and the identity decide how it goes on.

use super::*;

#[test]
fn after_a_kill_the_journal_and_the_identity_decide() {
    let resume = |stage, before: Option<&str>, now: Option<&str>, boot| {
        let world = Scripted::new();
        *world.identity.lock().unwrap() = now.map(str::to_owned);
        let entry = Unfinished {
            id: AttemptId(3),
            name: Name::new("web"),
            alarms: vec![alarm(1, "web")],
            cause: Cause::Alarm,
            stage,
            identity: before.map(str::to_owned),
            boot,
        };
        let (end, _, log) = world.run(&job(), &spec("service"), &Claim::Resume(entry));
        (end, log.iter().any(|line| line.starts_with("restart")))
    };
    let (old, new) = (Some("service:1"), Some("2"));
    assert_eq!(resume(Stage::Intent, None, None, Boot::Same), (End::Cancelled, false));
    assert_eq!(resume(Stage::Prepared, None, None, Boot::Same), (End::Cancelled, false));
    assert_eq!(resume(Stage::Acting, old, new, Boot::Same), (End::Restarted, false));
    assert_eq!(resume(Stage::Acting, old, Some("1"), Boot::Same), (End::Restarted, true));
    assert_eq!(resume(Stage::Acting, old, None, Boot::Same), (End::Restarted, true));
    assert_eq!(resume(Stage::Acting, None, new, Boot::Same), (End::Restarted, true));
    // Nothing ran before: what runs now is the restart's.
    assert_eq!(resume(Stage::Acting, Some("service:"), new, Boot::Same), (End::Restarted, false));
    assert_eq!(resume(Stage::Acting, Some("service:"), None, Boot::Same), (End::Restarted, true));
    assert_eq!(resume(Stage::Verifying, old, new, Boot::Same), (End::Restarted, false));
    assert_eq!(resume(Stage::Acting, old, new, Boot::Earlier), (End::Cancelled, false));
}
