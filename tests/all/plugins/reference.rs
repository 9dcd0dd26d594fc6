//! The page of the book that is written from the libraries, and what holds for every setting of theirs.

use super::{Plugins, build_directory, built};
use pm_plugin_api::settings::judge;
use std::path::Path;

/// All libraries that come with pm.
fn ours() -> Plugins {
    let plugins = Plugins::empty();
    let entries = std::fs::read_dir(build_directory()).unwrap();
    let names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("libpm_plugin_") && name.ends_with(".so"))
        .collect();
    for name in &names {
        plugins.put(name, &built(name));
    }
    assert!(names.len() >= 7, "only {names:?}; run `cargo build --workspace` first");
    plugins
}

#[test]
fn the_reference_in_the_book_is_what_the_libraries_say() {
    let plugins = ours();
    let arguments = ["pm", "plugins", "reference", "--plugins-dir", plugins.path().to_str().unwrap()];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pm_host::cli::main(arguments.map(Into::into), &mut out, &mut err);
    assert_eq!((code, String::from_utf8_lossy(&err).as_ref()), (0, ""));
    let actual = String::from_utf8(out).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugin-reference.md");
    if std::env::var_os("PM_BLESS").is_some() {
        std::fs::write(&page, &actual).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    let (written, actual): (Vec<_>, Vec<_>) = (written.lines().collect(), actual.lines().collect());
    let differs = (0..written.len().max(actual.len())).find(|at| written.get(*at) != actual.get(*at));
    if let Some(at) = differs {
        panic!(
            "docs/plugin-reference.md is not what the libraries say; write it anew with: make reference\n\
             line {}\nthe page:      {:?}\nthe libraries: {:?}",
            at + 1,
            written.get(at),
            actual.get(at)
        );
    }
}

#[test]
fn every_default_of_our_libraries_is_a_value_that_is_allowed() {
    let registry = ours().scan();
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    let offers = registry.offers();
    let keys = offers.iter().flat_map(|offer| offer.keys.iter().map(move |key| (&offer.name, key)));
    for (part, key) in keys {
        assert!(!key.text.is_empty(), "{part} {} has no text", key.name);
        assert!(!(key.required && key.default.is_some()), "{part} {}", key.name);
        if let Some(default) = &key.default {
            assert_eq!(judge(key, default), Ok(()), "{part} {}", key.name);
        }
    }
    let of = |part: &str, key: &str| {
        let offer = offers.iter().find(|offer| offer.name == part).unwrap();
        offer.keys.iter().find(|own| own.name == key).unwrap().clone()
    };
    assert!(of("tcp", "tcp_port").required && of("http", "url").required);
    assert!(!of("docker", "container").required);
    assert_eq!(of("docker", "label_limit").unit.as_deref(), Some("containers"));
    assert_eq!(of("process", "stop_timeout").unit.as_deref(), Some("seconds"));
}
