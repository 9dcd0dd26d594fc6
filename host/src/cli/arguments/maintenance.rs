//! The words of `pm maintenance`.

use super::FormatOptions;
use super::operator::WordOptions;
use clap::{ArgGroup, Args, Subcommand};

pub(super) const AFTER: &str = "\
Exit codes: 0 fine, 1 failed (the name is taken, there is no such window), 2 wrong usage or configuration.";
const AFTER_ADD: &str = "\
Times: \"2026-12-01 22:00\", 2026-12-01T22:00:00+02:00, 22:00 (the next one), now, +2h.
In --until the next 02:00 and +2h count from --from on.
Durations: 30m, 2h, 1d; time that passes, whatever the clock is put to meanwhile.

Examples:
  pm maintenance add patches --for 2h --all --reason \"kernel\"
  pm maintenance add move --from \"2026-12-01 22:00\" --until 02:00 --group front
  pm maintenance add weekly --cron \"0 22 * * SAT\" --for 2h --zone Europe/Bucharest --process web db

Exit codes: 0 added, 1 failed (the name is taken), 2 wrong usage or configuration.";

const USAGE_ADD: &str = "\
pm maintenance add NAME [--from TIME] --until TIME|--for DURATION WHOM
       pm maintenance add NAME --cron EXPRESSION --for DURATION [--zone ZONE] WHOM

WHOM is --process NAME..., --group NAME..., both of them, or --all";

/// Verbs of `pm maintenance`.
#[derive(Debug, Subcommand)]
pub enum MaintenanceVerb {
    /// Add a window: until it closes, nothing that it covers is restarted.
    #[command(after_help = AFTER_ADD, override_usage = USAGE_ADD)]
    Add(Box<AddWindowOptions>),
    /// List all windows, those of the configuration too: whom they cover, when they are, whether they are open.
    #[command(after_help = AFTER)]
    List(FormatOptions),
    /// Remove a window that was added with `pm maintenance add`.
    #[command(after_help = AFTER)]
    Remove(RemoveWindowOptions),
}

/// Options of `pm maintenance add`.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("end").args(["until", "lasting"]).required(true)))]
#[command(group(ArgGroup::new("whom").args(["process", "group", "all"]).required(true).multiple(true)))]
pub struct AddWindowOptions {
    /// What to call the window.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// When it opens; now, when there is no --cron either.
    #[arg(long, value_name = "TIME", conflicts_with = "cron")]
    pub from: Option<String>,
    /// When it closes.
    #[arg(long, value_name = "TIME", conflicts_with = "cron")]
    pub until: Option<String>,
    /// How long it is open.
    #[arg(long = "for", value_name = "DURATION")]
    pub lasting: Option<String>,
    /// When it opens again and again: minute, hour, day of the month, month, day of the week.
    #[arg(long, value_name = "EXPRESSION", requires = "lasting")]
    pub cron: Option<String>,
    /// The time zone of these times, by its IANA name; that of this host by default.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// The processes that it covers.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub process: Vec<String>,
    /// The groups that it covers.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub group: Vec<String>,
    /// It covers all processes.
    #[arg(long, conflicts_with_all = ["process", "group"])]
    pub all: bool,
    /// Why, for those who look.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Who plans it; $SUDO_USER, else the login name by default. A note, not a proof.
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
}

/// Options of `pm maintenance remove`.
#[derive(Debug, Clone, Args)]
pub struct RemoveWindowOptions {
    /// The window.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Who asks, and why.
    #[command(flatten)]
    pub word: WordOptions,
}
