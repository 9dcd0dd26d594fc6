//! `pm run --observe`: decides and tells what it would do, and touches nothing, neither alone nor beside a daemon.

use super::{config, custom, programs, real, running, world};
use crate::daemon::alive;
use pm_tests::sandbox::{Sandbox, built};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A pm that observes; what it says stands outside of the world.
struct Observer {
    child: Child,
    out: TempDir,
}

impl Observer {
    /// With the configuration `file` of the folder.
    fn of(sandbox: &Sandbox, file: &str) -> Self {
        let out = TempDir::new().unwrap();
        let to = || File::options().create(true).append(true).open(out.path().join("out")).unwrap();
        let mut command = Command::new(built().join("pm"));
        command.args(["run", "--observe", "--config"]).arg(sandbox.dir().join(file)).current_dir("/");
        let child = command.stdin(Stdio::null()).stdout(to()).stderr(to()).spawn().unwrap();
        Self { child, out }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.out.path().join("out")).unwrap()
    }

    fn until(&self, sandbox: &Sandbox, text: &str) {
        sandbox.until(&format!("{text:?}"), |_| {
            assert!(alive(self.child.id()), "it has ended:\n{}", self.said());
            self.said().contains(text)
        });
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it in good order and answers what it said.
    fn end(mut self) -> String {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success(), "{}", self.said());
        self.said()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every file below a folder: when it was changed, and its bytes. Readers of a database mark their place in the index
/// beside its log (`-shm`), so of that one counts only that it is there.
type Files = BTreeMap<String, (i64, i64, Vec<u8>)>;

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, about) = (entry.path(), entry.metadata().unwrap());
        let name = path.to_string_lossy().into_owned();
        if about.is_dir() {
            found.extend(files(&path));
        } else if about.is_file() && name.ends_with("-shm") {
            found.insert(name, Default::default());
        } else if about.is_file() {
            found.insert(name, (about.mtime(), about.mtime_nsec(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn assert_untouched(before: &Files, after: &Files) {
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, seen) in before {
        assert!(after[name] == *seen, "{name} was touched");
    }
}

/// Everything that a restart could run.
const COMMANDS: &str =
    "pre_restart_command = touch @DIR@/touched\nevidence_command = touch @DIR@/touched\nverify_before = yes";

fn would(name: &str, id: i64) -> String {
    format!(
        "Would look at {name} (ID: {id}) now, and restart it if it is not healthy; nothing is done, it is only observed \
         (pm run --observe)"
    )
}

#[test]
fn alone_it_says_once_per_row_what_it_would_do_and_touches_nothing() {
    let check = "restart_command = touch @DIR@/touched\nhealth_check_command = touch @DIR@/touched";
    let sections = real("w1", COMMANDS)
        + &real("w2", &format!("depends_on = w1\n{COMMANDS}"))
        + &custom("w3", &format!("{check}\n{COMMANDS}"));
    let mut world = world("", &sections);
    programs(&world, &["w1", "w2"], &["w1"]);
    let pids = running(&world, "w1");
    // A daemon has been at work here, and has ended in good order.
    world.start();
    world.round();
    world.stop();
    let rows = ["w1", "w2", "w3"].map(|name| world.alarm(name));
    let before = files(world.dir());
    let observer = Observer::of(&world, "config.ini");
    observer.until(&world, "Observing: everything is decided and told here, and nothing is touched");
    observer.until(&world, &would("w3", rows[2]));
    // Nothing changes by reading the configuration again, wherever its log goes.
    observer.signal(Signal::HUP);
    observer.until(&world, "Configuration read again from ");
    assert_untouched(&before, &files(world.dir()));
    // A row that comes later shows that there have been more rounds.
    let later = world.alarm("w3");
    observer.until(&world, &would("w3", later));
    let said = observer.end();
    for (name, id) in [("w1", rows[0]), ("w3", rows[2]), ("w3", later)] {
        assert_eq!(said.matches(&would(name, id)).count(), 1, "{said}");
    }
    let waits =
        format!("Not acting on w2 (ID: {}): waits for w1, which is in alarm and comes first", rows[1]);
    assert_eq!(said.matches(&waits).count(), 1, "{said}");
    let of_the_table =
        |files: Files| files.into_iter().filter(|(name, _)| !name.contains("alarms.db")).collect();
    let (before, after): (Files, Files) = (of_the_table(before), of_the_table(files(world.dir())));
    assert_untouched(&before, &after);
    assert!(rows.iter().all(|id| world.state(*id) == (1, 0, Some("down".to_owned()))));
    assert_eq!(running(&world, "w1"), pids);
}

#[test]
fn beside_a_daemon_it_tries_another_configuration_and_touches_nothing_byte_for_byte() {
    let mut world = world("", &real("w1", ""));
    programs(&world, &["w1", "w2"], &["w1", "w2"]);
    world.start();
    // The daemon does not know w2; the new configuration does. What operators ordered counts for both.
    world.ok(&["hold", "w1"]);
    let rows = ["w1", "w2"].map(|name| world.alarm(name));
    world.until_log("Ignoring process without config section: w2");
    world.until_log(&format!("Not acting on w1 (ID: {}): held by ", rows[0]));
    let new = config("", &(real("w1", "") + &real("w2", COMMANDS)));
    world.write("new.ini", &new.replace("@DIR@", &world.dir().to_string_lossy()), 0o600);
    let pids = [running(&world, "w1"), running(&world, "w2")];
    let (mut before, mut same) = (Files::new(), 0);
    world.until("the daemon to have nothing more to write", |world| {
        let now = files(world.dir());
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same == 20
    });
    let observer = Observer::of(&world, "new.ini");
    observer.until(&world, &would("w2", rows[1]));
    observer.until(&world, &format!("Not acting on w1 (ID: {}): held by ", rows[0]));
    assert_untouched(&before, &files(world.dir()));
    let said = observer.end();
    assert_untouched(&before, &files(world.dir()));
    assert_eq!(said.matches(&would("w2", rows[1])).count(), 1, "{said}");
    assert_eq!([running(&world, "w1"), running(&world, "w2")], pids);
    // The daemon works on.
    world.ok(&["release", "w1"]);
    world.cleared(rows[0]);
}

#[test]
fn where_nothing_is_it_makes_nothing() {
    let sandbox = Sandbox::new(&config("", ""));
    let before = files(sandbox.dir());
    let observer = Observer::of(&sandbox, "config.ini");
    observer.until(&sandbox, "alarms.db");
    observer.until(&sandbox, "Trying again until it works");
    let said = observer.end();
    assert_untouched(&before, &files(sandbox.dir()));
    assert_eq!(said.matches("Trying again until it works").count(), 1, "{said}");
}

#[test]
fn an_observer_hears_of_orders_that_come_later_and_ends_without_a_word_about_alarms() {
    let world = world("", &custom("web", "restart_command = echo x >> @DIR@/ran"));
    world.alarm("web");
    world.ok(&["hold", "web", "--by", "eve"]);
    world.ok(&["release", "web"]);
    let observer = Observer::of(&world, "config.ini");
    observer.until(&world, "Would restart web (ID: ");
    world.ok(&["hold", "web", "--by", "ana", "--why", "disk swap"]);
    observer.until(&world, "OPERATOR LOG: In force: hold of web by ana until it is released (disk swap)");
    observer.until(&world, "held by ana");
    world.ok(&["maintenance", "add", "w", "--process", "web", "--for", "1h"]);
    world.ok(&["release", "web"]);
    observer.until(&world, "OPERATOR LOG: Not in force any more: hold of web by ana");
    let said = observer.end();
    assert!(!said.contains("shutting down"), "{said}");
    assert_eq!(world.read("ran"), "");
}
