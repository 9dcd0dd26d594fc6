//! `include/pm_plugin.h` and `src/c.rs` say the same: the header is compiled, and every size and offset is compared. Both
//! are compared with the manifest as the loader reads it.

// What a test calls is a test.
#![allow(clippy::unwrap_used)]

use pm_plugin_api::c::{Bytes, C_SYMBOL, Host, Table, Text};
use pm_plugin_api::manifest::{API_MINOR, INTERFACE, Manifest};
use pm_plugin_api::settings::Key;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

/// Compiles a program against the header, runs it, answers its output.
fn said(name: &str, source: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (file, program) = (folder.path().join(format!("{name}.c")), folder.path().join(name));
    std::fs::write(&file, source).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .args([include.as_path(), &file, Path::new("-o"), &program])
        .output()
        .unwrap_or_else(|error| panic!("cc: {error}; testing this crate needs a C compiler"));
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Command::new(&program).output().unwrap().stdout
}

#[test]
fn the_header_and_the_crate_describe_the_same_tables() {
    let structs = [
        (
            "pm_text",
            size_of::<Text>(),
            vec![("at", offset_of!(Text, at)), ("length", offset_of!(Text, length))],
        ),
        (
            "pm_bytes",
            size_of::<Bytes>(),
            vec![("at", offset_of!(Bytes, at)), ("length", offset_of!(Bytes, length))],
        ),
        (
            "pm_host_v1",
            size_of::<Host>(),
            vec![
                ("size", offset_of!(Host, size)),
                ("log", offset_of!(Host, log)),
                ("max_level", offset_of!(Host, max_level)),
            ],
        ),
        (
            "pm_plugin_v1",
            size_of::<Table>(),
            vec![
                ("size", offset_of!(Table, size)),
                ("attach", offset_of!(Table, attach)),
                ("create", offset_of!(Table, create)),
                ("call", offset_of!(Table, call)),
                ("drop", offset_of!(Table, drop)),
                ("free", offset_of!(Table, free)),
            ],
        ),
    ];
    let (mut program, mut expected) = (String::new(), String::new());
    for (name, size, fields) in structs {
        program += &format!("printf(\"{name} %zu\\n\", sizeof(struct {name}));\n");
        expected += &format!("{name} {size}\n");
        for (field, offset) in fields {
            program += &format!("printf(\"{field} %zu\\n\", offsetof(struct {name}, {field}));\n");
            expected += &format!("{field} {offset}\n");
        }
    }
    program += "printf(\"%d %d\\n\", PM_INTERFACE, PM_API_LEVEL);";
    expected += &format!("{INTERFACE} {API_MINOR}\n");
    let source = format!(
        "#include \"pm_plugin.h\"\n#include <stdio.h>\n\
         const struct pm_plugin_v1 {C_SYMBOL} = {{sizeof {C_SYMBOL}, 0, 0, 0, 0, 0}};\n\
         int main(void) {{ {program} return 0; }}\n"
    );
    assert_eq!(String::from_utf8(said("tables", &source)).unwrap(), expected);
}

#[test]
fn the_manifest_and_the_settings_of_the_header_are_read_like_those_of_the_crate() {
    let source = "#include \"pm_plugin.h\"\n#include <stdio.h>\n\
         PM_PLUGIN_MANIFEST(\"pm-plugin-x\", \"1.2.3\", \"strategy:a check:b \");\n\
         PM_PLUGIN_SETTINGS(PM_PART(\"strategy:a\", PM_KEY(\"a_limit\", \"number\", \"5\", \"How \" \"many.\")\n\
         PM_KEY(\"a_unit\", \"text\", \"\", \"Which.\")\n\
         PM_KEY_MORE(\"a_share\", \"number\", \"\", \"Some.\", \"percent\", \"1..100\", PM_REQUIRED)) PM_PART(\"check:b\", \"\"));\n\
         int main(void) {\n\
         fwrite(&pm_plugin_manifest, sizeof pm_plugin_manifest, 1, stdout);\n\
         fwrite(pm_plugin_settings, sizeof pm_plugin_settings, 1, stdout);\n\
         return 0; }\n";
    let bytes = said("manifest", source);
    let (fixed, settings) = bytes.split_at(512);
    let manifest = Manifest::parse(fixed, settings).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("x", "1.2.3"));
    assert_eq!((manifest.interface, manifest.api_minor), (INTERFACE, API_MINOR));
    let key = |name: &str, kind: &str, default: Option<&str>, text: &str| Key {
        name: name.into(),
        kind: kind.into(),
        default: default.map(str::to_owned),
        text: text.into(),
        unit: None,
        allowed: None,
        required: false,
    };
    let share = Key {
        unit: Some("percent".into()),
        allowed: Some("1..100".into()),
        required: true,
        ..key("a_share", "number", None, "Some.")
    };
    let expected =
        [key("a_limit", "number", Some("5"), "How many."), key("a_unit", "text", None, "Which."), share];
    assert_eq!(manifest.offers[0].keys, expected);
    assert_eq!((manifest.offers[1].name.as_str(), manifest.offers[1].keys.len()), ("b", 0));
}
