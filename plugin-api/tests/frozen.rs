//! The binary surface does not change. What is compiled now is compared with what was kept in `frozen/` when it was frozen: the
//! source without its comments, and the types as abi_stable compares them when it loads a library.
//!
//! The other half of the proof is in pm's own tests: a library and a host that were built with the first 1.0.0.

// What a test calls is a test.
#![allow(clippy::unwrap_used)]

use abi_stable::StableAbi as _;
use abi_stable::type_layout::TypeLayout;
use pm_plugin_api::abi::{HostRef, RootRef};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to do, for whoever has changed something here.
const ADVICE: &str = "\
is not what was frozen. Libraries that others have built were compiled against it, and every pm has to go on loading them.
If you wanted pm and plugins to say more to each other: put it into the JSON, as an optional field or a new operation, and
raise API_MINOR. If that cannot be: make another surface beside this one, with files and symbols of its own
(pm_plugin_root_v2, pm_plugin_c_v2), let the loader try it first, and leave this one alone.
If no library can notice the change (a name of a parameter, a macro that was added, another patch of abi_stable), keep the
new text with PM_BLESS=1 cargo nextest run -p pm-plugin-api -E 'binary(frozen)' and run pm's tests of compatibility.";

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Compares `now` with the kept text of that name.
fn is_as_kept(name: &str, what: &str, now: &str) {
    let file = here("frozen").join(name);
    if std::env::var_os("PM_BLESS").is_some() {
        std::fs::write(&file, now).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    let changed = now.lines().zip(kept.lines()).find(|(now, kept)| now != kept);
    let changed = changed.map_or_else(
        || format!("it has {} lines, and {} were kept", now.lines().count(), kept.lines().count()),
        |(now, kept)| format!("now:  {now}\nkept: {kept}"),
    );
    assert!(now == kept, "{what} {ADVICE}\n\n{}, the first difference:\n{changed}", file.display());
}

/// The lines of a source of Rust or C without comments, attributes about comments, and differences of layout.
fn bare(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("/*") {
        code.push_str(&rest[..at]);
        rest = rest[at..].split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

fn source(file: &str) -> String {
    std::fs::read_to_string(here(file)).unwrap()
}

#[test]
fn the_door_of_rust_is_as_it_was_frozen() {
    is_as_kept("abi.txt", "src/abi.rs", &bare(&source("src/abi.rs")));
}

#[test]
fn the_door_of_c_is_as_it_was_frozen() {
    is_as_kept("c.txt", "src/c.rs", &bare(&source("src/c.rs")));
    let header = source("include/pm_plugin.h");
    // The macros for settings are text that is put together at compile time: they may grow, as the records do.
    let (tables, _) = header.split_once("/* Optional: the settings").unwrap();
    // So does the level, with the operations.
    let lines = bare(tables);
    let header: String =
        lines.lines().filter(|line| !line.contains("PM_API_LEVEL")).map(|line| format!("{line}\n")).collect();
    is_as_kept("pm_plugin_h.txt", "include/pm_plugin.h", &header);
}

#[test]
fn the_manifest_is_as_it_was_frozen() {
    let text = source("src/manifest.rs");
    let from = text.find("const MAGIC").unwrap();
    let until = text[from..].find("/// A part that a library offers.").unwrap();
    let symbols =
        text.lines().filter(|line| line.contains("_SECTION: &str") || line.contains("INTERFACE: u16"));
    let symbols: String = symbols.map(|line| format!("{line}\n")).collect();
    is_as_kept("manifest.txt", "src/manifest.rs", &bare(&(symbols + &text[from..from + until])));
}

/// Everything that the two tables lead to: our own types as abi_stable describes them, of the others the measures.
#[cfg(target_pointer_width = "64")]
#[test]
fn the_types_of_the_boundary_are_as_they_were_frozen() {
    let mut ours = BTreeMap::new();
    let mut others = BTreeMap::new();
    let mut known = std::collections::BTreeSet::new();
    let mut left: Vec<&'static TypeLayout> = vec![RootRef::LAYOUT, HostRef::LAYOUT];
    while let Some(layout) = left.pop() {
        // Types of one name with other arguments have layouts of their own.
        if !known.insert(std::ptr::from_ref(layout) as usize) {
            continue;
        }
        left.extend(layout.shared_vars().type_layouts().iter().map(|of| of()));
        let (package, _) = layout.item_info().package_and_version();
        let name = layout.full_type().to_string();
        if package == "pm-plugin-api" {
            ours.insert(name, described(layout));
        } else {
            others.insert(
                format!("{package}: {name}, {} bytes, align {}\n", layout.size(), layout.alignment()),
                (),
            );
        }
    }
    assert!(ours.contains_key("Root") && ours.contains_key("Host"), "{:?}", ours.keys());
    let text: String = ours.into_values().chain(others.into_keys()).collect();
    is_as_kept("layout.txt", "the layout of the types of src/abi.rs", &text);
}

/// Without what differs from build to build: lines of the source, and the last parts of versions.
#[cfg(target_pointer_width = "64")]
fn described(layout: &TypeLayout) -> String {
    let patch_apart = |line: &str| match line.split_once(" version:'") {
        None => line.to_owned(),
        Some((package, rest)) => {
            let (version, after) = rest.split_once('\'').unwrap_or((rest, ""));
            let mut numbers = version.split('.');
            let major = numbers.next().unwrap_or_default();
            // Of 0.x the second number is what counts.
            let version = if major == "0" {
                format!("0.{}", numbers.next().unwrap_or_default())
            } else {
                major.to_owned()
            };
            format!("{package} version {version} {after}")
        }
    };
    let text = layout.to_string();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("line:"));
    lines.map(|line| patch_apart(line.trim_end()).trim_end().to_owned() + "\n").collect()
}
