//! The alarm database: does it answer, may this account do what pm does, are tables and index there, is its clock ours?
//!
//! Nothing is changed: whether a clearing is allowed is asked by clearing a row that cannot be.

use super::finding::{Finding, Fix};
use crate::calendar::{Zone, offset_in_words};
use crate::cli::compose::Context;
use crate::config::Database;
use crate::policy::model::{Clear, RowId};
use crate::policy::sentence::lasting;
use crate::policy::time::Wall;
use crate::ports::{AlarmStore, Cleared, Clock as _, Journal as _, Schema, ServerTime, StoreError, Trouble};
use std::io::ErrorKind;
use std::time::Duration;

/// So many attempts that wait are counted.
const MOST_WAITING: usize = 1_000;
/// A daemon that can publish has done so by then.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(900);
/// A row that no table has: keys are positive. It fits into every type of number that a key may have.
const NO_ROW: RowId = RowId(i32::MIN as i64);
/// Clocks that differ by more are looked at by hand.
const CLOSE: Duration = Duration::from_secs(5);
/// By more, maintenance windows begin at another time than people think.
const FAR: Duration = Duration::from_secs(300);

/// All that can be found out without writing.
pub(super) fn examine(context: &Context) -> Vec<Finding> {
    if let Database::Sqlite { path, .. } = &context.config.database {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let saw =
                    format!("there is no {} yet; the first start makes it, with its tables", path.display());
                return vec![Finding::none("database", saw)];
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return vec![Finding::hidden("database", path)];
            }
            _ => {}
        }
    }
    let mut store = context.store();
    let schema = match store.schema() {
        Ok(schema) => schema,
        Err(error) => return vec![away(&error)],
    };
    let name = context.database_name();
    let mut findings = vec![Finding::ok("database", format!("{name} answers ({})", schema.engine))];
    findings.extend(tables(&schema));
    // Without its tables no right can be tried.
    if !schema.missing.iter().any(|missing| missing.starts_with("table") || missing.starts_with("column")) {
        findings.push(rights(store.as_mut()));
    }
    findings.push(clock(context, store.as_mut()));
    findings.extend(published(context, &schema));
    findings
}

fn away(error: &StoreError) -> Finding {
    let saw = format!("{}: {}", error.attempted, error.why);
    let hint = error.hint.unwrap_or("check [database], the server and the network");
    Finding::problem("database", saw, Fix::Do(hint.to_owned()))
}

/// Missing tables and columns, the index, the version.
fn tables(schema: &Schema) -> Vec<Finding> {
    let migrate = || Fix::Run("pm db migrate".to_owned());
    let (index, others): (Vec<&String>, Vec<&String>) =
        schema.missing.iter().partition(|missing| missing.starts_with("index"));
    let mut findings = Vec::new();
    if schema.version.is_some_and(|version| version > schema.newest) {
        let (version, newest) = (schema.version.unwrap_or_default(), schema.newest);
        let saw = format!("a newer pm has brought the tables to version {version}, this one knows {newest}");
        findings.push(Finding::warning("tables", saw, Fix::Do("use the newer pm".to_owned())));
    }
    if others.is_empty() {
        let version = schema.version.map_or("not recorded".to_owned(), |version| version.to_string());
        findings.push(Finding::ok("tables", format!("all that pm needs are there (version {version})")));
    } else {
        let list = others.iter().map(|missing| missing.as_str()).collect::<Vec<_>>().join(", ");
        findings.push(Finding::problem(
            "tables",
            format!("missing, or out of sight of this account: {list}"),
            migrate(),
        ));
    }
    match index.first() {
        Some(missing) => {
            let saw = format!("there is no {missing}: each poll reads the whole table");
            findings.push(Finding::warning("index", saw, migrate()));
        }
        None if others.is_empty() => findings.push(Finding::ok("index", "an index finds the alarms")),
        None => {}
    }
    findings
}

/// Reads alarms as a poll does, and clears one that cannot exist.
fn rights(store: &mut dyn AlarmStore) -> Finding {
    if let Err(error) = store.poll(1) {
        return refused(&error);
    }
    let clear = Clear { row: NO_ROW, notes: Some("pm doctor".to_owned()), restarted_at: Some(Wall(0)) };
    match store.clear(&clear) {
        Ok(Cleared::Gone | Cleared::Already | Cleared::Changed) => {
            Finding::ok("rights", "alarms can be read, and clearing one is allowed (tried on no row)")
        }
        Ok(Cleared::Done) => Finding::ok("rights", "alarms can be read and cleared"),
        Err(error) if error.trouble == Trouble::Conflict => {
            let saw = format!("clearing was not tried to its end: {}", error.why);
            Finding::warning("rights", saw, Fix::Do("end the transaction that holds the table".to_owned()))
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &StoreError) -> Finding {
    let hint =
        error.hint.unwrap_or("grant SELECT on both tables, and UPDATE (alarma, notes) on STATUS_PROCESS");
    // The row is of no interest to anybody.
    let what = error.attempted.replace(&format!(" of process_id {}", NO_ROW.0), "");
    Finding::problem("rights", format!("{what}: {}", error.why), Fix::Do(hint.to_owned()))
}

/// Whether attempts reach the table that all hosts share, if they are to.
fn published(context: &Context, schema: &Schema) -> Option<Finding> {
    if !context.config.history.publish {
        return None;
    }
    // The journal has a check of its own.
    let waiting = context.journal_read_only().ok()?.unpublished("", MOST_WAITING).ok()?;
    let oldest = waiting.iter().filter_map(|one| one.attempt.ended.as_ref()).map(|(at, ..)| *at).min();
    let waits = oldest.map(|oldest| context.now().wall.since(oldest));
    Some(judge_published(schema.version >= Some(4), waiting.len(), waits))
}

fn judge_published(there: bool, waiting: usize, waits: Option<Duration>) -> Finding {
    let count = if waiting < MOST_WAITING { waiting.to_string() } else { format!("{MOST_WAITING} or more") };
    match waits.filter(|waits| *waits > PUBLISHED_WITHIN) {
        _ if !there => {
            Finding::none("published", "without version 4 of the tables attempts are not published")
        }
        None => Finding::ok("published", "attempts reach the table pm_attempt"),
        Some(waits) => Finding::warning(
            "published",
            format!("{count} attempts wait to be published in pm_attempt, the oldest for {}", lasting(waits)),
            Fix::Do(
                "start the daemon, or grant SELECT, INSERT and UPDATE on pm_attempt to this account"
                    .to_owned(),
            ),
        ),
    }
}

/// The clock of the server against ours.
fn clock(context: &Context, store: &mut dyn AlarmStore) -> Finding {
    let before = context.now();
    let told = store.time();
    let after = context.clock().now();
    match told {
        Ok(None) => Finding::none("clock", "this database has no clock of its own"),
        Ok(Some(server)) => {
            // It looked at its clock somewhere between the two.
            let half = after.boot.since(before.boot) / 2;
            let middle = Wall(before.wall.0 + i64::try_from(half.as_millis()).unwrap_or_default());
            judge_clock(&server, middle, half, Zone::system().ahead(middle))
        }
        Err(error) => {
            let saw = format!("{}: {}", error.attempted, error.why);
            Finding::warning("clock", saw, Fix::Do(error.hint.unwrap_or("ask again").to_owned()))
        }
    }
}

fn judge_clock(server: &ServerTime, here: Wall, doubt: Duration, ahead: i32) -> Finding {
    let apart = Duration::from_millis(server.at.0.abs_diff(here.0));
    let order = if server.at.0 < here.0 { "behind" } else { "ahead of" };
    let seconds = apart.as_secs_f64();
    let (its, ours) = (offset_in_words(server.ahead), offset_in_words(ahead));
    let zones = match server.ahead == ahead {
        true => format!("both at {ours} to UTC"),
        false => format!("the server at {its} to UTC, this host at {ours}: times in notes are of this host"),
    };
    let apart_in_words = if apart < FAR { format!("{seconds:.2} s") } else { lasting(apart) };
    let saw =
        format!("the server is {apart_in_words} {order} this host (± {} ms); {zones}", doubt.as_millis());
    let fix = || Fix::Run("timedatectl timesync-status; chronyc tracking".to_owned());
    match apart {
        apart if apart > FAR + doubt => Finding::problem("clock", saw, fix()),
        apart if apart > CLOSE + doubt => Finding::warning("clock", saw, fix()),
        _ => Finding::ok("clock", saw),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn clocks_that_differ_are_told_by_how_much_and_which_way() {
        let judged = |ms: i64, its: i32| {
            let server = ServerTime { at: Wall(1_000_000 + ms), ahead: its };
            judge_clock(&server, Wall(1_000_000), Duration::from_millis(2), 120)
        };
        let found = judged(40, 120);
        assert_eq!(
            (found.verdict, found.saw.as_str()),
            (Verdict::Ok, "the server is 0.04 s ahead of this host (± 2 ms); both at +02:00 to UTC")
        );
        let found = judged(-20_000, 0);
        assert!(found.verdict == Verdict::Warning && found.saw.contains("20.00 s behind"), "{found:?}");
        assert!(found.saw.contains("the server at +00:00 to UTC, this host at +02:00"), "{found:?}");
        assert_eq!(judged(-900_000, 120).verdict, Verdict::Problem);
    }

    fn schema(missing: &[&str], version: u32) -> Schema {
        Schema {
            engine: "x".to_owned(),
            version: Some(version),
            newest: 3,
            missing: missing.iter().map(|text| (*text).to_owned()).collect(),
            denied: Vec::new(),
        }
    }

    #[test]
    fn missing_tables_are_a_problem_and_a_missing_index_is_slow() {
        let verdicts = |missing: &[&str], version| {
            let found = tables(&schema(missing, version));
            found.iter().map(|finding| (finding.subject, finding.verdict)).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&[], 3), [("tables", Verdict::Ok), ("index", Verdict::Ok)]);
        assert_eq!(verdicts(&["table PROCESE"], 3), [("tables", Verdict::Problem)]);
        assert_eq!(
            verdicts(&["index on STATUS_PROCESS (host_id, alarma)"], 3),
            [("tables", Verdict::Ok), ("index", Verdict::Warning)]
        );
        assert_eq!(verdicts(&[], 4)[0], ("tables", Verdict::Warning));
    }

    #[test]
    fn attempts_that_wait_for_long_are_a_warning_where_there_is_a_table_for_them() {
        let long = Some(Duration::from_secs(3_600));
        assert_eq!(judge_published(true, 0, None).verdict, Verdict::Ok);
        assert_eq!(judge_published(true, 3, Some(Duration::from_secs(5))).verdict, Verdict::Ok);
        assert_eq!(judge_published(false, 3, long).verdict, Verdict::NotApplicable);
        let found = judge_published(true, MOST_WAITING, long);
        assert!(
            found.verdict == Verdict::Warning && found.saw.starts_with("1000 or more attempts"),
            "{found:?}"
        );
    }

    #[test]
    fn a_refusal_tells_the_right_and_not_the_row_that_was_tried() {
        let error = StoreError {
            trouble: Trouble::ReadOnly,
            attempted: format!("clearing the alarm of process_id {} in STATUS_PROCESS at db1", NO_ROW.0),
            why: "UPDATE command denied".to_owned(),
            hint: None,
        };
        let found = refused(&error);
        assert_eq!(found.saw, "clearing the alarm in STATUS_PROCESS at db1: UPDATE command denied");
        assert_eq!(found.verdict, Verdict::Problem);
        assert_eq!(away(&error).verdict, Verdict::Problem);
    }
}
