//! Request headers from the configuration: `Name: value`, several separated by a line break or `\n`.
//!
//! Values may be secret, so no message repeats one.

use ureq::http::{HeaderName, HeaderValue};

/// Headers that pm or the protocol itself sets.
const RESERVED: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "expect"];

/// Reads the text of the setting.
///
/// # Errors
/// A phrase that says which line is wrong and why, without its value.
pub fn parse(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let text = text.replace("\\n", "\n");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(place, line)| one(line).map_err(|why| format!("line {}: {why}", place + 1)))
        .collect()
}

fn one(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = line.split_once(':').ok_or("there is no colon; write Name: value")?;
    let shown = name.trim();
    let name = HeaderName::try_from(shown).map_err(|_| format!("{shown:?} is not a header's name"))?;
    if RESERVED.contains(&name.as_str()) {
        return Err(format!("{shown} cannot be set; it follows from the url"));
    }
    let mut value = HeaderValue::try_from(value.trim())
        .map_err(|_| format!("the value of {shown} has characters that a header cannot have"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_headers_stand_on_lines_of_their_own() {
        let headers = parse("Authorization: Bearer a:b\\nX-One:1\n\n  accept : text/html ").unwrap();
        let shown: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(shown, [("authorization", "Bearer a:b"), ("x-one", "1"), ("accept", "text/html")]);
    }

    #[test]
    fn mistakes_never_repeat_the_value() {
        for (text, part) in [
            ("A: 1\nhunter2", "line 2: there is no colon"),
            ("X Y: hunter2", "line 1: \"X Y\" is not a header's name"),
            ("X: hunter2\u{7}", "the value of X has characters"),
            ("Host: hunter2", "Host cannot be set"),
            (": hunter2", "\"\" is not a header's name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
    }
}
