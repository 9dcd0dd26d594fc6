//! What is on the machines of others: a library and a host that were built when pm-plugin-api 1.0.0 was new, API level 0. They
//! are kept as binaries, not as sources: what a compiler of that day made of the frozen types is the thing to be fit for,
//! and abi_stable's comparison of layouts has a direction, so the old host has to make it with the types of its own time.
//!
//! `tests/fixtures/plugins/1.0.0/make.sh` tells how they were made.

#![cfg(all(target_arch = "x86_64", target_env = "gnu"))]

use super::{MISBEHAVE, Plugins, built, kind_and_text, part, restart};
use pm_host::plugins::{Isolation, Operation, Registry};
use pm_host::ports::{Heard, Strategies as _};
use pm_plugin_api::{Error, ErrorKind, Fallback, Health, Outcome, Target};
use pm_tests::c::project;
use pm_tests::sandbox::{Sandbox, answer};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const VETERAN: &str = "libveteran.so";

fn kept(name: &str) -> PathBuf {
    project().join("tests/fixtures/plugins/1.0.0").join(name)
}

fn with_veteran() -> Plugins {
    let plugins = Plugins::empty();
    plugins.put(VETERAN, &std::fs::read(kept(VETERAN)).unwrap());
    plugins
}

/// An operation with a body as it travels.
fn asked(registry: &Registry, kind: &str, op: &str, body: &str) -> Result<String, Error> {
    let (body, timeout) = (body.as_bytes(), Duration::from_secs(20));
    let operation = Operation { op, subject: "web", body, timeout, heard: None };
    registry.call(kind, &part("veteran", &[]), operation).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn a_library_of_the_first_interface_is_listed_loaded_and_used() {
    for isolation in [Isolation::InProcess, Isolation::Worker] {
        let plugins = with_veteran();
        let registry = plugins.scan_as(isolation);
        let manifest = registry.entries().remove(0).manifest.unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("veteran", "0.9.7"));
        assert_eq!((manifest.interface, manifest.api_minor), (1, 0));
        let keys = &manifest.offers[0].keys;
        assert_eq!((keys[1].name.as_str(), keys[1].default.as_deref()), ("veteran_wait", Some("1s")));
        assert_eq!((keys[1].unit.as_deref(), keys[1].required), (Some("seconds"), false));
        let said = "as ever, web of 30000 ms";
        assert_eq!(restart(&registry, "veteran", &[]), Ok(Outcome::restarted(said)));
        let delegated = restart(&registry, "veteran", &[("veteran_says", "delegate")]);
        assert_eq!(delegated, Ok(Outcome::delegate(["service"], Fallback::Always)));
        let (web, veteran) = (Target::named("web"), part("veteran", &[]));
        assert_eq!(registry.identity(&veteran, &web), Ok(Some("veteran:web".to_owned())));
        assert_eq!(registry.check(&veteran, &web), Ok(Health::healthy("web looks well")));
        assert_eq!(registry.check(&veteran, &Target::named("ill")), Ok(Health::unhealthy("looks ill")));
        let heard = Heard::default();
        registry.restart_heard(&veteran, &web, &heard).unwrap();
        assert_eq!(heard.text(), "veteran restarts name=web\n");
    }
}

#[test]
fn a_library_of_the_first_interface_answers_errors_and_what_it_does_not_know() {
    let plugins = with_veteran();
    let registry = plugins.scan_as(Isolation::Worker);
    let (web, veteran) = (Target::named("web"), part("veteran", &[]));
    // An operation that came after it.
    let (kind, text) = kind_and_text(registry.evidence(&veteran, &web));
    assert_eq!(kind, ErrorKind::Unsupported);
    assert_eq!(text, "this plugin was built before the operation \"evidence\" existed");
    for (of, op) in [("strategy", "levitate"), ("check", "restart"), ("strategy", "notify")] {
        assert_eq!(asked(&registry, of, op, "{}").unwrap_err().kind, ErrorKind::Unsupported, "{op}");
    }
    // Fields that came after it, and that may come.
    let body = r#"{"target":{"name":"db","system_name":"db","timeout_ms":7,"colour":"red"},"notice":{"event":"x"},"moon":[1]}"#;
    let said = r#"{"result":"done","action":"restarted","detail":"as ever, db of 7 ms"}"#;
    assert_eq!(asked(&registry, "strategy", "restart", body).as_deref(), Ok(said));
    assert_eq!(kind_and_text(registry.check(&veteran, &Target::named("absent"))).0, ErrorKind::NotFound);
    let (kind, text) = kind_and_text(restart(&registry, "veteran", &[("veteran_says", "panic")]));
    assert_eq!(kind, ErrorKind::Panicked);
    assert!(
        text.starts_with("plugin \"veteran\" panicked in restart at ") && text.ends_with("old bones"),
        "{text}"
    );
    let (kind, text) = kind_and_text(restart(&registry, "veteran", &[("veteran_says", "nothing")]));
    assert_eq!(
        (kind, text.as_str()),
        (ErrorKind::Config, "plugin \"veteran\": settings: veteran_says: has to be something")
    );
    assert_eq!(kind_and_text(restart(&registry, "veteran", &[("veteran_way", "1")])).0, ErrorKind::Config);
    assert!(asked(&registry, "strategy", "restart", "nonsense").is_err());
}

#[test]
fn the_program_takes_a_library_of_the_first_interface_as_any_other() {
    let sandbox = Sandbox::sqlite(
        "[plugins]\ndir = @DIR@/plugins\n\n[process.web]\nrestart_strategy = veteran\nhealth_check = veteran\n\
         veteran_says = once more\n",
    );
    std::fs::create_dir(sandbox.dir().join("plugins")).unwrap();
    std::fs::copy(kept(VETERAN), sandbox.dir().join("plugins").join(VETERAN)).unwrap();
    let said = sandbox.ok(&["restart", "web"]);
    assert!(said.contains("once more, web of"), "{said}");
    let verified = sandbox.ok(&["plugins", "verify", kept(VETERAN).to_str().unwrap()]);
    assert!(verified.ends_with(", 0 failed: a good plugin\n"), "{verified}");
}

/// What the old host makes of a call to a library of today.
fn old_host(library: &std::path::Path, words: [&str; 5]) -> (i32, Vec<String>) {
    let said = answer(Command::new(kept("veteran-host")).arg(library).args(words));
    assert_eq!(said.err.lines().find(|line| !line.contains("panicked at")).unwrap_or_default(), "");
    (said.code, said.out.lines().map(str::to_owned).collect())
}

#[test]
fn a_library_of_today_is_loaded_and_used_by_a_host_of_the_first_interface() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let library = plugins.file(MISBEHAVE);
    let asked = |words: [&str; 5]| {
        let (code, said) = old_host(&library, words);
        assert!(
            said[0].starts_with("manifest pm-test-plugin-misbehave interface 1 offers strategy:panics "),
            "{said:?}"
        );
        (code, said[1..].join("\n"))
    };
    // What such a host sends: no field and no operation that came later.
    let old = r#"{"target":{"name":"web","system_name":"web.service","attempt":1,"timeout_ms":500}}"#;
    assert_eq!(
        asked(["strategy", "counts", r#"{"wait":"5"}"#, "restart", old]),
        (0, "answer Done { action: Ran, detail: \"part 1, call 1\" }".to_owned())
    );
    assert_eq!(
        asked(["check", "looks", "{}", "check", old]),
        (0, "answer Healthy { detail: \"looked at web\" }".to_owned())
    );
    let (code, said) = asked(["strategy", "logs", "{}", "restart", old]);
    assert_eq!(code, 0);
    assert!(said.contains("log 3 pm_test_plugin_misbehave: logged at info\n"), "{said}");
    assert!(said.ends_with("answer Done { action: Ran, detail: \"logged\" }"), "{said}");
    let (code, said) = asked(["strategy", "counts", "{}", "identity", old]);
    assert_eq!((code, said.as_str()), (1, "error Unsupported: the strategy has no identity for \"web\""));
    let (code, said) = asked(["strategy", "counts", r#"{"wiat":"5"}"#, "restart", old]);
    assert_eq!((code, said.as_str()), (1, "error Config: unknown key \"wiat\"; there are: label, wait"));
    let (code, said) = asked(["strategy", "panics", "{}", "restart", old]);
    assert_eq!(code, 1);
    assert!(
        said.contains("error Panicked: panicked in restart at ") && said.ends_with("boom for web"),
        "{said}"
    );
    // Not even the whole target.
    let (code, said) = asked(["strategy", "counts", "{}", "restart", "{}"]);
    assert_eq!((code, said.as_str()), (0, "answer Done { action: Ran, detail: \"part 1, call 1\" }"));
}

#[test]
fn the_libraries_that_ship_with_pm_fit_a_host_of_the_first_interface() {
    for name in ["auto", "systemd", "process", "custom", "docker", "net", "notify"] {
        let plugins = Plugins::empty();
        let file = plugins.put("x.so", &built(&format!("libpm_plugin_{name}.so")));
        // A part that no library has: everything before it fits.
        let (code, said) = old_host(&file, ["strategy", "nobody's", "{}", "restart", "{}"]);
        assert_eq!(code, 1, "{name}: {said:?}");
        assert_eq!(said[1], "error NotFound: this library offers no strategy \"nobody's\"", "{name}");
    }
}
