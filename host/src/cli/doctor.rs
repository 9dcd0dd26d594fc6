//! `pm doctor`: looks at everything that pm needs, changes nothing, and says what to do about what is wrong.
//!
//! Each check is a small function that answers with findings, and none relies on another one's success: without a
//! configuration, a database, a daemon or rights the others go on, and what could not be looked at is said. The
//! libraries come last, because loading them runs their code.

mod database;
mod files;
mod finding;
mod libraries;
mod living;
mod machine;
mod notices;
mod settings;
mod starts;
mod unit;

use crate::cli::arguments::{Format, FormatOptions, Global};
use crate::cli::compose::{self, Context};
use crate::cli::{Failure, Terminal, json};
use crate::config::Loaded;
use crate::presence::StateLock;
use finding::{Finding, Verdict};
use serde_json::json;
use std::sync::Arc;

pub(crate) fn doctor(
    global: &Global,
    options: &FormatOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let mut findings = Vec::new();
    // For people at once: a library that takes this process down with it has not hidden what was found before.
    let mut told = |found: Vec<Finding>, terminal: &mut Terminal<'_>| {
        let named = |finding: Finding| Finding {
            fix: finding.fix.map(|fix| fix.with_file(global.config.as_deref())),
            ..finding
        };
        let found: Vec<Finding> = found.into_iter().map(named).collect();
        if options.format == Format::Text {
            found.iter().try_for_each(|finding| finding.write(terminal))?;
            terminal.out.flush()?;
        }
        findings.extend(found);
        Ok::<(), Failure>(())
    };
    let read = compose::read(global);
    let (loaded, registry) = match read {
        Ok(read) => {
            told(settings::configuration(&read.loaded), terminal)?;
            (Some(read.loaded), read.registry)
        }
        Err(failure) => {
            told(vec![settings::missing(failure.text())], terminal)?;
            (None, Arc::new(compose::registry(global, None)))
        }
    };
    let context = loaded.as_ref().and_then(|loaded| Context::of(loaded, &registry));
    told(on_this_host(loaded.as_ref(), context.as_ref()), terminal)?;
    told(context.as_ref().map_or_else(Vec::new, database::examine), terminal)?;
    told(libraries::examine(&registry), terminal)?;
    close(&findings, options.format, terminal)
}

/// What needs neither the database nor the code of plugins.
fn on_this_host(loaded: Option<&Loaded>, context: Option<&Context>) -> Vec<Finding> {
    let config = context.map(|context| &context.config);
    let daemon = config.and_then(|config| StateLock::holder(&config.monitor.state_dir));
    let mut findings = Vec::new();
    if let Some(context) = context {
        findings.extend(living::daemon(&context.config, daemon));
        findings.extend(living::heartbeat(context, daemon));
        findings.push(living::journal(context));
        findings.extend(living::aside(context));
    }
    findings.extend(unit::examine(config, daemon));
    findings.extend(files::examine(loaded, config));
    findings.extend(config.map_or_else(Vec::new, notices::examine));
    findings.extend(config.map_or_else(Vec::new, machine::space));
    findings.push(machine::pidfd());
    findings.push(machine::zone());
    findings
}

/// The last line, or all of it for programs, and the exit code.
fn close(findings: &[Finding], format: Format, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
    let (good, none) = (count(Verdict::Ok), count(Verdict::NotApplicable));
    match format {
        Format::Json => {
            let findings: Vec<_> = findings.iter().map(Finding::to_json).collect();
            let all = json!({ "problems": problems, "warnings": warnings, "findings": findings });
            json::write(&all, terminal.out)?;
        }
        Format::Text => {
            let plural = |count| if count == 1 { "" } else { "s" };
            writeln!(
                terminal.out,
                "\n{problems} problem{}, {warnings} warning{}, {good} ok, {none} not applicable.",
                plural(problems),
                plural(warnings)
            )?;
        }
    }
    if problems > 0 { Err(Failure::Said(1)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::finding::Fix;
    use super::*;

    fn closed(findings: &[Finding], format: Format) -> (u8, String) {
        let mut out = Vec::new();
        let result = close(findings, format, &mut Terminal { out: &mut out, err: &mut std::io::sink() });
        (result.err().map_or(0, |failure| failure.code()), String::from_utf8(out).unwrap())
    }

    #[test]
    fn only_a_problem_makes_the_exit_code_1() {
        let ok = Finding::ok("a", "fine");
        let warning = Finding::warning("b", "soon", Fix::Do("look".to_owned()));
        let problem = Finding::problem("c", "broken", Fix::Run("true".to_owned()));
        let (code, text) = closed(&[ok.clone(), warning.clone()], Format::Text);
        assert_eq!((code, text.as_str()), (0, "\n0 problems, 1 warning, 1 ok, 0 not applicable.\n"));
        let (code, text) = closed(&[ok, warning, problem, Finding::none("d", "no")], Format::Json);
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &all["problems"], &all["warnings"]), (1, &json!(1), &json!(1)));
        assert_eq!(
            all["findings"][2],
            json!({
                "subject": "c", "verdict": "problem", "saw": "broken", "fix": null, "command": "true",
            })
        );
        assert_eq!(all["findings"][3]["verdict"], "not applicable");
    }
}
