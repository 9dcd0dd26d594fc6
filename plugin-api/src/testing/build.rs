//! What a part is asked about, put together in a line.

use crate::notice::{Notice, Severity};
use crate::types::Target;
use std::ops::Deref;
use std::path::Path;

/// A [`Target`] under construction; a reference to it is one to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetToAsk(Target);

/// A target of that name, as for a restart by hand.
///
/// ```
/// # use pm_plugin_api::testing::target;
/// let web = target("web").system_name("web.service").attempt(2, 3).timeout_ms(500).variable("STAGE", "test");
/// assert_eq!((web.name.as_str(), web.system_name.as_str(), web.attempt), ("web", "web.service", 2));
/// ```
pub fn target(name: &str) -> TargetToAsk {
    TargetToAsk(Target::named(name))
}

impl TargetToAsk {
    /// The name that the system knows; that of the target when nothing is said.
    #[must_use]
    pub fn system_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.system_name);
        self
    }
    /// The id of the alarm's row.
    #[must_use]
    pub fn process_id(mut self, id: i64) -> Self {
        self.0.process_id = Some(id);
        self
    }
    /// Which attempt, of how many.
    #[must_use]
    pub fn attempt(mut self, number: u32, of: u32) -> Self {
        (self.0.attempt, self.0.max_attempts) = (number, of);
        self
    }
    /// The pause between stopping and starting.
    #[must_use]
    pub fn restart_delay_ms(mut self, millis: u64) -> Self {
        self.0.restart_delay_ms = millis;
        self
    }
    /// How long pm would wait; 30 seconds when nothing is said.
    #[must_use]
    pub fn timeout_ms(mut self, millis: u64) -> Self {
        self.0.timeout_ms = millis;
        self
    }
    /// Where commands run; `/` when nothing is said.
    #[must_use]
    pub fn working_directory(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.0.working_directory);
        self
    }
    /// One more variable for commands.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.0.environment.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Deref for TargetToAsk {
    type Target = Target;
    fn deref(&self) -> &Target {
        &self.0
    }
}

/// A [`Notice`] under construction; a reference to it is one to the notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeToTell(Notice);

/// A notice of that event, with a sentence.
///
/// ```
/// # use pm_plugin_api::{Severity, testing::notice};
/// let notice = notice("breaker_opened", "web was given up").about("web").severity(Severity::Critical);
/// assert_eq!((notice.subject.as_str(), notice.host.as_str()), ("web", "host-1"));
/// ```
pub fn notice(event: &str, summary: &str) -> NoticeToTell {
    let mut notice = Notice::of(event, summary);
    // As real ones have them.
    "host-1".clone_into(&mut notice.host);
    "test-1".clone_into(&mut notice.id);
    NoticeToTell(notice)
}

impl NoticeToTell {
    /// Whom it is about.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.0.subject);
        self
    }
    /// How urgent it is.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.0.severity = severity;
        self
    }
    /// What else is known.
    #[must_use]
    pub fn detail(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.0.detail);
        self
    }
    /// How many times it happened.
    #[must_use]
    pub fn repeated(mut self, times: u32) -> Self {
        self.0.repeated = times;
        self
    }
    /// How long pm would wait.
    #[must_use]
    pub fn timeout_ms(mut self, millis: u64) -> Self {
        self.0.timeout_ms = millis;
        self
    }
}

impl Deref for NoticeToTell {
    type Target = Notice;
    fn deref(&self) -> &Notice {
        &self.0
    }
}
