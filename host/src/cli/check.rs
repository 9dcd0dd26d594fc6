//! `pm check`: whether the configuration can be used, every problem at once, and what the file means.

use crate::cli::arguments::{Format, FormatOptions, Global};
use crate::cli::maintenance::words;
use crate::cli::table::table;
use crate::cli::{Failure, Terminal, addresses, compose, json};
use crate::config::{Config, Criticality, Dialect, Loaded, Process, effective};
use crate::policy::model::Name;
use crate::policy::relations::{Related, Relations};
use crate::ports::overrides::covers;
use crate::spec::EventKind;

pub(crate) fn check(
    global: &Global,
    options: &FormatOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let loaded = compose::read(global)?.loaded;
    match options.format {
        Format::Json => json::write(&effective::to_json(&loaded), terminal.out)?,
        Format::Text => text(&loaded, terminal)?,
    }
    if loaded.usable() { Ok(()) } else { Err(Failure::Said(Failure::USAGE)) }
}

fn text(loaded: &Loaded, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let out = &mut *terminal.out;
    for problem in &loaded.problems {
        writeln!(out, "{}: {problem}", problem.severity)?;
    }
    if !loaded.problems.is_empty() {
        writeln!(out)?;
    }
    if let Some(config) = &loaded.config {
        summary(config, terminal)?;
    }
    let (errors, warnings) = (loaded.errors().count(), loaded.warnings().count());
    let verdict = match (loaded.usable(), warnings) {
        (true, 0) => "can be used.".to_owned(),
        (true, _) => format!("can be used, with {}.", counted(warnings, "warning")),
        (false, _) => format!("cannot be used as written: {}.", counted(errors, "error")),
    };
    writeln!(terminal.out, "{} {verdict}", loaded.file.display())?;
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn summary(config: &Config, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let out = &mut *terminal.out;
    let others = match config.dialect {
        Dialect::WithDefault => "handled as [process.default] says",
        Dialect::SectionsOnly => "ignored (there is no [process.default])",
    };
    writeln!(out, "Database        {}", addresses::name(&config.database))?;
    let host = config.host_id.map_or_else(|| "all hosts (no [host] host_id)".to_owned(), |id| id.to_string());
    writeln!(out, "Host            {host}")?;
    writeln!(out, "Poll            every {} s", config.monitor.check_interval.as_secs_f64())?;
    writeln!(out, "State           {}", config.monitor.state_dir.display())?;
    writeln!(out, "Other processes {others}\n")?;
    let rows: Vec<_> = config
        .processes
        .values()
        .map(|process| {
            let attempts = format!("{} x {} s", process.max_attempts, process.restart_delay.as_secs_f64());
            let check = process.check().map_or_else(|| "none".to_owned(), str::to_owned);
            vec![
                process.name.clone(),
                process.system_name().to_owned(),
                process.chain().join(", "),
                attempts,
                check,
            ]
        })
        .collect();
    if !rows.is_empty() {
        writeln!(out, "{}", table(&["PROCESS", "SYSTEM NAME", "STRATEGY", "ATTEMPTS", "CHECK"], rows))?;
    }
    let rows = related(config);
    if !rows.is_empty() {
        writeln!(out, "{}", table(&["PROCESS", "CRITICALITY", "GROUP", "WAVE", "DEPENDS ON"], rows))?;
    }
    let receivers = config.notify.iter().map(|receiver| {
        let of = if receiver.events.len() == EventKind::CHOICE.len() {
            "all".to_owned()
        } else {
            receiver.events.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ")
        };
        let language = receiver.language.word().to_owned();
        vec![
            receiver.name.clone(),
            receiver.part.name.clone(),
            language,
            receiver.min_severity.word().to_owned(),
            of,
        ]
    });
    if receivers.len() > 0 {
        let header = ["RECEIVER", "NOTIFIER", "LANGUAGE", "AT LEAST", "EVENTS"];
        writeln!(out, "{}", table(&header, receivers))?;
    }
    let windows = config.maintenance.iter().map(|window| {
        vec![window.id.to_string(), covers(&window.scopes, usize::MAX), words::planned(&window.when)]
    });
    if windows.len() > 0 {
        writeln!(out, "{}", table(&["WINDOW", "COVERS", "PLANNED"], windows))?;
    }
    Ok(())
}

/// The processes that are not ordinary or not alone. The tables may add groups and dependencies: `pm db status`.
fn related(config: &Config) -> Vec<Vec<String>> {
    let related = Related::merge(&config.declared(), &Relations::default());
    let row = |process: &Process, shown: &str| {
        let name = Name::new(&process.name);
        let group = related.group_of(&name).map_or_else(|| "-".to_owned(), Name::to_string);
        let needs: Vec<String> = related.depends_on(&name).into_iter().map(Name::to_string).collect();
        let ordinary = process.criticality == Criticality::Normal && group == "-" && needs.is_empty();
        let needs = if needs.is_empty() { "-".to_owned() } else { needs.join(", ") };
        let wave = related.depth(&name).to_string();
        (!ordinary).then(|| vec![shown.to_owned(), process.criticality.word().to_owned(), group, wave, needs])
    };
    let own = config.processes.values().filter_map(|process| row(process, &process.name));
    own.chain(config.default.iter().filter_map(|default| row(default, "all others"))).collect()
}
