//! Real programs that outlive their starter: what they get, what they do not get, and what cannot be started.

use pm_plugin_api::command::End;
use pm_plugin_api::detach::{Program, Started, User, spawn, spawn_and_watch, start_ticks};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What `read` yields as soon as it yields something.
fn soon<T>(mut read: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = read() {
            return value;
        }
        assert!(Instant::now() < deadline, "it did not happen within ten seconds");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn shell(script: &str, output: &Path) -> Program {
    let arguments = ["sh", "-c", script].map(OsString::from).to_vec();
    Program { arguments, output: Some(output.to_owned()), ..Program::new("/bin/sh") }
}

/// The output of `script` when it has said "end".
fn output_of(program: &Program) -> String {
    spawn(program).expect("it starts");
    let file = program.output.clone().expect("it has an output");
    soon(|| std::fs::read_to_string(&file).ok()?.strip_suffix("end\n").map(str::to_owned))
}

fn status(pid: u32, key: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A program that stays until the value is dropped.
struct Staying(Started);

impl Staying {
    fn new(program: Program) -> Self {
        let arguments = ["sleep", "60"].map(OsString::from).to_vec();
        Self(spawn(&Program { arguments, path: "/bin/sleep".into(), ..program }).expect("it starts"))
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0.pid.cast_signed());
        let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
    }
}

#[test]
fn it_is_nobodys_child_and_leads_its_own_session() {
    let program = Staying::new(Program::new("/"));
    let pid = program.0.pid;
    assert_ne!(status(pid, "PPid"), std::process::id().to_string());
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[2..4], [pid.to_string(), pid.to_string()], "process group and session");
    assert_eq!(start_ticks(pid), Some(program.0.start_ticks));
}

#[test]
fn it_inherits_no_descriptor_no_signal_and_no_mask() {
    // A descriptor that an inattentive library would leave open across exec.
    let leak = std::fs::File::open("/proc/self/status").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let program = Staying::new(Program::new("/"));
    let pid = program.0.pid;
    let open = || std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|fd| fd.unwrap().path());
    // While it starts its loader opens the libraries, one after the other; what it inherited stays open.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while open().count() > 3 && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let fds: Vec<_> = open().collect();
    assert_eq!(fds.len(), 3, "{fds:?}");
    for fd in fds {
        assert_eq!(std::fs::read_link(fd).unwrap(), Path::new("/dev/null"));
    }
    // Rust ignores SIGPIPE in this process; the program must not.
    // 32 and 33 are the C library's own, it lets nobody touch them.
    let mask = |pid, key| u64::from_str_radix(&status(pid, key), 16).unwrap() & !(3 << 31);
    assert_ne!(mask(std::process::id(), "SigIgn"), 0);
    for key in ["SigIgn", "SigBlk", "SigCgt"] {
        assert_eq!(mask(pid, key), 0, "{key}");
    }
}

#[test]
fn it_gets_what_it_is_given_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    std::fs::write(&file, "before\n").unwrap();
    let script = "pwd; umask; echo \"$A\"; tr '\\0' '\\n' </proc/$$/environ; echo oops >&2; cat; echo end";
    let program = Program {
        directory: "/usr".into(),
        environment: BTreeMap::from([("A".into(), "b c".into()), ("PATH".into(), "/usr/bin:/bin".into())]),
        umask: 0o027,
        ..shell(script, &file)
    };
    assert_eq!(output_of(&program), "before\n/usr\n0027\nb c\nA=b c\nPATH=/usr/bin:/bin\noops\n");
}

#[test]
fn what_cannot_be_started_is_an_error_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    std::fs::write(&script, "echo hi").unwrap();
    let text = |program: &Program, kind: ErrorKind| {
        let error = spawn(program).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        error.to_string()
    };
    let missing = text(&Program::new("/nowhere/prog"), ErrorKind::NotFound);
    assert!(missing.starts_with("cannot start /nowhere/prog: No such file"), "{missing}");
    text(&Program::new(&script), ErrorKind::PermissionDenied);
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(spawn(&Program::new(&script)).unwrap_err().to_string().contains("Exec format"));
    let lost = Program { directory: "/nowhere".into(), ..Program::new("/bin/true") };
    assert!(text(&lost, ErrorKind::NotFound).contains("entering its directory: No such"), "{lost:?}");
    let unwritable = Program { output: Some("/nowhere/log".into()), ..Program::new("/bin/true") };
    assert!(text(&unwritable, ErrorKind::NotFound).contains("cannot open its output /nowhere/log"));
    text(&Program::new("bin/true"), ErrorKind::InvalidInput);
    let nul = Program { arguments: vec!["a\0b".into()], ..Program::new("/bin/true") };
    text(&nul, ErrorKind::InvalidInput);
}

#[test]
fn its_end_is_told_while_somebody_asks() {
    let file = Path::new("/dev/null");
    let watch =
        |script: &str, grace| spawn_and_watch(&shell(script, file), Duration::from_millis(grace)).unwrap();
    assert_eq!(watch("exit 3", 5000).1, Some(End::Exited(3)));
    assert_eq!(watch("exit 0", 5000).1, Some(End::Exited(0)));
    assert_eq!(watch("kill -9 $$", 5000).1, Some(End::Signaled(9)));
    let (started, end) = watch("exec sleep 60", 20);
    let orphan = Staying(started);
    assert_eq!(end, None);
    // Between it and us there was a process, which is gone.
    let parent = status(orphan.0.pid, "PPid").parse().unwrap();
    assert_ne!(status(parent, "PPid"), std::process::id().to_string());
}

#[test]
fn an_output_that_nobody_reads_does_not_hold_us_up() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let began = Instant::now();
    assert!(spawn(&Program { output: Some(fifo), ..Program::new("/bin/true") }).is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn root_can_start_it_as_somebody_else_and_nobody_else_can() {
    let dir = tempfile::tempdir().unwrap();
    let user = User { uid: 65534, gid: 65533, groups: vec![65533, 12], account: None };
    let program = Program { user: Some(user), ..Program::new("/") };
    if !rustix::process::geteuid().is_root() {
        let error = spawn(&Program { path: "/bin/true".into(), ..program }).unwrap_err();
        assert!(error.to_string().contains("changing to its user, which only root may"), "{error}");
        return;
    }
    let staying = Staying::new(program.clone());
    let pid = staying.0.pid;
    assert_eq!(status(pid, "Uid"), "65534 65534 65534 65534");
    assert_eq!(status(pid, "Gid"), "65533 65533 65533 65533");
    assert_eq!(status(pid, "Groups"), "12 65533");
    assert_eq!(status(pid, "CapEff"), "0000000000000000");
    // Its directory is entered with our rights, as su does it.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let inside = Staying::new(Program { directory: dir.path().to_owned(), ..program });
    assert_eq!(std::fs::read_link(format!("/proc/{}/cwd", inside.0.pid)).unwrap(), dir.path());
}

#[test]
fn under_systemd_it_has_a_scope_of_its_own() {
    let ours = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let program = Staying::new(Program { scope: Some("test/1".to_owned()), ..Program::new("/") });
    let its = std::fs::read_to_string(format!("/proc/{}/cgroup", program.0.pid)).unwrap();
    let systemd = std::fs::read_to_string("/proc/1/comm").unwrap() == "systemd\n";
    if systemd && rustix::process::geteuid().is_root() {
        let scope = program.0.scope.clone().expect("a scope");
        assert!(scope.starts_with("pm-test_1-") && its.contains(&scope), "{scope}: {its}");
        assert_ne!(its, ours);
    } else if !systemd {
        assert_eq!((program.0.scope.as_deref(), its), (None, ours));
    }
}
