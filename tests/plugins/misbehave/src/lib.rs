//! A plugin for the tests of the loader: parts that panic, hang, count and log, each on request of its settings.
//!
//! It is written as an author would write it, through the public traits only; what it does wrong is what authors
//! do wrong. It is never installed.

#![forbid(unsafe_code)]

use pm_plugin_api::{Evidence, Health, HealthCheck, NoSettings, Outcome, Result, Strategy, Target};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pm_plugin_api::settings! {
    /// Settings of the strategy "panics".
    struct PanicSettings {
        /// Where it panics: `new`, `restart`, `payload` (with a payload that is no text) or `drop`.
        place: String = "restart",
    }
}

struct Panics {
    place: String,
}

impl Strategy for Panics {
    type Settings = PanicSettings;

    fn new(settings: PanicSettings) -> Result<Self> {
        assert_ne!(settings.place, "new", "boom in new");
        Ok(Self { place: settings.place })
    }
    fn restart(&self, target: &Target) -> Result<Outcome> {
        if let Some(file) = self.place.strip_prefix("abort ") {
            // Once: the next pm finds the file.
            return match std::fs::File::create_new(file) {
                Ok(_) => std::process::abort(),
                Err(_) => Ok(Outcome::ran("this time")),
            };
        }
        match self.place.as_str() {
            "payload" => std::panic::panic_any(DropBomb),
            "drop" => Ok(Outcome::ran("later")),
            _ => panic!("boom for {}", target.name),
        }
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        assert_ne!(self.place, "drop", "boom in drop");
    }
}

/// A payload that panics again when it is dropped.
struct DropBomb;

impl Drop for DropBomb {
    fn drop(&mut self) {
        panic!("boom in the payload");
    }
}

pm_plugin_api::settings! {
    /// Settings of the strategy "hangs".
    struct HangSettings {
        /// It hangs until this file exists.
        until: PathBuf,
    }
}

struct Hangs {
    until: PathBuf,
}

impl Strategy for Hangs {
    type Settings = HangSettings;

    fn new(settings: HangSettings) -> Result<Self> {
        Ok(Self { until: settings.until })
    }
    fn restart(&self, _: &Target) -> Result<Outcome> {
        self.hang();
        Ok(Outcome::ran("at last"))
    }
    fn evidence(&self, _: &Target) -> Result<Evidence> {
        self.hang();
        Ok(Evidence::default().fact("seen", "at last"))
    }
}

impl Hangs {
    fn hang(&self) {
        while !self.until.exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pm_plugin_api::settings! {
    /// Settings of the strategy "counts".
    pub struct CountSettings {
        /// Tells one part from another. A long text, so that the tests see how it is wrapped: it has no other meaning
        /// than to make two sets of settings differ, and is never looked at by the strategy itself.
        pub label: Option<String>,
        /// Is read as a duration.
        pub wait: Duration = "10s",
    }
}

/// How many of them were made.
static MADE: AtomicU32 = AtomicU32::new(0);

struct Counts {
    number: u32,
    calls: AtomicU32,
}

impl Strategy for Counts {
    type Settings = CountSettings;

    fn new(_: CountSettings) -> Result<Self> {
        Ok(Self { number: MADE.fetch_add(1, Ordering::Relaxed) + 1, calls: AtomicU32::new(0) })
    }
    fn restart(&self, _: &Target) -> Result<Outcome> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Outcome::ran(format!("part {}, call {calls}", self.number)))
    }
}

struct Logs;

impl Strategy for Logs {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }
    fn restart(&self, target: &Target) -> Result<Outcome> {
        tracing::error!(target_name = %target.name, "logged at error");
        tracing::warn!("logged at warn");
        tracing::info!("logged at info");
        tracing::debug!("logged at debug");
        tracing::trace!("logged at trace");
        // A thread of the plugin's own, as asynchronous libraries have.
        let _ = std::thread::spawn(|| tracing::info!("logged elsewhere")).join();
        Ok(Outcome::ran("logged"))
    }
}

/// A check, so that the tests can take it for a strategy.
struct Looks;

impl HealthCheck for Looks {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }
    fn check(&self, target: &Target) -> Result<Health> {
        Ok(Health::healthy(format!("looked at {}", target.name)))
    }
}

pm_plugin_api::export! {
    strategy "panics" => Panics,
    strategy "hangs" => Hangs,
    strategy "counts" => Counts,
    strategy "logs" => Logs,
    check "looks" => Looks,
}
