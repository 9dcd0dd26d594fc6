//! Tables for people: at most 80 columns, no frames, wrapped cells.

use crate::policy::time::Wall;
use crate::telemetry::line::local_time;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

/// The width that every terminal has.
pub(crate) const WIDTH: u16 = 80;

/// A table as text, with a line break at the end; rows shorter than the header are filled up.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Local time as people and the notes of the table have it.
pub(crate) fn local(at: Wall) -> String {
    local_time(at, &jiff::tz::TimeZone::system())
}
