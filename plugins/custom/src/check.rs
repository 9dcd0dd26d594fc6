//! The check "command": a command line that exits with 0 when the target works.

use crate::run_line;
use pm_plugin_api::command::{Leftovers, PercentS, substitute};
use pm_plugin_api::{Error, Health, HealthCheck, Result, Target};

pm_plugin_api::settings! {
    /// Settings of the check "command".
    pub(crate) struct CommandSettings {
        /// A command line, run by bash, without input; status 0 means healthy. %s is the process name, %{system_name}
        /// the system name, +%s stays (date +%s).
        pub(crate) health_check_command: String,
    }
}

/// Asks the operator's command.
pub(crate) struct Command {
    line: String,
}

impl HealthCheck for Command {
    type Settings = CommandSettings;

    fn new(settings: CommandSettings) -> Result<Self> {
        let line = settings.health_check_command;
        if line.is_empty() {
            return Err(Error::config("health_check_command: is empty; write a command, or remove the key"));
        }
        Ok(Self { line })
    }

    fn check(&self, target: &Target) -> Result<Health> {
        const KEY: &str = "health_check_command";
        let line = substitute(&self.line, &target.name, &target.system_name, PercentS::Name)
            .map_err(|error| error.context(KEY))?;
        let finished = run_line(KEY, &line, Leftovers::Kill, target)?;
        if finished.success() {
            Ok(Health::healthy(format!("{} in {} ms", finished.describe(), finished.took.as_millis())))
        } else {
            Ok(Health::unhealthy(finished.explain()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::ErrorKind;
    use pm_plugin_api::testing;
    use std::time::{Duration, Instant};

    fn check(line: &str, target: &Target) -> Result<Health> {
        testing::check::<Command>(&[("health_check_command", line)])?.check(target)
    }

    #[test]
    fn the_status_decides() {
        let target = Target::named("web");
        assert!(matches!(check("true", &target).unwrap(), Health::Healthy { .. }));
        assert_eq!(check("false", &target).unwrap(), Health::unhealthy("exited with status 1"));
        let why = "exited with status 2: connection refused";
        assert_eq!(check("echo connection refused >&2; exit 2", &target).unwrap(), Health::unhealthy(why));
    }

    #[test]
    fn a_check_leaves_nobody_behind() {
        let mark = format!("{}.25", 40_000 + std::process::id());
        check(&format!("sleep {mark} & sleep {mark} & false"), &Target::named("web")).unwrap();
        let runs = || {
            let lines = std::fs::read_dir("/proc").unwrap().flatten();
            lines
                .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
                .any(|line| line.contains(&mark) && line.starts_with("sleep"))
        };
        let until = Instant::now() + Duration::from_secs(10);
        while runs() {
            assert!(Instant::now() < until, "a program of the check goes on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_placeholder_is_the_process_name() {
        let mut target = Target::named("web");
        target.system_name = "nginx".to_owned();
        let line = "[ \"%s\" = web ] && [ \"%{system_name}\" = nginx ]";
        assert!(matches!(check(line, &target).unwrap(), Health::Healthy { .. }));
    }

    #[test]
    fn what_hangs_floods_or_reads_is_unhealthy_within_its_time() {
        let mut target = Target::named("web");
        target.timeout_ms = 300;
        for line in ["sleep 60", "yes", "trap '' TERM; while :; do :; done", "sleep 60 | sleep 60"] {
            let began = Instant::now();
            let Health::Unhealthy { why } = check(line, &target).unwrap() else {
                panic!("{line} is healthy")
            };
            assert!(why.starts_with("gave no result within 264 ms and was killed"), "{line}: {why}");
            assert!(began.elapsed() < Duration::from_secs(3), "{line}: {:?}", began.elapsed());
        }
        assert!(matches!(check("read x || true", &target).unwrap(), Health::Healthy { .. }));
    }

    #[test]
    fn a_check_without_a_command_is_refused() {
        assert_eq!(check("", &Target::named("web")).unwrap_err().kind, ErrorKind::Config);
        let missing = testing::check::<Command>(&[]).err().unwrap();
        assert_eq!(missing.message, "health_check_command: is required (text)");
    }

    #[test]
    fn a_hostile_name_is_refused() {
        let error = check("pgrep %s", &Target::named("$(reboot)")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Config);
    }
}
