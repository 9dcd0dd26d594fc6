//! `group` and `depends_on`: what a section says of them, and whether what the file says as a whole can be followed.
//!
//! Only the file is judged here; what the tables add is merged and judged where they are read.

use super::reader::Reader;
use crate::config::group::Group;
use crate::config::problem::{At, Problems, did_you_mean, nearest};
use crate::config::sections::{DEFAULT, GROUP, PROCESS, Sections};
use crate::policy::model::Name;
use crate::policy::relations::{Declaration, Declared, Membership, Problem, Related, Relations, path};
use std::collections::BTreeMap;

/// More names in one list than this are no list of dependencies; every process may inherit it.
const MOST: usize = 100;
/// So many lines of a cycle are told.
const MOST_LINES: usize = 12;
/// The word for nothing, because an empty value is no value.
const NONE: &str = "none";

/// What the section says itself. What it inherits is not its own word: a table may say otherwise.
pub(super) fn declaration(reader: &mut Reader<'_>) -> Declaration {
    let group = reader.text("group").filter(|_| reader.is_own("group"));
    let names = reader.text("depends_on").filter(|_| reader.is_own("depends_on"));
    Declaration {
        group: group.and_then(|group| membership(reader, group)),
        depends_on: names.map(|names| dependencies(reader, names)),
    }
}

fn membership(reader: &mut Reader<'_>, group: &str) -> Option<Membership> {
    if group.contains(',') {
        let message = format!("{group:?} holds a comma, and a process is in one group only");
        reader.error("group", message, "write one name; it is in no group of this file until then");
        return None;
    }
    Some(if group == NONE { Membership::Nowhere } else { Membership::Of(Name::new(group)) })
}

fn dependencies(reader: &mut Reader<'_>, list: &str) -> Vec<Name> {
    if list == NONE {
        return Vec::new();
    }
    let mut names: Vec<Name> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let name = Name::new(name);
        if names.len() == MOST {
            let message = format!("names more than {MOST} processes; the rest is ignored");
            reader.error("depends_on", message, "let the processes depend on one that stands for them");
            break;
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Reports cycles and unknown names, each where the dependency stands, and groups that hold nobody.
pub(super) fn judge(
    declared: &Declared,
    groups: &BTreeMap<String, Group>,
    sections: &Sections,
    problems: &mut Problems,
) {
    let related = Related::merge(declared, &Relations::default());
    let place = |process: &Name, key: &str| Place::of(sections, process.as_str(), key);
    for problem in related.problems() {
        match problem {
            Problem::Cycle { path: names, .. } => {
                let [.., last, first] = names.as_slice() else { continue };
                let steps = names.iter().skip(1).take(MOST_LINES);
                let mut lines: Vec<u32> = steps.filter_map(|name| place(name, "depends_on").line).collect();
                lines.sort_unstable();
                lines.dedup();
                let lines: Vec<_> = lines.iter().map(u32::to_string).collect();
                let what = if lines.len() == 1 { "line" } else { "lines" };
                let message = format!("{} is a cycle ({what} {})", path(names), lines.join(", "));
                let hint = if last == first {
                    "delete it; a process does not wait for itself".to_owned()
                } else {
                    format!("delete one of these dependencies; until then {last} does not wait for {first}")
                };
                problems.error(&place(last, "depends_on").at(), message, hint);
            }
            Problem::MoreCycles(_) => {
                problems.error(&At::default(), problem.to_string(), "correct the cycles above first");
            }
            Problem::Unknown { process, depends_on, .. } => {
                let message =
                    format!("{}: no process {depends_on} is configured", path([process, depends_on]));
                let known = declared.processes.keys().map(Name::as_str);
                // The nearest of ten thousand names takes its time, and nobody reads that many problems.
                let near = (!problems.is_full()).then(|| did_you_mean(depends_on.as_str(), known)).flatten();
                let hint =
                    near.unwrap_or_else(|| format!("add [{PROCESS}{depends_on}]; it is ignored until then"));
                problems.error(&place(process, "depends_on").at(), message, hint);
            }
        }
    }
    judge_groups(declared, &related, groups, sections, problems);
}

fn judge_groups(
    declared: &Declared,
    related: &Related,
    groups: &BTreeMap<String, Group>,
    sections: &Sections,
    problems: &mut Problems,
) {
    let default = declared.default.as_ref().and_then(|default| default.group.as_ref());
    let is_used = |group: &Name| {
        related.groups().contains_key(group) || default == Some(&Membership::Of(group.clone()))
    };
    for group in groups.keys().filter(|group| !is_used(&Name::new(group))) {
        let section = format!("{GROUP}{group}");
        let at = At { line: sections.get(&section).map(|keys| keys.line), section: &section, key: None };
        let hint = did_you_mean(group, related.groups().keys().map(Name::as_str)).unwrap_or_else(|| {
            format!("write group = {group} for a process, unless the table pm_group does")
        });
        problems.warning(&at, "no process of this file is a member", hint);
    }
    for (group, members) in related.groups().iter().filter(|(group, _)| !groups.contains_key(group.as_str()))
    {
        let near = nearest(group.as_str(), groups.keys().map(String::as_str));
        if let (Some(near), Some(member)) = (near, members.first()) {
            let message =
                format!("there is no [{GROUP}{group}], so the group {group} has the default numbers");
            let place = Place::of(sections, member.as_str(), "group");
            problems.warning(&place.at(), message, format!("did you mean {near:?}?"));
        }
    }
}

/// Where a key of a process stands: in its own section, or in `[process.default]`.
struct Place {
    section: String,
    key: String,
    line: Option<u32>,
}

impl Place {
    fn of(sections: &Sections, process: &str, key: &str) -> Self {
        let own = format!("{PROCESS}{process}");
        let line = |section: &str| {
            let text = sections.get(section)?.texts.get(key)?;
            (!text.value.is_empty()).then_some(text.line)
        };
        let section = if line(&own).is_none() && line(DEFAULT).is_some() { DEFAULT.to_owned() } else { own };
        Self { line: line(&section), section, key: key.to_owned() }
    }

    fn at(&self) -> At<'_> {
        At { line: self.line, section: &self.section, key: Some(&self.key) }
    }
}
