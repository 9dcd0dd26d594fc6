//! What is different in this process: a call that hangs is lost, and a library stays for as long as pm runs.

use super::{AUTO, MISBEHAVE, Plugins, built, kind_and_text, part, restart};
use pm_host::plugins::{OnDisk, State};
use pm_host::ports::Strategies as _;
use pm_plugin_api::{ErrorKind, Outcome, Target};
use std::time::{Duration, Instant};

#[test]
fn a_call_that_hangs_is_given_up_and_four_of_them_close_the_library() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan();
    let release = plugins.file("release");
    let mut target = Target::named("web");
    target.timeout_ms = 50;
    let hanging = part("hangs", &[("until", release.to_str().unwrap())]);
    for _ in 0..4 {
        let (kind, text) = kind_and_text(registry.restart(&hanging, &target));
        assert_eq!(kind, ErrorKind::Timeout);
        assert_eq!(
            text,
            "plugin \"pm-test-plugin-misbehave\": restart of \"web\" gave no answer within 50 ms"
        );
    }
    let (kind, text) = kind_and_text(restart(&registry, "counts", &[]));
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.contains("4 calls never came back"), "{text}");
    assert!(restart(&registry, "auto", &[]).is_ok(), "another library is not concerned");

    std::fs::write(&release, "").unwrap();
    let began = Instant::now();
    while restart(&registry, "counts", &[]).is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the calls came back, the library must open again"
        );
        std::thread::yield_now();
    }
    assert_eq!(registry.restart(&hanging, &Target::named("web")), Ok(Outcome::ran("at last")));
}

#[test]
fn evidence_that_hangs_is_asked_for_no_more_and_never_closes_the_way_to_a_restart() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan();
    let release = plugins.file("release");
    let mut target = Target::named("web");
    target.timeout_ms = 30;
    let hanging = part("hangs", &[("until", release.to_str().unwrap())]);
    for _ in 0..4 {
        let (kind, text) = kind_and_text(registry.evidence(&hanging, &target));
        assert_eq!(kind, ErrorKind::Timeout, "{text}");
    }
    assert_eq!(kind_and_text(registry.evidence(&hanging, &target)).0, ErrorKind::Unavailable, "at once now");
    assert!(restart(&registry, "counts", &[]).is_ok());
    std::fs::write(&release, "").unwrap();
    assert_eq!(registry.restart(&hanging, &Target::named("web")), Ok(Outcome::ran("at last")));
    let began = Instant::now();
    while registry.evidence(&hanging, &Target::named("web")).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "the calls came back");
        std::thread::yield_now();
    }
}

#[test]
fn a_loaded_library_outlives_its_file_and_the_list_says_so() {
    let plugins = Plugins::with(&[AUTO]);
    let registry = plugins.scan();
    restart(&registry, "auto", &[]).unwrap();
    let state = || registry.entries().remove(0).state;
    assert_eq!(state(), State::Loaded);

    plugins.put(AUTO, &built(AUTO));
    assert!(registry.rescan_if_changed());
    let State::Outlived(OnDisk::Version(_)) = state() else { panic!("{:?}", state()) };
    plugins.put(AUTO, b"no library");
    assert!(registry.rescan_if_changed());
    let State::Outlived(OnDisk::Refused(reason)) = state() else { panic!("{:?}", state()) };
    assert!(reason.to_string().starts_with("is not a shared library"), "{reason}");
    std::fs::remove_file(plugins.file(AUTO)).unwrap();
    assert!(registry.rescan_if_changed());
    assert_eq!(state(), State::Outlived(OnDisk::Gone));
    assert!(restart(&registry, "auto", &[]).is_ok(), "it serves until pm is restarted");
}
