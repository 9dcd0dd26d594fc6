//! The texts and kinds that people and pm act on, one table per question.

use super::*;
use crate::names::Unit;
use crate::scope::Scope;
use crate::state::Step;
use pm_plugin_api::ErrorKind;

fn subject() -> Subject {
    Subject { unit: Unit::named("web").unwrap(), scope: Scope::System }
}

fn state(load: &str, active: &str, sub: &str) -> UnitState {
    let [load, active, sub] = [load, active, sub].map(str::to_owned);
    UnitState { id: "web.service".to_owned(), load, active, sub, job: None, invocation: None }
}

fn report(pairs: &[(&str, &str)]) -> Report {
    Report(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn the_state_decides_between_restart_start_and_waiting() {
    for (active, sub, step) in [
        ("active", "running", Step::Restart),
        ("active", "exited", Step::Restart),
        ("reloading", "reload", Step::Restart),
        ("refreshing", "refresh", Step::Restart),
        ("activating", "start", Step::Restart),
        ("deactivating", "stop-sigterm", Step::Restart),
        ("activating", "auto-restart", Step::Join),
        ("activating", "auto-restart-queued", Step::Join),
        ("inactive", "dead", Step::Start),
        ("failed", "failed", Step::Start),
        ("maintenance", "cleaning", Step::Start),
        ("levitating", "high", Step::Restart),
    ] {
        assert_eq!(Step::after(&state("loaded", active, sub)), step, "{active} ({sub})");
    }
}

#[test]
fn what_cannot_be_started_is_an_answer_of_its_own() {
    for (load, kind, text) in [
        ("not-found", ErrorKind::NotFound, "there is no unit web.service"),
        (
            "masked",
            ErrorKind::Config,
            "unit web.service is masked, so systemd refuses to start it: systemctl unmask web.service",
        ),
        (
            "bad-setting",
            ErrorKind::Config,
            "unit web.service cannot be loaded (bad-setting): systemctl status web.service tells which line is wrong",
        ),
        (
            "error",
            ErrorKind::Config,
            "unit web.service cannot be loaded (error): systemctl status web.service tells which line is wrong",
        ),
    ] {
        let error = state(load, "inactive", "dead").usable(&subject()).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, text));
    }
    assert_eq!(state("loaded", "inactive", "dead").usable(&subject()), Ok(()));
}

#[test]
fn a_failed_job_says_why_and_where_to_read_on() {
    for (result, properties, text) in [
        (
            "failed",
            &[("Result", "exit-code"), ("ExecMainCode", "1"), ("ExecMainStatus", "203")][..],
            "unit web.service: job failed: exit-code, main process exited with status 203 (EXEC: the program of \
             ExecStart= is missing or not executable); see journalctl -u web.service",
        ),
        (
            "failed",
            &[("Result", "signal"), ("ExecMainCode", "2"), ("ExecMainStatus", "9")],
            "unit web.service: job failed: signal, main process was killed by signal 9 (SIGKILL); see journalctl -u \
             web.service",
        ),
        (
            "failed",
            &[("Result", "exit-code"), ("ExecMainCode", "0"), ("ExecMainStatus", "0")],
            "unit web.service: job failed: exit-code, of a command beside the main process (ExecStartPre=, \
             ExecStartPost=, …); see journalctl -u web.service",
        ),
        (
            "failed",
            &[("Result", "timeout")],
            "unit web.service: job failed: timeout, it was not ready or did not stop within systemd's limit \
             (TimeoutStartSec=, TimeoutStopSec=); see journalctl -u web.service",
        ),
        (
            "failed",
            &[("Result", "start-limit-hit")],
            "unit web.service: job failed: start-limit-hit, it was started too often (StartLimitBurst=) and systemd \
             refuses for now; systemctl reset-failed web.service lifts that, reset_failed = yes does so at every \
             restart; see journalctl -u web.service",
        ),
        (
            "failed",
            &[("Result", "watchdog")],
            "unit web.service: job failed: watchdog; see journalctl -u web.service",
        ),
        (
            "failed",
            &[],
            "unit web.service: job failed: systemd gives no reason; see journalctl -u web.service",
        ),
        (
            "dependency",
            &[],
            "unit web.service: job failed: a unit that it requires did not start; see journalctl -u web.service",
        ),
        (
            "canceled",
            &[],
            "unit web.service: job canceled: somebody else's stop, start or shutdown took its place",
        ),
        ("timeout", &[], "unit web.service: job timed out (JobTimeoutSec=); see journalctl -u web.service"),
        (
            "assert",
            &[],
            "unit web.service: job refused: an Assert…= of the unit is not met; see journalctl -u web.service",
        ),
        ("odd", &[], "unit web.service: job ended with \"odd\"; see journalctl -u web.service"),
    ] {
        let error = job_failed(&subject(), result, &report(properties), &UnitState::default());
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Failed, text));
    }
}

#[test]
fn the_user_manager_has_its_own_commands() {
    let subject = Subject { scope: Scope::User, ..subject() };
    let error = job_failed(&subject, "dependency", &Report::default(), &UnitState::default());
    assert!(error.message.starts_with("user unit web.service: "), "{error}");
    assert!(error.message.ends_with("journalctl --user -u web.service"), "{error}");
    let error = state("masked", "inactive", "dead").usable(&subject).unwrap_err();
    assert!(error.message.ends_with("systemctl --user unmask web.service"), "{error}");
}

#[test]
fn done_and_down_is_a_failure_unless_the_work_is_done() {
    let say = |active: &str, properties: &[(&str, &str)]| {
        let error = down_after_done(&subject(), &state("loaded", active, "dead"), &report(properties));
        error.map(|error| error.message)
    };
    assert_eq!(say("inactive", &[("Type", "oneshot")]), None);
    assert_eq!(say("active", &[]), None);
    let unmet = [("Type", "oneshot"), ("ConditionResult", "no"), ("ConditionTimestamp", "123")];
    assert!(
        say("inactive", &unmet)
            .unwrap()
            .contains("not started, because a Condition…= of the unit is not met")
    );
    for never in ["", "0"] {
        let forgotten = [("Type", "oneshot"), ("ConditionResult", "no"), ("ConditionTimestamp", never)];
        assert_eq!(
            say("inactive", &forgotten),
            None,
            "a unit that systemd has unloaded has looked at no condition"
        );
    }
    assert!(say("inactive", &[("Type", "simple")]).unwrap().contains("or it ended at once"));
    let crashed = [("Result", "exit-code"), ("ExecMainCode", "1"), ("ExecMainStatus", "1")];
    assert!(
        say("failed", &crashed).unwrap().contains("at once failed (dead): exit-code, main process exited")
    );
}

#[test]
fn refusals_are_told_apart_by_their_names() {
    for (name, kind, part) in [
        ("org.freedesktop.systemd1.NoSuchUnit", ErrorKind::NotFound, "there is no unit web.service"),
        ("org.freedesktop.systemd1.UnitMasked", ErrorKind::Config, "systemctl unmask web.service"),
        ("org.freedesktop.systemd1.BadUnitSetting", ErrorKind::Config, "systemctl status web.service"),
        ("org.freedesktop.systemd1.LoadFailed", ErrorKind::Config, "systemctl status web.service"),
        ("org.freedesktop.DBus.Error.InvalidArgs", ErrorKind::Config, "systemctl status web.service"),
        ("org.freedesktop.systemd1.OnlyByDependency", ErrorKind::Config, "RefuseManualStart="),
        ("org.freedesktop.systemd1.JobTypeNotApplicable", ErrorKind::Config, "cannot restart"),
        (
            "org.freedesktop.DBus.Error.AccessDenied",
            ErrorKind::Permission,
            "action org.freedesktop.systemd1.manage-units, unit web.service, verb restart",
        ),
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", ErrorKind::Permission, "polkit rule"),
        ("org.freedesktop.systemd1.TransactionIsDestructive", ErrorKind::Unavailable, "going down"),
        ("org.freedesktop.systemd1.ShuttingDown", ErrorKind::Unavailable, "going down"),
        ("org.freedesktop.DBus.Error.ServiceUnknown", ErrorKind::Unavailable, "does not answer on the bus"),
        ("org.freedesktop.DBus.Error.NoReply", ErrorKind::Unavailable, "does not answer on the bus"),
        (
            "org.freedesktop.DBus.Error.Spawn.ChildExited",
            ErrorKind::Unavailable,
            "does not answer on the bus",
        ),
        ("org.freedesktop.DBus.Error.Failed", ErrorKind::Failed, "(org.freedesktop.DBus.Error.Failed)"),
        ("org.example.Timeout", ErrorKind::Failed, "(org.example.Timeout)"),
        ("", ErrorKind::Failed, "cannot restart unit web.service: Too bad"),
    ] {
        let error = refused(&subject(), "restart", name, "Too bad.");
        assert_eq!(error.kind, kind, "{name}: {error}");
        assert!(error.message.contains(part), "{name}: {error}");
    }
    let error = refused(&subject(), "restart", "x", "\u{1b}[2Jboo");
    assert!(!error.message.contains('\u{1b}'), "{error:?}");
}

#[test]
fn a_check_tells_up_down_and_in_between() {
    let check = |load: &str, active: &str, sub: &str, properties: &[(&str, &str)]| {
        health(&subject(), &state(load, active, sub), || Ok(report(properties)))
    };
    let healthy = |detail: &str| Ok(Health::healthy(detail));
    assert_eq!(check("loaded", "active", "running", &[]), healthy("active (running)"));
    assert_eq!(
        check("masked", "active", "running", &[]),
        healthy("active (running)"),
        "masked while it runs"
    );
    for (active, sub) in [
        ("activating", "start"),
        ("activating", "auto-restart"),
        ("reloading", "reload"),
        ("deactivating", "stop-sigterm"),
        ("refreshing", "refresh"),
    ] {
        assert_eq!(check("loaded", active, sub, &[]), Ok(Health::unknown(format!("{active} ({sub})"))));
    }
    for (active, properties, why) in [
        ("inactive", &[("Result", "success"), ("Type", "simple")][..], "inactive (dead)"),
        (
            "inactive",
            &[("Result", "success"), ("Type", "oneshot")],
            "inactive (dead), its work is done; RemainAfterExit=yes keeps such a unit active",
        ),
        (
            "failed",
            &[("Result", "exit-code"), ("ExecMainCode", "1"), ("ExecMainStatus", "2")],
            "failed (dead): exit-code, main process exited with status 2",
        ),
        ("maintenance", &[], "maintenance (dead)"),
    ] {
        assert_eq!(check("loaded", active, "dead", properties), Ok(Health::unhealthy(why)));
    }
    assert_eq!(check("not-found", "inactive", "dead", &[]).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(check("masked", "inactive", "dead", &[]).unwrap_err().kind, ErrorKind::Config);
    let unreadable =
        health(&subject(), &state("loaded", "failed", "failed"), || Err(Error::unavailable("gone")));
    assert_eq!(unreadable.unwrap_err().kind, ErrorKind::Unavailable);
}
