//! Names for the exit statuses that systemd itself gives to a process that it could not set up, and for signals.
//!
//! Pure. The statuses are those of systemd.exec(5), "Process exit codes"; they are part of its documented interface.

use pm_plugin_api::command::signal_name;

/// Statuses 200 to 245 in their order; an empty text stands for a number that systemd does not use.
const FROM_200: [&str; 46] = [
    "CHDIR",
    "NICE",
    "FDS",
    "EXEC",
    "MEMORY",
    "LIMITS",
    "OOM_ADJUST",
    "SIGNAL_MASK",
    "STDIN",
    "STDOUT",
    "CHROOT",
    "IOPRIO",
    "TIMERSLACK",
    "SECUREBITS",
    "SETSCHEDULER",
    "CPUAFFINITY",
    "GROUP",
    "USER",
    "CAPABILITIES",
    "CGROUP",
    "SETSID",
    "CONFIRM",
    "STDERR",
    "",
    "PAM",
    "NETWORK",
    "NAMESPACE",
    "NO_NEW_PRIVILEGES",
    "SECCOMP",
    "SELINUX_CONTEXT",
    "PERSONALITY",
    "APPARMOR_PROFILE",
    "ADDRESS_FAMILIES",
    "RUNTIME_DIRECTORY",
    "",
    "CHOWN",
    "SMACK_PROCESS_LABEL",
    "KEYRING",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "NUMA_POLICY",
    "CREDENTIALS",
    "",
    "BPF",
];

/// `exited with status 203 (EXEC: …)` or `killed by signal 9 (SIGKILL)`, from the numbers that waitid(2) gives; none when
/// the process has not ended.
pub(crate) fn ended(code: i32, status: i32) -> Option<String> {
    match code {
        1 => Some(match (name(status), meaning(status)) {
            (Some(name), Some(meaning)) => format!("exited with status {status} ({name}: {meaning})"),
            (Some(name), None) => format!("exited with status {status} ({name})"),
            (None, _) => format!("exited with status {status}"),
        }),
        2 | 3 => {
            let how = if code == 3 { "dumped core after" } else { "was killed by" };
            Some(match signal_name(status) {
                Some(signal) => format!("{how} signal {status} ({signal})"),
                None => format!("{how} signal {status}"),
            })
        }
        _ => None,
    }
}

fn name(status: i32) -> Option<&'static str> {
    let index = usize::try_from(status).ok()?.checked_sub(200)?;
    FROM_200.get(index).copied().filter(|name| !name.is_empty())
}

/// The few that operators meet most, in words.
fn meaning(status: i32) -> Option<&'static str> {
    match status {
        200 => Some("WorkingDirectory= is missing or not accessible"),
        203 => Some("the program of ExecStart= is missing or not executable"),
        216 => Some("Group= does not exist"),
        217 => Some("User= does not exist"),
        226 => Some("the mounts of its sandbox cannot be made"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_named_as_systemd_names_them() {
        for (code, status, words) in [
            (1, 0, "exited with status 0"),
            (1, 1, "exited with status 1"),
            (1, 199, "exited with status 199"),
            (1, 203, "exited with status 203 (EXEC: the program of ExecStart= is missing or not executable)"),
            (1, 218, "exited with status 218 (CAPABILITIES)"),
            (1, 223, "exited with status 223"),
            (1, 241, "exited with status 241 (CONFIGURATION_DIRECTORY)"),
            (1, 243, "exited with status 243 (CREDENTIALS)"),
            (1, 245, "exited with status 245 (BPF)"),
            (1, 246, "exited with status 246"),
            (1, -1, "exited with status -1"),
            (2, 9, "was killed by signal 9 (SIGKILL)"),
            (2, 63, "was killed by signal 63"),
            (3, 11, "dumped core after signal 11 (SIGSEGV)"),
        ] {
            assert_eq!(ended(code, status).as_deref(), Some(words));
        }
        assert_eq!(ended(0, 0), None);
        assert_eq!(ended(7, 1), None);
    }
}
