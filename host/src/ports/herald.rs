//! Telling people: what happened goes to a [`Herald`], and what he writes to somebody goes out by [`Notifiers`].

use crate::policy::model::{Name, Notice};
use crate::policy::window::Scope;
use crate::spec::PartRef;
use pm_plugin_api::Error as PluginError;
use std::time::Duration;

/// Tells people what happened, if anybody wants to know.
///
/// [`tell`](Self::tell) takes it in and returns at once, whatever the receivers do: whoever calls it restarts things.
/// What comes faster than it can be delivered is counted, and the number told.
pub trait Herald: Send + Sync {
    /// Something happened, now.
    fn tell(&self, happened: Happened);
}

/// Where nobody wants to know.
impl Herald for () {
    fn tell(&self, _: Happened) {}
}

/// Delivers notices, by the name of the part. The implementation finds, loads and isolates the plugins.
pub trait Notifiers: Send + Sync {
    /// Delivers one notice with one try; returns within the notice's time limit.
    ///
    /// # Errors
    /// The plugin's own error, or one of the host: no such notifier, refused library, no answer in time.
    fn notify(&self, part: &PartRef, notice: &pm_plugin_api::Notice) -> Result<(), PluginError>;
}

/// What people may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// The policy has come to a conclusion; those that people need not know are passed over.
    Concluded {
        /// Which.
        notice: Notice,
        /// Whom it is about, with the groups of processes and the members of groups; empty when it is about the host.
        touches: Vec<Scope>,
        /// Who has brought it about, when somebody has: an operator's name, which is a note and no proof.
        by: Option<String>,
    },
    /// A restart did not succeed.
    RestartFailed {
        /// Whose.
        name: Name,
        /// Its group.
        group: Option<Name>,
        /// How many times it was tried.
        attempts: u32,
        /// Why the last try failed.
        why: String,
    },
    /// Another host has not been heard of.
    HostSilent {
        /// Which.
        host: String,
        /// What its machine is called.
        machine: String,
        /// For how long.
        silent: Duration,
    },
    /// A plugin crashes, hangs or cannot be loaded.
    PluginFailing {
        /// Its name, or its file.
        plugin: String,
        /// What it does, in one line.
        why: String,
    },
    /// The alarm database does not answer.
    DatabaseLost {
        /// What was attempted and why it failed.
        why: String,
    },
    /// The alarm database answers again.
    DatabaseBack,
    /// An operator wants to see whether notices arrive.
    Test,
}
