//! The plugin loader with real libraries: those of the project, and one that misbehaves on request.
//!
//! The libraries are the ones that lie beside the test program; every test works on copies in a folder of its own,
//! because a library that was loaded once stays in the process under its file.

mod by_hand;
mod c_door;
mod calls;
mod compatibility;
mod example;
mod in_process;
mod reference;
mod refusals;
mod trust;
mod verbs;
mod workers;

use pm_host::plugins::{Isolation, Registry, Rule, Rules};
use pm_host::ports::Strategies as _;
use pm_host::spec::PartRef;
use pm_plugin_api::{Error, ErrorKind, Outcome, Target};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Offers only the strategy "auto".
const AUTO: &str = "libpm_plugin_auto.so";
/// Offers the strategies "panics", "hangs", "counts", "logs" and the check "looks".
const MISBEHAVE: &str = "libpm_test_plugin_misbehave.so";

/// Offers a strategy and a check, "wreck-00".
const WRECK: &str = "libpm_test_plugin_wreck_00.so";

/// A plugin directory for one test.
struct Plugins {
    folder: TempDir,
}

impl Plugins {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn with(libraries: &[&str]) -> Self {
        let plugins = Self::empty();
        for library in libraries {
            plugins.put(library, &built(library));
        }
        plugins
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Puts a file there as an installer does: beside it first, then by rename.
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let (copy, file) = (self.file(".copy"), self.file(name));
        std::fs::write(&copy, bytes).unwrap();
        std::fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
        std::fs::rename(&copy, &file).unwrap();
        file
    }

    /// In this process.
    fn scan(&self) -> Registry {
        self.scan_as(Isolation::InProcess)
    }

    fn scan_as(&self, isolation: Isolation) -> Registry {
        self.scan_with(Rule { isolation, ..Rule::default() })
    }

    fn scan_with(&self, general: Rule) -> Registry {
        Registry::scan(self.path(), rules(general))
    }

    /// As the rules say; those who say nothing run in workers.
    fn scan_by(&self, rules: Rules) -> Registry {
        Registry::scan(self.path(), Rules { program: build_directory().join("pm"), ..rules })
    }
}

/// Workers are the program that was built, not this one.
fn rules(general: Rule) -> Rules {
    Rules { program: build_directory().join("pm"), general, ..Rules::default() }
}

/// Where the build puts libraries and programs: `target/debug` for a test program `target/debug/deps/all-…`.
fn build_directory() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    exe.parent().and_then(Path::parent).unwrap().to_owned()
}

/// The bytes of a library of this workspace.
fn built(library: &str) -> Vec<u8> {
    let file = build_directory().join(library);
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo build --workspace` first", file.display()))
}

fn part(name: &str, settings: &[(&str, &str)]) -> PartRef {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    PartRef { name: name.to_owned(), settings }
}

fn restart(registry: &Registry, name: &str, settings: &[(&str, &str)]) -> Result<Outcome, Error> {
    registry.restart(&part(name, settings), &Target::named("web"))
}

/// The text of the only refusal, without the path of the folder.
fn refusal(plugins: &Plugins, registry: &Registry) -> String {
    let refused = registry.refused();
    assert_eq!(refused.len(), 1, "{refused:?}");
    short(plugins, &refused[0].to_string())
}

fn short(plugins: &Plugins, text: &str) -> String {
    text.replace(&format!("{}/", plugins.path().display()), "")
}

fn kind_and_text<T: std::fmt::Debug>(result: Result<T, pm_plugin_api::Error>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.message)
}

/// Waits until something is so.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is() {
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "waited for: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn lines_fit(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "longer than 80 columns: {line}");
    }
}
