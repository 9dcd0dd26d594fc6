//! What `pm plugins new` makes: built and tested as its author would, against the crate as packages install it, then
//! verified, called and loaded by the built program.

use super::{cargo, root, target, try_cargo};
use crate::plugins::Plugins;
use pm_tests::sandbox::{Answer, answer, built};
use std::path::{Path, PathBuf};
use std::process::Command;

fn pm(words: &[&str]) -> Answer {
    let mut pm = Command::new(built().join("pm"));
    pm.args(words).env_remove("PM_CONFIG");
    answer(&mut pm)
}

fn ok(words: &[&str]) -> String {
    let said = pm(words);
    assert_eq!(said.code, 0, "pm {words:?}: {said:?}");
    said.out
}

/// pm-plugin-api as `packaging/plugin-api.sh` lays it down for /usr/share/pm; always in the same place, so that it is
/// built once.
fn installed_api() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("share/pm/plugin-api");
    let script = root().join("packaging/plugin-api.sh");
    let done = answer(Command::new(script).arg(&folder));
    assert_eq!(done.code, 0, "{done:?}");
    assert!(folder.join("include/pm_plugin.h").exists() && folder.join("examples/c/initd.c").exists());
    folder
}

#[test]
fn a_new_plugin_of_each_kind_builds_passes_its_test_is_verified_and_loads() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("made");
    let _ = std::fs::remove_dir_all(&folder);
    let (folder, api) = (folder.to_str().unwrap(), installed_api());
    let api = api.to_str().unwrap();
    let plugins = Plugins::empty();
    let kinds = [
        ("strategy", "my-strategy", "restart", "my_strategy_program=/bin/echo", "{\"result\":\"done\""),
        ("check", "self", "check", "self_dir=/nonexistent", "{\"health\":\"unhealthy\""),
        ("notifier", "error", "notify", "error_file=/dev/null", "null"),
    ];
    for (kind, name, op, setting, expected) in kinds {
        let said = ok(&["plugins", "new", name, "--kind", kind, "--dir", folder, "--api", api]);
        assert!(
            said.starts_with(&format!(
                "Made the {kind} \"{name}\" in {folder}/{name}, with pm-plugin-api of "
            ))
        );
        let made = Path::new(folder).join(name);
        // What cargo would write after asking the registry.
        std::fs::copy(root().join("Cargo.lock"), made.join("Cargo.lock")).unwrap();
        cargo(&made, &["test"]);
        cargo(&made, &["build"]);
        let library = format!("libpm_plugin_{}.so", name.replace('-', "_"));
        let file = plugins.put(&library, &std::fs::read(target().join("debug").join(&library)).unwrap());
        let file = file.to_str().unwrap();
        let report = ok(&["plugins", "verify", file]);
        assert!(report.ends_with(", 0 failed: a good plugin\n"), "{report}");
        let called = ok(&["plugins", "call", file, &format!("{kind}:{name}"), op, "web", setting]);
        assert!(called.contains(&format!("answer  {expected}")), "{called}");
        let info = ok(&["plugins", "info", name, "--plugins-dir", plugins.path().to_str().unwrap()]);
        assert!(
            info.contains(&format!("plugin \"{name}\" 0.1.0")) && info.contains("state      ready"),
            "{info}"
        );
        // A panic must stay an error, so the one profile in which it cannot is refused.
        let refused = try_cargo(&made, &["rustc", "--lib", "--", "-C", "panic=abort"]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && said.contains("cannot be built with panic = \"abort\""),
            "{said}"
        );
    }
}

#[test]
fn nothing_is_written_over_and_nothing_is_made_that_could_not_be_built() {
    let plugins = Plugins::empty();
    let dir = plugins.path().to_str().unwrap();
    let new = |name: &str, rest: &[&str]| {
        let said = pm(&[&["plugins", "new", name, "--dir", dir], rest].concat());
        (said.code, said.err)
    };
    std::fs::create_dir(plugins.file("there")).unwrap();
    std::fs::write(plugins.file("there/Cargo.toml"), "mine").unwrap();
    let (code, said) = new("there", &[]);
    assert_eq!(
        (
            code,
            said.ends_with("is there already, and nothing is written over; choose another NAME or --dir\n")
        ),
        (1, true)
    );
    assert_eq!(std::fs::read_to_string(plugins.file("there/Cargo.toml")).unwrap(), "mine");
    for name in ["My", "a/b", "..", "1", "a_b", &"x".repeat(39)] {
        let (code, said) = new(name, &[]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("cannot be the name of a plugin: "), "{said}");
    }
    let (code, said) = new("docker", &[]);
    assert_eq!(code, 2);
    assert!(
        said.contains("there is a strategy \"docker\" already, in ")
            && said.ends_with("; choose another name\n"),
        "{said}"
    );
    let (code, said) = new("fine", &["--api", dir]);
    assert_eq!((code, said.contains("is not the crate pm-plugin-api")), (2, true), "{said}");
    assert_eq!(std::fs::read_dir(plugins.path()).unwrap().count(), 1, "nothing was made");
}
