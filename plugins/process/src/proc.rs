//! Reads `/proc`: which processes there are, and what each says of itself.
//!
//! A process may end between two looks at it; everything here answers "none" then. A pid alone names nobody: together with
//! the start time it does, as long as the machine runs.

use rustix::io::Errno;
use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// `PF_KTHREAD`: a thread of the kernel, which has no program and cannot be killed.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// What Linux appends to the path of a program whose file was replaced or removed.
const DELETED: &str = " (deleted)";

/// One look at a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// The short name: at most 15 bytes.
    pub(crate) comm: String,
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) session: u32,
    pub(crate) flags: u64,
    /// In ticks since boot.
    pub(crate) start_ticks: u64,
}

thread_local! {
    /// Why this thread could not look at a process that may be there.
    static BLIND: RefCell<Option<io::Error>> = const { RefCell::new(None) };
}

/// What `look` finds, unless the host was too short of descriptors or memory to see everything: then what was not found
/// may be there all the same, and nothing must be started in its place.
pub(crate) fn complete<T>(look: impl FnOnce() -> T) -> io::Result<T> {
    let outer = BLIND.take();
    let found = look();
    let blind = BLIND.replace(outer);
    blind.map_or(Ok(found), Err)
}

/// Notes for [`complete`] that something could not be seen.
fn seen<T>(result: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &result
        && let Some(short @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) = Errno::from_io_error(error)
    {
        BLIND.set(Some(short.into()));
    }
    result
}

impl Process {
    /// None when there is no such process.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        Self::parse(pid, &seen(fs::read(format!("/proc/{pid}/stat"))).ok()?)
    }

    fn parse(pid: u32, stat: &[u8]) -> Option<Self> {
        let stat = String::from_utf8_lossy(stat);
        // The name may hold anything, brackets as well.
        let (start, rest) = stat.rsplit_once(')')?;
        let comm = start.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            comm,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            flags: fields.get(6)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
        })
    }

    /// A zombie has ended; only its parent does not know yet.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    pub(crate) fn is_of_the_kernel(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// Whether the same process is still there and has not ended.
    pub(crate) fn is_still_there(&self) -> bool {
        let same = |now: Option<Self>| {
            now.is_some_and(|now| now.start_ticks == self.start_ticks && !now.has_ended())
        };
        // Who cannot look must not take it for gone.
        complete(|| same(Self::read(self.pid))).unwrap_or(true)
    }

    /// The file it executes, as it was called when it was executed.
    pub(crate) fn executable(&self) -> io::Result<PathBuf> {
        executable(self.pid)
    }

    /// Its arguments; none when it has overwritten them with a title.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let text = seen(fs::read(format!("/proc/{}/cmdline", self.pid))).unwrap_or_default();
        split(&text)
    }

    /// "12 (nginx)".
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.pid, pm_plugin_api::command::printable(&self.comm))
    }
}

/// The texts of a block of `/proc`, each of which ends in NUL.
pub(crate) fn split(block: &[u8]) -> Vec<OsString> {
    let block = block.strip_suffix(b"\0").unwrap_or(block);
    if block.is_empty() {
        return Vec::new();
    }
    block.split(|byte| *byte == 0).map(|text| OsString::from_vec(text.to_vec())).collect()
}

/// All pids, in no particular order.
pub(crate) fn pids() -> io::Result<impl Iterator<Item = u32>> {
    let entries = seen(fs::read_dir("/proc"))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// The short name alone: the cheapest look.
pub(crate) fn comm(pid: u32) -> Option<String> {
    // One read, no look at the size: this is done for every process of the machine.
    let mut buffer = [0; 64];
    let length = seen(File::open(format!("/proc/{pid}/comm"))).ok()?.read(&mut buffer).ok()?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// See [`Process::executable`].
pub(crate) fn executable(pid: u32) -> io::Result<PathBuf> {
    let link = seen(fs::read_link(format!("/proc/{pid}/exe")))?;
    Ok(link.to_str().and_then(|text| text.strip_suffix(DELETED)).map(PathBuf::from).unwrap_or(link))
}

/// A line of `/proc/PID/status`.
pub(crate) fn status(pid: u32, key: &str) -> Option<String> {
    let status = seen(fs::read(format!("/proc/{pid}/status"))).ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// The namespace of its pid; none when we may not know.
pub(crate) fn pid_namespace(pid: &str) -> Option<PathBuf> {
    fs::read_link(Path::new("/proc").join(pid).join("ns/pid")).ok()
}

/// Seconds since the machine started.
pub(crate) fn uptime() -> Option<f64> {
    fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()
}

/// Names this run of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let stat = b"42 (a) S 1 (b) R 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 999 0\n";
        let process = Process::parse(42, stat).unwrap();
        assert_eq!((process.comm.as_str(), process.state, process.parent), ("a) S 1 (b", 'R', 7));
        assert_eq!((process.session, process.flags, process.start_ticks), (9, 4_194_560, 12345));
        assert_eq!(Process::parse(42, b"42 (cut off) S 1"), None);
        assert_eq!(Process::parse(42, b""), None);
    }

    #[test]
    fn we_see_ourselves() {
        let me = Process::read(std::process::id()).unwrap();
        assert!(me.is_still_there() && !me.is_of_the_kernel() && !me.has_ended());
        assert_eq!(me.executable().unwrap(), std::env::current_exe().unwrap());
        assert_eq!(me.arguments(), std::env::args_os().collect::<Vec<_>>());
        assert_eq!(comm(me.pid), Some(me.comm.clone()));
        let other = Process { start_ticks: me.start_ticks + 1, ..me };
        assert!(!other.is_still_there(), "the same pid at another time is somebody else");
    }

    #[test]
    fn blocks_are_split_at_nul() {
        assert_eq!(split(b"a\0b c\0\0"), ["a", "b c", ""]);
        assert_eq!(split(b"a"), ["a"]);
        assert!(split(b"").is_empty());
    }
}
