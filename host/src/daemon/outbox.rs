//! The clearings that wait: made in the order in which they came, kept and repeated until they are made.
//!
//! Whether the database answers is for the polls to say. While it does not, nothing is tried here, so that one
//! server is never asked by two clocks; a clearing that fails although polls succeed is the trouble of its row.

use crate::daemon::event::Event;
use crate::daemon::keeper::{Keeper, dice};
use crate::daemon::link::pause;
use crate::failpoint::{self, Point};
use crate::policy::model::{Clear, RowId, Table};
use crate::policy::time::Ticks;
use crate::ports::{Cleared, Pending, StoreError, Trouble};
use crate::wording;
use std::collections::BTreeSet;
use std::time::Duration;
use tracing::{debug, error, info};

/// How long a clearing that is not allowed waits before it is tried again.
const READ_ONLY_PAUSE: Duration = Duration::from_secs(60);

impl Keeper {
    /// Makes the clearings that wait, in the order in which they came.
    pub(super) fn flush(&mut self) {
        if !self.waiting
            || !self.tenure.may_write()
            || self.link.is_lost()
            || self.clock.now().boot < self.not_before
        {
            return;
        }
        let noted = match self.journal.outbox() {
            Ok(noted) => noted,
            Err(error) => {
                debug!("{}", wording::no_journal(&error));
                Vec::new()
            }
        };
        let unnoted = std::mem::take(&mut self.unnoted);
        let (mut ids, mut clears): (Vec<_>, Vec<_>) =
            noted.into_iter().map(|Pending { id, clear }| (Some(id), clear)).unzip();
        ids.resize(clears.len() + unnoted.len(), None);
        clears.extend(unnoted);
        let mut done = vec![false; clears.len()];
        let (mut delivered, mut ended) = (Vec::new(), Vec::new());
        failpoint::pass(Point::WriteBackBegins);
        let answers = self.store.clear_all(&clears);
        failpoint::pass(Point::WriteBackAnswered);
        for (index, result) in answers {
            match result {
                Ok(how) => {
                    self.cleared(&clears[index], how);
                    done[index] = true;
                    delivered.extend(ids[index]);
                    ended.push((clears[index].row, how));
                }
                Err(error) => self.refused(&clears[index], &error),
            }
        }
        self.waiting = done.contains(&false);
        let left = clears.into_iter().zip(ids).zip(done).filter(|(_, done)| !done);
        self.unnoted = left.filter_map(|((clear, id), _)| id.is_none().then_some(clear)).collect();
        if let Err(error) = self.journal.delivered(&delivered) {
            debug!("{}", wording::no_journal(&error));
        }
        failpoint::pass(Point::Delivered);
        if !ended.is_empty() {
            self.send(Event::Delivered(ended));
        }
    }

    fn cleared(&mut self, clear: &Clear, how: Cleared) {
        info!("{}", wording::cleared(clear.row, how));
        self.complained.remove(&clear.row);
        (self.not_before, self.cut_short) = (Ticks(0), 0);
        self.set_table(Table::Writable);
        self.works();
    }

    fn refused(&mut self, clear: &Clear, error: &StoreError) {
        let now = self.clock.now().boot;
        if !error.trouble.concerns_all() {
            // This row alone; it is tried again with each poll and complained about once.
            if self.complained.insert(clear.row) {
                error!("{}", wording::not_cleared(clear.row, error));
            }
        } else if error.trouble == Trouble::ReadOnly {
            self.not_before = now.after(READ_ONLY_PAUSE);
            if self.table == Table::Writable {
                error!("{}", wording::not_cleared(clear.row, error));
            }
            self.set_table(Table::ReadOnly);
        } else {
            self.cut_short = self.cut_short.saturating_add(1);
            self.not_before = now.after(pause(self.cut_short, self.interval, dice(self.clock.now())));
            let text = wording::not_cleared(clear.row, error);
            debug!("{text}");
            self.doubt.get_or_insert((clear.row, text));
        }
    }

    pub(super) fn withdraw(&mut self, rows: &BTreeSet<RowId>) {
        self.unnoted.retain(|clear| !rows.contains(&clear.row));
        let ids = self.journal.outbox().map(|noted| {
            noted.iter().filter(|pending| rows.contains(&pending.clear.row)).map(|p| p.id).collect::<Vec<_>>()
        });
        if let Err(error) = ids.and_then(|ids| self.journal.delivered(&ids)) {
            debug!("{}", wording::no_journal(&error));
        }
    }
}
