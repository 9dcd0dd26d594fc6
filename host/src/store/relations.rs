//! The optional tables with groups and dependencies, the same for every engine: names, statements, and reading a row.
//!
//! pm works without them. A table that is missing, or that this account may not read, is an empty one. Names are data
//! and compared byte for byte, in the tables (a binary collation) as in the policy.

use super::rows::{Cell, Unreadable};
use super::schema::Tables;
use crate::policy::model::Name;
use crate::ports::{StoreError, Trouble};

/// More rows than this are no list of processes; reading them with every refresh would hold up the polls.
const MOST: usize = 200_000;

/// A table of pairs of names.
pub(super) struct Pairs {
    pub(super) table: &'static str,
    /// The process, and what is said of it.
    columns: [&'static str; 2],
    /// Which columns tell one row from another.
    key: &'static str,
}

/// Each process and the group that it is a member of; a process is in one group.
pub(super) const GROUPS: Pairs =
    Pairs { table: "pm_group", columns: ["process_name", "group_name"], key: "process_name" };
/// Each process and a process that it depends on.
pub(super) const DEPENDENCIES: Pairs = Pairs {
    table: "pm_dependency",
    columns: ["process_name", "depends_on"],
    key: "process_name, depends_on",
};

impl Pairs {
    /// What reading it is called in messages.
    pub(super) fn reading(&self) -> String {
        format!(
            "reading {} from {}",
            if self.table == GROUPS.table { "the groups" } else { "the dependencies" },
            self.table
        )
    }

    /// The question whether its rows could be asked for.
    pub(super) fn probe(&self) -> String {
        let [process, other] = self.columns;
        format!("SELECT {process}, {other} FROM {} LIMIT 0", self.table)
    }

    /// The question for its rows; one more than is good.
    pub(super) fn question(&self) -> String {
        let [process, other] = self.columns;
        format!(
            "SELECT {process}, {other} FROM {} ORDER BY {process}, {other} LIMIT {}",
            self.table,
            MOST + 1
        )
    }

    /// The statement that makes it. A hundred characters, as in the contract: two of them fit into every key.
    pub(super) fn definition(&self, tables: &dyn Tables) -> String {
        let ([process, other], text) = (self.columns, tables.exact_text());
        format!(
            "CREATE TABLE {} ({process} {text} NOT NULL, {other} {text} NOT NULL, PRIMARY KEY ({}))",
            self.table, self.key
        )
    }

    /// The rows in pairs; `at` is where the table is, for messages.
    pub(super) fn pairs(&self, rows: Vec<[Cell; 2]>, at: &str) -> Result<Vec<Read>, StoreError> {
        if rows.len() > MOST {
            return Err(StoreError {
                trouble: Trouble::Other,
                attempted: format!("{} at {at}", self.reading()),
                why: format!("it has more than {MOST} rows"),
                hint: Some("delete what is not needed; what was read before stays in force"),
            });
        }
        Ok(rows
            .into_iter()
            .map(|[process, other]| Ok((self.name(0, process)?, self.name(1, other)?)))
            .collect())
    }

    fn name(&self, column: usize, cell: Cell) -> Result<Name, Unreadable> {
        let seen = match cell {
            Cell::Text(text) if !text.trim().is_empty() => return Ok(Name::new(&text)),
            // SQLite keeps a number that was put into a text column of no declared type.
            Cell::Int(number) => return Ok(Name::new(&number.to_string())),
            Cell::Text(_) => "nothing",
            other => other.seen(),
        };
        Err(Unreadable(format!("a row has {seen} in {} where a name is expected", self.columns[column])))
    }
}

/// A row that could be read, or why not.
pub(super) type Read = Result<(Name, Name), Unreadable>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_two_names_says_what_is_wrong() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let read = |row| GROUPS.pairs(vec![row], "db").unwrap().remove(0);
        assert_eq!(read([text(" a "), Cell::Int(7)]).unwrap(), (Name::new(" a "), Name::new("7")));
        let why = |row| read(row).unwrap_err().0;
        assert_eq!(why([text("a"), Cell::Null]), "a row has NULL in group_name where a name is expected");
        assert_eq!(
            why([text("  "), text("g")]),
            "a row has nothing in process_name where a name is expected"
        );
        assert!(why([text("a"), Cell::text(vec![0xff])]).contains("not UTF-8"));
    }

    #[test]
    fn too_many_rows_are_an_error_and_not_a_cut_list() {
        let rows = vec![[Cell::Null, Cell::Null]; MOST + 1];
        let error = DEPENDENCIES.pairs(rows, "db1").unwrap_err().to_string();
        assert!(
            error.starts_with("reading the dependencies from pm_dependency at db1: it has more than 200000"),
            "{error}"
        );
    }
}
