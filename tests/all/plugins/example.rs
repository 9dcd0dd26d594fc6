//! The third-party strategy of the book: taken out of the page, built as a crate of its own, dropped in, used.
//!
//! What the book prints is what is built, without any network: its dependencies are in this workspace's lock file.

mod made;

use super::{Plugins, restart};
use pm_plugin_api::{ErrorKind, Outcome};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The path that the book's manifest names; a reader writes the one of his checkout.
const PATH_IN_THE_BOOK: &str = "../pm/plugin-api";
/// What cargo makes of it.
const LIBRARY: &str = "librunit_for_pm.so";
/// A whole strategy fits in so many lines.
const MOST_LINES: usize = 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The fenced block of the page that follows the comment `<!-- file: NAME -->`.
fn block(page: &str, name: &str) -> String {
    let marker = format!("<!-- file: {name} -->");
    let after = page.split_once(&marker).unwrap_or_else(|| panic!("docs/plugins.md has no {marker}")).1;
    let (_, fenced) = after.split_once("```").unwrap();
    let (_, text) = fenced.split_once('\n').unwrap();
    text.split_once("```").unwrap().0.to_owned()
}

/// Where the crates of authors are built: the same place for all, so that their dependencies are built once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors")
}

fn try_cargo(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args([&["--offline", "--quiet"], words].concat())
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        // Settings of the build that runs this test must not leak into a reader's build.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap()
}

/// Runs cargo as an author does; it must succeed without a warning.
fn cargo(folder: &Path, words: &[&str]) {
    let output = try_cargo(folder, words);
    let said = String::from_utf8_lossy(&output.stderr);
    let results = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "cargo {words:?} in {}:\n{said}\n{results}", folder.display());
    assert!(!said.contains("warning"), "cargo {words:?} in {} warns:\n{said}", folder.display());
}

/// The crate of the book. Its folder is always the same, so that only the first run builds the dependencies.
struct Crate {
    folder: PathBuf,
}

impl Crate {
    fn of(page: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book-example");
        std::fs::create_dir_all(folder.join("src")).unwrap();
        for name in ["src/lib.rs", "src/tests.rs"] {
            std::fs::write(folder.join(name), block(page, name)).unwrap();
        }
        let manifest = block(page, "Cargo.toml");
        assert!(manifest.contains(PATH_IN_THE_BOOK));
        let here = root().join("plugin-api").display().to_string();
        // Our build directory lies below this workspace; a reader's does not.
        let manifest = manifest.replace(PATH_IN_THE_BOOK, &here) + "\n[workspace]\n";
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Self { folder }
    }

    fn cargo(&self, verb: &str) {
        cargo(&self.folder, &[verb]);
    }

    fn library(&self) -> Vec<u8> {
        std::fs::read(target().join("debug").join(LIBRARY)).unwrap()
    }
}

/// A stand-in for `sv` that writes down how it was called, and fails for one service.
fn sv(plugins: &Plugins) -> PathBuf {
    let file = plugins.file("sv");
    let calls = plugins.file("calls");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> {}\n[ \"$2\" != broken ] || {{ echo 'fail: no such service'; exit 1; }}\n",
        calls.display()
    );
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    file
}

#[test]
fn the_strategy_of_the_book_is_built_tested_dropped_in_and_used_by_name() {
    let page = std::fs::read_to_string(root().join("docs/plugins.md")).unwrap();
    let code = block(&page, "src/lib.rs");
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines < MOST_LINES, "the book promises fewer than {MOST_LINES} lines, there are {lines}");
    let example = Crate::of(&page);
    example.cargo("test");
    example.cargo("build");

    let plugins = Plugins::empty();
    let registry = plugins.scan();
    let error = restart(&registry, "runit", &[]).unwrap_err();
    assert_eq!(error.message, "no strategy \"runit\"; there are none");
    plugins.put(LIBRARY, &example.library());

    let sv = sv(&plugins);
    let settings = [("sv", sv.to_str().unwrap())];
    assert_eq!(restart(&registry, "runit", &settings), Ok(Outcome::restarted("sv restart")));
    assert_eq!(std::fs::read_to_string(plugins.file("calls")).unwrap(), "restart web\n");
    let error = restart(&registry, "runit", &[("sv", "relative/sv")]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.starts_with("plugin \"runit-for-pm\": settings: sv: "), "{}", error.message);
    let manifest = registry.entries().remove(0).manifest.unwrap();
    assert_eq!((manifest.version.as_str(), manifest.offers[0].keys[0].name.as_str()), ("1.0.0", "sv"));
}
