//! The traits an author implements, in plain Rust types. They know nothing of the binary interface.
//!
//! Calls come from several threads at once, hence `&self` and `Send + Sync`. A part may block, but should give
//! up before [`Target::timeout`] and say why. A part that needs an asynchronous runtime owns a current-thread one.

use crate::error::{Error, Result};
use crate::notice::Notice;
use crate::settings::Settings;
use crate::types::{Evidence, Health, Outcome, Target};

/// A way to restart something.
pub trait Strategy: Send + Sync + Sized + 'static {
    /// What the operator can set; [`NoSettings`](crate::NoSettings) when nothing.
    type Settings: Settings;

    /// Makes the strategy for one set of settings; cheap, no I/O: connect on first use.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the settings contradict each other.
    fn new(settings: Self::Settings) -> Result<Self>;

    /// Restarts the target when it runs, starts it when not, and waits for the result of that action.
    ///
    /// Whether the target is *healthy* afterwards is for a check to say.
    ///
    /// # Errors
    /// The kind tells "there is no such thing" from "it did not work" from "nobody answers"; see
    /// [`ErrorKind`](crate::ErrorKind).
    fn restart(&self, target: &Target) -> Result<Outcome>;

    /// A text that changes with every start of the target (pid and start time, invocation id), or `None` when it
    /// does not run. pm compares it after its own crash to learn whether a restart already happened.
    ///
    /// # Errors
    /// As [`restart`](Self::restart); "unsupported" by default.
    fn identity(&self, target: &Target) -> Result<Option<String>> {
        Err(Error::unsupported(format!("the strategy has no identity for {:?}", target.name)))
    }

    /// What can be seen of the target before it is restarted, for whoever asks later why that was necessary. Look and
    /// change nothing; a restart waits for it, a second or two at the most ([`Target::timeout`]), and happens whatever
    /// this answers. What cannot be found out is best a fact of its own: `Ok` with `("memory", "not available: …")`.
    ///
    /// # Errors
    /// "Not found" when there is no such target, so that the next strategy of a chain is asked; "unsupported" by default.
    fn evidence(&self, target: &Target) -> Result<Evidence> {
        Err(Error::unsupported(format!("the strategy gives no evidence of {:?}", target.name)))
    }
}

/// A way to find out whether something works.
pub trait HealthCheck: Send + Sync + Sized + 'static {
    /// What the operator can set.
    type Settings: Settings;

    /// Makes the check for one set of settings; cheap, no I/O.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the settings contradict each other.
    fn new(settings: Self::Settings) -> Result<Self>;

    /// Looks once; pm repeats it until it is healthy or the time is over.
    ///
    /// # Errors
    /// When it could not be found out; pm treats that as "not healthy yet".
    fn check(&self, target: &Target) -> Result<Health>;
}

/// A way to tell people what happened.
pub trait Notifier: Send + Sync + Sized + 'static {
    /// What the operator can set.
    type Settings: Settings;

    /// Makes the notifier for one set of settings; cheap, no I/O: connect on first use.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the settings contradict each other.
    fn new(settings: Self::Settings) -> Result<Self>;

    /// Delivers one notice, and answers when the receiver has taken it. pm has a queue, a pause between tries, a limit
    /// and a breaker of its own for each receiver: try once, within [`Notice::timeout`], and say why it failed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) and [`ErrorKind::Permission`](crate::ErrorKind::Permission) say
    /// that another try is useless until somebody changes something: pm then gives this notice up. Every other kind is
    /// tried again. Never with a secret in the text.
    fn notify(&self, notice: &Notice) -> Result<()>;
}
