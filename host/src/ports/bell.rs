//! The port to what tells that the alarm table may have changed, so that pm does not have to wait for its next poll.
//!
//! A bell is a hint and nothing more: it may ring for nothing, too early to see the change, or not at all. What is true
//! is what a poll reads, and polls go on at their pace whether it rings or not.

use super::StoreError;
use std::ops::ControlFlow;

/// What a bell tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// It listens from now on: what changed before is for a poll to find.
    Listening,
    /// The table may have changed.
    Change,
    /// Nothing; it asks whether it is still wanted.
    Nothing,
}

/// Listens for changes of one table.
pub trait Bell: Send {
    /// What it listens to, for people: `changes of the file /var/lib/pm/alarms.db`.
    fn source(&self) -> String;
    /// Blocks and tells what it hears, until it is told to break off.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot listen (any more); it can be asked to again.
    fn listen(&mut self, hear: &mut dyn FnMut(Ring) -> ControlFlow<()>) -> Result<(), StoreError>;
}
