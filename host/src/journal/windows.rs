//! The maintenance windows that operators have added: a table of their names, and what was planned as JSON.
//!
//! ```json
//! { "scopes": ["all", { "group": "front" }, { "process": "web" }], "reason": "", "by": "ana",
//!   "when": { "recurring": { "cron": "0 22 * * 6", "duration_ms": 7200000, "zone": "Europe/Bucharest" } } }
//! ```
//!
//! A row that cannot be read is an error, not a window less: somebody relies on it.

use super::{FileJournal, audit};
use crate::policy::name::{Name, printable};
use crate::policy::time::Wall;
use crate::policy::window::{Definition, Scope, When};
use crate::ports::overrides::{Entry, Request};
use crate::ports::{Added, JournalError, Windows};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The step of the tables that brought this one.
pub(super) const TABLE: &str = "
    CREATE TABLE windows (
        id TEXT PRIMARY KEY,
        definition TEXT NOT NULL,
        added_wall INTEGER NOT NULL
    ) STRICT;
";
/// How long a single window is remembered after its end, in milliseconds.
const REMEMBERED: i64 = 30 * 86_400_000;

impl Windows for FileJournal {
    fn windows(&self) -> Result<Vec<Definition>, JournalError> {
        self.read_newest("reading the maintenance windows from", load)
    }

    fn add_window(&self, definition: &Definition, at: Wall) -> Result<Added, JournalError> {
        self.write_through("adding a maintenance window to", |tx| {
            prune(tx, at)?;
            let added = add(tx, definition, at)?;
            if added == Added::Done {
                let request = Request { by: definition.by.clone(), why: definition.reason.clone(), at };
                note(tx, "maintenance add", definition, &request, &format!("added {}", shown(definition)))?;
            }
            Ok(added)
        })
    }

    fn remove_window(&self, id: &Name, request: &Request) -> Result<bool, JournalError> {
        self.write_through("removing a maintenance window from", |tx| {
            // What cannot be read can be removed all the same; whom it covered is not known then.
            let known = one(tx, id)?;
            let removed = remove(tx, id)?;
            if removed {
                let unknown = || Definition {
                    id: id.clone(),
                    scopes: vec![Scope::All],
                    reason: String::new(),
                    by: String::new(),
                    when: When::Once { from: Wall(0), until: Wall(0) },
                };
                let result = known.as_ref().map_or_else(
                    || format!("removed {id}, which could not be read"),
                    |one| format!("removed {}, which was added by {}", shown(one), printable(&one.by)),
                );
                note(tx, "maintenance remove", &known.unwrap_or_else(unknown), request, &result)?;
            }
            Ok(removed)
        })
    }
}

/// As it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    scopes: Vec<StoredScope>,
    reason: String,
    by: String,
    when: StoredWhen,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredScope {
    All,
    Group(String),
    Process(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredWhen {
    Once { from_ms: i64, until_ms: i64 },
    Recurring { cron: String, duration_ms: u64, zone: String },
}

fn load(conn: &Connection) -> rusqlite::Result<Vec<Definition>> {
    conn.prepare_cached("SELECT id, definition FROM windows ORDER BY id")?
        .query_map([], |row| {
            let (id, text) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
            let damaged = |error| {
                let id = Name::new(id);
                let text =
                    format!("the window \"{id}\": {error}; remove it with: pm maintenance remove {id}");
                rusqlite::Error::FromSqlConversionFailure(1, Type::Text, text.into())
            };
            Ok(definition(id, serde_json::from_str(text).map_err(damaged)?))
        })?
        .collect()
}

fn add(tx: &Transaction<'_>, definition: &Definition, at: Wall) -> rusqlite::Result<Added> {
    let text = serde_json::to_string(&stored(definition))
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let rows = tx
        .prepare_cached("INSERT OR IGNORE INTO windows (id, definition, added_wall) VALUES (?1, ?2, ?3)")?
        .execute(params![definition.id.as_str(), text, at.0])?;
    Ok(if rows == 0 { Added::Taken } else { Added::Done })
}

/// One of them, if there is one that can be read.
fn one(tx: &Transaction<'_>, id: &Name) -> rusqlite::Result<Option<Definition>> {
    let text: Option<String> = tx
        .prepare_cached("SELECT definition FROM windows WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).map(|stored| definition(id.as_str(), stored)))
}

/// An entry of the audit for each of those whom a window covers.
fn note(
    tx: &Transaction<'_>,
    verb: &str,
    definition: &Definition,
    request: &Request,
    result: &str,
) -> rusqlite::Result<()> {
    let until = match &definition.when {
        When::Once { until, .. } if until.0 > 0 => Some(*until),
        _ => None,
    };
    for scope in &definition.scopes {
        let (verb, scope) = (verb.to_owned(), scope.clone());
        let entry = Entry { request: request.clone(), verb, scope, until, result: result.to_owned() };
        audit::append(tx, &entry)?;
    }
    Ok(())
}

/// A window in words.
fn shown(definition: &Definition) -> String {
    match &definition.when {
        When::Once { .. } => format!("the window {}", definition.id),
        When::Recurring { cron, zone, .. } => {
            format!("the window {} ({}, {})", definition.id, printable(cron), printable(zone))
        }
    }
}

fn remove(tx: &Transaction<'_>, id: &Name) -> rusqlite::Result<bool> {
    Ok(tx.prepare_cached("DELETE FROM windows WHERE id = ?1")?.execute([id.as_str()])? > 0)
}

fn prune(tx: &Transaction<'_>, now: Wall) -> rusqlite::Result<()> {
    for definition in load(tx)? {
        if let When::Once { until, .. } = definition.when
            && now.0.saturating_sub(until.0) > REMEMBERED
        {
            remove(tx, &definition.id)?;
        }
    }
    Ok(())
}

fn stored(definition: &Definition) -> Stored {
    let scope = |scope: &Scope| match scope {
        Scope::All => StoredScope::All,
        Scope::Group(name) => StoredScope::Group(name.as_str().to_owned()),
        Scope::Process(name) => StoredScope::Process(name.as_str().to_owned()),
    };
    Stored {
        scopes: definition.scopes.iter().map(scope).collect(),
        reason: definition.reason.clone(),
        by: definition.by.clone(),
        when: match &definition.when {
            When::Once { from, until } => StoredWhen::Once { from_ms: from.0, until_ms: until.0 },
            When::Recurring { cron, duration, zone } => StoredWhen::Recurring {
                cron: cron.clone(),
                duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                zone: zone.clone(),
            },
        },
    }
}

fn definition(id: &str, stored: Stored) -> Definition {
    let scope = |scope| match scope {
        StoredScope::All => Scope::All,
        StoredScope::Group(name) => Scope::Group(Name::new(&name)),
        StoredScope::Process(name) => Scope::Process(Name::new(&name)),
    };
    Definition {
        id: Name::new(id),
        scopes: stored.scopes.into_iter().map(scope).collect(),
        reason: stored.reason,
        by: stored.by,
        when: match stored.when {
            StoredWhen::Once { from_ms, until_ms } => {
                When::Once { from: Wall(from_ms), until: Wall(until_ms) }
            }
            StoredWhen::Recurring { cron, duration_ms, zone } => {
                When::Recurring { cron, duration: Duration::from_millis(duration_ms), zone }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{open, open_read_only};
    use crate::ports::Journal as _;
    use crate::ports::overrides::Wanted;
    use tempfile::TempDir;

    const DAY: i64 = 86_400_000;

    fn window(id: &str, when: When) -> Definition {
        Definition {
            id: Name::new(id),
            scopes: vec![Scope::All, Scope::Group(Name::new("front")), Scope::Process(Name::new("w\"eb\n"))],
            reason: "patches; 'quoted'".to_owned(),
            by: "ana".to_owned(),
            when,
        }
    }

    fn request() -> Request {
        Request { by: "bob".to_owned(), why: "done".to_owned(), at: Wall(7) }
    }

    #[test]
    fn a_window_and_its_audit_are_there_together_for_each_whom_it_covers() {
        let directory = TempDir::new().unwrap();
        let journal = open(directory.path(), "boot").unwrap().journal;
        let all = Wanted { of: None, group: None, since: None, limit: 9 };
        let told = |journal: &FileJournal| -> Vec<_> {
            let entries = journal.audited(&all).unwrap().into_iter().rev();
            entries
                .map(|one| (one.entry.verb, one.entry.request.by, one.entry.until, one.entry.result))
                .collect()
        };
        assert_eq!(journal.add_window(&window("a\u{7}", once(5)), Wall(1)).unwrap(), Added::Done);
        assert_eq!(journal.add_window(&window("a\u{7}", once(9)), Wall(1)).unwrap(), Added::Taken);
        let added =
            |result: &str| ("maintenance add".to_owned(), "ana".to_owned(), Some(Wall(5)), result.to_owned());
        assert_eq!(told(&journal), vec![added("added the window a\\u{7}"); 3], "once for each of them");
        assert!(journal.remove_window(&Name::new("a\u{7}"), &request()).unwrap());
        let (verb, by, until, result) = told(&journal).pop().unwrap();
        assert_eq!((verb.as_str(), by.as_str(), until), ("maintenance remove", "bob", Some(Wall(5))));
        assert_eq!(result, "removed the window a\\u{7}, which was added by ana");
        journal.inner().conn.execute("INSERT INTO windows VALUES ('b', 'nonsense', 0)", []).unwrap();
        assert!(journal.remove_window(&Name::new("b"), &request()).unwrap());
        let audited = journal.audited(&all).unwrap();
        assert_eq!(audited[0].entry.scope, Scope::All);
        assert_eq!(audited[0].entry.result, "removed b, which could not be read");
        assert_eq!(journal.chain().unwrap().flaw, None);
    }

    fn once(until: i64) -> When {
        When::Once { from: Wall(until - DAY), until: Wall(until) }
    }

    #[test]
    fn windows_outlive_the_pm_that_added_them_and_are_seen_by_others() {
        let directory = TempDir::new().unwrap();
        assert_eq!(open_read_only(directory.path(), "boot").unwrap().windows().unwrap(), []);
        let nightly = When::Recurring {
            cron: "0 22 * * *".to_owned(),
            duration: Duration::from_millis(5_400_500),
            zone: "Europe/Bucharest".to_owned(),
        };
        let (a, b) = (window("a\u{1b}[2J", once(5)), window("b", nightly));
        let daemon = open(directory.path(), "boot").unwrap().journal;
        {
            let other = open(directory.path(), "boot").unwrap().journal;
            assert_eq!(other.add_window(&b, Wall(1)).unwrap(), Added::Done);
            assert_eq!(other.add_window(&a, Wall(2)).unwrap(), Added::Done);
        }
        assert_eq!(daemon.windows().unwrap(), [a.clone(), b]);
        assert!(daemon.remove_window(&Name::new("b"), &request()).unwrap());
        assert!(!daemon.remove_window(&Name::new("b"), &request()).unwrap());
        assert_eq!(open_read_only(directory.path(), "boot").unwrap().windows().unwrap(), [a]);
    }

    #[test]
    fn a_name_is_given_once() {
        let directory = TempDir::new().unwrap();
        let journal = open(directory.path(), "boot").unwrap().journal;
        assert_eq!(journal.add_window(&window("a", once(5)), Wall(1)).unwrap(), Added::Done);
        assert_eq!(journal.add_window(&window("a", once(9)), Wall(1)).unwrap(), Added::Taken);
        assert_eq!(journal.windows().unwrap(), [window("a", once(5))]);
    }

    #[test]
    fn single_windows_are_forgotten_a_month_after_their_end_and_recurring_ones_never() {
        let directory = TempDir::new().unwrap();
        let journal = open(directory.path(), "boot").unwrap().journal;
        let hourly = When::Recurring {
            cron: "@hourly".to_owned(),
            duration: Duration::from_secs(60),
            zone: String::new(),
        };
        let now = 100 * DAY;
        for one in
            [window("new", once(now - 30 * DAY)), window("old", once(now - 31 * DAY)), window("r", hourly)]
        {
            assert_eq!(journal.add_window(&one, Wall(0)).unwrap(), Added::Done);
        }
        assert_eq!(journal.add_window(&window("x", once(now)), Wall(now)).unwrap(), Added::Done);
        let left: Vec<_> = journal.windows().unwrap().iter().map(|one| one.id.to_string()).collect();
        assert_eq!(left, ["new", "r", "x"]);
    }

    #[test]
    fn a_window_that_cannot_be_read_is_an_error() {
        let directory = TempDir::new().unwrap();
        let journal = open(directory.path(), "boot").unwrap().journal;
        for text in [
            "",
            "{}",
            r#"{"scopes":["some"],"reason":"","by":"","when":{"once":{"from_ms":1,"until_ms":2}}}"#,
        ] {
            let row = "INSERT OR REPLACE INTO windows VALUES ('a', ?1, 0)";
            journal.inner().conn.execute(row, [text]).unwrap();
            assert!(
                journal.windows().unwrap_err().to_string().starts_with("reading the maintenance windows")
            );
        }
    }
}
