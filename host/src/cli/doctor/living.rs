//! Does a pm work here, is it alive, and can its memory be read?
//!
//! The lock of the state directory tells who works, `/proc` in what state, and the heartbeat file when it last said
//! so. Nothing is asked of the daemon: one that hangs would not answer.

use super::finding::{Finding, Fix, quoted};
use super::unit::begin;
use crate::cli::compose::Context;
use crate::config::Config;
use crate::journal::{self, Look};
use crate::policy::sentence::lasting;
use crate::policy::time::Wall;
use crate::ports::{Clock as _, JournalError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// So long it is said that a damaged journal was set aside; whoever moves the file away has taken note.
const KEPT_IN_MIND: Duration = Duration::from_secs(30 * 86_400);

/// The daemon of the state directory; `holder` is who has its lock.
pub(super) fn daemon(config: &Config, holder: Option<u32>) -> Vec<Finding> {
    let state = &config.monitor.state_dir;
    if holder.is_none() && is_hidden(&state.join("pm.lock")) {
        return vec![Finding::hidden("daemon", &state.join("pm.lock"))];
    }
    let Some(pid) = holder else {
        let saw = format!("no pm works in {}: nothing is restarted", state.display());
        return vec![Finding::problem("daemon", saw, begin("start"))];
    };
    let proc = Path::new("/proc").join(pid.to_string());
    let status = std::fs::read_to_string(proc.join("status")).unwrap_or_default();
    let mut findings = vec![judge_daemon(pid, state, field(&status, "State:"))];
    let program = std::fs::read_link(proc.join("exe")).map(|exe| exe.to_string_lossy().into_owned());
    findings.extend(judge_program(pid, program.ok().as_deref()));
    let uid = field(&status, "Uid:").and_then(|uids| uids.split_whitespace().nth(1)?.parse().ok());
    findings.extend(judge_account(rustix::process::geteuid().as_raw(), uid));
    findings
}

/// A value of `/proc/PID/status`.
fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

fn judge_daemon(pid: u32, state_dir: &Path, state: Option<&str>) -> Finding {
    let at = state_dir.display();
    match state.and_then(|state| state.chars().next()) {
        Some('T' | 't') => Finding::problem(
            "daemon",
            format!("pid {pid} works in {at}, but is stopped by a signal"),
            Fix::Run(format!("kill -CONT {pid}")),
        ),
        Some('Z' | 'X') => {
            Finding::problem("daemon", format!("pid {pid} has ended and is not gone yet"), begin("restart"))
        }
        _ => Finding::ok("daemon", format!("pid {pid} works in {at}")),
    }
}

/// An upgrade that no restart has followed.
fn judge_program(pid: u32, program: Option<&str>) -> Option<Finding> {
    let old = program?.strip_suffix(" (deleted)")?;
    let saw =
        format!("pid {pid} runs a {old} that is not on the disk any more: it was upgraded and not restarted");
    Some(Finding::warning("daemon", saw, begin("restart")))
}

/// Rights are those of whoever looks.
fn judge_account(ours: u32, daemon: Option<u32>) -> Option<Finding> {
    let its = daemon.filter(|its| *its != ours)?;
    let saw = format!(
        "this runs as uid {ours} and the daemon as uid {its}: what may be read and written is not the same"
    );
    Some(Finding::warning("account", saw, Fix::Run(format!("sudo -u '#{its}' pm doctor"))))
}

/// The file that an old watchdog looks at.
pub(super) fn heartbeat(context: &Context, holder: Option<u32>) -> Option<Finding> {
    let recovery = context.config.self_recovery.as_ref()?;
    let path = &recovery.heartbeat_file;
    if holder.is_none() {
        return Some(Finding::none("heartbeat", "no daemon works, so nobody writes it"));
    }
    let written = match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse::<i64>().ok().map(|seconds| Wall(seconds.saturating_mul(1000))),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Some(Finding::hidden("heartbeat", path));
        }
        Err(_) => None,
    };
    let age = written.map(|at| context.clock().now().wall.since(at));
    Some(judge_heartbeat(path, age, recovery.stale_after))
}

fn judge_heartbeat(path: &Path, age: Option<Duration>, stale: Duration) -> Finding {
    let shown = path.display();
    match age {
        None => Finding::problem(
            "heartbeat",
            format!("{shown} holds no time: a watchdog may take pm for dead"),
            Fix::Do("make it writable for pm, or correct [self_recovery] heartbeat_file".to_owned()),
        ),
        // It is written every four seconds, whatever pm does.
        Some(age) if age > stale.min(Duration::from_secs(30)) => Finding::problem(
            "heartbeat",
            format!("{shown} was last written {} ago: pm hangs, or cannot write it", lasting(age)),
            begin("restart"),
        ),
        Some(age) => Finding::ok("heartbeat", format!("{shown} was written {} ms ago", age.as_millis())),
    }
}

/// pm's own memory.
pub(super) fn journal(context: &Context) -> Finding {
    let state = &context.config.monitor.state_dir;
    let path = state.join("journal.db");
    if is_hidden(&path) {
        return Finding::hidden("journal", &path);
    }
    judge_journal(&path, journal::look(state))
}

/// A damaged journal was set aside: what operators had ordered is not in force, and the new journal knows nothing of it.
pub(super) fn aside(context: &Context) -> Option<Finding> {
    let last = journal::set_aside(&context.config.monitor.state_dir).into_iter().next()?;
    let age = context.now().wall.since(last.at);
    (age < KEPT_IN_MIND).then(|| judge_aside(&last.path, age))
}

fn judge_aside(path: &Path, age: Duration) -> Finding {
    let saw = format!(
        "a damaged journal was set aside as {} {} ago; holds and other orders that were in it are not in force",
        path.display(),
        lasting(age)
    );
    let again = format!(
        "look at the disk, give the orders again that are still wanted (pm hold), then move {} elsewhere",
        path.display()
    );
    Finding::warning("journal", saw, Fix::Do(again))
}

fn judge_journal(path: &Path, looked: Result<Option<Look>, JournalError>) -> Finding {
    let shown = path.display();
    let word = quoted(path);
    let aside = Fix::Do(format!(
        "stop pm, mv {word} {word}.damaged, start pm; breakers, history and what operators ordered are lost"
    ));
    match looked {
        Ok(None) => Finding::none("journal", format!("there is no {shown} yet; the first start makes it")),
        Ok(Some(look)) => match look.damage {
            Some(damage) => Finding::problem("journal", format!("{shown} is damaged: {damage}"), aside),
            None => {
                let older =
                    if look.version < look.newest { "; the next start brings it up to date" } else { "" };
                let saw = format!(
                    "{shown}: version {} of {}, {} attempt{}, {:.1} MiB{older}",
                    look.version,
                    look.newest,
                    look.attempts,
                    if look.attempts == 1 { "" } else { "s" },
                    look.bytes as f64 / MIB as f64
                );
                Finding::ok("journal", saw)
            }
        },
        Err(error) => {
            let text = error.to_string();
            let newer = text.contains("a newer pm");
            let fix = if newer { Fix::Do("use the newer pm".to_owned()) } else { aside };
            Finding::problem("journal", text, fix)
        }
    }
}

/// Whether there may be such a file, and this account may not look.
fn is_hidden(path: &Path) -> bool {
    std::fs::File::open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_daemon_that_is_stopped_is_a_problem_and_one_that_sleeps_is_not() {
        let judged = |state| judge_daemon(7, Path::new("/var/lib/pm"), state);
        assert_eq!(judged(Some("S (sleeping)")).verdict, Verdict::Ok);
        assert_eq!(judged(None).verdict, Verdict::Ok, "its /proc may be hidden");
        assert_eq!(judged(Some("T (stopped)")).fix, Some(Fix::Run("kill -CONT 7".to_owned())));
        assert_eq!(judged(Some("Z (zombie)")).verdict, Verdict::Problem);
    }

    #[test]
    fn an_upgrade_without_a_restart_and_another_account_are_said() {
        assert_eq!(judge_program(7, Some("/usr/bin/pm")), None);
        let found = judge_program(7, Some("/usr/bin/pm (deleted)")).unwrap();
        assert!(
            found.verdict == Verdict::Warning && found.saw.contains("runs a /usr/bin/pm that"),
            "{found:?}"
        );
        assert_eq!(judge_account(0, Some(0)), None);
        assert_eq!(judge_account(0, None), None);
        let found = judge_account(0, Some(990)).unwrap();
        assert_eq!(found.fix, Some(Fix::Run("sudo -u '#990' pm doctor".to_owned())));
        assert_eq!(field("Name:\tpm\nUid:\t1\t2\t3\t4\n", "Uid:"), Some("1\t2\t3\t4"));
    }

    #[test]
    fn an_old_heartbeat_is_a_problem() {
        let judged = |age| judge_heartbeat(Path::new("/run/hb"), age, Duration::from_secs(300)).verdict;
        assert_eq!(judged(Some(Duration::from_secs(5))), Verdict::Ok);
        assert_eq!(judged(Some(Duration::from_secs(40))), Verdict::Problem);
        assert_eq!(judged(None), Verdict::Problem);
    }

    #[test]
    fn each_state_of_a_journal_has_its_verdict() {
        let judged = |looked| judge_journal(Path::new("/s/journal.db"), looked);
        let look = Look { version: 4, newest: 5, bytes: 2 * MIB, attempts: 12, damage: None };
        assert_eq!(judged(Ok(None)).verdict, Verdict::NotApplicable);
        let found = judged(Ok(Some(look.clone())));
        assert!(found.verdict == Verdict::Ok, "{found:?}");
        assert!(
            found.saw.ends_with("version 4 of 5, 12 attempts, 2.0 MiB; the next start brings it up to date")
        );
        let damaged = Look { damage: Some("page 3 is lost".to_owned()), ..look };
        assert_eq!(judged(Ok(Some(damaged))).verdict, Verdict::Problem);
        let newer = JournalError::Unusable {
            attempted: "opening the journal",
            path: "/s/journal.db".into(),
            why: "a newer pm has brought it to version 9".to_owned(),
        };
        assert_eq!(judged(Err(newer)).fix, Some(Fix::Do("use the newer pm".to_owned())));
    }

    #[test]
    fn a_journal_that_was_set_aside_is_said_with_what_it_means() {
        let found =
            judge_aside(Path::new("/s/journal.db.corrupt-20260101T000000Z"), Duration::from_secs(7_200));
        assert!(
            found.verdict == Verdict::Warning
                && found.saw.contains("corrupt-20260101T000000Z 2 h ago; holds and other orders"),
            "{found:?}"
        );
    }
}
