//! Is the configuration what it should be? The findings of `pm check`, and the password by itself.

use super::finding::{Finding, Fix, quoted};
use crate::config::{Loaded, Problem, Severity};
use std::io::ErrorKind;
use std::path::Path;

/// So many problems are told; `pm check` has all of them.
const MOST: usize = 10;

/// There is no file.
pub(super) fn missing(why: &str) -> Finding {
    Finding::problem(
        "configuration",
        why,
        Fix::Do("copy packaging/config.ini to /etc/pm/config.ini".to_owned()),
    )
}

/// What `pm check` would say.
pub(super) fn configuration(loaded: &Loaded) -> Vec<Finding> {
    if hides(&loaded.file) {
        return vec![unreadable(&loaded.file)];
    }
    let (password, others): (Vec<&Problem>, Vec<&Problem>) =
        loaded.problems.iter().partition(|problem| is_of_password(problem));
    let mut findings: Vec<Finding> = Vec::new();
    // The plugin directory has a check of its own.
    let others: Vec<_> = others.into_iter().filter(|problem| problem.section != "plugins").collect();
    findings.extend(others.iter().take(MOST).map(|problem| of("configuration", problem)));
    if others.len() > MOST {
        let saw = format!("{} more problems in {}", others.len() - MOST, loaded.file.display());
        findings.push(Finding::warning("configuration", saw, Fix::Run(check(loaded))));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("configuration", format!("{} can be used", loaded.file.display())));
    }
    findings.extend(password.into_iter().map(|problem| of("password", problem)));
    findings
}

fn of(subject: &'static str, problem: &Problem) -> Finding {
    let shown = Problem { hint: None, ..problem.clone() };
    let fix = match &problem.hint {
        Some(hint) => {
            hint.strip_prefix("run: ").map_or_else(|| Fix::Do(hint.clone()), |line| Fix::Run(line.to_owned()))
        }
        None => Fix::Do("see docs/configuration.md".to_owned()),
    };
    match problem.severity {
        Severity::Error => Finding::problem(subject, shown.to_string(), fix),
        Severity::Warning => Finding::warning(subject, shown.to_string(), fix),
    }
}

fn is_of_password(problem: &Problem) -> bool {
    matches!(problem.key.as_deref(), Some("password" | "password_file"))
}

fn check(loaded: &Loaded) -> String {
    format!("pm check --config {}", quoted(&loaded.file))
}

/// Whether the file is there and this account may not read it, which says nothing about pm's own.
fn hides(file: &Path) -> bool {
    std::fs::File::open(file).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn unreadable(file: &Path) -> Finding {
    let saw = format!(
        "{} may not be read by this account: what it says is not looked at, and neither is what depends on it",
        file.display()
    );
    Finding::warning("configuration", saw, Fix::as_root())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn problem(severity: Severity, key: &str, hint: Option<&str>) -> Problem {
        Problem {
            severity,
            file: "config.ini".into(),
            line: Some(3),
            section: "database".to_owned(),
            key: Some(key.to_owned()),
            message: "is wrong".to_owned(),
            hint: hint.map(str::to_owned),
        }
    }

    fn loaded(problems: Vec<Problem>) -> Loaded {
        Loaded { file: "/nowhere/config.ini".into(), config: None, problems }
    }

    #[test]
    fn errors_are_problems_and_a_command_in_a_hint_can_be_pasted() {
        let found = configuration(&loaded(vec![
            problem(Severity::Error, "host", Some("write it")),
            problem(Severity::Warning, "password", Some("run: chmod 600 config.ini")),
        ]));
        assert_eq!(
            (found[0].verdict, found[0].subject, found[0].saw.as_str()),
            (Verdict::Problem, "configuration", "config.ini:3: [database] host: is wrong")
        );
        assert_eq!(found[0].fix, Some(Fix::Do("write it".to_owned())));
        assert_eq!((found[1].subject, found[1].verdict), ("password", Verdict::Warning));
        assert_eq!(found[1].fix, Some(Fix::Run("chmod 600 config.ini".to_owned())));
    }

    #[test]
    fn a_flood_is_counted_and_no_problem_is_good_news() {
        let many = (0..25).map(|_| problem(Severity::Error, "host", None)).collect();
        let found = configuration(&loaded(many));
        assert_eq!(found.len(), MOST + 1);
        assert!(found[MOST].saw.starts_with("15 more problems"), "{}", found[MOST].saw);
        let found = configuration(&loaded(Vec::new()));
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Ok));
        assert_eq!(missing("no configuration file").verdict, Verdict::Problem);
    }
}
