//! Bytes in the configuration and in messages: `\r \n \t \0 \\ \xHH` and text as it is.

const LONGEST_SHOWN: usize = 80;

/// Reads the text of a setting.
///
/// # Errors
/// A phrase that names the escape which is not known; the text itself may be secret.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        out.push(match rest.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                hexadecimal(&digits).ok_or_else(|| unknown("\\x without two hexadecimal digits"))?
            }
            Some(other) => return Err(unknown(&format!("\\{other}"))),
            None => return Err(unknown("\\ at the end")),
        });
    }
    Ok(out)
}

fn hexadecimal(digits: &str) -> Option<u8> {
    let both = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    both.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn unknown(what: &str) -> String {
    format!("{what} is not known; there are \\r \\n \\t \\0 \\\\ and \\x00 to \\xff")
}

/// Foreign bytes as they may stand in a log: quoted, escaped, cut.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let cut = if bytes.len() > LONGEST_SHOWN { "…" } else { "" };
    format!("\"{}\"{cut}", bytes[..bytes.len().min(LONGEST_SHOWN)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_bytes() {
        assert_eq!(parse(r"PING\r\n\t\0\\\xFf é").unwrap(), b"PING\r\n\t\0\\\xff \xc3\xa9");
        assert_eq!(parse("").unwrap(), b"");
    }

    #[test]
    fn unknown_escapes_are_refused() {
        for (text, part) in [
            (r"a\q", r"\q is not known"),
            ("a\\", r"\ at the end"),
            (r"\x4", "two hex"),
            (r"\x+4", "two hex"),
        ] {
            assert!(parse(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn foreign_bytes_are_escaped_and_cut() {
        assert_eq!(shown(b"a\"\x1b[2J\xff\n"), r#""a\"\x1b[2J\xff\n""#);
        let long = shown(&[b'x'; LONGEST_SHOWN + 1]);
        assert!(long.ends_with("\"…") && long.len() < LONGEST_SHOWN + 10);
    }
}
