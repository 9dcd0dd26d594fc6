//! The words of `pm plugins`: what operators look at, and what authors try.

use super::{Format, FormatOptions};
use clap::{Args, Subcommand, ValueEnum};
use pm_plugin_api::value::Value as _;
use std::path::PathBuf;
use std::time::Duration;

const AFTER_LOOK: &str = "\
None of a plugin's code is run.

Exit codes: 0 fine, 2 wrong usage or configuration, 4 the plugin or the directory cannot be used.";
const AFTER_NEW: &str = "\
Example:
  pm plugins new my-strategy       a crate in the folder my-strategy, ready for cargo test

Exit codes: 0 made, 1 failed (the folder is there already, ...), 2 wrong usage (the name cannot be one, ...).";
const AFTER_VERIFY: &str = "\
Loads the library and calls it, as the user that you are. Nothing is restarted and no message is sent: the calls are about
a process that cannot exist.

Exit codes: 0 everything holds (there may be warnings), 2 wrong usage, 4 something does not.";
const AFTER_CALL: &str = "\
Examples:
  pm plugins call ./libmine.so strategy:mine identity web
  pm plugins call docker check:docker check web socket=/run/docker.sock
  pm plugins call ./libpager.so notifier:pager notify 'It works'

Does for real what the operation does, as the user that you are, beside whatever the daemon does. Nothing is noted.

Exit codes: 0 answered, 1 answered with an error, 2 wrong usage, 4 the plugin cannot be used.";

const AFTER_RUNNING: &str = "\
Asks the pm that runs with this configuration; root, or the user that it runs as, can do so.

Exit codes: 0 done, 1 no pm runs or it does not answer, 2 wrong usage or configuration, 4 the plugin cannot be used.";

/// Which plugin.
#[derive(Debug, Clone, Args)]
pub struct WhichOptions {
    /// The plugin, or a strategy or check of it.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How to print the result: text for people, json for programs.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// Options of `pm plugins info`.
#[derive(Debug, Clone, Args)]
pub struct InfoOptions {
    /// The plugin, its file, or a strategy or check of it.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How to print the result: text for people, json for programs.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// What a new plugin is to offer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum NewKind {
    /// A way to restart something.
    #[default]
    Strategy,
    /// A way to find out whether something works.
    Check,
    /// A way to tell people what happened.
    Notifier,
}

/// Options of `pm plugins new`.
#[derive(Debug, Clone, Args)]
pub struct NewOptions {
    /// The name of the plugin and of its part: what an operator will write in the configuration.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it offers.
    #[arg(long, value_enum, default_value_t)]
    pub kind: NewKind,
    /// The folder in which the crate's own folder is made; here by default.
    #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
    pub dir: PathBuf,
    /// The folder of the crate pm-plugin-api; by default the one that came with this pm.
    #[arg(long, value_name = "PATH")]
    pub api: Option<PathBuf>,
}

/// Options of `pm plugins verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyOptions {
    /// The library.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Settings for the parts that know the key; values are made up for what has no default.
    #[arg(value_name = "KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Also ask each strategy to restart a process that cannot exist.
    #[arg(long)]
    pub restart: bool,
    /// How to print the result: text for people, json for programs.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// Options of `pm plugins call`.
#[derive(Debug, Clone, Args)]
pub struct CallOptions {
    /// A library, or the name of an installed plugin. A file has a slash in it or ends with .so.
    #[arg(value_name = "FILE|NAME")]
    pub plugin: String,
    /// The part: strategy:NAME, check:NAME, notifier:NAME.
    #[arg(value_name = "KIND:NAME", value_parser = part)]
    pub part: (String, String),
    /// The operation: restart, identity, evidence; check; notify.
    #[arg(value_name = "OP")]
    pub op: String,
    /// The process that it is about (for notify: a sentence to tell), and settings of the part.
    #[arg(value_name = "TARGET | KEY=VALUE")]
    pub words: Vec<String>,
    /// How long the answer may take.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = Duration::parse)]
    pub timeout: Duration,
    /// The whole request as JSON, instead of one about TARGET.
    #[arg(long, value_name = "JSON")]
    pub body: Option<String>,
    /// How to print the result: text for people, json for programs.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// Verbs of `pm plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsVerb {
    /// List every library of the plugin directory, its parts, and why it is refused if it is.
    #[command(after_help = AFTER_LOOK)]
    List(FormatOptions),
    /// Tell what a plugin, strategy or check offers: every setting with type, unit, default and text.
    #[command(after_help = AFTER_LOOK)]
    Info(InfoOptions),
    /// Write all settings of all parts as a page in Markdown.
    #[command(after_help = AFTER_LOOK)]
    Reference,
    /// Let the running pm start a plugin anew, from the file that stands there now; the one in use goes on when that fails.
    #[command(after_help = AFTER_RUNNING)]
    Reload(WhichOptions),
    /// Let the running pm end a plugin's worker when it has answered what it was asked; the next call starts another.
    #[command(after_help = AFTER_RUNNING)]
    Stop(WhichOptions),
    /// Begin a plugin of your own: a crate that builds, has a test, and loads.
    #[command(after_help = AFTER_NEW)]
    New(NewOptions),
    /// Load a library and see whether it does what pm expects of a plugin, with one line for each thing that is looked at.
    #[command(after_help = AFTER_VERIFY)]
    Verify(VerifyOptions),
    /// Run one operation of a plugin by hand: its answer, what it logs, and how long it took.
    #[command(after_help = AFTER_CALL)]
    Call(CallOptions),
}

/// `KEY=VALUE`.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("a setting is written KEY=VALUE".to_owned()),
    }
}

fn part(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok((kind.to_owned(), name.to_owned())),
        _ => Err("a part is written KIND:NAME, as in strategy:docker; pm plugins list shows them".to_owned()),
    }
}
