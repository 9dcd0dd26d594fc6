//! Who depends on whom: a graph of names, built when its sources change and asked with every poll.
//!
//! Names are numbered in an order in which everything comes after what it depends on: by depth, then by name. So the
//! same edges make the same graph whatever order they come in, and the smaller of two numbers is the one nearer to
//! the root. An edge that closes a cycle is left out and its cycle told, so that an order always exists; which edge
//! that is depends on the names alone. Building and asking take time in proportion to names and edges, without
//! recursion: the names and edges come from outside.
//!
//! It must not know what trouble is, nor where an edge was written: that is for those who build and ask.

mod build;
mod causes;
mod latest;
#[cfg(test)]
mod tests;

pub use causes::Causes;
pub use latest::Latest;

use crate::name::Name;
use build::{Links, Sorted, interned, sorted};
use std::collections::{HashMap, VecDeque};

/// So many cycles are told with their path; of the others only their number is known.
pub const MOST_CYCLES: usize = 50;

/// Who depends on whom, without cycles.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// By number.
    names: Vec<Name>,
    numbers: HashMap<Name, u32>,
    /// What each depends on.
    up: Links,
    /// What depends on each.
    down: Links,
    depths: Vec<u32>,
    cycles: Vec<Vec<Name>>,
    left_out: usize,
}

impl Graph {
    /// The graph of these edges, each from a name to one that it depends on; repeated edges count once.
    #[must_use]
    pub fn new<'n>(edges: impl IntoIterator<Item = (&'n Name, &'n Name)>) -> Self {
        Self::with_names([], edges)
    }

    /// As [`Self::new`]; these names are in it whether an edge mentions them or not.
    #[must_use]
    pub fn with_names<'n>(
        names: impl IntoIterator<Item = &'n Name>,
        edges: impl IntoIterator<Item = (&'n Name, &'n Name)>,
    ) -> Self {
        let (names, edges) = interned(names, edges);
        let Sorted { order, depths, kept, cycles, left_out } = sorted(&Links::new(names.len(), &edges));
        let mut numbers_of = vec![0; order.len()];
        for (number, old) in (0..).zip(&order) {
            numbers_of[*old as usize] = number;
        }
        let renumbered = |old: u32| numbers_of[old as usize];
        let kept: Vec<_> = kept.into_iter().map(|(from, to)| (renumbered(from), renumbered(to))).collect();
        let turned: Vec<_> = kept.iter().map(|(from, to)| (*to, *from)).collect();
        let path = |path: Vec<u32>| path.into_iter().map(|old| names[old as usize].clone()).collect();
        let cycles = cycles.into_iter().map(path).collect();
        let in_order: Vec<Name> = order.iter().map(|old| names[*old as usize].clone()).collect();
        Self {
            numbers: in_order.iter().cloned().zip(0..).collect(),
            up: Links::new(names.len(), &kept),
            down: Links::new(names.len(), &turned),
            depths: order.iter().map(|old| depths[*old as usize]).collect(),
            names: in_order,
            cycles,
            left_out,
        }
    }

    /// All names, each after everything that it depends on; those of one depth by name.
    #[must_use]
    pub fn order(&self) -> &[Name] {
        &self.names
    }
    /// What `name` depends on directly.
    pub fn depends_on(&self, name: &Name) -> impl Iterator<Item = &Name> {
        self.named(self.number(name).map_or(&[], |number| self.up.of(number)))
    }
    /// What depends directly on `name`.
    pub fn dependents_of(&self, name: &Name) -> impl Iterator<Item = &Name> {
        self.named(self.number(name).map_or(&[], |number| self.down.of(number)))
    }
    /// What `name` depends on, directly or through others, in [`Self::order`].
    #[must_use]
    pub fn all_dependencies(&self, name: &Name) -> Vec<&Name> {
        self.reach(&self.up, name)
    }
    /// What depends on `name`, directly or through others, in [`Self::order`].
    #[must_use]
    pub fn all_dependents(&self, name: &Name) -> Vec<&Name> {
        self.reach(&self.down, name)
    }
    /// The wave in which `name` can be started: 0 when it depends on nothing, else one more than the deepest of what
    /// it depends on.
    #[must_use]
    pub fn depth(&self, name: &Name) -> u32 {
        self.number(name).map_or(0, |number| self.depths[number as usize])
    }
    /// A shortest way from `from` to `to` along dependencies, both included; empty when there is none.
    #[must_use]
    pub fn way(&self, from: &Name, to: &Name) -> Vec<&Name> {
        let (Some(from), Some(to)) = (self.number(from), self.number(to)) else { return Vec::new() };
        // From the far end, so that the steps back are the way forward.
        let mut next = HashMap::from([(to, to)]);
        let mut queue = VecDeque::from([to]);
        while let Some(number) = queue.pop_front().filter(|_| !next.contains_key(&from)) {
            for dependent in self.down.of(number) {
                next.entry(*dependent).or_insert_with(|| {
                    queue.push_back(*dependent);
                    number
                });
            }
        }
        let mut way = Vec::new();
        let mut at = next.contains_key(&from).then_some(from);
        while let Some(number) = at {
            way.push(&self.names[number as usize]);
            at = next.get(&number).copied().filter(|further| *further != number);
        }
        way
    }
    /// The cycles that the edges held, at most [`MOST_CYCLES`]: each begins and ends with the same name, each name
    /// depends on the next, and the last step is the edge that was left out.
    #[must_use]
    pub fn cycles(&self) -> &[Vec<Name>] {
        &self.cycles
    }
    /// How many edges were left out because each closes a cycle.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }
    /// Whether `name` is in it.
    #[must_use]
    pub fn contains(&self, name: &Name) -> bool {
        self.number(name).is_some()
    }

    fn number(&self, name: &Name) -> Option<u32> {
        self.numbers.get(name).copied()
    }
    fn named<'g>(&'g self, numbers: &'g [u32]) -> impl Iterator<Item = &'g Name> {
        numbers.iter().map(|number| &self.names[*number as usize])
    }
    /// These, and all that depends on one of them, each once and in order: what a name depends on comes before it.
    fn below(&self, these: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let mut seen = vec![false; self.names.len()];
        let mut reached: Vec<u32> = these.into_iter().collect();
        reached.retain(|number| !std::mem::replace(&mut seen[*number as usize], true));
        let mut at = 0;
        while let Some(number) = reached.get(at).copied() {
            at += 1;
            let down = self.down.of(number).iter();
            reached.extend(down.filter(|down| !std::mem::replace(&mut seen[**down as usize], true)));
        }
        reached.sort_unstable();
        reached
    }
    /// All that can be reached from `name`, without itself, in order.
    fn reach(&self, links: &Links, name: &Name) -> Vec<&Name> {
        let Some(start) = self.number(name) else { return Vec::new() };
        let mut seen = vec![false; self.names.len()];
        let (mut reached, mut at) = (links.of(start).to_vec(), 0);
        while let Some(number) = reached.get(at).copied() {
            at += 1;
            if !std::mem::replace(&mut seen[number as usize], true) {
                reached.extend(links.of(number).iter().filter(|next| !seen[**next as usize]));
            }
        }
        let numbers = (0..).take(seen.len()).filter(|number| seen[*number as usize]);
        numbers.map(|number: u32| &self.names[number as usize]).collect()
    }
}
