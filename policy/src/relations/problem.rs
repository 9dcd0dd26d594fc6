//! What cannot be followed of groups and dependencies, with the path that leads to it and where that was written.

use super::Declared;
use crate::graph::Graph;
use crate::name::Name;
use std::collections::BTreeSet;
use std::fmt;

/// So many names of a long path are shown at each of its ends.
const ENDS: usize = 6;

/// Where a dependency was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The section of the process.
    Section,
    /// `[process.default]`.
    Default,
    /// The table `pm_dependency`.
    Table,
}

/// A dependency that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Names depend on each other in a cycle.
    Cycle {
        /// Begins and ends with the same name; each depends on the next. The last step is left out.
        path: Vec<Name>,
        /// Where each step was written.
        sources: Vec<Source>,
    },
    /// There are more cycles than are told.
    MoreCycles(usize),
    /// A name that has no section, and no `[process.default]` stands in for it.
    Unknown {
        /// Whose dependency it is.
        process: Name,
        /// The name.
        depends_on: Name,
        /// Where it was written.
        source: Source,
    },
}

/// The problems of a graph, cycles first; `strange` are the edges to names that are not configured.
pub(super) fn all(declared: &Declared, graph: &Graph, strange: &BTreeSet<(&Name, &Name)>) -> Vec<Problem> {
    let cycles = graph.cycles().iter().map(|path| Problem::Cycle {
        sources: path.windows(2).map(|step| source(declared, &step[0], &step[1])).collect(),
        path: path.clone(),
    });
    let more = graph.left_out() - graph.cycles().len();
    let more = (more > 0).then_some(Problem::MoreCycles(more));
    let unknown = strange.iter().map(|(process, to)| Problem::Unknown {
        process: (*process).clone(),
        depends_on: (*to).clone(),
        source: source(declared, process, to),
    });
    cycles.chain(more).chain(unknown).collect()
}

/// The file comes before the table where both say the same.
fn source(declared: &Declared, process: &Name, to: &Name) -> Source {
    let own = declared.processes.get(process).and_then(|own| own.depends_on.as_ref());
    match own {
        Some(names) if names.contains(to) => Source::Section,
        None if declared.depends_on(process).contains(to) => Source::Default,
        _ => Source::Table,
    }
}

impl Problem {
    /// Whether it is about `name`: one of its dependencies was left out, or the cycle leads through it.
    #[must_use]
    pub fn concerns(&self, name: &Name) -> bool {
        match self {
            Self::Cycle { path, .. } => path.contains(name),
            Self::MoreCycles(_) => false,
            Self::Unknown { process, .. } => process == name,
        }
    }
}

impl Source {
    /// Where to look, for people.
    #[must_use]
    pub fn place(self) -> &'static str {
        match self {
            Self::Section => "the file",
            Self::Default => "[process.default]",
            Self::Table => "pm_dependency",
        }
    }
}

/// `a → b → c`; of a long path both ends.
#[must_use]
pub fn path<'n>(names: impl IntoIterator<Item = &'n Name>) -> String {
    let mut names: Vec<String> = names.into_iter().map(Name::to_string).collect();
    if names.len() > 2 * ENDS + 1 {
        let middle = format!("({} more)", names.len() - 2 * ENDS);
        names.splice(ENDS..names.len() - ENDS, [middle]);
    }
    names.join(" → ")
}

/// One sentence: the path, what is wrong with it, where it was written, and what is done about it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle { path: names, sources } => {
                let places: BTreeSet<&str> = sources.iter().map(|source| source.place()).collect();
                let places: Vec<&str> = places.into_iter().collect();
                write!(f, "{} is a cycle (in {})", path(names), places.join(" and "))?;
                match names.as_slice() {
                    [.., last, first] if names.len() > 2 => {
                        write!(f, "; until one of these is deleted, {last} does not wait for {first}")
                    }
                    _ => f.write_str("; a process does not wait for itself"),
                }
            }
            Self::MoreCycles(count) => {
                write!(f, "{count} more dependencies close a cycle and are left out")
            }
            Self::Unknown { process, depends_on, source } => write!(
                f,
                "{}: {depends_on} is not configured here (in {}); {process} does not wait for it",
                path([process, depends_on]),
                source.place()
            ),
        }
    }
}
