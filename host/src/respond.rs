//! One job from top to bottom: claim, verify (when in doubt), evidence, pre-restart, restart, verify again.
//!
//! A straight line over the ports with an injected clock. It decides nothing about other jobs and changes no
//! breaker: it reports an [`Outcome`], and the loop settles it. Every stage is noted in the journal *before* it
//! begins, so that after `kill -9` the next pm knows what may have happened (see [`resume`]).

mod action;
mod capsule;
mod evidence;
mod resume;
mod steps;
mod target;
#[cfg(test)]
mod tests;
mod verify;

use crate::failpoint::{self, Point};
use crate::policy::model::{AttemptId, Cause, Check, End, Job, Name, Outcome, Trial, Verify};
use crate::policy::time::{Ticks, Wall};
use crate::ports::{
    self, Answer, Asked, Captured, Chronicle, Clock, CommandLine, Exec, Fault, Intent, Journal, JournalError,
    Stage, StepKind, Strategies, Unfinished, Waited, Witness, bounded,
};
use crate::spec::Spec;
use crate::wording;
use action::Acted;
use pm_plugin_api::ErrorKind;
use pm_plugin_api::command::lines;
use std::cell::{Cell, OnceCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tracing::{debug, error, info, warn};
use verify::{Verdict, seen_by_check};

/// The world a job acts in.
pub struct World<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Restarts and checks.
    pub strategies: &'a dyn Strategies,
    /// The operator's own commands.
    pub exec: &'a dyn Exec,
    /// What is noted before anything is done.
    pub journal: &'a dyn Journal,
    /// Who is told of every attempt.
    pub chronicle: &'a dyn Chronicle,
    /// Who looks at processes.
    pub witness: &'a dyn Witness,
    /// When the alarm was first seen; none for a restart by hand.
    pub seen: Option<Wall>,
    /// Why nothing more is to be begun, once that is so; asked before each restart.
    pub called_off: &'a dyn Fn() -> Option<String>,
}

/// What a job yields.
#[must_use]
pub struct Report {
    /// Its journal entry; none when it never began one.
    pub id: Option<AttemptId>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a job gets its claim.
#[derive(Debug, Clone)]
pub enum Claim {
    /// A new entry in the journal.
    New,
    /// The entry of a pm that was killed.
    Resume(Unfinished),
}

/// A job in hand.
struct Run<'a> {
    job: &'a Job,
    spec: &'a Spec,
    world: &'a World<'a>,
    id: Option<AttemptId>,
    /// The step of the ladder that the next attempt begins with.
    rung: Cell<usize>,
    /// The step that acted last.
    acted: Cell<Option<usize>>,
    /// The hold or the window that came into force since the job began, in words.
    held: OnceCell<String>,
    /// The attempt that is to be told as soon as it is certain that it may be made, and of how many it is one.
    untold: Cell<Option<(u32, u32)>>,
}

/// Carries out `job` and reports what came of it. Blocks as long as the spec allows.
///
/// A panic becomes an outcome like any other: its entry in the journal must end, or the name would stay busy.
pub fn respond(job: &Job, spec: &Spec, claim: &Claim, world: &World<'_>) -> Report {
    let top = spec.chain.len().saturating_sub(1);
    let rung = Cell::new(usize::try_from(job.rung).unwrap_or(top).min(top));
    let (acted, held, untold) = (Cell::new(None), OnceCell::new(), Cell::new(None));
    let mut run = Run { job, spec, world, id: None, rung, acted, held, untold };
    if let Claim::Resume(entry) = claim {
        run.id = Some(entry.id);
        let outcome = contained(|| run.resumed(entry));
        return Report { id: run.id, outcome };
    }
    if let Some(outcome) = contained_if(|| run.look_first()) {
        return Report { id: None, outcome };
    }
    failpoint::pass(Point::LookedFirst);
    if let Err(outcome) = run.claim() {
        return Report { id: None, outcome };
    }
    failpoint::pass(Point::Claimed);
    let outcome = contained(|| run.whole_procedure());
    Report { id: run.id, outcome }
}

fn contained(work: impl FnOnce() -> Outcome) -> Outcome {
    contained_if(|| Some(work())).unwrap_or_else(panicked)
}

fn contained_if(work: impl FnOnce() -> Option<Outcome>) -> Option<Outcome> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Some(panicked()))
}

fn panicked() -> Outcome {
    let detail = "a bug in pm: the restart panicked; the log says where, please report it";
    Outcome::new(End::Infrastructure, 0, detail)
}

impl Run<'_> {
    /// Looks before anything is done, as the job says; an outcome when that is the end of it.
    fn look_first(&self) -> Option<Outcome> {
        let name = &self.job.name;
        let verdict = match self.job.verify {
            Verify::AfterOnly if !self.was_restarted_by_hand() => return None,
            Verify::Patiently => self.verify(),
            Verify::First | Verify::Only | Verify::AfterOnly => self.look_once()?,
        };
        match (verdict, self.job.verify) {
            (Verdict::Healthy(detail), _) => {
                let text = wording::already_healthy(name, &detail);
                match self.job.cause {
                    // While it is held everything is looked at again and again; one summary tells of it.
                    Cause::MassAlarm => debug!("{text}"),
                    _ => info!("{text}"),
                }
                Some(Outcome::new(End::AlreadyHealthy, 0, detail))
            }
            (Verdict::Unhealthy(why), Verify::Only) => {
                info!("{}", wording::only_looked(name, &why));
                Some(Outcome::new(End::Unhealthy, 0, why))
            }
            (Verdict::Interrupted, _) => Some(self.handed_over(0)),
            (Verdict::Unhealthy(_) | Verdict::NotChecked, _) => None,
        }
    }

    /// Whether it was restarted a moment ago by somebody else than the loop, which knows its own restarts: by
    /// hand. Then the alarm may be older than that.
    fn was_restarted_by_hand(&self) -> bool {
        let doubt = i64::try_from(self.spec.rules.doubt.as_millis()).unwrap_or(i64::MAX);
        if self.job.alarms.is_empty() || self.spec.check.is_none() || doubt == 0 {
            return false;
        }
        let last = self.world.journal.attempts(Some(&self.job.name), 1).unwrap_or_default();
        let now = self.world.clock.now().wall;
        last.first().and_then(|attempt| attempt.ended.as_ref()).is_some_and(|(at, end, ..)| {
            *end == End::Restarted && (0..doubt).contains(&now.0.saturating_sub(at.0))
        })
    }

    /// Opens the journal entry. A journal that cannot be written does not stop a restart: a full disk must not be
    /// the reason why a shop stands still; the daemon says loudly that it works without memory.
    fn claim(&mut self) -> Result<(), Outcome> {
        let intent = Intent {
            name: self.job.name.clone(),
            alarms: self.job.alarms.clone(),
            seen: self.world.seen,
            group: self.spec.group.clone(),
            strategy: self.spec.strategy_text.clone(),
            cause: self.job.cause.clone(),
            chain: self.asked(),
            at: self.world.clock.now(),
        };
        match self.world.journal.begin(&intent) {
            Ok(id) => self.id = Some(id),
            Err(refused @ (JournalError::Busy { .. } | JournalError::Held { .. })) => {
                return Err(Outcome::new(End::Cancelled, 0, refused.to_string()));
            }
            Err(unusable @ JournalError::Unusable { .. }) => debug!("{}", wording::no_journal(&unusable)),
        }
        Ok(())
    }

    /// What the checks of the policy saw, as the journal keeps it.
    fn asked(&self) -> Vec<Asked> {
        let passed = |(check, saw): &(Check, String)| Asked {
            check: check.word().to_owned(),
            answer: Answer::Passed,
            saw: saw.clone(),
        };
        self.job.chain.iter().map(passed).collect()
    }

    fn whole_procedure(&self) -> Outcome {
        info!("{}", wording::beginning(&self.job.name, &self.spec.strategy_text, &self.spec.system_name));
        self.keep_evidence();
        failpoint::pass(Point::EvidenceKept);
        if let Some(line) = &self.spec.pre_restart {
            self.stage(Stage::Prepared, None);
            failpoint::pass(Point::Preparing);
            if let Err(outcome) = self.prepare(line) {
                return outcome;
            }
            failpoint::pass(Point::Prepared);
        }
        self.attempts()
    }

    fn prepare(&self, line: &str) -> Result<(), Outcome> {
        let name = &self.job.name;
        info!("{}", wording::pre_restart(name, line));
        let command = CommandLine {
            line,
            directory: &self.spec.working_directory,
            environment: &self.environment(1),
            timeout: self.spec.pre_restart_timeout,
        };
        let began = self.world.clock.now();
        let Captured { output, end } = self.world.exec.run(&command);
        let result = end.as_ref().map(|()| "done".to_owned()).map_err(|failed| failed.why.clone());
        self.note(StepKind::PreRestart, "", began, result, bounded(lines(&output)));
        end.map_err(|failed| {
            error!("{}", wording::pre_restart_failed(name, &failed.why));
            let end = if failed.fault == Fault::Host { End::Infrastructure } else { End::Failed };
            Outcome::new(end, 0, format!("pre-restart command {}", failed.why))
        })
    }

    /// Restart and verify, up to `max_attempts` times; a probe gets exactly one.
    fn attempts(&self) -> Outcome {
        let most = if self.job.trial == Trial::Probe { 1 } else { self.spec.max_attempts };
        let mut last = "max_attempts = 0 leaves nothing to try".to_owned();
        for attempt in 1..=most {
            self.untold.set(Some((attempt, most)));
            let began = self.world.clock.now().boot;
            let tried = self.attempt(attempt);
            if let Some(why) = self.held.get() {
                return self.outcome(End::Cancelled, attempt - 1, why.clone());
            }
            self.tell(attempt, most, began, &tried);
            failpoint::pass(Point::AttemptTold);
            match tried {
                Tried::Good(detail) => return self.good(attempt, detail),
                Tried::Again(why) => last = why,
                Tried::Interrupted => return self.handed_over(attempt),
                Tried::Useless(end, driver, why) => {
                    error!("{}", wording::given_up(&self.job.name, &why));
                    return Outcome { driver, ..self.outcome(end, attempt, why) };
                }
            }
            warn!("{}", wording::attempt_failed(&self.job.name, attempt, &last));
            failpoint::pass(Point::AttemptFailed);
            if attempt < most && self.wait(self.spec.backoff.after(attempt)) == Waited::Interrupted {
                return self.handed_over(attempt);
            }
        }
        error!("{}", wording::all_failed(&self.job.name));
        self.outcome(End::Failed, most, last)
    }

    fn outcome(&self, end: End, attempts: u32, detail: String) -> Outcome {
        let rung = self.acted.get().and_then(|rung| u32::try_from(rung).ok());
        Outcome { rung, ..Outcome::new(end, attempts, detail) }
    }

    fn tell(&self, attempt: u32, most: u32, began: Ticks, tried: &Tried) {
        let now = self.world.clock.now();
        self.world.chronicle.attempt(&ports::Tried {
            name: &self.job.name,
            attempt: (attempt, most),
            result: if matches!(tried, Tried::Good(_)) { Ok(()) } else { Err(()) },
            took: now.boot.since(began),
            at: now.wall,
        });
    }

    fn attempt(&self, attempt: u32) -> Tried {
        let (acted, action_error) = match self.act(&self.target(attempt)) {
            Ok(acted) => (acted, None),
            Err(error) => match error.kind {
                // A bus that does not answer or a plugin that breaks will fail the next process, too.
                ErrorKind::Unavailable | ErrorKind::Panicked | ErrorKind::Interrupted => {
                    let driver = Some(Name::new(self.last_link()));
                    return Tried::Useless(End::Infrastructure, driver, error.message);
                }
                ErrorKind::Permission => {
                    return Tried::Useless(End::Infrastructure, None, error.message);
                }
                ErrorKind::Config | ErrorKind::NotFound | ErrorKind::Unsupported => {
                    return Tried::Useless(End::Failed, None, error.message);
                }
                _ => {
                    let (name, strategy) = (&self.job.name, self.last_link());
                    error!("{}", wording::not_acted(name, strategy, &self.spec.system_name, &error.message));
                    (Acted::default(), Some(error.message))
                }
            },
        };
        self.stage(Stage::Verifying, None);
        failpoint::pass(Point::VerifyingNoted);
        // What did not help is not tried again before the next step of the ladder was.
        let next = self.acted.get().map_or(0, |rung| rung + 1);
        self.rung.set(next.min(self.spec.chain.len().saturating_sub(1)));
        let verdict = match (&self.spec.check, &action_error) {
            // Without a check nothing is to be assumed of what failed.
            (None, Some(_)) => Verdict::NotChecked,
            _ => self.verify(),
        };
        failpoint::pass(Point::Verified);
        match (verdict, action_error) {
            // With a check the check alone decides, as ever; the status of the action is recorded.
            (Verdict::Healthy(seen), None) => {
                Tried::Good(format!("{}; {}", acted.detail, seen_by_check(&seen)))
            }
            (Verdict::Healthy(seen), Some(error)) => {
                Tried::Good(format!("{error}; {}", seen_by_check(&seen)))
            }
            (Verdict::NotChecked, None) => Tried::Good(acted.detail),
            (Verdict::NotChecked, Some(error)) => Tried::Again(error),
            (Verdict::Unhealthy(why), None) => {
                error!("{}", wording::check_failed_after(&self.spec.system_name));
                Tried::Again(why)
            }
            (Verdict::Unhealthy(why), Some(error)) => Tried::Again(format!("{error}; {why}")),
            (Verdict::Interrupted, _) => Tried::Interrupted,
        }
    }

    /// The strategy whose failure ended an attempt.
    fn last_link(&self) -> &str {
        let link = self.acted.get().map_or_else(|| self.spec.chain.last(), |rung| self.spec.chain.get(rung));
        link.map_or("", |link| link.name.as_str())
    }

    fn good(&self, attempts: u32, detail: String) -> Outcome {
        // Of a ladder it is told which step did it.
        let one = self.spec.chain.len() == 1;
        let strategy = if one { &self.spec.strategy_text } else { self.last_link() };
        info!("{}", wording::restarted(&self.spec.system_name, strategy));
        self.outcome(End::Restarted, attempts, detail)
    }

    fn handed_over(&self, attempts: u32) -> Outcome {
        warn!("{}", wording::handed_over(&self.job.name));
        failpoint::pass(Point::HandedOver);
        self.outcome(End::HandedOver, attempts, STOPPED.to_owned())
    }

    /// Notes how far the job has come; what cannot be noted is said and does not stop the restart.
    fn stage(&self, stage: Stage, identity: Option<&str>) {
        if let Some(id) = self.id
            && let Err(unusable) = self.world.journal.stage(id, stage, identity)
        {
            debug!("{}", wording::no_journal(&unusable));
        }
    }

    fn wait(&self, duration: Duration) -> Waited {
        self.world.clock.wait(duration)
    }
}

const STOPPED: &str = "pm was stopped in the middle; the next start goes on";

/// What one attempt yields.
enum Tried {
    /// Restarted and verified.
    Good(String),
    /// It did not help; another attempt may.
    Again(String),
    /// pm is to stop.
    Interrupted,
    /// Another attempt now is pointless.
    Useless(End, Option<Name>, String),
}
