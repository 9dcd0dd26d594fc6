//! A log file that is rotated by size and survives whatever happens to it.
//!
//! A line that cannot be written is dropped and counted; the first one is reported, and when it works again the
//! file says how many are missing. Nothing here panics, waits, or retries more than once a second. A file that was
//! moved away or removed is found missing within a second.
//!
//! Files that are not regular (a pipe, `/dev/stdout`) are written without waiting and never rotated.

use super::Level;
use crate::policy::time::Ticks;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the path is looked at, and how often a file that cannot be written is tried.
const LOOK: Duration = Duration::from_secs(1);
/// How often trouble is reported: a disk that is nearly full takes short lines and refuses long ones.
const REPORT_AGAIN: Duration = Duration::from_secs(60);
/// How long a file that could not be rotated is left alone.
const ROTATE_AGAIN: Duration = Duration::from_secs(60);

/// When a file is rotated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// At this size, before the next line.
    pub(super) bytes: u64,
    /// So many backups are kept, at least one.
    pub(super) keep: u32,
}

impl Bounds {
    fn reached(self, size: u64) -> bool {
        size > 0 && size >= self.bytes
    }
}

/// The renames of one rotation, in order: the oldest backup is overwritten, the live file becomes `.1`.
fn moves(path: &Path, keep: u32) -> Vec<(PathBuf, PathBuf)> {
    let backup = |number: u32| match number {
        0 => path.to_owned(),
        _ => {
            let mut name = OsString::from(path);
            name.push(format!(".{number}"));
            PathBuf::from(name)
        }
    };
    (0..keep.max(1)).rev().map(|number| (backup(number), backup(number + 1))).collect()
}

/// One log file.
#[derive(Debug)]
pub(super) struct FileLog {
    path: PathBuf,
    bounds: Bounds,
    live: Option<Live>,
    /// Why lines are being lost; none while they can be written.
    trouble: Option<io::ErrorKind>,
    /// Whether anybody was told of it.
    reported: bool,
    report_at: Ticks,
    lost: u64,
    look_at: Ticks,
    rotate_at: Ticks,
}

#[derive(Debug)]
struct Live {
    file: File,
    identity: (u64, u64),
    regular: bool,
    size: u64,
    /// The disk was full in the middle of a line.
    torn: bool,
}

/// Something to be told elsewhere.
pub(super) type News = Option<(Level, String)>;

impl FileLog {
    pub(super) fn new(path: PathBuf) -> Self {
        let bounds = Bounds { bytes: u64::MAX, keep: 1 };
        Self {
            path,
            bounds,
            live: None,
            trouble: None,
            reported: false,
            report_at: Ticks(0),
            lost: 0,
            look_at: Ticks(0),
            rotate_at: Ticks(0),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Opens the file anew if it is another one; answers why it cannot be.
    pub(super) fn open(&mut self, now: Ticks) -> News {
        self.look_at = now.after(LOOK);
        self.look_now().err().and_then(|error| self.report(&error, now))
    }

    /// Writes one line; `about` makes lines about the log itself in the same shape.
    pub(super) fn write(&mut self, line: String, about: &dyn Fn(Level, &str) -> String, now: Ticks) -> News {
        if self.trouble.is_some() && now < self.look_at {
            self.lost += 1;
            return None;
        }
        let mut news = None;
        let written = self.look(now).and_then(|()| {
            if self.due(now) {
                news = self.rotate(about, now)?;
            }
            self.account(about)?;
            self.put(line)
        });
        match written {
            Ok(()) => self.recovered().or(news),
            Err(error) => {
                self.lost += 1;
                self.look_at = now.after(LOOK);
                self.report(&error, now).or(news)
            }
        }
    }

    fn report(&mut self, error: &io::Error, now: Ticks) -> News {
        let known = self.trouble.replace(error.kind());
        if known == Some(error.kind()) || now < self.report_at {
            return None;
        }
        self.report_at = now.after(REPORT_AGAIN);
        self.reported = true;
        let path = self.path.display();
        let what = "lines are dropped and counted until it works; free the disk, or correct [logging] file";
        Some((Level::Error, format!("Cannot write the log file {path}: {error}; {what}")))
    }

    fn recovered(&mut self) -> News {
        self.trouble = None;
        let was = std::mem::take(&mut self.reported);
        was.then(|| (Level::Info, format!("The log file {} can be written again", self.path.display())))
    }

    /// Makes sure that there is an open file and that it is the one the path names.
    fn look(&mut self, now: Ticks) -> io::Result<()> {
        if self.live.is_some() && now < self.look_at {
            return Ok(());
        }
        self.look_at = now.after(LOOK);
        self.look_now()
    }

    fn look_now(&mut self) -> io::Result<()> {
        if let Some(live) = &mut self.live {
            let there = fs::metadata(&self.path);
            match there {
                Ok(meta) if (meta.dev(), meta.ino()) == live.identity => {
                    live.size = meta.len();
                    return Ok(());
                }
                _ => self.live = None,
            }
        }
        self.live = Some(Live::open(&self.path)?);
        Ok(())
    }

    fn due(&self, now: Ticks) -> bool {
        now >= self.rotate_at
            && self.live.as_ref().is_some_and(|live| live.regular && self.bounds.reached(live.size))
    }

    /// Moves the backups and begins a new file.
    fn rotate(&mut self, about: &dyn Fn(Level, &str) -> String, now: Ticks) -> io::Result<News> {
        // Another process may have been faster; rotating twice would push a backup out.
        self.look_now()?;
        if !self.due(now) {
            return Ok(None);
        }
        // Through a link: the backups stay on the disk that was chosen for the log.
        let real = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        for (from, to) in moves(&real, self.bounds.keep) {
            match fs::rename(&from, &to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    self.rotate_at = now.after(ROTATE_AGAIN);
                    let advice = "it grows on; make its directory writable for pm";
                    let what = format!("Cannot rotate the log file {} to {}", from.display(), to.display());
                    return Ok(Some((Level::Warning, format!("{what}: {error}; {advice}"))));
                }
                _ => {}
            }
        }
        self.live = None;
        self.look_now()?;
        let full = self.bounds.bytes / 1024;
        self.put(about(Level::Info, &format!("Log file rotated: it had reached {full} KiB")))?;
        Ok(None)
    }

    /// Says how many lines are missing, in their place.
    fn account(&mut self, about: &dyn Fn(Level, &str) -> String) -> io::Result<()> {
        if self.lost > 0 {
            let lines = if self.lost == 1 { "line is" } else { "lines are" };
            let text = format!("{} {lines} missing here: no space, or no file", self.lost);
            self.put(about(Level::Warning, &text))?;
            self.lost = 0;
        }
        Ok(())
    }

    fn put(&mut self, mut line: String) -> io::Result<()> {
        let Some(live) = &mut self.live else { return Err(io::ErrorKind::NotFound.into()) };
        line.push('\n');
        if live.torn {
            line.insert(0, '\n');
        }
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match live.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    live.size += written as u64;
                    rest = &rest[written..];
                    live.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Live {
    fn open(path: &Path) -> io::Result<Self> {
        let file = match Self::options().create_new(true).open(path) {
            // Created all the same when it is a link to a file that is not there.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::options().create(true).open(path)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(directory) = path.parent() {
                    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
                }
                Self::options().create(true).open(path)?
            }
            Ok(file) => {
                // As ever, whatever the umask. Refused where the file system knows no modes.
                let _ = file.set_permissions(Permissions::from_mode(0o644));
                file
            }
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        Ok(Self {
            file,
            identity: (meta.dev(), meta.ino()),
            regular: meta.is_file(),
            size: meta.len(),
            torn: false,
        })
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        options.append(true).mode(0o644).custom_flags(flags);
        options
    }
}

#[cfg(test)]
mod tests;
