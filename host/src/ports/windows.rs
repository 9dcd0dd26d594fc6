//! The port to the maintenance windows that operators have added; pm keeps them in its journal.

use crate::policy::name::Name;
use crate::policy::time::Wall;
use crate::policy::window::Definition;
use crate::ports::JournalError;
use crate::ports::overrides::Request;

/// The windows that operators have added. Every call is durable against `kill -9` when it returns, and a change is there
/// together with its entries in the audit.
pub trait Windows: Send + Sync {
    /// All of them by name, also those that are over. Another process may have changed them since the last call.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn windows(&self) -> Result<Vec<Definition>, JournalError>;
    /// Adds one, at the moment `at`, in place of a single one of that name that is over by then; forgets single ones that
    /// have been over for 30 days.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn add_window(&self, definition: &Definition, at: Wall) -> Result<Added, JournalError>;
    /// Removes one, as somebody asks for; answers whether there was one.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn remove_window(&self, id: &Name, request: &Request) -> Result<bool, JournalError>;
}

/// What became of an addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Added {
    /// It is there.
    Done,
    /// It is there, in place of one of that name that was over.
    Replaced,
    /// There is one of that name that is not over; nothing has changed.
    Taken,
}
