//! The strategy through the same settings parser and the same JSON as in pm.

use super::*;
use pm_plugin_api::testing::{logged, strategy};

#[test]
fn restarts_by_the_name_that_the_system_knows() {
    let part = strategy::<{{type}}>(&[("{{key}}_program", "/bin/echo")]).unwrap();
    let (outcome, log) = logged(|| part.restart(&Target::named("web")));
    assert_eq!(outcome.unwrap(), Outcome::restarted("the program says so"));
    assert_eq!(log.len(), 1, "{log:?}");
}

#[test]
fn a_program_that_fails_is_an_error() {
    let part = strategy::<{{type}}>(&[("{{key}}_program", "/bin/false")]).unwrap();
    assert!(part.restart(&Target::named("web")).is_err());
}

#[test]
fn a_misspelt_key_is_refused() {
    assert!(strategy::<{{type}}>(&[("{{key}}_porgram", "/bin/echo")]).is_err());
}
