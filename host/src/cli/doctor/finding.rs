//! What a check of `pm doctor` found: a verdict, one line of what was looked at, and the way to put it right.
//!
//! It judges nothing; each check does that for its own subject.

use crate::cli::table::WIDTH;
use crate::cli::{Failure, Terminal};
use crate::policy::model::printable;
use serde_json::{Value, json};
use std::path::Path;

const AS_ROOT: &str = "sudo pm doctor";

/// How a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Not there on this machine, or out of sight of this account; the line says which.
    NotApplicable,
    /// pm works, but not as well as it could, or not for long.
    Warning,
    /// Something that pm is for does not work.
    Problem,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotApplicable => "not applicable",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    /// In the first column: what needs somebody stands out, also without colours.
    fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotApplicable => "-",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
        }
    }
}

/// How to put it right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// A command to paste into a shell.
    Run(String),
    /// Something to do.
    Do(String),
}

impl Fix {
    /// To look again as root, because this account may not.
    pub(super) fn as_root() -> Self {
        Self::Run(AS_ROOT.to_owned())
    }

    /// The same with the file that was named, so that it can be pasted as it stands.
    pub(super) fn with_file(self, config: Option<&Path>) -> Self {
        match (self, config) {
            (Self::Run(line), Some(file)) if line == AS_ROOT => {
                Self::Run(format!("{line} --config {}", quoted(file)))
            }
            (fix, _) => fix,
        }
    }
}

/// A path as a word of a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// One word for what was looked at.
    pub(super) subject: &'static str,
    pub(super) verdict: Verdict,
    /// One line: what was looked at, and what was found.
    pub(super) saw: String,
    pub(super) fix: Option<Fix>,
}

impl Finding {
    pub(super) fn ok(subject: &'static str, saw: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Ok, saw: saw.into(), fix: None }
    }
    pub(super) fn none(subject: &'static str, saw: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotApplicable, ..Self::ok(subject, saw) }
    }
    pub(super) fn warning(subject: &'static str, saw: impl Into<String>, fix: Fix) -> Self {
        Self { verdict: Verdict::Warning, fix: Some(fix), ..Self::ok(subject, saw) }
    }
    pub(super) fn problem(subject: &'static str, saw: impl Into<String>, fix: Fix) -> Self {
        Self { verdict: Verdict::Problem, fix: Some(fix), ..Self::ok(subject, saw) }
    }

    /// Something that this account may not look at; nothing is known of it, good or bad.
    pub(super) fn hidden(subject: &'static str, path: &Path) -> Self {
        let saw = format!("{} is out of sight of this account: not looked at", path.display());
        Self { fix: Some(Fix::as_root()), ..Self::none(subject, saw) }
    }

    pub(super) fn to_json(&self) -> Value {
        let (fix, command) = match &self.fix {
            None => (None, None),
            Some(Fix::Do(text)) => (Some(text), None),
            Some(Fix::Run(line)) => (None, Some(line)),
        };
        json!({
            "subject": self.subject, "verdict": self.verdict.word(), "saw": self.saw, "fix": fix, "command": command,
        })
    }

    /// Writes it for people. What is to be pasted stands on a line of its own and is never broken.
    pub(super) fn write(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let head = format!("{:<8} {:<14} ", self.verdict.mark(), self.subject);
        let indent = " ".repeat(head.len());
        wrapped(terminal, &printable(&self.saw), &head, &indent)?;
        match &self.fix {
            None => {}
            Some(Fix::Do(text)) => wrapped(terminal, &printable(text), &format!("{indent}do:  "), &indent)?,
            Some(Fix::Run(line)) => writeln!(terminal.out, "{indent}run: {}", printable(line))?,
        }
        Ok(())
    }
}

/// Lines of the common width; a word that is longer stands alone.
fn wrapped(terminal: &mut Terminal<'_>, text: &str, first: &str, others: &str) -> Result<(), Failure> {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !empty && line.chars().count() + 1 + word.chars().count() > usize::from(WIDTH) {
            writeln!(terminal.out, "{}", line.trim_end())?;
            (line, empty) = (others.to_owned(), true);
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    Ok(writeln!(terminal.out, "{}", line.trim_end())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(finding: &Finding) -> String {
        let mut out = Vec::new();
        finding.write(&mut Terminal { out: &mut out, err: &mut std::io::sink() }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_to_be_pasted_is_one_line_and_the_rest_fits_the_terminal() {
        let command = format!("chmod 600 /{}", "long/".repeat(30));
        let finding = Finding::warning("files", "word ".repeat(60), Fix::Run(command.clone()));
        let text = shown(&finding);
        let (told, run) = text.trim_end().rsplit_once('\n').unwrap();
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(run.trim_start(), format!("run: {command}"));
        assert!(text.starts_with("warning  files          word word"), "{text}");
    }

    #[test]
    fn a_path_in_a_command_is_one_word_and_the_file_that_was_named_is_named_again() {
        assert_eq!(quoted(Path::new("/etc/pm/config.ini")), "/etc/pm/config.ini");
        assert_eq!(quoted(Path::new("/a b/$(x)'y")), "'/a b/$(x)'\\''y'");
        let fix = Fix::as_root().with_file(Some(Path::new("/a b")));
        assert_eq!(fix, Fix::Run("sudo pm doctor --config '/a b'".to_owned()));
        assert_eq!(Fix::as_root().with_file(None), Fix::as_root());
    }

    #[test]
    fn nothing_that_was_found_can_draw_on_a_terminal() {
        let fix = Fix::Do("remove \u{1b}[2J".to_owned());
        let finding = Finding::problem("files", "named \u{1b}]0;x\u{7}\nok files", fix);
        let text = shown(&finding);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("ok")).count(), 0, "{text}");
        assert_eq!(finding.to_json()["command"], Value::Null);
    }
}
