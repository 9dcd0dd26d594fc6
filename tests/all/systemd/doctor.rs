//! `pm doctor` where systemd starts pm: the unit of the package, what an operator can do to it, its sandbox.

use super::package::{EMBEDDED, Installed, packaged};
use super::{Answer, Commands, raise, until};
use pm_tests::findings::Findings;

const CUSTOM: &str =
    "[process.a]\nrestart_strategy = custom\nrestart_command = true\nhealth_check_command = true\n";

impl Installed {
    fn doctor(&self) -> Findings {
        let words = ["/usr/bin/pm", "doctor", "--format", "json", "--config", "/etc/pm/config.ini"];
        Findings::of(&self.machine.run(&words))
    }

    /// Does what the doctor says.
    fn obey(&self, found: &Findings, subject: &str) -> Answer {
        let command = found.commands(subject)[0];
        let done = self.machine.run(&["sh", "-c", command]);
        assert_eq!(done.code, 0, "{command}: {done:?}");
        done
    }
}

#[test]
fn the_unit_is_judged_as_it_is_and_each_command_of_the_doctor_helps() {
    let Some(pm) = Installed::new(&format!("{EMBEDDED}{CUSTOM}")) else { return };
    let found = pm.doctor();
    assert_eq!(found.problems(), ["daemon"], "{found:?}");
    assert_eq!(found.worst("unit"), "warning: pm.service is disabled: pm is not started with the machine");
    pm.obey(&found, "unit");
    pm.obey(&found, "daemon");
    raise(&pm, &["a"]);
    until("the alarm to be cleared", || pm.cleared("a"));
    let found = pm.doctor();
    assert_eq!((found.code, found.problems()), (0, vec![]), "{found:?}");
    assert_eq!(found.worst("unit"), "ok: pm.service is installed, enabled and active");
    assert_eq!(found.worst("watchdog"), "ok: Type=notify, WatchdogSec=1min: a pm that hangs is replaced");
    assert!(found.worst("sandbox").starts_with("ok: pm.service has none"), "{found:?}");

    pm.override_unit("[Service]\nWatchdogSec=0\nKillMode=control-group\n");
    // A watchdog that runs stays as it is until then.
    pm.systemctl("restart");
    let found = pm.doctor();
    assert!(found.worst("watchdog").contains("has no WatchdogSec"), "{found:?}");
    assert!(found.worst("sandbox").contains("KillMode=control-group"), "{found:?}");
    pm.obey(&found, "watchdog");
    pm.obey(&found, "sandbox");
    let found = pm.doctor();
    assert!(
        found.worst("watchdog").starts_with("ok: ") && found.worst("sandbox").starts_with("ok: "),
        "{found:?}"
    );
    pm.machine.ok(&["rm", "-r", "/etc/systemd/system/pm.service.d"]);
    pm.machine.write("/etc/systemd/system/pm.service.d/hardened.conf", &packaged("pm-hardened.conf"));
    pm.machine.ok(&["systemctl", "daemon-reload"]);
    let found = pm.doctor();
    let sandbox = found.worst("sandbox");
    assert!(sandbox.starts_with("warning: what health_check_command, strategy custom start"), "{sandbox}");
    pm.configure(&format!(
        "{EMBEDDED}[process.a]\nrestart_strategy = custom\nrestart_command = true\nhealth_check = process\n"
    ));
    assert!(pm.doctor().worst("sandbox").starts_with("problem: check process cannot see processes: "));
    pm.configure(&format!("{EMBEDDED}[process.a]\nrestart_strategy = service\nhealth_check = service\n"));
    assert!(
        pm.doctor().worst("sandbox").starts_with("ok: that of pm.service leaves room"),
        "{:?}",
        pm.doctor()
    );
    assert!(pm.heard().contains("pm"), "{}", pm.heard());
}
