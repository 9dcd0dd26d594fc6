//! INI text to sections and entries with their lines; knows no key and no section by name.
//!
//! rust-ini reads each entry. Which lines are entries is decided here, because the predecessor's grammar is
//! stricter than any INI crate (headers and keys in column 0, no `:`, no quotes, escapes, continuation lines or
//! inline comments) and because rust-ini stops at the first mistake and keeps no line numbers.
//!
//! Every line that is not blank, a comment, a header or an entry gets a problem; no input is lost silently and
//! none can make this fail. Problems never quote the text of a line, which may be a piece of a password.

use super::problem::{At, Problems};
use ini::{Ini, ParseOption};
use std::borrow::Cow;

/// The largest file that is read.
pub(super) const LARGEST_FILE: usize = 1024 * 1024;
/// The longest line; as much as the kernel takes as one argument of a command.
const LONGEST_LINE: usize = 128 * 1024;

/// A file as it stands, before any meaning.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// Sections in the order of the file, repeated ones too. A header that cannot be read has an empty name.
    pub(super) sections: Vec<Section>,
    /// Names of headers that do not count: indented, or without a closing bracket.
    pub(super) lost: Vec<String>,
}

/// A header and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) entries: Vec<Entry>,
}

/// `key = value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) line: u32,
}

/// What a line is.
enum Line<'a> {
    Nothing,
    Header(&'a str),
    UnreadableHeader(&'static str, &'a str),
    Indented,
    Entry(String, String),
    Neither(&'static str),
}

/// Reads the bytes of a file.
pub(super) fn read(bytes: &[u8], problems: &mut Problems) -> Document {
    let text = decode(bytes, problems);
    let mut document = Document::default();
    for (index, line) in text.split('\n').enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let line = line.trim_end_matches([' ', '\t', '\r']);
        let section = document.sections.last().map(|section| section.name.clone()).unwrap_or_default();
        let at = At { line: Some(number), section: &section, key: None };
        if line.len() > LONGEST_LINE {
            let kib = LONGEST_LINE / 1024;
            problems.error(
                &at,
                format!("the line is longer than {kib} KiB and is ignored"),
                "put a long script into a file",
            );
            continue;
        }
        match classify(&without_returns(line, &at, problems)) {
            Line::Nothing => {}
            Line::Header(name) => document.open(name, number),
            Line::UnreadableHeader(why, name) => {
                let at = At { section: "", ..at };
                problems.error(&at, why, "write it as [name]; the keys below it are ignored");
                document.lost.push(name.to_owned());
                document.open("", number);
            }
            Line::Indented => document.indented(line, &at, problems),
            Line::Entry(key, value) => match document.sections.last_mut() {
                Some(section) => section.entries.push(Entry { key, value, line: number }),
                None => problems.warning(
                    &At { key: Some(&key), ..at },
                    "stands before the first section and is ignored",
                    "move it below a [header]",
                ),
            },
            Line::Neither(why) => {
                problems.warning(&at, why, "write it as key = value, or begin it with # or ;");
            }
        }
    }
    document
}

impl Document {
    fn open(&mut self, name: &str, line: u32) {
        self.sections.push(Section { name: name.to_owned(), line, entries: Vec::new() });
    }

    fn indented(&mut self, line: &str, at: &At<'_>, problems: &mut Problems) {
        let what = match classify(line.trim_start_matches([' ', '\t'])) {
            Line::Header(name) => {
                self.lost.push(name.to_owned());
                "an indented header is ignored, so the keys below it belong to the section above"
            }
            Line::Entry(..) => "an indented key is ignored",
            _ => "an indented line is ignored",
        };
        problems.warning(at, what, "begin the line in the first column");
    }
}

fn classify(line: &str) -> Line<'_> {
    let trimmed = line.trim_start_matches([' ', '\t']);
    if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
        return Line::Nothing;
    }
    if trimmed.len() != line.len() {
        return Line::Indented;
    }
    if let Some(rest) = line.strip_prefix('[') {
        return match rest.split_once(']') {
            None => Line::UnreadableHeader("the header has no closing ]", rest),
            Some(("", _)) => Line::UnreadableHeader("the header names no section", ""),
            Some((name, _)) => Line::Header(name),
        };
    }
    match (line.find('='), line.find(':')) {
        (None, Some(_)) => Line::Neither("\"key: value\" is not supported and the line is ignored"),
        (Some(equals), Some(colon)) if colon < equals => {
            Line::Neither("\"key: value\" is not supported and the line is ignored")
        }
        (None, None) => Line::Neither("the line is neither a [header] nor key = value and is ignored"),
        (Some(_), _) => match entry(line) {
            Some((key, value)) => Line::Entry(key, value),
            None => Line::Neither("the line has no readable key and is ignored"),
        },
    }
}

/// One line by rust-ini. Line by line, because a backslash at the end of a line would join the next one to it.
fn entry(line: &str) -> Option<(String, String)> {
    let option = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        enabled_indented_mutiline_value: false,
        enabled_preserve_key_leading_whitespace: false,
    };
    let parsed = Ini::load_from_str_opt(line, option).ok()?;
    let (key, value) = parsed.general_section().iter().next()?;
    Some((key.to_owned(), value.to_owned()))
}

/// A carriage return inside a line would end it for rust-ini; it has never been part of a working value.
fn without_returns<'a>(line: &'a str, at: &At<'_>, problems: &mut Problems) -> Cow<'a, str> {
    if !line.contains('\r') {
        return Cow::Borrowed(line);
    }
    problems.warning(
        at,
        "a carriage return inside the line is read as a blank",
        "end lines with \\n or \\r\\n",
    );
    Cow::Owned(line.replace('\r', " "))
}

fn decode<'a>(bytes: &'a [u8], problems: &mut Problems) -> Cow<'a, str> {
    let first = At { line: Some(1), ..At::default() };
    let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        None => bytes,
        Some(rest) => {
            let hint = "save the file as UTF-8 without a mark";
            problems.warning(&first, "a byte-order mark before the first line is ignored", hint);
            rest
        }
    };
    let line_of = |at: usize| {
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        At { line: u32::try_from(line).ok(), ..At::default() }
    };
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        problems.error(
            &line_of(at),
            "the file holds NUL bytes, so it is not a text file",
            "save it as UTF-8",
        );
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            let message = "bytes that are not UTF-8 are replaced by \u{fffd}, here and below";
            problems.warning(&line_of(error.valid_up_to()), message, "save the file as UTF-8");
            String::from_utf8_lossy(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn parse(text: &[u8]) -> (Document, Vec<crate::config::Problem>) {
        let mut problems = Problems::of(Path::new("x.ini"));
        let document = read(text, &mut problems);
        (document, problems.into_list())
    }

    fn value(text: &str) -> String {
        let (document, problems) = parse(format!("[s]\n{text}\n").as_bytes());
        assert_eq!(problems, [], "{text:?}");
        document.sections[0].entries[0].value.clone()
    }

    #[test]
    fn a_value_is_the_rest_of_the_line_and_nothing_in_it_is_special() {
        for (line, expected) in [
            ("k=v", "v"),
            ("k  = \t v \t\r", "v"),
            ("k =", ""),
            ("k = curl http://h/?a=b&c=d", "curl http://h/?a=b&c=d"),
            ("k = service ; note", "service ; note"),
            ("k = \"x\" 'y'", "\"x\" 'y'"),
            (r"k = a\nb\x41\", r"a\nb\x41\"),
            ("k = [x] # y", "[x] # y"),
            ("k = grep -q 'a: b'", "grep -q 'a: b'"),
            ("k = ==", "=="),
        ] {
            assert_eq!(value(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_backslash_at_the_end_does_not_join_lines() {
        let (document, problems) = parse(b"[s]\na = x \\\nb = y\n");
        let entries: Vec<_> =
            document.sections[0].entries.iter().map(|e| (&*e.key, &*e.value, e.line)).collect();
        assert_eq!(entries, [("a", "x \\", 2), ("b", "y", 3)]);
        assert_eq!(problems, []);
    }

    #[test]
    fn headers_end_at_the_first_bracket_and_keep_their_blanks() {
        let (document, _) = parse(b"[a] anything\n[ b ]\n[c.d/e]\n  [f]\n[g\n[]\n");
        let names: Vec<_> = document.sections.iter().map(|section| (&*section.name, section.line)).collect();
        assert_eq!(names, [("a", 1), (" b ", 2), ("c.d/e", 3), ("", 5), ("", 6)]);
        assert_eq!(document.lost, ["f", "g", ""]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse(&bytes);
        }

        #[test]
        fn a_line_with_a_key_is_an_entry_or_has_a_problem(
            lines in proptest::collection::vec("[ a\\[\\]:#;\\\\=\t\r\u{a0}\u{c}é]{0,12}", 0..20)
        ) {
            let text = lines.join("\n");
            let (document, problems) = parse(text.as_bytes());
            for (index, line) in text.split('\n').enumerate() {
                let number = index as u32 + 1;
                let content = line.trim_matches([' ', '\t', '\r']);
                if content.is_empty() || content.starts_with(['#', ';']) {
                    continue;
                }
                let known = document.sections.iter().any(|section| {
                    section.line == number || section.entries.iter().any(|entry| entry.line == number)
                });
                let told = problems.iter().any(|problem| problem.line == Some(number));
                prop_assert!(known || told, "line {number} {line:?} is lost: {document:?}");
            }
        }
    }
}
