//! Results for programs, which people look at as well: nothing in them can draw on a terminal.

use crate::cli::Failure;
use crate::policy::model::is_printable;
use serde_json::Value;
use std::io::Write;

/// Writes `value` over several lines. What a terminal would act on is escaped beyond what JSON demands.
pub(crate) fn write(value: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    // Outside of strings there is nothing but ASCII and line feeds, so every other character is inside of one.
    let mut text = String::new();
    for c in format!("{value:#}").chars() {
        if c == '\n' || is_printable(c) {
            text.push(c);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    Ok(writeln!(out, "{text}")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_draws_is_escaped_and_what_is_read_is_the_same() {
        let value = json!({"a\u{202e}": ["\u{1b}[2J\n\t\u{7f}\u{feff}", "ș😀", 1.5, null]});
        let mut text = Vec::new();
        write(&value, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
