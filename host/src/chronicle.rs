//! The statistics file of `track_restart_stats`: one CSV line per attempt, as one branch of the predecessor wrote it:
//! `time,process,attempt,max_attempts,success|failure,seconds`.
//!
//! It never stops a restart: trouble with the file is said once per change and costs lines. Names come from the
//! table, so a field is quoted where CSV wants it and control characters are escaped.

use crate::policy::model::printable;
use crate::ports::{Chronicle, Tried};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::{error, info};

/// Appends to a file, or does nothing without one.
#[derive(Debug, Default)]
pub struct Statistics {
    file: Option<PathBuf>,
    trouble: AtomicBool,
}

impl Statistics {
    /// Statistics in `file`; none keeps none.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, trouble: AtomicBool::new(false) }
    }
}

impl Chronicle for Statistics {
    fn attempt(&self, tried: &Tried<'_>) {
        let Some(file) = &self.file else { return };
        // Non-blocking: a fifo without a reader must not hold a restart up.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut options = File::options();
        let opened = options.append(true).create(true).mode(0o644).custom_flags(nonblocking).open(file);
        let written: io::Result<()> = opened.and_then(|mut file| file.write_all(line(tried).as_bytes()));
        match written {
            Ok(()) if self.trouble.swap(false, Ordering::Relaxed) => {
                info!("Restart statistics are written again to {}", file.display());
            }
            Err(error) if !self.trouble.swap(true, Ordering::Relaxed) => {
                error!(
                    "Writing restart statistics to {}: {error}; attempts are left out there",
                    file.display()
                );
            }
            _ => {}
        }
    }
}

fn line(tried: &Tried<'_>) -> String {
    let at = Timestamp::from_millisecond(tried.at.0).unwrap_or_default().to_zoned(TimeZone::system());
    let (attempt, most) = tried.attempt;
    let result = if tried.result.is_ok() { "success" } else { "failure" };
    format!(
        "{},{},{attempt},{most},{result},{}\n",
        at.strftime("%Y-%m-%d %H:%M:%S"),
        field(tried.name.as_str()),
        tried.took.as_secs()
    )
}

fn field(text: &str) -> String {
    let text = printable(text);
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::Name;
    use crate::policy::time::Wall;
    use std::time::Duration;

    #[test]
    fn each_attempt_is_one_line_whatever_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stats.csv");
        let statistics = Statistics::new(Some(file.clone()));
        for (name, result) in [("web", Ok(())), ("a,\"b\"\n1", Err(()))] {
            let name = Name::new(name);
            let took = Duration::from_millis(2_900);
            statistics.attempt(&Tried { name: &name, attempt: (1, 2), result, took, at: Wall(0) });
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once(',').unwrap().1).collect();
        assert_eq!(lines, ["web,1,2,success,2", "\"a,\"\"b\"\"\\u{a}1\",1,2,failure,2"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_stops_nothing() {
        let statistics = Statistics::new(Some("/nowhere/at/all.csv".into()));
        let name = Name::new("web");
        let tried = Tried { name: &name, attempt: (1, 1), result: Ok(()), took: Duration::ZERO, at: Wall(0) };
        statistics.attempt(&tried);
        assert!(statistics.trouble.load(Ordering::Relaxed));
        Statistics::default().attempt(&tried);
    }
}
