//! Reads a pid file, and doubts it.
//!
//! A pid file outlives its process, and its number may belong to another one since. So the process has to look right. What
//! it should look like is known for an executable: another one means that the file is stale. For a mere name it is not:
//! a program may be called differently. Then nothing is killed, and nothing is started twice, but the operator is asked.
//! A file that somebody else may write decides nothing about processes that are not theirs.

use crate::find::Look;
use crate::name::{Executable, is_called};
use crate::proc::{self, Process};
use pm_plugin_api::{Error, ErrorKind, Result};
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// More than any pid file needs; the pid is in its first line.
const LONGEST: u64 = 4096;

/// The process that the file names; none when there is no file, or no such process.
pub(crate) fn process(file: &Path) -> Result<Option<Process>> {
    let (text, owner, mode) = match read(file) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let kind = match error.kind() {
                io::ErrorKind::PermissionDenied => ErrorKind::Permission,
                _ => ErrorKind::Unavailable,
            };
            return Err(Error::new(kind, format!("cannot read pid_file {}: {error}", file.display())));
        }
    };
    let pid = parse(&text).ok_or_else(|| {
        Error::failed(format!(
            "pid_file {} does not begin with a process id but with {:?}; remove it if it is a leftover",
            file.display(),
            text.chars().take(20).collect::<String>()
        ))
    })?;
    let Some(process) = Process::read(pid) else { return Ok(None) };
    trusted(file, owner, mode, &process)?;
    Ok(Some(process))
}

fn read(file: &Path) -> io::Result<(String, u32, u32)> {
    // A fifo must not hold us up.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    let meta = opened.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    opened.take(LONGEST).read_to_end(&mut text)?;
    Ok((String::from_utf8_lossy(&text).into_owned(), meta.uid(), meta.mode()))
}

fn parse(text: &str) -> Option<u32> {
    let pid = text.lines().next()?.trim().parse().ok()?;
    (1..=i32::MAX.unsigned_abs()).contains(&pid).then_some(pid)
}

/// Root, we and the user of the process itself may say which process it is.
fn trusted(file: &Path, owner: u32, mode: u32, process: &Process) -> Result<()> {
    let user = proc::status(process.pid, "Uid").and_then(|ids| ids.split_whitespace().next()?.parse().ok());
    let us = rustix::process::geteuid().as_raw();
    let refuse = |why: String| {
        Err(Error::new(ErrorKind::Permission, format!("pid_file {} is not believed: {why}", file.display())))
    };
    if mode & 0o002 != 0 {
        return refuse(format!("everybody may write it; run: chmod o-w {}", file.display()));
    }
    if ![Some(0), Some(us), user].contains(&Some(owner)) {
        let its = user.map_or_else(|| "nobody".to_owned(), |user| format!("user {user}"));
        return refuse(format!("it belongs to user {owner}, and process {} to {its}", process.shown()));
    }
    Ok(())
}

/// Whether the process that the file names is the one that is meant.
pub(crate) fn looks_right(process: &Process, look: &Look, system_name: &str, file: &Path) -> Result<bool> {
    match look {
        Look::Anything => Ok(true),
        Look::Runs(program) => {
            let right = Executable::new(program).is_run_by(process.pid);
            if !right {
                tracing::debug!(
                    "{} is stale: process {} runs something else",
                    file.display(),
                    process.shown()
                );
            }
            Ok(right)
        }
        Look::Called if is_called(process.pid, system_name) => Ok(true),
        Look::Called => {
            let runs =
                process.executable().map_or_else(|_| "a program".into(), |file| file.display().to_string());
            Err(Error::failed(format!(
                "{} names process {}, which is not called {system_name:?}: either the file is stale and the number was \
                 given to another process, or the program has another name. Nothing was touched. Say what is right: \
                 executable = {runs}, or match = pid-file to trust the file",
                file.display(),
                process.shown()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::Finder;
    use crate::sample::{Sample, unique};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    fn with(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.pid");
        std::fs::write(&file, text).unwrap();
        (dir, file)
    }

    #[test]
    fn the_first_line_is_the_pid() {
        assert_eq!(parse("42\n"), Some(42));
        assert_eq!(parse(" 42 \n/var/lib/data\n1699\n"), Some(42));
        for bad in ["", "\n42", "x", "-1", "0", "4294967297", "2147483648", "42 43"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_missing_file_or_process_is_nobody_and_nonsense_is_an_error() {
        assert_eq!(process(Path::new("/nowhere/x.pid")).unwrap(), None);
        let (_dir, file) = with("2147483647\n");
        assert_eq!(process(&file).unwrap(), None);
        std::fs::write(&file, "starting").unwrap();
        assert!(process(&file).unwrap_err().message.contains("but with \"starting\""));
        assert!(process(file.parent().unwrap()).unwrap_err().message.contains("not a regular file"));
    }

    #[test]
    fn another_executable_means_stale_and_another_name_means_ask() {
        let sample = Sample::called(&unique("web"));
        let (_dir, file) = with(&sample.pid().to_string());
        let find = |look: Look, name: &str| Finder::PidFile(file.clone(), look).find(name);
        let pids = |look, name| find(look, name).unwrap().running.iter().map(|p| p.pid).collect::<Vec<_>>();
        assert_eq!(pids(Look::Runs(sample.file().to_owned()), "x"), [sample.pid()]);
        assert!(pids(Look::Runs("/bin/true".into()), "x").is_empty(), "stale");
        assert_eq!(pids(Look::Called, sample.name()), [sample.pid()]);
        assert_eq!(pids(Look::Anything, "x"), [sample.pid()]);
        let error = find(Look::Called, "postgres").unwrap_err();
        assert!(error.message.contains("match = pid-file to trust the file"), "{}", error.message);
    }

    #[test]
    fn a_file_that_names_us_or_process_1_is_refused() {
        // A parent in another pid namespace has the number 0 here.
        let parent = std::os::unix::process::parent_id().max(1);
        for pid in [1, std::process::id(), parent] {
            let (_dir, file) = with(&pid.to_string());
            let error = Finder::PidFile(file, Look::Anything).find("x").unwrap_err();
            assert!(error.message.contains("it is not touched"), "{}", error.message);
        }
    }

    #[test]
    fn a_file_that_anybody_may_write_is_not_believed() {
        let sample = Sample::called(&unique("web"));
        let (_dir, file) = with(&sample.pid().to_string());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        let error = process(&file).unwrap_err();
        assert!(error.message.contains("chmod o-w"), "{}", error.message);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(12345), None).unwrap();
            let error = process(&file).unwrap_err();
            assert!(error.message.contains("belongs to user 12345"), "{}", error.message);
        }
    }
}
