//! Who could change a file: the rule for libraries, their directory and its parents.
//!
//! What pm loads runs with pm's rights, so it has to belong to root or to the user that pm runs as, and nobody
//! else may be able to write it. Only facts of an *opened* descriptor are judged, never those of a path that
//! could lead elsewhere a moment later. This file opens nothing.

use super::refusal::Flaw;
use rustix::fs::Stat;
use std::path::Path;

const STICKY: u32 = 0o1000;
const GROUP: u32 = 0o020;
const OTHERS: u32 = 0o002;

/// The user that pm runs as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Us {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What matters of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Permission bits.
    pub(super) mode: u32,
}

/// Where something stands on the way to a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The library, or the directory it lies in.
    Itself,
    /// A directory above.
    Parent,
}

impl Us {
    pub(super) fn now() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    /// What is wrong with the file `path`, if anything.
    pub(super) fn judge(self, facts: Facts, role: Role, path: &Path) -> Result<(), Flaw> {
        if facts.uid != 0 && facts.uid != self.uid {
            return Err(Flaw::Owner { path: path.to_owned(), uid: facts.uid, ours: self.uid });
        }
        // In a sticky directory nobody but its owner and ours can rename or remove our entry, so a parent such as
        // /tmp is as good as a closed one. In the plugin directory itself anybody could add a library.
        let sticky_parent = role == Role::Parent && facts.mode & STICKY != 0;
        // A private group per user with umask 002 is how many systems set up people, but never daemons.
        let own_group = self.uid != 0 && facts.gid == self.gid;
        let forbidden = if own_group { OTHERS } else { GROUP | OTHERS };
        if facts.mode & forbidden != 0 && !sticky_parent {
            return Err(Flaw::Writable { path: path.to_owned(), mode: facts.mode });
        }
        Ok(())
    }
}

impl From<&Stat> for Facts {
    fn from(stat: &Stat) -> Self {
        Self { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAEMON: Us = Us { uid: 990, gid: 990 };
    const ROOT: Us = Us { uid: 0, gid: 0 };

    fn verdict(us: Us, role: Role, uid: u32, gid: u32, mode: u32) -> String {
        match us.judge(Facts { uid, gid, mode }, role, Path::new("/p/x.so")) {
            Ok(()) => "good".to_owned(),
            Err(flaw) => flaw.to_string(),
        }
    }

    #[test]
    fn only_root_and_our_own_user_may_own_what_we_load() {
        assert_eq!(verdict(DAEMON, Role::Itself, 0, 0, 0o755), "good");
        assert_eq!(verdict(DAEMON, Role::Itself, 990, 990, 0o755), "good");
        assert_eq!(
            verdict(DAEMON, Role::Itself, 1001, 0, 0o755),
            "is owned by uid 1001, must be root or uid 990; run: chown root /p/x.so"
        );
        assert_eq!(
            verdict(ROOT, Role::Itself, 1001, 0, 0o755),
            "is owned by uid 1001, must be root; run: chown root /p/x.so"
        );
        // A sticky directory of somebody else is no better: its owner can rename our entry.
        assert!(verdict(DAEMON, Role::Parent, 1001, 0, 0o1755).starts_with("is owned by uid 1001"));
    }

    #[test]
    fn nobody_else_may_write_it() {
        let refused = "is writable by group or others (mode 0775); run: chmod go-w /p/x.so";
        assert_eq!(verdict(ROOT, Role::Itself, 0, 0, 0o775), refused);
        assert_eq!(verdict(DAEMON, Role::Itself, 0, 4, 0o775), refused);
        assert_eq!(verdict(DAEMON, Role::Itself, 990, 990, 0o775), "good");
        assert!(verdict(DAEMON, Role::Itself, 990, 990, 0o757).contains("(mode 0757)"));
    }

    #[test]
    fn a_sticky_parent_is_good_and_a_sticky_plugin_directory_is_not() {
        assert_eq!(verdict(DAEMON, Role::Parent, 0, 0, 0o1777), "good");
        assert!(verdict(DAEMON, Role::Itself, 0, 0, 0o1777).contains("(mode 1777)"));
    }
}
