//! A loaded library and its live parts: what a call runs, in this process or in a worker.

use super::instances::{Instances, Key};
use super::load::{Instance, Root};
use pm_plugin_api::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

/// The library and its parts.
pub(super) struct Parts {
    /// The name of the plugin, for messages.
    plugin: Arc<str>,
    root: Root,
    instances: Mutex<Instances<Instance>>,
}

impl Parts {
    pub(super) fn new(plugin: Arc<str>, root: Root) -> Self {
        Self { plugin, root, instances: Mutex::new(Instances::new()) }
    }

    /// Runs an operation of a part, which is made when it is the first of its settings. Runs the library's code.
    pub(super) fn run(&self, key: Key, op: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        self.instance(key)?.call(op, body).map_err(|error| self.named(error))
    }

    fn instance(&self, key: Key) -> Result<Arc<Instance>, Error> {
        if let Some(instance) = self.instances.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(instance);
        }
        let made =
            self.root.create(&key.kind, &key.name, &key.settings).map_err(|error| self.not_made(error))?;
        let (instance, gone) = self.instances.lock().unwrap_or_else(PoisonError::into_inner).keep(key, made);
        drop(gone);
        Ok(instance)
    }

    /// Errors of the author's `new` are about the operator's keys.
    fn not_made(&self, error: Error) -> Error {
        match error.kind {
            ErrorKind::Config => error.context(format_args!("plugin \"{}\": settings", self.plugin)),
            _ => self.named(error),
        }
    }

    /// A part says itself what it was about; what was caught around it needs the plugin's name.
    fn named(&self, mut error: Error) -> Error {
        if error.kind == ErrorKind::Panicked {
            error.message = format!("plugin \"{}\" {}", self.plugin, error.message);
        }
        error
    }
}
