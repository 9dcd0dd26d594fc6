//! Several connections to one server: one for the polls, and more for as long as there is much to clear.
//!
//! A poll is one question at a time, so an idle pm keeps one connection, as a large fleet needs it. A burst of
//! clearings is shared out over up to `connections` of them, because each waits for a durable commit and servers
//! commit side by side for little more than the price of one. The additional ones are closed when they have had
//! nothing to do for a while. How each is kept sound is told in `line`.

use crate::policy::model::{Alarm, Clear, Name, RowId};
use crate::policy::relations::Relations;
use crate::ports::{
    AlarmStore, Bell, Cleared, Host, Lease, Publication, Published, Row, Rows, Schema, ServerTime, Speaker,
    StoreError,
};
use crate::store::several::{Member, Mode};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A connection more pays for itself from this many clearings on.
const SHARE: usize = 8;
/// After this many polls without a burst the additional connections are closed.
const QUIET_POLLS: u32 = 30;

/// What became of clearings, by their index.
type Results = Vec<(usize, Result<Cleared, StoreError>)>;

/// The connections to one server, each of them a store.
pub(super) struct Pool<S> {
    first: S,
    more: Vec<S>,
    quiet: u32,
    /// For so many more polls only the first connection is used, because others were refused.
    alone: u32,
    /// So many at the most.
    most: usize,
    another: Arc<dyn Fn() -> S + Send + Sync>,
    /// The lease that clearings are bound to.
    fence: Option<i64>,
}

impl<S: AlarmStore> Pool<S> {
    /// At most so many connections, made by `another`.
    pub(super) fn new(most: u16, another: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self::with(usize::from(most.max(1)), Arc::new(another))
    }

    fn with(most: usize, another: Arc<dyn Fn() -> S + Send + Sync>) -> Self {
        Self { first: another(), more: Vec::new(), quiet: 0, alone: 0, most, another, fence: None }
    }

    /// The same once more, with connections of its own.
    fn again(&self) -> Self {
        Self::with(self.most, Arc::clone(&self.another))
    }

    /// Makes sure that there are connections for so many clearings, within the limit.
    fn widen(&mut self, clears: usize) {
        let wanted = (clears / SHARE).clamp(1, self.most);
        while self.more.len() + 1 < wanted {
            let mut store = (self.another)();
            store.fence(self.fence);
            self.more.push(store);
        }
        self.quiet = 0;
    }

    /// Shares clearings out; what became of those of the first connection, and of those of the others.
    fn shared_out(&mut self, clears: &[Clear]) -> (Results, Results) {
        let step = self.more.len() + 1;
        let first = &mut self.first;
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..)
                .zip(&mut self.more)
                .map(|(from, store)| scope.spawn(move || share(store, clears, from, step)))
                .collect();
            let results = share(first, clears, 0, step);
            // A panic of the driver is caught in `line`; what a thread did not answer stays in the outbox.
            (results, others.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect())
        })
    }
}

/// What one connection does of a batch: every `step`-th clearing from `from` on.
fn share(store: &mut impl AlarmStore, clears: &[Clear], from: usize, step: usize) -> Results {
    let (indices, part): (Vec<_>, Vec<_>) =
        clears.iter().cloned().enumerate().skip(from).step_by(step).unzip();
    store.clear_all(&part).into_iter().map(|(index, result)| (indices[index], result)).collect()
}

impl<S: AlarmStore + 'static> AlarmStore for Pool<S> {
    fn poll(&mut self, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        self.quiet = self.quiet.saturating_add(1);
        self.alone = self.alone.saturating_sub(1);
        if self.quiet > QUIET_POLLS {
            self.more.clear();
        }
        self.first.poll(limit)
    }

    fn clear(&mut self, clear: &Clear) -> Result<Cleared, StoreError> {
        self.first.clear(clear)
    }

    fn clear_all(&mut self, clears: &[Clear]) -> Results {
        if clears.len() < 2 * SHARE || self.alone > 0 {
            return self.first.clear_all(clears);
        }
        self.widen(clears.len());
        let (mut results, of_others) = self.shared_out(clears);
        let served = |(_, result): &(usize, Result<Cleared, StoreError>)| {
            result.as_ref().map_or_else(|error| !error.trouble.concerns_all(), |_| true)
        };
        if results.iter().all(served) && !of_others.iter().all(served) {
            // The server answers, but has no more connections to give: what they were to do is left to the first.
            self.more.clear();
            self.alone = QUIET_POLLS;
            results.extend(of_others.into_iter().filter(served));
            let done: BTreeSet<usize> = results.iter().map(|(index, _)| *index).collect();
            let (indices, left): (Vec<_>, Vec<_>) =
                clears.iter().cloned().enumerate().filter(|(index, _)| !done.contains(index)).unzip();
            let late = self.first.clear_all(&left);
            results.extend(late.into_iter().map(|(index, result)| (indices[index], result)));
        } else {
            results.extend(of_others);
        }
        results.sort_by_key(|(index, _)| *index);
        results
    }

    fn list(&mut self) -> Result<Vec<Row>, StoreError> {
        self.first.list()
    }

    fn known(&mut self) -> Result<u64, StoreError> {
        self.first.known()
    }

    fn relations(&mut self) -> Result<Relations, StoreError> {
        self.first.relations()
    }

    fn add(&mut self, name: &Name) -> Result<RowId, StoreError> {
        self.first.add(name)
    }

    fn raise(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.first.raise(rows, note)
    }

    fn reset(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.first.reset(rows, note)
    }

    fn schema(&mut self) -> Result<Schema, StoreError> {
        self.first.schema()
    }

    fn time(&mut self) -> Result<Option<ServerTime>, StoreError> {
        self.first.time()
    }

    fn publish(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        self.first.publish(publications)
    }

    fn another(&self) -> Option<Box<dyn AlarmStore>> {
        Some(Box::new(self.again()))
    }

    fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        self.first.migrate()
    }

    fn hold(&mut self, speaker: &Speaker, epoch: Option<i64>) -> Result<Lease, StoreError> {
        self.first.hold(speaker, epoch)
    }

    fn fence(&mut self, epoch: Option<i64>) {
        self.fence = epoch;
        self.first.fence(epoch);
        self.more.iter_mut().for_each(|store| store.fence(epoch));
    }

    fn let_go(&mut self, epoch: i64) -> Result<(), StoreError> {
        self.first.let_go(epoch)
    }

    fn silent(&mut self, after: Duration) -> Result<Vec<Host>, StoreError> {
        self.first.silent(after)
    }

    fn hosts(&mut self) -> Result<Vec<Host>, StoreError> {
        self.first.hosts()
    }

    fn bell(&self) -> Option<Box<dyn Bell>> {
        self.first.bell()
    }
}

impl<S: Member + 'static> Member for Pool<S> {
    fn at(&self) -> &str {
        self.first.at()
    }

    fn is_open(&self) -> bool {
        self.first.is_open()
    }

    fn mode(&mut self) -> Result<Mode, StoreError> {
        self.first.mode()
    }

    fn again(&self) -> Box<dyn Member> {
        Box::new(Pool::again(self))
    }

    fn leave(&mut self) {
        self.more.clear();
        self.first.leave();
    }
}
