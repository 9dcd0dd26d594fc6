//! What the pm that runs makes of its plugins, asked over its line, and the two things it can be told to do with them.
//!
//! The answering side is here too, so that question and answer stand in one place. A daemon that does not answer takes
//! nothing from what can be seen without it.

use crate::cli::Failure;
use crate::cli::arguments::{Format, Global};
use crate::cli::compose::{self, Context};
use crate::cli::table::table;
use crate::intercom::{self, Answering};
use crate::plugins::{Entry, Registry, Report};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long the list may take; nothing is started for it.
const LOOK: Duration = Duration::from_secs(10);
/// How long a new worker may take to load, and a little.
const RELOAD: Duration = Duration::from_secs(15);

/// Answers what `pm plugins` asks of the daemon that uses `registry`.
pub(crate) fn answering(registry: Arc<Registry>) -> Answering {
    Arc::new(move |question| {
        let question: Value = serde_json::from_str(question).unwrap_or_default();
        let name = question["name"].as_str().unwrap_or_default();
        let done = |done: Result<String, String>| match done {
            Ok(text) => json!({ "done": text }),
            Err(why) => json!({ "failed": why }),
        };
        let answer = match question["ask"].as_str() {
            Some("plugins") => {
                // All libraries are read for these.
                let sums = if question["sums"] == true { registry.checksums() } else { BTreeMap::new() };
                let entries = registry.entries();
                let plugins: Vec<_> =
                    entries.iter().map(|entry| running(entry, sums.get(&entry.file))).collect();
                json!({ "pid": std::process::id(), "plugins": plugins })
            }
            Some("reload") => done(registry.reload(name)),
            Some("stop") => done(registry.stop(name)),
            _ => {
                json!({ "failed": "this pm does not know what is asked of it; use the pm that it was started from" })
            }
        };
        answer.to_string()
    })
}

/// A library of the daemon.
fn running(entry: &Entry, sum: Option<&String>) -> Value {
    let manifest = entry.manifest.as_ref();
    let mut value = report(entry.report.as_ref());
    value["file"] = json!(entry.file.to_string_lossy());
    value["name"] = json!(manifest.map(|manifest| &manifest.name));
    value["version"] = json!(manifest.map(|manifest| &manifest.version));
    value["state"] = json!(super::word(&entry.state));
    value["sha256"] = json!(sum);
    value["reason"] = json!(super::reason(entry));
    value
}

fn report(report: Option<&Report>) -> Value {
    let Some(report) = report else { return json!({}) };
    let micros = |duration: Option<Duration>| duration.map(|duration| duration.as_micros());
    json!({
        "isolation": if report.worker.is_some() { "worker" } else { "in-process" },
        "worker": report.worker,
        "pids": report.pids,
        "memory_bytes": report.memory,
        "crashes": report.crashes,
        "calls": report.calls,
        "calls_unanswered": report.failed,
        "median_us": micros(report.median),
        "p99_us": micros(report.slowest),
    })
}

/// The daemon of this configuration and its plugins; none when none runs, or there is no configuration.
pub(super) fn look(global: &Global, format: Format) -> Result<Option<Value>, Failure> {
    let Ok(read) = compose::read(global) else { return Ok(None) };
    let Some(context) = Context::of(&read.loaded, &read.registry) else { return Ok(None) };
    ask(&context.config.monitor.state_dir, &json!({ "ask": "plugins", "sums": format == Format::Json }), LOOK)
}

/// Tells the daemon to do something with a plugin; what it has done.
pub(super) fn order(global: &Global, what: &str, name: &str) -> Result<String, Failure> {
    let state_dir = Context::load(global)?.config.monitor.state_dir;
    let answer = ask(&state_dir, &json!({ "ask": what, "name": name }), RELOAD)?;
    let Some(answer) = answer else {
        return Err(Failure::Failed(format!(
            "no pm runs with this configuration (nobody answers in {}); without one there is nothing to {what}",
            state_dir.display()
        )));
    };
    match (answer["done"].as_str(), answer["failed"].as_str()) {
        (Some(done), _) => Ok(done.to_owned()),
        (None, Some(why)) => Err(Failure::Plugin(why.to_owned())),
        (None, None) => Err(Failure::Failed(
            "pm gave an answer that cannot be read; is it of another version?".to_owned(),
        )),
    }
}

fn ask(state_dir: &Path, question: &Value, timeout: Duration) -> Result<Option<Value>, Failure> {
    let answer = intercom::ask(state_dir, &question.to_string(), timeout).map_err(|error| {
        let who = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "; root can, and the user that pm runs as",
            _ => "",
        };
        Failure::Failed(format!("asking the pm that works in {}: {error}{who}", state_dir.display()))
    })?;
    Ok(answer.map(|answer| serde_json::from_str(&answer).unwrap_or_default()))
}

/// Shows what the daemon makes of its plugins.
pub(super) fn tell(running: Result<Option<Value>, Failure>, out: &mut dyn Write) -> Result<(), Failure> {
    match running {
        Ok(None) => {}
        Err(failure) => {
            writeln!(out, "\nWhat the running pm makes of them is not known: {}", failure.text())?;
        }
        Ok(Some(daemon)) => {
            let pid = daemon["pid"].as_u64().unwrap_or_default();
            let header = ["PLUGIN", "RUNNING", "WORKER", "MEMORY", "CALLS", "MEDIAN", "99 %", "CRASHES"];
            write!(out, "\nIn the pm that runs (pid {pid}):\n{}", table(&header, rows(&daemon)))?;
            for (name, why) in reasons(&daemon) {
                writeln!(out)?;
                super::wrapped(out, &format!("{name}: {why}"), "", "  ")?;
            }
        }
    }
    Ok(())
}

/// What is to be said of single plugins.
fn reasons(daemon: &Value) -> Vec<(String, String)> {
    let all = daemon["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |plugin: &Value, key: &str| plugin[key].as_str().map(str::to_owned);
    all.iter().filter_map(|plugin| Some((text(plugin, "name")?, text(plugin, "reason")?))).collect()
}

/// One row per library that the daemon has used.
fn rows(plugins: &Value) -> Vec<Vec<String>> {
    let all = plugins["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<_> = all.iter().filter(|plugin| plugin["isolation"].is_string()).map(row).collect();
    rows.sort();
    rows
}

fn row(plugin: &Value) -> Vec<String> {
    let text = |key: &str| plugin[key].as_str().unwrap_or("-").to_owned();
    let number = |key: &str| plugin[key].as_u64().unwrap_or_default().to_string();
    let time = |key: &str| plugin[key].as_u64().map_or("-".to_owned(), in_short);
    let memory = plugin["memory_bytes"].as_u64().filter(|bytes| *bytes > 0);
    vec![
        text("name"),
        text("version"),
        plugin["worker"].as_str().unwrap_or("in-process").to_owned(),
        memory.map_or("-".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
        number("calls"),
        time("median_us"),
        time("p99_us"),
        number("crashes"),
    ]
}

fn in_short(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}
