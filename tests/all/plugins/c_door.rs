//! The door of C: the plugin that the interface comes with, built with the system's compiler, and tables that are wrong.

use super::{Plugins, part, refusal, restart};
use pm_host::plugins::{Isolation, Operation, Registry};
use pm_host::ports::{Heard, Strategies as _};
use pm_plugin_api::{Error, ErrorKind, Health, Outcome, Target};
use pm_tests::c;
use pm_tests::sandbox::Sandbox;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

const LIBRARY: &str = "libinitd.so";

/// A directory with the C plugin.
fn with_initd() -> Plugins {
    let plugins = Plugins::empty();
    c::library(&c::initd(), &plugins.file(LIBRARY));
    plugins
}

/// A script as in /etc/init.d that writes down what it was asked for.
fn script(plugins: &Plugins, name: &str, body: &str) -> PathBuf {
    let file = plugins.file(name);
    let calls = plugins.file("calls");
    std::fs::write(&file, format!("#!/bin/sh\necho \"$*\" >> {}\n{body}\n", calls.display())).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    file
}

fn dir(plugins: &Plugins) -> [(&'static str, String); 1] {
    [("initd_dir", plugins.path().display().to_string())]
}

/// Any operation on any body.
fn asked(
    registry: &Registry,
    kind: &str,
    settings: &[(&str, &str)],
    op: &str,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let timeout = Duration::from_secs(20);
    registry.call(
        kind,
        &part("initd", settings),
        Operation { op, subject: "web", body, timeout, heard: None },
    )
}

#[test]
fn a_plugin_in_c_restarts_and_checks_by_name() {
    for isolation in [Isolation::InProcess, Isolation::Worker] {
        restarts_and_checks(isolation);
    }
}

fn restarts_and_checks(isolation: Isolation) {
    let plugins = with_initd();
    script(&plugins, "web", "test \"$1\" = restart");
    let registry = plugins.scan_as(isolation);
    let settings = dir(&plugins);
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    assert_eq!(restart(&registry, "initd", &settings), Ok(Outcome::restarted("init script")));
    let initd = part("initd", &settings);
    let heard = Heard::default();
    assert!(registry.restart_heard(&initd, &Target::named("web"), &heard).is_ok());
    assert_eq!(heard.text(), format!("{} ended with status 0\n", plugins.file("web").display()));
    assert_eq!(registry.check(&initd, &Target::named("web")), Ok(Health::unhealthy("status 1")));
    script(&plugins, "web", "exit 0");
    assert_eq!(registry.check(&initd, &Target::named("web")), Ok(Health::healthy("it runs")));
    assert_eq!(std::fs::read_to_string(plugins.file("calls")).unwrap(), "restart\nrestart\nstatus\nstatus\n");
}

#[test]
fn a_plugin_in_c_answers_errors_of_the_kinds_that_pm_knows() {
    for isolation in [Isolation::InProcess, Isolation::Worker] {
        answers_errors(isolation);
    }
}

fn answers_errors(isolation: Isolation) {
    let plugins = with_initd();
    script(&plugins, "broken", "exit 3");
    script(&plugins, "slow", "sleep 600");
    let registry = plugins.scan_as(isolation);
    let settings = dir(&plugins);
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let initd = part("initd", &settings);
    let error = |target: &Target| {
        let error = registry.restart(&initd, target).unwrap_err();
        (error.kind, error.message)
    };
    assert_eq!(error(&Target::named("broken")), (ErrorKind::Failed, "it ended with status 3".to_owned()));
    assert_eq!(error(&Target::named("absent")).0, ErrorKind::NotFound);
    let mut slow = Target::named("slow");
    slow.timeout_ms = 1000;
    let message = "the script did not end in time and was killed".to_owned();
    assert_eq!(error(&slow), (ErrorKind::Timeout, message));
    // Names are data: none of these leaves the directory, and what has to be escaped is refused.
    for hostile in ["../web", "/bin/true", "", ".", "a\nb", &"x".repeat(5000)] {
        assert_eq!(error(&Target::named(hostile)).0, ErrorKind::Failed, "{hostile:?}");
    }
    for quoted in ["a\"b", "a\\b"] {
        assert_eq!(error(&Target::named(quoted)).0, ErrorKind::NotFound, "{quoted:?}");
    }
    let wrong = [&[("initd_dri", "/x")][..], &[("initd_dir", "x")], &[("initd_dir", "/x"), ("other", "y")]];
    for settings in wrong {
        let error = restart(&registry, "initd", settings).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Config, "{error}");
        assert!(error.message.starts_with("plugin \"initd\": settings: the only setting is"), "{error}");
    }
    for op in ["identity", "evidence", "levitate"] {
        assert_eq!(asked(&registry, "strategy", &[], op, b"{}").unwrap_err().kind, ErrorKind::Unsupported);
    }
    for body in
        [&b""[..], b"nonsense", b"{\"target\":", b"{\"target\":{\"system_name\":\"x", b"a\0b", b"[[[[\"\\"]
    {
        assert_eq!(asked(&registry, "check", &[], "check", body).unwrap_err().kind, ErrorKind::Failed);
    }
}

#[test]
fn the_program_uses_a_plugin_in_c_as_any_other() {
    let mut sandbox = Sandbox::sqlite(
        "[plugins]\ndir = @DIR@/plugins\n\n[plugin.initd]\ninitd_dir = @DIR@/init.d\n\n\
         [process.web]\nrestart_strategy = initd\nhealth_check = initd\n",
    );
    for folder in ["plugins", "init.d"] {
        std::fs::create_dir(sandbox.dir().join(folder)).unwrap();
    }
    c::library(&c::initd(), &sandbox.dir().join("plugins").join(LIBRARY));
    sandbox.script("init.d/web", "echo \"$*\" >> @DIR@/calls");
    let listed = sandbox.ok(&["plugins", "list"]);
    let row = listed.lines().find(|line| line.starts_with("initd")).expect("a row");
    assert_eq!(
        row.split_whitespace().take(5).collect::<Vec<_>>(),
        ["initd", "strategy,", "check", "1.0.0", LIBRARY]
    );
    let info = sandbox.ok(&["plugins", "info", "initd"]);
    let setting =
        "strategy \"initd\"\n  initd_dir  (path, default /etc/init.d)\n      The directory of the scripts.\n";
    assert!(info.contains("plugin \"initd\" 1.0.0") && info.contains(setting), "{info}");
    sandbox.ok(&["db", "migrate"]);
    sandbox.start();
    sandbox.ok(&["alarm", "add", "web"]);
    sandbox.ok(&["alarm", "raise", "web"]);
    sandbox.until_cleared("web");
    sandbox.stop();
    assert_eq!(sandbox.read("calls"), "restart\nstatus\n");
    sandbox.ok(&["restart", "web"]);
    assert_eq!(sandbox.read("calls"), "restart\nstatus\n".repeat(2));
    // Its keys are checked like those of any other.
    let config = std::fs::read_to_string(sandbox.config()).unwrap();
    sandbox.configure(&config.replace("initd_dir = ", "initd_dri = "));
    let told = sandbox.ok(&["check"]);
    assert!(told.contains("[plugin.initd] initd_dri: unknown key; did you mean \"initd_dir\"?"), "{told}");
}

/// A library with this body of `call` and this table.
fn with_table(call: &str, table: &str) -> Plugins {
    let plugins = Plugins::empty();
    let source = plugins.file("x.c");
    let text = format!(
        "#include \"pm_plugin.h\"\n#include <stdlib.h>\n#include <string.h>\nPM_PLUGIN_MANIFEST(\"x\", \"1\", \"strategy:x \");\n\
         #define UNUSED __attribute__((unused))\n\
         UNUSED static void attach(const struct pm_host_v1 *host) {{ host->log(PM_INFO, \"x\", \"here\"); }}\n\
         UNUSED static int create(struct pm_text kind UNUSED, struct pm_text name UNUSED, struct pm_text settings UNUSED,\n\
         void **it UNUSED, struct pm_bytes *error UNUSED) {{ return 0; }}\n\
         UNUSED static int call(void *it UNUSED, struct pm_text op UNUSED, struct pm_text body UNUSED,\n\
         struct pm_bytes *to UNUSED) {{ {call} }}\n\
         UNUSED static void drop(void *it UNUSED) {{ }}\n\
         UNUSED static void done_with(struct pm_bytes bytes UNUSED) {{ }}\n\
         {table}\n"
    );
    std::fs::write(&source, text).unwrap();
    c::library(&source, &plugins.file("x.so"));
    plugins
}

const WHOLE: &str = "const struct pm_plugin_v1 pm_plugin_c_v1 = {sizeof pm_plugin_c_v1, attach, create, call, drop, done_with};";

#[test]
fn a_table_that_cannot_be_used_is_refused_with_the_reason() {
    let said = |table: &str| {
        let plugins = with_table("return 0;", table);
        let registry = plugins.scan();
        let error = restart(&registry, "x", &[]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        refusal(&plugins, &registry)
    };
    let advice = "; build it with the pm_plugin.h of interface 1";
    let maker = "plugin x.so: plugin \"x\" 1: its table pm_plugin_c_v1 ";
    let small = WHOLE.replace("sizeof pm_plugin_c_v1", "40");
    assert_eq!(said(&small), format!("{maker}has 40 bytes, and 48 are needed{advice}"));
    for (place, name) in [("attach", "attach"), ("create", "create"), ("call", "call"), ("drop", "drop")] {
        let without = WHOLE.replace(&format!(", {place},"), ", 0,");
        assert_eq!(said(&without), format!("{maker}has no function {name}{advice}"));
    }
    assert_eq!(said(&WHOLE.replace("done_with", "0")), format!("{maker}has no function free{advice}"));
    let none = "plugin x.so: has a manifest but no entry point pm_plugin_root_v1 or pm_plugin_c_v1; rebuild it with \
                pm_plugin_api::export! or with pm_plugin.h";
    assert_eq!(said(""), none);
}

#[test]
fn answers_of_c_that_are_no_json_are_errors_and_a_plain_text_is_one_for_people() {
    let said = |body: &str| {
        let plugins = with_table(body, WHOLE);
        let registry = plugins.scan();
        let error = restart(&registry, "x", &[]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Failed, "{error}");
        error.message
    };
    let text = "static char text[] = \"out of\\033[2J paper\\n\"; to->at = text; to->length = strlen(text);";
    assert_eq!(said(&format!("{text} return 1;")), "out of\\u{1b}[2J paper");
    assert_eq!(said("return 7;"), "failed and said nothing of it");
    assert!(said("return 0;").starts_with("strategy \"x\": its answer to restart cannot be read ("));
    assert!(
        said(&format!("{text} return 0;"))
            .starts_with("strategy \"x\": its answer to restart cannot be read")
    );
    let wild = said(&format!("{text} to->length = (size_t)1 << 60; return 0;"));
    assert_eq!(wild, "it answered 1152921504606846976 bytes; at most 16777216 are taken");
}

#[test]
fn a_crash_in_c_ends_its_worker_and_is_an_error_that_names_the_signal() {
    for (crash, signal) in [("*(volatile char *)0 = 1;", "SIGSEGV"), ("abort();", "SIGABRT")] {
        let body = format!("if (strcmp(op.at, \"restart\") == 0) {{ {crash} }} return 9;");
        let plugins = with_table(&body, WHOLE);
        let registry = plugins.scan_as(Isolation::Worker);
        let error = restart(&registry, "x", &[]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
        assert!(error.message.contains(signal), "{error}");
        // The next worker answers.
        let error = registry.identity(&part("x", &[]), &Target::named("web")).unwrap_err();
        assert_eq!(error.message, "failed and said nothing of it");
    }
}
