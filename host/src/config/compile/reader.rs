//! Reads typed values out of one section, reporting what cannot be read and, at the end, what nobody asked for.
//!
//! A value that cannot be read is a problem and counts as absent, so that the caller's default stands in. The
//! methods take what they are asked for as known keys; that list is also what near names are looked up in.

use crate::calendar::when::in_words;
use crate::config::problem::{At, Problems, did_you_mean, nearest};
use crate::config::sections::{Keys, Text, is_command};
use pm_plugin_api::value::Value;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One section being read.
pub(in crate::config) struct Reader<'a> {
    pub(in crate::config) section: &'a str,
    pub(in crate::config) keys: &'a Keys,
    pub(in crate::config) problems: &'a mut Problems,
    /// Directory of the file, for relative paths.
    base: &'a Path,
    asked: BTreeSet<&'static str>,
}

/// What follows in every hint after a value that is not used.
const MEANWHILE: &str = "the default is used until then";

impl<'a> Reader<'a> {
    pub(in crate::config) fn new(
        section: &'a str,
        keys: &'a Keys,
        base: &'a Path,
        problems: &'a mut Problems,
    ) -> Self {
        Self { section, keys, problems, base, asked: BTreeSet::new() }
    }

    pub(in crate::config) fn error(
        &mut self,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let text = self.keys.texts.get(key);
        let section = text.map_or(self.section, |text| &text.section);
        self.problems.error(&At { line: text.map(|text| text.line), section, key: Some(key) }, message, hint);
    }

    pub(in crate::config) fn warning(
        &mut self,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let text = self.keys.texts.get(key);
        let section = text.map_or(self.section, |text| &text.section);
        self.problems.warning(
            &At { line: text.map(|text| text.line), section, key: Some(key) },
            message,
            hint,
        );
    }

    /// The text of a key; `None` when it is missing or empty.
    pub(in crate::config) fn raw(&mut self, key: &'static str) -> Option<&'a str> {
        self.asked.insert(key);
        self.keys.texts.get(key).map(|text| text.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether the key has a value of its own here, not one from `[process.default]`.
    pub(in crate::config) fn is_own(&self, key: &str) -> bool {
        let text = self.keys.texts.get(key);
        text.is_some_and(|text| !text.value.is_empty() && text.section == self.section)
    }

    /// A text that is no command: what looks like a comment at its end is pointed out.
    pub(in crate::config) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        let value = self.raw(key)?;
        if let Some((before, comment)) = comment_look_alike(value) {
            let message = format!("{comment:?} is part of the value, not a comment");
            self.warning(key, message, format!("write {before:?} and put the comment on a line of its own"));
        }
        Some(value)
    }

    /// A shell command.
    pub(in crate::config) fn command(&mut self, key: &'static str) -> Option<String> {
        let value = self.raw(key)?;
        super::commands::judge(key, value, &mut |message, hint| self.warning(key, message, hint));
        Some(value.to_owned())
    }

    /// A value of any type.
    pub(in crate::config) fn value<T: Value>(&mut self, key: &'static str) -> Option<T> {
        let value = self.raw(key)?;
        match T::parse(value) {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                let hint = comment_hint(value, |before| T::parse(before).is_ok());
                self.error(key, why, hint.unwrap_or_else(|| MEANWHILE.to_owned()));
                None
            }
        }
    }

    /// A whole number within limits.
    pub(in crate::config) fn number(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.raw(key)?;
        let read = |text: &str| text.parse::<u32>().ok().filter(|number| range.contains(number));
        if let Some(number) = read(value) {
            return Some(number);
        }
        let hint = comment_hint(value, |before| read(before).is_some());
        let message = format!("{value:?} is not a whole number from {} to {}", range.start(), range.end());
        self.error(key, message, hint.unwrap_or_else(|| MEANWHILE.to_owned()));
        None
    }

    /// A duration up to a limit.
    pub(in crate::config) fn duration(&mut self, key: &'static str, most: Duration) -> Option<Duration> {
        let duration = self.value::<Duration>(key)?;
        if duration <= most {
            return Some(duration);
        }
        let message = format!("{:?} is too long", self.keys.texts[key].value);
        self.error(key, message, format!("write at most {}; {MEANWHILE}", in_words(most)));
        None
    }

    /// A duration within limits.
    pub(in crate::config) fn duration_within(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let duration = self.duration(key, *range.end())?;
        if duration >= *range.start() {
            return Some(duration);
        }
        let message = format!("{:?} is too short", self.keys.texts[key].value);
        self.error(key, message, format!("write at least {}; {MEANWHILE}", in_words(*range.start())));
        None
    }

    /// By how much something grows with each step: 1 to 100.
    pub(in crate::config) fn factor(&mut self, key: &'static str) -> Option<f64> {
        let text = self.text(key)?;
        let factor = text.parse::<f64>().ok().filter(|factor| (1.0..=100.0).contains(factor));
        if factor.is_none() {
            let message = format!("{text:?} is not a number from 1 to 100");
            self.error(key, message, format!("write 1.5 or 2; {MEANWHILE}"));
        }
        factor
    }

    /// A path; a relative one is taken from the directory of the file.
    pub(in crate::config) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let value = self.text(key)?;
        if let Ok(path) = PathBuf::parse(value) {
            return Some(path);
        }
        let path = self.base.join(value);
        let message = format!("{value:?} is a relative path, taken from the directory of this file");
        self.warning(key, message, format!("write {}", path.display()));
        Some(path)
    }

    /// One of several words, in any case.
    pub(in crate::config) fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let value = self.raw(key)?;
        let find = |text: &str| words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        if let Some((_, meaning)) = find(value) {
            return Some(*meaning);
        }
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let hint = comment_hint(value, |before| find(before).is_some())
            .or_else(|| did_you_mean(value, names.iter().copied()))
            .unwrap_or_else(|| MEANWHILE.to_owned());
        self.error(key, format!("{value:?} is none of: {}", names.join(", ")), hint);
        None
    }

    /// Takes keys as known without reading them.
    pub(in crate::config) fn know(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// The keys that nobody asked for.
    pub(in crate::config) fn rest(&self) -> impl Iterator<Item = (&'a String, &'a Text)> + use<'a> {
        let asked = self.asked.clone();
        self.keys.texts.iter().filter(move |(key, _)| !asked.contains(key.as_str()))
    }

    /// Reports keys that mean something, but not in this section.
    pub(in crate::config) fn misplaced(&mut self, keys: &[&'static str], place: &str) {
        for key in keys.iter().filter(|key| self.keys.texts.contains_key(**key)) {
            self.asked.insert(key);
            self.warning(key, "is no key of this section; it is ignored", format!("write it into {place}"));
        }
    }

    /// Reports a key that nobody knows; `more` are known names besides those asked for.
    pub(in crate::config) fn unknown<'k>(&mut self, key: &'k str, more: impl IntoIterator<Item = &'k str>) {
        if self.problems.is_full() {
            self.warning(key, "unknown key", "");
            return;
        }
        let known = self.asked.iter().copied().chain(more);
        let hint = nearest(key, known.collect::<Vec<_>>())
            .map_or_else(|| "it is ignored".to_owned(), |name| format!("did you mean {name:?}?"));
        self.warning(key, "unknown key", hint);
    }

    /// Reports all keys that nobody asked for.
    pub(in crate::config) fn finish(mut self) {
        for (key, _) in self.rest() {
            self.unknown(key, []);
        }
    }
}

/// Splits `value ; note` and `value # note`.
pub(in crate::config) fn comment_look_alike(value: &str) -> Option<(&str, &str)> {
    let at = [" ;", "\t;", " #", "\t#"].iter().filter_map(|mark| value.find(mark)).min()?;
    Some((value[..at].trim_end(), &value[at + 1..]))
}

/// A hint when a value would be right without what looks like a comment.
pub(in crate::config) fn comment_hint(value: &str, right: impl Fn(&str) -> bool) -> Option<String> {
    let (before, comment) = comment_look_alike(value)?;
    right(before)
        .then(|| format!("{comment:?} is part of the value, not a comment; put it on a line of its own"))
}

/// Whether the end of this key's value may look like a comment without being meant as one.
pub(in crate::config) fn may_hold_marks(key: &str) -> bool {
    is_command(key) || crate::config::secret::names_a_secret(key)
}
