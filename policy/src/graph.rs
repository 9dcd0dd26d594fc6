//! Who depends on whom: waves and root causes.

use crate::name::Name;
use std::collections::HashMap;

/// A graph without cycles.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    names: Vec<Name>,
    index: HashMap<Name, u32>,
    needs: Vec<Vec<u32>>,
    needed_by: Vec<Vec<u32>>,
    order: Vec<u32>,
    depth: Vec<u32>,
}

impl Graph {
    /// A graph of edges `(process, depends on)`, which must hold no cycle.
    #[must_use]
    pub fn new(edges: &[(Name, Name)]) -> Self {
        let mut graph = Self::default();
        for (process, needs) in edges {
            let (from, to) = (graph.node(process), graph.node(needs));
            if !graph.needs[from as usize].contains(&to) {
                graph.needs[from as usize].push(to);
                graph.needed_by[to as usize].push(from);
            }
        }
        let mut open: Vec<usize> = graph.needs.iter().map(Vec::len).collect();
        let mut ready: Vec<u32> = (0..graph.names.len() as u32).filter(|n| open[*n as usize] == 0).collect();
        graph.depth = vec![0; graph.names.len()];
        while let Some(node) = ready.pop() {
            graph.order.push(node);
            for dependent in &graph.needed_by[node as usize] {
                let at = *dependent as usize;
                graph.depth[at] = graph.depth[at].max(graph.depth[node as usize] + 1);
                open[at] -= 1;
                if open[at] == 0 {
                    ready.push(*dependent);
                }
            }
        }
        graph
    }
    fn node(&mut self, name: &Name) -> u32 {
        if let Some(node) = self.index.get(name) {
            return *node;
        }
        let node = self.names.len() as u32;
        self.names.push(name.clone());
        self.index.insert(name.clone(), node);
        self.needs.push(Vec::new());
        self.needed_by.push(Vec::new());
        node
    }
    /// The number of a name that has an edge.
    #[must_use]
    pub fn index(&self, name: &Name) -> Option<u32> {
        self.index.get(name).copied()
    }
    /// Whether there is no edge.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
    /// The wave of a node: 0 depends on nothing.
    #[must_use]
    pub fn depth(&self, node: u32) -> u32 {
        self.depth[node as usize]
    }
    /// Those that depend on `name` directly.
    pub fn dependents<'a>(&'a self, name: &Name) -> impl Iterator<Item = &'a Name> {
        let nodes = self.index(name).map_or(&[][..], |node| &self.needed_by[node as usize]);
        nodes.iter().map(|node| &self.names[*node as usize])
    }
    /// For each node, what it inherits from all it depends on, directly or not: `own` is what a node itself
    /// contributes, `join` puts what one dependency contributes and has inherited together with the others.
    pub fn inherited<T: Clone>(
        &self,
        none: &T,
        own: impl Fn(&Name) -> T,
        mut join: impl FnMut(&T, &T, &T) -> T,
    ) -> Vec<T> {
        let mut inherited = vec![none.clone(); self.names.len()];
        let owned: Vec<T> = self.names.iter().map(own).collect();
        for node in &self.order {
            let mut all = none.clone();
            for needs in &self.needs[*node as usize] {
                all = join(&all, &inherited[*needs as usize], &owned[*needs as usize]);
            }
            inherited[*node as usize] = all;
        }
        inherited
    }
}
