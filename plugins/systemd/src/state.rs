//! The unit in question, what systemd says of it, and what follows for a restart.
//!
//! Pure. The words are systemd's own (`loaded`, `active`, `running`); what a newer systemd may add is taken for a unit that
//! runs, because restarting such a one is right and starting it would do nothing.

use crate::names::Unit;
use crate::scope::Scope;
use pm_plugin_api::{Error, ErrorKind, Result};
use std::fmt;

/// What an answer is about; displays as `unit web.service`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) unit: Unit,
    pub(crate) scope: Scope,
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        self.unit.as_str()
    }

    /// Where to read on.
    pub(crate) fn log(&self) -> String {
        format!("see journalctl {}-u {}", self.scope.flag(), self.name())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::System => write!(f, "unit {}", self.name()),
            Scope::User => write!(f, "user unit {}", self.name()),
        }
    }
}

/// A unit as systemd sees it now, in systemd's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UnitState {
    /// The name that systemd uses for it; another one than was asked for when that is an alias.
    pub(crate) id: String,
    pub(crate) load: String,
    pub(crate) active: String,
    pub(crate) sub: String,
    /// The object path of the job that is queued or running for it.
    pub(crate) job: Option<String>,
    /// What systemd calls its last start, if that was asked for and there was one.
    pub(crate) invocation: Option<String>,
}

impl fmt::Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.active, self.sub)
    }
}

impl UnitState {
    /// Nothing runs; systemd will start it again by itself (`Restart=`) after a pause.
    pub(crate) fn awaits_own_restart(&self) -> bool {
        self.active == "activating" && self.sub.starts_with("auto-restart")
    }

    /// Something of it runs or is about to.
    pub(crate) fn runs(&self) -> bool {
        !matches!(self.active.as_str(), "inactive" | "failed" | "maintenance") && !self.awaits_own_restart()
    }

    /// # Errors
    /// `NotFound` or `Config` when there is nothing that systemd could start.
    pub(crate) fn usable(&self, subject: &Subject) -> Result<()> {
        let (name, flag) = (subject.name(), subject.scope.flag());
        match self.load.as_str() {
            "not-found" => Err(Error::not_found(format!("there is no {subject}"))),
            "masked" => Err(Error::config(format!(
                "{subject} is masked, so systemd refuses to start it: systemctl {flag}unmask {name}"
            ))),
            "bad-setting" | "error" => Err(Error::config(format!(
                "{subject} cannot be loaded ({}): systemctl {flag}status {name} tells which line is wrong",
                self.load
            ))),
            _ => Ok(()),
        }
    }

    /// A unit that was masked or broken after its start still runs; only one that does not exist has no health.
    pub(crate) fn usable_for_a_check(&self, subject: &Subject) -> Result<()> {
        match self.usable(subject) {
            Err(error) if error.kind == ErrorKind::NotFound || !self.runs() => Err(error),
            _ => Ok(()),
        }
    }
}

/// What is asked of systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It runs: stop it and start it.
    Restart,
    /// It does not run.
    Start,
    /// systemd is about to restart it: a start job waits for that instead of adding a second restart.
    Join,
}

impl Step {
    pub(crate) fn after(state: &UnitState) -> Self {
        if state.awaits_own_restart() {
            Self::Join
        } else if state.runs() {
            Self::Restart
        } else {
            Self::Start
        }
    }

    /// The verb of `systemctl` and of polkit rules.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Start | Self::Join => "start",
        }
    }
}
