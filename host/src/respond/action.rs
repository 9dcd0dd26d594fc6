//! The restart itself: note the identity, call the strategy, follow its delegation.
//!
//! A chain goes on with its next link when the one before says "not found" or "unsupported", or after any
//! failure when the delegating strategy asks for it. A delegation inside a delegation is refused: two levels
//! would make the log lie about who did what.

use super::Run;
use crate::ports::Stage;
use crate::spec::PartRef;
use crate::wording;
use pm_plugin_api::{Action, Error, ErrorKind, Fallback, Outcome, Target};
use tracing::{info, warn};

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Acted {
    /// One line.
    pub(super) detail: String,
}

impl Run<'_> {
    /// Restarts through the configured strategy.
    pub(super) fn act(&self, target: &Target) -> Result<Acted, Error> {
        match self.call(&self.spec.strategy, target)? {
            Outcome::Done { action, detail } => Ok(self.done(&self.spec.strategy.name, action, &detail)),
            Outcome::Delegate { to, fallback } => self.follow(&to, fallback, target),
            _ => Err(unknown_answer(&self.spec.strategy.name)),
        }
    }

    fn follow(&self, links: &[String], fallback: Fallback, target: &Target) -> Result<Acted, Error> {
        let mut refusals = Vec::new();
        for name in links {
            let settings = self.spec.delegates.get(name).cloned().unwrap_or_default();
            let part = PartRef { name: name.clone(), settings };
            match self.call(&part, target) {
                Ok(Outcome::Done { action, detail }) => return Ok(self.done(name, action, &detail)),
                Ok(Outcome::Delegate { .. }) => {
                    return Err(Error::config(format!(
                        "strategy \"{name}\" delegates again; name it in restart_strategy directly"
                    )));
                }
                Ok(_) => return Err(unknown_answer(name)),
                Err(error) if goes_on(&error, fallback) => {
                    warn!("{}", wording::next_link(&self.job.name, name, &error.message));
                    refusals.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        let Some(last) = refusals.last() else {
            return Err(Error::config("the strategy delegates to nobody"));
        };
        let all: Vec<_> = refusals.iter().map(|error| error.message.as_str()).collect();
        Err(Error::new(last.kind, all.join("; ")))
    }

    fn call(&self, part: &PartRef, target: &Target) -> Result<Outcome, Error> {
        // "Unsupported" is an honest answer: without an identity a crash leads to a second restart, and that is
        // documented for command strategies.
        let identity = self.identity(part, target);
        self.stage(Stage::Acting, identity.as_deref());
        self.world.strategies.restart(part, target)
    }

    /// `STRATEGY:IDENTITY` of the running instance, so that identities of different strategies are never compared.
    pub(super) fn identity(&self, part: &PartRef, target: &Target) -> Option<String> {
        let identity = self.world.strategies.identity(part, target).ok().flatten()?;
        Some(format!("{}:{identity}", part.name))
    }

    fn done(&self, strategy: &str, action: Action, detail: &str) -> Acted {
        info!("{}", wording::acted(strategy, action, &self.spec.system_name, detail));
        Acted { detail: detail.to_owned() }
    }
}

fn goes_on(error: &Error, fallback: Fallback) -> bool {
    match error.kind {
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
