//! The systemd of a user: units of the user restarted by a pm that runs as a unit of that user, without any right.

use super::package::{EMBEDDED, Installed, packaged};
use super::{Answer, Commands, raise, until, until_ended};
use pm_tests::evidence::{kept_in, section};
use pm_tests::sandbox::answer;
use std::process::Command;

const UID: &str = "4242";
const HOME: &str = "/home/pmuser";

/// A user with a manager, in the system of an installed pm.
struct User {
    system: Installed,
}

impl User {
    fn new(config: &str) -> Option<Self> {
        let system = Installed::new(EMBEDDED)?;
        let machine = &system.machine;
        machine.ok(&["useradd", "--uid", UID, "--user-group", "--create-home", "--home-dir", HOME, "pmuser"]);
        machine.write(&format!("{HOME}/.config/pm/config.ini"), config);
        machine.write(&format!("{HOME}/.config/systemd/user/pm.service"), &packaged("pm-user.service"));
        let unit = "[Service]\nExecStart=/bin/sleep infinity\n";
        machine.write(&format!("{HOME}/.config/systemd/user/own.service"), unit);
        machine.ok(&["chown", "-R", &format!("{UID}:{UID}"), HOME]);
        machine.ok(&["chmod", "0600", &format!("{HOME}/.config/pm/config.ini")]);
        machine.ok(&["systemctl", "start", &format!("user@{UID}.service")]);
        Some(Self { system })
    }

    fn run(&self, words: &[&str]) -> Answer {
        let user = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "env", "-i"];
        let (home, runtime) = (format!("HOME={HOME}"), format!("XDG_RUNTIME_DIR=/run/user/{UID}"));
        let environment = [&home, &runtime, "PATH=/usr/bin:/bin"];
        let words = [&user[..], &environment, words].concat();
        answer(Command::new(&self.system.machine.systemd.enter).args(words))
    }

    fn ok(&self, words: &[&str]) -> String {
        let answer = self.run(words);
        assert_eq!(answer.code, 0, "{words:?}: {answer:?}\n{}", self.heard());
        answer.out.trim_end_matches('\n').to_owned()
    }

    fn property(&self, unit: &str, key: &str) -> String {
        self.ok(&["systemctl", "--user", "show", "--value", "--property", key, "--", unit])
    }

    fn cleared(&self, name: &str) -> bool {
        super::status(self, name)["rows"][0]["alarma"] == 0
    }
}

impl Commands for User {
    fn say(&self, words: &[&str]) -> String {
        self.ok(&[&["/usr/bin/pm"], words, &["--config", &format!("{HOME}/.config/pm/config.ini")]].concat())
    }
    fn heard(&self) -> String {
        self.system
            .machine
            .run(&["journalctl", "--quiet", "--output=cat", "_SYSTEMD_USER_UNIT=pm.service"])
            .out
    }
}

#[test]
fn a_pm_of_a_user_restarts_the_units_and_programs_of_that_user() {
    let Some(user) = User::new(&format!(
        "[database]\nengine = sqlite\npath = {HOME}/alarms.db\n\
         [monitor]\ncheck_interval = 0.1\nstate_dir = {HOME}/.config/pm-state\n\
         max_restart_failures = 1\ncircuit_reset_time = 600\n[logging]\nfile = {HOME}/pm.log\n\
         [process.own]\nrestart_strategy = service\nscope = user\nhealth_check = service\n\
         [process.missing]\nrestart_strategy = service\nscope = user\n\
         [process.foreign]\nrestart_strategy = service\nunit = pmt-foreign\n\
         [process.program]\nrestart_strategy = process\nstart_command = {HOME}/program 1000003\n\
         health_check = process\n"
    )) else {
        return;
    };
    let machine = &user.system.machine;
    machine.write("/etc/systemd/system/pmt-foreign.service", "[Service]\nExecStart=/bin/sleep infinity\n");
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "start", "pmt-foreign"]);
    let foreign = machine.invocation("pmt-foreign");
    user.ok(&["cp", "/bin/sleep", &format!("{HOME}/program")]);
    user.ok(&["systemctl", "--user", "start", "own", "pm"]);
    let own = user.property("own", "InvocationID");
    assert_eq!(user.property("pm", "ActiveState"), "active");

    raise(&user, &["own", "missing", "foreign", "program"]);
    until("the unit and the program to be restarted", || user.cleared("own") && user.cleared("program"));
    assert_ne!(user.property("own", "InvocationID"), own);
    assert_eq!(until_ended(&user, "missing", "failed"), "there is no user unit missing.service");
    // A missing right is no failure of the process.
    let detail = until_ended(&user, "foreign", "driver failed");
    assert!(detail.contains("run pm as root, or allow its user in a polkit rule"), "{detail}");
    assert_eq!(machine.invocation("pmt-foreign"), foreign);

    let program = user.ok(&["pgrep", "--full", "program 1000003"]);
    let group = machine.ok(&["cat", &format!("/proc/{program}/cgroup")]);
    assert!(group.contains(&format!("user@{UID}.service")) && group.ends_with(".scope"), "{group}");
    user.ok(&["systemctl", "--user", "restart", "pm"]);
    assert_eq!(user.ok(&["pgrep", "--full", "program 1000003"]), program);

    user.ok(&["systemctl", "--user", "stop", "pm"]);
    // SQLite follows the links of a path and would look for the inner file outside.
    let copied = tempfile::tempdir().unwrap();
    let journal = machine.outside(&format!("{HOME}/.config/pm-state/journal.db"));
    std::fs::copy(journal, copied.path().join("journal.db")).unwrap();
    let text = kept_in(copied.path(), "own").unwrap();
    assert!(text.contains("\nunit state: active (running) since 20"), "{text}");
    assert!(text.contains(&format!("\ninvocation: {own}\n")), "{text}");
    let tree = section(&text, "processes");
    assert!(tree.len() == 1 && tree[0].contains(" sleep (/") && tree[0].contains(" files, up "), "{text}");
}
