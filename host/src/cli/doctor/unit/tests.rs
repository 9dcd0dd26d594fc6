//! Units as `systemctl show` tells of them, and what is said of each.

use super::super::finding::Verdict;
use super::*;

/// The unit of the package, enabled and running, with other values for some properties.
fn unit(other: &[(&str, &str)]) -> Unit {
    let mut properties: BTreeMap<String, String> = [
        ("LoadState", "loaded"),
        ("UnitFileState", "enabled"),
        ("ActiveState", "active"),
        ("MainPID", "7"),
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogUSec", "1min"),
        ("KillMode", "process"),
        ("NeedDaemonReload", "no"),
        ("ProtectSystem", "no"),
        ("ProtectProc", "default"),
        ("RestrictAddressFamilies", ""),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    properties.extend(other.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    Unit { name: UNIT.to_owned(), manager: Manager::System, properties }
}

#[test]
fn each_state_of_the_unit_has_its_verdict_and_its_command() {
    let judged = |other: &[(&str, &str)]| {
        let found = judge(&unit(other));
        let command = match found.fix {
            Some(Fix::Run(line)) => line,
            _ => String::new(),
        };
        (found.verdict, command)
    };
    assert_eq!(judged(&[]), (Verdict::Ok, String::new()));
    let command = |text: &str| text.to_owned();
    let disabled = judged(&[("UnitFileState", "disabled")]);
    assert_eq!(disabled, (Verdict::Warning, command("systemctl enable pm.service")));
    assert_eq!(
        judged(&[("LoadState", "masked")]),
        (Verdict::Problem, command("systemctl unmask pm.service"))
    );
    assert_eq!(judged(&[("LoadState", "not-found")]).0, Verdict::Warning);
    assert_eq!(judged(&[("LoadState", "bad-setting")]).0, Verdict::Problem);
    assert_eq!(judged(&[("ActiveState", "failed")]).0, Verdict::Problem);
    assert_eq!(judged(&[("NeedDaemonReload", "yes")]).1, "systemctl daemon-reload");
}

#[test]
fn a_pm_that_hangs_must_be_noticed() {
    let judged = |other: &[(&str, &str)]| watchdog(&unit(other)).verdict;
    assert_eq!(judged(&[]), Verdict::Ok);
    assert_eq!(judged(&[("Type", "notify-reload")]), Verdict::Ok);
    assert_eq!(judged(&[("Type", "simple")]), Verdict::Warning);
    assert_eq!(judged(&[("WatchdogUSec", "0")]), Verdict::Warning);
    assert_eq!(judged(&[("WatchdogUSec", "infinity")]), Verdict::Warning);
    assert_eq!(judged(&[("NotifyAccess", "none")]), Verdict::Problem);
}

#[test]
fn a_sandbox_is_judged_by_what_is_configured() {
    let programs = Starts { programs: vec!["strategy custom"], ..Starts::default() };
    let looks = Starts { looks: vec!["check process"], ..Starts::default() };
    let sockets = Starts { sockets: vec!["strategy service"], ..Starts::default() };
    let judged = |other: &[(&str, &str)], starts: &Starts| sandbox::judge(&unit(other), starts);
    for starts in [&programs, &looks, &sockets, &Starts::default()] {
        assert_eq!(judged(&[], starts).verdict, Verdict::Ok);
    }
    let strict = &[("ProtectSystem", "strict")];
    let found = judged(strict, &programs);
    assert!(found.verdict == Verdict::Warning && found.saw.ends_with("ProtectSystem=strict"), "{found:?}");
    assert_eq!(judged(strict, &sockets).verdict, Verdict::Ok);
    let blind = judged(&[("ProtectProc", "invisible")], &looks);
    assert!(
        blind.verdict == Verdict::Problem && blind.saw.starts_with("check process cannot see"),
        "{blind:?}"
    );
    for (families, verdict) in [
        ("AF_INET AF_UNIX", Verdict::Ok),
        ("AF_INET", Verdict::Problem),
        ("~AF_UNIX", Verdict::Problem),
        ("~AF_PACKET", Verdict::Ok),
    ] {
        assert_eq!(judged(&[("RestrictAddressFamilies", families)], &sockets).verdict, verdict, "{families}");
    }
    let group = &[("KillMode", "control-group")];
    assert_eq!(judged(group, &programs).verdict, Verdict::Warning);
    assert_eq!(judged(group, &sockets).verdict, Verdict::Ok);
}

#[test]
fn the_unit_of_a_daemon_is_found_by_its_control_group() {
    let system = of_cgroup("0::/system.slice/pm.service\n");
    assert_eq!(system, Some(("pm.service".to_owned(), Manager::System)));
    let user = of_cgroup("0::/user.slice/user-5.slice/user@5.service/app.slice/pm.service\n");
    assert_eq!(user, Some(("pm.service".to_owned(), Manager::User)));
    let first = of_cgroup("12:pids:/x\n1:name=systemd:/system.slice/other.service\n");
    assert_eq!(first, Some(("other.service".to_owned(), Manager::System)));
    assert_eq!(of_cgroup("0::/user.slice/user-5.slice/session-2.scope\n"), None);
    assert_eq!(by_hand(&unit(&[]), Some(7)), None);
    assert_eq!(by_hand(&unit(&[]), Some(8)).unwrap().verdict, Verdict::Warning);
}
