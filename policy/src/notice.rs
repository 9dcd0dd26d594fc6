//! What people should know: the changes that are announced once, by log and messages.

use crate::group::GroupCause;
use crate::name::Name;
use crate::time::{Ticks, Wall};
use crate::window::Scope;

/// Something people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The breaker of a process opened.
    BreakerOpened {
        /// Whose.
        name: Name,
        /// Restarts that did not help.
        count: u32,
        /// The level from now on.
        level: u8,
        /// When one trial is allowed.
        until: Ticks,
    },
    /// One restart decides.
    BreakerHalfOpen {
        /// Whose.
        name: Name,
    },
    /// The breaker closed after a stable period.
    BreakerClosed {
        /// Whose.
        name: Name,
    },
    /// A restart lasted after others that had not helped; these are forgotten.
    FailuresForgotten {
        /// Whose.
        name: Name,
    },
    /// A restart that seemed to help did not last.
    Relapsed {
        /// Whose.
        name: Name,
        /// How long it lasted, in milliseconds.
        after_ms: u64,
        /// The step of the ladder that comes next.
        rung: u32,
    },
    /// A restart was followed by a stable period.
    Lasted {
        /// Whose.
        name: Name,
    },
    /// The breaker of a group opened.
    GroupOpened {
        /// Which.
        group: Name,
        /// Why.
        cause: GroupCause,
        /// Members in trouble; of a trial that did not help the one that was tried.
        troubled: Vec<Name>,
        /// When one canary is allowed.
        until: Ticks,
    },
    /// One member of a group may be restarted.
    GroupHalfOpen {
        /// Which.
        group: Name,
    },
    /// The canary was stable; members are let go by 1, 2, 4, …
    GroupReleasing {
        /// Which.
        group: Name,
    },
    /// The breaker of a group closed.
    GroupClosed {
        /// Which.
        group: Name,
    },
    /// A driver failed too often; all that need it wait.
    DriverPaused {
        /// Which.
        driver: Name,
        /// When one job finds out.
        until: Ticks,
    },
    /// A driver works again.
    DriverBack {
        /// Which.
        driver: Name,
    },
    /// So many alarms at once that they are looked at before anything is restarted.
    MassAlarm {
        /// Rows in alarm.
        alarms: u64,
        /// Rows.
        known: u64,
    },
    /// Most of them are healthy: nothing is restarted without a check that says so, and somebody is asked.
    MassHeld {
        /// Processes that were looked at.
        looked: u64,
        /// Those of them that are healthy.
        healthy: u64,
    },
    /// The alarms are believed.
    MassBelieved {
        /// Processes that were looked at.
        looked: u64,
        /// Those of them that are healthy.
        healthy: u64,
    },
    /// It is over.
    MassOver,
    /// A maintenance window opened.
    WindowStarted {
        /// Which.
        id: Name,
        /// Whom it covers.
        scopes: Vec<Scope>,
        /// Why there is one.
        reason: String,
        /// When it ends.
        until: Wall,
    },
    /// A maintenance window ended.
    WindowEnded {
        /// Which.
        id: Name,
        /// Whom it covered; empty when that is not known.
        scopes: Vec<Scope>,
        /// When it was taken away before its time: since when it had been open.
        early: Option<Wall>,
    },
}

impl Notice {
    /// The process whose breaker it is about.
    #[must_use]
    pub fn process(&self) -> Option<&Name> {
        match self {
            Self::BreakerOpened { name, .. }
            | Self::BreakerHalfOpen { name }
            | Self::BreakerClosed { name } => Some(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Ticks;

    #[test]
    fn a_change_of_a_breaker_names_its_process_and_nothing_else_does() {
        let name = Name::new("web");
        let opened = Notice::BreakerOpened { name: name.clone(), count: 3, level: 1, until: Ticks(9) };
        let of_breakers = [
            opened,
            Notice::BreakerHalfOpen { name: name.clone() },
            Notice::BreakerClosed { name: name.clone() },
        ];
        for notice in of_breakers {
            assert_eq!(notice.process(), Some(&name), "{notice:?}");
        }
        // A group or a driver is no process, whatever it is called.
        for notice in [
            Notice::GroupHalfOpen { group: name.clone() },
            Notice::DriverBack { driver: name.clone() },
            Notice::WindowEnded { id: name, scopes: Vec::new(), early: None },
            Notice::MassOver,
        ] {
            assert_eq!(notice.process(), None, "{notice:?}");
        }
    }
}
