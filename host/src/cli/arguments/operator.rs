//! The words for operators' orders: whom, how long, why and by whom. The doc comments are the help text.

use super::Format;
use crate::policy::window::Order;
use clap::{Args, ValueEnum};

pub(super) const AFTER_ORDER: &str = "\
TIME of --until is local: 22:00 (the next one), \"2026-12-01 22:00\", 2026-12-01T22:00:00Z, +2h.
A later order for the same NAME, group or all replaces the earlier one of its kind.

Exit codes: 0 in force, 1 failed, 2 wrong usage or configuration, or no such process or group.";
pub(super) const AFTER_RELEASE: &str = "\
Takes away what was put on the same NAME, group or all, and tells what else is still in force.

Exit codes: 0 nothing of it is in force any more, 1 failed, 2 wrong usage or configuration,
or no such process or group.";
pub(super) const AFTER_RESET: &str = "\
Exit codes: 0 reset, or the daemon does it, 1 failed, 2 wrong usage or configuration,
or no such process or group.";
pub(super) const AFTER_AUDIT: &str = "\
TIME of --since is local: 22:00 (the last one), \"2026-12-01 22:00\", 2026-12-01T22:00:00Z, -2h.

Exit codes: 0 fine, 1 failed, or --verify has found that the audit is not as it was written,
2 wrong usage or configuration.";
pub(super) const AFTER_RESTART: &str = "\
Exit codes: 0 restarted and verified, 1 not restarted, or refused (a hold, a restart that is under
way, or what the daemon would object), 2 wrong usage or configuration, or it is not configured.";

/// Whom an order covers.
#[derive(Debug, Clone, Args)]
#[group(id = "whom", required = true, multiple = false)]
pub struct WhomOptions {
    /// The processes: NAME of [process.NAME], process_name in the table.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The members of a group.
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// All processes of this host.
    #[arg(long)]
    pub all: bool,
}

/// Who asks, and why.
#[derive(Debug, Clone, Default, Args)]
pub struct WordOptions {
    /// Why, for those who look later.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// Who asks; $SUDO_USER, else the login name by default. A note, not a proof.
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
}

/// Options of `pm hold`, `pm observe` and `pm bypass`.
#[derive(Debug, Clone, Args)]
pub struct OverrideOptions {
    /// Whom it covers.
    #[command(flatten)]
    pub whom: WhomOptions,
    /// How long it lasts: 90s, 30m, 2h, 1d.
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "until", allow_hyphen_values = true)]
    pub lasts: Option<String>,
    /// When it ends by itself.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Who and why.
    #[command(flatten)]
    pub word: WordOptions,
}

/// Options of `pm release`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("released").required(true).multiple(false))]
pub struct ReleaseOptions {
    /// The processes: NAME of [process.NAME], process_name in the table.
    #[arg(value_name = "NAME", group = "released")]
    pub names: Vec<String>,
    /// The members of a group.
    #[arg(long, value_name = "GROUP", group = "released")]
    pub group: Option<String>,
    /// What was put on all processes of this host.
    #[arg(long, group = "released")]
    pub all: bool,
    /// Believe the alarms that the guard against a mass alarm holds.
    #[arg(long, group = "released", conflicts_with = "order")]
    pub mass_alarm: bool,
    /// Only this kind: hold, observe or bypass.
    #[arg(long, value_enum, hide_possible_values = true, value_name = "ORDER")]
    pub order: Option<Kind>,
    /// Who and why.
    #[command(flatten)]
    pub word: WordOptions,
}

/// Options of `pm reset`.
#[derive(Debug, Clone, Args)]
pub struct ResetOptions {
    /// Whom it is about.
    #[command(flatten)]
    pub whom: WhomOptions,
    /// Who and why.
    #[command(flatten)]
    pub word: WordOptions,
}

/// Options of `pm restart`.
#[derive(Debug, Clone, Args)]
pub struct RestartOptions {
    /// The process: NAME of [process.NAME], process_name in the table.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Exactly one attempt, whatever the daemon would say; a hold and a running restart still refuse it.
    #[arg(long)]
    pub force: bool,
    /// Who and why.
    #[command(flatten)]
    pub word: WordOptions,
}

/// Options of `pm audit`.
#[derive(Debug, Clone, Args)]
pub struct AuditOptions {
    /// Only what was about this process, its group, or all processes.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Only what is not older.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// At most so many entries, the newest ones.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u32,
    /// Go through the whole audit and tell whether it is as it was written.
    #[arg(long, conflicts_with_all = ["name", "since"])]
    pub verify: bool,
    /// How to print the result: text for people, json for programs.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// The kinds of overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// `pm hold`.
    Hold,
    /// `pm observe`.
    Observe,
    /// `pm bypass`.
    Bypass,
}

impl From<Kind> for Order {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Hold => Self::Hold,
            Kind::Observe => Self::Observe,
            Kind::Bypass => Self::Bypass,
        }
    }
}
