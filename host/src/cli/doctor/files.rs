//! Who else could change what pm reads and runs: whoever writes its configuration decides what it starts.
//!
//! Only modes and owners are looked at, of paths as they are named. The plugin directory is judged where plugins are.

use super::finding::{Finding, Fix, quoted};
use crate::config::{Config, Database, Loaded};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const SUBJECT: &str = "files";
const STICKY: u32 = 0o1000;

/// What matters of a file.
#[derive(Debug, Clone, Copy)]
struct Facts {
    uid: u32,
    gid: u32,
    mode: u32,
}

/// Whose files are good: root's, and those of who runs this.
#[derive(Debug, Clone, Copy)]
struct Us {
    uid: u32,
    gid: u32,
}

/// Looks at everything that is there.
pub(super) fn examine(loaded: Option<&Loaded>, config: Option<&Config>) -> Vec<Finding> {
    let us = Us { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    let (mut findings, mut good) = (Vec::new(), 0);
    for path in paths(loaded, config) {
        match std::fs::metadata(&path) {
            Ok(about) => {
                let facts = Facts { uid: about.uid(), gid: about.gid(), mode: about.mode() & 0o7777 };
                let found = judge(us, facts, &path);
                good += usize::from(found.is_none());
                findings.extend(found);
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                findings.push(Finding::hidden(SUBJECT, &path));
            }
            // What is not there yet is made by pm, for itself alone.
            Err(_) => {}
        }
    }
    if findings.is_empty() && good > 0 {
        let saw = format!("configuration, state and log ({good} paths): nobody else can write them");
        findings.push(Finding::ok(SUBJECT, saw));
    }
    findings
}

fn paths(loaded: Option<&Loaded>, config: Option<&Config>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let Some(loaded) = loaded {
        let file = std::path::absolute(&loaded.file).unwrap_or_else(|_| loaded.file.clone());
        paths.extend(file.parent().map(Path::to_owned));
        paths.push(file);
    }
    if let Some(config) = config {
        let state = &config.monitor.state_dir;
        paths.extend([state.clone(), state.join("journal.db")]);
        if let Database::Sqlite { path, .. } = &config.database {
            paths.push(path.clone());
        }
        paths.extend(config.logging.file.clone());
    }
    paths.dedup();
    paths
}

/// What is wrong with one path, the worst first.
fn judge(us: Us, facts: Facts, path: &Path) -> Option<Finding> {
    let Facts { uid, gid, mode } = facts;
    let shown = path.display();
    let run = |command: &str| Fix::Run(format!("{command} {}", quoted(path)));
    if mode & 0o002 != 0 && mode & STICKY == 0 {
        let saw = format!("every user of this host can write {shown} (mode {mode:04o})");
        return Some(Finding::problem(SUBJECT, saw, run("chmod o-w")));
    }
    if uid != 0 && uid != us.uid {
        let saw =
            format!("{shown} belongs to uid {uid}, which is neither root nor who runs this (uid {})", us.uid);
        return Some(Finding::warning(
            SUBJECT,
            saw,
            Fix::Do(format!("chown it, or run this as pm's account: sudo -u '#{uid}' pm doctor")),
        ));
    }
    // A private group per user with umask 002 is how many systems set up people.
    if mode & 0o020 != 0 && mode & STICKY == 0 && gid != 0 && gid != us.gid {
        let saw = format!("the group {gid} can write {shown} (mode {mode:04o})");
        return Some(Finding::warning(SUBJECT, saw, run("chmod g-w")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    const ROOT: Us = Us { uid: 0, gid: 0 };

    fn verdict(uid: u32, gid: u32, mode: u32) -> Option<(Verdict, Option<Fix>)> {
        let found = judge(ROOT, Facts { uid, gid, mode }, Path::new("/etc/pm/config.ini"));
        found.map(|found| (found.verdict, found.fix))
    }

    #[test]
    fn a_file_that_everybody_can_write_is_a_problem_with_a_command_against_it() {
        let fix = Some(Fix::Run("chmod o-w /etc/pm/config.ini".to_owned()));
        assert_eq!(verdict(0, 0, 0o666), Some((Verdict::Problem, fix)));
        assert_eq!(verdict(0, 0, 0o1777), None, "in /tmp nobody can replace the file of another");
    }

    #[test]
    fn owner_and_group_are_judged_and_private_files_are_good() {
        assert_eq!(verdict(0, 0, 0o600), None);
        assert_eq!(verdict(0, 0, 0o660), None, "the group of root is root's");
        assert_eq!(verdict(1001, 0, 0o600).unwrap().0, Verdict::Warning);
        let fix = Some(Fix::Run("chmod g-w /etc/pm/config.ini".to_owned()));
        assert_eq!(verdict(0, 4, 0o660), Some((Verdict::Warning, fix)));
    }

    #[test]
    fn what_is_not_there_is_no_finding() {
        let loaded = Loaded { file: "/no/such/place/config.ini".into(), config: None, problems: Vec::new() };
        assert_eq!(examine(Some(&loaded), None), Vec::new());
    }
}
