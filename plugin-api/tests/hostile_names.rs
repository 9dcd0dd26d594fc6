//! Whatever name stands in the table: a line it was put into runs what the operator wrote, and nothing else.
//!
//! The lines are executed by a real bash in an empty directory. A name that becomes more than a name either leaves
//! a file there, or calls a command that does not exist, or changes how many words arrive.

use pm_plugin_api::command::{Limits, PercentS, run, shell, substitute};
use proptest::prelude::*;
use std::time::Duration;

/// Lines in which a name arrives as exactly one word.
const WHOLE: [&str; 5] = [
    "show %s",
    "show %{name}; true",
    "true && show %s || false",
    "x=1 show %s # it's",
    "if show %s; then :; fi",
];
/// Lines with a second reader, or with quotes of their own.
const NESTED: [&str; 9] = [
    "show \"%s\"",
    "show '%s'",
    "show \"unit-%s.service\"",
    "eval \"show %s\"",
    "eval show %s",
    "bash -c \"show %s\"",
    "bash -c 'show %s'",
    "show \"$(echo %s)\"",
    "cat <<END\n%s\nEND",
];

const PIECES: [&str; 34] = [
    "web",
    "a",
    "7",
    " ",
    "-",
    "--now",
    "ț",
    "e\u{301}",
    ".",
    "/",
    "..",
    ":",
    "@",
    "'",
    "\"",
    "`touch c`",
    "$(touch c)",
    ";touch c;",
    "|touch c",
    "&touch c&",
    "\ntouch c\n",
    ">c",
    "<c",
    "\\",
    "*",
    "?",
    "~",
    "#",
    "{a,b}",
    "!!",
    "$HOME",
    "\0",
    "\u{1b}]0;x\u{7}",
    "\u{202e}",
];

fn hostile_name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(&PIECES[..]), 0..5).prop_map(|pieces| pieces.concat()),
        "\\PC{0,20}",
        "[a-z'\"`$;|&<> \\\\(){}*-]{1,12}",
    ]
}

/// Runs `line` where it can do no harm that is not seen; the words that `show` was given.
fn words(line: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let script = format!(
        "show() {{ printf '<%s>\\n' \"$@\"; }}\n\
         command_not_found_handle() {{ echo \"RAN $*\"; }}\n\
         export -f show command_not_found_handle\n{line}"
    );
    let limits = Limits { timeout: Duration::from_secs(10), ..Limits::default() };
    let finished = run(shell(&script).current_dir(dir.path()), &limits).expect("bash starts");
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("the directory").collect();
    assert!(left.is_empty(), "{line:?} made {left:?}");
    assert!(!finished.output.contains("RAN"), "{line:?} ran something: {}", finished.output);
    assert!(finished.success(), "{line:?}: {}", finished.explain());
    finished.output.lines().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_from_the_table_runs_nothing(name in hostile_name(), whole in 0..WHOLE.len(), nested in 0..NESTED.len()) {
        if let Ok(line) = substitute(WHOLE[whole], &name, &name, PercentS::SystemName) {
            prop_assert_eq!(words(&line), [format!("<{name}>")]);
        }
        if let Ok(line) = substitute(NESTED[nested], &name, &name, PercentS::Name) {
            let text = words(&line).join(" ");
            for word in name.split(' ') {
                prop_assert!(text.contains(word), "{} does not hold {}", text, word);
            }
        }
    }

    #[test]
    fn a_system_name_outside_quotes_arrives_as_it_is(name in hostile_name(), whole in 0..WHOLE.len()) {
        prop_assume!(name != "web" && !name.contains('\n'));
        let line = WHOLE[whole].replace("%{name}", "%{system_name}");
        if let Ok(line) = substitute(&line, "web", &name, PercentS::SystemName) {
            prop_assert_eq!(words(&line), [format!("<{name}>")]);
        }
    }
}

#[test]
fn the_lines_of_these_tests_work_at_all() {
    for line in WHOLE.iter().chain(&NESTED[..8]) {
        let line = substitute(line, "web", "web", PercentS::Name).unwrap();
        assert_eq!(words(&line).len(), 1, "{line}");
        assert!(words(&line)[0].contains("web"), "{line}");
    }
    assert_eq!(words("show one two").len(), 2);
    for evil in ["show web; touch c", "show 'web", "nosuchcommand"] {
        assert!(std::panic::catch_unwind(|| words(evil)).is_err(), "{evil} must be noticed");
    }
}
