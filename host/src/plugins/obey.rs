//! Other rules for the libraries, while pm runs.
//!
//! A library whose rule has changed is looked at anew: what its pin does not fit is not used any more, and a worker that
//! should run as somebody else makes room for another one when it has answered what it was asked. What runs in this
//! process stays as it is until the next start, because nothing can be unloaded.

use super::backend::Backend;
use super::claim::claimed;
use super::registry::Registry;
use super::rules::{Rule, Rules};
use super::slots::{Is, Slot, State};
use std::sync::Arc;

/// What is to be done with a library under other rules.
enum Fate {
    Stays,
    /// It is looked at as if it had just been put there.
    Anew,
    /// It is in use, and what stands in its place is judged once more.
    TriedAgain,
    /// It is in use where it cannot be replaced.
    Waits,
}

impl Registry {
    /// Takes over other rules. Answers the libraries for which they hold only after the next start, by name.
    pub fn obey(&self, rules: Rules) -> Vec<String> {
        let before = self.shelf.obey(rules);
        let rules = self.shelf.rules();
        if *before == *rules {
            return Vec::new();
        }
        let (waiting, retired) = self.shelf.change(|mut contents| {
            let (mut waiting, mut retired) = (Vec::new(), Vec::<Arc<dyn Backend>>::new());
            contents.slots.retain_mut(|slot| match fate(slot, &before, &rules) {
                Fate::Stays => true,
                Fate::TriedAgain => {
                    slot.tried = None;
                    true
                }
                Fate::Waits => {
                    waiting.extend(slot.manifest.as_ref().map(|manifest| manifest.name.clone()));
                    true
                }
                Fate::Anew => {
                    retired.extend(slot.backend().map(Arc::clone));
                    false
                }
            });
            // Those that are refused for another library's sake may not be any more.
            contents.slots.retain(|slot| !matches!(slot.is, Is::Refused(_)));
            contents.parts = claimed(&mut contents.slots, &rules);
            (contents, (waiting, retired))
        });
        self.rescan();
        for backend in retired {
            backend.retire();
        }
        waiting
    }
}

fn fate(slot: &Slot, before: &Rules, after: &Rules) -> Fate {
    let Some(manifest) = &slot.manifest else { return Fate::Anew };
    let same = run(before.of(&manifest.name)) == run(after.of(&manifest.name));
    let in_process = slot.backend().is_some_and(|backend| backend.report().worker.is_none());
    match slot.state() {
        _ if same && before.only_pinned == after.only_pinned => Fate::Stays,
        State::Loaded | State::Outlived(_) if in_process => Fate::Waits,
        State::Outlived(_) => Fate::TriedAgain,
        State::Ready | State::Loaded | State::Refused(_) => Fate::Anew,
    }
}

/// What of a rule matters for how a library runs, and whether.
fn run(rule: &Rule) -> Rule {
    Rule { required: false, overrides: false, ..rule.clone() }
}
