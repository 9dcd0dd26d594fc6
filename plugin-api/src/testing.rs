//! For authors: a fake host. A part goes through the same JSON and the same settings parser as in pm.
//!
//! ```
//! # use pm_plugin_api::{NoSettings, Outcome, Result, Strategy, Target};
//! struct Echo;
//! impl Strategy for Echo {
//!     type Settings = NoSettings;
//!     fn new(_: NoSettings) -> Result<Self> { Ok(Self) }
//!     fn restart(&self, target: &Target) -> Result<Outcome> {
//!         tracing::info!("echo {}", target.name);
//!         Ok(Outcome::ran("said"))
//!     }
//! }
//! let echo = pm_plugin_api::testing::strategy::<Echo>(&[]).unwrap();
//! let (outcome, log) = pm_plugin_api::testing::logged(|| echo.restart(&Target::named("web")));
//! assert_eq!(outcome.unwrap(), Outcome::ran("said"));
//! assert_eq!(log, ["INFO echo web"]);
//! ```

use crate::bridge::Line;
use crate::error::Result;
use crate::export::{CheckPart, NotifierPart, Part, StrategyPart};
use crate::notice::Notice;
use crate::part::{HealthCheck, Notifier, Strategy};
use crate::settings::Texts;
use crate::types::{Evidence, Health, Outcome, Request, Target};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A part as pm sees it.
pub struct Tested(Box<dyn Part>);

/// Makes a strategy from the keys of a section.
///
/// # Errors
/// What the operator would read: unknown keys, bad values, [`Strategy::new`]'s own errors.
pub fn strategy<S: Strategy>(section: &[(&str, &str)]) -> Result<Tested> {
    StrategyPart::<S>::make(&texts(section)).map(Tested)
}

/// Makes a check from the keys of a section.
///
/// # Errors
/// As [`strategy`].
pub fn check<C: HealthCheck>(section: &[(&str, &str)]) -> Result<Tested> {
    CheckPart::<C>::make(&texts(section)).map(Tested)
}

/// Makes a notifier from the keys of a section.
///
/// # Errors
/// As [`strategy`].
pub fn notifier<N: Notifier>(section: &[(&str, &str)]) -> Result<Tested> {
    NotifierPart::<N>::make(&texts(section)).map(Tested)
}

fn texts(section: &[(&str, &str)]) -> Texts {
    section.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Tested {
    /// [`Strategy::restart`].
    ///
    /// # Errors
    /// Those of the strategy.
    pub fn restart(&self, target: &Target) -> Result<Outcome> {
        self.call("restart", target)
    }
    /// [`Strategy::identity`].
    ///
    /// # Errors
    /// Those of the strategy.
    pub fn identity(&self, target: &Target) -> Result<Option<String>> {
        self.call("identity", target)
    }
    /// [`Strategy::evidence`].
    ///
    /// # Errors
    /// Those of the strategy.
    pub fn evidence(&self, target: &Target) -> Result<Evidence> {
        self.call("evidence", target)
    }
    /// [`HealthCheck::check`].
    ///
    /// # Errors
    /// Those of the check.
    pub fn check(&self, target: &Target) -> Result<Health> {
        self.call("check", target)
    }

    /// [`Notifier::notify`].
    ///
    /// # Errors
    /// Those of the notifier.
    pub fn notify(&self, notice: &Notice) -> Result<()> {
        self.ask("notify", &Request { notice: notice.clone(), ..Request::default() })
    }

    fn call<T: serde::de::DeserializeOwned>(&self, op: &str, target: &Target) -> Result<T> {
        self.ask(op, &Request { target: target.clone(), ..Request::default() })
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, op: &str, request: &Request) -> Result<T> {
        let body = serde_json::to_vec(request)?;
        let request: Request = serde_json::from_slice(&body)?;
        Ok(serde_json::from_slice(&self.0.call(op, &request)?)?)
    }
}

/// Runs `body` and returns what it logged on this thread, as `LEVEL message key=value`.
pub fn logged<T>(body: impl FnOnce() -> T) -> (T, Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let result = tracing::subscriber::with_default(Recorder(Arc::clone(&lines)), body);
    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    (result, lines)
}

struct Recorder(Arc<Mutex<Vec<String>>>);

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{} {}", event.metadata().level(), line.text());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
