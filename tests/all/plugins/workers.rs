//! Libraries in workers: hanging, dying, growing, idle, as somebody else, while the others go on.

use super::{AUTO, MISBEHAVE, Plugins, kind_and_text, part, restart};
use pm_host::plugins::{Isolation, Registry, Report, Rule};
use pm_host::ports::Strategies as _;
use pm_plugin_api::{ErrorKind, Outcome, Target};
use std::time::Duration;

fn report(registry: &Registry, plugin: &str) -> Report {
    let entries = registry.entries();
    let named = |name: &str| name == plugin;
    let entry = entries.into_iter().find(|e| e.manifest.as_ref().is_some_and(|m| named(&m.name)));
    entry.unwrap().report.unwrap()
}

#[test]
fn a_call_that_hangs_costs_its_own_time_and_the_worker_is_replaced() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan_as(Isolation::Worker);
    let release = plugins.file("release");
    let mut target = Target::named("web");
    target.timeout_ms = 500;
    let hanging = part("hangs", &[("until", release.to_str().unwrap())]);
    for _ in 0..3 {
        let (kind, text) = kind_and_text(registry.restart(&hanging, &target));
        assert_eq!(kind, ErrorKind::Timeout);
        assert_eq!(
            text,
            "plugin \"pm-test-plugin-misbehave\": restart of \"web\" gave no answer within 500 ms; its worker was replaced"
        );
        // Another worker each time, and no crash.
        assert_eq!(restart(&registry, "counts", &[]), Ok(Outcome::ran("part 1, call 1")));
    }
    let report = report(&registry, "pm-test-plugin-misbehave");
    assert_eq!((report.crashes, report.failed, report.calls), (0, 3, 6));
}

#[test]
fn calls_that_share_the_worker_with_one_that_hangs_are_answered_by_it() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan_as(Isolation::Worker);
    let (never, later) = (plugins.file("never"), plugins.file("later"));
    let patient = part("hangs", &[("until", later.to_str().unwrap())]);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| registry.restart(&patient, &Target::named("db")));
        let mut target = Target::named("web");
        target.timeout_ms = 100;
        let hanging = part("hangs", &[("until", never.to_str().unwrap())]);
        assert_eq!(kind_and_text(registry.restart(&hanging, &target)).0, ErrorKind::Timeout);
        // Meanwhile new calls go to a new worker.
        assert!(restart(&registry, "counts", &[]).is_ok());
        std::fs::write(&later, "").unwrap();
        assert_eq!(other.join().unwrap(), Ok(Outcome::ran("at last")));
    });
}

#[test]
fn a_worker_without_calls_leaves_and_comes_back_when_it_is_needed() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let rule = Rule { idle_time: Duration::from_secs(1), ..Rule::default() };
    let registry = plugins.scan_with(rule);
    assert_eq!(restart(&registry, "counts", &[]), Ok(Outcome::ran("part 1, call 1")));
    let pids = report(&registry, "pm-test-plugin-misbehave").pids;
    assert_eq!(pids.len(), 1);
    super::until("the worker has left", || !std::path::Path::new(&format!("/proc/{}", pids[0])).exists());
    super::until("it is seen", || report(&registry, "pm-test-plugin-misbehave").worker == Some("idle"));
    assert_eq!(restart(&registry, "counts", &[]), Ok(Outcome::ran("part 1, call 1")));
    assert_eq!(report(&registry, "pm-test-plugin-misbehave").crashes, 0);
}
