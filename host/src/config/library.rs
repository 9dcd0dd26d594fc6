//! What the file says of one library: where it runs and as whom, what it may use, whether it must be there.
//!
//! Plain data. A library is what lies in the plugin directory; the strategies and checks that it offers have their settings
//! elsewhere, in `[plugin.NAME]`.

use std::time::Duration;

/// `isolation`: where a library runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// `worker`: in a process of its own.
    #[default]
    Worker,
    /// `in-process`: in pm.
    InProcess,
}

/// `[library.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// `isolation` (`worker`).
    pub isolation: Isolation,
    /// `user`: who its worker runs as, a name or a number; none is who pm runs as.
    pub user: Option<String>,
    /// `check_user`: who the worker of its checks runs as; none is the one of [`user`](Self::user).
    pub check_user: Option<String>,
    /// `no_new_privs` (no): the worker has no capabilities, and nothing that it starts gains any.
    pub no_new_privs: bool,
    /// `memory_max` (256M) in bytes: a worker that uses more is replaced; 16M to 1T.
    pub memory_max: u64,
    /// `idle_time` (60 s): how long a worker without calls stays; 1 s to 7 days.
    pub idle_time: Duration,
    /// `sha256`: the only content that is accepted, in 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// `required` (no): pm does not start without it.
    pub required: bool,
    /// `override` (no): where another library offers the same part, this one provides it.
    pub overrides: bool,
    /// Why it cannot be used although it is required, in one line.
    pub missing: Option<String>,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            isolation: Isolation::Worker,
            user: None,
            check_user: None,
            no_new_privs: false,
            memory_max: 256 << 20,
            idle_time: Duration::from_secs(60),
            sha256: None,
            required: false,
            overrides: false,
            missing: None,
        }
    }
}

impl Isolation {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::InProcess => "in-process",
        }
    }
}
