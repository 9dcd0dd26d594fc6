//! What is wrong with a configuration file, one value per finding: where, what, and what to do about it.
//!
//! A problem never quotes a secret and never stops the reading; the findings of one file are collected together.
//! It does not decide whether pm may run: that is [`Loaded::usable`](super::Loaded::usable).

use super::secret::masked;
use crate::policy::name::is_printable;
use std::fmt;
use std::path::{Path, PathBuf};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file says something that pm cannot do as written; `pm check` fails.
    Error,
    /// pm does what the file says, but it is probably not what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`, as in the JSON of `pm check`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One finding. Its [`Display`](fmt::Display) is one line: `config.ini:12: [process.web] max_attempts: …; hint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file as it was named by the operator.
    pub file: PathBuf,
    /// Line in the file, from 1; `None` for something that is missing.
    pub line: Option<u32>,
    /// The section without brackets; empty when it is about the whole file.
    pub section: String,
    /// The key, when it is about one.
    pub key: Option<String>,
    /// What is wrong, a phrase that follows `key: `.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// The same for a running pm, which goes on with the configuration that it has: what would be used meanwhile by a pm
    /// that starts with this file is not said.
    #[must_use]
    pub fn without_meanwhile(&self) -> Self {
        let hint = self.hint.as_deref().and_then(|hint| {
            let hint = hint.strip_suffix(", which is used until then").unwrap_or(hint);
            let advice = hint.rsplit_once("; ").map(|(advice, _)| advice);
            if hint.ends_with(" until then") { advice } else { Some(hint) }.map(str::to_owned)
        });
        Self { hint, ..self.clone() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.section.is_empty() {
            write!(f, "[{}] ", one_line(&self.section))?;
        }
        if let Some(key) = &self.key {
            write!(f, "{}: ", one_line(key))?;
        }
        f.write_str(&one_line(&self.message))?;
        match &self.hint {
            Some(hint) => write!(f, "; {}", one_line(hint)),
            None => Ok(()),
        }
    }
}

/// Control characters and direction marks from the file must not reach a terminal or break the line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '\u{fffd}' }).collect()
}

/// At most this many findings of a file are kept, so that a binary file does not fill a log.
const MOST: usize = 300;

/// Collects the findings of one file.
#[derive(Debug)]
pub(super) struct Problems {
    file: PathBuf,
    found: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub(super) fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Vec::new(), more: 0 }
    }

    pub(super) fn error(&mut self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, at, &message.into(), &hint.into());
    }

    pub(super) fn warning(&mut self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, at, &message.into(), &hint.into());
    }

    /// The same finding in an inherited key counts once. Errors are kept beyond the limit for warnings. Passwords in
    /// addresses are masked here, once for all messages that quote a value.
    fn add(&mut self, severity: Severity, at: &At<'_>, message: &str, hint: &str) {
        let limit = if severity == Severity::Error { 2 * MOST } else { MOST };
        if self.found.len() >= limit {
            self.more += 1;
            return;
        }
        let problem = Problem {
            severity,
            file: self.file.clone(),
            line: at.line,
            section: at.section.to_owned(),
            key: at.key.map(str::to_owned),
            message: masked(message),
            hint: Some(masked(hint)).filter(|hint| !hint.is_empty()),
        };
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// Whether warnings are only counted from now on, so that composing them is a waste.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// All findings in the order of the file; those without a line come last.
    pub(super) fn into_list(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| problem.line.unwrap_or(u32::MAX));
        if self.more > 0 {
            self.found.push(Problem {
                severity: Severity::Warning,
                file: self.file,
                line: None,
                section: String::new(),
                key: None,
                message: format!("{} more problems are not shown", self.more),
                hint: Some("is this a configuration file of pm?".to_owned()),
            });
        }
        self.found
    }
}

/// Where a finding is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At<'a> {
    pub(super) line: Option<u32>,
    pub(super) section: &'a str,
    pub(super) key: Option<&'a str>,
}

/// `did you mean "NEAREST"?`, or nothing when no candidate is near enough.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|name| format!("did you mean {name:?}?"))
}

/// The candidate that a typing mistake may have turned into `word`.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|name| name.chars().count().abs_diff(word.chars().count()) <= allowed)
        .map(|name| (distance(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(steps, name)| *steps <= allowed && *name != word)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(64).collect(), to.chars().take(64).collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<_>>()];
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let replace = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_that_an_editor_can_jump_to() {
        let problem = Problem {
            severity: Severity::Warning,
            file: "config.ini".into(),
            line: Some(12),
            section: "process.web".into(),
            key: Some("restart_stratgy".into()),
            message: "unknown key\u{1b}[2J\n".into(),
            hint: did_you_mean("restart_stratgy", ["restart_delay", "restart_strategy"]),
        };
        let text = problem.to_string();
        assert!(text.starts_with("config.ini:12: [process.web] restart_stratgy: unknown key"), "{text}");
        assert!(text.ends_with("did you mean \"restart_strategy\"?"), "{text}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not_guessed() {
        let names = ["docker", "service", "process", "custom", "auto"];
        for (word, expected) in
            [("dokcer", "docker"), ("Service", "service"), ("proces", "process"), ("aut", "auto")]
        {
            assert_eq!(nearest(word, names), Some(expected), "{word}");
        }
        for word in ["kubernetes", "x", ""] {
            assert_eq!(nearest(word, names), None, "{word}");
        }
    }

    #[test]
    fn a_flood_of_findings_is_cut_and_counted_but_errors_survive_it() {
        let mut problems = Problems::of(Path::new("x"));
        for line in 0..1000 {
            problems.warning(&At { line: Some(line), ..At::default() }, "w", "");
        }
        problems.error(&At::default(), "e", "");
        let list = problems.into_list();
        assert_eq!(list.len(), MOST + 2);
        assert!(list.iter().any(|problem| problem.severity == Severity::Error));
        assert_eq!(list[MOST + 1].message, "700 more problems are not shown");
    }

    #[test]
    fn a_running_pm_does_not_say_what_would_be_used_meanwhile() {
        let told = |hint: &str| {
            let problem = Problem {
                severity: Severity::Error,
                file: PathBuf::from("x"),
                line: None,
                section: String::new(),
                key: None,
                message: "m".to_owned(),
                hint: Some(hint.to_owned()),
            };
            problem.without_meanwhile().to_string()
        };
        assert_eq!(told("the default is used until then"), "x: m");
        assert_eq!(told("write 2; the default is used until then"), "x: m; write 2");
        assert_eq!(told("write a = 30, which is used until then"), "x: m; write a = 30");
        assert_eq!(told("write 2; or 3"), "x: m; write 2; or 3");
    }
}
