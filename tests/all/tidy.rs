//! The house rules as tests: who may import whom, how files open, how long they are, what may not be written.
//!
//! The import table is the one of `ARCHITECTURE.md`; a module without a row fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module of the host may import from the host. `cli` may import everything.
const IMPORTS: [(&str, &[&str]); 23] = [
    ("discreet", &[]),
    ("spec", &["policy"]),
    ("ports", &["policy", "spec"]),
    ("write_ahead", &[]),
    ("wording", &["policy", "ports", "spec"]),
    ("failpoint", &[]),
    ("respond", &["policy", "ports", "spec", "wording", "respond", "failpoint"]),
    ("daemon", &["policy", "ports", "spec", "wording", "respond", "daemon", "failpoint"]),
    ("calendar", &["policy", "ports", "calendar"]),
    ("config", &["policy", "spec", "calendar", "discreet", "config"]),
    ("store", &["policy", "ports", "discreet", "store", "clock", "write_ahead"]),
    ("journal", &["policy", "ports", "journal", "failpoint", "write_ahead"]),
    ("notify", &["policy", "ports", "spec", "discreet", "notify"]),
    ("plugins", &["policy", "ports", "spec", "clock", "plugins"]),
    ("exec", &["policy", "ports"]),
    ("evidence", &["policy", "ports"]),
    ("clock", &["policy", "ports"]),
    ("chronicle", &["policy", "ports"]),
    ("telemetry", &["policy", "ports", "telemetry"]),
    ("presence", &["policy", "ports", "presence"]),
    ("intercom", &[]),
    ("console", &["policy", "ports", "console"]),
    ("main", &[]),
];

/// Lines that a file may have: the limit is where reading stops being one sitting.
const MOST_LINES: usize = 400;
/// The same for tests, which are lists.
const MOST_TEST_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with("target") && !name.starts_with('.') {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&root(), ".rs", &mut found);
    assert!(found.len() > 80, "the scan must find the project, found {} files", found.len());
    let relative = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (relative(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn is_test(file: &str) -> bool {
    file.starts_with("tests/") || file.contains("/tests") || file.ends_with("testing.rs")
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table: BTreeMap<_, _> = IMPORTS.into_iter().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(inside) = file.strip_prefix("host/src/") else { continue };
        let module = inside.split(['/', '.']).next().unwrap();
        if matches!(module, "cli" | "lib") || is_test(&file) {
            continue;
        }
        let Some(allowed) = table.get(module) else {
            wrong.push(format!("{file}: the module {module} has no row in the table"));
            continue;
        };
        for (number, line) in (1..).zip(text.lines().take_while(|line| !line.contains("#[cfg(test)]"))) {
            for (at, _) in line.match_indices("crate::") {
                let before = line[..at].chars().next_back();
                let name: String =
                    line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let foreign = before.is_some_and(|c| c == '$' || c.is_alphanumeric() || c == '_');
                let comment = line.trim_start().starts_with("//");
                if !foreign && !comment && name != module && !allowed.contains(&name.as_str()) {
                    wrong.push(format!("{file}:{number}: {module} must not import {name}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_policy_is_pure() {
    let banned =
        ["std::fs", "std::net", "std::process", "std::thread", "std::env", "Instant", "SystemTime", "serde"];
    for (file, text) in sources() {
        if file.starts_with("policy/src/") {
            for word in banned {
                assert!(
                    !text.contains(word),
                    "{file} uses {word}: the policy never does I/O nor asks the time"
                );
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_can_be_read_in_one_sitting() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if !text.starts_with("//!") {
            wrong.push(format!("{file}: does not open with what it is for"));
        }
        let (lines, most) = (text.lines().count(), if is_test(&file) { MOST_TEST_LINES } else { MOST_LINES });
        if lines > most {
            wrong.push(format!("{file}: {lines} lines, at most {most}"));
        }
        for word in ["FIX".to_owned() + "ME", "TO".to_owned() + "DO", "#[ign".to_owned() + "ore"] {
            if text.contains(&word) {
                wrong.push(format!("{file}: contains {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stands_only_where_it_is_argued() {
    let loader = ["host/src/plugins/load.rs", "host/src/plugins/load/c.rs"];
    for (file, text) in sources() {
        let allowed =
            file.starts_with("plugin-api/src/") || loader.contains(&file.as_str()) || is_test(&file);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = code.filter(|line| line.contains("unsafe {") || line.contains("unsafe fn")).count();
        assert!(allowed || found == 0, "{file} contains unsafe code");
    }
}

#[test]
fn drivers_are_named_in_their_own_files_only() {
    let places = [
        ("mysql::", "host/src/store/mysql"),
        ("tokio_postgres", "host/src/store/postgres"),
        ("rusqlite::", "host/src/store/sqlite"),
        ("libloading::", "host/src/plugins/load"),
    ];
    for (file, text) in sources() {
        for (driver, place) in places {
            let its_own = file.starts_with(place)
                || (driver == "rusqlite::"
                    && (file.starts_with("host/src/journal")
                        || file == "host/src/write_ahead.rs"
                        || file.contains("store/")));
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let uses = code.filter(|line| line.contains(&format!("use {driver}"))).count();
            assert!(its_own || is_test(&file) || uses == 0, "{file} names the driver {driver}");
        }
    }
}

#[test]
fn every_test_file_is_listed() {
    let main = std::fs::read_to_string(root().join("tests/all/main.rs")).unwrap();
    let mut found = Vec::new();
    files(&root().join("tests/all"), ".rs", &mut found);
    for path in found {
        let inside = path.strip_prefix(root().join("tests/all")).unwrap();
        let name = inside.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        if name != "main" {
            assert!(main.contains(&format!("mod {name};")), "tests/all/main.rs does not list {name}");
        }
        // A file in a folder is listed by the file that is called like the folder.
        let (folder, own) = (path.parent().unwrap(), path.file_stem().unwrap().to_string_lossy());
        if let Ok(above) = std::fs::read_to_string(folder.with_extension("rs")) {
            let is_listed = above.lines().any(|line| line.ends_with(&format!("mod {own};")));
            assert!(is_listed, "{}.rs does not list {own}", folder.display());
        }
    }
}

/// A point is code only where the feature and debug assertions are on: in what `cargo build --workspace` makes for tests.
#[test]
fn a_release_has_no_failpoints() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let point = read("host/src/failpoint.rs");
    let condition = "all(feature = \"failpoints\", debug_assertions)";
    assert_eq!(point.matches(&format!("#[cfg({condition})]")).count(), 1);
    assert_eq!(point.matches(&format!("#[cfg(not({condition}))]")).count(), 1);
    assert!(!read("Cargo.toml").contains("debug-assertions"), "releases have none by default");
    let mut manifests = Vec::new();
    files(&root(), "Cargo.toml", &mut manifests);
    for path in manifests {
        let text = std::fs::read_to_string(&path).unwrap();
        let switched_on =
            text.lines().any(|line| line.contains("\"failpoints\"") || line.starts_with("default = "));
        assert_eq!(switched_on, path.ends_with("tests/Cargo.toml"), "{}", path.display());
    }
    for (file, text) in
        sources().into_iter().filter(|(file, _)| file.starts_with("host/") || file.starts_with("plugin"))
    {
        assert!(
            file == "host/src/failpoint.rs" || !text.contains("PM_FAILPOINT"),
            "{file} reads PM_FAILPOINT"
        );
    }
}

/// Whether a function of that name is a test: marked as one, or in a list that makes tests of it, for each engine or for
/// both places where a plugin runs.
fn is_a_test(name: &str, sources: &[(String, String)]) -> bool {
    sources.iter().any(|(_, text)| {
        let marked = text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
            let before: Vec<_> = text[..at].lines().rev().take(4).collect();
            before.iter().any(|line| line.trim() == "#[test]")
        });
        let listed = text.contains("on_each_engine! {") || text.contains("in_both! {");
        marked || (listed && text.lines().any(|line| line.trim().trim_end_matches(',') == name))
    })
}

#[test]
fn every_row_on_robustness_names_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/robustness.md")).unwrap();
    let sources = sources();
    let mut wrong = Vec::new();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Fault"));
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let tests: Vec<&str> = cells.last().unwrap().split('`').skip(1).step_by(2).collect();
        if cells.len() != 3 || tests.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        let missing = tests.into_iter().filter(|name| !is_a_test(name, &sources));
        wrong.extend(missing.map(|name| format!("no test is called {name}")));
    }
    let numbers = (1..=15).map(|n| format!("| D{n} ")).chain((1..=21).map(|n| format!("| P{n} ")));
    let untold = numbers.filter(|number| !page.contains(number));
    wrong.extend(untold.map(|number| format!("no row {number}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
