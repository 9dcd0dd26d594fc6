//! Scenarios of the policy: a script in, a transcript out, one file for every rule.
//!
//! Each file in `scenarios/` says what it shows, sets up a host, tells what happens, and holds after a line of dashes
//! what pm did, as an operator reads it. `PM_BLESS=1` writes the transcripts anew; they are to be read before they
//! are kept. The words of the scripts are explained in `scenarios/README.md`.

#[path = "scenarios_runner/mod.rs"]
mod runner;

use std::fs;
use std::path::{Path, PathBuf};

/// Stands between the script and the transcript.
const RULER: &str = "----------------------------------------";

#[test]
fn every_scenario_gives_the_transcript_in_its_file() {
    let bless = std::env::var_os("PM_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let (script, expected) = text.split_once(RULER).unwrap_or((&text, ""));
        let got = runner::transcript(script).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        if got.trim() == expected.trim() {
            continue;
        }
        if bless {
            fs::write(&path, format!("{}\n\n{RULER}\n{}\n", script.trim_end(), got.trim_end())).unwrap();
        } else {
            wrong.push(format!("{}:\n{}", path.display(), difference(expected, &got)));
        }
    }
    assert!(wrong.is_empty(), "{}\nPM_BLESS=1 writes them anew", wrong.join("\n"));
}

#[test]
fn every_scenario_says_what_it_shows() {
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{} does not begin with what it shows", path.display());
    }
}

#[test]
fn a_script_that_makes_no_sense_is_told_with_its_line() {
    for (script, why) in [
        ("process web\n00:00 web sings", "line 2: cannot be understood: sings"),
        ("process web\n00:10 web fails\n00:05 web fails", "line 3: goes back in time"),
        ("process web colour=blue", "line 1: unknown key: colour"),
        ("00:00 web fails", "line 1: there is no process web"),
        ("process web stable=ten", "line 1: not a length of time: ten"),
        ("process web\n00:00 pm is started", "line 2: pm runs"),
        ("process web\n00:00 the clock is set aside by 2h", "line 2: cannot be understood: aside"),
        ("process web\n00:00 the file no longer says row web", "line 2: cannot be understood: row"),
    ] {
        assert_eq!(runner::transcript(script).unwrap_err(), why, "{script}");
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The first line that differs, with those around it.
fn difference(expected: &str, got: &str) -> String {
    let (expected, got): (Vec<&str>, Vec<&str>) =
        (expected.trim().lines().collect(), got.trim().lines().collect());
    let at = expected.iter().zip(&got).take_while(|(a, b)| a == b).count();
    let some = |lines: &[&str]| lines.iter().skip(at).take(4).map(|l| format!("\n  {l}")).collect::<String>();
    format!("line {} of the transcript: expected{}\ngot{}", at + 1, some(&expected), some(&got))
}
