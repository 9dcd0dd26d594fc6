//! The strategy "custom".

use crate::run_line;
use crate::source::Source;
use pm_plugin_api::command::{End, Leftovers, lines, printable};
use pm_plugin_api::{Error, ErrorKind, Evidence, Fallback, Outcome, Result, Strategy, Target};

/// So many lines from the beginning, and so many from the end, of the output go to the log.
const SHOWN: usize = 25;

pm_plugin_api::settings! {
    /// Settings of the strategy "custom".
    pub(crate) struct CustomSettings {
        /// A bash script, encoded with `base64 -w0`; wins over the two other keys. Nothing is replaced in it: it finds
        /// the names in the variables PROCESS_NAME and SYSTEM_NAME.
        pub(crate) restart_block_b64: Option<String>,
        /// A script and its arguments, run by bash; wins over restart_command. %s is the system name, %{name} the process
        /// name, +%s stays (date +%s).
        pub(crate) restart_script_path: Option<String>,
        /// A command line, run by bash, without input; a status other than 0 is a failed restart. %s is the system
        /// name, %{name} the process name, +%s stays (date +%s). With none of the three keys the strategy "service" is
        /// used.
        pub(crate) restart_command: Option<String>,
    }
}

/// Runs what the operator wrote, or leaves it to "service" when nothing is written.
pub(crate) struct Custom {
    source: Option<Source>,
}

impl Strategy for Custom {
    type Settings = CustomSettings;

    fn new(settings: CustomSettings) -> Result<Self> {
        let source = Source::choose(
            settings.restart_block_b64.as_deref(),
            settings.restart_script_path.as_deref(),
            settings.restart_command.as_deref(),
        )?;
        Ok(Self { source })
    }

    fn restart(&self, target: &Target) -> Result<Outcome> {
        let Some(source) = &self.source else {
            return Ok(Outcome::delegate(["service"], Fallback::NotFound));
        };
        let name = printable(&target.name);
        let line = source.line(target)?;
        tracing::info!("Executing custom restart command for {name}: {}", printable(&source.shown()));
        let finished = run_line(source.key(), &line, Leftovers::Leave, target)?;
        show(&name, &finished.output);
        let why = || format!("{} {}", source.key(), finished.explain());
        match finished.end {
            End::Exited(0) => {
                Ok(Outcome::ran(format!("{} in {} ms", finished.describe(), finished.took.as_millis())))
            }
            End::TimedOut { .. } => Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "{}; a program that is to stay must be put into the background: ... >/dev/null 2>&1 &",
                    why()
                ),
            )),
            _ => Err(Error::failed(why())),
        }
    }

    /// Nobody but the operator knows what the commands are about: `evidence_command` can say it.
    fn evidence(&self, _: &Target) -> Result<Evidence> {
        match &self.source {
            None => Ok(Evidence::of(["service"])),
            Some(source) => Err(Error::unsupported(format!(
                "{} does not tell what it restarts; write an evidence_command",
                source.key()
            ))),
        }
    }
}

/// Writes the output to the log, the middle of a long one left out.
fn show(name: &str, output: &str) {
    let all: Vec<String> = lines(output).collect();
    let left_out = all.len().saturating_sub(2 * SHOWN);
    for (index, line) in all.iter().enumerate() {
        if left_out == 0 || index < SHOWN || index >= SHOWN + left_out {
            tracing::info!("{name}: {line}");
        } else if index == SHOWN {
            tracing::info!("{name}: [{left_out} lines of output left out]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::testing::{self, logged};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    fn restart(section: &[(&str, &str)], target: &Target) -> Result<Outcome> {
        testing::strategy::<Custom>(section)?.restart(target)
    }

    #[test]
    fn a_good_command_is_a_restart_and_its_output_is_logged() {
        let section = [("restart_command", "echo one; printf 'two\\033[31m\\n' >&2; echo %s %{name}")];
        let mut target = Target::named("web");
        target.system_name = "nginx".to_owned();
        let (outcome, log) = logged(|| restart(&section, &target));
        let Outcome::Done { detail, .. } = outcome.unwrap() else { panic!("not done") };
        assert!(detail.starts_with("exited with status 0 in "), "{detail}");
        assert_eq!(log[1..], ["INFO web: one", "INFO web: two\\u{1b}[31m", "INFO web: nginx web"]);
        assert!(log[0].starts_with("INFO Executing custom restart command for web: echo one;"), "{}", log[0]);
    }

    #[test]
    fn a_failed_command_tells_its_last_line() {
        let error =
            restart(&[("restart_command", "echo a; echo no such port >&2; exit 7")], &Target::named("web"));
        let error = error.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Failed);
        assert_eq!(error.message, "restart_command exited with status 7: no such port");
    }

    #[test]
    fn a_command_that_hangs_is_stopped_in_time_to_say_so() {
        let mut target = Target::named("web");
        target.timeout_ms = 500;
        let began = Instant::now();
        let error = restart(&[("restart_command", "trap '' TERM; sleep 60")], &target).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(
            error.message.starts_with("restart_command gave no result within 440 ms"),
            "{}",
            error.message
        );
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }

    #[test]
    fn long_output_is_cut_in_the_middle() {
        let ((), log) = logged(|| show("web", &(0..1000).map(|i| format!("line {i}\n")).collect::<String>()));
        assert_eq!(log.len(), 51);
        assert_eq!(
            log[24..27],
            ["INFO web: line 24", "INFO web: [950 lines of output left out]", "INFO web: line 975"]
        );
        let ((), log) = logged(|| show("web", &"x\n".repeat(50)));
        assert_eq!(log.len(), 50);
    }

    #[test]
    fn the_encoded_script_runs_in_the_directory_with_the_variables() {
        // echo "$PROCESS_NAME in $(pwd) with %s"; cat
        let block = "ZWNobyAiJFBST0NFU1NfTkFNRSBpbiAkKHB3ZCkgd2l0aCAlcyI7IGNhdA==";
        let dir = tempfile::tempdir().unwrap();
        let mut target = Target::named("web");
        target.working_directory = dir.path().to_owned();
        target.environment.insert("PROCESS_NAME".to_owned(), "$(touch x)".to_owned());
        let section = [("restart_block_b64", block), ("restart_command", "exit 1")];
        let (outcome, log) = logged(|| restart(&section, &target));
        outcome.unwrap();
        assert_eq!(log[0], "INFO Executing custom restart command for web: restart_block_b64 (1 lines)");
        assert_eq!(log[1], format!("INFO web: $(touch x) in {} with %s", dir.path().display()));
    }

    #[test]
    fn two_commands_of_a_repeated_key_run_one_after_the_other() {
        let (outcome, log) =
            logged(|| restart(&[("restart_command", "echo a\necho b")], &Target::named("web")));
        outcome.unwrap();
        assert_eq!(log[0], "INFO Executing custom restart command for web: echo a; echo b");
        assert_eq!(log[1..], ["INFO web: a", "INFO web: b"]);
    }

    #[test]
    fn without_a_command_it_is_the_service_strategy() {
        let outcome = restart(&[("restart_command", "")], &Target::named("web")).unwrap();
        assert_eq!(outcome, Outcome::delegate(["service"], Fallback::NotFound));
        let evidence = |section: &[(&str, &str)]| {
            testing::strategy::<Custom>(section).unwrap().evidence(&Target::named("web"))
        };
        assert_eq!(evidence(&[]).unwrap().ask, ["service"]);
        let error = evidence(&[("restart_command", "true")]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.message.starts_with("restart_command does not tell"), "{error}");
    }

    #[test]
    fn mistakes_of_the_file_are_told_as_such() {
        let refused = |section: &[(&str, &str)], target: &Target| restart(section, target).unwrap_err();
        let error = refused(&[("restart_block_b64", "<script>")], &Target::named("web"));
        assert_eq!(error.kind, ErrorKind::Config);
        let error = refused(&[("restart_command", "pkill %s")], &Target::named("a;reboot"));
        assert!(error.message.starts_with("restart_command: the name \"a;reboot\""), "{}", error.message);
        let mut nowhere = Target::named("web");
        nowhere.working_directory = PathBuf::from("/nowhere");
        let error = refused(&[("restart_command", "true")], &nowhere);
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(error.message.ends_with("there is no directory /nowhere"), "{}", error.message);
    }
}
