//! The check "process": it runs.

use crate::find::Finder;
use crate::proc;
use pm_plugin_api::{Health, HealthCheck, Result, Target};
use std::path::PathBuf;

/// Ticks per second of the times in `/proc`, on every machine that Linux runs on today.
const TICKS: f64 = 100.0;

pm_plugin_api::settings! {
    /// Settings of the check "process".
    pub(crate) struct CheckSettings {
        /// The file in which the program writes its pid. The process it names must run `executable`, or be called like the
        /// system name, or `match = pid-file` says that the file can be trusted.
        pub(crate) pid_file: Option<PathBuf>,
        /// Absolute path of the program or script that the process runs.
        pub(crate) executable: Option<PathBuf>,
        /// How to find the process: pid-file, executable, name (exactly the system name), or pattern (the system name is a
        /// part of the first 15 characters of the name, ^ its beginning, $ its end). Without it: by pid_file, executable
        /// or name, whichever is set.
        #[allowed = "pid-file|executable|name|pattern"]
        pub(crate) r#match: Option<String>,
    }
}

/// Looks whether it runs.
pub(crate) struct Check {
    finder: Finder,
}

impl HealthCheck for Check {
    type Settings = CheckSettings;

    fn new(settings: CheckSettings) -> Result<Self> {
        Finder::new(settings.pid_file, settings.executable, settings.r#match.as_deref())
            .map(|finder| Self { finder })
    }

    fn check(&self, target: &Target) -> Result<Health> {
        let found = self.finder.find(&target.system_name)?;
        if let Some(main) = found.main() {
            let more = match found.running.len() {
                1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            return Ok(Health::healthy(format!(
                "process {}, up {}{more}",
                main.shown(),
                age(main.start_ticks)
            )));
        }
        let what = self.finder.describe(&target.system_name);
        Ok(Health::unhealthy(match found.zombies.first() {
            Some(zombie) => format!(
                "process {} has ended and is a zombie until process {} takes notice; no other process {what}",
                zombie.shown(),
                zombie.parent
            ),
            None => format!("no process {what}"),
        }))
    }
}

/// How long ago that was, in its largest unit.
fn age(start_ticks: u64) -> String {
    // Far from the 2^53 where a tick would be lost.
    let seconds = proc::uptime().map_or(0.0, |uptime| (uptime - start_ticks as f64 / TICKS).max(0.0));
    match seconds {
        _ if seconds < 120.0 => format!("{seconds:.0} s"),
        _ if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ if seconds < 172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, unique};
    use pm_plugin_api::testing;

    fn check(section: &[(&str, &str)], name: &str) -> Health {
        testing::check::<Check>(section).unwrap().check(&Target::named(name)).unwrap()
    }

    #[test]
    fn what_runs_is_healthy_with_its_pid_and_age() {
        let sample = Sample::called(&unique("web"));
        let Health::Healthy { detail } = check(&[], sample.name()) else { panic!("it runs") };
        assert!(detail.starts_with(&format!("process {} (web", sample.pid())), "{detail}");
        assert!(detail.ends_with(" s"), "{detail}");
        let _second = Sample::called(&format!("{}2", sample.name()));
        let Health::Healthy { detail } = check(&[("match", "pattern")], sample.name()) else {
            panic!("both run")
        };
        assert!(detail.ends_with(", and 1 more"), "{detail}");
    }

    #[test]
    fn what_is_gone_or_a_zombie_is_not_healthy() {
        let name = unique("gone");
        let why = format!("no process is called {name:?}");
        assert_eq!(check(&[], &name), Health::unhealthy(why));
        let mut sample = Sample::called(&name);
        sample.kill_without_reaping();
        let Health::Unhealthy { why } = check(&[], &name) else { panic!("a zombie does not run") };
        let parent = std::process::id();
        assert!(why.contains(&format!("is a zombie until process {parent} takes notice")), "{why}");
    }

    #[test]
    fn other_ways_of_finding_are_told_in_the_answer() {
        let program = "/nowhere/prog";
        assert_eq!(
            check(&[("executable", program)], "x"),
            Health::unhealthy("no process runs /nowhere/prog")
        );
        let file = "/nowhere/x.pid";
        assert_eq!(
            check(&[("pid_file", file)], "x"),
            Health::unhealthy("no process is named by /nowhere/x.pid")
        );
    }

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let ago = |seconds: f64| age(((proc::uptime().unwrap() - seconds).max(0.0) * TICKS) as u64);
        assert!(["0 s", "1 s"].contains(&ago(0.0).as_str()));
        assert_eq!(age(u64::MAX), "0 s");
    }
}
