//! Evidence before a restart: what the strategy says of its target, the processes behind it, the operator's own command.
//!
//! It is gathered once per job, only by a job that is going to act and has an entry to keep it with. It decides nothing and
//! stops nothing: what fails is a line in the capsule, and all of it takes at most `evidence_timeout`, so a strategy that
//! hangs costs that much and the restart goes on.

use super::Run;
use super::capsule::Capsule;
use super::target::millis;
use crate::policy::time::Ticks;
use crate::ports::{CommandLine, StepKind};
use crate::spec::{EvidencePlan, PartRef};
use crate::wording;
use pm_plugin_api::{Error, Evidence};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tracing::debug;

/// The most of a command's output that is kept, in bytes.
const MOST_OUTPUT: usize = 16 * 1024;

impl Run<'_> {
    /// Looks at the target and keeps what was seen with the entry.
    pub(super) fn keep_evidence(&self) {
        let (Some(plan), Some(id)) = (&self.spec.evidence, self.id) else { return };
        if plan.timeout.is_zero() {
            return;
        }
        let before = self.world.clock.now();
        let text = catch_unwind(AssertUnwindSafe(|| self.gather(plan))).unwrap_or_else(|_| {
            "not available: a bug in pm; the log says where, please report it\n".to_owned()
        });
        debug!("{}", wording::evidence_kept(&self.job.name, text.len()));
        let kept = format!("{} bytes: pm history --evidence {}", text.len(), id.0);
        self.note(StepKind::Evidence, "", before, Ok(kept), String::new());
        if let Err(unusable) = self.world.journal.evidence(id, &text) {
            debug!("{}", wording::no_journal(&unusable));
        }
    }

    /// Where a command is to follow it has half of the time at least. Of what comes before it the strategies get three
    /// quarters; looking at processes takes some milliseconds of the rest.
    fn gather(&self, plan: &EvidencePlan) -> String {
        let began = self.world.clock.now().boot;
        let looking = if plan.command.is_some() { plan.timeout / 2 } else { plan.timeout };
        let (asked, looked) = (began.after(looking / 4 * 3), began.after(looking));
        let mut capsule = Capsule::default();
        let evidence = self.ask_strategies(asked, &mut capsule);
        for (what, text) in &evidence.facts {
            capsule.fact(what, text);
        }
        if !evidence.pids.is_empty() {
            capsule.processes(&self.world.witness.look(&evidence.pids, looked));
        }
        if !evidence.log.is_empty() {
            capsule.log(&evidence.log);
        }
        if let Some(line) = &plan.command {
            self.ask_operator(line, began.after(plan.timeout), &mut capsule);
        }
        let took = self.world.clock.now().boot.since(began);
        capsule.fact("gathered in", &format!("{} ms", took.as_millis()));
        capsule.text()
    }

    /// What the first strategy that knows the target says, a delegation followed as for a restart. Any error leads to the
    /// next one, because asking harms nobody; the errors are facts.
    fn ask_strategies(&self, until: Ticks, capsule: &mut Capsule) -> Evidence {
        for link in &self.spec.chain {
            let Some(evidence) = self.ask(link, until, capsule) else { continue };
            if evidence.ask.is_empty() {
                return evidence;
            }
            let mut delegates = evidence.ask.into_iter().map(|name| self.delegate(name));
            if let Some(evidence) = delegates.find_map(|link| self.ask(&link, until, capsule)) {
                return evidence;
            }
        }
        Evidence::default()
    }

    fn ask(&self, link: &PartRef, until: Ticks, capsule: &mut Capsule) -> Option<Evidence> {
        let left = until.since(self.world.clock.now().boot);
        let mut target = self.target(1);
        target.timeout_ms = millis(left);
        let answer = if left.is_zero() {
            Err(Error::timeout("there was no time left to ask it"))
        } else {
            self.world.strategies.evidence(link, &target)
        };
        match answer {
            Ok(evidence) => {
                if evidence.ask.is_empty() {
                    capsule.fact("strategy", &link.name);
                }
                Some(evidence)
            }
            Err(error) => {
                capsule.fact(&link.name, &format!("not available: {error}"));
                None
            }
        }
    }

    fn ask_operator(&self, line: &str, until: Ticks, capsule: &mut Capsule) {
        let command = CommandLine {
            line,
            directory: &self.spec.working_directory,
            environment: &self.environment(1),
            timeout: until.since(self.world.clock.now().boot),
        };
        let captured = self.world.exec.capture(&command, MOST_OUTPUT);
        let end = captured.end.map_or_else(|failed| failed.why, |()| "done".to_owned());
        capsule.output(&end, &captured.output);
    }
}
