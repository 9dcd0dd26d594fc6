//! What the operator holds libraries to: pinned content, who overrides whom, what has to be there; and links.

use super::{AUTO, MISBEHAVE, Plugins, build_directory, built, refusal, restart, short, until};
use pm_host::plugins::{Isolation, OnDisk, Rule, Rules, State};
use pm_plugin_api::ErrorKind;
use pm_tests::sandbox::Sandbox;
use sha2::{Digest as _, Sha256};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

const OTHER_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rules(libraries: &[(&str, Rule)]) -> Rules {
    let libraries = libraries.iter().map(|(name, rule)| ((*name).to_owned(), rule.clone())).collect();
    Rules { libraries, ..Rules::default() }
}

fn pinned(sum: &str) -> Rules {
    rules(&[("auto", Rule { sha256: Some(sum.to_owned()), ..Rule::default() })])
}

fn overriding() -> Rule {
    Rule { overrides: true, ..Rule::default() }
}

/// The library "auto" under another name, which offers the same part.
fn twin(name: &str) -> Vec<u8> {
    assert_eq!(name.len(), "auto".len());
    let mut bytes = built(AUTO);
    let head = b"PMPLUGIN\x00\x02";
    let at = bytes.windows(head.len()).position(|window| window == head).unwrap() + 16 + "pm-plugin-".len();
    assert_eq!(&bytes[at..at + 5], b"auto\0");
    bytes[at..at + 4].copy_from_slice(name.as_bytes());
    bytes
}

#[test]
fn a_pinned_library_is_used_and_one_with_other_content_is_refused_with_both_sums() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let right = sum(&built(AUTO));
    assert!(restart(&plugins.scan_by(pinned(&right)), "auto", &[]).is_ok());

    let registry = plugins.scan_by(pinned(OTHER_SUM));
    let expected = format!(
        "plugin {AUTO}: has the SHA-256 sum {right}, but [library.auto] sha256 = {OTHER_SUM}; install the file that has \
         it, or write the new sum if this file is the right one"
    );
    assert_eq!(refusal(&plugins, &registry), expected);
    let error = restart(&registry, "auto", &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(short(&plugins, &error.message), format!("no strategy \"auto\": {expected}"));
    assert!(restart(&registry, "counts", &[]).is_ok(), "another library is not concerned");
}

#[test]
fn a_pin_also_holds_what_comes_in_place_of_a_library_in_use() {
    let plugins = Plugins::with(&[AUTO]);
    let registry = plugins.scan_by(pinned(&sum(&built(AUTO))));
    restart(&registry, "auto", &[]).unwrap();
    // The same library with one byte behind it.
    let mut other = built(AUTO);
    other.push(0);
    plugins.put(AUTO, &other);
    assert!(registry.rescan_if_changed());
    let state = registry.entries().remove(0).state;
    let State::Outlived(OnDisk::Refused(reason)) = state else { panic!("{state:?}") };
    assert!(reason.to_string().starts_with(&format!("has the SHA-256 sum {}", sum(&other))), "{reason}");
    assert!(restart(&registry, "auto", &[]).is_ok(), "the pinned one goes on");
    // Before it was loaded, the same is found out at the call.
    let registry = plugins.scan_by(pinned(&sum(&other)));
    plugins.put(AUTO, &built(AUTO));
    let error = restart(&registry, "auto", &[]).unwrap_err();
    assert!(error.message.contains("has the SHA-256 sum"), "{error:?}");
}

#[test]
fn where_only_pinned_libraries_count_one_without_a_sum_is_refused_and_told_what_to_write() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let rules = Rules { only_pinned: true, ..pinned(&sum(&built(AUTO))) };
    let registry = plugins.scan_by(rules);
    let expected = format!(
        "plugin {MISBEHAVE}: has no sha256 in the configuration, and [plugins] only_pinned = yes; if the file is the \
         right one, write into [library.pm-test-plugin-misbehave]: sha256 = {}",
        sum(&built(MISBEHAVE))
    );
    assert_eq!(refusal(&plugins, &registry), expected);
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn a_library_that_overrides_provides_the_part_and_without_that_the_second_is_refused() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    plugins.put("z.so", &twin("twin"));
    let registry = plugins.scan();
    let expected = format!(
        "plugin z.so: offers strategy \"auto\", already provided by {AUTO}; remove one, or write override = yes in \
         [library.twin] to use this one"
    );
    assert_eq!(refusal(&plugins, &registry), expected);

    let registry = plugins.scan_by(rules(&[("twin", overriding())]));
    assert!(registry.refused().is_empty());
    assert!(restart(&registry, "auto", &[]).is_ok());
    let entries = registry.entries();
    let of = |file: &str| entries.iter().find(|entry| entry.file == plugins.file(file)).unwrap();
    assert_eq!((&of("z.so").state, &of(AUTO).state), (&State::Loaded, &State::Ready));
    let part = ("strategy".to_owned(), "auto".to_owned());
    assert_eq!(of(AUTO).overridden.get(&part), Some(&plugins.file("z.so")));
    assert!(of("z.so").overridden.is_empty());
    let offers = registry.offers();
    assert_eq!(offers.iter().filter(|offer| offer.name == "auto").count(), 1, "its keys are known once");
}

#[test]
fn an_overriding_library_that_is_dropped_in_takes_over_from_one_in_use() {
    let plugins = Plugins::with(&[AUTO]);
    let registry = plugins.scan_by(rules(&[("twin", overriding())]));
    restart(&registry, "auto", &[]).unwrap();
    plugins.put("z.so", &twin("twin"));
    assert!(registry.rescan_if_changed());
    assert!(restart(&registry, "auto", &[]).is_ok());
    let states: Vec<_> = registry.entries().into_iter().map(|entry| entry.state).collect();
    assert_eq!(states, [State::Loaded, State::Loaded]);
    // And gives it back.
    std::fs::remove_file(plugins.file("z.so")).unwrap();
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn other_rules_hold_at_once_for_a_library_in_a_worker() {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan_by(Rules::default());
    restart(&registry, "auto", &[]).unwrap();
    restart(&registry, "counts", &[]).unwrap();
    let rules = |sum: &str| Rules { program: build_directory().join("pm"), ..pinned(sum) };
    let pid = |name: &str| {
        let entries = registry.entries();
        let entry = entries.iter().find(|entry| entry.file == plugins.file(name)).unwrap();
        entry.report.as_ref().and_then(|report| report.pids.first().copied())
    };
    let (own, other) = (pid(AUTO).unwrap(), pid(MISBEHAVE).unwrap());
    assert!(registry.obey(rules(OTHER_SUM)).is_empty());
    assert!(restart(&registry, "auto", &[]).unwrap_err().message.contains("has the SHA-256 sum"));
    until("the worker has left", || !std::path::Path::new(&format!("/proc/{own}")).exists());
    assert_eq!(pid(MISBEHAVE), Some(other), "nobody else is concerned");
    assert!(registry.obey(rules(&sum(&built(AUTO)))).is_empty());
    assert!(restart(&registry, "auto", &[]).is_ok());
    // An override as well, and back.
    plugins.put("z.so", &twin("twin"));
    registry.rescan();
    assert_eq!(registry.refused().len(), 1);
    let mut with = rules(&sum(&built(AUTO)));
    with.libraries.insert("twin".to_owned(), overriding());
    registry.obey(with);
    assert!(registry.refused().is_empty() && restart(&registry, "auto", &[]).is_ok());
    assert!(pid("z.so").is_some());
    registry.obey(rules(&sum(&built(AUTO))));
    assert_eq!(registry.refused().len(), 1);
}

#[test]
fn a_library_in_this_process_keeps_its_rule_until_the_next_start() {
    let plugins = Plugins::with(&[AUTO]);
    let in_process = |rule: Rule| Rule { isolation: Isolation::InProcess, ..rule };
    let registry = plugins.scan_by(rules(&[("auto", in_process(Rule::default()))]));
    restart(&registry, "auto", &[]).unwrap();
    let pin = Rule { sha256: Some(OTHER_SUM.to_owned()), ..Rule::default() };
    assert_eq!(registry.obey(rules(&[("auto", in_process(pin))])), ["auto"]);
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn links_in_a_circle_and_links_to_what_others_could_change_are_refused() {
    let (plugins, elsewhere) = (Plugins::empty(), Plugins::with(&[AUTO]));
    symlink("x.so", plugins.file("x.so")).unwrap();
    let text = refusal(&plugins, &plugins.scan());
    assert!(text.starts_with("plugin x.so: cannot be read: Too many levels of symbolic links"), "{text}");

    std::fs::remove_file(plugins.file("x.so")).unwrap();
    symlink(elsewhere.file(AUTO), plugins.file("x.so")).unwrap();
    let chmod = |mode| std::fs::set_permissions(elsewhere.file(AUTO), Permissions::from_mode(mode)).unwrap();
    chmod(0o664);
    let text = refusal(&plugins, &plugins.scan());
    let writable = rustix::process::geteuid().is_root();
    assert_eq!(
        text.starts_with("plugin x.so: is writable by group or others (mode 0664)"),
        writable,
        "{text}"
    );
    chmod(0o666);
    let text = refusal(&plugins, &plugins.scan());
    assert!(text.starts_with("plugin x.so: is writable by group or others (mode 0666)"), "{text}");
}

#[test]
fn the_place_behind_a_link_is_judged_with_all_that_is_above_it() {
    let (plugins, elsewhere) = (Plugins::empty(), Plugins::empty());
    let inner = elsewhere.file("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
    std::fs::write(inner.join("lib.so"), built(AUTO)).unwrap();
    std::fs::set_permissions(inner.join("lib.so"), Permissions::from_mode(0o644)).unwrap();
    symlink(inner.join("lib.so"), plugins.file("x.so")).unwrap();
    assert!(restart(&plugins.scan(), "auto", &[]).is_ok());
    std::fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o777)).unwrap();
    let text = refusal(&plugins, &plugins.scan());
    let expected = format!("run: chmod go-w {}", elsewhere.path().display());
    assert!(
        text.contains("but its directory is writable by group or others") && text.ends_with(&expected),
        "{text}"
    );
}

/// A sandbox whose plugin directory is `plugins`.
fn sandbox(plugins: &Plugins, libraries: &str) -> Sandbox {
    Sandbox::sqlite(&format!(
        "[plugins]\ndir = {}\n\n{libraries}\n\n[process.web]\nrestart_strategy = auto\n",
        plugins.path().display()
    ))
}

#[test]
fn pm_does_not_start_without_a_library_that_is_required() {
    let plugins = Plugins::with(&[AUTO]);
    let missing = sandbox(&plugins, "[library.dokcer]\nrequired = yes\n");
    let answer = missing.pm(&["run"]);
    assert_eq!(answer.code, 4, "{answer:?}");
    assert!(answer.err.contains("the library \"dokcer\" is required and not installed"), "{answer:?}");
    let answer = missing.pm(&["check"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.out.contains("[library.dokcer] required: the library"), "{answer:?}");

    let refused = sandbox(&plugins, &format!("[library.auto]\nrequired = yes\nsha256 = {OTHER_SUM}\n"));
    let answer = refused.pm(&["run"]);
    assert_eq!(answer.code, 4, "{answer:?}");
    let why =
        format!("is required and refused: plugin {}: has the SHA-256 sum", plugins.file(AUTO).display());
    assert!(answer.err.contains(&why), "{answer:?}");

    // One that looks good, and lacks a library of the host: found out before pm begins.
    let mut bytes = built(AUTO);
    let needed = b"libgcc_s.so.1\0";
    let at = bytes.windows(needed.len()).position(|window| window == needed).unwrap();
    bytes[at + 7] = b'q';
    plugins.put(AUTO, &bytes);
    let broken = sandbox(&plugins, "[library.auto]\nrequired = yes\n");
    let answer = broken.pm(&["run"]);
    assert_eq!(answer.code, 4, "{answer:?}");
    assert!(answer.err.contains("a library is required and cannot be loaded"), "{answer:?}");
    assert!(answer.err.contains(&format!("plugin {}: ", plugins.file(AUTO).display())), "{answer:?}");
    plugins.put(AUTO, &built(AUTO));

    let there =
        sandbox(&plugins, &format!("[library.auto]\nrequired = yes\nsha256 = {}\n", sum(&built(AUTO))));
    let answer = there.pm(&["check"]);
    assert!(answer.code == 0 && !answer.out.contains("library"), "{answer:?}");
}

#[test]
fn the_configuration_decides_whose_part_it_is() {
    let plugins = Plugins::with(&[AUTO]);
    plugins.put("z.so", &twin("twin"));
    let states = |libraries: &str| {
        let answer = sandbox(&plugins, libraries).pm(&["plugins", "list"]);
        let state = |file: &str| {
            let line = answer.out.lines().find(|line| line.contains(file)).unwrap_or_default();
            line.split_whitespace().last().unwrap_or_default().to_owned()
        };
        (state(AUTO), state("z.so"))
    };
    let words = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(states(""), words("ready", "refused"));
    assert_eq!(states("[library.twin]\noverride = yes\n"), words("overridden", "ready"));
    let answer = sandbox(&plugins, "[library.twin]\noverride = yes\n").pm(&["plugins", "info", "auto"]);
    let shown = format!("  overridden by {}", plugins.file("z.so").display());
    assert!(answer.out.contains(&shown), "{answer:?}");
}
