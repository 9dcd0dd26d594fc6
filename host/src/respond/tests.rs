//! A job against a scripted world: no thread, no process, no sleep.

mod evidence;
mod steps;

use super::{Claim, Report, World, respond};
use crate::policy::backoff::Backoff;
use crate::policy::model::{Alarm, AttemptId, Clear, End, Job, Name, Standing, Trial, Verify};
use crate::policy::model::{Cause, Check};
use crate::policy::testing::{alarm, rules};
use crate::policy::time::{Now, Ticks, Wall};
use crate::policy::window::{Override, Scope};
use crate::ports::overrides::{Audited, Chain, Entry, Ordered, Request, Wanted, Wish};
use crate::ports::{Asked, Decision, Effect, HostMemory};
use crate::ports::{
    Attempt, Boot, Captured, Chronicle, Clock, CommandFailed, CommandLine, Exec, Fault, Intent, Journal,
    JournalError, Pending, Publication, Record, Retention, Sight, Stage, Step, Strategies, Tidied, Tried,
    Unfinished, Waited, Witness,
};
use crate::spec::{PartRef, Spec};
use pm_plugin_api::{Error, ErrorKind, Evidence, Fallback, Health, Outcome, Target};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Everything the job sees, in one place; `log` tells in order what it did.
struct Scripted {
    now: Mutex<u64>,
    log: Mutex<Vec<String>>,
    told: Mutex<Vec<String>>,
    restarts: Mutex<VecDeque<Result<Outcome, Error>>>,
    checks: Mutex<VecDeque<Result<Health, Error>>>,
    identity: Mutex<Option<String>>,
    pre_restart: Result<(), CommandFailed>,
    journal: Result<(), &'static str>,
    stop_after: Option<u64>,
    /// After so many attempts an operator's hold is in force.
    held_after: Option<usize>,
    /// After so many restarts a maintenance window opens.
    window_after: Option<usize>,
    called_off: OnceLock<String>,
    /// How long ago the last attempt ended, in milliseconds, and how.
    last: Option<(i64, End)>,
    steps: Mutex<Vec<Step>>,
    evidence: evidence::Script,
}

impl Scripted {
    fn new() -> Self {
        Self {
            now: Mutex::new(1_000),
            log: Mutex::default(),
            told: Mutex::default(),
            restarts: Mutex::default(),
            checks: Mutex::default(),
            identity: Mutex::default(),
            pre_restart: Ok(()),
            journal: Ok(()),
            stop_after: None,
            held_after: None,
            window_after: None,
            called_off: OnceLock::new(),
            last: None,
            steps: Mutex::default(),
            evidence: evidence::Script::default(),
        }
    }
    fn restarting(self, answers: Vec<Result<Outcome, Error>>) -> Self {
        *self.restarts.lock().unwrap() = answers.into();
        self
    }
    fn checking(self, answers: Vec<Result<Health, Error>>) -> Self {
        *self.checks.lock().unwrap() = answers.into();
        self
    }
    fn say(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
    fn open_window(&self) {
        let restarts = self.log.lock().unwrap().iter().filter(|line| line.starts_with("restart")).count();
        if self.window_after == Some(restarts) {
            self.called_off.get_or_init(|| "maintenance window disks, for another 2 h".to_owned());
        }
    }
    fn run(&self, job: &Job, spec: &Spec, claim: &Claim) -> (End, u32, Vec<String>) {
        let world = World {
            clock: self,
            strategies: self,
            exec: self,
            journal: self,
            chronicle: self,
            witness: self,
            seen: Some(Wall(-5_000)),
            called_off: &|| self.called_off.get().cloned(),
        };
        self.open_window();
        let Report { outcome, .. } = respond(job, spec, claim, &world);
        self.say(format!("= {}", outcome.detail));
        (outcome.end, outcome.attempts, std::mem::take(&mut *self.log.lock().unwrap()))
    }
}

fn held(name: &Name) -> JournalError {
    JournalError::Held {
        name: name.clone(),
        scope: Scope::All,
        by: "ana".to_owned(),
        why: "disk swap".to_owned(),
        until: None,
    }
}

impl Clock for Scripted {
    fn now(&self) -> Now {
        let ms = *self.now.lock().unwrap();
        Now { boot: Ticks(ms), wall: Wall(0) }
    }
    fn wait(&self, duration: Duration) -> Waited {
        let mut now = self.now.lock().unwrap();
        *now += u64::try_from(duration.as_millis()).unwrap();
        if self.stop_after.is_some_and(|stop| *now > stop) { Waited::Interrupted } else { Waited::Elapsed }
    }
    fn boot_id(&self) -> &'static str {
        "boot"
    }
}

impl Strategies for Scripted {
    fn restart(&self, part: &PartRef, target: &Target) -> Result<Outcome, Error> {
        self.say(format!("restart {} {}", part.name, target.system_name));
        self.open_window();
        self.restarts.lock().unwrap().pop_front().unwrap_or_else(|| Ok(Outcome::restarted("done")))
    }
    fn identity(&self, part: &PartRef, _: &Target) -> Result<Option<String>, Error> {
        match part.name.as_str() {
            "auto" => Err(Error::unsupported("none")),
            "silent" => Err(Error::unavailable("nobody answers")),
            _ => Ok(self.identity.lock().unwrap().clone()),
        }
    }
    fn evidence(&self, part: &PartRef, target: &Target) -> Result<Evidence, Error> {
        self.evidence.answer(self, part, target)
    }
    fn check(&self, part: &PartRef, _: &Target) -> Result<Health, Error> {
        self.say(format!("check {}", part.name));
        self.checks.lock().unwrap().pop_front().unwrap_or_else(|| Ok(Health::healthy("fine")))
    }
}

impl Chronicle for Scripted {
    fn attempt(&self, tried: &Tried<'_>) {
        let (attempt, most) = tried.attempt;
        self.told.lock().unwrap().push(format!("{attempt}/{most} {:?}", tried.result));
    }
}

impl Exec for Scripted {
    fn run(&self, command: &CommandLine<'_>) -> Captured {
        self.say(format!("exec {} for {}", command.line, command.environment["process_name"]));
        Captured { output: "preparing\n\u{1b}[2Jdone\n".to_owned(), end: self.pre_restart.clone() }
    }
    fn capture(&self, command: &CommandLine<'_>, most: usize) -> Captured {
        self.evidence.capture(self, command, most)
    }
}

impl Witness for Scripted {
    fn look(&self, pids: &[u32], until: Ticks) -> Sight {
        self.evidence.look(self, pids, until)
    }
}

impl Journal for Scripted {
    fn begin(&self, intent: &Intent) -> Result<AttemptId, JournalError> {
        match self.journal {
            Ok(()) => {
                self.say(format!("begin {}", intent.name));
                Ok(AttemptId(7))
            }
            Err("held") => Err(held(&intent.name)),
            Err("busy") => Err(JournalError::Busy { name: intent.name.clone(), attempt: 6 }),
            Err(why) => Err(JournalError::Unusable {
                attempted: "writing",
                path: PathBuf::from("journal.db"),
                why: why.to_owned(),
            }),
        }
    }
    fn acting(&self, id: AttemptId, identity: Option<&str>, _: Wall) -> Result<(), JournalError> {
        if self.held_after.is_some_and(|restarts| self.told.lock().unwrap().len() >= restarts) {
            return Err(held(&Name::new("web")));
        }
        self.stage(id, Stage::Acting, identity)
    }
    fn stage(&self, _: AttemptId, stage: Stage, identity: Option<&str>) -> Result<(), JournalError> {
        self.say(format!("stage {stage:?} {}", identity.unwrap_or("-")));
        Ok(())
    }
    fn unpublished(&self, _: &str, _: usize) -> Result<Vec<Publication>, JournalError> {
        Ok(Vec::new())
    }
    fn published(&self, _: &[Publication]) -> Result<(), JournalError> {
        Ok(())
    }
    fn tidy(&self, _: &Retention, _: Wall) -> Result<Tidied, JournalError> {
        unreachable!("the store thread tidies up, not the job")
    }
    fn step(&self, _: AttemptId, step: &Step) -> Result<(), JournalError> {
        self.steps.lock().unwrap().push(step.clone());
        Ok(())
    }
    fn steps_of(&self, _: AttemptId) -> Result<Vec<Step>, JournalError> {
        Ok(self.steps.lock().unwrap().clone())
    }
    fn evidence(&self, _: AttemptId, text: &str) -> Result<(), JournalError> {
        self.evidence.keep(self, text)
    }
    fn evidence_of(&self, _: AttemptId) -> Result<Option<String>, JournalError> {
        Ok(None)
    }
    fn end(
        &self,
        _: AttemptId,
        _: &Name,
        _: &Record,
        _: Option<(&Standing, &[Clear])>,
    ) -> Result<(), JournalError> {
        unreachable!("the loop ends entries, not the job")
    }
    fn elsewhere(&self) -> Result<Vec<(Name, Wall)>, JournalError> {
        Ok(Vec::new())
    }
    fn outbox(&self) -> Result<Vec<Pending>, JournalError> {
        Ok(Vec::new())
    }
    fn delivered(&self, _: &[i64]) -> Result<(), JournalError> {
        Ok(())
    }
    fn standings(&self) -> Result<BTreeMap<Name, Standing>, JournalError> {
        Ok(BTreeMap::new())
    }
    fn keep(&self, _: &[(Name, Standing)], _: Option<&HostMemory>) -> Result<(), JournalError> {
        Ok(())
    }
    fn host(&self) -> Result<HostMemory, JournalError> {
        Ok(HostMemory::default())
    }
    fn judged(&self, _: &Name, _: Effect) -> Result<(), JournalError> {
        Ok(())
    }
    fn decided(&self, _: &[Decision]) -> Result<(), JournalError> {
        Ok(())
    }
    fn decisions(&self, _: &Name, _: Wall, _: usize) -> Result<Vec<Decision>, JournalError> {
        Ok(Vec::new())
    }
    fn explanation(&self, _: AttemptId) -> Result<Vec<Asked>, JournalError> {
        Ok(Vec::new())
    }
    fn last_before(&self, _: &Name, _: Wall) -> Result<Option<Attempt>, JournalError> {
        Ok(None)
    }
    fn history(&self, _: Option<&Name>, _: Wall, _: usize) -> Result<Vec<Attempt>, JournalError> {
        Ok(Vec::new())
    }
    fn unfinished(&self) -> Result<Vec<Unfinished>, JournalError> {
        Ok(Vec::new())
    }
    fn attempts(&self, of: Option<&Name>, _: usize) -> Result<Vec<Attempt>, JournalError> {
        let last = self.last.map(|(ago, end)| Attempt {
            id: AttemptId(1),
            name: of.unwrap().clone(),
            strategy: "service".to_owned(),
            seen: None,
            began: Wall(0),
            ended: Some((Wall(-ago), end, 1, String::new())),
            under_way: false,
            cause: "alarm".to_owned(),
            by: None,
            effect: None,
        });
        Ok(last.into_iter().collect())
    }
    fn attempt(&self, _: AttemptId) -> Result<Option<Attempt>, JournalError> {
        Ok(None)
    }
    fn overrides(&self) -> Result<Vec<Override>, JournalError> {
        Ok(Vec::new())
    }
    fn order(&self, _: &Request, _: &[Wish]) -> Result<Vec<Vec<Override>>, JournalError> {
        unreachable!("operators order, not the job")
    }
    fn orders(&self) -> Result<Vec<Ordered>, JournalError> {
        unreachable!("the loop obeys, not the job")
    }
    fn obeyed(&self, _: &[i64], _: &[(Name, Standing)]) -> Result<(), JournalError> {
        unreachable!("the loop obeys, not the job")
    }
    fn end_by_hand(&self, _: AttemptId, _: &Record, _: &Entry) -> Result<(), JournalError> {
        unreachable!("the command ends it, not the job")
    }
    fn audit(&self, _: &[Entry]) -> Result<(), JournalError> {
        unreachable!("commands are audited, not the job")
    }
    fn audited(&self, _: &Wanted) -> Result<Vec<Audited>, JournalError> {
        Ok(Vec::new())
    }
    fn chain(&self) -> Result<Chain, JournalError> {
        Ok(Chain { entries: 0, first: None, last: None, flaw: None })
    }
    fn changed_by_others(&self) -> bool {
        false
    }
}

fn part(name: &str) -> PartRef {
    PartRef { name: name.to_owned(), settings: BTreeMap::new() }
}

fn spec(strategy: &str) -> Spec {
    Spec {
        system_name: "nginx".to_owned(),
        group: None,
        rules: rules(),
        strategy_text: strategy.to_owned(),
        chain: vec![part(strategy)],
        delegates: BTreeMap::new(),
        check: Some(part("http")),
        max_attempts: 2,
        backoff: Backoff { base: Duration::from_secs(2), factor: 1.0, cap: Duration::from_secs(60) },
        check_timeout: Duration::from_secs(5),
        check_interval: Duration::from_secs(1),
        restart_timeout: Duration::from_secs(30),
        pre_restart: None,
        pre_restart_timeout: Duration::from_secs(30),
        evidence: None,
        working_directory: PathBuf::from("/"),
        environment: BTreeMap::new(),
    }
}

fn job() -> Job {
    Job {
        alarms: vec![alarm(1, "web")],
        cause: Cause::Alarm,
        chain: vec![(Check::Breaker, "closed".to_owned())],
        ..Job::by_hand(&Name::new("web"), Trial::No)
    }
}

fn bad(kind: ErrorKind) -> Result<Outcome, Error> {
    Err(Error::new(kind, "boom"))
}

#[test]
fn the_order_is_claim_prepare_note_act_note_verify() {
    let world = Scripted::new();
    *world.identity.lock().unwrap() = Some("pid 9".to_owned());
    let spec = Spec { pre_restart: Some("prepare".to_owned()), ..spec("service") };
    let (end, attempts, log) = world.run(&job(), &spec, &Claim::New);
    assert_eq!((end, attempts), (End::Restarted, 1));
    let expected = [
        "begin web",
        "stage Prepared -",
        "exec prepare for web",
        "stage Acting service:pid 9",
        "restart service nginx",
        "stage Verifying -",
        "check http",
        "= done; the check: fine",
    ];
    assert_eq!(log, expected);
}

#[test]
fn a_failing_pre_restart_command_ends_the_job_before_the_restart() {
    let world = Scripted {
        pre_restart: Err(CommandFailed { why: "exited with status 3".to_owned(), fault: Fault::Command }),
        ..Scripted::new()
    };
    let spec = Spec { pre_restart: Some("prepare".to_owned()), ..spec("service") };
    let (end, attempts, log) = world.run(&job(), &spec, &Claim::New);
    assert_eq!((end, attempts), (End::Failed, 0));
    assert_eq!(log.last().unwrap(), "= pre-restart command exited with status 3");
    assert!(!log.iter().any(|line| line.starts_with("restart")));
}

#[test]
fn auto_goes_on_only_where_its_fallback_says_so() {
    let delegate = |fallback| Ok(Outcome::delegate(["service", "process"], fallback));
    let restarts = |fallback, kind| {
        let world = Scripted::new().restarting(vec![delegate(fallback), bad(kind)]);
        let spec = Spec { max_attempts: 1, ..spec("auto") };
        let (end, _, log) = world.run(&job(), &spec, &Claim::New);
        (end, log.iter().filter(|line| line.starts_with("restart")).count())
    };
    assert_eq!(restarts(Fallback::NotFound, ErrorKind::NotFound), (End::Restarted, 3));
    assert_eq!(restarts(Fallback::NotFound, ErrorKind::Unsupported), (End::Restarted, 3));
    assert_eq!(restarts(Fallback::Always, ErrorKind::Failed), (End::Restarted, 3));
    assert_eq!(restarts(Fallback::NotFound, ErrorKind::Unavailable), (End::Infrastructure, 2));
    // Failed without fallback: not the next link, but the check still decides, as with every failed action.
    assert_eq!(restarts(Fallback::NotFound, ErrorKind::Failed).1, 2);
}

#[test]
fn a_list_of_strategies_goes_on_after_a_failure() {
    let world = Scripted::new().restarting(vec![bad(ErrorKind::Failed)]);
    let chain = vec![part("service"), part("custom")];
    let (end, attempts, log) = world.run(&job(), &Spec { chain, ..spec("service") }, &Claim::New);
    assert_eq!((end, attempts), (End::Restarted, 1));
    assert!(log.contains(&"restart custom nginx".to_owned()), "{log:?}");
}

#[test]
fn kinds_of_errors_decide_whether_it_is_tried_again_and_who_is_to_blame() {
    let end = |kind| {
        let world = Scripted::new().restarting(vec![bad(kind), bad(kind)]);
        let spec = Spec { check: None, ..spec("service") };
        let (end, attempts, _) = world.run(&job(), &spec, &Claim::New);
        (end, attempts)
    };
    assert_eq!(end(ErrorKind::Failed), (End::Failed, 2));
    assert_eq!(end(ErrorKind::Timeout), (End::Failed, 2));
    assert_eq!(end(ErrorKind::Config), (End::Failed, 1));
    assert_eq!(end(ErrorKind::NotFound), (End::Failed, 1));
    assert_eq!(end(ErrorKind::Unavailable), (End::Infrastructure, 1));
    assert_eq!(end(ErrorKind::Permission), (End::Infrastructure, 1));
    assert_eq!(end(ErrorKind::Panicked), (End::Infrastructure, 1));
}

#[test]
fn what_does_not_answer_is_asked_once() {
    let world = Scripted::new();
    let (end, attempts, log) = world.run(&job(), &spec("silent"), &Claim::New);
    assert_eq!((end, attempts), (End::Infrastructure, 1));
    assert!(
        !log.iter().any(|line| line.starts_with("restart") || line.starts_with("stage Acting")),
        "{log:?}"
    );

    let chain = vec![part("silent"), part("custom")];
    let (end, _, log) = world.run(&job(), &Spec { chain, ..spec("silent") }, &Claim::New);
    assert_eq!(end, End::Restarted);
    assert!(log.contains(&"restart custom nginx".to_owned()), "{log:?}");
}

#[test]
fn with_a_check_the_check_alone_decides() {
    let world = Scripted::new().restarting(vec![bad(ErrorKind::Failed)]);
    let (end, attempts, log) = world.run(&job(), &spec("custom"), &Claim::New);
    assert_eq!((end, attempts), (End::Restarted, 1));
    assert_eq!(log.last().unwrap(), "= boom; the check: fine");
}

#[test]
fn verification_looks_again_until_the_time_is_over_and_a_probe_gets_one_attempt() {
    let sick = || Ok(Health::unknown("starting"));
    let world = Scripted::new().checking(vec![sick(), sick(), Ok(Health::healthy("up"))]);
    let (end, attempts, log) = world.run(&job(), &spec("service"), &Claim::New);
    assert_eq!((end, attempts), (End::Restarted, 1));
    assert_eq!(log.iter().filter(|line| *line == "check http").count(), 3);

    let world = Scripted::new().checking((0..100).map(|_| sick()).collect());
    let (end, attempts, _) = world.run(&job(), &spec("service"), &Claim::New);
    assert_eq!((end, attempts), (End::Failed, 2));
    assert_eq!(*world.told.lock().unwrap(), ["1/2 Err(())", "2/2 Err(())"], "every attempt is told");
    // Two verifications of 5 s and one pause of 2 s; the pause after the last attempt helps nobody.
    assert_eq!(*world.now.lock().unwrap(), 1_000 + 5_000 + 2_000 + 5_000);

    let world = Scripted::new().checking((0..100).map(|_| sick()).collect());
    let probe = Job { trial: Trial::Probe, ..job() };
    assert_eq!(world.run(&probe, &spec("service"), &Claim::New).1, 1);
}

#[test]
fn a_doubted_alarm_of_a_healthy_process_touches_nothing() {
    let world = Scripted::new();
    let doubted = Job { verify: Verify::First, ..job() };
    let (end, attempts, log) = world.run(&doubted, &spec("service"), &Claim::New);
    assert_eq!((end, attempts), (End::AlreadyHealthy, 0));
    assert_eq!(log, ["check http", "= fine"]);
    let world = Scripted::new().checking(vec![Ok(Health::unhealthy("down"))]);
    assert_eq!(world.run(&doubted, &spec("service"), &Claim::New).0, End::Restarted);
}

#[test]
fn an_alarm_that_may_be_older_than_a_restart_by_hand_is_verified_first() {
    let restarted = |ago, end, checked: bool, alarms: Vec<Alarm>| {
        let world = Scripted { last: Some((ago, end)), ..Scripted::new() };
        let check = if checked { spec("service").check } else { None };
        let spec = Spec { check, ..spec("service") };
        world.run(&Job { alarms, ..job() }, &spec, &Claim::New).0 == End::Restarted
    };
    let alarms = || job().alarms;
    assert!(!restarted(59_999, End::Restarted, true, alarms()));
    assert!(restarted(60_000, End::Restarted, true, alarms()));
    assert!(restarted(1, End::Failed, true, alarms()));
    assert!(restarted(1, End::Restarted, false, alarms()), "without a check nothing can be looked at");
    assert!(restarted(1, End::Restarted, true, Vec::new()), "by hand again, as the operator wishes");
    assert!(restarted(-1, End::Restarted, true, alarms()), "the clock was set back");
}

#[test]
fn a_hold_refuses_the_claim_and_counts_against_nobody() {
    let world = Scripted { journal: Err("held"), ..Scripted::new() };
    let (end, attempts, log) = world.run(&job(), &spec("service"), &Claim::New);
    assert_eq!((end, attempts), (End::Cancelled, 0));
    let why = "\"web\" is held with all processes by ana until it is released (disk swap)";
    assert_eq!(log, [format!("= {why}; to end that: pm release --all")]);
}

#[test]
fn a_hold_or_a_window_stops_a_job_before_its_next_restart() {
    for (restarts, attempts, held, says) in [
        (0, 0, true, "= \"web\" is held"),
        (1, 1, true, "= \"web\" is held"),
        (0, 0, false, "= maintenance window disks"),
        (1, 1, false, "= maintenance window disks"),
    ] {
        let after = |wanted: bool| (held == wanted).then_some(restarts);
        let world = Scripted { held_after: after(true), window_after: after(false), ..Scripted::new() };
        let world = world.checking(vec![Ok(Health::unhealthy("down")); 9]);
        let spec = Spec {
            max_attempts: 5,
            check_timeout: Duration::ZERO,
            chain: vec![part("service"), part("process")],
            ..spec("service")
        };
        let (end, tried, log) = world.run(&job(), &spec, &Claim::New);
        assert_eq!((end, tried), (End::Cancelled, attempts), "{log:?}");
        assert_eq!(log.iter().filter(|line| line.starts_with("restart")).count(), restarts, "{log:?}");
        assert_eq!(world.told.lock().unwrap().len(), restarts, "what was not done is no attempt");
        assert!(log.last().unwrap().starts_with(says), "{log:?}");
    }
}

#[test]
fn a_hold_stops_what_a_killed_pm_left_in_the_middle() {
    let world = Scripted { held_after: Some(0), ..Scripted::new() };
    let entry = Unfinished {
        id: AttemptId(3),
        name: Name::new("web"),
        alarms: vec![alarm(1, "web")],
        cause: Cause::Alarm,
        stage: Stage::Acting,
        identity: None,
        boot: Boot::Same,
    };
    let (end, _, log) = world.run(&job(), &spec("custom"), &Claim::Resume(entry));
    assert_eq!(end, End::Cancelled);
    assert!(!log.iter().any(|line| line.starts_with("restart")), "{log:?}");
}

#[test]
fn a_busy_name_is_left_alone_but_a_full_disk_does_not_stop_a_restart() {
    let world = Scripted { journal: Err("busy"), ..Scripted::new() };
    let (end, _, log) = world.run(&job(), &spec("service"), &Claim::New);
    assert_eq!((end, log.len()), (End::Infrastructure, 1));
    let world = Scripted { journal: Err("database or disk is full"), ..Scripted::new() };
    let (end, _, log) = world.run(&job(), &spec("service"), &Claim::New);
    assert_eq!(end, End::Restarted);
    assert_eq!(log[0], "restart service nginx");
}

#[test]
fn a_stop_in_the_middle_hands_the_job_over() {
    let sick = (0..100).map(|_| Ok(Health::unhealthy("down"))).collect();
    let world = Scripted { stop_after: Some(2_000), ..Scripted::new() }.checking(sick);
    assert_eq!(world.run(&job(), &spec("service"), &Claim::New).0, End::HandedOver);
}

#[test]
fn after_a_kill_the_journal_and_the_identity_decide() {
    let resume = |stage, before: Option<&str>, now: Option<&str>, boot| {
        let world = Scripted::new();
        *world.identity.lock().unwrap() = now.map(str::to_owned);
        let entry = Unfinished {
            id: AttemptId(3),
            name: Name::new("web"),
            alarms: vec![alarm(1, "web")],
            cause: Cause::Alarm,
            stage,
            identity: before.map(str::to_owned),
            boot,
        };
        let (end, _, log) = world.run(&job(), &spec("service"), &Claim::Resume(entry));
        (end, log.iter().any(|line| line.starts_with("restart")))
    };
    let (old, new) = (Some("service:1"), Some("2"));
    assert_eq!(resume(Stage::Intent, None, None, Boot::Same), (End::Cancelled, false));
    assert_eq!(resume(Stage::Prepared, None, None, Boot::Same), (End::Cancelled, false));
    assert_eq!(resume(Stage::Acting, old, new, Boot::Same), (End::Restarted, false));
    assert_eq!(resume(Stage::Acting, old, Some("1"), Boot::Same), (End::Restarted, true));
    assert_eq!(resume(Stage::Acting, old, None, Boot::Same), (End::Restarted, true));
    assert_eq!(resume(Stage::Acting, None, new, Boot::Same), (End::Restarted, true));
    // Nothing ran before: what runs now is the restart's.
    assert_eq!(resume(Stage::Acting, Some("service:"), new, Boot::Same), (End::Restarted, false));
    assert_eq!(resume(Stage::Acting, Some("service:"), None, Boot::Same), (End::Restarted, true));
    assert_eq!(resume(Stage::Verifying, old, new, Boot::Same), (End::Restarted, false));
    assert_eq!(resume(Stage::Acting, old, new, Boot::Earlier), (End::Cancelled, false));
}
