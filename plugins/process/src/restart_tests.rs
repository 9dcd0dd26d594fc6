//! The strategy against real programs: running, dead, deaf, daemonizing, failing, hiding, supervised.

use super::*;
use crate::sample::{copy, soon, unique, write_script};
use pm_plugin_api::Action;
use pm_plugin_api::testing::{self, logged};
use std::os::unix::fs::PermissionsExt;

/// A directory with a program of a name of its own; everything that runs from it is killed at the end.
struct Place {
    dir: tempfile::TempDir,
    name: String,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), name: unique("p") }
    }
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }
    /// A copy of `sleep` with the name of this place.
    fn sleeper(self) -> Self {
        copy(Path::new("/bin/sleep"), Path::new(&self.path(&self.name)));
        self
    }
    fn script(self, text: &str) -> Self {
        write_script(Path::new(&self.path(&self.name)), text);
        self
    }
    fn program(&self) -> String {
        self.path(&self.name)
    }
    fn target(&self) -> Target {
        let mut target = Target::named(self.name.clone());
        target.working_directory = self.dir.path().to_owned();
        target
    }
    fn restart(&self, section: &[(&str, &str)]) -> Result<String> {
        match testing::strategy::<Restart>(section)?.restart(&self.target())? {
            Outcome::Done { action, detail } => Ok(format!("{action:?}: {detail}")),
            other => panic!("{other:?}"),
        }
    }
    fn identity(&self) -> Option<String> {
        testing::strategy::<Restart>(&[]).unwrap().identity(&self.target()).unwrap()
    }
    fn running(&self) -> Vec<Process> {
        Finder::Name.find(&self.name).unwrap().running
    }
    /// Starts it as somebody else would; `spawn` comes back before the kernel has given it its name.
    fn spawn(&self, command: &mut std::process::Command) -> std::process::Child {
        let child = command.spawn().unwrap();
        soon(|| self.running().iter().any(|process| process.pid == child.id()));
        child
    }
    /// The one process of this place.
    fn one(&self) -> Process {
        let mut running = self.running();
        assert_eq!(running.len(), 1, "{running:?}");
        running.remove(0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let leaders = self.running();
        let all = [members_of_sessions(&leaders).unwrap_or_default(), leaders].concat();
        let _ = stop(&all, Signal::KILL, Duration::ZERO);
    }
}

#[test]
fn what_does_not_run_is_started_by_its_command() {
    let place = Place::new().sleeper();
    let said = place.restart(&[("start_command", &format!("{} 600", place.program()))]).unwrap();
    let process = place.one();
    assert!(said.starts_with(&format!("Started: started process {}", process.pid)), "{said}");
    assert_ne!(process.parent, std::process::id(), "it is not our child");
    assert_eq!(process.session, process.pid, "it leads its own session");
    assert_eq!(place.identity().unwrap().split(':').count(), 3);
    let gone = Place::new();
    assert_eq!(gone.identity(), None);
}

#[test]
fn what_runs_is_started_again_as_it_was() {
    let place = Place::new().sleeper();
    let dir = place.path("work");
    std::fs::create_dir(&dir).unwrap();
    let mut first = std::process::Command::new(place.program());
    first.args(["600", "0.1"]).current_dir(&dir).env_clear().env("A", "b c").env("INVOCATION_ID", "1");
    let mut first = place.spawn(&mut first);
    let identity = place.identity();
    let log = place.path("log");
    let said = place.restart(&[("output", &log)]).unwrap();
    first.wait().unwrap();
    let second = place.one();
    assert!(said.starts_with(&format!("Restarted: stopped process {} (", first.id())), "{said}");
    // Under systemd the scope stands between the two.
    assert!(said.contains(&format!(", started process {}", second.pid)), "{said}");
    assert!(said.ends_with(&format!(": {} 600 0.1", place.program())), "{said}");
    assert_eq!(second.arguments(), [place.program().as_str(), "600", "0.1"]);
    assert_eq!(std::fs::read_link(format!("/proc/{}/cwd", second.pid)).unwrap(), Path::new(&dir));
    assert_eq!(std::fs::read(format!("/proc/{}/environ", second.pid)).unwrap(), b"A=b c\0");
    assert_eq!(std::fs::read_link(format!("/proc/{}/fd/2", second.pid)).unwrap(), Path::new(&log));
    assert_ne!(place.identity(), identity);
}

#[test]
fn who_ignores_sigterm_is_killed_with_all_that_it_started() {
    let place = Place::new()
        .script("#!/bin/bash\ntrap '' TERM\nsleep 600 & sleep 600 &\nwhile :; do sleep 600; done\n");
    let section = [("start_command", place.program()), ("stop_timeout", "200ms".to_owned())];
    let section: Vec<_> = section.iter().map(|(key, value)| (*key, value.as_str())).collect();
    place.restart(&section).unwrap();
    let first = place.one();
    soon(|| members_of_sessions(std::slice::from_ref(&first)).unwrap().len() == 4);
    let said = place.restart(&section).unwrap();
    assert!(said.contains("with SIGKILL after it ignored the signal for 200 ms"), "{said}");
    assert!(said.contains(" and 3 processes"), "{said}");
    assert!(
        members_of_sessions(std::slice::from_ref(&first)).unwrap().is_empty(),
        "nothing is left of the first one"
    );
    assert_ne!(place.one().pid, first.pid);
}

#[test]
fn a_pause_between_stop_and_start_is_kept() {
    let place = Place::new().sleeper();
    let strategy =
        testing::strategy::<Restart>(&[("start_command", &format!("{} 600", place.program()))]).unwrap();
    let mut target = place.target();
    target.restart_delay_ms = 300;
    let began = Instant::now();
    strategy.restart(&target).unwrap();
    let first = began.elapsed();
    strategy.restart(&target).unwrap();
    assert!(began.elapsed() - first >= Duration::from_millis(500), "pause and grace");
}

#[test]
fn a_program_that_ends_at_once_is_a_failure_with_its_last_line() {
    let place = Place::new().script("#!/bin/sh\necho starting\necho cannot bind port 80 >&2\nexit 3\n");
    let log = place.path("log");
    std::fs::write(&log, "an old line\n").unwrap();
    let error = place.restart(&[("start_command", &place.program()), ("output", &log)]).unwrap_err();
    let expected =
        format!("{} exited with status 3 within 200 ms of its start: cannot bind port 80", place.program());
    assert_eq!((error.kind, error.message), (ErrorKind::Failed, expected));
    let error = place.restart(&[("start_command", &place.program())]).unwrap_err();
    assert!(error.message.ends_with("output = /var/log/NAME.log"), "{}", error.message);
    let quiet = Place::new().script("#!/bin/sh\nkill -SEGV $$\n");
    let error = quiet.restart(&[("start_command", &quiet.program()), ("output", &log)]).unwrap_err();
    assert!(error.message.contains("killed by signal 11 (SIGSEGV)"), "{}", error.message);
    assert!(error.message.contains("it wrote nothing to"), "the old line is not its own: {}", error.message);
}

#[test]
fn a_program_that_goes_into_the_background_is_found_again() {
    let place = Place::new().sleeper();
    let said = place.restart(&[("start_command", &format!("{} 600 & exit 0", place.program()))]).unwrap();
    let process = place.one();
    assert!(
        said.starts_with(&format!("Started: started process {} in the background", process.shown())),
        "{said}"
    );
    let lost = Place::new();
    let error = lost.restart(&[("start_command", "true")]).unwrap_err();
    assert!(
        error.message.starts_with("true exited with status 0, and no process is called"),
        "{}",
        error.message
    );
}

#[test]
fn what_cannot_be_started_again_is_not_stopped() {
    let place = Place::new().sleeper();
    let mut child = place.spawn(std::process::Command::new(place.program()).arg("600"));
    std::fs::remove_file(place.program()).unwrap();
    let error = place.restart(&[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("which is not there any more"), "{}", error.message);
    assert!(place.restart(&[("start_user", "no-such-user-here")]).is_err());
    assert!(place.restart(&[("start_command", "x %s"), ("start_user", "no-such-user-here")]).is_err());
    assert_eq!(place.one().pid, child.id(), "it still runs");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_start_that_fails_after_the_stop_says_that_it_was_stopped() {
    let place = Place::new().sleeper();
    place.restart(&[("start_command", &format!("{} 600", place.program()))]).unwrap();
    let error = place.restart(&[("start_command", "exit 9")]).unwrap_err();
    assert!(error.message.starts_with("stopped process"), "{}", error.message);
    assert!(error.message.contains("exit 9 exited with status 9"), "{}", error.message);
}

#[test]
fn nobody_is_started_when_there_is_no_program_of_that_name() {
    let mut target = Target::named("no-such-program-7");
    let strategy = testing::strategy::<Restart>(&[]).unwrap();
    let error = strategy.restart(&target).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("set start_command, or system_name"), "{}", error.message);
    for name in ["../../bin/true", "/bin/true", "", "-x", "a;b"] {
        target.system_name = name.to_owned();
        assert_eq!(strategy.restart(&target).unwrap_err().kind, ErrorKind::NotFound, "{name:?}");
    }
}

#[test]
fn the_program_of_that_name_is_started_unless_it_would_stop_the_machine() {
    let strategy = testing::strategy::<Restart>(&[]).unwrap();
    // It ends at once, which is how we know that it was started.
    let error = strategy.restart(&Target::named("false")).unwrap_err();
    assert!(error.message.contains("/false exited with status 1"), "{}", error.message);
    for name in ["reboot", "poweroff", "halt", "init", "runlevel"] {
        let error = strategy.restart(&Target::named(name)).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Config | ErrorKind::NotFound), "{name}: {}", error.message);
    }
}

#[test]
fn a_supervisor_that_is_faster_wins() {
    let place = Place::new().sleeper();
    let supervisor = place.path("supervisor");
    write_script(
        Path::new(&supervisor),
        &format!("#!/bin/bash\nwhile :; do {} 600; done\n", place.program()),
    );
    let mut supervisor = std::process::Command::new(&supervisor).spawn().unwrap();
    soon(|| place.running().len() == 1);
    let first = place.one();
    let command = format!("{} 600", place.program());
    let strategy = testing::strategy::<Restart>(&[("start_command", &command)]).unwrap();
    let mut target = place.target();
    target.restart_delay_ms = 300;
    let outcome = strategy.restart(&target);
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let Outcome::Done { detail, .. } = outcome.unwrap() else { panic!("not done") };
    assert!(detail.contains("something else has started process"), "{detail}");
    assert_ne!(place.one().pid, first.pid);
}

#[test]
fn a_program_that_hides_its_arguments_needs_a_command() {
    // The first argument is a title, as nginx writes it.
    let place = Place::new().sleeper();
    let mut hiding = std::process::Command::new(place.program());
    std::os::unix::process::CommandExt::arg0(&mut hiding, "web: master process");
    let mut hiding = place.spawn(hiding.arg("600"));
    let error = place.restart(&[]).unwrap_err();
    assert!(error.message.contains("hides how it was started"), "{}", error.message);
    assert_eq!(place.one().pid, hiding.id());
    place.restart(&[("start_command", &format!("{} 600", place.program()))]).unwrap();
    hiding.wait().unwrap();
}

#[test]
fn the_user_is_kept_or_changed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new().sleeper();
    std::fs::set_permissions(place.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = format!("{} 600", place.program());
    place.restart(&[("start_command", &command), ("start_user", "nobody")]).unwrap();
    let uid = |process: &Process| {
        proc::status(process.pid, "Uid").unwrap().split_whitespace().next().unwrap().to_owned()
    };
    let (first, its_uid) = (place.one(), uid(&place.one()));
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", first.pid)).unwrap();
    assert!(environment.split('\0').any(|variable| variable == "USER=nobody"), "{environment}");
    place.restart(&[]).unwrap();
    let second = place.one();
    assert_eq!((its_uid.as_str(), uid(&second).as_str()), ("65534", "65534"));
    assert_ne!(first.pid, second.pid);
}

#[test]
fn a_started_program_that_cannot_be_found_is_warned_about() {
    let place = Place::new().sleeper();
    let other = Target::named("another-name-7");
    let command = format!("{} 600", place.program());
    let strategy = testing::strategy::<Restart>(&[("start_command", &command)]).unwrap();
    let (outcome, log) = logged(|| strategy.restart(&other));
    assert!(matches!(outcome.unwrap(), Outcome::Done { action: Action::Started, .. }));
    assert!(log.iter().any(|line| line.contains("the next restart would start another one")), "{log:?}");
}

#[test]
fn signals_have_names_and_numbers() {
    assert_eq!(signal("TERM").unwrap(), Signal::TERM);
    assert_eq!(signal(" sigusr1").unwrap(), Signal::USR1);
    assert_eq!(signal("9").unwrap(), Signal::KILL);
    for bad in ["", "0", "99", "-9", "NOPE", "SIG"] {
        assert!(signal(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn mistakes_in_the_section_are_refused() {
    for section in [
        [("stop_signal", "NOPE")],
        [("match", "regex")],
        [("pid_file", "relative.pid")],
        [("stop_timeout", "soon")],
        [("matc", "name")],
    ] {
        let error = testing::strategy::<Restart>(&section).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Config, "{section:?}");
    }
    let strategy = testing::strategy::<Restart>(&[("start_command", "run %s")]).unwrap();
    let error = strategy.restart(&Target::named("a;b")).unwrap_err();
    assert!(
        error.message.starts_with("start_command: the name \"a;b\" is not put into"),
        "{}",
        error.message
    );
}
