//! The words of the command line. The doc comments are the help text, the manual page and the completions.

#![allow(rustdoc::broken_intra_doc_links, reason = "the help texts name sections of the INI file")]

mod maintenance;
mod notify;
mod operator;
mod plugins;

pub(crate) use maintenance::{AddWindowOptions, MaintenanceVerb, RemoveWindowOptions};
pub(crate) use notify::{AFTER as AFTER_NOTIFY, NotifyVerb, TestNoticeOptions};
pub(crate) use operator::{
    AuditOptions, OverrideOptions, ReleaseOptions, ResetOptions, RestartOptions, WhomOptions, WordOptions,
};
pub(crate) use plugins::{
    CallOptions, NewKind, NewOptions, PluginsVerb, VerifyOptions, WhichOptions, setting,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

use operator::{AFTER_AUDIT, AFTER_ORDER, AFTER_RELEASE, AFTER_RESET, AFTER_RESTART};

const AFTER: &str = "\
Examples:
  pm demo                          see it work, in a temporary folder
  pm check                         is the configuration right?
  pm doctor                        is everything else as it should be?
  pm run                           the daemon, usually started by systemd
  pm why web                       what would happen to an alarm of \"web\" now, and why?
  pm why web --at 03:12            what happened to it at 03:12, and why?
  pm plan                          what would be restarted now, and what waits for what?
  pm history --effect              which restarts help at all?
  pm alarm raise web               put \"web\" into alarm, as a test
  pm hold web --for 2h --why TEXT  restart \"web\" under no circumstances, for two hours

The configuration is --config FILE, else $PM_CONFIG, else the first that exists of
/etc/pm/config.ini, /opt/monitor_service/config.ini, /etc/process_monitor/config.ini.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 database, 4 plugin.";
const AFTER_RUN: &str = "\
Signals: SIGTERM and SIGINT stop pm after shutdown_timeout at the latest (twice: at once),
SIGHUP reads the configuration again, SIGURG makes it look for operators' orders at once.

Exit codes: 0 stopped by a signal, 1 failed (another pm works in the state directory, ...),
2 wrong usage or configuration.";
const AFTER_DEMO: &str =
    "Exit codes: 0 all of it really happened, 1 something did not, 2 wrong usage, 4 plugin.";
const AFTER_CHECK: &str = "\
Exit codes: 0 usable, 2 not usable; every problem is listed with file, line and key.";
const AFTER_DOCTOR: &str = "\
Works without the daemon, the database, a configuration or rights, and says what could not be looked at.
Run it as the account of the daemon: rights are those of whoever looks.

Exit codes: 0 no problems (there may be warnings), 1 problems, 2 wrong usage.";
const AFTER_HOSTS: &str = "\
A host speaks while its pm renews its lease, is silent when that has ended without a word, and stopped when its pm was
stopped in good order.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 the database does not answer.";
const AFTER_LOOK: &str = "\
Works whether or not the daemon runs and the database answers.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 the database does not answer.";
const AFTER_WHY: &str = "\
Works whether or not the daemon runs and the database answers. Each step of a past restart, with what was
printed: pm history NAME, then pm history --steps ID.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 the database does not answer.";
const AFTER_HISTORY: &str = "\
Works whether or not the daemon runs and the database answers.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration.";
const AFTER_PLUGINS: &str = "\
Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 4 the plugin or the directory cannot be used.";
const AFTER_ROWS: &str = "\
Exit codes: 0 fine, 1 failed (no such process: nothing is changed), 2 wrong usage or configuration,
3 database.";
const AFTER_TABLE: &str = "\
Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 database.";
const AFTER_SHELL: &str = "\
For bash: pm completions bash > /etc/bash_completion.d/pm

Exit codes: 0 fine, 2 wrong usage.";
const AFTER_MAN: &str = "\
To read it: pm man | man -l -

Exit codes: 0 fine, 2 wrong usage.";

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
    /// The configuration file; `pm --help` says which one is taken without it.
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
    #[command(after_help = AFTER_RUN)]
    Run(RunOptions),
    /// Show on a small stage how an alarm becomes a verified restart, and what pm does when restarts do not help.
    #[command(after_help = AFTER_DEMO)]
    Demo,
    /// Check the configuration and show what it means.
    #[command(after_help = AFTER_CHECK)]
    Check(FormatOptions),
    /// Look at everything that pm needs (configuration, database, plugins, unit, disk, rights) and say what is wrong and
    /// how to put it right. Changes nothing.
    #[command(after_help = AFTER_DOCTOR)]
    Doctor(FormatOptions),
    /// Show processes, alarms, breakers, last attempts, and what operators have ordered.
    #[command(after_help = AFTER_LOOK)]
    Status(FormatOptions),
    /// Show the hosts that share the database: who speaks for each, and who has fallen silent.
    #[command(after_help = AFTER_HOSTS)]
    Hosts(FormatOptions),
    /// Restart one process now, in alarm or not, unless the daemon would not; the outcome counts in the breaker.
    #[command(after_help = AFTER_RESTART)]
    Restart(RestartOptions),
    /// Hold processes: nothing restarts them, not even pm restart --force.
    #[command(after_help = AFTER_ORDER)]
    Hold(OverrideOptions),
    /// Only observe processes: pm decides and tells, and does nothing.
    #[command(after_help = AFTER_ORDER)]
    Observe(OverrideOptions),
    /// Let restarts of processes pass breaker and group, with hardly a pause; must end within 24 hours (--for or --until).
    #[command(after_help = AFTER_ORDER)]
    Bypass(OverrideOptions),
    /// End what was ordered with hold, observe or bypass.
    #[command(after_help = AFTER_RELEASE)]
    Release(ReleaseOptions),
    /// Close breakers and forget failures.
    #[command(after_help = AFTER_RESET)]
    Reset(ResetOptions),
    /// Show what operators asked for, who, why, and what came of it.
    #[command(after_help = AFTER_AUDIT)]
    Audit(AuditOptions),
    /// Tell what would happen to an alarm of a process now, and why; with --at, what happened then.
    #[command(after_help = AFTER_WHY)]
    Why(WhyOptions),
    /// Tell what the daemon would restart and what it would hold now, without doing any of it.
    #[command(after_help = AFTER_LOOK)]
    Plan(FormatOptions),
    /// Show past restarts and whether they helped; --effect and --trends sum up, --steps and --evidence show one.
    #[command(after_help = AFTER_HISTORY)]
    History(HistoryOptions),
    /// Look at the plugins (strategies and checks), try one by hand, begin one of your own.
    #[command(subcommand, after_help = AFTER_PLUGINS)]
    Plugins(PluginsVerb),
    /// Add processes to the table; raise, clear and list alarms.
    #[command(subcommand, after_help = AFTER_TABLE)]
    Alarm(AlarmVerb),
    /// Look after the tables of the alarm database.
    #[command(subcommand, after_help = AFTER_TABLE)]
    Db(DbVerb),
    /// Plan times in which nothing is restarted: add, list and remove maintenance windows.
    #[command(subcommand, after_help = maintenance::AFTER)]
    Maintenance(MaintenanceVerb),
    /// See whether the receivers of notices can be told.
    #[command(subcommand, after_help = AFTER_NOTIFY)]
    Notify(NotifyVerb),
    /// Print completions for a shell.
    #[command(after_help = AFTER_SHELL)]
    Completions(CompletionsOptions),
    /// Print the manual page.
    #[command(after_help = AFTER_MAN)]
    Man,
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
    /// How to print the result: text for people, json for programs.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// Options of `pm run`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct RunOptions {
    /// Decide and log, touch nothing: no restart, no command, no write to the alarm table or the state directory. Can
    /// run beside another pm, or beside the service that pm is to replace.
    #[arg(long)]
    pub observe: bool,
}

/// Options of `pm history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryOptions {
    /// Only this process.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Tell per process and strategy how often a restart lasted, relapsed or failed, instead of each one.
    #[arg(long)]
    pub effect: bool,
    /// Tell per process what happens per day, how long recovery takes and what does not last: of the last 14 days, or
    /// --since.
    #[arg(long, conflicts_with = "effect")]
    pub trends: bool,
    /// Only members of this group.
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Only what began then or later: "2026-12-01 22:00", 22:00 (the last one), -2h.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// How many, the newest first.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Show what was seen of the process before the restart with this ID.
    #[arg(long, value_name = "ID", conflicts_with_all = ["name", "effect", "trends", "group", "since"])]
    pub evidence: Option<i64>,
    /// Show the restart with this ID step by step, with times and with what commands printed.
    #[arg(long, value_name = "ID", conflicts_with_all = ["name", "effect", "trends", "group", "since", "evidence"])]
    pub steps: Option<i64>,
    /// How to print the result: text for people, json for programs, csv (the list only) for spreadsheets.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: HistoryFormat,
}

/// How to print the history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For spreadsheets: RFC 4180.
    Csv,
}

/// Options of `pm why`.
#[derive(Debug, Clone, Args)]
pub struct WhyOptions {
    /// The process: NAME of [process.NAME], process_name in the table.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What happened then, instead of now: "2026-12-01 22:00", 22:00 or 22:00:05 (the last one; up to its end), -2h.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// How to print the result: text for people, json for programs.
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// Verbs of `pm alarm`.
#[derive(Debug, Subcommand)]
pub enum AlarmVerb {
    /// Add processes to the table, not in alarm.
    #[command(after_help = AFTER_TABLE)]
    Add(NamesOptions),
    /// Put processes into alarm.
    #[command(after_help = AFTER_ROWS)]
    Raise(RowsOptions),
    /// Take processes out of alarm.
    #[command(after_help = AFTER_ROWS)]
    Clear(RowsOptions),
    /// List the processes of this host and their alarms.
    #[command(after_help = AFTER_TABLE)]
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
#[group(skip)]
#[command(group = clap::ArgGroup::new("rows").required(true).multiple(false))]
pub struct RowsOptions {
    /// The processes.
    #[arg(value_name = "NAME", group = "rows")]
    pub names: Vec<String>,
    /// All processes of this host.
    #[arg(long, group = "rows")]
    pub all: bool,
    /// The note to write; a sentence with the time by default.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// Verbs of `pm db`.
#[derive(Debug, Subcommand)]
pub enum DbVerb {
    /// Create what is missing: tables, columns, the index on alarms. Never removes or changes anything.
    #[command(after_help = AFTER_TABLE)]
    Migrate,
    /// Show engine, schema version and what is missing.
    #[command(after_help = AFTER_TABLE)]
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
    for (place, word) in arguments.iter().enumerate().skip(1) {
        let new: &[&str] = match word.to_str() {
            Some("--config-test") => &["check"],
            Some("--status") => &["status"],
            // The old service asked nobody.
            Some("--restart") => &["restart", "--force"],
            // A command follows; what comes after it is its own.
            Some(text) if !text.starts_with('-') && !text.contains(['/', '.']) => break,
            _ => continue,
        };
        arguments.splice(place..=place, new.iter().map(OsString::from));
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
        assert_eq!(translated("pm --restart web"), "pm restart --force web");
        assert_eq!(translated("pm --restart"), "pm restart --force");
        assert_eq!(translated("pm --config /etc/x.ini --status"), "pm --config /etc/x.ini status");
        assert_eq!(translated("pm --config-test"), "pm check");
        assert_eq!(translated("pm why --status"), "pm why --status");
    }
}
