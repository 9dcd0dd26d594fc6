//! What pm has kept of a process before its last restart, read through the journal as pm itself reads it.

use crate::sandbox::Sandbox;
use pm_host::journal::open_read_only;
use pm_host::policy::model::Name;
use pm_host::ports::Journal as _;
use std::path::Path;

/// The capsule of the last attempt of a process of a sandbox; none when nothing is kept.
///
/// # Panics
/// As [`kept_in`].
pub fn kept(sandbox: &Sandbox, name: &str) -> Option<String> {
    kept_in(&sandbox.dir().join("state"), name)
}

/// The capsule of the last attempt of a process, by the state directory.
///
/// # Panics
/// When there is no attempt, or the journal cannot be read.
pub fn kept_in(state: &Path, name: &str) -> Option<String> {
    let journal = open_read_only(state, "any").expect("a journal");
    let attempts = journal.attempts(Some(&Name::new(name)), 1).expect("a history");
    let last = attempts.first().unwrap_or_else(|| panic!("no attempt of {name} in {}", state.display()));
    journal.evidence_of(last.id).expect("the evidence of an attempt")
}

/// The lines of a section of a capsule, as `processes` or `log`, without their indentation.
pub fn section<'a>(capsule: &'a str, title: &str) -> Vec<&'a str> {
    let lines = capsule.lines().skip_while(|line| line.strip_suffix(':') != Some(title)).skip(1);
    lines.map_while(|line| line.strip_prefix("  ")).collect()
}
