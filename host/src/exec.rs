//! Runs the operator's own commands: the only file of the host that starts a process.
//!
//! A command gets an environment of its own (an allow-list of pm's and what it is told), a directory, a process
//! group, `/dev/null` as input and a time limit; its output goes into the log, shortened and fit to be shown, or to whoever
//! asked for it. How it is run is `pm_plugin_api::command`, the same for plugins.

use crate::ports::{Captured, CommandFailed, CommandLine, Exec, Fault};
use pm_plugin_api::command::{Limits, lines, prepare, run};
use std::io;
use tracing::info;

/// Lines of output that are shown of the beginning, and of the end.
const SHOWN: usize = 25;

/// Runs commands on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemExec;

impl Exec for SystemExec {
    fn run(&self, command: &CommandLine<'_>) -> Captured {
        let mut prepared = prepare(command.line, command.directory, command.environment);
        let limits = Limits { timeout: command.timeout, ..Limits::default() };
        let finished = match run(&mut prepared, &limits) {
            Ok(finished) => finished,
            Err(error) => return Captured { output: String::new(), end: Err(not_run(&error)) },
        };
        let whose = ["process_name", "PROCESS_NAME"].iter().find_map(|key| command.environment.get(*key));
        show(whose.map_or("command", String::as_str), &finished.output);
        let end = if finished.success() {
            Ok(())
        } else {
            Err(CommandFailed { why: finished.explain(), fault: Fault::Command })
        };
        Captured { output: finished.output, end }
    }

    fn capture(&self, command: &CommandLine<'_>, most: usize) -> Captured {
        let mut prepared = prepare(command.line, command.directory, command.environment);
        match run(&mut prepared, &Limits { output: most, ..Limits::within(command.timeout) }) {
            Ok(finished) => {
                let end = if finished.success() {
                    Ok(())
                } else {
                    // The last line, which would explain it, is part of the answer already.
                    Err(CommandFailed { why: finished.describe(), fault: Fault::Command })
                };
                Captured { output: finished.output, end }
            }
            Err(error) => Captured { output: String::new(), end: Err(not_run(&error)) },
        }
    }
}

fn not_run(error: &io::Error) -> CommandFailed {
    let fault = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => Fault::Host,
        _ => Fault::Command,
    };
    CommandFailed { why: error.to_string(), fault }
}

/// Writes the output to the log, the middle of a long one left out.
fn show(whose: &str, output: &str) {
    let all: Vec<String> = lines(output).collect();
    let left_out = all.len().saturating_sub(2 * SHOWN);
    for (index, line) in all.iter().enumerate() {
        if left_out == 0 || index < SHOWN || index >= SHOWN + left_out {
            info!("{whose}: {line}");
        } else if index == SHOWN {
            info!("{whose}: [{left_out} lines of output left out]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// Remembers what was logged.
    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<Vec<String>>>);

    impl Visit for Logged {
        fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }

    impl Subscriber for Logged {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "pm_host::exec"
        }
        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    fn ran(line: &str, timeout: Duration) -> (Result<(), CommandFailed>, Vec<String>) {
        let environment = BTreeMap::from([("process_name".to_owned(), "web".to_owned())]);
        let logged = Logged::default();
        let command = CommandLine { line, directory: Path::new("/"), environment: &environment, timeout };
        let result = tracing::subscriber::with_default(logged.clone(), || SystemExec.run(&command).end);
        let lines = std::mem::take(&mut *logged.0.lock().unwrap());
        (result, lines)
    }

    const LONG: Duration = Duration::from_secs(30);

    fn why(line: &str) -> String {
        ran(line, LONG).0.unwrap_err().why
    }

    #[test]
    fn a_command_that_works_leaves_its_output_in_the_log() {
        let (result, lines) = ran("echo \"$process_name in $PWD\"; printf 'two\\n\\033[31mred' >&2", LONG);
        assert_eq!(result, Ok(()));
        assert_eq!(lines, ["web: web in /", "web: two", "web: \\u{1b}[31mred"]);
        assert_eq!(ran("true", LONG), (Ok(()), Vec::new()));
    }

    #[test]
    fn a_failure_says_how_and_why() {
        assert_eq!(why("echo no such user; exit 3"), "exited with status 3: no such user");
        assert_eq!(why("exit 1"), "exited with status 1");
        assert_eq!(why("kill -KILL $$"), "killed by signal 9 (SIGKILL)");
        assert!(why("nosuchprogram-7").starts_with("exited with status 127: "), "{}", why("nosuchprogram-7"));
        let environment = BTreeMap::new();
        let line = CommandLine {
            line: "true",
            directory: Path::new("/no/such/directory"),
            environment: &environment,
            timeout: LONG,
        };
        let nowhere = SystemExec.run(&line).end.unwrap_err().to_string();
        assert!(nowhere.ends_with("there is no directory /no/such/directory"), "{nowhere}");
    }

    #[test]
    fn a_command_that_hangs_is_ended_and_what_it_said_is_kept() {
        let (result, lines) = ran("echo waiting; sleep 1000 & wait", Duration::from_millis(300));
        assert_eq!(result.unwrap_err().why, "gave no result within 300 ms and was killed: waiting");
        assert_eq!(lines, ["web: waiting"]);
    }

    #[test]
    fn it_sees_nothing_of_the_daemons_secrets() {
        // Cargo sets this one for every test; it stands for the database password.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let (result, lines) = ran("env | grep CARGO", LONG);
        assert!(result.is_err() && lines.is_empty(), "{lines:?}");
    }

    #[test]
    fn what_is_captured_is_bounded_comes_in_time_and_stays_out_of_the_log() {
        let environment = BTreeMap::from([("process_name".to_owned(), "web".to_owned())]);
        let logged = Logged::default();
        let captured = |line: &str, timeout| {
            let command = CommandLine { line, directory: Path::new("/"), environment: &environment, timeout };
            tracing::subscriber::with_default(logged.clone(), || SystemExec.capture(&command, 1024))
        };
        let good = captured("echo $process_name; pwd", LONG);
        assert_eq!(good, Captured { output: "web\n/\n".to_owned(), end: Ok(()) });
        let bad = captured("echo why >&2; exit 3", LONG);
        assert_eq!(
            (bad.output.as_str(), bad.end.unwrap_err().why.as_str()),
            ("why\n", "exited with status 3")
        );
        let flood = captured("seq 100000", LONG).output;
        assert!(
            flood.len() < 1100 && flood.starts_with("1\n2\n") && flood.ends_with("\n100000\n"),
            "{flood}"
        );
        assert!(flood.contains(" bytes of output left out]"), "{flood}");
        let began = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let late = captured("trap '' TERM; echo waiting; sleep 1000", Duration::from_millis(500));
        let ended = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        assert_eq!(late.output, "waiting\n");
        assert!(late.end.unwrap_err().why.contains("and was killed"));
        assert!(ended.tv_sec - began.tv_sec < 3);
        let nowhere = CommandLine {
            line: "true",
            directory: Path::new("/no/such/directory"),
            environment: &environment,
            timeout: LONG,
        };
        assert!(SystemExec.capture(&nowhere, 9).end.unwrap_err().why.contains("there is no directory"));
        assert!(logged.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_flood_is_shortened_in_the_middle() {
        let (result, lines) = ran("seq 1000", LONG);
        assert_eq!(result, Ok(()));
        assert_eq!(lines.len(), 51);
        assert_eq!(
            (&*lines[0], &*lines[24], &*lines[26], &*lines[50]),
            ("web: 1", "web: 25", "web: 976", "web: 1000")
        );
        assert_eq!(lines[25], "web: [950 lines of output left out]");
    }
}
