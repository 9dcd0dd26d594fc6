//! What is said while something runs, kept within bounds: the first and the last half.

use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept of one step.
const MOST: usize = 4096;

/// Takes lines in, from whatever thread; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Halves>>);

#[derive(Debug, Default)]
struct Halves {
    first: String,
    last: String,
    /// Lines that were left out between the two.
    dropped: usize,
}

impl Heard {
    /// One more line; control characters are escaped by whoever says it.
    pub fn line(&self, line: &str) {
        let halves = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = cut(line, MOST / 4);
        if halves.dropped == 0 && halves.last.is_empty() && halves.first.len() + line.len() < MOST / 2 {
            halves.first.push_str(line);
            halves.first.push('\n');
            return;
        }
        halves.last.push_str(line);
        halves.last.push('\n');
        while halves.last.len() > MOST / 2 {
            let end = halves.last.find('\n').map_or(halves.last.len(), |end| end + 1);
            halves.last.drain(..end);
            halves.dropped += 1;
        }
    }

    /// All of it, with a line about what was left out.
    #[must_use]
    pub fn text(&self) -> String {
        let halves = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match halves.dropped {
            0 => format!("{}{}", halves.first, halves.last),
            lines => format!("{}[{lines} lines left out]\n{}", halves.first, halves.last),
        }
    }
}

/// Lines of output within the bounds of one step.
#[must_use]
pub fn bounded(lines: impl IntoIterator<Item = String>) -> String {
    let heard = Heard::default();
    lines.into_iter().for_each(|line| heard.line(&line));
    heard.text()
}

/// The beginning of a text, at most so many bytes, cut between characters.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_kept_as_it_is_and_of_much_the_ends() {
        assert_eq!(bounded(["a".to_owned(), "b".to_owned()]), "a\nb\n");
        let text = bounded((0..5_000).map(|number| format!("line {number}")));
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("line 4998\nline 4999\n"), "{text}");
        assert!(text.contains(" lines left out]\n") && text.len() < MOST + 64, "{}", text.len());
        let counted: usize =
            text.split(['[', ' ']).find_map(|word| word.parse().ok().filter(|n| *n > 4000)).unwrap();
        assert_eq!(counted + text.lines().count() - 1, 5_000, "{text}");
    }

    #[test]
    fn a_line_without_end_is_cut_between_characters() {
        let text = bounded(["ș".repeat(10_000)]);
        assert!(text.len() <= MOST / 4 + 1 && text.chars().all(|c| c == 'ș' || c == '\n'));
    }
}
