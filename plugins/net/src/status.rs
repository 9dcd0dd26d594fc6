//! Which status codes of an HTTP answer are right: `200`, `200-299`, `200, 204, 301-308`.

use std::fmt;
use std::ops::RangeInclusive;

/// See the module; never empty.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected(Vec<RangeInclusive<u16>>);

impl Expected {
    /// Reads the text of the setting.
    ///
    /// # Errors
    /// A phrase that says what is wrong, with an example.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let ranges: Option<Vec<_>> = text.split(',').map(|part| range(part.trim())).collect();
        ranges.map(Self).ok_or_else(|| {
            format!("{text:?} is not a list of status codes from 100 to 599; write 200 or 200-299 or 200,204,301-308")
        })
    }

    /// Whether `code` is one of them.
    pub(crate) fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|range| range.contains(&code))
    }
}

fn range(part: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = match part.split_once('-') {
        Some((first, last)) => (code(first.trim())?, code(last.trim())?),
        None => (code(part)?, code(part)?),
    };
    (first <= last).then_some(first..=last)
}

fn code(text: &str) -> Option<u16> {
    // `parse` alone would take "+200".
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|code| digits && (100..=599).contains(code))
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, range) in self.0.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let (first, last) = (range.start(), range.end());
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_ranges_can_be_mixed() {
        for (text, shown, inside, outside) in [
            ("200", "200", [200, 200], [199, 201]),
            ("200-299", "200-299", [200, 299], [199, 300]),
            (" 204 ,301 - 308", "204, 301-308", [204, 305], [200, 309]),
            ("100-599", "100-599", [100, 599], [99, 600]),
        ] {
            let expected = Expected::parse(text).unwrap();
            assert_eq!(expected.to_string(), shown);
            assert!(inside.iter().all(|code| expected.contains(*code)), "{text}");
            assert!(!outside.iter().any(|code| expected.contains(*code)), "{text}");
        }
    }

    #[test]
    fn mistakes_are_refused_with_an_example() {
        for text in [
            "",
            ",",
            "200,",
            "ok",
            "2xx",
            "299-200",
            "99",
            "600",
            "200-",
            "-200",
            "+200",
            "20 0",
            "200-299-3",
        ] {
            let error = Expected::parse(text).unwrap_err();
            assert!(error.contains("write 200 or 200-299"), "{text:?}: {error}");
        }
    }
}
