//! What plugins and commands are told of the process they are called for. It decides nothing.

use super::Run;
use pm_plugin_api::Target;
use std::collections::BTreeMap;
use std::time::Duration;

impl Run<'_> {
    /// The process as plugins see it.
    pub(super) fn target(&self, attempt: u32) -> Target {
        let mut target = Target::named(self.job.name.as_str());
        target.system_name.clone_from(&self.spec.system_name);
        target.process_id = self.job.alarms.first().map(|alarm| alarm.row.0);
        target.attempt = attempt;
        target.max_attempts = self.spec.max_attempts;
        target.restart_delay_ms = millis(self.spec.backoff.base);
        target.timeout_ms = millis(self.spec.restart_timeout);
        target.working_directory.clone_from(&self.spec.working_directory);
        target.environment = self.environment(attempt);
        target
    }

    /// The configured variables and those that the original's commands saw of the round.
    pub(super) fn environment(&self, attempt: u32) -> BTreeMap<String, String> {
        let mut all = self.spec.environment.clone();
        let (name, system_name) = (self.job.name.as_str(), self.spec.system_name.as_str());
        let row = self.job.alarms.first();
        let mut set = |key: &str, value: &str| {
            // A variable cannot hold NUL; such a value is left out rather than failing the restart.
            if !value.contains('\0') {
                all.insert(key.to_owned(), value.to_owned());
            }
        };
        for key in ["process_name", "PROCESS_NAME"] {
            set(key, name);
        }
        for key in ["system_name", "SYSTEM_NAME"] {
            set(key, system_name);
        }
        set("strategy", &self.spec.strategy_text);
        set("attempt", &attempt.to_string());
        set("max_attempts", &self.spec.max_attempts.to_string());
        set("restart_delay", &self.spec.backoff.base.as_secs_f64().to_string());
        if let Some(alarm) = row {
            set("process_id", &alarm.row.0.to_string());
            set("notes", alarm.notes.as_deref().unwrap_or_default());
        }
        all
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
