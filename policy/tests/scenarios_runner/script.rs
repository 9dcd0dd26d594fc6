//! The form of a script: lines of words, times and lengths of time.

use super::setup::Setup;
use std::collections::VecDeque;
use std::time::Duration;

/// Something that happens.
pub(super) struct Step {
    /// Milliseconds since midnight.
    pub(super) at: i64,
    /// As it was written, without the time.
    pub(super) text: String,
    /// The number of its line, for errors.
    pub(super) line: usize,
}

/// Words still to be understood; text in quotes is one word.
pub(super) struct Words(VecDeque<String>);

/// Reads a script: what there is, and what happens.
pub(super) fn read(text: &str) -> Result<(Setup, Vec<Step>), String> {
    let (mut setup, mut steps): (Setup, Vec<Step>) = (Setup::default(), Vec::new());
    let mut clock = None;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let failed = |why: String| format!("line {line_number}: {why}");
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (at, text) = match (moment(first), clock) {
            (Some(at), _) => (at, rest.trim()),
            (None, Some(at)) => (at, line),
            (None, None) => {
                setup.line(line).map_err(failed)?;
                continue;
            }
        };
        if clock.is_some_and(|clock| at < clock) {
            return Err(failed("goes back in time".to_owned()));
        }
        let waited = text.strip_prefix("wait until ").map(|until| moment(until).unwrap_or(-1));
        if waited.is_some_and(|until| until < at) {
            return Err(failed("goes back in time".to_owned()));
        }
        clock = Some(waited.unwrap_or(at));
        steps.push(Step { at: waited.unwrap_or(at), text: text.to_owned(), line: line_number });
    }
    setup.finish();
    Ok((setup, steps))
}

impl Words {
    pub(super) fn new(text: &str) -> Self {
        let mut words = VecDeque::new();
        for (index, part) in text.split('"').enumerate() {
            if index % 2 == 1 {
                words.push_back(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        Self(words)
    }
    pub(super) fn peek(&self) -> &str {
        self.0.front().map_or("", String::as_str)
    }
    /// Takes the next word.
    pub(super) fn next(&mut self) -> String {
        self.0.pop_front().unwrap_or_default()
    }
    /// Takes these words, if they come next.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let wanted: Vec<&str> = words.split(' ').collect();
        let found = self.0.len() >= wanted.len() && self.0.iter().zip(&wanted).all(|(has, want)| has == want);
        if found {
            self.0.drain(..wanted.len());
        }
        found
    }
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `web1..3,db` are web1, web2, web3 and db.
pub(super) fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let range = part.split_once("..").and_then(|(from, last)| {
            let stem = from.trim_end_matches(|c: char| c.is_ascii_digit());
            Some((stem, from[stem.len()..].parse::<u32>().ok()?, last.parse::<u32>().ok()?))
        });
        match range {
            Some((stem, first, last)) => names.extend((first..=last).map(|n| format!("{stem}{n}"))),
            None => names.push(part.to_owned()),
        }
    }
    names
}

/// `HH:MM` or `HH:MM:SS` in milliseconds.
pub(super) fn moment(text: &str) -> Option<i64> {
    let parts: Option<Vec<i64>> = text.split(':').map(|part| part.parse().ok()).collect();
    match parts?.as_slice() {
        [hours, minutes] => Some((hours * 60 + minutes) * 60_000),
        [hours, minutes, seconds] => Some(((hours * 60 + minutes) * 60 + seconds) * 1_000),
        _ => None,
    }
}

/// `10s`, `15m`, `2h`.
pub(super) fn lasting(text: &str) -> Result<Duration, String> {
    let seconds = |unit: char, factor: u64| {
        text.strip_suffix(unit).and_then(|count| count.parse::<u64>().ok()).map(|count| count * factor)
    };
    seconds('s', 1)
        .or_else(|| seconds('m', 60))
        .or_else(|| seconds('h', 3600))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("not a length of time: {text}"))
}

/// A whole number.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}
