//! How the MySQL client reads a value of its option file.
//!
//! The predecessor wrote host, user, password and database into such a file, so this reading is what existing
//! configuration files mean.

/// A value as the option-file parser of the MySQL client reads it: cut at `#`, quotes stripped, escapes resolved.
pub(in crate::config) fn option_value(text: &str) -> String {
    let text = cut_at_comment(text).trim();
    let quoted = |q: char| text.len() >= 2 && text.starts_with(q) && text.ends_with(q);
    let inner = if quoted('"') || quoted('\'') { &text[1..text.len() - 1] } else { text };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('s') => out.push(' '),
            Some(same @ ('\\' | '"' | '\'')) => out.push(same),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// `#` inside quotes starts no comment.
fn cut_at_comment(text: &str) -> &str {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' | '"' if !escaped && quote.is_none() => quote = Some(c),
            _ if !escaped && quote == Some(c) => quote = None,
            '#' if quote.is_none() => return &text[..at],
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_clients_option_file_was() {
        for (text, expected) in [
            ("plain", "plain"),
            ("\"x\"", "x"),
            ("'x y'", "x y"),
            ("abc#def", "abc"),
            ("\"a#b\"", "a#b"),
            (r"a\\b\sc", r"a\b c"),
            (r"a\qb\", r"a\qb\"),
            ("\"", "\""),
            ("", ""),
        ] {
            assert_eq!(option_value(text), expected, "{text:?}");
        }
    }
}
