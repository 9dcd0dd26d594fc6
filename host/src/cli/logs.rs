//! From the configuration's logging to the telemetry's settings.

use crate::cli::Failure;
use crate::cli::compose::Context;
use crate::config::{Config, LogFormat, LogLevel};
use crate::telemetry::{self, Audience, Format, Layout, Level, LogSettings, Switch};

/// What the daemon logs, and where.
pub(crate) fn settings(config: &Config) -> LogSettings {
    let logging = &config.logging;
    LogSettings {
        file: logging.file.clone(),
        json_copy: logging.json_copy.clone(),
        max_kib: logging.max_log_size_kib,
        keep: logging.log_files_to_keep,
        format: match logging.format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        },
        layout: if logging.json_pretty { Layout::Pretty } else { Layout::Line },
        level: match logging.level {
            LogLevel::Error => Level::Error,
            LogLevel::Warning => Level::Warning,
            LogLevel::Info => Level::Info,
            LogLevel::Debug => Level::Debug,
            LogLevel::Trace => Level::Trace,
        },
        console: switch(logging.console_output),
        syslog: switch(logging.syslog),
    }
}

/// What a daemon logs that only observes: the same, on standard output alone.
pub(crate) fn observing(config: &Config) -> LogSettings {
    LogSettings { file: None, json_copy: None, console: Switch::On, syslog: Switch::Off, ..settings(config) }
}

/// For a command that acts by hand: its log goes to stderr only, so that stdout holds the result.
pub(crate) fn to_console(context: &Context) -> Result<(), Failure> {
    let stderr = std::io::stderr();
    telemetry::init(observing(&context.config), context.clock(), Audience::of(&stderr), Box::new(stderr))
        .map(drop)
        .map_err(|error| Failure::failed(&error))
}

fn switch(on: bool) -> Switch {
    if on { Switch::On } else { Switch::Off }
}
