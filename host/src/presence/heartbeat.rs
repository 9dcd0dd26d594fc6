//! The predecessor's heartbeat file: one line with the seconds since the epoch, for a watchdog that may still run.
//!
//! Written in place with one call and never cut before it is written, so that a reader never finds it empty. A file
//! that cannot be written is reported once and tried again with the next beat.

use crate::policy::time::{Now, Ticks};
use crate::ports::{Alive, Presence};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::{info, warn};

/// A loop that is woken a thousand times a second writes once.
const LEAST: Duration = Duration::from_secs(1);

/// Writes the heartbeat file.
#[derive(Debug)]
pub struct Heartbeat {
    path: PathBuf,
    written: Option<Ticks>,
    trouble: Option<String>,
}

impl Heartbeat {
    /// A heartbeat in `path`; its directory is created when it is missing.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, written: None, trouble: None }
    }

    /// Tells of trouble when it begins, changes and ends.
    fn note(&mut self, result: io::Result<()>) {
        let path = self.path.display();
        let trouble = result.err().map(|error| error.to_string());
        if trouble == self.trouble {
            return;
        }
        match &trouble {
            Some(why) => warn!(
                "Cannot write the heartbeat file {path}: {why}; a watchdog may take pm for dead. \
                 Make it writable, or correct [self_recovery] heartbeat_file"
            ),
            None => info!("The heartbeat file {path} can be written again"),
        }
        self.trouble = trouble;
    }
}

impl Presence for Heartbeat {
    fn alive(&mut self, now: Now, _: &Alive) {
        if self.written.is_some_and(|written| now.boot.since(written) < LEAST) {
            return;
        }
        self.written = Some(now.boot);
        let result = write(&self.path, now.wall.0.div_euclid(1000));
        self.note(result);
    }
    fn ready(&mut self) {}
    fn reloading(&mut self) {}
    fn stopping(&mut self) {}
    fn beat(&self) -> Duration {
        super::BEAT
    }
}

fn write(path: &Path, seconds: i64) -> io::Result<()> {
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
            }
            open(path)?
        }
        opened => opened?,
    };
    let line = format!("{seconds}\n");
    file.write_all_at(line.as_bytes(), 0)?;
    let length = line.len() as u64;
    // Something longer was there.
    if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
}

fn open(path: &Path) -> io::Result<File> {
    // A pipe by mistake must not stop the loop.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::time::Wall;
    use std::fs;

    fn beat(heartbeat: &mut Heartbeat, boot: u64, wall: i64) {
        let state = Alive { alarms: 0, running: Vec::new(), database: Ok(()), next_poll: None };
        heartbeat.alive(Now { boot: Ticks(boot), wall: Wall(wall) }, &state);
    }

    #[test]
    fn one_line_of_seconds_at_most_once_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/pm/heartbeat");
        let mut heartbeat = Heartbeat::new(path.clone());
        beat(&mut heartbeat, 10, 1_769_857_200_999);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1769857200\n");
        beat(&mut heartbeat, 1_009, 1_769_857_201_998);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1769857200\n");
        beat(&mut heartbeat, 1_010, 1_769_857_201_999);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1769857201\n");
        // The wall clock was set back: the file follows.
        beat(&mut heartbeat, 2_010, 1_000);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        fs::remove_file(&path).unwrap();
        beat(&mut heartbeat, 3_010, 5_000);
        assert_eq!(fs::read_to_string(&path).unwrap(), "5\n");
    }

    #[test]
    fn trouble_is_kept_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat");
        fs::create_dir(&path).unwrap();
        let mut heartbeat = Heartbeat::new(path.clone());
        beat(&mut heartbeat, 0, 0);
        assert!(heartbeat.trouble.as_deref().is_some_and(|why| why.contains("Is a directory")));
        fs::remove_dir(&path).unwrap();
        beat(&mut heartbeat, 1_000, 1_000);
        assert_eq!(heartbeat.trouble, None);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_pipe_does_not_stop_the_loop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let mut heartbeat = Heartbeat::new(path);
        beat(&mut heartbeat, 0, 0);
        assert!(heartbeat.trouble.is_some());
    }
}
