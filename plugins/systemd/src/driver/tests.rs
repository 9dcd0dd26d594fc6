//! What is asked of systemd, in which order and how often; against a systemd that follows a script.

use super::*;
use crate::scope::Scope;
use pm_plugin_api::{Action, ErrorKind};
use std::collections::VecDeque;

/// Answers from its lists and writes down what it was asked.
#[derive(Default)]
struct Script {
    looks: VecDeque<UnitState>,
    jobs: VecDeque<Result<Ended>>,
    report: Vec<(&'static str, &'static str)>,
    asked: Vec<String>,
}

impl Driver for Script {
    fn look(&mut self, subject: &Subject) -> Result<UnitState> {
        self.asked.push(format!("look {}", subject.unit.as_str()));
        self.looks.pop_front().ok_or_else(|| Error::unavailable("the bus is gone"))
    }
    fn invocation(&mut self, subject: &Subject) -> Result<UnitState> {
        Ok(UnitState { invocation: Some("0a1b".to_owned()), ..self.look(subject)? })
    }
    fn run(&mut self, subject: &Subject, step: Step) -> Result<Ended> {
        self.asked.push(format!("{} {}", step.verb(), subject.unit.as_str()));
        self.jobs.pop_front().expect("the script has a job left")
    }
    fn properties(&mut self, _: &Subject, _: &[&str]) -> Result<Report> {
        self.asked.push("report".to_owned());
        Ok(Report(self.report.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()))
    }
    fn reset_failed(&mut self, subject: &Subject) -> Result<()> {
        self.asked.push(format!("reset-failed {}", subject.unit.as_str()));
        Ok(())
    }
}

fn state(active: &str, sub: &str) -> UnitState {
    UnitState {
        id: "web.service".to_owned(),
        load: "loaded".to_owned(),
        active: active.to_owned(),
        sub: sub.to_owned(),
        job: None,
        invocation: None,
    }
}

fn web() -> Subject {
    Subject { unit: Unit::named("web").unwrap(), scope: Scope::System }
}

fn ended(result: &str) -> Result<Ended> {
    Ok(Ended::Result(result.to_owned()))
}

fn script(looks: &[UnitState], jobs: &[Result<Ended>]) -> Script {
    Script { looks: looks.to_vec().into(), jobs: jobs.to_vec().into(), ..Script::default() }
}

const RESPECT: Rules<'static> = Rules { limit: StartLimit::Respect, own: &[] };
const RESET: Rules<'static> = Rules { limit: StartLimit::Reset, own: &[] };

fn detail(outcome: &Outcome) -> (Action, &str) {
    match outcome {
        Outcome::Done { action, detail } => (*action, detail),
        other => panic!("{other:?} is not done"),
    }
}

#[test]
fn a_running_unit_is_restarted_with_one_look_and_one_job() {
    let mut systemd = script(&[state("active", "running")], &[ended("done")]);
    let outcome = restart(&mut systemd, &web(), None, &RESPECT).unwrap();
    assert_eq!(detail(&outcome), (Action::Restarted, "job done in 0 ms"));
    assert_eq!(systemd.asked, ["look web.service", "restart web.service"]);
}

#[test]
fn what_identity_saw_saves_the_look() {
    let mut systemd = script(&[], &[ended("done")]);
    restart(&mut systemd, &web(), Some(state("active", "running")), &RESPECT).unwrap();
    assert_eq!(systemd.asked, ["restart web.service"]);
}

#[test]
fn a_unit_that_is_down_is_started_and_looked_at_again() {
    let mut systemd = script(&[state("failed", "failed"), state("active", "running")], &[ended("done")]);
    let outcome = restart(&mut systemd, &web(), None, &RESPECT).unwrap();
    assert_eq!(detail(&outcome), (Action::Started, "job done in 0 ms, active (running)"));
    assert_eq!(systemd.asked, ["look web.service", "start web.service", "look web.service"]);
}

#[test]
fn systemds_own_restart_is_waited_for() {
    let looks = [state("activating", "auto-restart"), state("active", "running")];
    let mut systemd = script(&looks, &[ended("done")]);
    let outcome = restart(&mut systemd, &web(), None, &RESPECT).unwrap();
    let (action, text) = detail(&outcome);
    assert_eq!(action, Action::Restarted);
    assert!(text.contains("systemd was about to restart it"), "{text}");
    assert_eq!(systemd.asked[1], "start web.service", "a start job waits, a restart job would not");
}

#[test]
fn nothing_is_asked_for_what_cannot_be_started() {
    for (load, kind) in [("not-found", ErrorKind::NotFound), ("masked", ErrorKind::Config)] {
        let mut systemd = script(&[UnitState { load: load.to_owned(), ..state("inactive", "dead") }], &[]);
        assert_eq!(restart(&mut systemd, &web(), None, &RESPECT).unwrap_err().kind, kind);
        assert_eq!(systemd.asked, ["look web.service"]);
    }
}

#[test]
fn evidence_is_that_of_the_unit_behind_an_alias_and_of_no_missing_one() {
    let masked =
        UnitState { id: "shop.service".to_owned(), load: "masked".to_owned(), ..state("active", "running") };
    let mut systemd = Script { report: vec![("MainPID", "7")], ..script(&[masked], &[]) };
    let (subject, evidence) = crate::evidence::look(&mut systemd, &web()).unwrap();
    assert_eq!((subject.name(), evidence.pids.as_slice()), ("shop.service", &[7][..]));
    let mut systemd = script(&[UnitState { load: "not-found".to_owned(), ..state("inactive", "dead") }], &[]);
    let error = crate::evidence::look(&mut systemd, &web()).unwrap_err();
    assert_eq!((error.kind, systemd.asked.len()), (ErrorKind::NotFound, 1));
}

#[test]
fn an_alias_is_restarted_under_its_real_name_if_that_is_allowed() {
    let behind = |id: &str| UnitState { id: id.to_owned(), ..state("active", "running") };
    let mut systemd = script(&[behind("shop.service")], &[ended("done")]);
    restart(&mut systemd, &web(), None, &RESPECT).unwrap();
    assert_eq!(systemd.asked, ["look web.service", "restart shop.service"]);

    let mut systemd = script(&[behind("systemd-logind.service")], &[]);
    let error = restart(&mut systemd, &web(), None, &RESPECT).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.starts_with("unit web.service: \"systemd-logind.service\" is not"), "{error}");
    assert_eq!(systemd.asked, ["look web.service"]);
}

#[test]
fn pm_does_not_restart_the_unit_it_runs_in() {
    let own = ["web.service".to_owned()];
    let mut systemd = script(&[state("active", "running")], &[]);
    let rules = Rules { limit: StartLimit::Respect, own: &own };
    let error = restart(&mut systemd, &web(), None, &rules).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("pm runs inside of it"), "{error}");
}

#[test]
fn a_start_limit_stands_unless_the_operator_lifts_it() {
    let limited = |jobs: &[Result<Ended>]| {
        let mut systemd = script(&[state("failed", "failed"), state("active", "running")], jobs);
        systemd.report = vec![("Result", "start-limit-hit")];
        systemd
    };
    let mut systemd = limited(&[ended("failed")]);
    let error = restart(&mut systemd, &web(), None, &RESPECT).unwrap_err();
    assert!(error.message.contains("start-limit-hit"), "{error}");
    assert_eq!(systemd.asked, ["look web.service", "start web.service", "report"]);

    let mut systemd = limited(&[ended("failed"), ended("done")]);
    restart(&mut systemd, &web(), None, &RESET).unwrap();
    let asked = [
        "look web.service",
        "start web.service",
        "report",
        "reset-failed web.service",
        "start web.service",
        "look web.service",
    ];
    assert_eq!(systemd.asked, asked);

    let mut systemd = limited(&[ended("failed"), ended("failed")]);
    restart(&mut systemd, &web(), None, &RESET).unwrap_err();
    let starts = systemd.asked.iter().filter(|asked| asked.starts_with("start")).count();
    assert_eq!(starts, 2, "lifted once per call");
}

#[test]
fn a_start_that_never_began_has_hit_the_limit_whatever_the_start_before_left_as_result() {
    let mut systemd =
        script(&[state("failed", "failed"), state("active", "running")], &[ended("failed"), ended("done")]);
    systemd.report = vec![("Result", "exit-code"), ("InvocationID", "0a1b")];
    restart(&mut systemd, &web(), None, &RESET).unwrap();
    assert_eq!(systemd.asked[3], "reset-failed web.service");

    let mut systemd = script(&[state("failed", "failed")], &[ended("failed")]);
    systemd.report = vec![
        ("Result", "exit-code"),
        ("ExecMainCode", "1"),
        ("ExecMainStatus", "3"),
        ("InvocationID", "0a1b"),
    ];
    let error = restart(&mut systemd, &web(), None, &RESPECT).unwrap_err();
    let words = "start-limit-hit, it was started too often (StartLimitBurst=) and systemd refuses for now, after its \
                 main process exited with status 3; systemctl reset-failed";
    assert!(error.message.contains(words), "{error}");
}

#[test]
fn another_failure_is_not_retried_when_the_limit_may_be_lifted() {
    let mut systemd = script(&[state("active", "running")], &[ended("failed")]);
    systemd.report = vec![
        ("Result", "exit-code"),
        ("ExecMainCode", "1"),
        ("ExecMainStatus", "3"),
        ("InvocationID", "0a1c"),
    ];
    let error = restart(&mut systemd, &web(), None, &RESET).unwrap_err();
    assert!(error.message.contains("exited with status 3"), "{error}");
    assert!(!systemd.asked.iter().any(|asked| asked.starts_with("reset")), "{:?}", systemd.asked);
}

#[test]
fn a_job_whose_end_was_not_seen_is_judged_by_the_unit() {
    let unseen = || [Ok(Ended::Unseen)];
    let mut systemd = script(&[state("active", "running"), state("active", "running")], &unseen());
    let outcome = restart(&mut systemd, &web(), None, &RESPECT).unwrap();
    assert_eq!(detail(&outcome), (Action::Restarted, "job over in 0 ms, active (running)"));

    let mut systemd = script(&[state("active", "running"), state("failed", "failed")], &unseen());
    let error = restart(&mut systemd, &web(), None, &RESPECT).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Failed, "{error}");
}

#[test]
fn a_job_that_is_done_stays_done_when_nobody_can_be_asked_afterwards() {
    let mut systemd = script(&[state("failed", "failed")], &[ended("done")]);
    let outcome = restart(&mut systemd, &web(), None, &RESPECT).unwrap();
    assert_eq!(detail(&outcome), (Action::Started, "job done in 0 ms, but the bus is gone"));

    let mut systemd = script(&[state("failed", "failed")], &[Ok(Ended::Unseen)]);
    assert_eq!(restart(&mut systemd, &web(), None, &RESPECT).unwrap_err().kind, ErrorKind::Unavailable);
}

#[test]
fn the_identity_is_that_of_something_that_runs() {
    for (active, sub, id) in [
        ("active", "running", Some("0a1b")),
        ("deactivating", "stop", Some("0a1b")),
        ("inactive", "dead", None),
        ("failed", "failed", None),
        ("activating", "auto-restart", None),
    ] {
        let mut systemd = script(&[state(active, sub)], &[]);
        let (_, seen) = identity(&mut systemd, &web()).unwrap();
        assert_eq!(seen.as_deref(), id, "{active}");
    }
    let mut systemd = script(&[UnitState { load: "not-found".to_owned(), ..state("inactive", "dead") }], &[]);
    assert_eq!(identity(&mut systemd, &web()).unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn a_healthy_unit_costs_a_check_one_question() {
    let mut systemd = script(&[state("active", "running")], &[]);
    assert_eq!(check(&mut systemd, &web()), Ok(Health::healthy("active (running)")));
    assert_eq!(systemd.asked, ["look web.service"]);
}

#[test]
fn long_times_are_said_in_seconds() {
    assert_eq!(in_words(Duration::from_micros(12_900)), "12 ms");
    assert_eq!(in_words(Duration::from_millis(999)), "999 ms");
    assert_eq!(in_words(Duration::from_millis(4_049)), "4.0 s");
}
