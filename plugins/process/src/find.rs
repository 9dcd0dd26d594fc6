//! Finds the processes that the operator means.
//!
//! The rules are narrow: an exact name, an executable, a pid file that is believed only when what it names looks right.
//! What is found may be killed, so some processes are never found: ourselves and what started us, process 1, threads of
//! the kernel, pm's workers, and what lives in another pid namespace (a container).
//!
//! A zombie has ended. It is counted, because an operator wants to know, but it is not running.

use crate::name::{Executable, Pattern, is_called};
use crate::pidfile;
use crate::proc::{self, Process};
use pm_plugin_api::{Error, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// How to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finder {
    /// The process that a file names, if it looks right.
    PidFile(PathBuf, Look),
    /// All that run this file.
    Executable(PathBuf),
    /// All whose name is the system name.
    Name,
    /// All whose short name holds the system name.
    Pattern,
}

/// What the process named by a pid file must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// It runs this file; otherwise the pid file is stale.
    Runs(PathBuf),
    /// Its name is the system name; otherwise nobody knows what is right.
    Called,
    /// The operator says that the file can be trusted.
    Anything,
}

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) running: Vec<Process>,
    /// Matching processes that have ended, and wait for their parents.
    pub(crate) zombies: Vec<Process>,
}

impl Found {
    /// The oldest of those that no other one of them started.
    pub(crate) fn main(&self) -> Option<&Process> {
        let among = |pid| self.running.iter().any(|process| process.pid == pid);
        let roots = self.running.iter().filter(|process| !among(process.parent));
        roots.min_by_key(|process| (process.start_ticks, process.pid))
    }
}

impl Finder {
    /// From the settings `pid_file`, `executable` and `match`.
    pub(crate) fn new(
        pid_file: Option<PathBuf>,
        executable: Option<PathBuf>,
        how: Option<&str>,
    ) -> Result<Self> {
        let needs = |key: &str| Error::config(format!("match: {:?} needs {key}", how.unwrap_or_default()));
        match (how, pid_file, executable) {
            (None, Some(file), None) => Ok(Self::PidFile(file, Look::Called)),
            (None | Some("pid-file"), Some(file), Some(program)) => {
                Ok(Self::PidFile(file, Look::Runs(program)))
            }
            (Some("pid-file"), Some(file), None) => Ok(Self::PidFile(file, Look::Anything)),
            (Some("pid-file"), None, _) => Err(needs("pid_file")),
            (None | Some("executable"), None, Some(program)) => Ok(Self::Executable(program)),
            (Some("executable"), None, None) => Err(needs("executable")),
            (Some("name") | None, None, None) => Ok(Self::Name),
            (Some("pattern"), None, None) => Ok(Self::Pattern),
            (Some("executable" | "name" | "pattern"), ..) => Err(Error::config(format!(
                "match: {:?} does not go with pid_file or executable, which would be ignored; remove one of them",
                how.unwrap_or_default()
            ))),
            (Some(other), ..) => {
                Err(Error::config(format!("match: {other:?} is none of pid-file, executable, name, pattern")))
            }
        }
    }

    /// For messages: `no process …`.
    pub(crate) fn describe(&self, system_name: &str) -> String {
        match self {
            Self::PidFile(file, _) => format!("is named by {}", file.display()),
            Self::Executable(program) => format!("runs {}", program.display()),
            Self::Name => format!("is called {system_name:?}"),
            Self::Pattern => format!("has {system_name:?} in its short name"),
        }
    }

    /// Looks for them.
    ///
    /// # Errors
    /// "Unavailable" when the host is too short of something to look at all processes: a second instance is worse.
    pub(crate) fn find(&self, system_name: &str) -> Result<Found> {
        proc::complete(|| self.look(system_name)).map_err(blind)?
    }

    fn look(&self, system_name: &str) -> Result<Found> {
        let mut found = Found::default();
        let add = |found: &mut Found, process: Process| {
            if process.has_ended() {
                found.zombies.push(process);
            } else {
                found.running.push(process);
            }
        };
        if let Self::PidFile(file, look) = self {
            if let Some(process) = pidfile::process(file)?
                && (process.has_ended() || pidfile::looks_right(&process, look, system_name, file)?)
            {
                Protected::look()?.allows_file(&process, file)?;
                add(&mut found, process);
            }
            return Ok(found);
        }
        let all = proc::pids().map_err(no_proc)?;
        let pids: Vec<u32> = match self {
            Self::Executable(program) => {
                let program = Executable::new(program);
                all.filter(|pid| program.is_run_by(*pid)).collect()
            }
            Self::Pattern => {
                let pattern = Pattern::new(system_name)?;
                all.filter(|pid| proc::comm(*pid).is_some_and(|comm| pattern.matches(&comm))).collect()
            }
            Self::Name | Self::PidFile(..) => all.filter(|pid| is_called(*pid, system_name)).collect(),
        };
        if pids.is_empty() {
            return Ok(found);
        }
        let protected = Protected::look()?;
        for process in pids.into_iter().filter_map(Process::read) {
            if protected.refusal(&process).is_none() {
                add(&mut found, process);
            }
        }
        Ok(found)
    }
}

/// The running processes of sessions that these led: what a script that was stopped has left behind.
pub(crate) fn members_of_sessions(leaders: &[Process]) -> Result<Vec<Process>> {
    let sessions: HashSet<u32> =
        leaders.iter().filter(|leader| leader.session == leader.pid).map(|leader| leader.pid).collect();
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let look = || {
        let protected = Protected::look()?;
        let all = proc::pids().map_err(no_proc)?.filter_map(Process::read);
        Ok(all
            .filter(|process| sessions.contains(&process.session) && !process.has_ended())
            .filter(|process| protected.refusal(process).is_none())
            .collect())
    };
    proc::complete(look).map_err(blind)?
}

#[expect(clippy::needless_pass_by_value, reason = "handed over as a function")]
fn blind(error: std::io::Error) -> Error {
    Error::unavailable(format!(
        "pm cannot look at all processes: {error}; what it does not see is not started anew"
    ))
}

fn no_proc(error: std::io::Error) -> Error {
    Error::from(error).context("reading /proc")
}

/// Those who are never found.
struct Protected {
    /// We and the processes that we descend from.
    us: HashSet<u32>,
    executable: PathBuf,
    namespace: Option<PathBuf>,
}

/// Why a process is never found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Ourselves,
    Kernel,
    Container,
}

impl Protected {
    fn look() -> Result<Self> {
        let mut us = HashSet::from([1]);
        let mut next = Some(std::process::id());
        while let Some(pid) = next.filter(|pid| *pid > 0 && us.insert(*pid)) {
            next = Process::read(pid).map(|process| process.parent);
        }
        let executable = proc::executable(std::process::id()).map_err(no_proc)?;
        Ok(Self { us, executable, namespace: proc::pid_namespace("self") })
    }

    fn refusal(&self, process: &Process) -> Option<Refusal> {
        // pm's other workers: they have our executable and our parent.
        let worker = || {
            process.parent != 1
                && self.us.contains(&process.parent)
                && process.executable().is_ok_and(|file| file == self.executable)
        };
        if self.us.contains(&process.pid) || worker() {
            return Some(Refusal::Ourselves);
        }
        if process.is_of_the_kernel() {
            return Some(Refusal::Kernel);
        }
        let its = proc::pid_namespace(&process.pid.to_string());
        (its.is_some() && its != self.namespace).then_some(Refusal::Container)
    }

    /// A pid file may lead into a container, when the operator wants that; to pm or the kernel it leads by mistake.
    fn allows_file(&self, process: &Process, file: &Path) -> Result<()> {
        let why = match self.refusal(process) {
            None | Some(Refusal::Container) => return Ok(()),
            Some(Refusal::Ourselves) => "is part of pm, or started it",
            Some(Refusal::Kernel) => "is a thread of the kernel",
        };
        Err(Error::failed(format!(
            "{} names process {}, which {why}; it is not touched, remove the stale file",
            file.display(),
            process.shown()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, unique};

    fn finder(pid_file: Option<&Path>, executable: Option<&Path>, how: Option<&str>) -> Result<Finder> {
        Finder::new(pid_file.map(Path::to_owned), executable.map(Path::to_owned), how)
    }

    fn pids(found: &Found) -> Vec<u32> {
        let mut pids: Vec<u32> = found.running.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn the_settings_decide_how() {
        let (file, program) = (Some(Path::new("/run/x.pid")), Some(Path::new("/bin/x")));
        let both = Finder::PidFile("/run/x.pid".into(), Look::Runs("/bin/x".into()));
        assert_eq!(finder(None, None, None).unwrap(), Finder::Name);
        assert_eq!(finder(None, program, None).unwrap(), Finder::Executable("/bin/x".into()));
        assert_eq!(finder(file, program, None).unwrap(), both);
        assert_eq!(finder(file, None, None).unwrap(), Finder::PidFile("/run/x.pid".into(), Look::Called));
        let trusted = finder(file, None, Some("pid-file")).unwrap();
        assert_eq!(trusted, Finder::PidFile("/run/x.pid".into(), Look::Anything));
        assert_eq!(finder(None, None, Some("pattern")).unwrap(), Finder::Pattern);
        for (file, program, how) in [
            (None, None, "pid-file"),
            (None, program, "pid-file"),
            (None, None, "executable"),
            (file, None, "name"),
            (None, program, "pattern"),
            (file, program, "executable"),
            (None, None, "regex"),
        ] {
            let error = finder(file, program, Some(how)).unwrap_err();
            assert_eq!(error.kind, pm_plugin_api::ErrorKind::Config, "{how}");
        }
    }

    #[test]
    fn an_exact_name_finds_no_longer_and_no_shorter_one() {
        let name = unique("crond");
        let (one, other) = (Sample::called(&name), Sample::called(&format!("{name}x")));
        assert_eq!(pids(&Finder::Name.find(&name).unwrap()), [one.pid()]);
        assert!(Finder::Name.find(&name[..name.len() - 1]).unwrap().running.is_empty());
        let mut both = [one.pid(), other.pid()];
        both.sort_unstable();
        assert_eq!(pids(&Finder::Pattern.find(&name).unwrap()), both);
    }

    #[test]
    fn names_longer_than_the_kernel_keeps_are_compared_whole() {
        let name = unique("a-rather-long-name");
        let sample = Sample::called(&name);
        let _other = Sample::called(&format!("{name}-2"));
        assert_eq!(pids(&Finder::Name.find(&name).unwrap()), [sample.pid()]);
    }

    #[test]
    fn a_script_is_found_by_its_own_name() {
        let name = unique("job");
        let (direct, given) = (Sample::script(&name), Sample::script_of_an_interpreter(&name));
        let mut both = [direct.pid(), given.pid()];
        both.sort_unstable();
        assert_eq!(pids(&Finder::Name.find(&name).unwrap()), both);
        let by_file = Finder::Executable(direct.file().to_owned()).find("whatever").unwrap();
        assert_eq!(pids(&by_file), [direct.pid()]);
    }

    #[test]
    fn an_executable_is_found_even_when_its_file_is_gone_or_linked_to() {
        let sample = Sample::called(&unique("prog"));
        let finder = Finder::Executable(sample.file().to_owned());
        assert_eq!(pids(&finder.find("whatever").unwrap()), [sample.pid()]);
        let link = sample.file().with_file_name("link");
        std::os::unix::fs::symlink(sample.file(), &link).unwrap();
        assert_eq!(pids(&Finder::Executable(link).find("whatever").unwrap()), [sample.pid()]);
        std::fs::remove_file(sample.file()).unwrap();
        assert_eq!(pids(&finder.find("whatever").unwrap()), [sample.pid()]);
    }

    #[test]
    fn a_zombie_is_not_running() {
        let mut sample = Sample::called(&unique("zombie"));
        sample.kill_without_reaping();
        let found = Finder::Name.find(sample.name()).unwrap();
        assert_eq!((found.running.len(), found.zombies.len(), found.main()), (0, 1, None));
    }

    #[test]
    fn we_and_the_kernel_and_process_1_are_never_found() {
        let me = Process::read(std::process::id()).unwrap();
        let one = proc::comm(1).unwrap();
        for (finder, name) in [
            (Finder::Name, me.comm.as_str()),
            (Finder::Pattern, &me.comm),
            (Finder::Executable(me.executable().unwrap()), "x"),
            (Finder::Name, &one),
            (Finder::Name, "kthreadd"),
            (Finder::Pattern, "^k"),
        ] {
            for process in finder.find(name).unwrap().running {
                assert!(
                    process.pid != me.pid && process.pid != 1 && !process.is_of_the_kernel(),
                    "{process:?}"
                );
                assert_ne!(process.pid, me.parent);
            }
        }
        assert!(Finder::Name.find("kthreadd").unwrap().running.is_empty());
    }

    #[test]
    fn the_main_process_is_the_oldest_root() {
        let process = |pid, parent, start_ticks| Process {
            pid,
            parent,
            start_ticks,
            ..Process::read(std::process::id()).unwrap()
        };
        let running = vec![process(30, 20, 1), process(20, 9, 5), process(10, 8, 7), process(11, 8, 7)];
        let found = Found { running, zombies: Vec::new() };
        assert_eq!(found.main().unwrap().pid, 20);
    }

    #[test]
    fn what_shares_the_session_of_a_leader_is_found() {
        let leader = Sample::session(&unique("wrapper"));
        let process = Process::read(leader.pid()).unwrap();
        let members = members_of_sessions(std::slice::from_ref(&process)).unwrap();
        assert!(members.iter().any(|member| member.parent == leader.pid()), "{members:?}");
        let follower = Process { session: 1, ..process };
        assert_eq!(members_of_sessions(&[follower]).unwrap(), []);
    }
}
