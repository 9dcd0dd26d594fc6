//! How the loop comes to its end: when it is over, what becomes of the jobs that still run, and of what waits to be written.

use super::Daemon;
use super::keeper::Command;
use crate::policy::model::Intake;
use crate::wording;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use tracing::{info, warn};

/// How long jobs that were told to stop get to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Daemon {
    pub(super) fn finished(&self) -> bool {
        self.intake == Intake::Stopping
            && (self.book.running.is_empty()
                || self.give_up.is_some_and(|until| until <= self.parts.clock.now().boot))
    }

    /// Asks what still runs to leave, takes its last words, and sees the clearings off.
    pub(super) fn leave(mut self) {
        if !self.book.state.is_at_rest() {
            // Up to here it was seen who is quiet.
            self.book.state.dirty.host = true;
            self.keep();
        }
        (self.parts.halt)();
        let last_words = self.parts.clock.now().boot.after(LAST_WORDS);
        while !self.book.running.is_empty() {
            let left = last_words.since(self.parts.clock.now().boot);
            let Ok(event) = self.inbox.recv_timeout(left) else { break };
            self.handle(event);
        }
        for name in self.book.running.keys() {
            warn!("{}", wording::handed_over(name));
        }
        self.order(Command::Stop);
        self.publisher.silence();
        // A database that hangs must not keep pm from leaving: it gets what is left of the time to finish. What it did
        // not take stays in the journal. The last thread that lets go of that closes it in good order.
        let until = self.give_up.map_or(last_words, |give_up| give_up.max(last_words));
        let gone = |daemon: &Self| daemon.keeper.is_finished() && daemon.publisher.has_left();
        while !gone(&self) && self.parts.clock.now().boot < until {
            if self
                .inbox
                .recv_timeout(Duration::from_millis(5))
                .is_err_and(|e| e == RecvTimeoutError::Disconnected)
            {
                break;
            }
        }
        info!("Process Monitor Service stopped");
    }
}
