//! `[logging]` to [`Logging`], with the keys of every branch of the predecessor.

use super::reader::Reader;
use crate::config::model::{LogFormat, LogLevel, Logging};
use std::path::PathBuf;

/// The predecessor's fixed names.
const LOG_FILE: &str = "/var/log/monitor_service.log";
const JSON_FILE: &str = "/var/log/monitor_service.json";
const STATS_FILE: &str = "/var/log/restart_stats.csv";

/// Reads `[logging]`.
pub(in crate::config) fn logging(mut reader: Reader<'_>) -> Logging {
    let file = match reader.raw("file") {
        Some(word) if word.eq_ignore_ascii_case("none") => None,
        _ => Some(reader.path("file").unwrap_or_else(|| PathBuf::from(LOG_FILE))),
    };
    let levels = [
        ("error", LogLevel::Error),
        ("critical", LogLevel::Error),
        ("warning", LogLevel::Warning),
        ("warn", LogLevel::Warning),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    let mut max_log_size_kib = reader.value::<u64>("max_log_size").unwrap_or(5120);
    if max_log_size_kib == 0 {
        let hint = "write a size in KiB, 5120 for instance; 1 is used until then";
        reader.warning("max_log_size", "the log would be rotated with every line", hint);
        max_log_size_kib = 1;
    }
    let logging = Logging {
        file,
        max_log_size_kib,
        log_files_to_keep: reader.number("log_files_to_keep", 0..=1000).unwrap_or(5).max(1),
        format: format(&mut reader),
        json_pretty: reader.value::<bool>("json_pretty").unwrap_or(false),
        level: reader.choice("log_level", &levels).unwrap_or(LogLevel::Info),
        console_output: reader.value::<bool>("console_output").unwrap_or(true),
        syslog: reader.value::<bool>("syslog").unwrap_or(true),
        json_copy: reader.value::<bool>("json_logging").unwrap_or(false).then(|| PathBuf::from(JSON_FILE)),
        restart_stats: reader
            .value::<bool>("track_restart_stats")
            .unwrap_or(false)
            .then(|| PathBuf::from(STATS_FILE)),
    };
    reader.finish();
    logging
}

/// Anything that is not `json` has always meant text.
fn format(reader: &mut Reader<'_>) -> LogFormat {
    match reader.raw("format") {
        Some(word) if word.eq_ignore_ascii_case("json") => LogFormat::Json,
        Some(word) if !word.eq_ignore_ascii_case("text") => {
            reader.warning("format", format!("{word:?} is neither text nor json"), "text is used");
            LogFormat::Text
        }
        _ => LogFormat::Text,
    }
}
