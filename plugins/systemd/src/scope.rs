//! Which systemd is meant: the machine's or that of pm's own user; where its bus is and whether it runs at all.
//!
//! It must not connect to anything: a missing file is an answer, a socket that nobody serves is for [`bus`](crate::bus).

use pm_plugin_api::{Error, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One of the two systemds that pm may speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Process 1.
    System,
    /// The user manager of the user that pm runs as.
    User,
}

impl Scope {
    /// Reads the setting `scope =`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "system" => Ok(Self::System),
            "user" => Ok(Self::User),
            other => Err(Error::config(format!("scope: {other:?} is neither system nor user"))),
        }
    }

    /// What `systemctl` and `journalctl` must be told; empty or ending in a blank.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::System => "",
            Self::User => "--user ",
        }
    }

    /// The address of the bus.
    pub(crate) fn address(self) -> String {
        let (variable, socket) = match self {
            Self::System => ("DBUS_SYSTEM_BUS_ADDRESS", PathBuf::from("/run/dbus/system_bus_socket")),
            Self::User => ("DBUS_SESSION_BUS_ADDRESS", runtime_dir().join("bus")),
        };
        match std::env::var(variable) {
            Ok(address) if !address.is_empty() => address,
            _ => format!("unix:path={}", escaped(&socket)),
        }
    }

    /// Whether this systemd runs, by the file that is there exactly then.
    pub(crate) fn systemd_runs(self) -> bool {
        match self {
            Self::System => Path::new("/run/systemd/system").is_dir(),
            Self::User => runtime_dir().join("systemd/private").exists(),
        }
    }

    /// The answer where it does not run.
    pub(crate) fn not_running(self) -> Error {
        match self {
            Self::System => {
                Error::unsupported("systemd is not running here; use the strategy process or custom")
            }
            Self::User => Error::unsupported(format!(
                "no systemd user manager is running for the user of pm ({} has no systemd/private); \
                 start one with loginctl enable-linger, or use scope = system",
                runtime_dir().display()
            )),
        }
    }
}

/// Where the user manager of pm's own user has its sockets.
pub(crate) fn runtime_dir() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => {
            let uid = std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
            PathBuf::from(format!("/run/user/{uid}"))
        }
    }
}

/// In a D-Bus address every byte but a few stands as `%` and two digits.
fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut out = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_/.\\*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::ErrorKind;

    #[test]
    fn the_scope_is_one_of_two_words() {
        assert_eq!(Scope::parse("system").unwrap(), Scope::System);
        assert_eq!(Scope::parse("user").unwrap(), Scope::User);
        for text in ["", "User", "root", "system "] {
            let error = Scope::parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config);
            assert_eq!(error.message, format!("scope: {text:?} is neither system nor user"));
        }
    }

    #[test]
    fn a_path_in_an_address_keeps_to_its_alphabet() {
        assert_eq!(escaped(Path::new("/run/user/0/bus")), "/run/user/0/bus");
        assert_eq!(escaped(Path::new("/a,b;c=d é")), "/a%2cb%3bc%3dd%20%c3%a9");
    }
}
