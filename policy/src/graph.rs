//! Who depends on whom: a graph of names, built when its sources change and asked with every poll.
//!
//! Names are numbered in an order in which everything comes after what it depends on: by depth, then by name. So the
//! same edges make the same graph whatever order they come in, and the smaller of two numbers is the one nearer to
//! the root. An edge that closes a cycle is left out and its cycle told, so that an order always exists; which edge
//! that is depends on the names alone. Building and asking take time in proportion to names and edges, without
//! recursion: the names and edges come from outside.
//!
//! It must not know what trouble is, nor where an edge was written: that is for those who build and ask.

mod causes;
#[cfg(test)]
mod tests;

pub use causes::Causes;

use crate::name::Name;
use std::collections::HashMap;

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
        let mut queue = std::collections::VecDeque::from([to]);
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

/// Neighbours by number, each list sorted and without repetition.
#[derive(Debug, Clone, Default)]
struct Links {
    /// Where the neighbours of each begin in `all`; one more than there are names.
    starts: Vec<u32>,
    all: Vec<u32>,
}

impl Links {
    /// By counting, because sorting all edges at once takes most of the time of a large graph.
    fn new(names: usize, edges: &[(u32, u32)]) -> Self {
        let mut ends = vec![0; names + 1];
        for (from, _) in edges {
            ends[*from as usize + 1] += 1;
        }
        for at in 0..names {
            ends[at + 1] += ends[at];
        }
        let mut all = vec![0; edges.len()];
        for (from, to) in edges {
            let end = &mut ends[*from as usize];
            all[*end as usize] = *to;
            *end += 1;
        }
        // Each end has moved to where the next one began. Repetitions are dropped by moving the rest up.
        let (mut starts, mut begin, mut length) = (Vec::with_capacity(names + 1), 0, 0);
        for end in ends.into_iter().take(names) {
            starts.push(length);
            all[begin as usize..end as usize].sort_unstable();
            let mut last = None;
            for at in begin..end {
                let to = all[at as usize];
                if last.replace(to) != Some(to) {
                    all[length as usize] = to;
                    length += 1;
                }
            }
            begin = end;
        }
        starts.push(length);
        all.truncate(length as usize);
        Self { starts, all }
    }
    fn of(&self, number: u32) -> &[u32] {
        let at = number as usize;
        &self.all[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
    fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }
}

/// Numbers by name, and the edges in them.
fn interned<'n>(
    alone: impl IntoIterator<Item = &'n Name>,
    edges: impl IntoIterator<Item = (&'n Name, &'n Name)>,
) -> (Vec<Name>, Vec<(u32, u32)>) {
    let mut numbers: HashMap<&Name, u32> = HashMap::new();
    let mut names: Vec<&Name> = Vec::new();
    let mut number_of = |name: &'n Name| {
        *numbers.entry(name).or_insert_with(|| {
            names.push(name);
            // More than four thousand million names do not fit into memory.
            u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
        })
    };
    for name in alone {
        number_of(name);
    }
    let mut found: Vec<(u32, u32)> = Vec::new();
    // Edges mostly come sorted by where they begin.
    let mut last: Option<(&Name, u32)> = None;
    for (from, to) in edges {
        let number = match last {
            Some((name, number)) if name == from => number,
            _ => number_of(from),
        };
        last = Some((from, number));
        found.push((number, number_of(to)));
    }
    let mut by_name: Vec<u32> = (0..).take(names.len()).collect();
    by_name.sort_unstable_by_key(|number| names[*number as usize]);
    let mut rank = vec![0; names.len()];
    for (place, number) in (0..).zip(&by_name) {
        rank[*number as usize] = place;
    }
    let ranked = |(from, to): (u32, u32)| (rank[from as usize], rank[to as usize]);
    let names = by_name.iter().map(|number| names[*number as usize].clone()).collect();
    (names, found.into_iter().map(ranked).collect())
}

/// What a walk through all edges comes to.
struct Sorted {
    /// By depth, then by number.
    order: Vec<u32>,
    depths: Vec<u32>,
    kept: Vec<(u32, u32)>,
    cycles: Vec<Vec<u32>>,
    left_out: usize,
}

/// Walks along the dependencies, deepest first. An edge back to a name that is still being walked closes a cycle.
fn sorted(up: &Links) -> Sorted {
    const NEW: u32 = u32::MAX;
    const DONE: u32 = u32::MAX - 1;
    // Where a name stands on the path, or that it does not.
    let mut places = vec![NEW; up.len()];
    let mut depths = vec![0; up.len()];
    let (mut kept, mut cycles, mut left_out) = (Vec::with_capacity(up.all.len()), Vec::new(), 0);
    let mut path: Vec<(u32, usize)> = Vec::new();
    for root in (0..).take(up.len()) {
        if places[root as usize] == NEW {
            places[root as usize] = 0;
            path.push((root, 0));
        }
        while let Some((from, step)) = path.last_mut() {
            let from = *from;
            let Some(to) = up.of(from).get(*step).copied() else {
                places[from as usize] = DONE;
                path.pop();
                continue;
            };
            match places[to as usize] {
                // The step is made when all that lies behind it is done.
                NEW => {
                    places[to as usize] = u32::try_from(path.len()).unwrap_or(DONE - 1);
                    path.push((to, 0));
                    continue;
                }
                DONE => {
                    kept.push((from, to));
                    depths[from as usize] = depths[from as usize].max(depths[to as usize] + 1);
                }
                place => {
                    left_out += 1;
                    if cycles.len() < MOST_CYCLES {
                        let round = path[place as usize..].iter().map(|(number, _)| *number);
                        cycles.push(round.chain([to]).collect());
                    }
                }
            }
            if let Some((_, step)) = path.last_mut() {
                *step += 1;
            }
        }
    }
    let mut order: Vec<u32> = (0..).take(up.len()).collect();
    order.sort_by_key(|number| depths[*number as usize]);
    Sorted { order, depths, kept, cycles, left_out }
}
