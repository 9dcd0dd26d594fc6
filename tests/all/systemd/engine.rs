//! Everything at once: groups and dependencies from the tables of a MariaDB server, maintenance windows and operators'
//! orders, over units of a real systemd.
//!
//! pm runs inside of that systemd and asks the server over TCP. What is down is down because its unit ends by itself,
//! as a service does whose disk or server is away; a test raises the alarms as whoever watches the units would. What
//! was touched is told by systemd: the invocation of a unit changes with every start.

mod dependencies;
mod group;
mod orders;
mod unrelated;
mod windows;

use super::{Machine, until};
use crate::mariadb::{Base, LEAST, R8, World};
use pm_tests::sandbox::Sandbox;
use serde_json::Value;
use std::ops::{Deref, DerefMut};

/// A unit that runs until it is told otherwise.
const RUNS: &str = "[Service]\nType=exec\nExecStart=/bin/sleep infinity\n";
/// A unit that runs as long as there is a file `storage`; without it a start fails.
const NEEDS_STORAGE: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\n\
    ExecStartPre=/bin/sh -c 'test -e @DIR@/storage'\n\
    ExecStart=/bin/sh -c 'while test -e @DIR@/storage; do sleep 0.05; done; exit 1'\n";
/// Reading the tables of groups and dependencies.
const RELATIONS: &[&str] = &["SELECT ON {db}.pm_group", "SELECT ON {db}.pm_dependency"];

/// Processes of a table of MariaDB that are units of systemd.
struct Shop {
    /// Ends before the units go.
    world: World,
    machine: Machine,
    /// The names, in the order of their rows, which are numbered from 1.
    names: Vec<String>,
}

impl Shop {
    /// A shop with these units, each of which is the process of its name, and with these groups and dependencies; `None`
    /// when the short run leaves a component out. `@UNIT@` is what the name of a unit begins with.
    fn new(units: &[(&str, &str)], relations: &str, monitor: &str, sections: &str) -> Option<Self> {
        let machine = Machine::shared()?;
        let base = Base::new(R8)?;
        let migrated =
            Self::pm(&machine, &base, &base.account(&["ALL ON {db}.*"]), "", "").ok(&["db", "migrate"]);
        assert!(migrated.contains("created pm_dependency\n"), "{migrated}");
        base.sql(relations);
        let user = base.account(&[LEAST, RELATIONS].concat());
        Some(Self::over(machine, base, &user, units, monitor, sections))
    }

    /// As [`new`](Self::new), over tables that are there and with this account.
    fn over(
        machine: Machine,
        base: Base,
        user: &str,
        units: &[(&str, &str)],
        monitor: &str,
        sections: &str,
    ) -> Self {
        let mut all = "[process.default]\nrestart_strategy = service\nhealth_check = service\n".to_owned();
        all.push_str(&sections.replace("@UNIT@", &unit("")));
        for (name, _) in units {
            let section = format!("[process.{name}]\n");
            let keys = format!("{section}system_name = {}\n", unit(name));
            if all.contains(&section) {
                all = all.replacen(&section, &keys, 1);
            } else {
                all.push_str(&keys);
            }
        }
        let sandbox = Self::pm(&machine, &base, user, monitor, &all);
        let names = units.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut shop = Self { world: World { sandbox, base }, machine, names };
        let files: Vec<_> = units.iter().map(|(name, text)| (unit(name) + ".service", *text)).collect();
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        shop.machine.load(&shop.world.sandbox, &files);
        for (row, name) in (1..).zip(&shop.names) {
            shop.world.base.put(row, name, 0, None);
        }
        shop
    }

    /// pm inside of systemd, with an account of the server.
    fn pm(machine: &Machine, base: &Base, user: &str, monitor: &str, sections: &str) -> Sandbox {
        let database = base.tcp(user, base.server.port);
        let config = format!(
            "[database]\n{database}\n[monitor]\ncheck_interval = 0.2\nmax_restart_failures = 10\n\
             circuit_reset_time = 60\nstate_dir = @DIR@/state\n{monitor}\n\n[criticality.normal]\nbackoff = 0\n\n\
             [logging]\nfile = @DIR@/pm.log\nsyslog = no\n\n{sections}"
        );
        Sandbox::within(&machine.systemd.shared, &[machine.systemd.enter.to_str().unwrap()], &config)
    }

    fn row(&self, name: &str) -> i64 {
        let place = self.names.iter().position(|its| its == name).unwrap_or_else(|| panic!("no {name}"));
        i64::try_from(place).unwrap() + 1
    }

    /// Puts processes into alarm, all in the same moment.
    fn alarm(&self, names: &[&str]) {
        let rows: Vec<_> = names.iter().map(|name| self.row(name).to_string()).collect();
        let rows = rows.join(", ");
        self.base.sql(&format!(
            "UPDATE STATUS_PROCESS SET alarma = 1, notes = 'down' WHERE process_id IN ({rows})"
        ));
    }

    /// Waits until the alarm of a process is cleared, and answers its notes.
    fn until_cleared(&self, name: &str) -> String {
        self.cleared(self.row(name))
    }

    fn in_alarm(&self, name: &str) -> bool {
        self.base.state(self.row(name)).0 == 1
    }

    fn systemctl(&self, verb: &str, names: &[&str]) {
        let units: Vec<_> = names.iter().map(|name| unit(name)).collect();
        let units: Vec<_> = units.iter().map(String::as_str).collect();
        self.machine.ok(&[&["systemctl", verb][..], &units].concat());
    }

    fn state(&self, name: &str) -> String {
        self.machine.property(&unit(name), "ActiveState")
    }

    fn until_state(&self, name: &str, state: &str) {
        until(&format!("{name} to be {state}"), || self.state(name) == state);
    }

    /// What changes with every start of a unit.
    fn invocation(&self, name: &str) -> String {
        self.machine.invocation(&unit(name))
    }

    /// The attempts of a process, the oldest first.
    fn history(&self, name: &str) -> Vec<Value> {
        let mut all: Vec<Value> =
            serde_json::from_str(&self.ok(&["history", name, "--format", "json"])).unwrap();
        all.reverse();
        all
    }

    /// How the attempts of a process have ended, the oldest first.
    fn ends(&self, name: &str) -> Vec<String> {
        self.history(name).iter().map(|attempt| attempt["end"].as_str().unwrap().to_owned()).collect()
    }

    /// The reason for which `pm why` holds a process; empty when it does not.
    fn hold(&self, name: &str) -> String {
        let why: Value = serde_json::from_str(&self.ok(&["why", name, "--format", "json"])).unwrap();
        why["hold"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts that the table says what is: no alarm of what runs, no other without one.
    fn table_is_true(&self) {
        for name in &self.names {
            let (in_alarm, state) = (self.in_alarm(name), self.state(name));
            assert_eq!(in_alarm, state != "active", "{name} is {state}\n{}", self.log());
        }
    }

    /// Asserts that texts stand in the log, each behind the one before.
    fn in_order(&self, texts: &[&str]) {
        let log = self.log();
        let mut from = 0;
        for text in texts {
            let found = log[from..].find(text);
            from +=
                found.unwrap_or_else(|| panic!("no {text:?} behind those before it in\n{log}")) + text.len();
        }
    }
}

impl Deref for Shop {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Shop {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// The unit of a process; tests that run at the same time have different ones.
fn unit(name: &str) -> String {
    format!("pmt{}-{name}", std::process::id())
}

/// A moment of an attempt, in milliseconds.
fn at(attempt: &Value, key: &str) -> i64 {
    attempt[key].as_i64().unwrap_or_else(|| panic!("no {key} in {attempt:#}"))
}
