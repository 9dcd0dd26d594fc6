//! For authors: a fake host. A part goes through the same settings parser, the same JSON and the same guard against panics
//! as in pm, without a daemon and without loading a library.
//!
//! ```
//! # use pm_plugin_api::{NoSettings, Outcome, Result, Strategy, Target};
//! use pm_plugin_api::testing::{logged, strategy, target};
//! # struct Echo;
//! # impl Strategy for Echo {
//! #     type Settings = NoSettings;
//! #     fn new(_: NoSettings) -> Result<Self> { Ok(Self) }
//! #     fn restart(&self, target: &Target) -> Result<Outcome> {
//! #         tracing::info!("echo {} in {} ms", target.name, target.timeout_ms);
//! #         Ok(Outcome::ran("said"))
//! #     }
//! # }
//! let echo = strategy::<Echo>(&[]).unwrap();
//! let web = target("web").timeout_ms(500);
//! let (outcome, log) = logged(|| echo.restart(&web));
//! assert_eq!(outcome.unwrap(), Outcome::ran("said"));
//! assert_eq!(log, ["INFO echo web in 500 ms"]);
//! ```
//!
//! [`strategy`], [`check`] and [`notifier`] make a part from the keys of a section, as the operator writes them;
//! [`target`] and [`notice`] make what it is asked about; [`logged`] hears what it says; [`settings`] and [`flaws`] look at
//! the settings alone.

mod build;
mod recorder;

pub use build::{NoticeToTell, TargetToAsk, notice, target};
pub use recorder::logged;

use crate::error::Result;
use crate::export::{CheckPart, NotifierPart, Part, StrategyPart, guarded};
use crate::notice::Notice;
use crate::part::{HealthCheck, Notifier, Strategy};
use crate::settings::{Settings, Texts, judge, keys};
use crate::types::{Evidence, Health, Outcome, Request, Target};

/// A part as pm sees it.
pub struct Tested(Box<dyn Part>);

/// Makes a strategy from the keys of a section.
///
/// # Errors
/// What the operator would read: unknown keys, bad values, [`Strategy::new`]'s own errors.
pub fn strategy<S: Strategy>(section: &[(&str, &str)]) -> Result<Tested> {
    made(StrategyPart::<S>::make, section)
}

/// Makes a check from the keys of a section.
///
/// # Errors
/// As [`strategy`].
pub fn check<C: HealthCheck>(section: &[(&str, &str)]) -> Result<Tested> {
    made(CheckPart::<C>::make, section)
}

/// Makes a notifier from the keys of a section.
///
/// # Errors
/// As [`strategy`].
pub fn notifier<N: Notifier>(section: &[(&str, &str)]) -> Result<Tested> {
    made(NotifierPart::<N>::make, section)
}

/// Reads settings alone.
///
/// # Errors
/// What the operator would read.
pub fn settings<S: Settings>(section: &[(&str, &str)]) -> Result<S> {
    S::read(&texts(section))
}

/// What `pm plugins verify` would object to in the description of settings: keys without a text, defaults that cannot be
/// read.
///
/// ```
/// # use pm_plugin_api::testing::flaws;
/// pm_plugin_api::settings! {
///     struct Told {
///         /// How long it may take.
///         told_limit: std::time::Duration = "5s",
///     }
/// }
/// pm_plugin_api::settings! {
///     struct Untold { untold_limit: std::time::Duration = "soon" }
/// }
/// assert!(flaws::<Told>().is_empty());
/// assert_eq!(flaws::<Untold>().len(), 2);
/// ```
pub fn flaws<S: Settings>() -> Vec<String> {
    let mut flaws = Vec::new();
    for key in keys(S::SCHEMA) {
        if key.text.is_empty() {
            flaws.push(format!("{} has no text", key.name));
        }
        if let Some(Err(why)) = key.default.as_ref().map(|default| judge(&key, default)) {
            flaws.push(format!("the default of {} cannot be read: {why}", key.name));
        }
    }
    flaws
}

fn made(make: crate::export::Maker, section: &[(&str, &str)]) -> Result<Tested> {
    // Before the part can say anything.
    recorder::install();
    guarded("new", || make(&texts(section))).map(Tested)
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
        self.about("restart", target)
    }
    /// [`Strategy::identity`].
    ///
    /// # Errors
    /// Those of the strategy.
    pub fn identity(&self, target: &Target) -> Result<Option<String>> {
        self.about("identity", target)
    }
    /// [`Strategy::evidence`].
    ///
    /// # Errors
    /// Those of the strategy.
    pub fn evidence(&self, target: &Target) -> Result<Evidence> {
        self.about("evidence", target)
    }
    /// [`HealthCheck::check`].
    ///
    /// # Errors
    /// Those of the check.
    pub fn check(&self, target: &Target) -> Result<Health> {
        self.about("check", target)
    }
    /// [`Notifier::notify`].
    ///
    /// # Errors
    /// Those of the notifier.
    pub fn notify(&self, notice: &Notice) -> Result<()> {
        self.ask("notify", &Request { notice: notice.clone(), ..Request::default() })
    }

    /// Any operation with a body as it travels; answers JSON. For what a pm of another version could ask.
    ///
    /// # Errors
    /// Those of the part, "panicked", "unsupported".
    pub fn call(&self, op: &str, body: &str) -> Result<String> {
        let answer = guarded(op, || self.0.call(op, &serde_json::from_str::<Request>(body)?))?;
        Ok(String::from_utf8(answer)?)
    }

    fn about<T: serde::de::DeserializeOwned>(&self, op: &str, target: &Target) -> Result<T> {
        self.ask(op, &Request { target: target.clone(), ..Request::default() })
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, op: &str, request: &Request) -> Result<T> {
        let answer = self.call(op, &serde_json::to_string(request)?)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::NoSettings;
    use crate::{Error, ErrorKind};

    struct Moody;

    impl HealthCheck for Moody {
        type Settings = NoSettings;
        fn new(_: NoSettings) -> Result<Self> {
            Ok(Self)
        }
        fn check(&self, target: &Target) -> Result<Health> {
            match target.name.as_str() {
                "panic" => panic!("not today"),
                "gone" => Err(Error::not_found("nobody")),
                name => Ok(Health::healthy(name)),
            }
        }
    }

    #[test]
    fn a_part_answers_as_in_pm_with_panics_and_unknown_operations_as_errors() {
        let moody = check::<Moody>(&[]).unwrap();
        assert_eq!(moody.check(&target("web")), Ok(Health::healthy("web")));
        assert_eq!(moody.check(&target("gone")).unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(moody.check(&target("panic")).unwrap_err().kind, ErrorKind::Panicked);
        assert_eq!(moody.restart(&target("web")).unwrap_err().kind, ErrorKind::Unsupported);
        assert_eq!(moody.call("check", "nonsense").unwrap_err().kind, ErrorKind::Failed);
        let answer = moody.call("check", r#"{"target":{"name":"db","colour":"red"},"mood":3}"#);
        assert_eq!(answer.as_deref(), Ok(r#"{"health":"healthy","detail":"db"}"#));
        assert_eq!(check::<Moody>(&[("x", "1")]).err().unwrap().kind, ErrorKind::Config);
    }
}
