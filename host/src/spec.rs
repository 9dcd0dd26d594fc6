//! What pm knows of one configured process, ready for use: plain data, compiled from the configuration.
//!
//! It is immutable; a changed file makes new specs. It holds no rule of the policy beyond [`Rules`] and no
//! knowledge of the file format.

mod receiver;

pub use receiver::{EventKind, Language, Receiver};

use crate::policy::backoff::Backoff;
use crate::policy::model::{Name, Rules};
use pm_plugin_api::settings::Texts;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A part of a plugin with the settings of one process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartRef {
    /// The name of the strategy or check.
    pub name: String,
    /// Its keys as the operator wrote them.
    pub settings: Texts,
}

/// How a process is looked at before it is restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidencePlan {
    /// `evidence_command`.
    pub command: Option<String>,
    /// `evidence_timeout`: how long all of it may take.
    pub timeout: Duration,
}

/// One configured process.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// `system_name`, else the logical name.
    pub system_name: String,
    /// The group it is a member of, by the file and the tables together.
    pub group: Option<Name>,
    /// What the policy needs to know.
    pub rules: Rules,
    /// `restart_strategy` as written, for the log.
    pub strategy_text: String,
    /// The strategies that act, tried from the left; the next one is taken when the one before failed.
    pub chain: Vec<PartRef>,
    /// Settings for the strategies that a link may delegate to, by name.
    pub delegates: BTreeMap<String, Texts>,
    /// The check that verifies, if there is one.
    pub check: Option<PartRef>,
    /// `max_attempts`; 0 never tries.
    pub max_attempts: u32,
    /// Pauses between attempts.
    pub backoff: Backoff,
    /// `health_check_timeout`: how long to look for a healthy process.
    pub check_timeout: Duration,
    /// `health_check_interval`: the longest pause between two looks.
    pub check_interval: Duration,
    /// `restart_timeout`: how long one restart may take.
    pub restart_timeout: Duration,
    /// `pre_restart_command`.
    pub pre_restart: Option<String>,
    /// `pre_restart_timeout`.
    pub pre_restart_timeout: Duration,
    /// How it is looked at before a restart; none with `evidence = no`.
    pub evidence: Option<EvidencePlan>,
    /// Directory for commands.
    pub working_directory: PathBuf,
    /// Variables for commands, without secrets.
    pub environment: BTreeMap<String, String>,
}
