//! Programs for the tests: copies of `sleep` and small scripts with names of their own, killed when dropped.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A name that no other process of this machine has; up to ten characters longer than `stem`.
pub(crate) fn unique(stem: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}{:x}{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A running program.
pub(crate) struct Sample {
    child: Child,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Sample {
    /// A copy of `sleep`.
    pub(crate) fn called(name: &str) -> Self {
        Self::start(name, |file| {
            copy(Path::new("/bin/sleep"), file);
            let mut command = Command::new(file);
            command.arg("600");
            command
        })
    }

    /// A script that the kernel starts by its first line.
    pub(crate) fn script(name: &str) -> Self {
        Self::start(name, |file| {
            write_script(file, "#!/bin/sh\nsleep 600; true\n");
            Command::new(file)
        })
    }

    /// A script that is given to `sh`.
    pub(crate) fn script_of_an_interpreter(name: &str) -> Self {
        Self::start(name, |file| {
            write_script(file, "sleep 600; true\n");
            let mut command = Command::new("/bin/sh");
            command.arg(file);
            command
        })
    }

    /// A script that leads a session and waits for a child.
    pub(crate) fn session(name: &str) -> Self {
        Self::start(name, |file| {
            write_script(file, "#!/bin/sh\nsleep 600\ntrue\n");
            let mut command = Command::new("/usr/bin/setsid");
            command.arg(file);
            command
        })
    }

    fn start(name: &str, make: impl FnOnce(&Path) -> Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        let mut command = make(&file);
        if command.get_program() != "/usr/bin/setsid" {
            // The leader of a group could not become that of a session without another fork.
            command.process_group(0);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let sample = Self { child, file, _dir: dir };
        // `spawn` comes back before the kernel has given it its name, and the child of a script is called like the
        // script until it has become another program.
        let children = format!("/proc/{0}/task/{0}/children", sample.pid());
        let has_child = || {
            let child = std::fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            Some(crate::proc::comm(child)? == "sleep")
        };
        let is_script = std::fs::read(sample.file()).is_ok_and(|text| !text.starts_with(b"\x7fELF"));
        soon(
            || if is_script { has_child() == Some(true) } else { crate::name::is_called(sample.pid(), name) },
        );
        sample
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
    pub(crate) fn name(&self) -> &str {
        self.file.file_name().unwrap().to_str().unwrap()
    }
    pub(crate) fn kill_without_reaping(&mut self) {
        self.child.kill().unwrap();
        soon(|| crate::proc::Process::read(self.pid()).unwrap().has_ended());
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

pub(crate) fn write_script(file: &Path, text: &str) {
    let draft = file.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
    copy(&draft, file);
}

/// Written by another process: a program that is open for writing here could be held open by a child that another test
/// forks at this moment, and cannot be executed as long ("text file busy").
pub(crate) fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-p").args([from, to]).status().unwrap().success());
}

/// Waits until `condition` holds, at most ten seconds.
pub(crate) fn soon(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen within ten seconds");
        std::thread::sleep(Duration::from_millis(2));
    }
}
