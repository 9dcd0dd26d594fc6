//! Builds libraries in C, as an author of a plugin does: with the system's compiler and the header of the interface.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of this project.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the project").to_owned()
}

/// The C plugin that the interface comes with.
pub fn initd() -> PathBuf {
    project().join("plugin-api/examples/c/initd.c")
}

/// Compiles `source` to the library `to`; every warning is an error.
///
/// # Panics
/// When there is no C compiler, or it refuses the source.
pub fn library(source: &Path, to: &Path) {
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-fPIC", "-shared", "-I"])
        .arg(project().join("plugin-api/include"))
        .arg("-o")
        .args([to, source])
        .output()
        .unwrap_or_else(|error| panic!("cc: {error}; building and testing pm needs a C compiler"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cc {}:\n{said}", source.display());
}
