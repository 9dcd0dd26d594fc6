//! Calls into libraries: by name, with settings, side by side, panicking, logging, dropped in. All of it holds in this
//! process and in a worker; what differs stands in `in_process.rs` and `workers.rs`.

use super::{AUTO, MISBEHAVE, Plugins, built, kind_and_text, part, restart, short};
use pm_host::plugins::{Isolation, Registry, State};
use pm_host::ports::Strategies as _;
use pm_plugin_api::{ErrorKind, Evidence, Fallback, Health, Outcome, Target};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

fn two_libraries_at_once_keep_their_own_parts(isolation: Isolation) {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    assert_eq!(restart(&registry, "counts", &[]), Ok(Outcome::ran("part 1, call 1")));
    let delegation = Outcome::delegate(["service", "process"], Fallback::NotFound);
    assert_eq!(restart(&registry, "auto", &[]), Ok(delegation));
    assert_eq!(restart(&registry, "counts", &[]), Ok(Outcome::ran("part 1, call 2")));
    let looked = registry.check(&part("looks", &[]), &Target::named("web"));
    assert_eq!(looked, Ok(Health::healthy("looked at web")));
    let (kind, text) = kind_and_text(registry.identity(&part("auto", &[]), &Target::named("web")));
    assert_eq!((kind, text.as_str()), (ErrorKind::Unsupported, "the strategy has no identity for \"web\""));
}

fn nothing_is_loaded_before_it_is_needed(isolation: Isolation) {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    let states =
        |registry: &Registry| registry.entries().into_iter().map(|entry| entry.state).collect::<Vec<_>>();
    assert_eq!(states(&registry), [State::Ready, State::Ready]);
    assert_eq!(registry.offers().len(), 6);
    restart(&registry, "counts", &[]).unwrap();
    assert_eq!(states(&registry), [State::Ready, State::Loaded]);
}

fn a_part_is_made_once_for_each_set_of_settings(isolation: Isolation) {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    let text = |label: &str| match restart(&registry, "counts", &[("label", label)]) {
        Ok(Outcome::Done { detail, .. }) => detail,
        other => panic!("{other:?}"),
    };
    assert_eq!(text("a"), "part 1, call 1");
    assert_eq!(text("b"), "part 2, call 1");
    assert_eq!(text("a"), "part 1, call 2");
}

fn settings_that_cannot_be_used_name_the_plugin_and_the_key(isolation: Isolation) {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    let message = |settings: &[(&str, &str)]| kind_and_text(restart(&registry, "counts", settings));
    let (kind, text) = message(&[("wiat", "5")]);
    assert_eq!(kind, ErrorKind::Config);
    assert_eq!(
        text,
        "plugin \"pm-test-plugin-misbehave\": settings: unknown key \"wiat\"; there are: label, wait"
    );
    let (_, text) = message(&[("wait", "soon")]);
    assert!(text.contains("settings: wait: \"soon\" is not a duration"), "{text}");
    // The mistake of one process does not stop another.
    assert!(restart(&registry, "counts", &[("wait", "5")]).is_ok());
}

fn a_name_that_nobody_offers_is_answered_with_what_there_is(isolation: Isolation) {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    let message = |name: &str| kind_and_text(restart(&registry, name, &[]));
    let there = "there are: counts, hangs, logs, panics";
    let expected = format!("no strategy \"cuonts\"; {there}; did you mean \"counts\"?");
    assert_eq!(message("cuonts"), (ErrorKind::Config, expected));
    assert_eq!(message("teleport").1, format!("no strategy \"teleport\"; {there}"));
    assert_eq!(message("looks").1, "\"looks\" is a health check, not a strategy");
    let (_, text) = kind_and_text(registry.check(&part("hangs", &[]), &Target::named("web")));
    assert_eq!(text, "\"hangs\" is a strategy, not a health check");
    let (_, text) = kind_and_text(restart(&Plugins::empty().scan_as(isolation), "auto", &[]));
    assert!(text.starts_with("no strategy \"auto\""), "{text}");
}

fn a_panic_becomes_an_error_and_everything_goes_on(isolation: Isolation) {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    let message = |place: &str| kind_and_text(restart(&registry, "panics", &[("place", place)]));
    let (kind, text) = message("restart");
    assert_eq!(kind, ErrorKind::Panicked);
    assert!(text.starts_with("plugin \"pm-test-plugin-misbehave\" panicked in restart at "), "{text}");
    assert!(text.contains("misbehave/src/lib.rs:") && text.ends_with(": boom for web"), "{text}");
    let (_, text) = message("new");
    assert!(text.contains("panicked in create") && text.contains("boom in new"), "{text}");
    // A payload that panics once more when it is dropped.
    let (kind, text) = message("payload");
    assert_eq!(kind, ErrorKind::Panicked, "{text}");
    assert_eq!(restart(&registry, "panics", &[("place", "drop")]), Ok(Outcome::ran("later")));
    assert!(restart(&registry, "counts", &[]).is_ok());
    assert!(restart(&registry, "auto", &[]).is_ok());
    // Dropping the registry drops the parts, one of which panics then.
    drop(registry);
    assert!(restart(&plugins.scan_as(isolation), "counts", &[]).is_ok());
}

fn a_strategy_without_evidence_says_so_and_a_delegating_one_says_whom_to_ask(isolation: Isolation) {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    let web = Target::named("web");
    let (kind, text) = kind_and_text(registry.evidence(&part("counts", &[]), &web));
    assert_eq!((kind, text.as_str()), (ErrorKind::Unsupported, "the strategy gives no evidence of \"web\""));
    assert_eq!(registry.evidence(&part("auto", &[]), &web), Ok(Evidence::of(["service", "process"])));
}

fn many_callers_at_once_get_their_own_answers_while_the_directory_changes(isolation: Isolation) {
    let plugins = Plugins::with(&[AUTO, MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    std::thread::scope(|scope| {
        for caller in 0..16 {
            let registry = &registry;
            scope.spawn(move || {
                let label = caller.to_string();
                let name = format!("web{caller}");
                for _ in 0..50 {
                    restart(registry, "counts", &[("label", &label)]).unwrap();
                    let looked = registry.check(&part("looks", &[]), &Target::named(&name)).unwrap();
                    assert_eq!(looked, Health::healthy(format!("looked at {name}")));
                }
            });
        }
        for round in 0..20 {
            plugins.put("other.so", format!("no library {round}").as_bytes());
            registry.rescan();
        }
    });
    // Each label has one part, which counted its calls: none was made twice, none was lost.
    let Ok(Outcome::Done { detail, .. }) = restart(&registry, "counts", &[("label", "7")]) else { panic!() };
    assert!(detail.ends_with("call 51"), "{detail}");
}

fn what_a_library_logs_appears_in_the_log_of_pm_at_its_level(isolation: Isolation) {
    tracing::subscriber::set_global_default(Collector)
        .expect("the only test that installs a global subscriber; run the tests with cargo nextest");
    let plugins = Plugins::with(&[MISBEHAVE]);
    let registry = plugins.scan_as(isolation);
    let logged = |level: LevelFilter| {
        set_level(level);
        restart(&registry, "logs", &[]).unwrap();
        std::mem::take(&mut *EVENTS.lock().unwrap_or_else(PoisonError::into_inner))
    };
    let from = "plugin=pm-test-plugin-misbehave module=pm_test_plugin_misbehave";
    let info = [
        format!("ERROR plugin: logged at error target_name=web {from}"),
        format!("WARN plugin: logged at warn {from}"),
        format!("INFO plugin: logged at info {from}"),
        // In this process nobody can tell whose thread it is; a worker has one plugin.
        match isolation {
            Isolation::InProcess => {
                "INFO plugin: logged elsewhere plugin=pm_test_plugin_misbehave module=pm_test_plugin_misbehave"
                    .to_owned()
            }
            Isolation::Worker => format!("INFO plugin: logged elsewhere {from}"),
        },
    ];
    assert_eq!(logged(LevelFilter::INFO), info);
    // The level can change while pm runs, both ways.
    assert!(logged(LevelFilter::DEBUG).contains(&format!("DEBUG plugin: logged at debug {from}")));
    assert_eq!(logged(LevelFilter::INFO), info);
    assert_eq!(logged(LevelFilter::OFF).len(), 0);
    set_level(LevelFilter::ERROR);
    let _ = registry.restart(&part("panics", &[]), &Target::named("what is logged"));
    let events = std::mem::take(&mut *EVENTS.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(events[0].starts_with("ERROR plugin: panicked at "), "{events:?}");
}

fn a_library_that_is_dropped_in_works_by_name_without_a_restart(isolation: Isolation) {
    let plugins = Plugins::with(&[AUTO]);
    let registry = plugins.scan_as(isolation);
    assert!(restart(&registry, "counts", &[]).is_err());
    assert!(!registry.rescan_if_changed());
    plugins.put(MISBEHAVE, &built(MISBEHAVE));
    assert!(restart(&registry, "counts", &[]).is_ok());
    assert_eq!(registry.entries().len(), 2);
    // The check of the configuration learns of it as well.
    let other = Plugins::with(&[]);
    let registry = other.scan_as(isolation);
    other.put(AUTO, &built(AUTO));
    assert!(registry.rescan_if_changed());
    assert_eq!(registry.offers()[0].name, "auto");
}

fn a_file_overwritten_before_it_was_loaded_is_checked_again(isolation: Isolation) {
    let plugins = Plugins::with(&[AUTO]);
    let registry = plugins.scan_as(isolation);
    // In place: the directory does not change, the file does.
    std::fs::write(plugins.file(AUTO), &built(AUTO)[..20_000]).unwrap();
    let (kind, text) = kind_and_text(restart(&registry, "auto", &[]));
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(
        short(&plugins, &text).starts_with("no strategy \"auto\": plugin libpm_plugin_auto.so: is truncated")
    );
    // And when the copy is complete, it is used.
    std::fs::write(plugins.file(AUTO), built(AUTO)).unwrap();
    assert!(restart(&registry, "auto", &[]).is_ok());
}

/// Each of them in this process and in a worker.
macro_rules! in_both {
    ($($test:ident),* $(,)?) => {
        mod in_this_process {
            $(#[test]
            fn $test() {
                super::$test(super::Isolation::InProcess);
            })*
        }
        mod in_a_worker {
            $(#[test]
            fn $test() {
                super::$test(super::Isolation::Worker);
            })*
        }
    };
}

in_both! {
    two_libraries_at_once_keep_their_own_parts,
    nothing_is_loaded_before_it_is_needed,
    a_part_is_made_once_for_each_set_of_settings,
    settings_that_cannot_be_used_name_the_plugin_and_the_key,
    a_name_that_nobody_offers_is_answered_with_what_there_is,
    a_panic_becomes_an_error_and_everything_goes_on,
    a_strategy_without_evidence_says_so_and_a_delegating_one_says_whom_to_ask,
    many_callers_at_once_get_their_own_answers_while_the_directory_changes,
    what_a_library_logs_appears_in_the_log_of_pm_at_its_level,
    a_library_that_is_dropped_in_works_by_name_without_a_restart,
    a_file_overwritten_before_it_was_loaded_is_checked_again,
}

static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LEVEL: AtomicU8 = AtomicU8::new(0);
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

fn set_level(level: LevelFilter) {
    let at = LEVELS.iter().position(|its| *its == level).unwrap();
    LEVEL.store(at as u8, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Collects the events of the target "plugin" as text.
struct Collector;

impl Collector {
    fn level() -> LevelFilter {
        LEVELS[usize::from(LEVEL.load(Ordering::Relaxed))]
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => write!(self.message, "{value:?}").unwrap(),
            name => write!(self.fields, " {name}={value:?}").unwrap(),
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.fields, " {}={value}", field.name()).unwrap();
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Self::level()
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(Self::level())
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        // The loader's own remarks have the same target, and say the file.
        if metadata.target() == "plugin" && metadata.fields().field("module").is_some() {
            let mut text = Text::default();
            event.record(&mut text);
            // Other tests may share the process; the events of this one have the word.
            if text.message.contains("logged") {
                let line = format!("{} plugin: {}{}", metadata.level(), text.message, text.fields);
                EVENTS.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
