//! From edges to numbers, and from numbers to an order: the steps of building a graph.
//!
//! Everything is a flat list and a walk with a path of its own, because a hundred thousand edges from outside may be
//! one chain.

use super::MOST_CYCLES;
use crate::name::Name;
use std::collections::HashMap;

/// Neighbours by number, each list sorted and without repetition.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    /// Where the neighbours of each begin in `all`; one more than there are names.
    pub(super) starts: Vec<u32>,
    pub(super) all: Vec<u32>,
}

impl Links {
    /// By counting, because sorting all edges at once takes most of the time of a large graph.
    pub(super) fn new(names: usize, edges: &[(u32, u32)]) -> Self {
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
    pub(super) fn of(&self, number: u32) -> &[u32] {
        let at = number as usize;
        &self.all[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
    fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }
}

/// Numbers by name, and the edges in them.
pub(super) fn interned<'n>(
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
        let again = last.filter(|(name, _)| *name == from);
        let number = again.map_or_else(|| number_of(from), |(_, number)| number);
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
pub(super) struct Sorted {
    /// By depth, then by number.
    pub(super) order: Vec<u32>,
    pub(super) depths: Vec<u32>,
    pub(super) kept: Vec<(u32, u32)>,
    pub(super) cycles: Vec<Vec<u32>>,
    pub(super) left_out: usize,
}

/// Walks along the dependencies, deepest first. An edge back to a name that is still being walked closes a cycle.
pub(super) fn sorted(up: &Links) -> Sorted {
    const NEW: u32 = u32::MAX;
    const DONE: u32 = 0xFFFF_FFFE;
    const DEEPEST: u32 = 0xFFFF_FFFD;
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
                    places[to as usize] = u32::try_from(path.len()).unwrap_or(DEEPEST);
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
