//! Where `tracing` hands over its events.
//!
//! Disabled events cost one comparison of numbers: the level is told to tracing and asked again after a reload.
//! Spans are not kept. Other people's crates are heard from warning on; their detail is theirs. What a plugin says
//! itself counts as pm's own, what a crate inside the plugin says does not.

use super::line::{Line, Value};
use super::{Level, Shared};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// The subscriber of this process.
pub(super) struct Collector(pub(super) Arc<Shared>);

impl From<&tracing::Level> for Level {
    fn from(level: &tracing::Level) -> Self {
        match *level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// Whether a module of a plugin is the plugin itself: its crate is called like it, with or without the usual prefix.
fn speaks_itself(plugin: &str, module: &str) -> bool {
    let name = plugin.replace('-', "_");
    let within = module.split("::").next().unwrap_or_default();
    within == name
        || within.strip_prefix("pm_plugin_") == Some(name.as_str())
        || ["pm_plugin_api", "panic"].contains(&within)
}

/// Whether an event of this level from this module is written at a level.
fn heard(event: Level, target: &str, level: u8) -> bool {
    // What a plugin says comes with the target "plugin": the output of the operator's commands is among it.
    let own = matches!(target, "pm" | "plugin") || target.starts_with("pm::") || target.starts_with("pm_");
    let limit = if own || level == Level::Trace as u8 { level } else { level.min(Level::Warning as u8) };
    event as u8 <= limit
}

impl Subscriber for Collector {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && heard(metadata.level().into(), metadata.target(), self.0.level())
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.level() {
            0 => LevelFilter::ERROR,
            1 => LevelFilter::WARN,
            2 => LevelFilter::INFO,
            3 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }
    fn event(&self, event: &Event<'_>) {
        let mut line = Line {
            at: self.0.clock.now().wall,
            level: event.metadata().level().into(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        if let Some((plugin, module)) = line.origin_in_plugin()
            && !speaks_itself(plugin, module)
            && !heard(line.level, module, self.0.level())
        {
            return;
        }
        self.0.write(&line);
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Line {
    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.message = text,
            (name, value) => self.fields.push((name.strip_prefix("r#").unwrap_or(name), value)),
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, Value::Float(value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, Value::Signed(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, Value::Unsigned(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, Value::Bool(value));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, Value::Text(value.to_owned()));
    }
    /// The whole chain: an error names its source without printing it.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut next = value.source();
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        self.take(field, Value::Text(text));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, Value::Text(format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_heard_and_the_crates_inside_it_are_not() {
        for (plugin, module) in
            [("custom", "pm_plugin_custom::restart"), ("my-own", "my_own"), ("x", "pm_plugin_api::command")]
        {
            assert!(speaks_itself(plugin, module), "{module}");
        }
        for (plugin, module) in [("docker", "bollard::docker"), ("custom", "customs"), ("net", "")] {
            assert!(!speaks_itself(plugin, module), "{module}");
        }
    }

    #[test]
    fn other_crates_are_heard_from_warning_on() {
        let info = Level::Info as u8;
        assert!(heard(Level::Info, "pm_host::daemon", info) && heard(Level::Info, "pm", info));
        assert!(heard(Level::Info, "plugin", info) && !heard(Level::Debug, "plugin", info));
        assert!(!heard(Level::Debug, "pm_host::daemon", info));
        assert!(heard(Level::Warning, "mysql::conn", info));
        for noisy in ["mysql", "zbus::connection", "pmdk", "rustls"] {
            assert!(!heard(Level::Info, noisy, info), "{noisy}");
            assert!(!heard(Level::Debug, noisy, Level::Debug as u8), "{noisy}");
            assert!(heard(Level::Trace, noisy, Level::Trace as u8), "{noisy}");
        }
        assert!(!heard(Level::Warning, "mysql", Level::Error as u8));
    }
}
