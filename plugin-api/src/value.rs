//! Typed values of settings: how a text from the INI file becomes a number, a duration, a path.
//!
//! The host validates a plugin's keys with the same code by the type's [name](Value::TYPE), so `pm check` and
//! the plugin never disagree. No value is ever guessed: what does not parse is an error that shows an example.

use std::path::PathBuf;
use std::time::Duration;

/// A type that a setting can have.
pub trait Value: Sized {
    /// Name of the type as it appears in `pm plugins info`.
    const TYPE: &'static str;
    /// Whether a key of this type may be absent although no default is declared.
    const OPTIONAL: bool = false;
    /// Reads the text of the INI file, already trimmed.
    ///
    /// # Errors
    /// A phrase that completes "KEY: …": what is expected, with an example.
    fn parse(text: &str) -> Result<Self, String>;
    /// The value when the key is absent and no default is declared; `None` makes the key required.
    fn absent() -> Option<Self> {
        None
    }
}

impl Value for String {
    const TYPE: &'static str = "text";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for bool {
    const TYPE: &'static str = "boolean";
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" => Ok(true),
            "no" | "false" | "off" | "0" => Ok(false),
            _ => Err(format!("{text:?} is neither yes nor no")),
        }
    }
}

macro_rules! integers {
    ($($type:ty => $name:literal),*) => {$(
        impl Value for $type {
            const TYPE: &'static str = $name;
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!(
                    "{text:?} is not a whole number from {} to {}", <$type>::MIN, <$type>::MAX
                ))
            }
        }
    )*};
}
integers!(u16 => "number16", u32 => "number", u64 => "number64");

impl Value for Duration {
    const TYPE: &'static str = "duration";
    /// `5` (seconds), `0.5`, `500ms`, `5s`, `2m`, `1h`, `1d`.
    fn parse(text: &str) -> Result<Self, String> {
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let scale = match unit.trim() {
            "" | "s" | "sec" => 1.0,
            "ms" => 0.001,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(not_a_duration(text)),
        };
        let seconds = number.parse::<f64>().map_err(|_| not_a_duration(text))? * scale;
        Self::try_from_secs_f64(seconds).map_err(|_| not_a_duration(text))
    }
}

fn not_a_duration(text: &str) -> String {
    format!("{text:?} is not a duration; write seconds or a unit: 5, 0.5, 500ms, 30s, 2m, 1h, 1d")
}

/// An amount of memory or storage, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Value for Size {
    const TYPE: &'static str = "size";
    /// `4096` (bytes), `64K`, `256M`, `2G`, `1T`; also `KiB` and the like. K is 1024.
    fn parse(text: &str) -> Result<Self, String> {
        let not_a_size = || format!("{text:?} is not a size; write bytes or a unit: 4096, 64K, 256M, 2G");
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(not_a_size()),
        };
        let number = number.parse::<u64>().map_err(|_| not_a_size())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(not_a_size)
    }
}

impl std::fmt::Display for Size {
    /// As it would be written: `256M`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
        let whole = |shift: u32| self.0 > 0 && self.0.is_multiple_of(1 << shift);
        match units.into_iter().find(|(shift, _)| whole(*shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Value for PathBuf {
    const TYPE: &'static str = "path";
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            Ok(Self::from(text))
        } else {
            Err(format!("{text:?} is not an absolute path; write it from / on"))
        }
    }
}

impl Value for Vec<String> {
    const TYPE: &'static str = "list";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }
}

impl<T: Value> Value for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const OPTIONAL: bool = true;
    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// What a bare number of the type called `name` counts.
#[must_use]
pub fn unit(name: &str) -> Option<&'static str> {
    match name {
        <Duration as Value>::TYPE => Some("seconds"),
        <Size as Value>::TYPE => Some("bytes"),
        _ => None,
    }
}

/// The type called `name` for people, with its article; a name from a newer interface is its own description.
#[must_use]
pub fn in_words(name: &str) -> String {
    match name {
        <String as Value>::TYPE => "a text".to_owned(),
        <bool as Value>::TYPE => "yes or no".to_owned(),
        <u16 as Value>::TYPE => format!("a whole number up to {}", u16::MAX),
        <u32 as Value>::TYPE => format!("a whole number up to {}", u32::MAX),
        <u64 as Value>::TYPE => "a whole number".to_owned(),
        <Duration as Value>::TYPE => "a duration in seconds, or with ms, s, m, h or d".to_owned(),
        <Size as Value>::TYPE => "a size in bytes, or with K, M, G or T".to_owned(),
        <PathBuf as Value>::TYPE => "an absolute path".to_owned(),
        <Vec<String> as Value>::TYPE => "a list, separated by commas".to_owned(),
        _ => name.to_owned(),
    }
}

/// Whether `text` is a valid value of the type called `name`; a name from a newer interface accepts everything.
///
/// # Errors
/// The phrase of [`Value::parse`].
pub fn validate(name: &str, text: &str) -> Result<(), String> {
    fn check<T: Value>(text: &str) -> Result<(), String> {
        T::parse(text).map(|_| ())
    }
    match name {
        <bool as Value>::TYPE => check::<bool>(text),
        <u16 as Value>::TYPE => check::<u16>(text),
        <u32 as Value>::TYPE => check::<u32>(text),
        <u64 as Value>::TYPE => check::<u64>(text),
        <Duration as Value>::TYPE => check::<Duration>(text),
        <Size as Value>::TYPE => check::<Size>(text),
        <PathBuf as Value>::TYPE => check::<PathBuf>(text),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_unless_a_unit_is_given() {
        for (text, millis) in [("5", 5000), ("0.5", 500), ("500ms", 500), ("1m", 60_000), ("1.5m", 90_000)] {
            assert_eq!(Duration::parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "-1", "5 parsecs", "1e99", "0x5", "nan", "."] {
            assert!(Duration::parse(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn sizes_are_bytes_unless_a_unit_is_given_and_are_shown_as_they_are_written() {
        for (text, bytes, shown) in [
            ("4096", 4096, "4K"),
            ("1000", 1000, "1000"),
            ("64k", 64 << 10, "64K"),
            ("256 MiB", 256 << 20, "256M"),
            ("2G", 2 << 30, "2G"),
            ("0", 0, "0"),
        ] {
            let size = Size::parse(text).unwrap();
            assert_eq!((size, size.to_string().as_str()), (Size(bytes), shown), "{text}");
        }
        for bad in ["", "M", "-1", "1.5G", "256 megs", "99999999999T"] {
            assert!(Size::parse(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn the_host_validates_by_the_name_of_the_type() {
        assert!(validate("boolean", "maybe").is_err());
        assert!(validate("number16", "70000").is_err());
        assert!(validate("path", "relative/x").is_err());
        assert_eq!(validate("hologram", "anything"), Ok(()));
        assert_eq!(<Option<Duration> as Value>::TYPE, "duration");
        assert_eq!(
            (in_words("number16").as_str(), in_words("hologram").as_str()),
            ("a whole number up to 65535", "hologram")
        );
        assert_eq!((unit("size"), unit("number")), (Some("bytes"), None));
    }
}
