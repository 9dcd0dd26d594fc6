//! `[process.NAME]` to [`Process`], with the fallback to `[process.default]`.

use super::commands::{is_placeholder, not_base64};
use super::control::{LEVELS, control};
use super::parts;
use super::reader::Reader;
use super::relations::declaration;
use crate::config::control::Levels;
use crate::config::environment::Catalogue;
use crate::config::problem::{At, Problems};
use crate::config::process::{CHECK_COMMAND, Process, RESTART_COMMANDS, Setting};
use crate::config::sections::{DEFAULT, Keys, PROCESS, Sections};
use crate::policy::model::Verify;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What a process section depends on besides its keys.
pub(in crate::config) struct Context<'a> {
    pub(in crate::config) base: &'a Path,
    pub(in crate::config) levels: &'a Levels,
    pub(in crate::config) catalogue: &'a Catalogue,
    /// All sections, for those of plugins.
    pub(in crate::config) sections: &'a Sections,
}

const DAY: Duration = Duration::from_secs(86_400);
/// The longest `evidence_timeout`.
const EVIDENCE_MOST: Duration = Duration::from_secs(60);

/// Reads `[process.default]` and all processes.
pub(in crate::config) fn processes(
    sections: &Sections,
    context: &Context<'_>,
    problems: &mut Problems,
) -> (Option<Process>, BTreeMap<String, Process>) {
    let defaults = sections.get(DEFAULT);
    let mut compile = |section: &str, name: &str, keys: &Keys| {
        // The original's built-in strategy, which the R6 line dropped together with `[process.default]`.
        let strategy = defaults.map(|_| "auto");
        process(name, strategy, Reader::new(section, keys, context.base, problems), context)
    };
    let default = defaults.map(|keys| compile(DEFAULT, "default", keys));
    let processes: BTreeMap<_, _> = sections
        .iter()
        .filter_map(|(section, keys)| Some((section, section.strip_prefix(PROCESS)?, keys)))
        .filter(|(section, name, _)| *section != DEFAULT && !name.is_empty())
        .map(|(section, name, keys)| (name.to_owned(), compile(section, name, &keys.over(defaults))))
        .collect();
    parts::without_check(default.iter().chain(processes.values()), problems);
    if default.is_none() && processes.is_empty() {
        let message = "no process is configured, so no alarm will be acted on";
        problems.warning(&At::default(), message, "add a section [process.NAME]");
    }
    (default, processes)
}

fn process(name: &str, strategy: Option<&str>, mut reader: Reader<'_>, context: &Context<'_>) -> Process {
    let seconds = Duration::from_secs;
    let listed = reader.raw("restart_strategy").or(strategy).unwrap_or_default();
    let strategies =
        listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let pre_restart_command = reader.command("pre_restart_command");
    let evidence_command = reader.command("evidence_command");
    let criticality = reader.choice("criticality", &LEVELS).unwrap_or_default();
    let mut process = Process {
        name: name.to_owned(),
        line: reader.keys.line,
        unusable: None,
        strategies,
        system_name: reader.text("system_name").map(str::to_owned),
        max_attempts: attempts(&mut reader),
        restart_delay: reader.duration("restart_delay", DAY).unwrap_or(seconds(2)),
        restart_delay_factor: reader.factor("restart_delay_factor").unwrap_or(1.0),
        restart_delay_max: reader.duration("restart_delay_max", DAY).unwrap_or(seconds(300)),
        health_check: reader.raw("health_check").map(str::to_owned),
        health_check_timeout: check_timeout(&mut reader),
        health_check_interval: interval(&mut reader),
        verify_before: match reader.value("verify_before") {
            Some(true) => Verify::First,
            _ => Verify::AfterOnly,
        },
        pre_restart_command,
        pre_restart_timeout: reader.duration("pre_restart_timeout", DAY).unwrap_or(seconds(300)),
        evidence: reader.value("evidence").unwrap_or(true),
        evidence_command,
        evidence_timeout: evidence_timeout(&mut reader),
        restart_timeout: reader.duration("restart_timeout", DAY).unwrap_or(seconds(300)),
        criticality,
        control: control(&mut reader, context.levels.of(criticality)).settled(),
        declaration: declaration(&mut reader),
        restart_dependents: reader.value("restart_dependents").unwrap_or(false),
        settings: BTreeMap::new(),
    };
    process.settings = settings(&reader);
    if process.max_attempts == 0 {
        process.unusable = Some("max_attempts is 0".to_owned());
    }
    evidence(&mut reader, &process);
    commands(&mut reader, &mut process);
    parts::judge(&mut reader, &mut process, context.sections, context.catalogue);
    process
}

/// What is left for the plugins; empty values are absent.
fn settings(reader: &Reader<'_>) -> BTreeMap<String, Setting> {
    reader
        .rest()
        .filter(|(_, text)| !text.value.is_empty())
        .map(|(key, text)| (key.clone(), Setting { value: text.value.clone(), line: text.line }))
        .collect()
}

fn attempts(reader: &mut Reader<'_>) -> u32 {
    let attempts = reader.number("max_attempts", 0..=1000).unwrap_or(2);
    if attempts == 0 {
        let message = "with 0 this process is never restarted";
        reader.warning("max_attempts", message, "write at least 1");
    }
    attempts
}

fn check_timeout(reader: &mut Reader<'_>) -> Duration {
    let timeout = reader.duration("health_check_timeout", DAY).unwrap_or(Duration::from_secs(5));
    if timeout.is_zero() {
        let message = "with 0 the check never runs and every restart counts as failed";
        reader.warning("health_check_timeout", message, "write at least 1");
    }
    timeout
}

fn interval(reader: &mut Reader<'_>) -> Duration {
    let shortest = Duration::from_millis(50);
    let interval = reader.duration("health_check_interval", DAY).unwrap_or(Duration::from_secs(1));
    if interval < shortest {
        let message = "the check would run without a pause; it runs every 50 ms";
        reader.warning("health_check_interval", message, "write 1, or 500ms");
    }
    interval.max(shortest)
}

/// Every restart waits for it, so it is kept short: a look that takes minutes would be an outage of its own.
fn evidence_timeout(reader: &mut Reader<'_>) -> Duration {
    let timeout = reader.duration("evidence_timeout", EVIDENCE_MOST).unwrap_or(Duration::from_secs(3));
    if timeout.is_zero() {
        let message = "with 0 there is no time to look, so nothing is kept";
        reader.warning("evidence_timeout", message, "write evidence = no, or at least 1");
    }
    timeout
}

fn evidence(reader: &mut Reader<'_>, process: &Process) {
    if !process.evidence && reader.is_own("evidence_command") {
        let hint = "delete it, or write evidence = yes";
        reader.warning("evidence_command", "is not run, because evidence = no", hint);
    }
}

/// The command keys of the predecessor, which belong to the strategy `custom` and the check `command`.
fn commands(reader: &mut Reader<'_>, process: &mut Process) {
    for key in RESTART_COMMANDS.into_iter().chain([CHECK_COMMAND]).filter(|key| *key != "restart_block_b64") {
        reader.command(key);
    }
    nearer_wins(reader, process);
    let given: Vec<&str> =
        RESTART_COMMANDS.into_iter().filter(|key| process.setting(key).is_some()).collect();
    if let [winner, others @ ..] = given.as_slice() {
        for key in others {
            let hint = "delete one of them";
            reader.warning(key, format!("is not used, because {winner} takes its place"), hint);
        }
    }
    if let Some(winner) = given.first() {
        instead_of_a_ladder(reader, process, winner);
    }
    if let Some(block) = reader.raw("restart_block_b64").filter(|_| given.contains(&"restart_block_b64")) {
        judge_block(reader, block, process);
    }
    let check = process.health_check.as_deref().filter(|check| *check != "command");
    if let Some(check) = check.filter(|_| reader.is_own(CHECK_COMMAND)) {
        let message = format!("is not used, because health_check = {check} takes its place");
        reader.warning(CHECK_COMMAND, message, "delete one of them");
    }
    if given.is_empty() && process.strategies.iter().any(|strategy| strategy == "custom") {
        let message = "custom without a restart_command restarts as the strategy service does";
        reader.warning("restart_strategy", message, "add restart_command, or write service");
    }
}

/// One strategy beside a command is how the predecessor's files are written; whoever writes several expects a ladder.
fn instead_of_a_ladder(reader: &mut Reader<'_>, process: &Process, command: &'static str) {
    let (strategies, own) =
        (&process.strategies, reader.is_own(command) || reader.is_own("restart_strategy"));
    if strategies.len() < 2 || !own || strategies.iter().any(|strategy| strategy == "custom") {
        return;
    }
    let list = strategies.join(", ");
    let message = format!("takes the place of restart_strategy = {list}: none of these is ever tried");
    let hint = format!("delete it, or write its place among them: restart_strategy = {list}, custom");
    reader.warning(command, message, hint);
}

/// Of several keys for one thing, those of the process itself come before those of `[process.default]`.
fn nearer_wins(reader: &Reader<'_>, process: &mut Process) {
    if reader.is_own(CHECK_COMMAND) && !reader.is_own("health_check") {
        process.health_check = None;
    }
    if RESTART_COMMANDS.iter().any(|key| reader.is_own(key)) {
        for key in RESTART_COMMANDS.iter().filter(|key| !reader.is_own(key)) {
            process.settings.remove(*key);
        }
    }
}

/// The block must not be run when it cannot be one. The published sample holds a placeholder, and that file must
/// still pass; so the placeholder is a warning.
fn judge_block(reader: &mut Reader<'_>, block: &str, process: &mut Process) {
    let key = "restart_block_b64";
    if is_placeholder(block) {
        let message = format!("{block:?} is the placeholder of the sample; this process cannot be restarted");
        reader.warning(key, message, "encode a script with: base64 -w0 script.sh");
        process.unusable = Some(format!("{key} holds the placeholder of the sample"));
    } else if let Some(why) = not_base64(block) {
        let hint =
            "encode the script with: base64 -w0 script.sh; this process cannot be restarted until then";
        reader.error(key, why, hint);
        process.unusable = Some(format!("{key} is not base64"));
    }
}
