//! Groups and dependencies: what the configuration file and the tables of the alarm database say of them, made into
//! one picture.
//!
//! The more particular word wins for a group: the section of the process, then the table, then `[process.default]`.
//! Dependencies of both sources add up. The names in the list of `[process.default]` do not inherit that list, so that
//! "everything depends on the network" does not make the network depend on itself. What cannot be followed (an edge
//! that closes a cycle, a name that is not configured) is left out and told, never fatal: a daemon keeps running.
//!
//! It must not read a file or a table, and must not decide anything: `decide` asks it.

mod problem;
#[cfg(test)]
mod tests;

pub use problem::{Problem, Source, path};

use crate::graph::{Causes, Graph, Latest};
use crate::name::Name;
use crate::time::Ticks;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What the tables `pm_group` and `pm_dependency` say, as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relations {
    /// Processes and their groups.
    pub groups: Vec<(Name, Name)>,
    /// Processes and what they depend on.
    pub dependencies: Vec<(Name, Name)>,
}

/// What the configuration file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Each process that has a section.
    pub processes: BTreeMap<Name, Declaration>,
    /// `[process.default]`, which makes every name a configured one.
    pub default: Option<Declaration>,
}

/// What one section says itself; nothing that it inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declaration {
    /// `group`; none when the section does not say.
    pub group: Option<Membership>,
    /// `depends_on`; none when the section does not say, empty for `depends_on = none`.
    pub depends_on: Option<Vec<Name>>,
}

/// A stated group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// `group = none`: a member of no group, whatever others say.
    Nowhere,
    /// A member of this group.
    Of(Name),
}

/// The groups and dependencies that are in force.
#[derive(Debug, Clone, Default)]
pub struct Related {
    graph: Graph,
    groups: HashMap<Name, Name>,
    members: BTreeMap<Name, Vec<Name>>,
    /// Names that have a section.
    own: HashSet<Name>,
    /// What `[process.default]` says for all names that nothing else is said of.
    others: Others,
    problems: Vec<Problem>,
    foreign: BTreeSet<Name>,
}

#[derive(Debug, Clone, Default)]
struct Others {
    group: Option<Name>,
    depends_on: Vec<Name>,
}

impl Declared {
    /// Whether `name` has a section or `[process.default]` stands in for it.
    #[must_use]
    pub fn configures(&self, name: &Name) -> bool {
        self.default.is_some() || self.processes.contains_key(name)
    }
    /// What `name` depends on by the file, in its own words or by inheritance.
    #[must_use]
    pub fn depends_on(&self, name: &Name) -> &[Name] {
        if let Some(own) = self.processes.get(name).and_then(|process| process.depends_on.as_ref()) {
            return own;
        }
        let inherited = self.default.as_ref().and_then(|default| default.depends_on.as_ref());
        inherited.filter(|names| !names.contains(name)).map_or(&[], Vec::as_slice)
    }
    /// The group of `name` by the section of its own; `None` when that does not say.
    fn stated(&self, name: &Name) -> Option<&Membership> {
        self.processes.get(name)?.group.as_ref()
    }
    fn others(&self) -> Others {
        let default = self.default.clone().unwrap_or_default();
        let group = match default.group {
            Some(Membership::Of(group)) => Some(group),
            Some(Membership::Nowhere) | None => None,
        };
        Others { group, depends_on: default.depends_on.unwrap_or_default() }
    }
}

impl Related {
    /// Makes one picture of both sources.
    #[must_use]
    pub fn merge(declared: &Declared, table: &Relations) -> Self {
        let mut related = Self {
            own: declared.processes.keys().cloned().collect(),
            others: declared.others(),
            ..Self::default()
        };
        related.group(declared, table);
        related.depend(declared, table);
        related
    }

    fn group(&mut self, declared: &Declared, table: &Relations) {
        let mut of_table: BTreeMap<&Name, &Name> = BTreeMap::new();
        for (process, group) in &table.groups {
            if declared.configures(process) {
                of_table.entry(process).or_insert(group);
            } else {
                self.foreign.insert(process.clone());
            }
        }
        let names: BTreeSet<&Name> = declared.processes.keys().chain(of_table.keys().copied()).collect();
        for name in names {
            let group = match (declared.stated(name), of_table.get(name)) {
                (Some(Membership::Nowhere), _) => None,
                (Some(Membership::Of(group)), _) => Some(group),
                (None, Some(group)) => Some(*group),
                (None, None) => self.others.group.as_ref(),
            };
            if let Some(group) = group {
                self.groups.insert(name.clone(), group.clone());
                self.members.entry(group.clone()).or_default().push(name.clone());
            }
        }
    }

    fn depend(&mut self, declared: &Declared, table: &Relations) {
        // Asked several times for each of a hundred thousand rows.
        let sections: HashSet<&Name> = declared.processes.keys().collect();
        let is_configured = |name: &Name| declared.default.is_some() || sections.contains(name);
        let mut edges: Vec<(&Name, &Name)> = Vec::new();
        for process in declared.processes.keys() {
            edges.extend(declared.depends_on(process).iter().map(|to| (process, to)));
        }
        for (process, to) in &table.dependencies {
            if is_configured(process) {
                edges.push((process, to));
            } else {
                self.foreign.insert(process.clone());
            }
        }
        if !self.others.depends_on.is_empty() {
            // Names without a section that somebody speaks of inherit like all others.
            let spoken_of: HashSet<&Name> = edges.iter().flat_map(|(process, to)| [*process, *to]).collect();
            for name in spoken_of.difference(&sections) {
                edges.extend(declared.depends_on(name).iter().map(|to| (*name, to)));
            }
        }
        let (edges, strange): (Vec<_>, Vec<_>) = edges.into_iter().partition(|(_, to)| is_configured(to));
        self.graph = Graph::with_names(&self.others.depends_on, edges);
        self.problems = problem::all(declared, &self.graph, &strange.into_iter().collect());
    }

    /// The group that `name` is a member of.
    #[must_use]
    pub fn group_of(&self, name: &Name) -> Option<&Name> {
        let known = self.groups.get(name);
        let default = self.others.group.as_ref();
        if known.is_none() && default.is_some() && !self.own.contains(name) { default } else { known }
    }
    /// All groups that have members, each with those that are known by name, sorted: those that have a section or
    /// stand in the table. Rows that only `[process.default]` speaks for are members as well, but nobody can count
    /// them beforehand.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<Name, Vec<Name>> {
        &self.members
    }
    /// The known members of a group; see [`Self::groups`].
    #[must_use]
    pub fn members(&self, group: &Name) -> &[Name] {
        self.members.get(group).map_or(&[], Vec::as_slice)
    }
    /// The dependencies, without those of names that only `[process.default]` speaks for.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// What `name` depends on directly.
    #[must_use]
    pub fn depends_on(&self, name: &Name) -> Vec<&Name> {
        if self.inherits(name) {
            return self.others.depends_on.iter().collect();
        }
        self.graph.depends_on(name).collect()
    }
    /// The wave in which `name` can be started: 0 when it depends on nothing.
    #[must_use]
    pub fn depth(&self, name: &Name) -> u32 {
        if !self.inherits(name) {
            return self.graph.depth(name);
        }
        self.others.depends_on.iter().map(|to| self.graph.depth(to) + 1).max().unwrap_or(0)
    }
    /// What every name waits for when these are in trouble. Asks once per poll, not once per name.
    #[must_use]
    pub fn waits<'r, 'n>(&'r self, troubled: impl IntoIterator<Item = &'n Name>) -> Waits<'r> {
        Waits { related: self, causes: self.graph.causes(troubled) }
    }
    /// When the last of all that a name depends on was brought back, given when each was. Asks once per poll.
    #[must_use]
    pub fn restored<'r, 'n>(&'r self, moments: impl IntoIterator<Item = (&'n Name, Ticks)>) -> Restored<'r> {
        Restored { related: self, latest: self.graph.latest(moments) }
    }
    /// Whether nothing depends on anything.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.graph.order().is_empty() && self.others.depends_on.is_empty()
    }
    /// What depends directly on `name`, of those that are known by name.
    pub fn dependents_of(&self, name: &Name) -> impl Iterator<Item = &Name> {
        self.graph.dependents_of(name)
    }
    /// What could not be followed and was left out, cycles first.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
    /// Names that the tables speak for and that are not configured here: of other hosts, or misspelt. They are left
    /// out.
    #[must_use]
    pub fn foreign(&self) -> &BTreeSet<Name> {
        &self.foreign
    }

    /// Whether only `[process.default]` speaks of the dependencies of `name`.
    fn inherits(&self, name: &Name) -> bool {
        !self.others.depends_on.is_empty() && !self.own.contains(name) && !self.graph.contains(name)
    }
}

/// Who waits for whom, as of one moment.
#[derive(Debug)]
pub struct Waits<'r> {
    related: &'r Related,
    causes: Causes<'r>,
}

impl<'r> Waits<'r> {
    /// The root cause that `name` waits for: a name in trouble that it depends on, directly or through others, and
    /// that waits for nobody itself; of several the one nearest to the root, then the first by name.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<&'r Name> {
        if self.related.inherits(name) {
            return self.causes.of_whoever_needs(&self.related.others.depends_on);
        }
        self.causes.of(name)
    }
}

/// When what everybody depends on was brought back, as of one moment.
#[derive(Debug)]
pub struct Restored<'r> {
    related: &'r Related,
    latest: Latest<'r>,
}

impl Restored<'_> {
    /// When the last of all that `name` depends on was brought back.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<Ticks> {
        if self.related.inherits(name) {
            return self.latest.of_whoever_needs(&self.related.others.depends_on);
        }
        self.latest.of(name)
    }
}
