//! The live parts of one library: made once per settings, used again, and bounded in number.
//!
//! Making a part is meant to be cheap but not free, and a part may keep a connection. The bound keeps settings that
//! change every minute for a year from filling the memory: the part that was not used for longest goes.

use pm_plugin_api::settings::Texts;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More than a host has processes with a strategy of one library, so that a burst makes no part twice.
const MOST: usize = 1024;

/// What tells one part from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) settings: Texts,
}

/// The parts of a library.
#[derive(Debug)]
pub(super) struct Instances<T> {
    parts: BTreeMap<Key, Used<T>>,
    uses: u64,
    most: usize,
}

#[derive(Debug)]
struct Used<T> {
    part: Arc<T>,
    last: u64,
}

impl<T> Instances<T> {
    pub(super) fn new() -> Self {
        Self { parts: BTreeMap::new(), uses: 0, most: MOST }
    }

    pub(super) fn get(&mut self, key: &Key) -> Option<Arc<T>> {
        self.uses += 1;
        let used = self.parts.get_mut(key)?;
        used.last = self.uses;
        Some(Arc::clone(&used.part))
    }

    /// Keeps `part` and answers the one that is kept under its key from now on (two threads may have made it at the
    /// same time), and the one that had to go, for the caller to drop outside of any lock: that runs foreign code.
    #[must_use]
    pub(super) fn keep(&mut self, key: Key, part: T) -> (Arc<T>, Option<Arc<T>>) {
        if let Some(there) = self.get(&key) {
            return (there, Some(Arc::new(part)));
        }
        let gone = (self.parts.len() >= self.most).then(|| self.oldest()).flatten();
        let part = Arc::new(part);
        self.parts.insert(key, Used { part: Arc::clone(&part), last: self.uses });
        (part, gone)
    }

    fn oldest(&mut self) -> Option<Arc<T>> {
        let key = self.parts.iter().min_by_key(|(_, used)| used.last)?.0.clone();
        self.parts.remove(&key).map(|used| used.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { kind: "strategy".to_owned(), name: name.to_owned(), settings: Texts::new() }
    }

    #[test]
    fn the_part_that_was_not_used_for_longest_goes() {
        let mut instances = Instances { most: 2, ..Instances::new() };
        assert!(instances.keep(key("a"), 1).1.is_none());
        assert!(instances.keep(key("b"), 2).1.is_none());
        assert_eq!(instances.get(&key("a")).as_deref(), Some(&1));
        let (kept, gone) = instances.keep(key("c"), 3);
        assert_eq!((*kept, gone.as_deref()), (3, Some(&2)));
        assert_eq!(instances.get(&key("b")), None);
        assert!(instances.get(&key("a")).is_some());
    }

    #[test]
    fn of_two_parts_made_at_the_same_time_the_first_is_kept() {
        let mut instances = Instances::new();
        let _ = instances.keep(key("a"), 1);
        let (kept, gone) = instances.keep(key("a"), 2);
        assert_eq!((*kept, gone.as_deref()), (1, Some(&2)));
    }

    #[test]
    fn other_settings_are_another_part() {
        let mut instances = Instances::new();
        let _ = instances.keep(key("a"), 1);
        let other = Key { settings: Texts::from([("x".to_owned(), "1".to_owned())]), ..key("a") };
        assert_eq!(instances.get(&other), None);
    }
}
