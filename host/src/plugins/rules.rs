//! What the operator wants of each library: where it runs and as whom, how much it may use, whether it must be there.
//!
//! Plain data, with the values that hold when nothing is written. Nothing here opens a file or starts a process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Who runs what needs no rights: the user without any, by number, because not every host has the name.
pub(super) const NOBODY: &str = "65534";

/// Where a library runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In a process of its own, which can crash, hang and be replaced without this one noticing.
    #[default]
    Worker,
    /// In this process: a call costs less, and what the library does to its process it does to pm.
    InProcess,
}

/// What holds for one library: `[library.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `isolation`.
    pub isolation: Isolation,
    /// `user`: who its worker runs as, a name or a number; none is who pm runs as.
    pub user: Option<String>,
    /// `check_user`: who a worker of its own for its checks runs as; none is the one of [`user`](Self::user).
    pub check_user: Option<String>,
    /// `no_new_privs`: the worker has no capabilities, and nothing it starts gains any.
    pub no_new_privs: bool,
    /// `memory_max`: bytes of resident memory above which a worker is replaced.
    pub memory_max: u64,
    /// `idle_time`: how long a worker without calls stays.
    pub idle_time: Duration,
    /// `sha256`: the only content that is accepted, in 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// `required`: pm does not start without it.
    pub required: bool,
    /// `override`: where another library offers the same part, this one provides it.
    pub overrides: bool,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            isolation: Isolation::default(),
            user: None,
            check_user: None,
            no_new_privs: false,
            memory_max: 256 << 20,
            idle_time: Duration::from_secs(60),
            sha256: None,
            required: false,
            overrides: false,
        }
    }
}

/// The rules for all libraries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The program that is started as a worker.
    pub program: PathBuf,
    /// `only_pinned`: whether a library without a [sum](Rule::sha256) is refused.
    pub only_pinned: bool,
    /// For libraries that have no rule of their own.
    pub general: Rule,
    /// By the name of the library, as its manifest says it.
    pub libraries: BTreeMap<String, Rule>,
}

impl Default for Rules {
    fn default() -> Self {
        // Not the path of the program: after an upgrade another one stands there, or none.
        let program = "/proc/self/exe".into();
        Self { program, only_pinned: false, general: Rule::default(), libraries: BTreeMap::new() }
    }
}

impl Rules {
    /// What holds for the library called `name`.
    pub fn of(&self, name: &str) -> &Rule {
        self.libraries.get(name).unwrap_or(&self.general)
    }
}
