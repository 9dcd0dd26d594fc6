//! Values for the policy's own tests.

use crate::model::{Alarm, Checked, Name, RowId, Rules, Verify};
use std::time::Duration;

/// The rules of an ordinary process with a check.
#[must_use]
pub fn rules() -> Rules {
    Rules {
        max_failures: 3,
        open_time: Duration::from_secs(300),
        check: Checked::ByCheck,
        verify: Verify::AfterOnly,
        stable: Duration::from_secs(60),
        grace: Duration::from_secs(60),
    }
}

/// A row in alarm.
#[must_use]
pub fn alarm(row: i64, name: &str) -> Alarm {
    Alarm { row: RowId(row), name: Name::new(name), notes: None, acknowledged: false }
}
