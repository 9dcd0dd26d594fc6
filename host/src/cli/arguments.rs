//! The words of the command line. The doc comments are the help text, the manual page and the completions.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

const AFTER: &str = "\
Examples:
  pm demo                          see it work, in a temporary folder
  pm check                         is the configuration right?
  pm run                           the daemon, usually started by systemd
  pm why web                       what would happen to an alarm of \"web\" now?
  pm alarm raise web               put \"web\" into alarm, as a test

The configuration is --config FILE, else $PM_CONFIG, else the first that exists of
/etc/pm/config.ini, /opt/monitor_service/config.ini, /etc/process_monitor/config.ini.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 database, 4 plugin.";

/// pm turns alarms in a database table into verified restarts.
///
/// It polls the table, restarts what is in alarm through a plugin, verifies it, clears the alarm, and stops
/// trying for a while (the breaker) when restarts do not help.
#[derive(Debug, Parser)]
#[command(name = "pm", version, arg_required_else_help = true, after_help = AFTER, max_term_width = 100)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// The configuration file.
    #[arg(long, short = 'c', global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the plugins are; wins over [plugins] dir in the configuration.
    #[arg(long, global = true, value_name = "DIR")]
    pub plugins_dir: Option<PathBuf>,
}

/// What the operator can ask for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground.
    Run(RunOptions),
    /// Show on a small stage how an alarm becomes a verified restart, and how the breaker opens.
    Demo,
    /// Check the configuration and show what it means.
    #[command(after_help = "Exit code 0: usable. 2: not usable; every problem is listed with file, line and key.")]
    Check(FormatOptions),
    /// Show processes, alarms, breakers and last attempts.
    Status(FormatOptions),
    /// Restart one process now, in alarm or not, without touching the alarm table or the breaker.
    Restart(NameOptions),
    /// Tell what would happen to an alarm of a process now, and why.
    Why(WhyOptions),
    /// Look at the plugins: strategies and checks.
    #[command(subcommand)]
    Plugins(PluginsVerb),
    /// Add processes to the table; raise, clear and list alarms.
    #[command(subcommand)]
    Alarm(AlarmVerb),
    /// Look after the tables of the alarm database.
    #[command(subcommand)]
    Db(DbVerb),
    /// Print completions for a shell.
    Completions(CompletionsOptions),
    /// Print the manual page.
    Man,
}

/// Options of `pm run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// Where pm keeps its own memory; wins over [monitor] state_dir.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// How to print a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// An option for the form of the result.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct FormatOptions {
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// A process by name.
#[derive(Debug, Clone, Args)]
pub struct NameOptions {
    /// The process: NAME of [process.NAME], process_name in the table.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Options of `pm why`.
#[derive(Debug, Clone, Args)]
pub struct WhyOptions {
    /// The process: NAME of [process.NAME], process_name in the table.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Verbs of `pm plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsVerb {
    /// List every library of the plugin directory, its parts, and why it is refused if it is.
    List(FormatOptions),
    /// Tell what a plugin, strategy or check offers: every setting with type, default and text.
    Info(WhyOptions),
}

/// Verbs of `pm alarm`.
#[derive(Debug, Subcommand)]
pub enum AlarmVerb {
    /// Add processes to the table, not in alarm.
    Add(NamesOptions),
    /// Put processes into alarm.
    Raise(RowsOptions),
    /// Take processes out of alarm.
    Clear(RowsOptions),
    /// List the processes of this host and their alarms.
    List(FormatOptions),
}

/// Some processes by name.
#[derive(Debug, Clone, Args)]
pub struct NamesOptions {
    /// The processes.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

/// Which rows of the table.
#[derive(Debug, Clone, Args)]
pub struct RowsOptions {
    /// The processes.
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub names: Vec<String>,
    /// All processes of this host.
    #[arg(long)]
    pub all: bool,
    /// The note to write; a sentence with the time by default.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// Verbs of `pm db`.
#[derive(Debug, Subcommand)]
pub enum DbVerb {
    /// Create what is missing: tables, columns, the index on alarms. Never removes or changes anything.
    Migrate,
    /// Show engine, schema version and what is missing.
    Status(FormatOptions),
}

/// Options of `pm completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsOptions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The flags of the service that pm replaces become the commands they stand for.
pub(crate) fn translate(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    for word in arguments.iter_mut().skip(1) {
        let new = match word.to_str() {
            Some("--config-test") => "check",
            Some("--status") => "status",
            Some("--restart") => "restart",
            // A command follows; what comes after it is its own.
            Some(text) if !text.starts_with('-') && !text.contains(['/', '.']) => break,
            _ => continue,
        };
        *word = new.into();
        break;
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_of_the_old_service_still_work() {
        let translated = |line: &str| {
            let words = translate(line.split(' ').map(OsString::from));
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(translated("pm --restart web"), "pm restart web");
        assert_eq!(translated("pm --config /etc/x.ini --status"), "pm --config /etc/x.ini status");
        assert_eq!(translated("pm --config-test"), "pm check");
        assert_eq!(translated("pm why --status"), "pm why --status");
    }
}
