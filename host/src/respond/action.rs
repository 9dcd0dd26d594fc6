//! The restart itself: note the identity, call the strategy, follow its delegation.
//!
//! A chain goes on with its next link when the one before says "not found" or "unsupported", or after any
//! failure when the delegating strategy asks for it. A delegation inside a delegation is refused: two levels
//! would make the log lie about who did what.

use super::Run;
use crate::failpoint::{self, Point};
use crate::ports::{Heard, JournalError, StepKind};
use crate::spec::PartRef;
use crate::wording;
use pm_plugin_api::{Action, Error, ErrorKind, Fallback, Outcome, Target};
use tracing::{debug, info, warn};

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Acted {
    /// One line.
    pub(super) detail: String,
}

impl Run<'_> {
    /// Restarts through the ladder from where it stands, by the next step when the one before failed.
    pub(super) fn act(&self, target: &Target) -> Result<Acted, Error> {
        let from = self.rung.get().min(self.spec.chain.len());
        let steps = &self.spec.chain[from..];
        self.first_that_works(steps, Fallback::Always, |place, link| {
            self.acted.set(Some(from + place));
            self.step(link, target)
        })
    }

    fn step(&self, link: &PartRef, target: &Target) -> Result<Acted, Error> {
        match self.call(link, target)? {
            Outcome::Done { action, detail } => Ok(self.done(&link.name, action, &detail)),
            Outcome::Delegate { to, fallback } => {
                let to: Vec<_> = to.into_iter().map(|name| self.delegate(name)).collect();
                self.first_that_works(&to, fallback, |_, link| match self.call(link, target)? {
                    Outcome::Done { action, detail } => Ok(self.done(&link.name, action, &detail)),
                    Outcome::Delegate { .. } => Err(Error::config(format!(
                        "strategy \"{}\" delegates again; name it in restart_strategy directly",
                        link.name
                    ))),
                    _ => Err(unknown_answer(&link.name)),
                })
            }
            _ => Err(unknown_answer(&link.name)),
        }
    }

    pub(super) fn delegate(&self, name: String) -> PartRef {
        let settings = self.spec.delegates.get(&name).cloned().unwrap_or_default();
        PartRef { name, settings }
    }

    /// Tries the links from the left; the error of the last one, with those before it, when none works.
    fn first_that_works(
        &self,
        links: &[PartRef],
        fallback: Fallback,
        act: impl Fn(usize, &PartRef) -> Result<Acted, Error>,
    ) -> Result<Acted, Error> {
        let mut refusals: Vec<String> = Vec::new();
        for (place, link) in links.iter().enumerate() {
            let error = match act(place, link) {
                Ok(acted) => return Ok(acted),
                Err(error) => error,
            };
            refusals.push(error.message);
            if place + 1 == links.len() || !goes_on(error.kind, fallback) {
                return Err(Error::new(error.kind, refusals.join("; ")));
            }
            let why = refusals.last().map_or("", String::as_str);
            warn!("{}", wording::next_link(&self.job.name, &link.name, why));
        }
        Err(Error::config("there is no strategy to restart it with"))
    }

    fn call(&self, part: &PartRef, target: &Target) -> Result<Outcome, Error> {
        // "Unsupported" is an honest answer: without an identity a crash leads to a second restart, and that is
        // documented for command strategies. "Does not run" is an identity too: whatever runs later is another.
        let identity = match self.identity(part, target) {
            // Whatever does not answer this would let the restart wait as long again, for nothing.
            Err(error) if error.kind == ErrorKind::Unavailable => {
                self.say_attempt();
                return Err(error);
            }
            other => other.ok(),
        };
        failpoint::pass(Point::IdentityRead);
        self.begin_to_act(identity.as_deref())?;
        self.say_attempt();
        failpoint::pass(Point::ActingNoted);
        let (began, heard) = (self.world.clock.now(), Heard::default());
        let answer = self.world.strategies.restart_heard(part, target, &heard);
        let answer = answer.or_else(|error| self.perhaps_done(error, identity.as_deref()));
        failpoint::pass(Point::RestartReturned);
        let result = match &answer {
            Ok(Outcome::Done { detail, .. }) => Ok(detail.clone()),
            // Who it is left to has a step of its own.
            Ok(Outcome::Delegate { .. }) => return answer,
            Ok(_) => Err(unknown_answer(&part.name).message),
            Err(error) => Err(error.message.clone()),
        };
        self.note(StepKind::Restart, &part.name, began, result, heard.text());
        answer
    }

    /// A restart whose plugin died in the middle may have been carried out: then it is not made a second time.
    fn perhaps_done(&self, error: Error, before: Option<&str>) -> Result<Outcome, Error> {
        let replaced = error.kind == ErrorKind::Interrupted
            && self.held.get().is_none()
            && before.is_some_and(|before| self.replaced(before));
        if !replaced {
            return Err(error);
        }
        warn!("{}", wording::done_all_the_same(&self.job.name, &error.message));
        Ok(Outcome::restarted(format!("{}, yet another instance runs now", error.message)))
    }

    /// Tells of an attempt, once: one that a hold or a window forbids is none.
    fn say_attempt(&self) {
        if let Some((attempt, most)) = self.untold.take() {
            info!("{}", wording::attempting(&self.job.name, attempt, most));
        }
    }

    /// Notes that the restart begins now. An operator's hold that came into force since the claim stops it here, and so
    /// does a maintenance window: whoever works there now has been told that nothing restarts the process any more.
    fn begin_to_act(&self, identity: Option<&str>) -> Result<(), Error> {
        let stopped = |why| Error::new(ErrorKind::Interrupted, self.held.get_or_init(|| why).clone());
        if let Some(why) = (self.world.called_off)() {
            return Err(stopped(why));
        }
        let Some(id) = self.id else { return Ok(()) };
        match self.world.journal.acting(id, identity, self.world.clock.now().wall) {
            Err(held @ JournalError::Held { .. }) => Err(stopped(held.to_string())),
            Err(unusable) => {
                debug!("{}", wording::no_journal(&unusable));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// `STRATEGY:IDENTITY` of the running instance, so that identities of different strategies are never compared;
    /// `STRATEGY:` when nothing runs.
    fn identity(&self, part: &PartRef, target: &Target) -> Result<String, Error> {
        let identity = self.world.strategies.identity(part, target)?;
        Ok(format!("{}:{}", part.name, identity.unwrap_or_default()))
    }

    /// Whether an instance runs now that is another one than `before`.
    pub(super) fn replaced(&self, before: &str) -> bool {
        let name = before.split(':').next().unwrap_or_default();
        let link = self.spec.chain.iter().find(|link| link.name == name).cloned();
        let part = link.unwrap_or_else(|| self.delegate(name.to_owned()));
        let now = self.identity(&part, &self.target(1));
        now.is_ok_and(|now| now != before && now.len() > name.len() + 1)
    }

    fn done(&self, strategy: &str, action: Action, detail: &str) -> Acted {
        info!("{}", wording::acted(&self.job.name, strategy, action, &self.spec.system_name, detail));
        Acted { detail: detail.to_owned() }
    }
}

fn goes_on(kind: ErrorKind, fallback: Fallback) -> bool {
    match kind {
        ErrorKind::NotFound | ErrorKind::Unsupported => true,
        ErrorKind::Failed | ErrorKind::Timeout | ErrorKind::Unavailable => fallback == Fallback::Always,
        _ => false,
    }
}

fn unknown_answer(strategy: &str) -> Error {
    Error::failed(format!(
        "strategy \"{strategy}\" gave an answer that this pm does not know; upgrade pm or use an older plugin"
    ))
}
