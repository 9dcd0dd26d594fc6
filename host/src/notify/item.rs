//! One thing to tell, before it is put into words: which event, about whom, and what it repeats.

use crate::policy::model::{Name, Notice};
use crate::policy::time::Now;
use crate::policy::window::Scope;
use crate::ports::Happened;
use crate::spec::{EventKind, Receiver};
use pm_plugin_api::Severity;
use std::collections::BTreeMap;

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Something happened.
    Happened(Happened),
    /// So many notices were held back by the limit, by event, and so many were lost.
    HeldBack(BTreeMap<EventKind, u32>, u32),
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) kind: EventKind,
    pub(super) severity: Severity,
    /// Whom it is about.
    pub(super) subject: String,
    pub(super) what: What,
    pub(super) at: Now,
    /// How many times it happened since it was last told.
    pub(super) repeated: u32,
    /// The same for each try to deliver it.
    pub(super) id: String,
}

impl Item {
    /// None when people need not know.
    pub(super) fn of(happened: Happened, at: Now, id: String) -> Option<Self> {
        let (kind, subject) = judged(&happened)?;
        let (severity, what) = (kind.severity(), What::Happened(happened));
        Some(Self { kind, severity, subject, what, at, repeated: 1, id })
    }

    /// Events that replace each other: only the same one as last is a repetition.
    pub(super) fn family(&self) -> &'static str {
        match self.kind {
            EventKind::BreakerOpened | EventKind::BreakerHalfOpen | EventKind::BreakerClosed => "breaker",
            EventKind::GroupOpened | EventKind::GroupHalfOpen | EventKind::GroupClosed => "group",
            EventKind::DriverPaused | EventKind::DriverBack => "driver",
            EventKind::MassAlarm
            | EventKind::MassAlarmHeld
            | EventKind::MassAlarmBelieved
            | EventKind::MassAlarmOver => "mass",
            EventKind::WindowStarted | EventKind::WindowEnded => "window",
            EventKind::DatabaseLost | EventKind::DatabaseBack => "database",
            other => other.word(),
        }
    }

    /// Whether the receiver wants to know. What is about the host as a whole concerns everybody.
    pub(super) fn concerns(&self, receiver: &Receiver) -> bool {
        if !receiver.events.contains(&self.kind) || self.severity < receiver.min_severity {
            return false;
        }
        if receiver.processes.is_empty() && receiver.groups.is_empty() {
            return true;
        }
        match &self.what {
            What::Happened(Happened::Concluded { touches, .. }) => {
                touches.is_empty() || touches.iter().any(|scope| is_touched(receiver, scope))
            }
            What::Happened(Happened::RestartFailed { name, group, .. }) => {
                is_one_of(receiver, name, group.as_ref())
            }
            _ => true,
        }
    }
}

fn is_one_of(receiver: &Receiver, name: &Name, group: Option<&Name>) -> bool {
    receiver.processes.contains(name) || group.is_some_and(|group| receiver.groups.contains(group))
}

fn is_touched(receiver: &Receiver, scope: &Scope) -> bool {
    match scope {
        Scope::All => true,
        Scope::Group(group) => receiver.groups.contains(group),
        Scope::Process(name) => receiver.processes.contains(name),
    }
}

/// The event and whom it is about; none for what the log alone tells.
fn judged(happened: &Happened) -> Option<(EventKind, String)> {
    let text = |name: &Name| name.as_str().to_owned();
    Some(match happened {
        Happened::RestartFailed { name, .. } => (EventKind::RestartFailed, text(name)),
        Happened::HostSilent { host, .. } => (EventKind::HostSilent, host.clone()),
        Happened::PluginFailing { plugin, .. } => (EventKind::PluginFailing, plugin.clone()),
        Happened::DatabaseLost { .. } => (EventKind::DatabaseLost, String::new()),
        Happened::DatabaseBack => (EventKind::DatabaseBack, String::new()),
        Happened::Test => (EventKind::Test, String::new()),
        Happened::Concluded { notice, .. } => match notice {
            Notice::BreakerOpened { name, .. } => (EventKind::BreakerOpened, text(name)),
            Notice::BreakerHalfOpen { name } => (EventKind::BreakerHalfOpen, text(name)),
            Notice::BreakerClosed { name } => (EventKind::BreakerClosed, text(name)),
            Notice::GroupOpened { group, .. } => (EventKind::GroupOpened, text(group)),
            Notice::GroupHalfOpen { group } => (EventKind::GroupHalfOpen, text(group)),
            Notice::GroupClosed { group } => (EventKind::GroupClosed, text(group)),
            Notice::DriverPaused { driver, .. } => (EventKind::DriverPaused, text(driver)),
            Notice::DriverBack { driver } => (EventKind::DriverBack, text(driver)),
            Notice::MassAlarm { .. } => (EventKind::MassAlarm, String::new()),
            Notice::MassHeld { .. } => (EventKind::MassAlarmHeld, String::new()),
            Notice::MassBelieved { .. } => (EventKind::MassAlarmBelieved, String::new()),
            Notice::MassOver => (EventKind::MassAlarmOver, String::new()),
            Notice::WindowStarted { id, .. } => (EventKind::WindowStarted, text(id)),
            Notice::WindowEnded { id, .. } => (EventKind::WindowEnded, text(id)),
            Notice::FailuresForgotten { .. }
            | Notice::Relapsed { .. }
            | Notice::Lasted { .. }
            | Notice::GroupReleasing { .. } => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::desk::tests::{about, receiver};

    #[test]
    fn a_receiver_is_told_of_its_processes_and_groups_and_of_the_whole_host() {
        let mut own = receiver();
        own.processes.insert(Name::new("web"));
        own.groups.insert(Name::new("shop"));
        let failed = |name: &str, group: Option<&str>| {
            let (name, group) = (Name::new(name), group.map(Name::new));
            about(Happened::RestartFailed { name, group, attempts: 1, why: String::new() })
        };
        let opened = |group: &str| {
            let group = Name::new(group);
            let touches = vec![Scope::Group(group.clone())];
            about(Happened::Concluded { notice: Notice::GroupClosed { group }, touches, by: None })
        };
        let window = |touches: &[Scope]| {
            let notice = Notice::WindowEnded { id: Name::new("w"), scopes: Vec::new(), early: None };
            about(Happened::Concluded { notice, touches: touches.to_vec(), by: None })
        };
        let process = |name: &str| Scope::Process(Name::new(name));
        for touches in
            [&[][..], &[Scope::All], &[process("db"), process("web")], &[Scope::Group(Name::new("shop"))]]
        {
            assert!(window(touches).concerns(&own), "{touches:?}");
        }
        assert!(!window(&[process("db"), Scope::Group(Name::new("web"))]).concerns(&own));
        assert!(failed("web", None).concerns(&own) && failed("db", Some("shop")).concerns(&own));
        assert!(!failed("db", None).concerns(&own) && !failed("db", Some("back")).concerns(&own));
        assert!(opened("shop").concerns(&own) && !opened("back").concerns(&own));
        assert!(about(Happened::DatabaseBack).concerns(&own));
        own.min_severity = Severity::Critical;
        assert!(!failed("web", None).concerns(&own));
        own.events.remove(&EventKind::DatabaseLost);
        assert!(!about(Happened::DatabaseLost { why: String::new() }).concerns(&own));
    }

    #[test]
    fn what_lasted_or_relapsed_is_for_the_log_alone() {
        let lasted = Notice::Lasted { name: Name::new("web") };
        let lasted = Happened::Concluded { notice: lasted, touches: Vec::new(), by: None };
        assert_eq!(Item::of(lasted, Now::default(), String::new()), None);
    }
}
