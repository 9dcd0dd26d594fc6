//! The sentences behind the reasons: what the operator reads at three in the morning.

use crate::hold::{Hold, counted};
use crate::model::{Name, Verify, printable};
use crate::time::{Now, Ticks, Wall};
use std::time::Duration;

impl Hold {
    /// The sentence for people, as of `now`.
    #[must_use]
    pub fn sentence(&self, now: Now) -> String {
        let left = |until: &Ticks| lasting(until.since(now.boot));
        match self {
            Self::Unnamed => "the row has no process name; give it one in PROCESE".to_owned(),
            Self::NotConfigured => {
                "no [process.NAME] section for it and no [process.default]; add one to handle it".to_owned()
            }
            Self::Unusable(why) => format!("its configuration cannot be used: {why}"),
            Self::Acknowledged => "an operator has ticked it (sound = 1), so it is left alone".to_owned(),
            Self::InFlight { since } => {
                format!("a restart is under way, for {}", lasting(now.boot.since(*since)))
            }
            Self::Overridden { by, why, until } => {
                format!("held by {}{}{}", printable(by), reason(why), ending(until.as_ref(), now))
            }
            Self::Maintenance { id, reason: why, until } => {
                format!("maintenance window {id}{}{}", reason(why), ending(Some(until), now))
            }
            Self::MassAlarm { healthy, .. } => mass_alarm(*healthy),
            Self::Waiting { cause, trouble } => format!("waits for {cause}, which {}", trouble.phrase()),
            Self::Handled { recheck } => {
                format!(
                    "it was handled and its row is not cleared yet; it is looked at again in {}",
                    left(recheck)
                )
            }
            Self::DriverPause { until } => format!(
                "its last restart could not be carried out, through no fault of its own (see the log); tried again \
                 in {}",
                left(until)
            ),
            Self::DriverOpen { driver, until } => driver_open(driver, until.as_ref().map(left)),
            Self::BreakerOpen { count, until } => format!(
                "the breaker is open after {} that did not help; one trial in {}",
                counted(*count, "restart"),
                left(until)
            ),
            Self::GroupOpen { group, until } => group_open(group, until.as_ref().map(left)),
            Self::GroupCanary { group, canary } => {
                format!("the group {group} is tried with one member first: {canary}")
            }
            Self::GroupReleasing { group, batch } => {
                format!(
                    "the group {group} is let go in batches; the present one, of {batch}, has to succeed first"
                )
            }
            Self::Backoff { count: 0, until } => {
                format!(
                    "the last restart has not lasted for stable_time yet; the next one in {}",
                    left(until)
                )
            }
            Self::Backoff { count, until } => {
                format!("{} did not help; the next one in {}", counted(*count, "restart"), left(until))
            }
            Self::Storm { limit, until } => {
                format!(
                    "this host has begun as many restarts as it may (storm_limit = {limit}); the next one in {}",
                    left(until)
                )
            }
            Self::Observed { verify, by, why } => {
                format!("{}; only observed, by order of {}{}", would_be(*verify), printable(by), reason(why))
            }
            Self::Capacity { limit } => {
                format!("as many restarts are running as max_parallel_restarts allows ({limit})")
            }
            Self::Stopping => "pm is shutting down".to_owned(),
        }
    }
}

/// What would be done to it.
fn would_be(verify: Verify) -> &'static str {
    match verify {
        Verify::AfterOnly => "it would be restarted now",
        Verify::First | Verify::Patiently => "it would be looked at now, and restarted if it is not healthy",
        Verify::Only => "it would be looked at now",
    }
}

fn mass_alarm(healthy: Option<(u64, u64)>) -> String {
    match healthy {
        None => "so many are in alarm at once that each is looked at before anything is restarted".to_owned(),
        Some((looked, healthy)) => format!(
            "mass alarm, and {healthy} of the {looked} looked at are healthy: clear the alarms that are wrong \
             (pm alarm clear), or make pm believe them: pm release --mass-alarm"
        ),
    }
}

fn driver_open(driver: &Name, left: Option<String>) -> String {
    match left {
        Some(left) => {
            format!("what the strategy {driver} depends on fails again and again; tried again in {left}")
        }
        None => format!("what the strategy {driver} depends on kept failing; one restart finds out now"),
    }
}

fn group_open(group: &Name, left: Option<String>) -> String {
    match left {
        Some(left) => {
            format!("the breaker of the group {group} is open; one trial of one member in {left}")
        }
        None => format!("the group {group} has used up its budget of restarts"),
    }
}

/// `47 s`, `12 min`, `3 h 20 min`: rounded up, never 0 while something is left.
#[must_use]
pub fn lasting(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let minutes = seconds.div_ceil(60);
    match (seconds, minutes) {
        (0..=300, _) => format!("{seconds} s"),
        (_, 0..120) => format!("{minutes} min"),
        _ if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

fn reason(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" ({})", printable(why)) }
}

fn ending(until: Option<&Wall>, now: Now) -> String {
    match until {
        Some(until) => format!(", for another {}", lasting(until.since(now.wall))),
        None => ", until it is released".to_owned(),
    }
}
