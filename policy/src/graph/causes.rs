//! Who waits for whom, given who is in trouble.
//!
//! A name waits for its root cause: of all names in trouble that it depends on, directly or through others, and that
//! depend on nothing in trouble themselves, the one nearest to the root (the least depth, then the first name). When
//! a dependency recovers, the next look finds the next cause, so nothing is remembered from one look to the next.

use super::Graph;
use crate::name::Name;

/// No number: nothing to wait for.
const NONE: u32 = u32::MAX;

/// For every name of a graph its root cause, as of one moment.
#[derive(Debug)]
pub struct Causes<'g> {
    graph: &'g Graph,
    /// By number; empty when nothing is in trouble.
    of: Vec<u32>,
    /// By number.
    troubled: Vec<bool>,
}

impl Graph {
    /// What every name waits for when these are in trouble; those that no edge mentions change nothing.
    ///
    /// Only what depends on a name in trouble is looked at, each edge once; without trouble nothing is.
    #[must_use]
    pub fn causes<'n>(&self, troubled: impl IntoIterator<Item = &'n Name>) -> Causes<'_> {
        let known: Vec<u32> = troubled.into_iter().filter_map(|name| self.number(name)).collect();
        if known.is_empty() {
            return Causes { graph: self, of: Vec::new(), troubled: Vec::new() };
        }
        let mut of = vec![NONE; self.names.len()];
        let mut troubled = vec![false; self.names.len()];
        for number in &known {
            troubled[*number as usize] = true;
        }
        for number in self.below(known) {
            let cause = blamed(number, &of, &troubled);
            for down in self.down.of(number) {
                let theirs = &mut of[*down as usize];
                *theirs = cause.min(*theirs);
            }
        }
        Causes { graph: self, of, troubled }
    }
}

impl<'g> Causes<'g> {
    /// The root cause that `name` waits for; none when nothing that it depends on is in trouble.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<&'g Name> {
        let number = self.graph.number(name)?;
        let cause = self.of.get(number as usize).copied().filter(|cause| *cause != NONE)?;
        Some(&self.graph.names[cause as usize])
    }
    /// The root cause that somebody waits for who depends on these names.
    #[must_use]
    pub fn of_whoever_needs<'n>(&self, names: impl IntoIterator<Item = &'n Name>) -> Option<&'g Name> {
        if self.of.is_empty() {
            return None;
        }
        let numbers = names.into_iter().filter_map(|name| self.graph.number(name));
        let cause = numbers.map(|number| blamed(number, &self.of, &self.troubled)).min();
        cause.filter(|cause| *cause != NONE).map(|cause| &self.graph.names[cause as usize])
    }
}

/// What those wait for who depend on this one: its own cause, else itself when it is in trouble.
fn blamed(number: u32, of: &[u32], troubled: &[bool]) -> u32 {
    match of[number as usize] {
        NONE if troubled[number as usize] => number,
        cause => cause,
    }
}
