//! `pm check`: usable or not, every problem at once, in text and JSON, and never a secret.

use super::{fits, json};
use pm_tests::sandbox::Sandbox;

const SECRET: &str = "open-sesame-7";

const VALID: &str = "[database]\nhost = db1\nuser = pm\npassword = open-sesame-7\ndatabase = v_process_monitor\n\n\
    [monitor]\ncheck_interval = 60\nmax_restart_failures = 3\ncircuit_reset_time = 600\nstate_dir = @DIR@/state\n\n\
    [process.web]\nrestart_strategy = custom\nrestart_command = true\nhealth_check_command = true\n";

#[test]
fn a_valid_file_is_status_0_and_its_meaning_is_shown() {
    let sandbox = Sandbox::new(VALID);
    for words in [&["check"][..], &["--config-test"]] {
        let shown = sandbox.pm(words);
        assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{words:?}: {}", shown.out);
        fits(&shown.out, 80.max(sandbox.config().as_os_str().len() + 30));
        assert!(shown.out.contains("Database        mysql db1:3306/v_process_monitor"), "{}", shown.out);
        let row = shown.out.lines().find(|line| line.starts_with("web ")).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["web", "web", "custom", "2", "x", "2", "s", "command"]
        );
        assert!(shown.out.trim_end().ends_with("can be used."), "{}", shown.out);
    }
    let meaning = json(&sandbox.ok(&["check", "--format", "json"]));
    assert_eq!(meaning["usable"], true);
    assert_eq!(meaning["problems"], serde_json::json!([]));
    let web = &meaning["processes"][0];
    assert_eq!(
        (&web["name"], &web["acts"][0], &web["health_check"]),
        (&"web".into(), &"custom".into(), &"command".into())
    );
}

#[test]
fn an_invalid_file_is_status_2_and_every_problem_names_line_key_and_remedy() {
    let broken = VALID.replace("check_interval = 60", "check_interval = often")
        + "max_attemts = 3\nrestart_delay = -1\n";
    let sandbox = Sandbox::new(&broken);
    let shown = sandbox.pm(&["check"]);
    assert_eq!(shown.code, 2, "{}", shown.out);
    for text in [
        "config.ini:8: ",
        "[monitor] check_interval",
        "config.ini:17: ",
        "max_attempts",
        "config.ini:18: ",
        "restart_delay",
    ] {
        assert!(shown.out.contains(text), "no {text:?} in\n{}", shown.out);
    }
    let meaning = sandbox.pm(&["check", "--format", "json"]);
    assert_eq!((meaning.code, meaning.err.as_str()), (2, ""));
    let meaning = json(&meaning.out);
    assert_eq!(meaning["usable"], false);
    let problems = meaning["problems"].as_array().unwrap();
    assert!(problems.len() >= 3, "{meaning:#}");
    for problem in problems {
        for key in ["severity", "file", "line", "key", "message", "hint"] {
            assert!(!problem[key].is_null(), "{key} of {problem}");
        }
    }
}

#[test]
fn a_secret_is_in_no_output_of_any_command() {
    let sandbox =
        Sandbox::new(&VALID.replace("host = db1", "host = 127.0.0.1\nport = 1\nconnect_timeout = 1"));
    for words in [
        &["check"][..],
        &["check", "--format", "json"],
        &["status"],
        &["status", "--format", "json"],
        &["why", "web"],
        &["alarm", "list"],
        &["alarm", "raise", "web"],
        &["db", "status"],
        &["db", "migrate"],
        &["restart", "web"],
    ] {
        let shown = sandbox.pm(words);
        assert!(!(shown.out + &shown.err).contains(SECRET), "{words:?}");
    }
    let mut sandbox = Sandbox::new(
        &VALID
            .replace("[monitor]", "[logging]\nfile = @DIR@/pm.log\nlog_level = trace\nsyslog = no\n[monitor]")
            .replace("host = db1", "host = 127.0.0.1\nport = 1"),
    );
    sandbox.start();
    sandbox.until_log("Trying again until it works");
    sandbox.stop();
    assert!(sandbox.log().contains("DEBUG") && !sandbox.log().contains(SECRET), "{}", sandbox.log());
    assert!(!sandbox.read("out").contains(SECRET));
}

#[test]
fn files_that_are_no_configuration_are_refused_in_words() {
    for (text, words) in [
        ("", "no process is configured"),
        ("\0\0\0\u{1}binary", ""),
        ("[database\nhost=x", ""),
        (&"x".repeat(3_000_000), ""),
        (&"[process.x]\nrestart_strategy = custom\n".repeat(3000), ""),
    ] {
        let sandbox = Sandbox::new(text);
        let shown = sandbox.pm(&["check"]);
        assert!([0, 2].contains(&shown.code), "{}", shown.err);
        assert!(
            !shown.out.is_empty() && shown.out.contains(words) && !shown.out.contains("panicked"),
            "{}",
            shown.out
        );
        assert!(shown.out.len() < 2_000_000);
    }
}
