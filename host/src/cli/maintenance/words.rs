//! Maintenance windows in words, for lists and for `pm check`.

use crate::calendar::{Zone, when};
use crate::policy::window::When;

/// `0 22 * * SAT for 2h (Europe/Bucharest)`; `2026-12-01 22:00 to 2026-12-02 02:00`, in local time.
pub(crate) fn planned(when: &When) -> String {
    match when {
        When::Once { from, until } => {
            let local = Zone::system();
            format!("{} to {}", local.show(*from), local.show(*until))
        }
        When::Recurring { cron, duration, zone } => {
            let zone = if zone.is_empty() { "local time" } else { zone };
            format!("{cron} for {} ({zone})", when::in_words(*duration))
        }
    }
}
