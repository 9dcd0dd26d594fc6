//! Sections as the predecessor would find them: repeated ones merged, repeated keys joined, spellings unified.
//!
//! Here a file becomes a map from section to key to text. Nothing is given a type yet.

use super::ini::{Document, Section};
use super::problem::{At, Problems};
use std::collections::BTreeMap;

/// All sections by name.
pub(super) type Sections = BTreeMap<String, Keys>;

/// One section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// Line of the (first) header.
    pub(super) line: u32,
    /// Its keys.
    pub(super) texts: BTreeMap<String, Text>,
}

/// The text of a key and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) line: u32,
    /// The section it was written in; differs from the asking one when it was inherited.
    pub(super) section: String,
}

/// Name of the section with the defaults for all processes.
pub(super) const DEFAULT: &str = "process.default";
/// What the section of a process begins with.
pub(super) const PROCESS: &str = "process.";
/// What the section of a plugin begins with.
pub(super) const PLUGIN: &str = "plugin.";
/// What the section of a library begins with.
pub(super) const LIBRARY: &str = "library.";
/// What the section of a maintenance window begins with.
pub(super) const MAINTENANCE: &str = "maintenance.";

/// What the section of a group begins with.
pub(super) const GROUP: &str = "group.";
/// What the section of somebody who is told begins with.
pub(super) const NOTIFY: &str = "notify.";
/// What the section of a level of criticality begins with.
pub(super) const CRITICALITY: &str = "criticality.";

/// Limits that no real file reaches; without them a file of 1 MiB could take minutes, because every process gets a
/// copy of the keys of `[process.default]`.
const MOST_SECTIONS: usize = 10_000;
const MOST_KEYS: usize = 100;

/// Whether repeated lines of this key are lines of one script.
pub(super) fn is_command(key: &str) -> bool {
    key.ends_with("_command") || matches!(key, "restart_script_path" | "restart_block_b64")
}

/// Unifies the sections of a file.
pub(super) fn unify(document: &Document, problems: &mut Problems) -> Sections {
    let mut sections = Sections::new();
    // The predecessor read from a header to the next one: a header that repeats the one just before it ended the
    // section, so what stands below the repetition was never seen. Later repetitions were read as well.
    let mut open: Option<String> = None;
    for section in document.sections.iter() {
        if section.name.is_empty() {
            open = None;
            continue;
        }
        let name = canonical(section, problems);
        let at = At { line: Some(section.line), section: &name, key: None };
        if open.as_deref() == Some(&name) {
            let hint = "delete the second header";
            problems.warning(&at, "the header is repeated at once and the keys below it are ignored", hint);
            open = None;
            continue;
        }
        if sections.len() >= MOST_SECTIONS && !sections.contains_key(&name) {
            let message =
                format!("this section and all below it are ignored: there are more than {MOST_SECTIONS}");
            problems.error(
                &at,
                message,
                "delete sections; rows without one can be handled by [process.default]",
            );
            break;
        }
        if let Some(first) = sections.get(&name) {
            let message = format!("the section began in line {}; both are read as one", first.line);
            problems.warning(&at, message, "bring its keys together");
        }
        let keys =
            sections.entry(name.clone()).or_insert_with(|| Keys { line: section.line, ..Keys::default() });
        for entry in &section.entries {
            let text = Text { value: entry.value.clone(), line: entry.line, section: name.clone() };
            keys.add(&entry.key, text, problems);
        }
        open = Some(name);
    }
    sections
}

impl Keys {
    fn add(&mut self, key: &str, text: Text, problems: &mut Problems) {
        let at = At { line: Some(text.line), section: &text.section, key: Some(key) };
        let full = self.texts.len() >= MOST_KEYS;
        let Some(first) = self.texts.get_mut(key) else {
            if full {
                let message = format!("is ignored: the section has more than {MOST_KEYS} keys");
                problems.error(&at, message, "delete keys that nobody reads");
            } else {
                self.texts.insert(key.to_owned(), text);
            }
            return;
        };
        if first.value.is_empty() || text.value.is_empty() {
            if !text.value.is_empty() {
                *first = text;
            }
        } else if is_command(key) {
            problems.warning(
                &at,
                format!("also stands in line {}; both are run, one after the other", first.line),
                "join the commands in one line",
            );
            first.value.push('\n');
            first.value.push_str(&text.value);
        } else {
            problems.warning(
                &at,
                format!("also stands in line {}; the last one counts", first.line),
                "delete one of them",
            );
            *first = text;
        }
    }

    /// These keys, with those of `default` where they are missing or empty.
    pub(super) fn over(&self, default: Option<&Self>) -> Self {
        let mut merged = self.clone();
        for (key, text) in default.iter().flat_map(|keys| &keys.texts) {
            if merged.texts.get(key).is_none_or(|own| own.value.is_empty()) {
                merged.texts.insert(key.clone(), text.clone());
            }
        }
        merged
    }
}

/// The predecessor looked names up as patterns, so that `[process_web]` was found for `process.web`.
fn canonical(section: &Section, problems: &mut Problems) -> String {
    match section.name.strip_prefix("process_") {
        Some(name) if !name.is_empty() => {
            let name = format!("{PROCESS}{name}");
            let at = At { line: Some(section.line), section: &section.name, key: None };
            problems.warning(&at, format!("is read as [{name}]"), format!("write [{name}]"));
            name
        }
        _ => section.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ini;
    use std::path::Path;

    fn values(text: &str) -> (BTreeMap<String, String>, usize) {
        let mut problems = Problems::of(Path::new("x.ini"));
        let sections = unify(&ini::read(text.as_bytes(), &mut problems), &mut problems);
        let flat = sections.iter().flat_map(|(name, keys)| {
            keys.texts.iter().map(move |(key, text)| (format!("{name} {key}"), text.value.clone()))
        });
        (flat.collect(), problems.into_list().len())
    }

    #[test]
    fn a_flood_of_sections_or_keys_is_cut_with_an_error() {
        let many = |count, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
        let (keys, problems) = values(&format!("[s]\n{}", many(MOST_KEYS + 1, |n| format!("k{n}=v\n"))));
        assert_eq!((keys.len(), problems), (MOST_KEYS, 1));
        let (keys, problems) = values(&many(MOST_SECTIONS + 9, |n| format!("[s{n}]\nk=v\n")));
        assert_eq!((keys.len(), problems), (MOST_SECTIONS, 1));
    }

    #[test]
    fn a_section_repeated_at_once_is_ignored_and_a_later_one_is_merged() {
        let (values, problems) = values("[a]\nk=1\n[a]\nl=2\n[b]\nk=3\n[a]\nm=4\n");
        let names: Vec<_> = values.keys().map(String::as_str).collect();
        assert_eq!(names, ["a k", "a m", "b k"]);
        assert_eq!(problems, 2);
    }

    #[test]
    fn repeated_commands_run_one_after_the_other_and_other_keys_take_the_last() {
        let (values, problems) = values("[s]\nrestart_command=a\nrestart_command=b\nn=1\nn=2\ne=\ne=3\n");
        assert_eq!(values["s restart_command"], "a\nb");
        assert_eq!((&*values["s n"], &*values["s e"], problems), ("2", "3", 2));
    }

    #[test]
    fn an_underscore_after_process_is_read_as_a_dot() {
        let (values, problems) = values("[process_web]\na=1\n[process_default]\nb=2\n");
        let names: Vec<_> = values.keys().map(String::as_str).collect();
        assert_eq!((names, problems), (vec!["process.default b", "process.web a"], 2));
    }
}
