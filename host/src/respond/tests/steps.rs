//! What the history is told of a job: each step when it has ended, with its time, its result and what was said.

use super::{Scripted, job, spec};
use crate::ports::StepKind;
use crate::respond::Claim;
use crate::spec::Spec;
use pm_plugin_api::{Error, Health, Outcome};

#[test]
fn each_step_is_noted_when_it_has_ended_with_what_came_of_it() {
    let chain = vec![spec("service").chain[0].clone(), spec("process").chain[0].clone()];
    let check = spec("service").chain[0].clone();
    let spec = Spec { chain, check: Some(check), pre_restart: Some("prepare".to_owned()), ..spec("service") };
    let world = Scripted::new()
        .restarting(vec![Err(Error::failed("no such unit")), Ok(Outcome::restarted("started 7"))])
        .checking(vec![Ok(Health::unhealthy("refused")), Ok(Health::healthy("200 OK"))]);
    let _ = world.run(&job(), &spec, &Claim::New);
    let steps = world.steps.lock().unwrap();
    let told: Vec<_> = steps.iter().map(|step| (step.kind, step.by.as_str(), step.result.clone())).collect();
    let ok = |text: &str| Ok::<String, String>(text.to_owned());
    assert_eq!(
        told,
        [
            (StepKind::PreRestart, "", ok("done")),
            (StepKind::Restart, "service", Err("no such unit".to_owned())),
            (StepKind::Restart, "process", ok("started 7")),
            (StepKind::Check, "service", ok("200 OK")),
        ]
    );
    assert_eq!(steps[0].output, "preparing\n\\u{1b}[2Jdone\n", "nothing in it can draw");
    assert!(steps[3].took.as_millis() > 0, "the second look came later");
}

#[test]
fn without_an_entry_nothing_is_noted_and_long_lines_are_cut() {
    let mut full = Scripted::new();
    full.journal = Err("no space left");
    let _ = full.run(&job(), &spec("service"), &Claim::New);
    assert!(full.steps.lock().unwrap().is_empty());
    let world = Scripted::new().restarting(vec![Ok(Outcome::restarted("ș".repeat(5_000)))]);
    let _ = world.run(&job(), &spec("service"), &Claim::New);
    let steps = world.steps.lock().unwrap();
    assert_eq!(steps[0].result.as_ref().unwrap().chars().count(), 1_001);
}
