//! Whom pm tells what: the words of the events, and one receiver, ready for use. Plain data.

use super::PartRef;
use crate::policy::bucket::Budget;
use crate::policy::model::Name;
use pm_plugin_api::Severity;
use std::collections::BTreeSet;
use std::time::Duration;

/// What can be told. The words are what operators and programs write and read: they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A restart did not succeed.
    RestartFailed,
    /// pm has stopped restarting a process for a while.
    BreakerOpened,
    /// One restart decides.
    BreakerHalfOpen,
    /// A process is well again.
    BreakerClosed,
    /// pm has stopped restarting the members of a group for a while.
    GroupOpened,
    /// One member of a group is tried.
    GroupHalfOpen,
    /// A group is well again.
    GroupClosed,
    /// What a strategy depends on fails: nothing is restarted by it for a while.
    DriverPaused,
    /// It works again.
    DriverBack,
    /// Too many alarms at once to be true.
    MassAlarm,
    /// They are not believed.
    MassAlarmHeld,
    /// They are believed.
    MassAlarmBelieved,
    /// It is over.
    MassAlarmOver,
    /// A maintenance window has begun.
    WindowStarted,
    /// A maintenance window has ended.
    WindowEnded,
    /// Another host has not been heard of.
    HostSilent,
    /// A plugin crashes, hangs or cannot be loaded.
    PluginFailing,
    /// The alarm database does not answer.
    DatabaseLost,
    /// It answers again.
    DatabaseBack,
    /// Asked for by `pm notify test`.
    Test,
    /// How many notices were held back by the limit, or lost.
    HeldBack,
}

impl EventKind {
    /// Those that a receiver can choose.
    pub const CHOICE: [Self; 19] = [
        Self::RestartFailed,
        Self::BreakerOpened,
        Self::BreakerHalfOpen,
        Self::BreakerClosed,
        Self::GroupOpened,
        Self::GroupHalfOpen,
        Self::GroupClosed,
        Self::DriverPaused,
        Self::DriverBack,
        Self::MassAlarm,
        Self::MassAlarmHeld,
        Self::MassAlarmBelieved,
        Self::MassAlarmOver,
        Self::WindowStarted,
        Self::WindowEnded,
        Self::HostSilent,
        Self::PluginFailing,
        Self::DatabaseLost,
        Self::DatabaseBack,
    ];

    /// `restart_failed`: as in `events =`, in what receivers get, and in the files of texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RestartFailed => "restart_failed",
            Self::BreakerOpened => "breaker_opened",
            Self::BreakerHalfOpen => "breaker_half_open",
            Self::BreakerClosed => "breaker_closed",
            Self::GroupOpened => "group_opened",
            Self::GroupHalfOpen => "group_half_open",
            Self::GroupClosed => "group_closed",
            Self::DriverPaused => "driver_paused",
            Self::DriverBack => "driver_back",
            Self::MassAlarm => "mass_alarm",
            Self::MassAlarmHeld => "mass_alarm_held",
            Self::MassAlarmBelieved => "mass_alarm_believed",
            Self::MassAlarmOver => "mass_alarm_over",
            Self::WindowStarted => "window_started",
            Self::WindowEnded => "window_ended",
            Self::HostSilent => "host_silent",
            Self::PluginFailing => "plugin_failing",
            Self::DatabaseLost => "database_lost",
            Self::DatabaseBack => "database_back",
            Self::Test => "test",
            Self::HeldBack => "held_back",
        }
    }

    /// How urgent it is. Critical: nobody restarts something that is down, and a person has to.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::BreakerOpened
            | Self::GroupOpened
            | Self::MassAlarm
            | Self::MassAlarmHeld
            | Self::HostSilent
            | Self::DatabaseLost => Severity::Critical,
            Self::RestartFailed
            | Self::DriverPaused
            | Self::MassAlarmBelieved
            | Self::PluginFailing
            | Self::HeldBack => Severity::Warning,
            _ => Severity::Info,
        }
    }
}

/// The languages that pm's notices are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `ro`.
    Romanian,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Romanian];

    /// `en`, `ro`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Romanian => "ro",
        }
    }

    /// That of a locale: `ro_RO.UTF-8` is Romanian, what is not known is English.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|known| known.word() == language).unwrap_or_default()
    }
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The NAME of `[notify.NAME]`.
    pub name: String,
    /// The notifier and its settings.
    pub part: PartRef,
    /// `events`: what it is told.
    pub events: BTreeSet<EventKind>,
    /// `min_severity`: nothing less urgent.
    pub min_severity: Severity,
    /// `processes`: of processes only these and those of `groups`; all when both are empty.
    pub processes: BTreeSet<Name>,
    /// `groups`: of groups only these.
    pub groups: BTreeSet<Name>,
    /// `language`.
    pub language: Language,
    /// `rate_limit` and `rate_refill`.
    pub rate: Budget,
    /// `deduplicate`: the same is told once in this time.
    pub deduplicate: Duration,
    /// `retry_for`: how long it is tried again.
    pub retry_for: Duration,
    /// `notify_timeout`: how long one try may take.
    pub timeout: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_a_language() {
        for (locale, word) in
            [("ro_RO.UTF-8", "ro"), ("ro", "ro"), ("ro.UTF-8", "ro"), ("roa", "en"), ("C", "en"), ("", "en")]
        {
            assert_eq!(Language::of_locale(locale).word(), word, "{locale}");
        }
    }

    #[test]
    fn words_are_different() {
        let words: BTreeSet<_> = EventKind::CHOICE.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), EventKind::CHOICE.len());
    }
}
