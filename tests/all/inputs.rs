//! Inputs that were worth keeping, run through what the fuzzers check (`make fuzz`): each was found by one, or is where
//! one begins.

use std::path::Path;

#[path = "../../fuzz/src/checks.rs"]
mod checks;

/// Runs every file of a folder through a check; the file that breaks it is named.
fn survived(folder: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(paths.len() > 1, "{} holds nothing", folder.display());
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let done = std::panic::catch_unwind(|| check(&bytes));
        assert!(done.is_ok(), "{} breaks a rule", path.display());
    }
}

#[test]
fn inputs_that_once_mattered_are_survived() {
    survived("../fuzz/inputs/configuration", checks::configuration);
    survived("fixtures/config/valid", checks::configuration);
    survived("fixtures/config/invalid", checks::configuration);
    survived("../fuzz/inputs/manifest", checks::manifest);
    survived("../fuzz/inputs/names", checks::names);
    survived("../fuzz/inputs/frames", checks::frames);
}
