//! What is logged, as its readers get it.

use super::line::{Value, json, json_pretty, local_time, syslog, text, utc_time};
use super::*;
use crate::policy::time::{Now, Ticks, Wall};
use crate::ports::Waited;
use std::time::Duration;

/// 2026-01-31 11:00:00.123 UTC.
const NOON: i64 = 1_769_857_200_123;

struct Still;

impl Clock for Still {
    fn now(&self) -> Now {
        Now { boot: Ticks(5_000), wall: Wall(NOON) }
    }
    fn wait(&self, _: Duration) -> Waited {
        Waited::Elapsed
    }
    fn boot_id(&self) -> &'static str {
        "boot"
    }
}

/// A console that remembers.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Printed {
    fn taken(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }
}

fn origin() -> Origin {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    Origin { host: "db\"7".to_owned(), pid: 42, zone }
}

fn settings() -> LogSettings {
    LogSettings {
        file: None,
        json_copy: None,
        max_kib: 5120,
        keep: 5,
        format: Format::Text,
        layout: Layout::Line,
        level: Level::Info,
        console: Switch::On,
        syslog: Switch::Off,
    }
}

fn telemetry(settings: LogSettings, audience: Audience) -> (Telemetry, Printed) {
    let printed = Printed::default();
    (Telemetry::new(settings, Arc::new(Still), origin(), audience, Box::new(printed.clone())), printed)
}

fn line(level: Level, message: &str, fields: Vec<(&'static str, Value)>) -> Line {
    Line { at: Wall(NOON), level, message: message.to_owned(), fields }
}

fn all_fields() -> Vec<(&'static str, Value)> {
    vec![
        ("attempt", Value::Unsigned(2)),
        ("delta", Value::Signed(-3)),
        ("ratio", Value::Float(f64::NAN)),
        ("ok", Value::Bool(true)),
        ("why", Value::Text("no \"such\" unit\n".to_owned())),
        ("level", Value::Text("mine".to_owned())),
    ]
}

#[test]
fn text_has_the_shape_that_people_search_for() {
    let found = line(Level::Info, "Found process in alarm: web (ID: 7)", Vec::new());
    let shown = text(&found, &origin(), Paint::Plain);
    assert_eq!(shown, "2026-01-31 13:00:00  [INFO] - Found process in alarm: web (ID: 7)");
    let words = [Level::Error, Level::Warning, Level::Info, Level::Debug, Level::Trace]
        .map(|level| text(&line(level, "x", Vec::new()), &origin(), Paint::Plain)[21..].to_owned());
    assert_eq!(words, ["[ERROR] - x", "[WARNING] - x", "[INFO] - x", "[DEBUG] - x", "[DEBUG] - x"]);
    let coloured = text(&line(Level::Error, "x", Vec::new()), &origin(), Paint::Colour);
    assert_eq!(coloured, "2026-01-31 13:00:00  [\x1b[31mERROR\x1b[0m] - x");
    let more = text(&line(Level::Info, "x", all_fields()), &origin(), Paint::Plain);
    let fields = r#"x attempt=2 delta=-3 ratio=NaN ok=true why="no \"such\" unit\u{a}" level=mine"#;
    assert_eq!(more[30..], *fields);
}

#[test]
fn what_a_plugin_says_is_shown_as_it_is_and_trouble_names_the_plugin() {
    let fields = || {
        let text = |text: &str| Value::Text(text.to_owned());
        vec![("plugin", text("custom")), ("module", text("pm_plugin_custom::restart"))]
    };
    let shown = |level| text(&line(level, "x", fields()), &origin(), Paint::Plain)[21..].to_owned();
    assert_eq!(
        (&*shown(Level::Info), &*shown(Level::Warning)),
        ("[INFO] - x", "[WARNING] - x plugin=custom")
    );
    let read: serde_json::Value =
        serde_json::from_str(&json(&line(Level::Info, "x", fields()), &origin())).unwrap();
    assert_eq!((&read["plugin"], &read["module"]), (&"custom".into(), &"pm_plugin_custom::restart".into()));
}

#[test]
fn json_has_its_keys_in_the_order_of_the_predecessor() {
    let event = line(Level::Warning, "two\nlines\t\u{1b}[31m\u{202e}\u{7f} \\ \"", all_fields());
    let shown = json(&event, &origin());
    let expected = r#"{"timestamp":"2026-01-31T11:00:00.123Z","level":"warning","service":"monitor_service","host":"db\"7","pid":42,"message":"two\nlines\t\u001b[31m\u202e\u007f \\ \"","attempt":2,"delta":-3,"ratio":null,"ok":true,"why":"no \"such\" unit\n","level_":"mine"}"#;
    assert_eq!(shown, expected);
    let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(read["message"], event.message.as_str());
    let pretty = json_pretty(&event, &origin());
    assert!(pretty.starts_with("{\n  \"timestamp\": \"2026") && pretty.ends_with("\"mine\"\n}"), "{pretty}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), read);
}

#[test]
fn no_text_breaks_out_of_its_line() {
    for c in (0..=0x2100).chain([0xfeff, 0xfffd, 0x1_0000, 0x1_f600, 0x10_ffff]).filter_map(char::from_u32) {
        let event = line(Level::Info, &format!("a{c}b"), vec![("f", Value::Text(format!("{c}")))]);
        let json = json(&event, &origin());
        let read: serde_json::Value =
            serde_json::from_str(&json).unwrap_or_else(|e| panic!("{c:?} {json}: {e}"));
        assert_eq!(read["message"].as_str().unwrap(), event.message);
        for shown in [text(&event, &origin(), Paint::Plain), json, line::journal(&event)] {
            assert!(shown.chars().all(crate::policy::model::is_printable), "{c:?} {shown:?}");
        }
    }
    let forged = "web\n2026-01-31 13:00:00  [INFO] - Successfully handled alarm for db";
    assert_eq!(text(&line(Level::Info, forged, Vec::new()), &origin(), Paint::Plain).lines().count(), 1);
}

#[test]
fn a_very_long_text_is_cut_between_characters() {
    let long = "ț".repeat(1_000_000);
    let event = line(Level::Info, &long, vec![("f", Value::Text(long.clone()))]);
    for shown in [text(&event, &origin(), Paint::Plain), json(&event, &origin())] {
        assert!(shown.len() < 40_000 && shown.contains("(1983616 bytes left out)"), "{}", shown.len());
    }
}

#[test]
fn syslog_gets_one_blank_and_no_dash() {
    let event = line(Level::Error, "no\nway", Vec::new());
    let shown = syslog(&event, &origin(), Format::Text);
    assert_eq!(shown, r"<27>Jan 31 13:00:00 monitor_service[42]: 2026-01-31 13:00:00 [ERROR] no\u{a}way");
    let shown = syslog(&event, &origin(), Format::Json);
    assert!(shown.starts_with(r#"<27>Jan 31 13:00:00 monitor_service[42]: {"timestamp":"#), "{shown}");
}

#[test]
fn a_broken_clock_has_a_time_all_the_same() {
    for at in [Wall(i64::MIN), Wall(i64::MAX), Wall(0)] {
        assert!(local_time(at, &TimeZone::UTC).len() >= 19 && utc_time(at).ends_with('Z'));
    }
    assert_eq!(utc_time(Wall(-1)), "1969-12-31T23:59:59.999Z");
}

#[test]
fn events_reach_file_copy_and_console() {
    let dir = tempfile::tempdir().unwrap();
    let (file, copy) = (dir.path().join("new/m.log"), dir.path().join("m.json"));
    let wanted = LogSettings { file: Some(file.clone()), json_copy: Some(copy.clone()), ..settings() };
    let (telemetry, printed) = telemetry(wanted, Audience::Plain);
    let source = std::io::Error::other("refused");
    let error: &(dyn std::error::Error + 'static) = &source;
    tracing::subscriber::with_default(telemetry.collector(), || {
        tracing::debug!("not wanted");
        tracing::info!(target: "mysql", "not wanted either");
        tracing::warn!(attempt = 2_u64, error, "Attempt {} failed", 2);
    });
    let expected = "2026-01-31 13:00:00  [WARNING] - Attempt 2 failed attempt=2 error=refused\n";
    assert_eq!(printed.taken(), expected);
    assert_eq!(std::fs::read_to_string(file).unwrap(), expected);
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(copy).unwrap()).unwrap();
    assert_eq!(
        (&json["level"], &json["attempt"], &json["error"]),
        (&"warning".into(), &2.into(), &"refused".into())
    );
}

#[test]
fn the_journal_gets_priorities_and_no_time() {
    let (telemetry, printed) = telemetry(settings(), Audience::Journal);
    tracing::subscriber::with_default(telemetry.collector(), || {
        tracing::error!("e");
        tracing::warn!("w");
        tracing::info!("i");
        telemetry.reload(LogSettings { level: Level::Debug, ..settings() });
        tracing::debug!("d\n<0>forged");
        telemetry.reload(LogSettings { format: Format::Json, layout: Layout::Pretty, ..settings() });
        tracing::info!("j");
    });
    let lines = printed.taken();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines[..4], ["<3>e", "<4>w", "<6>i", "<7>d\\u{a}<0>forged"]);
    assert!(lines.len() == 5 && lines[4].starts_with(r#"<6>{"timestamp":"#), "{lines:?}");
}

#[test]
fn only_errors_go_to_syslog_and_not_beside_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::os::unix::net::UnixDatagram::bind(dir.path().join("log")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let received = || {
        let mut buffer = [0; 1024];
        listener.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    for (audience, console, expected) in [
        (Audience::Plain, Switch::On, true),
        (Audience::Terminal(Paint::Plain), Switch::On, true),
        (Audience::Journal, Switch::On, false),
        (Audience::Journal, Switch::Off, true),
    ] {
        let (telemetry, _) = telemetry(LogSettings { syslog: Switch::On, console, ..settings() }, audience);
        telemetry.0.outputs.lock().unwrap().syslog = Syslog::at(&dir.path().join("log"));
        tracing::subscriber::with_default(telemetry.collector(), || {
            tracing::warn!("warned");
            tracing::error!("failed");
        });
        let datagram = received();
        assert_eq!(
            datagram.as_ref().is_some_and(|text| text.ends_with("[ERROR] failed")),
            expected,
            "{datagram:?}"
        );
        assert_eq!(received(), None);
    }
}

#[test]
fn a_log_file_that_cannot_be_opened_is_said_once_and_costs_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let occupied = dir.path().join("directory");
    std::fs::create_dir(&occupied).unwrap();
    let wanted = LogSettings { file: Some(occupied.clone()), ..settings() };
    let (telemetry, printed) = telemetry(wanted, Audience::Plain);
    let first = printed.taken();
    assert!(
        first.contains("[ERROR] - Cannot write the log file") && first.contains("directory: Is a directory"),
        "{first}"
    );
    tracing::subscriber::with_default(telemetry.collector(), || {
        tracing::info!("one");
        tracing::info!("two");
        assert_eq!(printed.taken().lines().count(), 2);
        let elsewhere = dir.path().join("log");
        telemetry.reload(LogSettings { file: Some(elsewhere.clone()), ..settings() });
        tracing::info!("three");
        let text = std::fs::read_to_string(elsewhere).unwrap();
        assert!(text.ends_with("[INFO] - three\n") && text.lines().count() == 1, "{text}");
    });
}

#[test]
fn who_reads_is_told_by_the_kernel_and_the_environment() {
    let colour = |term: &str, no_color: &str| paint(OsStr::new(term), OsStr::new(no_color));
    assert_eq!(colour("xterm", ""), Paint::Colour);
    for (term, no_color) in [("", ""), ("dumb", ""), ("xterm", "1")] {
        assert_eq!(colour(term, no_color), Paint::Plain);
    }
    let file = tempfile::tempfile().unwrap();
    assert_eq!(Audience::of(&file), Audience::Plain);
}
