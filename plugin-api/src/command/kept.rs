//! Output that is kept within a bound, and made fit to be shown.
//!
//! The first and the last half of the bound are kept: the beginning says what a command was about, the end why it
//! failed. What a command writes is hostile as far as a terminal is concerned: control characters and marks that turn
//! the direction of writing never leave this file.

/// The longest line that is shown, in characters.
const LONGEST_LINE: usize = 500;

/// Bytes within a bound.
pub(super) struct Kept {
    half: usize,
    head: Vec<u8>,
    /// At most twice the half; cut down when it is more, so that a byte is moved once on average.
    tail: Vec<u8>,
    dropped: u64,
}

impl Kept {
    pub(super) fn new(limit: usize) -> Self {
        Self { half: limit / 2, head: Vec::new(), tail: Vec::new(), dropped: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * self.half {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let surplus = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..surplus);
        self.dropped += surplus as u64;
    }

    /// The text with a line about what is missing in its place, and how many bytes are missing.
    pub(super) fn into_text(mut self) -> (String, u64) {
        self.cut();
        if self.dropped > 0 {
            let note = format!("\n[{} bytes of output left out]\n", self.dropped);
            self.head.extend_from_slice(note.as_bytes());
        }
        self.head.append(&mut self.tail);
        (String::from_utf8_lossy(&self.head).into_owned(), self.dropped)
    }
}

/// The lines of an output that hold something, fit to be shown and not longer than 500 characters.
pub fn lines(output: &str) -> impl DoubleEndedIterator<Item = String> {
    output.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty()).map(|line| {
        match line.char_indices().nth(LONGEST_LINE) {
            Some((end, _)) => printable(&line[..end]) + "…",
            None => printable(line),
        }
    })
}

/// The last of [`lines`].
pub fn last_line(output: &str) -> Option<String> {
    lines(output).next_back()
}

/// `text` without anything that a terminal would act on: such characters appear as `\u{1b}`, tabs as blanks.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            _ if c.is_control() || turns_the_text(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

/// Marks of direction and separators that change how a line is laid out without being seen.
fn turns_the_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_kept_whatever_the_portions() {
        let all: Vec<u8> = (0..1000).map(|i| b'a' + (i % 26) as u8).collect();
        for portion in [1, 7, 50, 1000] {
            let mut kept = Kept::new(100);
            all.chunks(portion).for_each(|chunk| kept.push(chunk));
            let (text, dropped) = kept.into_text();
            assert_eq!(dropped, 900, "portions of {portion}");
            let (head, tail) = (String::from_utf8_lossy(&all[..50]), String::from_utf8_lossy(&all[950..]));
            assert_eq!(text, format!("{head}\n[900 bytes of output left out]\n{tail}"));
        }
    }

    #[test]
    fn what_fits_is_kept_exactly() {
        let mut kept = Kept::new(10);
        kept.push(b"12345");
        kept.push(b"67890");
        assert_eq!(kept.into_text(), ("1234567890".to_owned(), 0));
        let mut nothing = Kept::new(0);
        nothing.push(b"abc");
        assert_eq!(nothing.into_text(), ("\n[3 bytes of output left out]\n".to_owned(), 3));
    }

    #[test]
    fn lines_are_fit_for_a_terminal() {
        let output = "one\ttab\n\n10%\r20%\r\nred \u{1b}[31m\u{202e}\nlast  \n";
        let shown: Vec<String> = lines(output).collect();
        assert_eq!(shown, ["one tab", "10%", "20%", "red \\u{1b}[31m\\u{202e}", "last"]);
        assert_eq!(last_line(output).as_deref(), Some("last"));
        assert_eq!(last_line("\n \n"), None);
        assert_eq!(lines(&"ä".repeat(600)).next().unwrap().chars().count(), 501);
    }
}
