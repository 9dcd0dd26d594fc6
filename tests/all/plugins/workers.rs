//! Libraries in workers: hanging, dying, growing, idle, as somebody else, while the others go on.

use super::{AUTO, MISBEHAVE, Plugins, WRECK, built, kind_and_text, part, restart};
use pm_host::plugins::{Isolation, Registry, Report, Rule};
use pm_host::ports::Strategies as _;
use pm_plugin_api::{ErrorKind, Health, Outcome, Target};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
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
fn a_worker_that_was_stopped_reads_nothing_and_keeps_nobody_beyond_his_time() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan_as(Isolation::Worker);
    assert!(restart(&registry, "counts", &[]).is_ok());
    let pid = i32::try_from(report(&registry, "pm-test-plugin-misbehave").pids[0]).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    // More than the socket holds, so that some wait for room in it and not for an answer.
    let label = "x".repeat(150_000);
    let mut target = Target::named("web");
    target.timeout_ms = 1_000;
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let result = registry.restart(&part("counts", &[("label", &label)]), &target);
                assert_eq!(kind_and_text(result).0, ErrorKind::Timeout);
            });
        }
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // It has been replaced.
    assert_eq!(restart(&registry, "counts", &[]), Ok(Outcome::ran("part 1, call 1")));
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

#[test]
fn a_worker_that_is_killed_at_random_leaves_no_call_without_an_answer_or_a_named_error() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan_as(Isolation::Worker);
    let (answered, failed, running) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU32::new(10));
    std::thread::scope(|scope| {
        for caller in 0..10 {
            let (registry, answered, failed, running) = (&registry, &answered, &failed, &running);
            scope.spawn(move || {
                let name = format!("web{caller}");
                // Until a hundred were answered; whatever was not was said to be lost.
                let mut rounds = 0;
                while rounds < 100 {
                    let result = registry.restart(&part("counts", &[]), &Target::named(&name)).map(drop);
                    let looked = registry.check(&part("looks", &[]), &Target::named(&name)).map(drop);
                    for result in [result, looked] {
                        match result {
                            Ok(()) => {
                                rounds += 1;
                                answered.fetch_add(1, Ordering::Relaxed)
                            }
                            Err(error) => {
                                let known = [ErrorKind::Interrupted, ErrorKind::Unavailable];
                                assert!(known.contains(&error.kind), "{error:?}");
                                assert!(error.message.contains("pm-test-plugin-misbehave"), "{error:?}");
                                failed.fetch_add(1, Ordering::Relaxed)
                            }
                        };
                    }
                }
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let (registry, running) = (&registry, &running);
        scope.spawn(move || {
            while running.load(Ordering::Relaxed) > 0 {
                for pid in report(registry, "pm-test-plugin-misbehave").pids {
                    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
                std::thread::sleep(Duration::from_millis(5));
                // Without the pause that follows a crash, or the calls would only meet that.
                let _ = registry.reload("pm-test-plugin-misbehave");
            }
        });
    });
    let (answered, failed) = (answered.into_inner(), failed.into_inner());
    assert!(answered >= 1_000 && failed > 0, "{answered} {failed}");
}

/// What the check of this library says of the rights of its process.
fn rights(plugins: &Plugins, rule: Rule) -> String {
    let registry = plugins.scan_with(rule);
    match registry.check(&part("wreck-00", &[]), &Target::named("web")).unwrap() {
        Health::Healthy { detail } => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_has_the_rights_that_it_was_given_and_little_of_the_environment() {
    assert!(rustix::process::geteuid().is_root(), "this test gives rights away, which only root can do");
    let plugins = Plugins::with(&[WRECK]);
    let all = rights(&plugins, Rule::default());
    assert!(all.starts_with("uid 0,0,0,0 "), "{all}");
    let variables = all.split_once(" variables ").unwrap().1;
    let passed = |name: &&str| {
        name.starts_with("LC_")
            || ["PATH", "HOME", "LANG", "TZ", "TERM", "USER", "LOGNAME", "SHELL"].contains(name)
            || name.starts_with("XDG_RUNTIME")
            || name.starts_with("DBUS_")
            || name.starts_with("SSL_CERT_")
            || name.starts_with("RUST_")
            || *name == "DOCKER_HOST"
    };
    assert!(variables.split(',').all(|name| passed(&name)), "{variables}");
    let none = rights(&plugins, Rule { no_new_privs: true, ..Rule::default() });
    assert!(none.contains(" capabilities 0000000000000000 no_new_privs 1 "), "{none}");
    let nobody = rights(&plugins, Rule { user: Some("nobody".to_owned()), ..Rule::default() });
    assert!(
        nobody.starts_with("uid 65534,65534,65534,65534 groups 65534 capabilities 0000000000000000 "),
        "{nobody}"
    );
    // Its checks as somebody else, its restarts as before.
    let checks = rights(&plugins, Rule { check_user: Some("12345".to_owned()), ..Rule::default() });
    assert!(checks.starts_with("uid 12345,12345,12345,12345 groups 12345 "), "{checks}");
    let registry = plugins.scan_with(Rule { user: Some("no-such-user".to_owned()), ..Rule::default() });
    let (kind, text) = kind_and_text(restart(&registry, "wreck-00", &[]));
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.ends_with("no worker can be started: there is no user \"no-such-user\""), "{text}");
}

#[test]
fn a_library_that_only_checks_never_runs_as_root_unless_it_is_asked_to() {
    assert!(rustix::process::geteuid().is_root(), "this test gives rights away, which only root can do");
    let plugins = Plugins::empty();
    // The same library, whose manifest offers no strategy any more.
    let mut bytes = built(WRECK);
    let offer = b"strategy:wreck-00 ";
    let at = bytes.windows(offer.len()).position(|window| window == offer).unwrap();
    bytes[at..at + offer.len()].fill(b' ');
    plugins.put("checks.so", &bytes);
    let by_itself = rights(&plugins, Rule::default());
    assert!(by_itself.starts_with("uid 65534,65534,65534,65534 groups 65534 "), "{by_itself}");
    assert!(by_itself.contains(" capabilities 0000000000000000 no_new_privs 1 "), "{by_itself}");
    let asked = rights(&plugins, Rule { user: Some("root".to_owned()), ..Rule::default() });
    assert!(asked.starts_with("uid 0,0,0,0 "), "{asked}");
}
