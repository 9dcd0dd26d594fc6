//! Hears that the file of the alarms was written, from the kernel (inotify).
//!
//! The folder is watched and not the file: the log beside it comes and goes, and the file may be replaced. It must not
//! open the database: it hears that something is written, not what.

use super::failure::Place;
use crate::ports::{Bell, Ring, StoreError, Trouble};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The endings of the files that SQLite writes for one database; its shared index changes with every reader.
const WRITTEN: [&str; 3] = ["", "-wal", "-journal"];

/// Listens for changes of one file.
pub(super) struct FileBell {
    place: Place,
}

impl FileBell {
    pub(super) fn new(place: Place) -> Self {
        Self { place }
    }

    fn error(&self, why: &str) -> StoreError {
        StoreError {
            trouble: Trouble::Other,
            attempted: format!("listening to {}", self.source()),
            why: why.to_owned(),
            hint: None,
        }
    }

    /// The folder and the names in it that mean a change.
    fn watched(&self) -> Result<(PathBuf, Vec<OsString>), StoreError> {
        let path = &self.place.0;
        let real = std::fs::canonicalize(path).map_err(|error| self.error(&error.to_string()))?;
        let (Some(folder), Some(file)) = (real.parent(), real.file_name()) else {
            return Err(self.error("it is not in a folder"));
        };
        let named = |ending: &str| {
            let mut name = file.to_owned();
            name.push(ending);
            name
        };
        Ok((folder.to_owned(), WRITTEN.map(named).to_vec()))
    }
}

impl Bell for FileBell {
    fn source(&self) -> String {
        format!("changes of the file {}", self.place.0.display())
    }

    fn listen(&mut self, hear: &mut dyn FnMut(Ring) -> ControlFlow<()>) -> Result<(), StoreError> {
        let (folder, names) = self.watched()?;
        let watch = watch(&folder).map_err(|error| self.error(&why(error)))?;
        if hear(Ring::Listening).is_break() {
            return Ok(());
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&watch, &mut buffer);
        loop {
            let event = match reader.next() {
                Err(Errno::INTR) => continue,
                event => event.map_err(|error| self.error(&why(error)))?,
            };
            if event.events().intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
                return Err(self.error("its folder is gone"));
            }
            // Events that did not fit into the queue may have been about it.
            let lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            let its = event
                .file_name()
                .is_some_and(|name| names.iter().any(|its| its.as_bytes() == name.to_bytes()));
            if (lost || its) && hear(Ring::Change).is_break() {
                return Ok(());
            }
        }
    }
}

fn watch(folder: &Path) -> Result<rustix::fd::OwnedFd, Errno> {
    let watch = inotify::init(CreateFlags::CLOEXEC)?;
    let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
    inotify::add_watch(&watch, folder, changes | WatchFlags::ONLYDIR)?;
    Ok(watch)
}

fn why(error: Errno) -> String {
    match error {
        Errno::MFILE => {
            "this user has as many inotify instances as fs.inotify.max_user_instances allows".to_owned()
        }
        Errno::NOSPC => {
            "this user has as many inotify watches as fs.inotify.max_user_watches allows".to_owned()
        }
        other => std::io::Error::from(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use tempfile::TempDir;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn it_hears_the_file_and_its_logs_and_nothing_else_and_ends_when_it_is_told_to() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("alarms.db");
        std::fs::write(&path, "").unwrap();
        let mut bell = FileBell::new(Place(path.clone()));
        let (told, heard) = channel();
        let listening = std::thread::spawn(move || {
            let mut changes = 0;
            bell.listen(&mut |what| {
                told.send(what).unwrap();
                changes += u32::from(what == Ring::Change);
                if changes == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        assert_eq!(heard.recv_timeout(LONG), Ok(Ring::Listening));
        std::fs::write(folder.path().join("other.db"), "x").unwrap();
        std::fs::write(folder.path().join("alarms.db-shm"), "x").unwrap();
        std::fs::rename(folder.path().join("other.db"), folder.path().join("alarms.db-wal")).unwrap();
        assert_eq!(heard.recv_timeout(LONG), Ok(Ring::Change));
        assert!(heard.try_recv().is_err(), "one change, and nothing for the others");
        std::fs::remove_file(folder.path().join("alarms.db-wal")).unwrap();
        assert_eq!(heard.recv_timeout(LONG), Ok(Ring::Change));
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"x").unwrap();
        assert_eq!(heard.recv_timeout(LONG), Ok(Ring::Change));
        assert!(listening.join().unwrap().is_ok());
    }

    #[test]
    fn without_the_file_it_says_so_and_when_the_folder_goes_too() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("deep/alarms.db");
        let mut bell = FileBell::new(Place(path.clone()));
        let error = bell.listen(&mut |_| panic!("it cannot listen")).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("listening to changes of the file {}: ", path.display())),
            "{error}"
        );
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(&path, "").unwrap();
        let error = bell.listen(&mut |what| {
            if what == Ring::Listening {
                std::fs::remove_dir_all(folder.path().join("deep")).unwrap();
            }
            ControlFlow::Continue(())
        });
        assert!(error.unwrap_err().to_string().ends_with(": its folder is gone"));
    }
}
