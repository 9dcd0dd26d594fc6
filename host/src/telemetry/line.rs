//! One event as a line: text and JSON in the predecessor's shapes, a datagram for syslog, an entry for the journal.
//!
//! Pure: the moment, the time zone and the machine are arguments. One event is one line whatever is in it: control
//! characters, line separators and direction marks are escaped, so that no name from the database can forge a
//! line or draw on a terminal, and a very long text is cut.

use super::Level;
use crate::policy::model::{is_printable, printable};
use crate::policy::time::Wall;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::fmt::Write as _;

/// What the service has always called itself, in JSON and for syslog.
const SERVICE: &str = "monitor_service";
/// The longest text of a message or a field, in bytes.
const LONGEST: usize = 16 * 1024;
/// `daemon`, the facility of syslog, with `err`.
const DAEMON_ERR: u8 = 3 << 3 | 3;
/// Keys of the object itself; a field of the same name gets an underscore.
const OWN_KEYS: [&str; 6] = ["timestamp", "level", "service", "host", "pid", "message"];

/// Where lines come from and for whom they are written.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The name of this machine.
    pub host: String,
    /// The number of this process.
    pub pid: u32,
    /// The zone of the text lines; JSON is UTC.
    pub zone: TimeZone,
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Value {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
    Text(String),
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When it was.
    pub at: Wall,
    /// How serious it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// What else is known, in the order of the event.
    pub fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// Plugin and module, when the event came out of a plugin.
    #[must_use]
    pub fn origin_in_plugin(&self) -> Option<(&str, &str)> {
        let text = |key: &str| {
            self.fields.iter().find_map(|(name, value)| match value {
                Value::Text(text) if *name == key => Some(text.as_str()),
                _ => None,
            })
        };
        Some((text("plugin")?, text("module")?))
    }
}

impl Level {
    /// As text lines have it. There has never been a word below DEBUG.
    fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug | Self::Trace => "DEBUG",
        }
    }
    fn lower(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug | Self::Trace => "debug",
        }
    }
    /// The number that syslog and the journal know it by.
    fn priority(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Info => 6,
            Self::Debug | Self::Trace => 7,
        }
    }
    fn colour(self) -> &'static str {
        match self {
            Self::Error => "\x1b[31m",
            Self::Warning => "\x1b[33m",
            Self::Info => "\x1b[32m",
            Self::Debug | Self::Trace => "\x1b[2m",
        }
    }
}

/// `2026-01-31 12:00:00`.
#[must_use]
pub fn local_time(at: Wall, zone: &TimeZone) -> String {
    timestamp(at).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-01-31T11:00:00.000Z`.
#[must_use]
pub fn utc_time(at: Wall) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A clock that is wrong by ten thousand years shows the end of time.
fn timestamp(at: Wall) -> Timestamp {
    let end = if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at.0).unwrap_or(end)
}

/// `2026-01-31 12:00:00  [INFO] - message key=value`, the level in colour if wanted.
#[must_use]
pub fn text(line: &Line, origin: &Origin, paint: super::Paint) -> String {
    let level = match paint {
        super::Paint::Colour => Cow::Owned(format!("{}{}\x1b[0m", line.level.colour(), line.level.word())),
        super::Paint::Plain => Cow::Borrowed(line.level.word()),
    };
    format!("{}  [{level}] - {}", local_time(line.at, &origin.zone), body(line))
}

/// The message and the fields, fit to be shown. Of what a plugin says, only trouble bears the plugin's name: a command
/// line or its output must not seem to end with words of pm.
fn body(line: &Line) -> String {
    let mut out = printable(&cut(&line.message));
    let left_out: &[&str] = match line.origin_in_plugin() {
        Some(_) if line.level >= Level::Info => &["plugin", "module"],
        Some(_) => &["module"],
        None => &[],
    };
    for (key, value) in line.fields.iter().filter(|(key, _)| !left_out.contains(key)) {
        // Writing to a String cannot fail.
        let _ = match value {
            Value::Signed(number) => write!(out, " {key}={number}"),
            Value::Unsigned(number) => write!(out, " {key}={number}"),
            Value::Float(number) => write!(out, " {key}={number}"),
            Value::Bool(truth) => write!(out, " {key}={truth}"),
            Value::Text(text) if plain_word(text) => write!(out, " {key}={}", cut(text)),
            Value::Text(text) => write!(out, " {key}=\"{}\"", printable(&cut(text)).replace('"', "\\\"")),
        };
    }
    out
}

fn plain_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| is_printable(c) && !c.is_whitespace() && c != '"')
}

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(LONGEST);
    Cow::Owned(format!("{}… ({} bytes left out)", &text[..end], text.len() - end))
}

/// An object in one line, its keys in the predecessor's order, then the fields.
#[must_use]
pub fn json(line: &Line, origin: &Origin) -> String {
    object(line, origin, ["{", ",", ":", "}"])
}

/// The same object over several lines, for eyes.
#[must_use]
pub fn json_pretty(line: &Line, origin: &Origin) -> String {
    object(line, origin, ["{\n  ", ",\n  ", ": ", "\n}"])
}

fn object(line: &Line, origin: &Origin, [open, comma, colon, close]: [&str; 4]) -> String {
    let own = [
        quoted(&utc_time(line.at)),
        quoted(line.level.lower()),
        quoted(SERVICE),
        quoted(&origin.host),
        origin.pid.to_string(),
        quoted(&line.message),
    ];
    let mut pairs: Vec<String> =
        OWN_KEYS.iter().zip(own).map(|(key, value)| format!("\"{key}\"{colon}{value}")).collect();
    for (key, value) in &line.fields {
        let tail = if OWN_KEYS.contains(key) { "_" } else { "" };
        let value = match value {
            Value::Signed(number) => number.to_string(),
            Value::Unsigned(number) => number.to_string(),
            Value::Float(number) if number.is_finite() => number.to_string(),
            Value::Float(_) => "null".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Text(text) => quoted(text),
        };
        pairs.push(format!("{}{colon}{value}", quoted(&format!("{key}{tail}"))));
    }
    format!("{open}{}{close}", pairs.join(comma))
}

/// A JSON string. Beyond what JSON demands, what a terminal would act on is escaped as well.
fn quoted(text: &str) -> String {
    let text = cut(text);
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_printable(c) => out.push(c),
            // One unit of UTF-16 is enough: what is not printable is below U+10000.
            _ => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// An entry for the journal, which knows the time: `<3>message`.
#[must_use]
pub fn journal(line: &Line) -> String {
    format!("<{}>{}", line.level.priority(), body(line))
}

/// A JSON line for the journal, with its priority.
#[must_use]
pub fn journal_json(line: &Line, origin: &Origin) -> String {
    format!("<{}>{}", line.level.priority(), json(line, origin))
}

/// A datagram for `/dev/log`; `body` is `2026-01-31 12:00:00 [ERROR] message` (one blank, no dash) or the JSON line.
#[must_use]
pub fn syslog(line: &Line, origin: &Origin, format: super::Format) -> String {
    let at = timestamp(line.at).to_zoned(origin.zone.clone());
    let body = match format {
        super::Format::Json => json(line, origin),
        super::Format::Text => {
            format!("{} [{}] {}", local_time(line.at, &origin.zone), line.level.word(), body(line))
        }
    };
    format!("<{DAEMON_ERR}>{} {SERVICE}[{}]: {body}", at.strftime("%b %e %H:%M:%S"), origin.pid)
}
