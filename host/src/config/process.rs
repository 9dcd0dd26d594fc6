//! One process section as the rest of pm sees it.
//!
//! The host's own keys are typed; everything else stays in `settings` with its line, for the plugin that declares
//! it. A `Process` is complete: the fallback to `[process.default]` and the defaults are applied.

use super::control::{Control, Criticality};
use crate::policy::model::{Name, Verify};
use crate::policy::relations::{Declaration, Declared};
use std::collections::BTreeMap;
use std::time::Duration;

/// `[process.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// The logical name, exactly as in the header and in the alarm table. It may contain dots and slashes.
    pub name: String,
    /// The line of the header.
    pub line: u32,
    /// Why this process cannot be restarted as configured (unknown strategy, nothing to run); `None` when it can.
    pub unusable: Option<String>,
    /// `restart_strategy`, a comma-separated list tried from the left; see also [`chain`](Self::chain).
    pub strategies: Vec<String>,
    /// `system_name`; see [`system_name`](Self::system_name).
    pub system_name: Option<String>,
    /// `max_attempts` (2). 0 means that it is never tried, as ever; then `unusable` says so.
    pub max_attempts: u32,
    /// `restart_delay` (2 s): pause after a failed attempt, and between stopping and starting.
    pub restart_delay: Duration,
    /// `restart_delay_factor` (1): each pause is this many times the one before; 1 to 100.
    pub restart_delay_factor: f64,
    /// `restart_delay_max` (5 min): no pause is longer, unless `restart_delay` itself is.
    pub restart_delay_max: Duration,
    /// `health_check`: the name of a check; see [`check`](Self::check).
    pub health_check: Option<String>,
    /// `health_check_timeout` (5 s): how long to look for a healthy process; 0 never looks and fails.
    pub health_check_timeout: Duration,
    /// `health_check_interval` (1 s): pause between two looks; at least 50 ms.
    pub health_check_interval: Duration,
    /// `verify_before = yes`: look before restarting and leave a healthy process alone.
    pub verify_before: Verify,
    /// `pre_restart_command`: once per restart procedure, before the first attempt.
    pub pre_restart_command: Option<String>,
    /// `pre_restart_timeout` (5 min).
    pub pre_restart_timeout: Duration,
    /// `evidence` (yes): whether it is looked at before a restart, and what was seen kept.
    pub evidence: bool,
    /// `evidence_command`: its output is a part of that.
    pub evidence_command: Option<String>,
    /// `evidence_timeout` (3 s): how long a restart may wait for all of that.
    pub evidence_timeout: Duration,
    /// `restart_timeout` (5 min): how long one attempt may take. The original knew no limit, so this one is wide; a
    /// slow restart holds up nobody else.
    pub restart_timeout: Duration,
    /// `criticality` (`normal`): which level its numbers come from.
    pub criticality: Criticality,
    /// The numbers of restart control: each from this section or `[process.default]`, else from the level.
    pub control: Control,
    /// `group` and `depends_on` in this section's own words. What is in force comes from
    /// [`Config::declared`](super::Config::declared) and the tables together.
    pub declaration: Declaration,
    /// `restart_dependents` (no): what depends on it is restarted after it.
    pub restart_dependents: bool,
    /// All other keys, for the plugins: `restart_command`, `health_check_command`, and what their parts declare.
    pub settings: BTreeMap<String, Setting>,
}

/// The text of a key that a plugin will read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value, trimmed; may be empty.
    pub value: String,
    /// Its line in the file.
    pub line: u32,
}

/// Keys that say what the strategy `custom` does, the strongest first; see [`Process::chain`].
pub const RESTART_COMMANDS: [&str; 3] = ["restart_block_b64", "restart_script_path", "restart_command"];
/// The key that is the short form of the check `command`.
pub const CHECK_COMMAND: &str = "health_check_command";

/// What all sections say of groups and dependencies, in their own words.
#[must_use]
pub(super) fn declared(default: Option<&Process>, processes: &BTreeMap<String, Process>) -> Declared {
    let of = |process: &Process| (Name::new(&process.name), process.declaration.clone());
    Declared {
        processes: processes.values().map(of).collect(),
        default: default.map(|default| default.declaration.clone()),
    }
}

impl Process {
    /// The name the system knows it by: unit, program, container.
    #[must_use]
    pub fn system_name(&self) -> &str {
        self.system_name.as_deref().unwrap_or(&self.name)
    }

    /// The strategies that act, tried from the left. A restart command takes the place of all of them, unless they are
    /// several and its own place among them is written.
    #[must_use]
    pub fn chain(&self) -> Vec<&str> {
        if self.restart_command().is_some() && !self.strategies.iter().any(|name| name == "custom") {
            return vec!["custom"];
        }
        self.strategies.iter().map(String::as_str).collect()
    }

    /// The check that verifies a restart: `health_check`, else `command` when there is a `health_check_command`.
    #[must_use]
    pub fn check(&self) -> Option<&str> {
        let command = || self.setting(CHECK_COMMAND).map(|_| "command");
        self.health_check.as_deref().or_else(command)
    }

    /// The strongest restart command that is set: its key and its text.
    #[must_use]
    pub fn restart_command(&self) -> Option<(&'static str, &str)> {
        RESTART_COMMANDS.into_iter().find_map(|key| Some((key, self.setting(key)?)))
    }

    /// The text of a plugin key; `None` when it is absent or empty.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(|setting| setting.value.as_str()).filter(|value| !value.is_empty())
    }

    /// The same process as if it stood on line 0, to compare two readings of a file.
    pub(super) fn without_lines(&self) -> Self {
        let mut copy = Self { line: 0, ..self.clone() };
        copy.settings.values_mut().for_each(|setting| setting.line = 0);
        copy
    }
}
