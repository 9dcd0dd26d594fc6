//! The log: every event of pm and its plugins to a rotating file, the console and syslog.
//!
//! Logging never stops the daemon: a full disk or a missing `/dev/log` costs lines, which are counted, never a
//! panic or a wait. The settings can be exchanged while it runs. Lines have the predecessor's shapes ([`mod@line`]).
//!
//! On the console it writes to whatever it is given, one line per call; it knows no terminal and reads no
//! configuration. Errors go to syslog only while the console is not the journal, which would hold them twice.

mod collect;
mod file;
pub mod line;
mod syslog;
#[cfg(test)]
mod tests;

use crate::ports::Clock;
use collect::Collector;
use file::{Bounds, FileLog};
use jiff::tz::TimeZone;
use line::{Line, Origin};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use syslog::Syslog;

/// How serious an event is; later variants are less so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Error,
    Warning,
    Info,
    Debug,
    Trace,
}

/// The shape of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-31 12:00:00  [INFO] - message`.
    Text,
    /// One object per line.
    Json,
}

/// The shape of JSON on a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One line per event, as in a file.
    Line,
    /// Over several lines, for eyes; never for the journal, which would make an entry of each.
    Pretty,
}

/// Whether an output is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Switch {
    On,
    Off,
}

/// Whether a terminal gets colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Paint {
    Colour,
    Plain,
}

/// What is logged, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The log file, if there is one.
    pub file: Option<PathBuf>,
    /// A second log, always in JSON.
    pub json_copy: Option<PathBuf>,
    /// KiB at which a file is rotated before the next line.
    pub max_kib: u64,
    /// Backups `.1` to `.N`; 0 keeps one, like 1.
    pub keep: u32,
    /// The shape of the lines in the file, on the console and for syslog.
    pub format: Format,
    /// The shape of JSON on the console.
    pub layout: Layout,
    /// The least serious level that is written. Other people's crates are never heard below warning,
    /// except with [`Level::Trace`].
    pub level: Level,
    /// Whether lines are printed.
    pub console: Switch,
    /// Whether errors go to syslog.
    pub syslog: Switch,
}

/// Who reads what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A person at a terminal.
    Terminal(Paint),
    /// The journal of systemd: it gets a priority and no time, which it knows.
    Journal,
    /// A file or a pipe.
    Plain,
}

impl Audience {
    /// Who reads `output`, told by the kernel and by `JOURNAL_STREAM`, `TERM` and `NO_COLOR`.
    pub fn of(output: &(impl AsFd + IsTerminal)) -> Self {
        let variable = |name: &str| std::env::var_os(name).unwrap_or_default();
        if output.is_terminal() {
            return Self::Terminal(paint(&variable("TERM"), &variable("NO_COLOR")));
        }
        let stream = variable("JOURNAL_STREAM");
        let meta = output.as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
        match meta {
            Ok(meta) if stream.to_str() == Some(&format!("{}:{}", meta.dev(), meta.ino())) => Self::Journal,
            _ => Self::Plain,
        }
    }
}

fn paint(term: &OsStr, no_color: &OsStr) -> Paint {
    if term.is_empty() || term == "dumb" || !no_color.is_empty() { Paint::Plain } else { Paint::Colour }
}

/// A log that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// There is one already.
    #[error("setting up the log: this process has one already; change it with reload")]
    Twice,
}

/// The log of this process. Clones are the same log.
#[derive(Clone)]
pub struct Telemetry(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    origin: Origin,
    audience: Audience,
    /// The level as a number, to be asked without the lock.
    level: AtomicU8,
    outputs: Mutex<Outputs>,
}

struct Outputs {
    settings: LogSettings,
    files: Vec<(FileLog, Format)>,
    console: Box<dyn Write + Send>,
    syslog: Syslog,
}

/// Sets up the log of this process. `console` gets one whole line per write, however the settings are; it should
/// not block. A log file that cannot be opened is reported on the console and tried again, not an error.
///
/// # Errors
/// [`TelemetryError::Twice`].
pub fn init(
    settings: LogSettings,
    clock: Arc<dyn Clock>,
    audience: Audience,
    console: Box<dyn Write + Send>,
) -> Result<Telemetry, TelemetryError> {
    let origin = Origin {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
        zone: TimeZone::system(),
    };
    let telemetry = Telemetry::new(settings, clock, origin, audience, console);
    tracing::subscriber::set_global_default(telemetry.collector()).map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("(no message)");
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!("A bug in pm: panicked at {place}: {text}; please report it");
    }));
    Ok(telemetry)
}

impl Telemetry {
    fn new(
        settings: LogSettings,
        clock: Arc<dyn Clock>,
        origin: Origin,
        audience: Audience,
        console: Box<dyn Write + Send>,
    ) -> Self {
        let outputs =
            Outputs { settings: settings.clone(), files: Vec::new(), console, syslog: Syslog::default() };
        let level = AtomicU8::new(settings.level as u8);
        let telemetry =
            Self(Arc::new(Shared { clock, origin, audience, level, outputs: Mutex::new(outputs) }));
        telemetry.reload(settings);
        telemetry
    }

    /// Goes on with other settings, from the next line on. A log file that stays the same stays open.
    pub fn reload(&self, settings: LogSettings) {
        let shared = &*self.0;
        shared.level.store(settings.level as u8, Ordering::Relaxed);
        let bounds = Bounds { bytes: settings.max_kib.saturating_mul(1024), keep: settings.keep };
        let mut outputs = shared.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut outputs.files);
        let wanted = settings.file.iter().map(|path| (path, settings.format));
        for (path, format) in wanted.chain(settings.json_copy.iter().map(|path| (path, Format::Json))) {
            let known = before.iter().position(|(file, _)| file.path() == path);
            let mut file = match known {
                Some(index) => before.swap_remove(index).0,
                None => FileLog::new(path.clone()),
            };
            file.bound(bounds);
            outputs.files.push((file, format));
        }
        outputs.settings = settings;
        outputs.open(shared);
        drop(outputs);
        // Hidden in tracing's documentation, but tracing-core's own interface: without it, what was not wanted
        // before would stay unwanted.
        tracing::callsite::rebuild_interest_cache();
    }

    fn collector(&self) -> Collector {
        Collector(Arc::clone(&self.0))
    }
}

impl Shared {
    fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    /// Takes one event.
    fn write(&self, line: &Line) {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.write(line, self);
    }

    /// A line about the log itself.
    fn about(&self, level: Level, message: String) -> Line {
        Line { at: self.clock.now().wall, level, message, fields: Vec::new() }
    }
}

impl Outputs {
    /// Opens the files, so that one that cannot be opened is reported at start and not with the first line.
    fn open(&mut self, shared: &Shared) {
        let now = shared.clock.now().boot;
        let news: Vec<_> = self.files.iter_mut().filter_map(|(file, _)| file.open(now)).collect();
        self.tell(news, shared);
    }

    fn write(&mut self, line: &Line, shared: &Shared) {
        let now = shared.clock.now().boot;
        let mut news = Vec::new();
        for (file, format) in &mut self.files {
            let render = |line: &Line| match format {
                Format::Text => line::text(line, &shared.origin, Paint::Plain),
                Format::Json => line::json(line, &shared.origin),
            };
            let about = |level, message: &str| render(&shared.about(level, message.to_owned()));
            news.extend(file.write(render(line), &about, now));
        }
        self.print(line, shared);
        self.tell(news, shared);
    }

    /// What the files have to say about themselves, to everybody else.
    fn tell(&mut self, news: Vec<(Level, String)>, shared: &Shared) {
        for (level, message) in news {
            self.print(&shared.about(level, message), shared);
        }
    }

    fn print(&mut self, line: &Line, shared: &Shared) {
        let (origin, settings) = (&shared.origin, &self.settings);
        let to_journal = settings.console == Switch::On && shared.audience == Audience::Journal;
        if settings.console == Switch::On {
            let mut text = match (settings.format, shared.audience, settings.layout) {
                (Format::Text, Audience::Journal, _) => line::journal(line),
                (Format::Text, Audience::Terminal(paint), _) => line::text(line, origin, paint),
                (Format::Text, Audience::Plain, _) => line::text(line, origin, Paint::Plain),
                (Format::Json, Audience::Journal, _) => line::journal_json(line, origin),
                (Format::Json, _, Layout::Line) => line::json(line, origin),
                (Format::Json, _, Layout::Pretty) => line::json_pretty(line, origin),
            };
            text.push('\n');
            // Nobody is left to be told of a console that cannot be written.
            let _ = self.console.write_all(text.as_bytes());
        }
        if settings.syslog == Switch::On && line.level == Level::Error && !to_journal {
            self.syslog.send(&line::syslog(line, origin, settings.format));
        }
    }
}
