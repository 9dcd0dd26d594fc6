//! The values that travel between pm and a plugin: the target of a call and the answers to it.
//!
//! Every struct is non-exhaustive and every field has a default, every enum has a catch-all: a plugin built
//! against 1.0 goes on working with a pm that says more, and the other way round.

use crate::notice::Notice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a call is about: one configured process of the alarm table.
///
/// All texts except `name` come from the operator's configuration. `name` may come from the database: treat it
/// as data, never as part of a command line, a path or a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Target {
    /// The logical name: the row's `process_name`, the section `[process.NAME]`.
    pub name: String,
    /// The name the system knows it by (`system_name =`, else the logical name): unit, program or container.
    pub system_name: String,
    /// `process_id` of the alarm row; none for a restart by hand.
    pub process_id: Option<i64>,
    /// Which attempt of this alarm, from 1.
    pub attempt: u32,
    /// How many attempts there will be at the most.
    pub max_attempts: u32,
    /// Pause that the operator wants between stopping and starting, in milliseconds.
    pub restart_delay_ms: u64,
    /// How long pm waits for the answer, in milliseconds; a part should give up a little earlier and say why.
    pub timeout_ms: u64,
    /// Directory for commands to run in.
    pub working_directory: PathBuf,
    /// Variables for commands: those of the original service, without the database password.
    pub environment: BTreeMap<String, String>,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            name: String::new(),
            system_name: String::new(),
            process_id: None,
            attempt: 1,
            max_attempts: 1,
            restart_delay_ms: 0,
            timeout_ms: 30_000,
            working_directory: PathBuf::from("/"),
            environment: BTreeMap::new(),
        }
    }
}

impl Target {
    /// A target for a call by hand or a test; the system name is the name.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { system_name: name.clone(), name, ..Self::default() }
    }
    /// [`timeout_ms`](Self::timeout_ms) as a duration.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
    /// [`restart_delay_ms`](Self::restart_delay_ms) as a duration.
    pub fn restart_delay(&self) -> Duration {
        Duration::from_millis(self.restart_delay_ms)
    }
}

/// What a strategy did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The action was carried out; whether it helped is for the check to say.
    Done {
        /// What was done, for the log.
        #[serde(default)]
        action: Action,
        /// One line for people: `job done, state active (running)`.
        #[serde(default)]
        detail: String,
    },
    /// Let these strategies do it, one after the other.
    Delegate {
        /// Names of strategies, first choice first.
        to: Vec<String>,
        /// When the next one is taken.
        #[serde(default)]
        fallback: Fallback,
    },
    /// An answer from a newer interface that this pm does not know.
    #[serde(other)]
    Unknown,
}

/// The kind of action a strategy took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It was not running and was started.
    Started,
    /// It was running and was restarted.
    Restarted,
    /// A command was run; what it did is its own affair.
    #[default]
    #[serde(other)]
    Ran,
}

/// When a chain goes on with its next link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fallback {
    /// After any failure.
    Always,
    /// Only when the link before says "not found" or "unsupported".
    #[default]
    #[serde(other)]
    NotFound,
}

impl Outcome {
    /// The target was not running and was started.
    pub fn started(detail: impl Into<String>) -> Self {
        Self::Done { action: Action::Started, detail: detail.into() }
    }
    /// The target was running and was restarted.
    pub fn restarted(detail: impl Into<String>) -> Self {
        Self::Done { action: Action::Restarted, detail: detail.into() }
    }
    /// A command was run.
    pub fn ran(detail: impl Into<String>) -> Self {
        Self::Done { action: Action::Ran, detail: detail.into() }
    }
    /// Let these strategies do it, one after the other.
    pub fn delegate<S: Into<String>>(to: impl IntoIterator<Item = S>, fallback: Fallback) -> Self {
        Self::Delegate { to: to.into_iter().map(Into::into).collect(), fallback }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Health {
    /// It works.
    Healthy {
        /// What was seen: `active (running)`, `200 OK in 12 ms`.
        #[serde(default)]
        detail: String,
    },
    /// It does not work.
    Unhealthy {
        /// What was seen.
        #[serde(default)]
        why: String,
    },
    /// It could not be found out; unknown is not healthy.
    Unknown {
        /// Why not.
        #[serde(default)]
        why: String,
    },
    /// An answer from a newer interface that this pm does not know.
    #[serde(other)]
    Other,
}

impl Health {
    /// It works.
    pub fn healthy(detail: impl Into<String>) -> Self {
        Self::Healthy { detail: detail.into() }
    }
    /// It does not work.
    pub fn unhealthy(why: impl Into<String>) -> Self {
        Self::Unhealthy { why: why.into() }
    }
    /// It could not be found out.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }
}

/// What a strategy can say of its target before a restart destroys it. pm keeps it with the attempt, within bounds, and
/// escapes what a terminal would act on; nothing is decided by it.
///
/// ```
/// # use pm_plugin_api::Evidence;
/// let evidence = Evidence::default().fact("state", "down: 12 s").pid(4711).lines(["last words"]);
/// ```
///
/// Never put a command line, an environment or another text that may hold a secret into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Evidence {
    /// Pairs of a few words and one line, in the order they are shown: `state`, `down: 12 s`.
    pub facts: Vec<(String, String)>,
    /// The processes it consists of, as pm's own pid namespace numbers them; pm looks at them and at what descends from
    /// them.
    pub pids: Vec<u32>,
    /// The last lines of its own log, the oldest first; some 20 are meant.
    pub log: Vec<String>,
    /// Names of strategies to ask instead, one after the other until one knows the target: of a strategy that
    /// [delegates](Outcome::Delegate).
    pub ask: Vec<String>,
}

impl Evidence {
    /// With one more fact.
    #[must_use]
    pub fn fact(mut self, what: impl Into<String>, text: impl Into<String>) -> Self {
        self.facts.push((what.into(), text.into()));
        self
    }
    /// With one more process.
    #[must_use]
    pub fn pid(mut self, pid: u32) -> Self {
        self.pids.push(pid);
        self
    }
    /// With more lines of the log.
    #[must_use]
    pub fn lines<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.log.extend(lines.into_iter().map(Into::into));
        self
    }
    /// Let these strategies say it, one after the other.
    pub fn of<S: Into<String>>(strategies: impl IntoIterator<Item = S>) -> Self {
        Self { ask: strategies.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// The body of every call on the wire.
#[doc(hidden)]
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// What a call of a strategy or a check is about.
    pub target: Target,
    /// What a notifier is to tell.
    pub notice: Notice,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_from_the_future_do_not_break_an_old_reader() {
        let outcome: Outcome = serde_json::from_str(r#"{"result":"teleported","where":"moon"}"#).unwrap();
        assert_eq!(outcome, Outcome::Unknown);
        let done: Outcome =
            serde_json::from_str(r#"{"result":"done","action":"levitated","mass":3}"#).unwrap();
        assert_eq!(done, Outcome::ran(""));
        let request: Request = serde_json::from_str(r#"{"target":{"name":"web","colour":"red"}}"#).unwrap();
        assert_eq!(request.target.name, "web");
        assert_eq!(request.target.timeout(), Duration::from_secs(30));
        let evidence: Evidence = serde_json::from_str(r#"{"facts":[["a","b"]],"smell":"smoke"}"#).unwrap();
        assert_eq!(evidence, Evidence::default().fact("a", "b"));
    }
}
