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
    /// What a bare number counts: what the author says, else what the type says ([`crate::value::unit`]).
    pub unit: Option<String>,
    /// Which values of the type there are, as the author wrote it: `ca|none`, `0..20`; see [`judge`].
    pub allowed: Option<String>,
    /// Whether a section without it is refused.
    pub required: bool,
}

pub use crate::allowed::judge;

/// Separates the fields of a record and ends a record of a schema.
#[doc(hidden)]
pub const FIELD: char = '\u{1f}';
/// Ends a record of a schema.
#[doc(hidden)]
pub const RECORD: char = '\u{1e}';
/// Ends the schema of a part in the library file.
#[doc(hidden)]
pub const PART: char = '\u{1d}';

/// Reads a schema text into keys. A record has the fields name, type, default, text, and since API level 2 also unit, allowed
/// values, and `required`; whoever knows fewer of them reads the first ones, and those that are missing are empty.
pub fn keys(schema: &str) -> Vec<Key> {
    schema
        .split(RECORD)
        .filter_map(|record| {
            let mut fields = record.split(FIELD);
            let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
            let kind = fields.next()?.to_owned();
            let default = fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
            let text = fields.next()?.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
            let mut more = || fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
            let (unit, allowed, need) = (more(), more(), more());
            Some(Key {
                unit: unit.or_else(|| crate::value::unit(&kind).map(str::to_owned)),
                name,
                kind,
                default,
                text: text.trim().to_owned(),
                allowed,
                required: need.as_deref() == Some("required"),
            })
        })
        .collect()
}

/// One setting out of the texts of a section.
#[doc(hidden)]
pub fn field<T: Value>(texts: &Texts, key: &str, default: Option<&str>, allowed: &str) -> Result<T> {
    let parse = |text: &str| {
        let value = T::parse(text);
        let value = value.and_then(|value| crate::allowed::within(T::TYPE, allowed, text).map(|()| value));
        value.map_err(|why| Error::config(format!("{key}: {why}")))
    };
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

/// The last field of a record.
#[doc(hidden)]
pub const fn need<T: Value>(default: Option<&str>) -> &'static str {
    if default.is_some() || T::OPTIONAL { "" } else { "required" }
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
/// Below the text of a key may stand `#[unit = "…"]`, what a bare number counts where the type does not say it, and
/// `#[allowed = "…"]`, which values there are: `"ca|none"` for texts and lists, `"0..20"` (both included, either may be missing) for
/// numbers, durations and sizes. Both are shown to the operator, and the second is held by `pm check` and by the part.
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
///         /// How often it is tried.
///         #[unit = "attempts"]
///         #[allowed = "1..5"]
///         pub tries: u32 = "2",
///     }
/// }
/// # use pm_plugin_api::Settings;
/// let keys = pm_plugin_api::settings::keys(RunitSettings::SCHEMA);
/// assert_eq!(keys[1].name, "sv_timeout");
/// assert_eq!(keys[1].default.as_deref(), Some("7s"));
/// assert_eq!(keys[1].unit.as_deref(), Some("seconds"));
/// assert_eq!(keys[3].allowed.as_deref(), Some("1..5"));
/// ```
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $(#[unit = $unit:literal])? $(#[allowed = $allowed:literal])?
               $fvis:vis $field:ident : $type:ty $(= $default:literal)? ),* $(,)?
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
                $( $doc, "\n", )* "\u{1f}", $($unit,)? "\u{1f}", $($allowed,)? "\u{1f}",
                $crate::settings::need::<$type>($crate::__optional_default!($($default)?)), "\u{1e}",
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
                            concat!($($allowed)?),
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
            /// Few.
            #[unit = "percent"]
            #[allowed = "1..100"]
            share: u32 = "50",
            /// One word.
            #[allowed = "a|b"]
            word: Option<String>,
        }
    }

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_schema_tells_key_type_default_and_text() {
        let keys = keys(Sample::SCHEMA);
        assert_eq!(keys.len(), 6);
        assert_eq!(keys[3].name, "match");
        assert_eq!(keys[0].name, "wait");
        assert_eq!(keys[0].kind, "duration");
        assert_eq!(keys[0].default.as_deref(), Some("10s"));
        assert_eq!(keys[0].text, "How long to wait. Then what.");
        assert_eq!((keys[1].kind.as_str(), &keys[1].default), ("number", &None));
        let of = |at: usize| (keys[at].unit.as_deref(), keys[at].allowed.as_deref(), keys[at].required);
        assert_eq!(of(0), (Some("seconds"), None, false));
        assert_eq!((of(1), of(2)), ((None, None, false), (None, None, true)));
        assert_eq!(of(4), (Some("percent"), Some("1..100"), false));
        assert_eq!(of(5), (None, Some("a|b"), false));
    }

    #[test]
    fn a_schema_of_the_first_interface_has_four_fields_and_a_newer_one_may_have_more() {
        let old = keys("wait\u{1f}duration\u{1f}10s\u{1f}How long.\u{1e}");
        assert_eq!((old[0].text.as_str(), old[0].unit.as_deref()), ("How long.", Some("seconds")));
        assert_eq!((old[0].allowed.as_deref(), old[0].required), (None, false));
        let newer =
            "n\u{1f}number\u{1f}\u{1f}Few.\u{1f}jobs\u{1f}1..\u{1f}required\u{1f}what comes later\u{1e}";
        assert_eq!((keys(newer)[0].unit.as_deref(), keys(newer)[0].required), (Some("jobs"), true));
        // What a host of the first interface makes of today's records: the first four fields.
        let fields: Vec<_> = Sample::SCHEMA.split(RECORD).next().unwrap().split(FIELD).take(4).collect();
        assert_eq!(fields[..3], ["wait", "duration", "10s"]);
        assert!(fields[3].contains("How long to wait."));
    }

    #[test]
    fn values_are_read_with_their_defaults() {
        let sample = Sample::read(&texts(&[("unit", "a.service")])).unwrap();
        assert_eq!(
            (sample.wait, sample.limit, sample.unit.as_str(), sample.r#match),
            (Duration::from_secs(10), None, "a.service", true)
        );
        assert_eq!((sample.share, sample.word), (50, None));
    }

    #[test]
    fn mistakes_name_the_key_and_what_was_expected() {
        let error = |pairs: &[(&str, &str)]| Sample::read(&texts(pairs)).unwrap_err().message;
        assert_eq!(error(&[]), "unit: is required (text)");
        assert!(error(&[("unit", "a"), ("wait", "soon")]).starts_with("wait: \"soon\" is not a duration"));
        assert_eq!(
            error(&[("unti", "a")]),
            "unknown key \"unti\"; there are: wait, limit, unit, match, share, word"
        );
        assert_eq!(error(&[("unit", "a"), ("match", "maybe")]), "match: \"maybe\" is neither yes nor no");
        assert_eq!(error(&[("unit", "a"), ("share", "101")]), "share: \"101\" is not from 1 to 100");
        assert_eq!(error(&[("unit", "a"), ("word", "c")]), "word: \"c\" is none of: a, b");
    }
}
