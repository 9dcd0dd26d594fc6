//! What a job gathers before it restarts anything, in which order, and that nothing about it stops a restart.

use super::*;
use crate::ports::Seen;
use crate::spec::EvidencePlan;

/// What the scripted world answers to looks, and what it was given to keep.
#[derive(Default)]
pub(super) struct Script {
    answers: Mutex<VecDeque<Result<Evidence, Error>>>,
    /// Milliseconds that pass with each question to a strategy, and with the command.
    takes: u64,
    panics: bool,
    full: bool,
    kept: Mutex<Vec<String>>,
}

impl Script {
    pub(super) fn answer(
        &self,
        world: &Scripted,
        part: &PartRef,
        target: &Target,
    ) -> Result<Evidence, Error> {
        assert!(!self.panics, "this strategy panics on purpose");
        world.say(format!("evidence {} within {}", part.name, target.timeout_ms));
        *world.now.lock().unwrap() += self.takes.min(target.timeout_ms);
        if self.takes > target.timeout_ms {
            return Err(Error::timeout("gave no answer"));
        }
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| Err(Error::unsupported("knows nothing")))
    }

    pub(super) fn look(&self, world: &Scripted, pids: &[u32], until: Ticks) -> Sight {
        world.say(format!("look at {pids:?} until {}", until.0));
        let seen = |pid: &u32| Seen {
            depth: 0,
            pid: *pid,
            parent: 1,
            comm: "x".to_owned(),
            program: None,
            state: 'S',
            threads: 1,
            memory: None,
            files: None,
            most_files: None,
            age: Duration::from_secs(1),
            waits_in: None,
        };
        Sight { processes: pids.iter().map(seen).collect(), remarks: Vec::new() }
    }

    pub(super) fn capture(&self, world: &Scripted, command: &CommandLine<'_>, most: usize) -> Captured {
        let name = &command.environment["process_name"];
        world.say(format!(
            "capture {} for {name} in {} within {} ms and {most} bytes",
            command.line,
            command.directory.display(),
            command.timeout.as_millis()
        ));
        Captured {
            output: "said\n".to_owned(),
            end: Err(CommandFailed { why: "exited with status 3".to_owned(), fault: Fault::Command }),
        }
    }

    pub(super) fn keep(&self, world: &Scripted, text: &str) -> Result<(), JournalError> {
        world.say("keep");
        self.kept.lock().unwrap().push(text.to_owned());
        if self.full {
            let why = "database or disk is full".to_owned();
            return Err(JournalError::Unusable {
                attempted: "writing",
                path: PathBuf::from("journal.db"),
                why,
            });
        }
        Ok(())
    }
}

fn plan(command: Option<&str>) -> Option<EvidencePlan> {
    Some(EvidencePlan { command: command.map(str::to_owned), timeout: Duration::from_secs(4) })
}

fn answering(answers: Vec<Result<Evidence, Error>>) -> Script {
    Script { answers: Mutex::new(answers.into()), ..Script::default() }
}

fn seen() -> Result<Evidence, Error> {
    Ok(Evidence::default().fact("unit state", "failed (failed)").pid(7).lines(["last words"]))
}

/// The job's end, its log and what it kept.
fn run(script: Script, spec: &Spec) -> (End, Vec<String>, Vec<String>) {
    let world = Scripted { evidence: script, ..Scripted::new() };
    let (end, _, log) = world.run(&job(), spec, &Claim::New);
    let kept = std::mem::take(&mut *world.evidence.kept.lock().unwrap());
    (end, log, kept)
}

#[test]
fn evidence_is_gathered_after_the_claim_and_before_anything_is_touched() {
    let spec = Spec { pre_restart: Some("prepare".to_owned()), evidence: plan(None), ..spec("service") };
    let (end, log, kept) = run(answering(vec![seen()]), &spec);
    assert_eq!(end, End::Restarted);
    let expected =
        ["begin web", "evidence service within 3000", "look at [7] until 5000", "keep", "stage Prepared -"];
    assert_eq!(log[..5], expected);
    let text = "strategy: service\nunit state: failed (failed)\ngathered in: 0 ms\n\
                processes:\n  7 x: parent 1, sleeping, 1 thread, up 1 s\nlog:\n  last words\n";
    assert_eq!(kept, [text]);
    assert_eq!(log.iter().filter(|line| line.starts_with("evidence")).count(), 1, "not with every attempt");
}

#[test]
fn the_operators_command_comes_last_and_has_half_of_the_time_at_least() {
    let spec = Spec { evidence: plan(Some("jstack")), ..spec("service") };
    let capture = |millis: u32| format!("capture jstack for web in / within {millis} ms and 16384 bytes");
    let (_, log, kept) = run(answering(vec![seen()]), &spec);
    assert_eq!(log[1..4], ["evidence service within 1500", "look at [7] until 3000", &capture(4000)]);
    assert!(
        kept[0].ends_with("log:\n  last words\nevidence_command, exited with status 3:\n  said\n"),
        "{kept:?}"
    );

    let (end, log, kept) = run(Script { takes: 60_000, ..answering(vec![seen()]) }, &spec);
    assert_eq!(
        (end, log[2].as_str()),
        (End::Restarted, capture(2500).as_str()),
        "a strategy that hangs leaves half"
    );
    assert!(
        kept[0].starts_with("service: not available: gave no answer\ngathered in: 1500 ms\n"),
        "{kept:?}"
    );
}

#[test]
fn a_strategy_that_hangs_costs_its_share_once_and_the_restart_goes_on() {
    let chain = vec![part("service"), part("process")];
    let spec = Spec { chain, evidence: plan(None), ..spec("service") };
    let (end, log, kept) = run(Script { takes: 60_000, ..Script::default() }, &spec);
    assert_eq!(end, End::Restarted);
    assert_eq!(log[1..3], ["evidence service within 3000", "keep"]);
    let text = "service: not available: gave no answer\n\
                process: not available: there was no time left to ask it\ngathered in: 3000 ms\n";
    assert_eq!(kept, [text]);
}

#[test]
fn the_first_strategy_that_knows_the_target_is_heard_and_delegations_are_followed() {
    let unsupported = || Err(Error::unsupported("this plugin was built before the operation existed"));
    let missing = || Err(Error::not_found("there is no unit web.service"));
    let to = || Ok(Evidence::of(["service", "process"]));
    let asked = |answers, chain: &[&str]| {
        let chain = chain.iter().map(|name| part(name)).collect();
        let (end, log, kept) = run(answering(answers), &Spec { chain, evidence: plan(None), ..spec("auto") });
        assert_eq!(end, End::Restarted);
        let asked = log.iter().filter_map(|line| line.strip_prefix("evidence ")?.split(' ').next());
        (asked.collect::<Vec<_>>().join(" "), kept[0].lines().next().unwrap_or_default().to_owned())
    };
    let heard = |name: &str| format!("strategy: {name}");
    assert_eq!(asked(vec![to(), seen()], &["auto"]), ("auto service".to_owned(), heard("service")));
    let gone = "service: not available: there is no unit web.service".to_owned();
    assert_eq!(
        asked(vec![to(), missing(), seen()], &["auto"]),
        ("auto service process".to_owned(), gone.clone())
    );
    assert_eq!(
        asked(vec![to(), missing(), missing(), seen()], &["auto", "docker"]).0,
        "auto service process docker"
    );
    let old = "custom: not available: this plugin was built before the operation existed".to_owned();
    assert_eq!(
        asked(vec![unsupported(), seen()], &["custom", "service"]),
        ("custom service".to_owned(), old)
    );
    // A delegation inside a delegation leads nowhere, as in a restart.
    assert_eq!(asked(vec![to(), to(), seen()], &["auto"]).0, "auto service");
}

#[test]
fn nothing_about_evidence_stops_a_restart() {
    let with = |script| run(script, &Spec { evidence: plan(None), ..spec("service") });
    let (end, log, _) = with(Script { full: true, ..answering(vec![seen()]) });
    assert_eq!((end, log.contains(&"keep".to_owned())), (End::Restarted, true));
    let (end, _, kept) = with(Script { panics: true, ..Script::default() });
    assert_eq!((end, kept[0].starts_with("not available: a bug in pm")), (End::Restarted, true));
    let flood = Evidence::default().fact("x".repeat(100_000), "y").lines(vec!["z".repeat(10_000); 10_000]);
    let (end, _, kept) = with(answering(vec![Ok(flood)]));
    assert_eq!(end, End::Restarted);
    assert!(kept[0].len() <= 64 * 1024);
}

#[test]
fn who_is_only_looked_at_resumed_or_without_an_entry_is_not_asked() {
    let quiet = |log: &[String]| !log.iter().any(|line| line.starts_with("evidence") || line == "keep");
    let spec_with = |evidence| Spec { evidence, ..spec("service") };
    let world = Scripted::new();
    let doubted = Job { verify: Verify::First, ..job() };
    let (end, _, log) = world.run(&doubted, &spec_with(plan(None)), &Claim::New);
    assert_eq!((end, quiet(&log)), (End::AlreadyHealthy, true), "only looked at");

    let world = Scripted { journal: Err("database or disk is full"), ..Scripted::new() };
    let (end, _, log) = world.run(&job(), &spec_with(plan(None)), &Claim::New);
    assert_eq!((end, quiet(&log)), (End::Restarted, true), "no entry to keep it with");

    let entry = Unfinished {
        id: AttemptId(3),
        name: Name::new("web"),
        alarms: vec![alarm(1, "web")],
        cause: Cause::Alarm,
        stage: Stage::Acting,
        identity: None,
        boot: Boot::Same,
    };
    let (end, _, log) = Scripted::new().run(&job(), &spec_with(plan(None)), &Claim::Resume(entry));
    assert_eq!((end, quiet(&log)), (End::Restarted, true), "resumed");

    let zero = Some(EvidencePlan { command: Some("x".to_owned()), timeout: Duration::ZERO });
    for off in [None, zero] {
        let (end, log, kept) = run(answering(vec![seen()]), &spec_with(off));
        assert_eq!((end, quiet(&log), kept.len()), (End::Restarted, true, 0));
    }
}
