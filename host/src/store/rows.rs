//! From the values of a row to the nouns of the policy, whatever the driver.
//!
//! Only fallible conversions: the tables are somebody else's, and one row with text where a number belongs must not
//! hide the other alarms. A row that cannot be read is left out and said once, not with each poll. Numbers are never
//! guessed from text: a key that the engine would not find again cannot be cleared.

use crate::policy::model::{Alarm, Clear, Name, RowId, printable};
use crate::ports::{Cleared, Row};
use std::collections::BTreeSet;
use tracing::warn;

/// A value as a driver delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    /// Something else; says what.
    Odd(&'static str),
}

impl Cell {
    /// Bytes that should be text.
    pub(super) fn text(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or(Self::Odd("bytes that are not UTF-8"), Self::Text)
    }

    pub(super) fn seen(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "a number",
            Self::Text(_) => "text",
            Self::Odd(what) => what,
        }
    }
}

/// Why a row cannot be read.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unreadable(pub(super) String);

/// The columns of [`alarm`], in its order.
pub(super) const ALARM_COLUMNS: &str = "s.process_id, p.process_name, s.sound, s.notes";
/// The columns of [`row`], in its order.
pub(super) const ROW_COLUMNS: &str = "s.process_id, p.process_name, s.alarma, s.sound, s.notes";

/// An alarm from its columns.
pub(super) fn alarm([id, name, sound, notes]: [Cell; 4]) -> Result<Alarm, Unreadable> {
    let row = key(id)?;
    Ok(Alarm {
        row,
        name: self::name(row, name)?,
        notes: text(row, "notes", notes)?,
        acknowledged: number(row, "sound", sound)? == 1,
    })
}

/// A row for people from its columns.
pub(super) fn row([id, name, alarm, sound, notes]: [Cell; 5]) -> Result<Row, Unreadable> {
    let row = key(id)?;
    Ok(Row {
        row,
        name: self::name(row, name)?,
        alarm: number(row, "alarma", alarm)?,
        sound: number(row, "sound", sound)?,
        notes: text(row, "notes", notes)?,
    })
}

fn key(cell: Cell) -> Result<RowId, Unreadable> {
    match cell {
        Cell::Int(id) => Ok(RowId(id)),
        Cell::Text(text) => {
            let text: String = printable(&text).chars().take(40).collect();
            Err(Unreadable(format!("a row has the text \"{text}\" as its process_id")))
        }
        other => Err(Unreadable(format!("a row has {} as its process_id", other.seen()))),
    }
}

fn name(row: RowId, cell: Cell) -> Result<Name, Unreadable> {
    Ok(Name::new(&text(row, "process_name", cell)?.unwrap_or_default()))
}

fn text(row: RowId, column: &str, cell: Cell) -> Result<Option<String>, Unreadable> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Text(text) => Ok(Some(text)),
        // SQLite keeps a number that was put into a text column of no declared type.
        Cell::Int(number) => Ok(Some(number.to_string())),
        Cell::Odd(what) => Err(unreadable(row, column, what, "text")),
    }
}

/// A number; NULL counts as 0, the default of the column.
fn number(row: RowId, column: &str, cell: Cell) -> Result<i64, Unreadable> {
    match cell {
        Cell::Null => Ok(0),
        Cell::Int(number) => Ok(number),
        other => Err(unreadable(row, column, other.seen(), "a number")),
    }
}

fn unreadable(row: RowId, column: &str, seen: &str, wanted: &str) -> Unreadable {
    Unreadable(format!("the row with process_id {} has {seen} in {column} where {wanted} is expected", row.0))
}

/// What became of a clearing that changed no row, from the row as it is now (`alarma`, `notes`; none when it is
/// gone). `None`: it changed in between and is again as it was read, so the clearing is to be made again.
pub(super) fn fate(now: Option<[Cell; 2]>, clear: &Clear) -> Option<Cleared> {
    match now {
        None => Some(Cleared::Gone),
        Some([Cell::Int(1), notes]) => {
            let same = match notes {
                Cell::Null => clear.notes.is_none(),
                Cell::Text(notes) => clear.notes.as_ref() == Some(&notes),
                Cell::Int(_) | Cell::Odd(_) => false,
            };
            (!same).then_some(Cleared::Changed)
        }
        Some(_) => Some(Cleared::Already),
    }
}

/// Reports rows that cannot be read, each once for as long as it stays so.
#[derive(Debug, Default)]
pub(super) struct Left {
    known: BTreeSet<Unreadable>,
}

/// So many are named in one report; the rest is counted.
const NAMED: usize = 5;

impl Left {
    /// The rows that could be read; the others are reported if they are new.
    pub(super) fn out<T>(&mut self, rows: Vec<Result<T, Unreadable>>, table: &str) -> Vec<T> {
        let (mut good, mut bad) = (Vec::with_capacity(rows.len()), BTreeSet::new());
        for row in rows {
            match row {
                Ok(row) => good.push(row),
                Err(why) => {
                    bad.insert(why);
                }
            }
        }
        let news: Vec<_> = bad.difference(&self.known).collect();
        for Unreadable(why) in news.iter().take(NAMED) {
            warn!("Left out of {table}: {why}; correct the row");
        }
        if news.len() > NAMED {
            warn!("Left out of {table}: {} more rows that cannot be read", news.len() - NAMED);
        }
        self.known = bad;
        good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn null_notes_and_names_are_no_obstacle() {
        let alarm = alarm([Cell::Int(7), Cell::Null, Cell::Int(0), Cell::Null]).unwrap();
        assert!(alarm.name.is_blank() && alarm.notes.is_none() && !alarm.acknowledged);
    }

    #[test]
    fn only_exactly_one_is_an_acknowledgement() {
        for (sound, expected) in [(0, false), (1, true), (2, false), (-1, false), (i64::MAX, false)] {
            let alarm = alarm([Cell::Int(1), text("a"), Cell::Int(sound), Cell::Null]).unwrap();
            assert_eq!(alarm.acknowledged, expected, "sound = {sound}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_says_which_and_why() {
        let Unreadable(why) = alarm([Cell::Int(7), text("a"), text("x"), Cell::Null]).unwrap_err();
        assert_eq!(why, "the row with process_id 7 has text in sound where a number is expected");
        let Unreadable(why) = alarm([text("7\u{1b}"), text("a"), Cell::Int(0), Cell::Null]).unwrap_err();
        assert_eq!(why, "a row has the text \"7\\u{1b}\" as its process_id");
        let odd = Cell::text(vec![0xff]);
        assert!(row([Cell::Int(7), text("a"), Cell::Int(1), Cell::Int(0), odd]).is_err());
    }

    #[test]
    fn the_row_as_it_is_tells_what_became_of_a_clearing() {
        let clear = Clear { row: RowId(1), notes: Some("a".to_owned()), restarted_at: None };
        assert_eq!(fate(None, &clear), Some(Cleared::Gone));
        assert_eq!(fate(Some([Cell::Int(0), text("a")]), &clear), Some(Cleared::Already));
        assert_eq!(fate(Some([Cell::Int(2), text("a")]), &clear), Some(Cleared::Already));
        assert_eq!(fate(Some([Cell::Int(1), text("b")]), &clear), Some(Cleared::Changed));
        assert_eq!(fate(Some([Cell::Int(1), Cell::Null]), &clear), Some(Cleared::Changed));
        assert_eq!(fate(Some([Cell::Int(1), text("a")]), &clear), None);
    }

    #[test]
    fn bad_rows_do_not_hide_the_good_ones_and_come_back_when_corrected() {
        let mut left = Left::default();
        let bad = || alarm([Cell::Int(1), text("a"), text("x"), Cell::Null]).map(|alarm| alarm.row.0);
        assert_eq!(left.out(vec![bad(), Ok(2), bad(), Ok(3)], "t"), [2, 3]);
        assert_eq!(left.known.len(), 1);
        assert_eq!(left.out(vec![Ok(1), Ok(2)], "t"), [1, 2]);
        assert!(left.known.is_empty(), "a row that breaks again is reported again");
    }
}
