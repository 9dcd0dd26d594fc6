//! Help, usage errors, completions and the manual page: what is read before anything works.

use super::{bare, fits};
use pm_tests::sandbox::{answer, built};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

/// Every command that does something.
const VERBS: [&str; 35] = [
    "run",
    "demo",
    "check",
    "doctor",
    "status",
    "restart",
    "hold",
    "observe",
    "bypass",
    "release",
    "reset",
    "audit",
    "why",
    "plan",
    "history",
    "plugins list",
    "plugins info",
    "plugins reload",
    "plugins stop",
    "plugins new",
    "plugins verify",
    "plugins call",
    "alarm add",
    "alarm raise",
    "alarm clear",
    "alarm list",
    "db migrate",
    "db status",
    "maintenance add",
    "maintenance list",
    "maintenance remove",
    "notify test",
    "completions",
    "man",
    "",
];

fn words(verb: &str) -> Vec<&str> {
    verb.split(' ').filter(|word| !word.is_empty()).collect()
}

#[test]
fn every_help_fits_tells_the_exit_codes_and_needs_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let groups = ["plugins", "alarm", "db", "maintenance", "notify"];
    for verb in VERBS.into_iter().chain(groups) {
        for option in ["--help", "-h"] {
            let asked = [words(verb), vec![option]].concat();
            let shown = bare(&asked, folder.path());
            assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{asked:?}");
            fits(&shown.out, 100);
            assert!(shown.out.contains("Exit codes: 0 "), "{asked:?}:\n{}", shown.out);
            assert!(shown.out.contains("Usage: pm"), "{asked:?}");
        }
    }
    let whole = bare(&["--help"], folder.path()).out;
    assert!(whole.contains("/etc/pm/config.ini") && whole.contains("pm demo"), "{whole}");
    let version = bare(&["--version"], folder.path()).out;
    assert_eq!(version, format!("pm {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_status_2_and_says_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    for (words, text) in [
        (&["statsu"][..], "status"),
        (&["status", "--formt", "json"], "--format"),
        (&["status", "--format", "yaml"], "possible values: text, json"),
        (&["restart"], "<NAME>"),
        (&["why"], "<NAME>"),
        (&["alarm", "raise"], "NAME"),
        (&["alarm", "raise", "--all", "web"], "cannot be used with"),
        (&["hold"], "<NAME|--group <GROUP>|--all>"),
        (&["hold", "--all", "web"], "cannot be used with"),
        (&["observe", "web", "--for", "2h", "--until", "22:00"], "cannot be used with"),
        (&["release", "web", "--order", "everything"], "possible values: hold, observe, bypass"),
        (&["audit", "web", "--verify"], "cannot be used with"),
        (&["--daemonize"], "unexpected argument '--daemonize'"),
        (&["run", "extra"], "unexpected argument 'extra'"),
        (&["--restart"], "<NAME>"),
        (&[], "Usage: pm"),
    ] {
        let shown = bare(words, folder.path());
        assert_eq!((shown.code, shown.out.as_str()), (2, ""), "{words:?}");
        assert!(shown.err.contains(text), "{words:?}: no {text:?} in\n{}", shown.err);
    }
}

#[test]
fn a_missing_configuration_is_status_2_and_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let usual = ["/etc/pm", "/opt/monitor_service", "/etc/process_monitor"];
    assert!(!usual.iter().any(|place| std::path::Path::new(place).join("config.ini").exists()));
    for verb in [
        "run",
        "check",
        "status",
        "restart web",
        "hold web",
        "release --all",
        "reset --all",
        "audit",
        "why web",
        "alarm list",
        "db status",
        "db migrate",
    ] {
        let shown = bare(&words(verb), folder.path());
        assert_eq!((shown.code, shown.out.as_str()), (2, ""), "{verb}");
        assert!(
            shown.err.contains("/etc/pm/config.ini") && shown.err.contains("--config FILE"),
            "{verb}: {}",
            shown.err
        );
        let named = bare(&[words(verb), vec!["--config", "nowhere.ini"]].concat(), folder.path());
        assert_eq!(named.code, 2, "{verb}");
        let said = named.out + &named.err;
        assert!(said.contains("nowhere.ini") && said.contains("No such file"), "{verb}: {said}");
    }
    // The variables name it as well as the option.
    let config = folder.path().join("own.ini");
    std::fs::write(&config, "[database]\nengine = sqlite\npath = own.db\n[process.web]\nrestart_strategy = custom\nrestart_command = true\n").unwrap();
    for variable in ["PM_CONFIG", "CONFIG_FILE"] {
        let mut command = Command::new(built().join("pm"));
        command.arg("check").env_remove("PM_CONFIG").env_remove("CONFIG_FILE").env(variable, &config);
        let shown = answer(&mut command);
        assert!(shown.code == 0 && shown.out.contains("own.ini can be used"), "{variable}: {shown:?}");
    }
}

#[test]
fn completions_are_made_for_every_shell_and_parse() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, text) in [("bash", "complete -F"), ("zsh", "#compdef pm"), ("fish", "complete -c pm")] {
        let script = bare(&["completions", shell], folder.path());
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{shell}");
        assert!(script.out.contains(text) && script.out.contains("migrate"), "{shell}");
        let parses = Command::new(shell).arg("-n").arg("/dev/stdin").stdin(Stdio::piped()).spawn();
        // Only bash is on every machine.
        let Ok(mut parser) = parses else {
            assert_ne!(shell, "bash");
            continue;
        };
        parser.stdin.take().unwrap().write_all(script.out.as_bytes()).unwrap();
        assert!(parser.wait().unwrap().success(), "{shell} cannot parse its completions");
    }
    let script = bare(&["completions", "tcsh"], folder.path());
    assert!(script.code == 2 && script.err.contains("bash"), "{script:?}");
}

#[test]
fn the_manual_page_has_every_command_and_renders_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let page = bare(&["man"], folder.path());
    assert_eq!((page.code, page.err.as_str()), (0, ""));
    for verb in VERBS.into_iter().filter(|verb| !verb.is_empty()) {
        let heading = format!(".SH \"PM {}\"", verb.to_uppercase());
        assert!(page.out.contains(&heading), "{heading}");
    }
    assert!(page.out.contains(".TH pm 8") && page.out.contains("Exit codes: 0"), "{}", &page.out[..300]);
    let file = folder.path().join("pm.8");
    std::fs::write(&file, &page.out).unwrap();
    let groff = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&file).output();
    let Ok(groff) = groff else {
        // Without groff every line still is a request that the macros know, or text.
        let known = [
            ".TH", ".SH", ".SS", ".TP", ".PP", ".br", ".ie", ".el", ".RS", ".RE", ".nf", ".fi", ".IP", ".B",
            ".I",
        ];
        for line in page.out.lines().filter(|line| line.starts_with('.')) {
            assert!(known.iter().any(|request| line.starts_with(request)), "{line}");
        }
        return;
    };
    let warnings = String::from_utf8_lossy(&groff.stderr).into_owned();
    assert!(groff.status.success() && warnings.is_empty(), "{warnings}");
    let shown = String::from_utf8_lossy(&groff.stdout).into_owned();
    // Blanks are stretched to fill lines.
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Exit codes: 0 fine"), "{shown}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let sandbox = super::shop();
    for words in [
        &["alarm", "list"][..],
        &["status"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["plugins", "list"],
    ] {
        let mut command = sandbox.command(words);
        if words == ["--help"] {
            command = Command::new(built().join("pm"));
            command.arg("--help");
        }
        let (reader, writer) = std::io::pipe().unwrap();
        // Gone before the first byte, as `head -0` is.
        drop(reader);
        let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), err.as_str()), (Some(0), ""), "{words:?}");
    }
    // A disk that is full is one.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = sandbox.command(&["alarm", "list"]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
