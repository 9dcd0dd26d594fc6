//! Plugins: finds the libraries, checks them, loads them on first use, and runs restarts and checks by name.
//!
//! [`Registry`] is the port [`Strategies`] of the rest of pm. A directory is looked through without running any
//! library's code; every refusal is one line that names the file, the reason and the fix; a call never blocks longer
//! than its target's time limit. Whether a library runs in this process or elsewhere is hidden behind one trait.
//!
//! Nothing here knows the alarm table or the policy, and nothing outside of this folder names the binary interface.

mod backend;
mod directory;
mod elf;
mod examine;
mod in_process;
mod instances;
mod load;
mod log;
mod pool;
mod refusal;
mod registry;
mod trust;
mod unknown;

pub use directory::directory;
pub use refusal::{DirectoryRefusal, Flaw, Maker, Reason, Refusal};
pub use registry::{Entry, OnDisk, Registry, State};
pub use unknown::nearest;

use crate::ports::{Heard, Strategies};
use crate::spec::PartRef;
use backend::{Backend, Call};
use pm_plugin_api::{Error, Evidence, Health, Outcome, Target};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

const STRATEGY: &str = "strategy";
const CHECK: &str = "check";
/// The operation that a restart can do without.
const EVIDENCE: &str = "evidence";

/// The body of every call.
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
        let backend = self.find(kind, &part.name)?;
        let body = serde_json::to_vec(&Request { target })?;
        let answer = backend.call(&Call {
            kind,
            name: &part.name,
            settings: &part.settings,
            op,
            subject: &target.name,
            body: &body,
            timeout: target.timeout(),
            heard,
        })?;
        serde_json::from_slice(&answer).map_err(|error| {
            Error::failed(format!(
                "{kind} \"{}\": its answer to {op} cannot be read ({error}); rebuild the plugin",
                part.name
            ))
        })
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
