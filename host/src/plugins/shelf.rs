//! Where the libraries stand: shared by everybody who looks one up, changed by few, with a number for its state.

use super::rules::Rules;
use super::slots::{Contents, OnDisk, Slot, State};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

/// The libraries, the rules that hold for them, and how often what can be told of them has changed.
pub(super) struct Shelf {
    contents: RwLock<Contents>,
    rules: RwLock<Arc<Rules>>,
    version: AtomicU64,
    mended: OnceLock<Mended>,
}

/// Is told which strategies are provided by another library now, or by the same one anew.
pub(super) type Mended = Box<dyn Fn(Vec<String>) + Send + Sync>;

impl Shelf {
    pub(super) fn tell_mended(&self, mended: Mended) {
        // The daemon says it once.
        let _ = self.mended.set(mended);
    }

    pub(super) fn mended(&self, strategies: Vec<String>) {
        if let Some(mended) = self.mended.get() {
            mended(strategies);
        }
    }

    pub(super) fn new(rules: Rules) -> Self {
        Self {
            contents: RwLock::default(),
            rules: RwLock::new(Arc::new(rules)),
            version: AtomicU64::default(),
            mended: OnceLock::new(),
        }
    }

    /// The rules as they are now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rules in place of the present ones, which are answered.
    pub(super) fn obey(&self, rules: Rules) -> Arc<Rules> {
        let mut own = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut own, Arc::new(rules))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another number each time there is something new to tell.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Puts other contents in place of the present ones.
    pub(super) fn change<T>(&self, make: impl FnOnce(Contents) -> (Contents, T)) -> T {
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        let before = telling(&contents);
        let (after, result) = make(std::mem::take(&mut *contents));
        *contents = after;
        if before != telling(&contents) {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
        result
    }
}

/// File, version and state of a library.
type Told = (PathBuf, Option<String>, State);

/// What matters to whoever looks at the list or checks a configuration against it.
fn telling(contents: &Contents) -> (Option<String>, Vec<Told>) {
    let one = |slot: &Slot| {
        let version = slot.manifest.as_ref().map(|manifest| manifest.version.clone());
        // That a library was used for the first time is no news.
        let state = match slot.state() {
            State::Loaded => State::Ready,
            // Nor that another file is being tried: what comes of it is.
            State::Outlived(OnDisk::Version(_)) if slot.runs_in_a_worker() => State::Ready,
            other => other,
        };
        (slot.file.clone(), version, state)
    };
    (contents.refusal.as_ref().map(ToString::to_string), contents.slots.iter().map(one).collect())
}
