//! One pm per state directory: a lock that the kernel takes back when its holder dies.
//!
//! The file says who holds it, for people; whether it is held is the kernel's word alone, so a file that was left
//! behind means nothing.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How often the kernel's list of locks is read before a lock that is not in it is taken for free.
const LOOKS: u32 = 5;
/// The lock's file in the state directory.
const FILE: &str = "pm.lock";

/// The right to work in a state directory; given back when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct StateLock {
    _file: File,
}

/// The state directory cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another pm works there.
    #[error(
        "another pm{} works in the state directory {}: stop it, or give this one a state_dir of its own",
        holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default(),
        directory.display()
    )]
    Held {
        /// The state directory.
        directory: PathBuf,
        /// Its process, if the file says so.
        holder: Option<u32>,
    },
    /// There is no such directory, and it cannot be made.
    #[error(
        "making the state directory {}: not possible; create it writable for pm, or set [monitor] state_dir",
        directory.display()
    )]
    Directory {
        /// The state directory.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock's file cannot be opened or locked.
    #[error(
        "locking {}: not possible; it must be on a local disk and writable for pm (see [monitor] state_dir)",
        file.display()
    )]
    Lock {
        /// The lock's file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateLock {
    /// Takes the state directory, making it when it is missing; never waits.
    ///
    /// # Errors
    /// [`LockError`]; nothing has changed but for the directory that may have been made.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        if !directory.is_dir() {
            let made = DirBuilder::new().recursive(true).mode(0o750).create(directory);
            made.map_err(|source| LockError::Directory { directory: directory.to_owned(), source })?;
        }
        let path = directory.join(FILE);
        let failed = |source| LockError::Lock { file: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { directory: directory.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let line = format!("{}\n", std::process::id());
        // For people only: a full disk must not keep pm from working.
        let _ = file.set_len(0).and_then(|()| file.write_all_at(line.as_bytes(), 0));
        Ok(Self { _file: file })
    }
}

impl StateLock {
    /// The process that holds the lock of a state directory, without touching the lock: the kernel's list is read,
    /// because even a short lock of ours could turn a daemon away that starts at this moment.
    #[must_use]
    pub fn holder(directory: &Path) -> Option<u32> {
        let mut file = File::open(directory.join(FILE)).ok()?;
        let inode = file.metadata().ok()?.ino();
        // While other locks come and go the kernel's list may leave one out; it does not do so again and again.
        let is_listed = || std::fs::read_to_string("/proc/locks").is_ok_and(|locks| listed(&locks, inode));
        (0..LOOKS).any(|_| is_listed()).then(|| holder(&mut file)).flatten()
    }
}

/// Whether a list of the kernel's locks has a whole-file lock on this inode. The device is left out: overlays and
/// namespaces show another one than the file has, and two state directories with one inode number do not meet.
fn listed(locks: &str, inode: u64) -> bool {
    let ours = format!(":{inode}");
    locks
        .lines()
        .any(|line| line.contains(" FLOCK ") && line.split_whitespace().any(|word| word.ends_with(&ours)))
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::fs;

    #[test]
    fn a_second_one_is_told_who_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("var/pm");
        let first = StateLock::take(&state).unwrap();
        let second = StateLock::take(&state).unwrap_err().to_string();
        let expected = format!("another pm (pid {}) works in the state directory", std::process::id());
        assert!(second.starts_with(&expected) && second.contains("var/pm: stop it, or"), "{second}");
        fs::write(state.join(FILE), "").unwrap();
        let second = StateLock::take(&state).unwrap_err().to_string();
        assert!(second.starts_with("another pm works in"), "{second}");
        drop(first);
        let _third = StateLock::take(&state).unwrap();
    }

    #[test]
    fn who_holds_it_can_be_asked_without_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(StateLock::holder(dir.path()), None);
        let lock = StateLock::take(dir.path()).unwrap();
        assert_eq!(StateLock::holder(dir.path()), Some(std::process::id()));
        drop(lock);
        assert_eq!(StateLock::holder(dir.path()), None);
    }

    #[test]
    fn a_file_left_behind_means_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "4294967295 and much more than a pid\n").unwrap();
        let _lock = StateLock::take(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = StateLock::take(&dir.path().join("file/pm")).unwrap_err();
        assert!(matches!(error, LockError::Directory { .. }) && error.source().is_some(), "{error}");
        fs::create_dir(dir.path().join(FILE)).unwrap();
        let error = StateLock::take(dir.path()).unwrap_err();
        assert!(
            matches!(error, LockError::Lock { .. }) && error.to_string().contains("/pm.lock: "),
            "{error}"
        );
    }
}
