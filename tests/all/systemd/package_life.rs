//! What pm has started outlives it: its unit restarted, stopped or killed, in the middle of a restart, too.

use super::package::{EMBEDDED, Installed};
use super::{Commands as _, raise, status, until, until_ended};

/// The pid of the only process whose command line holds a text, inside.
fn pid_of(pm: &Installed, text: &str) -> String {
    let found = pm.machine.ok(&["pgrep", "--full", text]);
    assert_eq!(found.lines().count(), 1, "{text}: {found:?}");
    found
}

fn cgroup(pm: &Installed, pid: &str) -> String {
    pm.machine.ok(&["cat", &format!("/proc/{pid}/cgroup")])
}

#[test]
fn programs_live_on_when_pm_is_restarted_stopped_or_killed() {
    let Some(pm) = Installed::new(&format!(
        "{EMBEDDED}\
         [process.direct]\nrestart_strategy = process\nsystem_name = sleep-direct\n\
         start_command = /opt/sleep-direct 1000001\nhealth_check = process\n\
         [process.command]\nrestart_strategy = custom\nrestart_command = /opt/sleep-command 1000002 &\n\
         health_check_command = pgrep -f 'sleep-command 1000002'\n"
    )) else {
        return;
    };
    pm.override_unit("[Service]\nRestartSec=100ms\n");
    pm.machine.ok(&["mkdir", "-p", "/opt"]);
    for name in ["sleep-direct", "sleep-command"] {
        pm.machine.ok(&["cp", "/bin/sleep", &format!("/opt/{name}")]);
    }
    pm.start();
    raise(&pm, &["direct", "command"]);
    until("both to be started", || pm.cleared("direct") && pm.cleared("command"));
    let direct = pid_of(&pm, "sleep-direct 1000001");
    let command = pid_of(&pm, "sleep-command 1000002");
    let group = cgroup(&pm, &direct);
    assert!(group.contains("/pm-") && group.ends_with(".scope") && !group.contains("pm.service"), "{group}");
    let alive = |when: &str| {
        assert_eq!(pid_of(&pm, "sleep-direct 1000001"), direct, "{when}");
        assert_eq!(pid_of(&pm, "sleep-command 1000002"), command, "{when}");
    };

    let first = pm.main_pid();
    pm.systemctl("restart");
    assert_ne!(pm.main_pid(), first);
    alive("after a restart of pm");
    let second = pm.main_pid();
    pm.machine.ok(&["kill", "-KILL", &second]);
    until("systemd to start pm again", || {
        pm.property("ActiveState") == "active" && !["0", &second].contains(&&*pm.main_pid())
    });
    alive("after a crash of pm");
    pm.systemctl("stop");
    assert_eq!(pm.property("MainPID"), "0");
    alive("after pm was stopped");

    // What was started is found again and restarted, not started beside.
    pm.start();
    raise(&pm, &["direct"]);
    until("the program to be restarted", || pm.cleared("direct"));
    assert_ne!(pid_of(&pm, "sleep-direct 1000001"), direct);
}

#[test]
fn a_killed_pm_goes_on_with_the_restart_it_had_begun() {
    let Some(mut pm) = Installed::new(&format!(
        "{EMBEDDED}[process.slow]\nrestart_strategy = service\nunit = pmt-slow\nhealth_check = service\n\
         health_check_timeout = 10\nmax_attempts = 1\n"
    )) else {
        return;
    };
    pm.override_unit("[Service]\nRestartSec=100ms\n");
    let unit = "[Service]\nExecStartPre=/bin/sleep 2\nExecStart=/bin/sleep infinity\n";
    pm.machine.write("/etc/systemd/system/pmt-slow.service", unit);
    pm.machine.ok(&["systemctl", "daemon-reload"]);
    pm.machine.ok(&["systemctl", "start", "pmt-slow"]);
    pm.start();
    raise(&pm, &["slow"]);
    until("the restart to be under way", || pm.machine.property("pmt-slow", "ActiveState") == "activating");
    let first = pm.main_pid();
    pm.machine.ok(&["kill", "-KILL", &first]);
    until("the alarm to be cleared", || pm.cleared("slow"));
    assert_ne!(pm.main_pid(), first);
    assert_eq!(pm.machine.starts("pmt-slow.service"), 2, "not restarted a second time\n{}", pm.heard());
    let detail = until_ended(&pm, "slow", "restarted");
    assert!(detail.contains("the restart happened before pm"), "{detail}");
    assert!(pm.heard().contains("Not restarting slow again"), "{}", pm.heard());
    assert_eq!(status(&pm, "slow")["breaker"]["failures"], 0);
    // A second pm on the same state is refused, and the first one goes on.
    let second = pm.machine.run(&["/usr/bin/pm", "run", "--config", "/etc/pm/config.ini"]);
    assert_ne!(second.code, 0, "{second:?}");
    assert!(second.err.contains("another pm"), "{second:?}");
    pm.say(&["status"]);
    pm.machine.units.clear();
}
