//! Plugins: finds the libraries, checks them, loads them on first use, and runs restarts and checks by name.
//!
//! [`Registry`] is the port [`Strategies`] of the rest of pm. A directory is looked through without running any
//! library's code; every refusal is one line that names the file, the reason and the fix; a call never blocks longer
//! than its target's time limit. Whether a library runs in this process or elsewhere is hidden behind one trait.
//!
//! Nothing here knows the alarm table or the policy, and nothing outside of this folder names the binary interface.

mod backend;
mod claim;
mod directory;
mod elf;
mod examine;
mod in_process;
mod instances;
mod load;
mod log;
mod notify;
mod obey;
mod parts;
mod pin;
mod pool;
mod refusal;
mod registry;
mod replace;
mod rules;
mod shelf;
mod slots;
mod tally;
mod trust;
mod unknown;
mod watch;
pub mod wire;
mod worker;

pub use backend::Report;
pub use claim::Part;
pub use directory::directory;
pub use refusal::{DirectoryRefusal, Flaw, Maker, Reason, Refusal};
pub use registry::Registry;
pub use rules::{Isolation, Rule, Rules};
pub use slots::{Entry, OnDisk, State};
pub use unknown::nearest;
pub use watch::watch;
pub use worker::{VERB as WORKER, serve};

use crate::ports::{Heard, Strategies};
use crate::spec::PartRef;
use backend::{Backend, Call};
use pm_plugin_api::{Error, Evidence, Health, Outcome, Target};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

const STRATEGY: &str = "strategy";
const CHECK: &str = "check";
/// The operation that a restart can do without.
const EVIDENCE: &str = "evidence";

/// What is asked of a part.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// `restart`, `check`, and whatever else the kind knows.
    pub op: &'a str,
    /// Whom it is about, for messages.
    pub subject: &'a str,
    /// The request as JSON.
    pub body: &'a [u8],
    /// How long the answer may take.
    pub timeout: Duration,
    /// Where what the part says meanwhile is kept, if anybody asked.
    pub heard: Option<&'a Heard>,
}

/// The body of a call that is about a process.
#[derive(Serialize)]
struct Request<'a> {
    target: &'a Target,
}

impl Strategies for Registry {
    fn restart(&self, part: &PartRef, target: &Target) -> Result<Outcome, Error> {
        self.ask(STRATEGY, part, "restart", target, None)
    }

    fn restart_heard(&self, part: &PartRef, target: &Target, heard: &Heard) -> Result<Outcome, Error> {
        self.ask(STRATEGY, part, "restart", target, Some(heard))
    }

    fn identity(&self, part: &PartRef, target: &Target) -> Result<Option<String>, Error> {
        self.ask(STRATEGY, part, "identity", target, None)
    }

    fn evidence(&self, part: &PartRef, target: &Target) -> Result<Evidence, Error> {
        self.ask(STRATEGY, part, EVIDENCE, target, None)
    }

    fn check(&self, part: &PartRef, target: &Target) -> Result<Health, Error> {
        self.ask(CHECK, part, "check", target, None)
    }
}

impl Registry {
    fn ask<T: DeserializeOwned>(
        &self,
        kind: &str,
        part: &PartRef,
        op: &str,
        target: &Target,
        heard: Option<&Heard>,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(&Request { target })?;
        let (subject, timeout) = (&target.name, target.timeout());
        let answer = self.call(kind, part, Operation { op, subject, body: &body, timeout, heard })?;
        serde_json::from_slice(&answer).map_err(|error| {
            Error::failed(format!(
                "{kind} \"{}\": its answer to {op} cannot be read ({error}); rebuild the plugin",
                part.name
            ))
        })
    }

    /// Runs any operation of a part; answers its JSON.
    ///
    /// # Errors
    /// Those of the part, and those of [`Strategies`].
    pub fn call(&self, kind: &str, part: &PartRef, operation: Operation<'_>) -> Result<Vec<u8>, Error> {
        let Operation { op, subject, body, timeout, heard } = operation;
        let backend = self.find(kind, &part.name)?;
        let (name, settings) = (part.name.as_str(), &part.settings);
        backend.call(&Call { kind, name, settings, op, subject, body, timeout, heard })
    }

    /// What runs a part. A library that was put there, or put right, a moment ago is found.
    fn find(&self, kind: &str, name: &str) -> Result<Arc<dyn Backend>, Error> {
        if let Some(backend) = self.backend(kind, name) {
            return Ok(backend);
        }
        self.rescan();
        self.backend(kind, name).ok_or_else(|| self.contents().unknown(kind, name))
    }
}
