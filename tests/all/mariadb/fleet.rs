//! Several machines on one database: network namespaces with a cable each, a pm on each of them.

use super::{Base, R6, WAITING, config, custom};
use pm_tests::netns::Namespace;
use pm_tests::proxy::Proxy;
use pm_tests::sandbox::Sandbox;
use rustix::process::Signal;
use std::net::TcpListener;
use std::path::Path;

/// A machine with its pm.
struct Machine {
    pm: Sandbox,
    net: Namespace,
    _way: Proxy,
}

impl Machine {
    fn new(base: &Base, user: &str, host_id: i64, sections: &str) -> Self {
        let net = Namespace::new();
        let way = Proxy::on(TcpListener::bind((net.outside(), 0)).unwrap(), base.server.port);
        let database = base.tcp(user, way.port()).replace("127.0.0.1", &net.outside().to_string());
        let database =
            format!("{database}connect_timeout = 1\nread_timeout = 2\n[host]\nhost_id = {host_id}\n");
        let launcher = net.launcher();
        let pm = Sandbox::within(
            Path::new(&std::env::temp_dir()),
            &launcher,
            &config(&database, "lease_time = 1", sections),
        );
        Self { pm, net, _way: way }
    }

    fn said(&self, text: &str) -> usize {
        self.pm.log().lines().filter(|line| line.contains(text)).count()
    }

    fn begun(&self) -> usize {
        self.pm.read("begun").lines().count()
    }
}

fn fleet() -> Option<(Base, String)> {
    let base = Base::new(R6)?;
    let user = base.account(&["ALL ON {db}.*"]);
    Some((base, user))
}

const THEIRS: &str = "speaks for this host: this one only observes";
const MINE: &str = "This pm speaks for this host now";

#[test]
fn a_copy_of_a_machine_observes_and_a_paused_one_that_wakes_up_late_changes_nothing() {
    let Some((base, user)) = fleet() else { return };
    let sections = custom("web", WAITING);
    let mut first = Machine::new(&base, &user, 1, &sections);
    first.pm.ok(&["db", "migrate"]);
    first.pm.start();
    // It speaks for the host before the copy comes.
    first.pm.until("the lease", |_| base.number("SELECT COUNT(*) FROM pm_host WHERE epoch = 1") == 1);
    let mut copy = Machine::new(&base, &user, 1, &sections);
    copy.pm.start();
    copy.pm.until_log(THEIRS);
    base.put(1, "web", 1, Some("down"));
    first.pm.until("the restart to begin", |_| first.begun() == 1);
    copy.pm.until_log(
        "Would restart web (ID: 1) now; nothing is done, it is only observed (pm_host, another pm speaks for this host)",
    );
    assert_eq!(copy.begun(), 0);
    // The first one is paused in the middle of its restart for longer than its lease lasts.
    first.pm.signal(Signal::STOP);
    copy.pm.until_log(MINE);
    copy.pm.until("the copy to act", |_| copy.begun() == 1);
    first.pm.write("go", "", 0o644);
    first.pm.signal(Signal::CONT);
    first.pm.until_log(THEIRS);
    first.pm.until_log("Successfully handled alarm for web");
    assert_eq!(base.state(1), (1, "down".to_owned()), "what the first one sends is too late");
    copy.pm.write("go", "", 0o644);
    copy.pm.until("the alarm to be cleared", |_| base.state(1).0 == 0);
    assert!(base.state(1).1.starts_with("down - Restarted at "));
    assert_eq!((first.begun(), copy.begun(), copy.said(MINE)), (1, 1, 1), "{}", first.pm.log());
    // In good order the lease is handed over at once.
    copy.pm.stop();
    first.pm.until_log(MINE);
}

#[test]
fn a_host_that_falls_silent_is_told_of_once_in_the_whole_fleet() {
    let Some((base, user)) = fleet() else { return };
    let page = "notify_command = echo \"$PM_EVENT $PM_NAME\" >> @DIR@/told";
    let sections =
        format!("{}[notify.page]\nnotifier = command\n{page}\n", custom("web", "restart_command = true"));
    let mut machines: Vec<_> = (1..4).map(|id| Machine::new(&base, &user, id, &sections)).collect();
    machines[0].pm.ok(&["db", "migrate"]);
    for machine in &mut machines {
        machine.pm.start();
    }
    machines[0].pm.until("three leases", |_| base.number("SELECT COUNT(*) FROM pm_host") == 3);
    machines[2].net.unplug();
    let told = || machines[..2].iter().map(|machine| machine.said("Host 3 (")).sum::<usize>();
    machines[0].pm.until("somebody to tell", |_| told() == 1);
    // Both have looked again since: their leases have been renewed for longer than that.
    let later = "SELECT COUNT(*) FROM pm_host a JOIN pm_host c ON c.host = '3' WHERE a.heartbeat_at > c.heartbeat_at + 5000";
    machines[0].pm.until("more looks", |_| base.number(later) == 2);
    assert_eq!((told(), machines[2].said("has been silent")), (1, 0));
    let people = || machines[..2].iter().map(|machine| machine.pm.read("told")).collect::<String>();
    machines[0].pm.until("people to be told", |_| people() == "host_silent 3\n");
    machines[2].pm.until("it to tell that it is alone", |pm| pm.read("told").contains("database_lost"));
    let told = machines[0].pm.ok(&["hosts"]);
    assert!(told.contains("silent") && told.lines().count() >= 4, "{told}");
}
