//! Everything that can wake the loop, in one closed enum.

use crate::policy::model::{Alarm, Name, RowId, Table};
use crate::policy::relations::Relations;
use crate::policy::time::Ticks;
use crate::ports::Cleared;
use crate::respond::Report;

/// What happened.
pub enum Event {
    /// A poll succeeded; sent when there are alarms, when there were some before, and the first time.
    ///
    /// With many alarms also how many rows there are. Last when the good poll before it was asked for, which had no news.
    Polled(Vec<Alarm>, Option<u64>, Ticks),
    /// What the tables say of groups and dependencies has changed.
    Related(Relations),
    /// Whether polls succeed has changed, or why not.
    Link(Result<(), String>),
    /// Clearings came to an end.
    Delivered(Vec<(RowId, Cleared)>),
    /// Whether rows can be cleared has changed.
    Table(Table),
    /// Whether this pm speaks for its host, which was otherwise before.
    Speaks(bool),
    /// A job ended.
    Done(Name, Box<Report>),
    /// An operator has ordered something; it stands in the journal.
    Orders,
    /// These strategies are provided by another library now, or by the same one anew.
    Mended(Vec<String>),
    /// The plugin directory has changed.
    Changed,
    /// The operator wants everything read again.
    Reload,
    /// The operator wants pm to stop.
    Stop,
}
