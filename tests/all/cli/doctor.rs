//! `pm doctor` on the embedded database: with and without a daemon, with things made wrong, by somebody without rights.

use super::{bare, custom, fits, json};
use pm_tests::findings::Findings;
use pm_tests::sandbox::{Sandbox, answer, built};
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A pm with a check for its one process, and a heartbeat.
fn healthy() -> Sandbox {
    let sections = custom("web", "restart_command = true\nhealth_check_command = true")
        + "[self_recovery]\nheartbeat_file = @DIR@/heartbeat\n";
    Sandbox::sqlite(&sections)
}

#[test]
fn before_the_first_start_it_says_what_is_not_there_yet_and_makes_nothing() {
    let sandbox = healthy();
    let names = || fs::read_dir(sandbox.dir()).unwrap().count();
    let before = names();
    let found = Findings::new(&sandbox);
    assert_eq!((found.code, found.problems()), (1, vec!["daemon"]), "{found:?}");
    assert!(found.worst("configuration").ends_with("config.ini can be used"), "{found:?}");
    assert!(found.worst("journal").starts_with("not applicable: there is no "), "{found:?}");
    assert!(found.worst("database").starts_with("not applicable: there is no "), "{found:?}");
    assert!(found.worst("heartbeat").starts_with("not applicable: no daemon works"), "{found:?}");
    assert_eq!(names(), before, "nothing is made");
}

#[test]
fn a_pm_that_works_has_no_problems_and_every_check_says_what_it_saw() {
    let mut sandbox = healthy();
    let pid = sandbox.start();
    sandbox.until("a heartbeat", |sandbox| !sandbox.read("heartbeat").is_empty());
    sandbox.until("the tables", |sandbox| sandbox.pm(&["alarm", "list"]).code == 0);
    let found = Findings::new(&sandbox);
    assert_eq!((found.code, found.problems()), (0, vec![]), "{found:?}");
    for (subject, begins) in [
        ("daemon", format!("ok: pid {pid} works in ")),
        ("heartbeat", format!("ok: {}/heartbeat was written ", sandbox.dir().display())),
        ("journal", format!("ok: {}/state/journal.db: version ", sandbox.dir().display())),
        ("database", "ok: sqlite ".to_owned()),
        ("tables", "ok: all that pm needs".to_owned()),
        ("index", "ok: an index finds".to_owned()),
        ("rights", "ok: alarms can be read, and clearing one is allowed".to_owned()),
        ("clock", "not applicable: this database has no clock".to_owned()),
        ("files", "ok: ".to_owned()),
        ("disk space", "ok: ".to_owned()),
        ("plugins", format!("ok: {}: ", built().display())),
        ("library", "ok: ".to_owned()),
    ] {
        assert!(found.worst(subject).starts_with(&begins), "{subject}: {}", found.worst(subject));
    }
    let text = sandbox.ok(&["doctor"]);
    let longest = sandbox.dir().as_os_str().len() + 60;
    fits(&text, 80.max(longest));
    assert!(text.contains("\n0 problems, "), "{text}");
    // Nothing was changed by looking, not even a row.
    assert_eq!(sandbox.rows(), serde_json::json!([]));

    sandbox.signal(Signal::STOP);
    let stopped = |found: &Findings| found.worst("daemon").contains("stopped by a signal");
    sandbox.until("the daemon to be seen stopped", |sandbox| stopped(&Findings::new(sandbox)));
    assert_eq!(Findings::new(&sandbox).commands("daemon"), [format!("kill -CONT {pid}")]);
    sandbox.signal(Signal::CONT);
    sandbox.stop();
}

#[test]
fn what_is_made_wrong_is_found_and_its_command_puts_it_right() {
    let mut sandbox = healthy();
    sandbox.start();
    sandbox.until("a heartbeat", |sandbox| !sandbox.read("heartbeat").is_empty());
    sandbox.until("the tables", |sandbox| sandbox.pm(&["alarm", "list"]).code == 0);
    sandbox.stop();
    mode(&sandbox.config(), 0o666);
    let alarms = rusqlite::Connection::open(sandbox.dir().join("alarms.db")).unwrap();
    let index: String = alarms
        .query_row(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'pm_alarms%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    alarms.execute_batch(&format!("DROP INDEX {index}")).unwrap();
    drop(alarms);
    let found = Findings::new(&sandbox);
    assert!(found.worst("files").contains("every user of this host can write"), "{found:?}");
    assert!(found.worst("index").starts_with("warning: there is no index on STATUS_PROCESS"), "{found:?}");
    assert_eq!(found.commands("index"), ["pm db migrate"]);
    sandbox.ok(&["db", "migrate"]);
    let repaired = answer(Command::new("sh").arg("-c").arg(found.commands("files")[0]));
    assert_eq!(repaired.code, 0, "{repaired:?}");
    let found = Findings::new(&sandbox);
    assert!(
        found.worst("files").starts_with("ok: ") && found.worst("index").starts_with("ok: "),
        "{found:?}"
    );

    let journal = sandbox.dir().join("state/journal.db");
    fs::write(&journal, "not a database, and long enough to be looked at as if it were one").unwrap();
    let _ = fs::remove_file(sandbox.dir().join("state/journal.db-wal"));
    let found = Findings::new(&sandbox);
    assert!(found.worst("journal").contains("not a database"), "{found:?}");
    assert!(found.problems().contains(&"journal"));
}

#[test]
fn a_library_that_cannot_be_loaded_is_found_and_the_others_are_loaded() {
    let sandbox = Sandbox::sqlite(&custom("web", "restart_command = true"));
    let plugins = sandbox.dir().join("plugins");
    fs::create_dir(&plugins).unwrap();
    let name = "libpm_plugin_custom.so";
    fs::copy(built().join(name), plugins.join(name)).unwrap();
    fs::write(plugins.join("libother.so"), "no library").unwrap();
    mode(&plugins.join("libother.so"), 0o755);
    let shown = plugins.display().to_string();
    let found = Findings::of(&sandbox.pm(&["doctor", "--format", "json", "--plugins-dir", &shown]));
    let library = found.worst("library");
    assert!(library.ends_with("libother.so is not a shared library (no ELF header)"), "{library}");
    let said = format!("{:?}", found.about("library"));
    assert!(said.contains("1 loaded without trouble: custom"), "{said}");
    mode(&plugins, 0o777);
    let found = Findings::of(&sandbox.pm(&["doctor", "--format", "json", "--plugins-dir", &shown]));
    assert_eq!(found.commands("plugins"), [format!("chmod go-w {shown}")]);
    mode(&plugins, 0o755);
}

#[test]
fn without_a_configuration_or_with_a_broken_one_the_rest_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let shown = bare(&["doctor", "--format", "json"], folder.path());
    let found = Findings::of(&shown);
    assert_eq!((found.code, found.problems(), shown.err.as_str()), (1, vec!["configuration"], ""));
    assert!(found.worst("plugins").starts_with("ok: "), "{found:?}");
    let broken = Sandbox::new("[database]\nengine = oracle\n");
    let found = Findings::new(&broken);
    assert!(found.worst("configuration").contains("[database] engine"), "{found:?}");
    assert!(found.worst("files").starts_with("ok: ") && found.worst("pidfd").contains("pidfd"), "{found:?}");
    let secret = "[database]\nhost = 127.0.0.1\nport = 1\nuser = pm\npassword = open-sesame-7\ndatabase = x\n\
                  [monitor]\ncheck_interval = 9\nmax_restart_failures = 3\ncircuit_reset_time = 9\n\
                  state_dir = @DIR@/state\n[process.web]\nrestart_strategy = custom\nrestart_command = true\n";
    let away = Sandbox::new(secret);
    mode(&away.config(), 0o644);
    let answer = away.pm(&["doctor", "--format", "json"]);
    assert!(!answer.out.contains("open-sesame"), "{}", answer.out);
    let found = Findings::of(&answer);
    assert!(found.worst("database").contains("127.0.0.1:1"), "{found:?}");
    assert_eq!(found.commands("password"), [format!("chmod 600 {}", away.config().display())]);
}

#[test]
fn somebody_without_rights_learns_what_was_not_looked_at() {
    if !rustix::process::geteuid().is_root() {
        // Then every other test here is this one: nobody is more than themselves.
        assert_ne!(Findings::new(&healthy()).code, 2);
        return;
    }
    let mut sandbox = healthy();
    sandbox.start();
    sandbox.until("a heartbeat", |sandbox| !sandbox.read("heartbeat").is_empty());
    sandbox.until("the tables", |sandbox| sandbox.pm(&["alarm", "list"]).code == 0);
    mode(sandbox.dir(), 0o755);
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(built().join("pm"));
        answer(command.args(words).arg("--config").arg(sandbox.config()).current_dir("/"))
    };
    let again = format!("sudo pm doctor --config {}", sandbox.config().display());
    let found = Findings::of(&as_nobody(&["doctor", "--format", "json"]));
    assert_eq!((found.code, found.problems()), (0, vec![]), "{found:?}");
    assert!(found.worst("configuration").contains("may not be read by this account"), "{found:?}");
    assert_eq!(found.commands("configuration"), [again.as_str()]);
    mode(&sandbox.config(), 0o644);
    mode(&sandbox.dir().join("state"), 0o700);
    let found = Findings::of(&as_nobody(&["doctor", "--format", "json"]));
    for subject in ["daemon", "journal"] {
        assert!(found.worst(subject).contains("out of sight of this account: not looked at"), "{found:?}");
        assert_eq!(found.commands(subject), [again.as_str()]);
    }
    let text = as_nobody(&["doctor"]);
    assert!(text.out.contains("not applicable.") && text.err.is_empty(), "{text:?}");
    assert!(json(&as_nobody(&["doctor", "--format", "json"]).out)["findings"].is_array());
    sandbox.stop();
}
