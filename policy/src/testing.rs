//! Values for tests, here and in the host.

use crate::backoff::Backoff;
use crate::model::{Alarm, Checked, Criticality, Dependents, Name, RowId, Rules, Verify};
use std::time::Duration;

/// The rules of an ordinary process with a check and one strategy.
#[must_use]
pub fn rules() -> Rules {
    let secs = Duration::from_secs;
    Rules {
        criticality: Criticality::Normal,
        threshold: 3,
        window: secs(900),
        open_time: secs(300),
        open_max: secs(3600),
        open_jitter: 0,
        stable: secs(600),
        doubt: secs(60),
        pause: Backoff { base: Duration::ZERO, factor: 2.0, cap: secs(300) },
        pause_jitter: 0,
        check: Checked::ByCheck,
        verify: Verify::AfterOnly,
        grace: secs(60),
        ladder: vec![Name::new("service")],
        dependents: Dependents::Leave,
    }
}

/// A row in alarm.
#[must_use]
pub fn alarm(row: i64, name: &str) -> Alarm {
    Alarm { row: RowId(row), name: Name::new(name), notes: None, acknowledged: false }
}
