//! The plugin directory: which one it is, whether it can be trusted, and what lies in it.
//!
//! Everything after the choice works on opened descriptors (`fstat`, `openat`, `..`), so that what was checked is
//! what is used, whatever happens to the path meanwhile. No library is looked into here.

use super::refusal::{DirectoryRefusal, Flaw};
use super::trust::{Facts, Role, Us};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where packages put the libraries.
const INSTALLED: &str = "/usr/lib/pm/plugins";

/// Which directory the libraries come from: the option `--plugins-dir`, else the key `dir` of `[plugins]`, else the
/// directory of the program `exe` when plugins lie beside it (a build tree works as it is), else the installed one.
pub fn directory(option: Option<&Path>, configured: Option<&Path>, exe: &Path) -> PathBuf {
    if let Some(chosen) = option.or(configured) {
        return chosen.to_owned();
    }
    let beside = exe.parent().unwrap_or(Path::new("/"));
    // Not just any library: `/usr/bin` holds an `ld.so` where glibc is new enough.
    let is_ours = |name: &OsStr| is_library(name) && name.as_bytes().starts_with(b"libpm_plugin_");
    let has_ours = std::fs::read_dir(beside)
        .is_ok_and(|entries| entries.flatten().any(|entry| is_ours(&entry.file_name())));
    if has_ours { beside.to_owned() } else { PathBuf::from(INSTALLED) }
}

/// `libx.so`; not `libx.so.1` (versions of other things) and not `.libx.so` (a copy in progress).
fn is_library(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".so") && !name.starts_with(b".")
}

/// Whether a file, or what lies in a directory, is still the same: cheap to take and to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    device: u64,
    inode: u64,
    size: i64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Print {
    /// The file itself, whatever is done to it.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }
    /// Whether nobody wrote to it; renaming and linking are no writing.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        (self.identity(), self.size, self.modified) == (other.identity(), other.size, other.modified)
    }
}

impl From<&Stat> for Print {
    fn from(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
        }
    }
}

/// The print of what a path leads to; none when it leads nowhere.
pub(super) fn print_of(path: &Path) -> Option<Print> {
    rustix::fs::stat(path).ok().as_ref().map(Print::from)
}

/// An opened plugin directory that is trusted.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    us: Us,
    pub(super) path: PathBuf,
}

const FOR_READING: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

impl Directory {
    pub(super) fn open(path: &Path, us: Us) -> Result<Self, DirectoryRefusal> {
        let directory = || path.to_owned();
        let unreadable =
            |error: Errno| DirectoryRefusal::Unreadable { directory: directory(), why: in_words(error) };
        let fd =
            rustix::fs::open(path, FOR_READING | OFlags::DIRECTORY, Mode::empty()).map_err(unreadable)?;
        match chain(fd.as_fd(), path, us) {
            Ok(()) => Ok(Self { us, path: directory(), fd }),
            Err(Broken::Itself(flaw)) => Err(DirectoryRefusal::Untrusted { directory: directory(), flaw }),
            Err(Broken::Parent(flaw)) => {
                Err(DirectoryRefusal::UntrustedParent { directory: directory(), flaw })
            }
            Err(Broken::Unreadable(error)) => Err(unreadable(error)),
        }
    }

    /// The names of the libraries, sorted, so that every start finds the same order.
    pub(super) fn libraries(&self) -> Result<Vec<OsString>, DirectoryRefusal> {
        let unreadable = |error: Errno| DirectoryRefusal::Unreadable {
            directory: self.path.clone(),
            why: in_words(error),
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if is_library(name) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Opens an entry without ever waiting for it (a pipe would block), following a symbolic link.
    pub(super) fn open_entry(&self, name: &OsStr) -> Result<OwnedFd, Errno> {
        openat(&self.fd, name, FOR_READING | OFlags::NOCTTY, Mode::empty())
    }

    /// When the entry is a symbolic link: whether the directory of the file behind it can be trusted too. Answers the
    /// file behind it and the flaw.
    pub(super) fn vouch_for_link(&self, name: &OsStr, opened: BorrowedFd<'_>) -> Result<(), (PathBuf, Flaw)> {
        let is_link = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink());
        if !is_link {
            return Ok(());
        }
        let target = path_of(opened);
        let parent = target.parent().unwrap_or(Path::new("/")).to_owned();
        let judged = rustix::fs::open(&parent, FOR_READING | OFlags::DIRECTORY, Mode::empty())
            .map_err(Broken::Unreadable)
            .and_then(|fd| chain(fd.as_fd(), &parent, self.us));
        match judged {
            Ok(()) => Ok(()),
            Err(Broken::Itself(flaw) | Broken::Parent(flaw)) => Err((target, flaw)),
            Err(Broken::Unreadable(_)) => Err((target, Flaw::Hidden { path: parent })),
        }
    }
}

/// Where the chain of trust breaks.
enum Broken {
    Itself(Flaw),
    Parent(Flaw),
    Unreadable(Errno),
}

/// Judges a directory and everything above it, up to the root.
fn chain(start: BorrowedFd<'_>, path: &Path, us: Us) -> Result<(), Broken> {
    let mut stat = fstat(start).map_err(Broken::Unreadable)?;
    us.judge(Facts::from(&stat), Role::Itself, path).map_err(Broken::Itself)?;
    let mut here = start.try_clone_to_owned().map_err(|_| Broken::Unreadable(Errno::MFILE))?;
    loop {
        let up = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = openat(&here, "..", up, Mode::empty()).map_err(Broken::Unreadable)?;
        let of_above = fstat(&above).map_err(Broken::Unreadable)?;
        // Only the root is its own parent.
        if (of_above.st_dev, of_above.st_ino) == (stat.st_dev, stat.st_ino) {
            return Ok(());
        }
        us.judge(Facts::from(&of_above), Role::Parent, &path_of(above.as_fd())).map_err(Broken::Parent)?;
        (here, stat) = (above, of_above);
    }
}

/// The path of a descriptor, for messages and for the directory of a link's target.
fn path_of(fd: BorrowedFd<'_>) -> PathBuf {
    std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))
        .unwrap_or_else(|_| PathBuf::from("(unknown)"))
}

/// The system's words without the number.
pub(super) fn in_words(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_option_wins_over_the_file_and_the_file_over_the_place_of_the_program() {
        let scratch = tempfile::tempdir().unwrap();
        let exe = scratch.path().join("pm");
        let (option, configured) = (Path::new("/option"), Path::new("/configured"));
        assert_eq!(directory(Some(option), Some(configured), &exe), option);
        assert_eq!(directory(None, Some(configured), &exe), configured);
        std::fs::write(scratch.path().join(".hidden.so"), "").unwrap();
        std::fs::write(scratch.path().join("libpm_plugin_x.so.1"), "").unwrap();
        std::fs::write(scratch.path().join("ld.so"), "").unwrap();
        assert_eq!(directory(None, None, &exe), Path::new(INSTALLED));
        std::fs::write(scratch.path().join("libpm_plugin_x.so"), "").unwrap();
        assert_eq!(directory(None, None, &exe), scratch.path());
    }

    #[test]
    fn libraries_come_sorted_and_without_copies_in_progress() {
        let scratch = tempfile::tempdir().unwrap();
        for name in ["b.so", "a.so", ".c.so", "d.so.1", "e.txt", "so"] {
            std::fs::write(scratch.path().join(name), "").unwrap();
        }
        let directory = Directory::open(scratch.path(), Us::now()).unwrap();
        assert_eq!(directory.libraries().unwrap(), ["a.so", "b.so"]);
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused_and_so_is_one_below_it() {
        let scratch = tempfile::tempdir().unwrap();
        let inner = scratch.path().join("plugins");
        std::fs::create_dir(&inner).unwrap();
        chmod(&inner, 0o777);
        let refused = Directory::open(&inner, Us::now()).unwrap_err().to_string();
        let shown = inner.display();
        assert_eq!(
            refused,
            format!(
                "plugin directory {shown} is writable by group or others (mode 0777): no plugin is loaded from \
                 it; run: chmod go-w {shown}"
            )
        );
        chmod(&inner, 0o755);
        chmod(scratch.path(), 0o777);
        let refused = Directory::open(&inner, Us::now()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("its parent {} is writable", scratch.path().display())),
            "{refused}"
        );
        // Nobody else can rename the entry of a sticky directory.
        chmod(scratch.path(), 0o1777);
        assert!(Directory::open(&inner, Us::now()).is_ok());
    }

    #[test]
    fn a_missing_directory_says_what_to_do() {
        let refused = Directory::open(Path::new("/nonexistent/plugins"), Us::now()).unwrap_err().to_string();
        assert!(refused.starts_with("plugin directory /nonexistent/plugins cannot be read: No such file"));
        assert!(refused.contains("--plugins-dir"), "{refused}");
    }
}
