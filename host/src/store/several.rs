//! One database behind several addresses: a primary with its replicas, or the nodes of a cluster.
//!
//! The first address that answers and takes changes is used, and stays so for as long as it serves: nobody goes back to
//! one that has come up again, unless only reading is left. When it is lost (the connection is given up, or the server only reads now) the others are
//! tried, each once, the one that failed longest ago first; then the call is made again there. That is safe with every
//! call: a clearing is compare-and-set, the others can be repeated. An address that refused the login is left alone
//! for a minute, because servers lock accounts.
//!
//! It knows no driver, and it copies nothing: that all addresses lead to the same rows is for the servers to see to.

use crate::policy::model::{Alarm, Clear, Name, RowId};
use crate::policy::relations::Relations;
use crate::policy::time::Ticks;
use crate::ports::{
    AlarmStore, Bell, Cleared, Clock, Host, Lease, Publication, Published, Ring, Row, Rows, Schema,
    ServerTime, Speaker, StoreError, Trouble,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// So long an address that refused the login is not asked again while there are others.
const REFUSED: Duration = Duration::from_secs(60);

/// A call looks for another address for so long; then it fails, and the next one goes on with those that were not tried.
/// Well below what the service manager takes for a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// So long one that only reads is used before the others are asked again: a replica that nobody feeds any more would never
/// show another alarm.
const ONLY_READ: Duration = Duration::from_secs(30);

/// The store at one of the addresses.
pub(super) trait Member: AlarmStore {
    /// Which address it is, for messages.
    fn at(&self) -> &str;
    /// Whether it has a connection that is not in doubt.
    fn is_open(&self) -> bool;
    /// Whether the server takes changes.
    fn mode(&mut self) -> Result<Mode, StoreError>;
    /// The same once more, with connections of its own.
    fn again(&self) -> Box<dyn Member>;
    /// Gives up its connections.
    fn leave(&mut self);
}

/// What a server can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everything.
    Writes,
    /// Reading.
    Reads,
}

/// The store at the address that serves.
pub(super) struct Several {
    places: Vec<Place>,
    /// The one that serves, or served last.
    used: Option<usize>,
    serving: bool,
    /// While the one that serves only reads: since when nobody looked for a better one.
    only_read: Option<Ticks>,
    /// How many failures there were; numbers them.
    failures: u64,
    clock: Arc<dyn Clock>,
}

struct Place {
    store: Box<dyn Member>,
    /// The number of its latest failure, 0 for none since it served.
    failed: u64,
    /// What that was, for people.
    why: Option<(Trouble, String)>,
    /// When it refused the login.
    refused: Option<Ticks>,
}

/// A call that can be repeated.
type Call<'a, T> = &'a mut dyn FnMut(&mut dyn Member) -> Result<T, StoreError>;

impl Several {
    pub(super) fn new(stores: Vec<Box<dyn Member>>, clock: Arc<dyn Clock>) -> Self {
        let place = |store| Place { store, failed: 0, why: None, refused: None };
        let places = stores.into_iter().map(place).collect();
        Self { places, used: None, serving: false, only_read: None, failures: 0, clock }
    }

    /// Makes a call where it can be made.
    fn call<T>(&mut self, call: Call<'_, T>) -> Result<T, StoreError> {
        let begun = self.clock.now().boot;
        let mut index = self.present(begun)?;
        for _ in 0..self.places.len() {
            match call(&mut *self.places[index].store) {
                Err(error) if self.is_lost(index, &error) => index = self.instead_of(index, error, begun)?,
                result => return result,
            }
        }
        call(&mut *self.places[index].store)
    }

    /// The address that serves; a new one when the last one does not.
    fn present(&mut self, begun: Ticks) -> Result<usize, StoreError> {
        let stale = self.only_read.is_some_and(|since| begun.since(since) >= ONLY_READ);
        match self.used {
            Some(index) if self.serving && !stale => Ok(index),
            _ => self.seek(begun),
        }
    }

    /// Whether this is the end of an address, and not of one call: the store has given up its connection.
    fn is_lost(&self, index: usize, error: &StoreError) -> bool {
        matches!(error.trouble, Trouble::Away | Trouble::ReadOnly | Trouble::Refused)
            && !self.places[index].store.is_open()
    }

    /// Another address for a call that failed; or the error, when there is none that could do better.
    fn instead_of(&mut self, index: usize, error: StoreError, begun: Ticks) -> Result<usize, StoreError> {
        self.note(index, &error);
        self.serving = false;
        if self.is_long(begun) {
            return Err(error);
        }
        let next = self.seek(begun)?;
        if next == index && error.trouble == Trouble::ReadOnly { Err(error) } else { Ok(next) }
    }

    fn is_long(&self, begun: Ticks) -> bool {
        self.clock.now().boot.since(begun) >= PATIENCE
    }

    fn note(&mut self, index: usize, error: &StoreError) {
        self.failures += 1;
        let refused = (error.trouble == Trouble::Refused).then(|| self.clock.now().boot);
        let place = &mut self.places[index];
        (place.failed, place.refused) = (self.failures, refused);
        place.why = Some((error.trouble, error.why.clone()));
    }

    /// Tries the addresses, each once.
    fn seek(&mut self, begun: Ticks) -> Result<usize, StoreError> {
        self.serving = false;
        let now = self.clock.now().boot;
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        order.sort_by_key(|index| self.places[*index].failed);
        let left_alone = |place: &Place| place.refused.is_some_and(|at| now.since(at) < REFUSED);
        if !self.places.iter().all(left_alone) {
            order.retain(|index| !left_alone(&self.places[*index]));
        }
        let mut readable = None;
        let mut last = None;
        for index in order {
            match self.places[index].store.mode() {
                Ok(Mode::Writes) => return Ok(self.choose(index, Mode::Writes)),
                Ok(Mode::Reads) => {
                    let why = "it is read-only".to_owned();
                    self.places[index].why = Some((Trouble::ReadOnly, why));
                    if readable.is_none() || self.used == Some(index) {
                        readable = Some(index);
                    }
                }
                Err(error) => {
                    self.note(index, &error);
                    last = Some(error);
                }
            }
            if self.is_long(begun) {
                break;
            }
        }
        // Reading is better than nothing, and the one that was read before better than another.
        match readable {
            Some(index) => Ok(self.choose(index, Mode::Reads)),
            None => Err(self.nobody(last)),
        }
    }

    /// Uses an address from now on, and says so when it is another one than before.
    fn choose(&mut self, index: usize, mode: Mode) -> usize {
        let before = self.used.replace(index);
        self.serving = true;
        let since = (mode == Mode::Reads).then(|| self.clock.now().boot);
        let read_before = std::mem::replace(&mut self.only_read, since).is_some();
        for (other, place) in self.places.iter_mut().enumerate() {
            if other != index {
                place.store.leave();
            }
        }
        let place = &mut self.places[index];
        (place.failed, place.why, place.refused) = (0, None, None);
        let only = match mode {
            Mode::Writes => "",
            Mode::Reads => " (it can only be read; no address takes changes)",
        };
        let at = format!("{}{only}", self.places[index].store.at());
        match before.map(|before| (before, &self.places[before])) {
            None => info!("The alarm database is used at {at}{}", self.given_up()),
            Some((before, old)) if before != index => {
                let why = old.why.as_ref().map_or("", |(_, why)| why);
                warn!("The alarm database is used at {at} from now on, not at {}: {why}", old.store.at());
            }
            Some(_) if read_before != (mode == Mode::Reads) => {
                info!("The alarm database at {at} {}", if read_before { "takes changes" } else { "is used" });
            }
            Some(_) => {}
        }
        index
    }

    /// What is wrong with the addresses that were tried, after a semicolon.
    fn given_up(&self) -> String {
        let of = |place: &Place| Some(format!("; {}: {}", place.store.at(), place.why.as_ref()?.1));
        self.places.iter().filter_map(of).collect()
    }

    /// The error when no address serves.
    fn nobody(&self, last: Option<StoreError>) -> StoreError {
        let troubles = || self.places.iter().filter_map(|place| Some(place.why.as_ref()?.0));
        let worst = [Trouble::Away, Trouble::Schema, Trouble::Refused];
        let trouble = worst.into_iter().find(|worst| troubles().any(|trouble| trouble == *worst));
        let places: Vec<&str> = self.places.iter().map(|place| place.store.at()).collect();
        StoreError {
            trouble: trouble.unwrap_or(Trouble::Away),
            attempted: format!("reaching the alarm database at {}", places.join(", ")),
            why: format!("no address serves{}", self.given_up()),
            hint: last.and_then(|error| error.hint),
        }
    }
}

impl AlarmStore for Several {
    fn poll(&mut self, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        self.call(&mut |store| store.poll(limit))
    }

    fn clear(&mut self, clear: &Clear) -> Result<Cleared, StoreError> {
        self.call(&mut |store| store.clear(clear))
    }

    fn clear_all(&mut self, clears: &[Clear]) -> Vec<(usize, Result<Cleared, StoreError>)> {
        let mut results = BTreeMap::new();
        let mut open: Vec<usize> = (0..clears.len()).collect();
        let mut turns = self.places.len();
        let begun = self.clock.now().boot;
        let mut next = self.present(begun);
        while let Some(first) = open.first().copied() {
            let index = match next {
                Ok(index) => index,
                Err(error) => {
                    results.insert(first, Err(error));
                    break;
                }
            };
            let part: Vec<Clear> = open.iter().map(|which| clears[*which].clone()).collect();
            let mut lost = None;
            for (which, result) in self.places[index].store.clear_all(&part) {
                match result {
                    Err(error) if turns > 0 && self.is_lost(index, &error) => lost = lost.or(Some(error)),
                    result => drop(results.insert(open[which], result)),
                }
            }
            let Some(error) = lost else { break };
            open.retain(|which| !results.contains_key(which));
            turns -= 1;
            next = self.instead_of(index, error, begun);
        }
        results.into_iter().collect()
    }

    fn list(&mut self) -> Result<Vec<Row>, StoreError> {
        self.call(&mut |store| store.list())
    }

    fn known(&mut self) -> Result<u64, StoreError> {
        self.call(&mut |store| store.known())
    }

    fn relations(&mut self) -> Result<Relations, StoreError> {
        self.call(&mut |store| store.relations())
    }

    fn add(&mut self, name: &Name) -> Result<RowId, StoreError> {
        self.call(&mut |store| store.add(name))
    }

    fn raise(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.call(&mut |store| store.raise(rows, note))
    }

    fn reset(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.call(&mut |store| store.reset(rows, note))
    }

    fn schema(&mut self) -> Result<Schema, StoreError> {
        self.call(&mut |store| store.schema())
    }

    fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        self.call(&mut |store| store.migrate())
    }

    fn time(&mut self) -> Result<Option<ServerTime>, StoreError> {
        self.call(&mut |store| store.time())
    }

    fn publish(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        self.call(&mut |store| store.publish(publications))
    }

    fn another(&self) -> Option<Box<dyn AlarmStore>> {
        let stores = self.places.iter().map(|place| place.store.again()).collect();
        Some(Box::new(Self::new(stores, Arc::clone(&self.clock))))
    }

    fn hold(&mut self, speaker: &Speaker, epoch: Option<i64>) -> Result<Lease, StoreError> {
        self.call(&mut |store| store.hold(speaker, epoch))
    }

    fn fence(&mut self, epoch: Option<i64>) {
        self.places.iter_mut().for_each(|place| place.store.fence(epoch));
    }

    fn let_go(&mut self, epoch: i64) -> Result<(), StoreError> {
        self.call(&mut |store| store.let_go(epoch))
    }

    fn silent(&mut self, after: Duration) -> Result<Vec<Host>, StoreError> {
        self.call(&mut |store| store.silent(after))
    }

    fn hosts(&mut self) -> Result<Vec<Host>, StoreError> {
        self.call(&mut |store| store.hosts())
    }

    fn bell(&self) -> Option<Box<dyn Bell>> {
        let bells: Vec<_> = self.places.iter().filter_map(|place| place.store.bell()).collect();
        (!bells.is_empty()).then(|| Box::new(Bells { bells, next: 0 }) as Box<dyn Bell>)
    }

    fn address(&self) -> Option<String> {
        let used = self.used.filter(|_| self.serving)?;
        Some(format!("{}{}", self.places[used].store.at(), self.given_up()))
    }
}

/// The bells of the addresses, each of which hears everything: one is listened to, the next one when it fails.
struct Bells {
    bells: Vec<Box<dyn Bell>>,
    next: usize,
}

impl Bell for Bells {
    fn source(&self) -> String {
        self.bells[self.next].source()
    }

    fn listen(&mut self, hear: &mut dyn FnMut(Ring) -> ControlFlow<()>) -> Result<(), StoreError> {
        let ended = self.bells[self.next].listen(hear);
        self.next = (self.next + 1) % self.bells.len();
        ended
    }
}

#[cfg(test)]
mod tests;
