//! `pm plugins verify` and `pm plugins call`, by the built program: what holds, what does not and is named, and what it says.

use super::{AUTO, MISBEHAVE, Plugins, built, lines_fit};
use pm_tests::sandbox::{Answer, answer};
use pm_tests::{c, sandbox};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn pm(words: &[&str]) -> Answer {
    let mut pm = Command::new(sandbox::built().join("pm"));
    // Another configuration than that of whoever runs the tests: none.
    pm.args(words).env_remove("PM_CONFIG").args(["--plugins-dir", "/nonexistent"]);
    answer(&mut pm)
}

fn verify(file: &Path, words: &[&str]) -> Answer {
    pm(&[&["plugins", "verify", file.to_str().unwrap()], words].concat())
}

fn call(plugins: &Plugins, library: &str, words: &[&str]) -> Answer {
    pm(&[&["plugins", "call", plugins.file(library).to_str().unwrap()], words].concat())
}

/// The lines of the report about one thing, as `verdict text`, without the breaks.
fn lines(report: &Answer, what: &str) -> Vec<String> {
    let mut found = Vec::<String>::new();
    let mut inside = false;
    for line in report.out.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let ["ok" | "warn" | "FAIL", ..] = words.as_slice() {
            let rest = line.trim_start().split_once(' ').unwrap().1.trim_start();
            inside = rest.starts_with(what);
            if inside {
                found.push(format!("{} {}", words[0], rest[what.len()..].trim()));
            }
        } else if inside && line.starts_with("   ") {
            let last = found.last_mut().unwrap();
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    found
}

#[test]
fn a_good_library_is_verified_line_by_line() {
    let plugins = Plugins::with(&[AUTO]);
    let report = verify(&plugins.file(AUTO), &[]);
    assert_eq!((report.code, report.err.as_str()), (0, ""), "{}", report.out);
    lines_fit(&report.out);
    assert_eq!(lines(&report, "file"), ["ok belongs to root or to you, and nobody else can change it"]);
    assert!(
        lines(&report, "manifest")[0].ends_with("interface 1, API level 2, offers strategy:auto"),
        "{}",
        report.out
    );
    for what in ["loads", "schema", "bad keys", "new", "unknown op", "garbage", "evidence", "deadline"] {
        assert!(lines(&report, what)[0].starts_with("ok "), "{what} in\n{}", report.out);
    }
    assert!(report.out.ends_with("11 checks, 0 warnings, 0 failed: a good plugin\n"), "{}", report.out);
    assert!(lines(&report, "restart").is_empty(), "nothing is restarted that nobody asked for");
    let asked = verify(&plugins.file(AUTO), &["--restart"]);
    assert!(lines(&asked, "restart")[0].starts_with("ok of nobody is answered in "), "{}", asked.out);
}

#[test]
fn the_libraries_that_ship_with_pm_pass() {
    let plugins = Plugins::empty();
    for name in ["systemd", "process", "custom", "docker", "net", "notify"] {
        let file = plugins.put("x.so", &built(&format!("libpm_plugin_{name}.so")));
        let report = verify(&file, &[]);
        assert_eq!(report.code, 0, "{name}:\n{}", report.out);
    }
}

#[test]
fn a_library_where_others_could_change_it_is_told_of_and_looked_at_all_the_same() {
    let plugins = Plugins::with(&[AUTO]);
    std::fs::set_permissions(plugins.file(AUTO), Permissions::from_mode(0o777)).unwrap();
    let report = verify(&plugins.file(AUTO), &[]);
    assert_eq!(report.code, 0, "{}", report.out);
    let file = &lines(&report, "file")[0];
    assert!(
        file.starts_with("warn pm would not load it from here: is writable by group or others (mode 0777)"),
        "{file}"
    );
    assert!(report.out.ends_with("11 checks, 1 warning, 0 failed: a good plugin\n"), "{}", report.out);
    let called = call(&plugins, AUTO, &["strategy:auto", "restart", "web"]);
    assert!(
        called.code == 0 && called.out.starts_with("note    pm itself would not load it: is writable"),
        "{called:?}"
    );
}

#[test]
fn what_is_no_plugin_fails_with_the_reason_of_the_loader() {
    let plugins = Plugins::empty();
    let file = plugins.put("x.so", b"no library");
    let report = verify(&file, &[]);
    assert_eq!(report.code, 4);
    let reason = "FAIL is not a shared library (no ELF header); remove it or copy it again";
    assert_eq!(lines(&report, "manifest"), [reason]);
    assert!(report.out.ends_with("1 failed: this is not a plugin that pm can rely on\n"), "{}", report.out);
    let missing = verify(&plugins.file("y.so"), &[]);
    assert_eq!(missing.code, 4);
    assert!(missing.err.contains("y.so: No such file or directory"), "{}", missing.err);
}

/// A library in C with one setting, these bodies, and this kind of part.
fn in_c(plugins: &Plugins, kind: &str, key: &str, create: &str, call: &str) -> PathBuf {
    let text = format!(
        "#define _DEFAULT_SOURCE\n#include \"pm_plugin.h\"\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n\
         PM_PLUGIN_MANIFEST(\"x\", \"1\", \"{kind}:x \");\nPM_PLUGIN_SETTINGS(PM_PART(\"{kind}:x\", {key}));\n\
         #define UNUSED __attribute__((unused))\n\
         static int say(struct pm_bytes *to, int status, const char *text) {{\n\
         to->at = strdup(text); to->length = strlen(text); return status; }}\n\
         static int config(struct pm_bytes *to) {{ return say(to, 1, \"{{\\\"kind\\\":\\\"config\\\",\\\"message\\\":\\\"no\\\"}}\"); }}\n\
         static int unknown(struct pm_bytes *to) {{ return say(to, 1, \"{{\\\"kind\\\":\\\"unsupported\\\",\\\"message\\\":\\\"no\\\"}}\"); }}\n\
         static void attach(const struct pm_host_v1 *host UNUSED) {{ }}\n\
         static int create(struct pm_text kind UNUSED, struct pm_text name UNUSED, struct pm_text settings UNUSED,\n\
         void **it UNUSED, struct pm_bytes *to UNUSED) {{ {create} }}\n\
         static int call(void *it UNUSED, struct pm_text op UNUSED, struct pm_text body UNUSED, struct pm_bytes *to) {{ {call} }}\n\
         static void drop(void *it UNUSED) {{ }}\n\
         static void done(struct pm_bytes bytes) {{ free(bytes.at); }}\n\
         UNUSED static void unused(void) {{ (void)config; (void)unknown; }}\n\
         const struct pm_plugin_v1 pm_plugin_c_v1 = {{sizeof pm_plugin_c_v1, attach, create, call, drop, done}};\n"
    );
    let (source, file) = (plugins.file("x.c"), plugins.file("x.so"));
    std::fs::write(&source, text).unwrap();
    c::library(&source, &file);
    file
}

/// A part that is as it should be.
const KEY: &str = "PM_KEY(\"x_limit\", \"number\", \"5\", \"How many.\")";
const CREATE: &str = "return strcmp(settings.at, \"{}\") ? config(to) : 0;";
const CALL: &str = "return unknown(to);";

/// A part with something about it that does not hold: kind, key, `create`, `call`; the line of the report and its beginning.
struct Case<'a>(&'a str, &'a str, &'a str, &'a str, &'a str, &'a str);

impl Case<'_> {
    fn holds(self) {
        let Self(kind, key, create, call, what, said) = self;
        let plugins = Plugins::empty();
        let report = verify(&in_c(&plugins, kind, key, create, call), &[]);
        assert_eq!(report.code, 4, "{what}:\n{}", report.out);
        let line = &lines(&report, what)[0];
        assert!(line.starts_with(&format!("FAIL {said}")), "{what}: {line}\n{}", report.out);
        assert!(
            report.out.ends_with(" failed: this is not a plugin that pm can rely on\n"),
            "{}",
            report.out
        );
    }
}

#[test]
fn a_part_that_is_already_there_under_another_name_is_told_of() {
    let (plugins, installed) = (Plugins::empty(), Plugins::with(&[AUTO]));
    let file = in_c(&plugins, "strategy", KEY, CREATE, CALL);
    let source = std::fs::read_to_string(plugins.file("x.c")).unwrap().replace("strategy:x", "strategy:auto");
    std::fs::write(plugins.file("x.c"), source).unwrap();
    c::library(&plugins.file("x.c"), &file);
    let verified = |plugins: &Path| {
        let mut pm = Command::new(sandbox::built().join("pm"));
        pm.args(["plugins", "verify"]).arg(&file).arg("--plugins-dir").arg(plugins).env_remove("PM_CONFIG");
        answer(&mut pm)
    };
    let report = verified(installed.path());
    assert_eq!(report.code, 0, "{}", report.out);
    let expected = format!(
        "warn strategy \"auto\" is already provided by {}; beside it this one is refused: choose another name",
        installed.file(AUTO).display()
    );
    assert_eq!(lines(&report, "names"), [expected]);
    assert!(lines(&verified(plugins.path()), "names").is_empty(), "it is no rival of itself");
}

#[test]
fn settings_that_do_not_hold_are_a_line_that_says_what_to_do() {
    let plugins = Plugins::empty();
    let good = verify(&in_c(&plugins, "strategy", KEY, CREATE, CALL), &[]);
    assert_eq!(good.code, 0, "{}", good.out);
    let untold = "PM_KEY(\"x_limit\", \"number\", \"5\", \"\")";
    Case("strategy", untold, CREATE, CALL, "schema", "x_limit has no text; ").holds();
    let odd = "PM_KEY(\"X-L\", \"number\", \"5\", \"a\")";
    Case("strategy", odd, CREATE, CALL, "schema", "\"X-L\" cannot be a key: ").holds();
    let unreadable = KEY.replace("\"5\"", "\"five\"");
    Case("strategy", &unreadable, CREATE, CALL, "schema", "the default of x_limit cannot be read: ").holds();
    Case("strategy", KEY, "return 0;", CALL, "bad keys", "a wrong pm_verify_no_such_key is accepted: ")
        .holds();
    let slow = format!("usleep(400000); {CREATE}");
    Case("strategy", KEY, &slow, CALL, "new", "takes 4").holds();
}

#[test]
fn answers_that_do_not_hold_are_a_line_that_says_what_to_do() {
    let checked = "if (strcmp(op.at, \"check\")) return unknown(to);";
    let named =
        format!("{checked} if (!strstr(body.at, \"pm-verify-there-is\")) return say(to, 1, \"no name\");");
    let all = "return say(to, 0, \"null\");";
    Case("strategy", KEY, CREATE, all, "unknown op", "is answered as if it were known; ").holds();
    let sorry = "return say(to, 1, \"oh\");";
    Case("strategy", KEY, CREATE, sorry, "unknown op", "failed: oh; answer \"unsupported\"").holds();
    let trusting = format!("{checked} return say(to, 0, \"{{\\\"health\\\":\\\"healthy\\\"}}\");");
    Case("check", KEY, CREATE, &trusting, "garbage", "check answers a request that is no JSON: ").holds();
    let odd = format!("{named} return say(to, 0, \"[1]\");");
    Case("check", KEY, CREATE, &odd, "check", "its answer cannot be read: ").holds();
    let deadly = format!("{named} abort();");
    Case("check", KEY, CREATE, &deadly, "check", "ends the process that it runs in: a crash, ").holds();
    let endless = format!("{named} for (;;) pause();");
    Case("check", KEY, CREATE, &endless, "check", "does not give up: it had 500 ms, ").holds();
}

#[test]
fn a_panic_is_a_failure_that_names_the_place() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let report = verify(&plugins.file(MISBEHAVE), &["--restart", "place=restart"]);
    assert_eq!(report.code, 4);
    let restarts = lines(&report, "restart");
    let expected = "FAIL panicked: plugin \"pm-test-plugin-misbehave\" panicked in restart at ";
    assert!(restarts[0].starts_with(expected), "{restarts:?}");
}

#[test]
fn settings_of_the_command_line_go_to_the_parts_that_know_them() {
    let plugins = Plugins::empty();
    let file = plugins.put("x.so", &built("libpm_plugin_net.so"));
    let given = verify(&file, &["url=http://127.0.0.1:9/x", "tcp_port=9"]);
    assert_eq!(given.code, 0, "{}", given.out);
    let checks = lines(&given, "check").join("\n");
    assert!(
        checks.contains("GET http://127.0.0.1:9/x") && checks.contains("127.0.0.1:9 refused"),
        "{checks}"
    );
    let wrong = verify(&file, &["url=gopher://x"]);
    assert_eq!(wrong.code, 0, "a part that needs other settings is no broken part\n{}", wrong.out);
    let line = &lines(&wrong, "new")[0];
    assert!(
        line.starts_with("warn cannot be made: ") && line.contains("pm plugins verify FILE key=value"),
        "{line}"
    );
    assert_eq!(verify(&file, &["nonsense"]).code, 2);
}

#[test]
fn the_report_for_programs_says_the_same() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let report = verify(&plugins.file(MISBEHAVE), &["--format", "json"]);
    assert_eq!(report.code, 4);
    let report: Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!((report["failed"].as_u64(), report["warnings"].as_u64()), (Some(1), Some(0)));
    let checks = report["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["verdict"] == "FAIL").collect();
    assert_eq!(
        (&failed[0]["about"], &failed[0]["check"]),
        (&"strategy \"hangs\"".into(), &"evidence".into())
    );
}

#[test]
fn a_call_shows_what_is_logged_the_answer_and_the_time() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let said = call(&plugins, MISBEHAVE, &["strategy:logs", "restart", "web"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines[0], "log     logged at error target_name=web");
    assert_eq!(lines[3], "answer  {\"result\":\"done\",\"action\":\"ran\",\"detail\":\"logged\"}");
    assert!(lines[4].starts_with("took    ") && lines[4].ends_with(" ms"), "{}", said.out);
    let said = call(&plugins, MISBEHAVE, &["strategy:logs", "restart", "web", "--format", "json"]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&json["answer"]["detail"], &json["error"]), (&"logged".into(), &Value::Null));
    assert_eq!(json["log"].as_array().unwrap().len(), 3);
}

#[test]
fn an_error_of_a_call_has_its_kind_and_settings_and_time_are_taken() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let said = call(&plugins, MISBEHAVE, &["strategy:counts", "restart", "web", "wait=soon"]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.starts_with("error   config: plugin \"pm-test-plugin-misbehave\": settings: wait: "),
        "{}",
        said.out
    );
    let never = plugins.file("never");
    let until = format!("until={}", never.display());
    let said = call(&plugins, MISBEHAVE, &["strategy:hangs", "restart", "web", &until, "--timeout", "100ms"]);
    assert!(said.code == 1 && said.out.starts_with("error   timeout: plugin "), "{said:?}");
    let said = call(
        &plugins,
        MISBEHAVE,
        &["check:looks", "check", "--body", "{\"target\":{\"name\":\"a\\tb\\u202e\"}}"],
    );
    assert!(said.out.contains("looked at a\\tb\\u{202e}"), "no terminal is told what to do: {}", said.out);
    let said = call(&plugins, MISBEHAVE, &["strategy:counts", "levitate", "web"]);
    assert!(said.code == 1 && said.out.starts_with("error   unsupported: "), "{said:?}");
}

#[test]
fn a_call_that_cannot_be_made_says_why() {
    let plugins = Plugins::with(&[MISBEHAVE]);
    let refused = |words: &[&str], code: i32, text: &str| {
        let said = call(&plugins, MISBEHAVE, words);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains(text), "{said:?}");
    };
    refused(
        &["strategy:countz", "restart", "web"],
        4,
        "the plugin has no part strategy:countz; there are: strategy:panics, ",
    );
    refused(&["counts", "restart", "web"], 2, "a part is written KIND:NAME");
    refused(&["strategy:counts", "restart"], 2, "restart of what? Name the process, as in: pm plugins call ");
    refused(&["strategy:counts", "restart", "web", "db"], 2, "\"db\": a setting is written KEY=VALUE");
    refused(
        &["strategy:counts", "restart", "web", "--body", "{}"],
        2,
        "a TARGET and --body exclude each other",
    );
    refused(&["strategy:counts", "restart", "web", "--timeout", "soon"], 2, "is not a duration");
    let by_name = |name: &str| {
        let mut pm = Command::new(sandbox::built().join("pm"));
        pm.args(["plugins", "call", name, "strategy:counts", "restart", "web"]).env_remove("PM_CONFIG");
        answer(pm.arg("--plugins-dir").arg(plugins.path()))
    };
    let said = by_name("pm-test-plugin-misbehave");
    assert!(said.code == 0 && said.out.starts_with("answer  {\"result\":\"done\""), "{said:?}");
    assert_eq!(by_name("counts").code, 0);
    let said = by_name("countz");
    assert!(
        said.code == 4
            && said.err.contains("no plugin or part \"countz\"; in ")
            && said.err.contains("did you mean"),
        "{said:?}"
    );
}
