//! The machine that pm works on: room on its disks, what its kernel can do, its time zone.

use super::finding::{Finding, Fix, quoted};
use crate::calendar::Zone;
use crate::config::Config;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::path::{Path, PathBuf};

const MIB: u64 = 1024 * 1024;
/// With less, pm is about to work without memory and without a log.
const LEAST: u64 = 16 * MIB;
/// With less, somebody should look.
const LITTLE: u64 = 256 * MIB;

/// What is free where pm writes.
#[derive(Debug, Clone, Copy)]
struct Room {
    bytes: u64,
    /// None: this file system counts no files.
    files: Option<u64>,
}

/// The disks of the state directory and of the log.
pub(super) fn space(config: &Config) -> Vec<Finding> {
    let state = &config.monitor.state_dir;
    let log = config.logging.file.as_deref().and_then(Path::parent);
    let (mut findings, mut seen) = (Vec::new(), Vec::new());
    for (what, directory) in [("state", Some(state.as_path())), ("log", log)] {
        let Some(there) = directory.and_then(nearest) else { continue };
        let device = rustix::fs::stat(&there).ok().map(|stat| stat.st_dev);
        if device.is_some() && seen.contains(&device) {
            continue;
        }
        seen.push(device);
        findings.push(match room(&there) {
            Ok(room) => judge_room(what, &there, room),
            Err(Errno::ACCESS | Errno::PERM) => Finding::hidden("disk space", &there),
            Err(error) => {
                let saw = format!("asking for the room at {}: {error}", there.display());
                Finding::warning("disk space", saw, Fix::Run(format!("df -h {}", quoted(&there))))
            }
        });
    }
    findings
}

/// The directory, or the nearest one above it that is there.
fn nearest(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().find(|place| place.exists()).map(Path::to_owned)
}

fn room(directory: &Path) -> Result<Room, Errno> {
    let found = rustix::fs::statvfs(directory)?;
    let files = (found.f_files > 0).then_some(found.f_favail);
    Ok(Room { bytes: found.f_bavail.saturating_mul(found.f_frsize), files })
}

fn judge_room(what: &str, place: &Path, room: Room) -> Finding {
    let Room { bytes, files } = room;
    let at = place.display();
    let saw = format!("{} MiB free at {at} ({what})", bytes / MIB);
    let word = quoted(place);
    let look = || Fix::Run(format!("df -h {word}; du -xh {word} | sort -h | tail"));
    if files.is_some_and(|files| files < 100) {
        let saw = format!("{} more files fit at {at} ({what})", files.unwrap_or_default());
        return Finding::problem("disk space", saw, Fix::Run(format!("df -i {word}")));
    }
    match bytes {
        ..LEAST => Finding::problem("disk space", saw, look()),
        LEAST..LITTLE => Finding::warning("disk space", saw, look()),
        LITTLE.. => Finding::ok("disk space", saw),
    }
}

/// Whether signals can go to one process for ever, whoever has its number next.
pub(super) fn pidfd() -> Finding {
    judge_pidfd(pidfd_open(getpid(), PidfdFlags::empty()).map(drop))
}

fn judge_pidfd(opened: Result<(), Errno>) -> Finding {
    match opened {
        Ok(()) => Finding::ok("pidfd", "the kernel names processes by pidfd"),
        Err(error) => Finding::warning(
            "pidfd",
            format!("the kernel gives no pidfd ({error}): the strategy process goes by pid and start time"),
            Fix::Do("use Linux 5.3 or newer, or allow pidfd_open in the container".to_owned()),
        ),
    }
}

/// The zone of windows, notes and the log.
pub(super) fn zone() -> Finding {
    judge_zone(Zone::system().name(), Zone::is_known())
}

fn judge_zone(name: &str, known: bool) -> Finding {
    if !known {
        return Finding::warning(
            "time zone",
            "the time zone of this host cannot be told: windows, notes and log are in UTC",
            Fix::Run("timedatectl set-timezone Europe/Bucharest".to_owned()),
        );
    }
    let name = if name.is_empty() { "that of /etc/localtime, which has no name" } else { name };
    Finding::ok("time zone", format!("windows, notes and log are in the time zone of this host: {name}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn verdict(bytes: u64, files: Option<u64>) -> Verdict {
        judge_room("state", Path::new("/var/lib/pm"), Room { bytes, files }).verdict
    }

    #[test]
    fn room_is_judged_by_bytes_and_by_files() {
        assert_eq!(verdict(LITTLE, Some(10_000)), Verdict::Ok);
        assert_eq!(verdict(LITTLE, None), Verdict::Ok);
        assert_eq!(verdict(LITTLE - 1, None), Verdict::Warning);
        assert_eq!(verdict(LEAST - 1, None), Verdict::Problem);
        assert_eq!(verdict(LITTLE, Some(3)), Verdict::Problem);
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_judged_by_the_one_above() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(nearest(&dir.path().join("a/b/c")).as_deref(), Some(dir.path()));
        assert!(room(dir.path()).is_ok());
    }

    #[test]
    fn a_kernel_without_pidfd_is_a_warning() {
        assert_eq!(judge_pidfd(Ok(())).verdict, Verdict::Ok);
        let found = judge_pidfd(Err(Errno::NOSYS));
        assert!(found.verdict == Verdict::Warning && found.saw.contains("start time"), "{found:?}");
    }

    #[test]
    fn a_zone_that_cannot_be_told_is_a_warning() {
        assert_eq!(judge_zone("Europe/Bucharest", true).verdict, Verdict::Ok);
        assert_eq!(judge_zone("", true).verdict, Verdict::Ok);
        assert_eq!(judge_zone("UTC", false).verdict, Verdict::Warning);
    }
}
