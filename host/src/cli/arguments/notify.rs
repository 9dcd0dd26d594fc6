//! The words of `pm notify`.

use super::Format;
use clap::{Args, Subcommand};

pub(crate) const AFTER: &str = "\
Exit codes: 0 fine, 1 not everybody could be told, 2 wrong usage or configuration.";
const AFTER_TEST: &str = "\
Goes out at once, with one try, beside queues and limits, and in the language of each receiver. The daemon need not run.

Exit codes: 0 all delivered, 1 one at least was not, 2 wrong usage or configuration.";

/// Verbs of `pm notify`.
#[derive(Debug, Subcommand)]
pub enum NotifyVerb {
    /// Send a test notice to all receivers, or to one, and say what came of it.
    #[command(after_help = AFTER_TEST)]
    Test(TestNoticeOptions),
}

/// Options of `pm notify test`.
#[derive(Debug, Args)]
pub struct TestNoticeOptions {
    /// The NAME of a section [notify.NAME]; all of them without it.
    #[arg(value_name = "NAME")]
    pub receiver: Option<String>,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
