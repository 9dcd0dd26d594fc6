//! The notifier through the same settings parser and the same JSON as in pm.

use super::*;
use pm_plugin_api::testing::notifier;

#[test]
fn a_notice_becomes_a_line() {
    let file = std::env::temp_dir().join(format!("{{name}}-test-{}", std::process::id()));
    let part = notifier::<{{type}}>(&[("{{key}}_file", &file.display().to_string())]).unwrap();
    part.notify(&Notice::of("test", "it works")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(text.ends_with(": it works\n"), "{text}");
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_that_names_it() {
    let part = notifier::<{{type}}>(&[("{{key}}_file", "/nonexistent/x")]).unwrap();
    let error = part.notify(&Notice::of("test", "it works")).unwrap_err();
    assert!(error.message.contains("/nonexistent/x"), "{error}");
}
