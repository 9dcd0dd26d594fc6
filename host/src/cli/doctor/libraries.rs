//! The plugin directory, and whether each library of it can be loaded.
//!
//! Loading runs code of the library, as the daemon would; what is refused before that is not loaded.

use super::finding::{Finding, Fix};
use crate::plugins::{Entry, Registry, State};
use std::time::Duration;

/// How long one library may take to load.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at the directory, then loads what is in it.
pub(super) fn examine(registry: &Registry) -> Vec<Finding> {
    let mut findings = vec![directory(registry)];
    let late = registry.load_all(PATIENCE);
    findings.extend(late.into_iter().map(|why| {
        Finding::problem(
            "library",
            why,
            Fix::Do("replace it, or remove it from the plugin directory".to_owned()),
        )
    }));
    let entries = registry.entries();
    findings.extend(entries.iter().filter_map(library));
    let loaded: Vec<_> = entries
        .iter()
        .filter(|entry| entry.state == State::Loaded)
        .filter_map(|entry| entry.manifest.as_ref())
        .map(|manifest| manifest.name.as_str())
        .collect();
    if !loaded.is_empty() {
        let saw = format!("{} loaded without trouble: {}", loaded.len(), loaded.join(", "));
        findings.push(Finding::ok("library", saw));
    }
    findings
}

/// Owner and mode of the directory and of all above it, which the scan has judged.
fn directory(registry: &Registry) -> Finding {
    if let Some(refusal) = registry.refusal() {
        let text = refusal.to_string();
        let (saw, fix) = split(&text);
        return Finding::problem("plugins", saw, fix);
    }
    let at = registry.directory().display();
    match registry.entries().len() {
        0 => Finding::problem(
            "plugins",
            format!("there are no plugins in {at}: nothing can be restarted"),
            Fix::Do("install them there, or name the directory with [plugins] dir".to_owned()),
        ),
        count => Finding::ok("plugins", format!("{at}: {count} libraries, nobody else can change them")),
    }
}

/// A library that is refused, before or while it was loaded.
fn library(entry: &Entry) -> Option<Finding> {
    let State::Refused(reason) = &entry.state else { return None };
    let text = format!("{} {reason}", entry.file.display());
    let (saw, fix) = split(&text);
    Some(Finding::problem("library", saw, fix))
}

/// What is wrong, and what to do, of a sentence that has both: `…; run: chmod go-w FILE`.
fn split(text: &str) -> (String, Fix) {
    match text.rsplit_once("; ") {
        Some((saw, fix)) => {
            let run = fix.strip_prefix("run: ").map(|line| Fix::Run(line.to_owned()));
            (saw.to_owned(), run.unwrap_or_else(|| Fix::Do(fix.to_owned())))
        }
        None => (text.to_owned(), Fix::Run("pm plugins list".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::plugins::Rules;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_without_plugins_or_one_that_others_write_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let found = examine(&Registry::scan(dir.path(), Rules::default()));
        assert_eq!((found.len(), found[0].verdict, found[0].subject), (1, Verdict::Problem, "plugins"));
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let found = examine(&Registry::scan(dir.path(), Rules::default()));
        assert_eq!(found[0].fix, Some(Fix::Run(format!("chmod go-w {}", dir.path().display()))));
        assert!(found[0].saw.contains("(mode 0777)"), "{found:?}");
    }

    #[test]
    fn what_is_no_library_is_named_with_its_remedy() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.so"), "no library").unwrap();
        let found = examine(&Registry::scan(dir.path(), Rules::default()));
        assert_eq!((found[0].verdict, found[1].verdict), (Verdict::Ok, Verdict::Problem));
        assert!(found[1].saw.ends_with("x.so is not a shared library (no ELF header)"), "{found:?}");
        assert_eq!(found[1].fix, Some(Fix::Do("remove it or copy it again".to_owned())));
    }
}
