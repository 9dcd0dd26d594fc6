//! Settings of a part: a plain struct whose keys, types, defaults and documentation the host can read.
//!
//! [`settings!`](crate::settings!) writes the struct, the parser and the schema from one declaration. The schema
//! is a constant text that `export!` places in the library file, so that `pm check` and `pm plugins info` know
//! every key without running any of the library's code.

use crate::error::{Error, Result};
use crate::value::Value;
use std::collections::BTreeMap;

/// The texts of a section as the operator wrote them.
pub type Texts = BTreeMap<String, String>;

/// Settings that can be read from a section and described to the operator.
pub trait Settings: Sized + Send + Sync + 'static {
    /// One record per key, see [`keys`].
    const SCHEMA: &'static str;
    /// Reads the settings; keys that are not declared are an error.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the key and what was expected.
    fn read(texts: &Texts) -> Result<Self>;
}

/// For parts without settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoSettings;

impl Settings for NoSettings {
    const SCHEMA: &'static str = "";
    fn read(texts: &Texts) -> Result<Self> {
        refuse_unknown(texts, &[])?;
        Ok(Self)
    }
}

/// One key of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key as written in the INI file.
    pub name: String,
    /// [`Value::TYPE`].
    pub kind: String,
    /// The default as it would be written; `None` when the key has none.
    pub default: Option<String>,
    /// One or more sentences for the operator.
    pub text: String,
}

/// Separates the fields of a record and ends a record of a schema.
#[doc(hidden)]
pub const FIELD: char = '\u{1f}';
/// Ends a record of a schema.
#[doc(hidden)]
pub const RECORD: char = '\u{1e}';
/// Ends the schema of a part in the library file.
#[doc(hidden)]
pub const PART: char = '\u{1d}';

/// Reads a schema text into keys; records from a newer interface keep their first four fields.
pub fn keys(schema: &str) -> Vec<Key> {
    schema
        .split(RECORD)
        .filter_map(|record| {
            let mut fields = record.split(FIELD);
            let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
            let kind = fields.next()?.to_owned();
            let default = fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
            let text = fields.next()?.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
            Some(Key { name, kind, default, text: text.trim().to_owned() })
        })
        .collect()
}

/// One setting out of the texts of a section.
#[doc(hidden)]
pub fn field<T: Value>(texts: &Texts, key: &str, default: Option<&str>) -> Result<T> {
    let parse = |text: &str| T::parse(text).map_err(|why| Error::config(format!("{key}: {why}")));
    match (texts.get(key), default) {
        (Some(text), _) => parse(text.trim()),
        (None, Some(text)) => parse(text),
        (None, None) => T::absent().ok_or_else(|| Error::config(format!("{key}: is required ({})", T::TYPE))),
    }
}

/// Refuses keys that nobody declared.
#[doc(hidden)]
pub fn refuse_unknown(texts: &Texts, known: &[&str]) -> Result<()> {
    match texts.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) if known.is_empty() => {
            Err(Error::config(format!("unknown key {key:?}; there are no settings")))
        }
        Some(key) => Err(Error::config(format!("unknown key {key:?}; there are: {}", known.join(", ")))),
    }
}

/// The key of a field: one that is called like a keyword of Rust (`r#match`) goes without the prefix.
#[doc(hidden)]
pub const fn key(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', name @ ..] => as_text(name),
        _ => field,
    }
}

/// Length of joined texts, for [`join`].
#[doc(hidden)]
pub const fn joined_len(parts: &[&str]) -> usize {
    let (mut total, mut i) = (0, 0);
    while i < parts.len() {
        total += parts[i].len();
        i += 1;
    }
    total
}

/// Joins texts at compile time.
#[doc(hidden)]
pub const fn join<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut out = [0; N];
    let (mut at, mut i) = (0, 0);
    while i < parts.len() {
        let bytes = parts[i].as_bytes();
        let mut j = 0;
        while j < bytes.len() {
            out[at] = bytes[j];
            at += 1;
            j += 1;
        }
        i += 1;
    }
    out
}

/// The bytes of [`join`] as text; they come from texts, so they are one.
#[doc(hidden)]
pub const fn as_text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("joined texts are text"),
    }
}

/// Declares the settings of a part.
///
/// ```
/// use std::{path::PathBuf, time::Duration};
/// pm_plugin_api::settings! {
///     /// Settings of the strategy "runit".
///     pub struct RunitSettings {
///         /// Directory of the service directories.
///         pub service_dir: PathBuf = "/etc/service",
///         /// How long `sv` may take.
///         pub sv_timeout: Duration = "7s",
///         /// Where to write a copy of the output.
///         pub transcript: Option<PathBuf>,
///     }
/// }
/// # use pm_plugin_api::Settings;
/// let keys = pm_plugin_api::settings::keys(RunitSettings::SCHEMA);
/// assert_eq!(keys[1].name, "sv_timeout");
/// assert_eq!(keys[1].default.as_deref(), Some("7s"));
/// ```
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $fvis:vis $field:ident : $type:ty $(= $default:literal)? ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        $vis struct $name { $( $(#[doc = $doc])* $fvis $field: $type, )* }

        const _: () = {
            use $crate::value::Value as _;
            const PARTS: &[&str] = &[ $(
                $crate::settings::key(stringify!($field)), "\u{1f}", <$type>::TYPE, "\u{1f}",
                $crate::__default!($($default)?), "\u{1f}",
                $( $doc, "\n", )* "\u{1e}",
            )* ];
            const BYTES: [u8; $crate::settings::joined_len(PARTS)] = $crate::settings::join(PARTS);

            impl $crate::Settings for $name {
                const SCHEMA: &'static str = $crate::settings::as_text(&BYTES);
                fn read(texts: &$crate::settings::Texts) -> $crate::Result<Self> {
                    $crate::settings::refuse_unknown(
                        texts, &[ $( $crate::settings::key(stringify!($field)) ),* ])?;
                    Ok(Self { $(
                        $field: $crate::settings::field(
                            texts,
                            $crate::settings::key(stringify!($field)),
                            $crate::__optional_default!($($default)?),
                        )?,
                    )* })
                }
            }
        };
    };
}

/// The default of a field as a text.
#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    () => {
        ""
    };
    ($default:literal) => {
        $default
    };
}

/// The default of a field as an option.
#[doc(hidden)]
#[macro_export]
macro_rules! __optional_default {
    () => {
        None
    };
    ($default:literal) => {
        Some($default)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    crate::settings! {
        /// Settings for the tests.
        struct Sample {
            /// How long to wait.
            /// Then what.
            wait: Duration = "10s",
            /// A limit.
            limit: Option<u32>,
            /// Must be given.
            unit: String,
            /// A keyword.
            r#match: bool = "yes",
        }
    }

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_schema_tells_key_type_default_and_text() {
        let keys = keys(Sample::SCHEMA);
        assert_eq!(keys.len(), 4);
        assert_eq!(keys[3].name, "match");
        assert_eq!(keys[0].name, "wait");
        assert_eq!(keys[0].kind, "duration");
        assert_eq!(keys[0].default.as_deref(), Some("10s"));
        assert_eq!(keys[0].text, "How long to wait. Then what.");
        assert_eq!((keys[1].kind.as_str(), &keys[1].default), ("number", &None));
    }

    #[test]
    fn values_are_read_with_their_defaults() {
        let sample = Sample::read(&texts(&[("unit", "a.service")])).unwrap();
        assert_eq!(
            (sample.wait, sample.limit, sample.unit.as_str(), sample.r#match),
            (Duration::from_secs(10), None, "a.service", true)
        );
    }

    #[test]
    fn mistakes_name_the_key_and_what_was_expected() {
        let error = |pairs: &[(&str, &str)]| Sample::read(&texts(pairs)).unwrap_err().message;
        assert_eq!(error(&[]), "unit: is required (text)");
        assert!(error(&[("unit", "a"), ("wait", "soon")]).starts_with("wait: \"soon\" is not a duration"));
        assert_eq!(error(&[("unti", "a")]), "unknown key \"unti\"; there are: wait, limit, unit, match");
        assert_eq!(error(&[("unit", "a"), ("match", "maybe")]), "match: \"maybe\" is neither yes nor no");
    }
}
