//! The check through the same settings parser and the same JSON as in pm.

use super::*;
use pm_plugin_api::testing::check;

#[test]
fn a_fresh_file_is_healthy_and_none_is_not() {
    let dir = std::env::temp_dir();
    let name = format!("{{name}}-test-{}", std::process::id());
    let part = check::<{{type}}>(&[("{{key}}_dir", &dir.display().to_string())]).unwrap();
    std::fs::write(dir.join(&name), "").unwrap();
    let fresh = part.check(&Target::named(&name));
    std::fs::remove_file(dir.join(&name)).unwrap();
    assert!(matches!(fresh.unwrap(), Health::Healthy { .. }));
    assert!(matches!(part.check(&Target::named(&name)).unwrap(), Health::Unhealthy { .. }));
}

#[test]
fn a_name_does_not_lead_out_of_the_directory() {
    let part = check::<{{type}}>(&[]).unwrap();
    assert_eq!(part.check(&Target::named("../etc/passwd")).unwrap_err().kind, ErrorKind::Config);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    assert!(check::<{{type}}>(&[("{{key}}_age", "0")]).is_err());
}
