//! Tables for people: at most 80 columns, no frames, wrapped cells. Whatever is in a cell cannot draw on a terminal
//! and takes a bounded number of lines.

use crate::policy::model::printable;
use crate::policy::time::Wall;
use crate::telemetry::line::local_time;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

/// The width that every terminal has.
pub(crate) const WIDTH: u16 = 80;
/// Characters of a cell; what goes beyond is for `--format json`.
const LONGEST: usize = 300;

/// A table as text, with a line break at the end; rows shorter than the header are filled up.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.iter().map(|cell| fitted(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn fitted(cell: &str) -> String {
    let shown = printable(cell);
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Local time as people and the notes of the table have it.
pub(crate) fn local(at: Wall) -> String {
    local_time(at, &jiff::tz::TimeZone::system())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_breaks_the_width_the_screen_or_the_terminal() {
        let cells = ["x".repeat(200_000), "two\nlines \u{1b}[2J".to_owned(), "word ".repeat(1000)];
        let text = table(&["A", "B", "C"], [cells.to_vec(), vec!["short".to_owned()]]);
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(WIDTH)), "{text}");
        assert!(text.lines().count() < 60 && text.contains('…'), "{text}");
        assert!(!text.contains('\u{1b}') && text.contains("\\u{a}"), "{text}");
    }
}
