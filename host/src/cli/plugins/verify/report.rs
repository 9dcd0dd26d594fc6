//! The report of `pm plugins verify`: lines with a verdict, in sections; for people and for programs.

use crate::cli::Failure;
use crate::cli::plugins::wrapped;
use crate::policy::model::printable;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// What came of one thing that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

struct Line {
    section: String,
    verdict: Verdict,
    what: &'static str,
    text: String,
}

/// The lines so far.
#[derive(Default)]
pub(super) struct Report {
    section: String,
    lines: Vec<Line>,
}

impl Report {
    /// What follows is about this.
    pub(super) fn section(&mut self, title: &str) {
        printable(title).clone_into(&mut self.section);
    }
    /// It holds.
    pub(super) fn ok(&mut self, what: &'static str, text: &str) {
        self.line(Verdict::Ok, what, text);
    }
    /// It works, and could be better.
    pub(super) fn warn(&mut self, what: &'static str, text: &str) {
        self.line(Verdict::Warn, what, text);
    }
    /// It does not hold.
    pub(super) fn fail(&mut self, what: &'static str, text: &str) {
        self.line(Verdict::Fail, what, text);
    }

    /// Texts of the library are in it, so they are escaped here, once.
    fn line(&mut self, verdict: Verdict, what: &'static str, text: &str) {
        self.lines.push(Line { section: self.section.clone(), verdict, what, text: printable(text) });
    }

    /// How many things do not hold.
    pub(super) fn failed(&self) -> usize {
        self.count(Verdict::Fail)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let mut section = "";
        for line in &self.lines {
            if section != line.section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = &line.section;
                writeln!(out, "{gap}{section}")?;
            }
            let first = format!("  {:<5} {:<12}", line.verdict.word(), line.what);
            wrapped(out, &line.text, &first, &" ".repeat(first.len()))?;
        }
        let (warnings, failed) = (self.count(Verdict::Warn), self.failed());
        let verdict = if failed > 0 { "this is not a plugin that pm can rely on" } else { "a good plugin" };
        let (checks, warnings) = (counted(self.lines.len(), "check"), counted(warnings, "warning"));
        Ok(writeln!(out, "\n{checks}, {warnings}, {failed} failed: {verdict}")?)
    }

    pub(super) fn in_json(&self, file: &Path) -> Value {
        let line = |line: &Line| json!({ "about": line.section, "check": line.what, "verdict": line.verdict.word(), "text": line.text });
        json!({
            "file": file.to_string_lossy(),
            "failed": self.failed(),
            "warnings": self.count(Verdict::Warn),
            "checks": self.lines.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// `1 check`, `3 checks`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `3 ms`, `1.5 s`.
pub(super) fn in_words(duration: Duration) -> String {
    match duration.as_millis() {
        millis if millis < 1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}
