//! The last lines of the journal about a unit, through `journalctl`.
//!
//! They are asked for by exact matches of fields, never by `-u`, which takes patterns. The fields with an underscore come
//! from journald itself; `UNIT=` is a text that anybody can log, so only that of the unit's own systemd is believed.

use crate::scope::Scope;
use crate::state::Subject;
use pm_plugin_api::command::{End, Limits, find_program, last_line, lines, run};
use pm_plugin_api::{Error, Result};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Instant;

/// So many entries are asked for; an entry may be several lines.
const ENTRIES: &str = "20";
/// So many lines are passed on, the last ones.
const LINES: usize = 40;
/// So many bytes of output are kept: what remains of the middle is not needed.
const BYTES: usize = 32 * 1024;

/// The last lines, oldest first.
///
/// # Errors
/// One line: no such program, no line that pm may read, not done before `deadline`.
pub(crate) fn last_lines(subject: &Subject, deadline: Instant) -> Result<Vec<String>> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let program =
        find_program("journalctl", &path).ok_or_else(|| Error::failed("there is no journalctl in PATH"))?;
    let mut command = Command::new(program);
    // Nothing of pm's own environment, which may hold a password, is any of its business.
    command.env_clear().env("LC_ALL", "C").envs(std::env::var_os("TZ").map(|zone| ("TZ", zone)));
    command.args(["--quiet", "--no-pager", "--output=short-iso", "--lines", ENTRIES]).args(matches(subject));
    let left = deadline.saturating_duration_since(Instant::now());
    let finished = run(&mut command, &Limits { output: BYTES, ..Limits::within(left) })?;
    match finished.end {
        End::Exited(0) => {}
        _ => return Err(Error::failed(format!("journalctl {}", finished.explain()))),
    }
    if last_line(&finished.output).is_none() {
        return Err(Error::failed("it has no lines of this unit, or pm may not read it"));
    }
    let mut last: Vec<String> = lines(&finished.output).rev().take(LINES).collect();
    last.reverse();
    Ok(last)
}

/// What the unit's processes have logged, or its systemd about it.
fn matches(subject: &Subject) -> Vec<String> {
    let unit = subject.name();
    match subject.scope {
        Scope::System => {
            vec![format!("_SYSTEMD_UNIT={unit}"), "+".into(), "_PID=1".into(), format!("UNIT={unit}")]
        }
        Scope::User => {
            let uid = std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
            let user = format!("_UID={uid}");
            vec![
                format!("_SYSTEMD_USER_UNIT={unit}"),
                user.clone(),
                "+".into(),
                format!("USER_UNIT={unit}"),
                user,
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Unit;

    fn subject(scope: Scope) -> Subject {
        Subject { unit: Unit::named("web@1").unwrap(), scope }
    }

    #[test]
    fn matches_are_exact_and_only_systemd_speaks_for_a_unit() {
        assert_eq!(
            matches(&subject(Scope::System)),
            ["_SYSTEMD_UNIT=web@1.service", "+", "_PID=1", "UNIT=web@1.service"]
        );
        let user = matches(&subject(Scope::User));
        assert_eq!((user[0].as_str(), user[2].as_str()), ("_SYSTEMD_USER_UNIT=web@1.service", "+"));
        assert!(user[1].starts_with("_UID=") && user[1] == user[4], "{user:?}");
    }
}
