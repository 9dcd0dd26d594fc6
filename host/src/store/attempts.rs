//! The optional table of attempts that all hosts share, the same for every engine: names, types, and the values of a row.
//!
//! pm writes into it and never reads it. A row has the key (host, journal, number of the attempt), so publishing it again
//! changes nothing but what is newer. Moments are UTC.

use super::schema::Tables;
use crate::discreet::discreet;
use crate::policy::model::{End, printable};
use crate::policy::time::Wall;
use crate::ports::{Effect, Publication};
use jiff::Timestamp;

pub(super) const TABLE: &str = "pm_attempt";
/// What publishing is called in messages.
pub(super) const PUBLISHING: &str = "publishing attempts in pm_attempt";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text of at most so many characters.
    Text(usize),
    Number,
    /// A moment with milliseconds.
    Moment,
}

/// The columns; the first three are the key.
const COLUMNS: [(&str, Kind, &str); 14] = [
    ("host", Kind::Text(100), "NOT NULL"),
    ("journal", Kind::Text(16), "NOT NULL"),
    ("attempt_id", Kind::Number, "NOT NULL"),
    ("process_name", Kind::Text(100), "NOT NULL"),
    ("cause", Kind::Text(120), "NOT NULL"),
    ("strategy", Kind::Text(100), "NOT NULL"),
    ("acted", Kind::Text(100), "NULL"),
    ("began_at", Kind::Moment, "NOT NULL"),
    ("ended_at", Kind::Moment, "NOT NULL"),
    ("outcome", Kind::Text(20), "NOT NULL"),
    ("effect", Kind::Text(20), "NULL"),
    ("tries", Kind::Number, "NOT NULL"),
    ("recovery_ms", Kind::Number, "NULL"),
    ("detail", Kind::Text(500), "NOT NULL"),
];
const KEY: usize = 3;

/// A value for an engine to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Null,
    Int(i64),
    Text(String),
}

/// The statement that makes the table.
pub(super) fn definition(tables: &dyn Tables) -> String {
    let column = |(name, kind, null): &(&str, Kind, &str)| {
        let kind = match kind {
            // Bytes that are compared as they are, in the character set of the other tables of pm.
            Kind::Text(length) => tables.exact_text().replacen("100", &length.to_string(), 1),
            Kind::Number => "BIGINT".to_owned(),
            Kind::Moment => tables.moment().to_owned(),
        };
        format!("{name} {kind} {null}")
    };
    let columns: Vec<String> = COLUMNS.iter().map(column).collect();
    format!("CREATE TABLE {TABLE} ({}, PRIMARY KEY ({}))", columns.join(", "), names()[..KEY].join(", "))
}

/// All columns, in the order of [`fields`].
pub(super) fn names() -> Vec<&'static str> {
    COLUMNS.iter().map(|(name, ..)| *name).collect()
}

/// What they hold.
pub(super) fn kinds() -> Vec<Kind> {
    COLUMNS.iter().map(|(_, kind, _)| *kind).collect()
}

/// The columns of the key, and those that a newer state changes.
pub(super) fn key_and_others() -> (Vec<&'static str>, Vec<&'static str>) {
    let mut names = names();
    let others = names.split_off(KEY);
    (names, others)
}

/// The values of a row.
pub(super) fn fields(publication: &Publication) -> Vec<Field> {
    let Publication { host, journal, attempt, .. } = publication;
    let (at, end, tries, detail) = match &attempt.ended {
        Some((at, end, tries, detail)) => (*at, word(*end), *tries, detail.as_str()),
        None => (attempt.began, "open", 0, ""),
    };
    let effect = attempt.effect.map(|effect| match effect {
        Effect::Lasted => "lasted",
        Effect::Relapsed => "relapsed",
    });
    let text = |text: &str| Field::Text(text.to_owned());
    let recovery = attempt.recovery().map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let values = [
        text(host),
        text(journal),
        Field::Int(attempt.id.0),
        text(attempt.name.as_str()),
        text(&attempt.cause),
        text(&attempt.strategy),
        attempt.by.as_deref().map_or(Field::Null, text),
        Field::Text(moment(attempt.began)),
        Field::Text(moment(at)),
        text(end),
        effect.map_or(Field::Null, text),
        Field::Int(i64::from(tries)),
        recovery.map_or(Field::Null, Field::Int),
        Field::Text(discreet(&printable(detail))),
    ];
    values.into_iter().zip(COLUMNS).map(|(value, (_, kind, _))| fitted(value, kind)).collect()
}

/// A text is cut to its column, between two characters; engines that count bytes have four for each.
fn fitted(value: Field, kind: Kind) -> Field {
    match (value, kind) {
        (Field::Text(text), Kind::Text(most)) => Field::Text(match text.char_indices().nth(most) {
            Some((end, _)) => text[..end].to_owned(),
            None => text,
        }),
        (value, _) => value,
    }
}

/// `2026-11-27 23:06:12.250`, UTC.
fn moment(at: Wall) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

fn word(end: End) -> &'static str {
    match end {
        End::Restarted => "restarted",
        End::AlreadyHealthy => "already healthy",
        End::Unhealthy => "unhealthy",
        End::Failed => "failed",
        End::Infrastructure => "infrastructure",
        End::HandedOver => "handed over",
        End::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::{AttemptId, Name};
    use crate::ports::Attempt;

    fn publication(name: &str, detail: &str) -> Publication {
        Publication {
            host: "shop1".to_owned(),
            journal: "00ff00ff00ff00ff".to_owned(),
            attempt: Attempt {
                id: AttemptId(7),
                name: Name::new(name),
                strategy: "service".to_owned(),
                seen: Some(Wall(1_767_225_599_000)),
                began: Wall(1_767_225_600_250),
                ended: Some((Wall(1_767_225_601_000), End::Restarted, 2, detail.to_owned())),
                under_way: false,
                cause: "alarm".to_owned(),
                by: None,
                effect: Some(Effect::Relapsed),
            },
            revision: 2,
        }
    }

    #[test]
    fn a_row_has_its_key_first_moments_in_utc_and_no_secret() {
        let row = fields(&publication("web", "login failed: password=hunter2\n"));
        let text = |index: usize| match &row[index] {
            Field::Text(text) => text.as_str(),
            other => panic!("{other:?}"),
        };
        assert_eq!((text(0), text(1), &row[2]), ("shop1", "00ff00ff00ff00ff", &Field::Int(7)));
        assert_eq!((text(7), text(8)), ("2026-01-01 00:00:00.250", "2026-01-01 00:00:01.000"));
        assert_eq!((text(9), text(10), &row[12]), ("restarted", "relapsed", &Field::Int(2_000)));
        assert_eq!(text(13), "login failed: password=********");
        assert_eq!(row[6], Field::Null);
        assert_eq!(row.len(), names().len());
    }

    #[test]
    fn texts_are_cut_to_their_columns_between_characters() {
        let row = fields(&publication(&"ș".repeat(300), &"😀".repeat(900)));
        for (index, most) in [(3, 100), (13, 500)] {
            let Field::Text(text) = &row[index] else { panic!("no text") };
            assert_eq!(text.chars().count(), most);
        }
        let (key, others) = key_and_others();
        assert_eq!((key, others.len()), (vec!["host", "journal", "attempt_id"], 11));
    }
}
