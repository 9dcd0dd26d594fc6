//! A process name, and how foreign text is shown without letting it draw on a terminal.

use std::fmt;
use std::sync::Arc;

/// A process name: data from the database or the configuration, never a command, a unit pattern or a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Takes any text as it is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
    /// The text as it is; use `Display` for people.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether there is nothing to name a process by.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

/// Shows control characters and direction marks escaped, so that no name can draw on a terminal or a log.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&printable(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// `text` with control characters, line separators and direction marks escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    out
}

/// Whether a character can be shown as it is; those that cannot are below U+10000.
#[must_use]
pub fn is_printable(c: char) -> bool {
    let hidden =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !(c.is_control() || hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_draw_on_a_terminal() {
        let name = Name::new("a\u{1b}[2J\nb\u{202e}c");
        assert_eq!(name.to_string(), "a\\u{1b}[2J\\u{a}b\\u{202e}c");
    }

    #[test]
    fn every_hidden_character_is_escaped_and_its_neighbours_are_not() {
        for hidden in [
            '\0', '\u{7f}', '\u{9b}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2060}', '\u{2069}',
            '\u{feff}',
        ] {
            assert!(!is_printable(hidden), "{hidden:?}");
            assert_eq!(printable(&hidden.to_string()), format!("\\u{{{:x}}}", u32::from(hidden)));
        }
        for shown in [
            'a',
            ' ',
            'ñ',
            '日',
            '\u{200a}',
            '\u{2010}',
            '\u{2027}',
            '\u{202f}',
            '\u{205f}',
            '\u{206a}',
            '\u{1f600}',
        ] {
            assert!(is_printable(shown), "{shown:?}");
            assert_eq!(printable(&shown.to_string()), shown.to_string());
        }
    }

    #[test]
    fn a_name_is_any_text_and_blank_when_nothing_can_be_seen_of_it() {
        let name = Name::new(" web\n");
        assert_eq!((name.as_str(), format!("{name:?}")), (" web\n", "\" web\\n\"".to_owned()));
        assert_eq!(format!("[{:>6}]", Name::new("web")), "[   web]");
        assert_eq!(
            ["", " \t\n", "x", " x "].map(|text| Name::new(text).is_blank()),
            [true, true, false, false]
        );
    }
}
