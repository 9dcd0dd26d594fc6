//! What a [`Notifier`](crate::Notifier) is asked to tell people: one thing that happened, in machine words and in
//! sentences.
//!
//! As everywhere at this boundary: every field has a default, and what a newer pm says more is passed over.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing that people should know.
///
/// `subject`, `summary` and `detail` may hold names out of the database. pm escapes control characters in them; to a
/// notifier they are data still, never part of a command line, a header or a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Notice {
    /// What happened, as a word that stays: `restart_failed`, `breaker_opened`. The book lists them; new ones may come.
    pub event: String,
    /// How urgent it is.
    pub severity: Severity,
    /// Whom it is about: the name of a process, group or plugin; empty when it is about the host as a whole.
    pub subject: String,
    /// The host that tells it.
    pub host: String,
    /// One sentence for people, in [`language`](Self::language); fits a subject line.
    pub summary: String,
    /// What else is known, a few lines at the most; may be empty.
    pub detail: String,
    /// When it happened, in milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// How many times it happened since it was last told; 1 unless repetitions were held back.
    pub repeated: u32,
    /// Language of the sentences: `en`, `ro`.
    pub language: String,
    /// The same for each try to deliver this notice, and for no other notice of this host: for receivers that can drop
    /// what they have already got.
    pub id: String,
    /// How long pm waits for the answer, in milliseconds; a notifier should give up a little earlier and say why.
    pub timeout_ms: u64,
}

/// How urgent a notice is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Somebody should look now: pm has stopped trying, or cannot work.
    Critical = 2,
    /// Somebody should look, in working hours.
    Warning = 1,
    /// Good to know; nothing has to be done.
    #[default]
    #[serde(other)]
    Info = 0,
}

impl Severity {
    /// `info`, `warning`, `critical`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Default for Notice {
    fn default() -> Self {
        Self {
            event: String::new(),
            severity: Severity::Info,
            subject: String::new(),
            host: String::new(),
            summary: String::new(),
            detail: String::new(),
            time_ms: 0,
            repeated: 1,
            language: "en".to_owned(),
            id: String::new(),
            timeout_ms: 30_000,
        }
    }
}

impl Notice {
    /// A notice of this event with this sentence, for a test or a call by hand.
    pub fn of(event: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { event: event.into(), summary: summary.into(), ..Self::default() }
    }
    /// [`timeout_ms`](Self::timeout_ms) as a duration.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_from_the_future_is_read_as_far_as_it_is_known() {
        let text = r#"{"event":"x","severity":"cosmic","smell":"smoke"}"#;
        let notice: Notice = serde_json::from_str(text).unwrap();
        assert_eq!(notice, Notice::of("x", ""));
        assert_eq!(notice.timeout(), Duration::from_secs(30));
    }

    #[test]
    fn severities_have_an_order_and_words() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Critical);
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            assert_eq!(serde_json::to_string(&severity).unwrap(), format!("\"{}\"", severity.word()));
        }
    }
}
