//! `settle`: an outcome becomes a settlement. The only place where a breaker changes.

use crate::breaker::Breaker;
use crate::model::{Clear, End, Handled, Job, Notice, Outcome, Rules, Settlement, Standing, Trial};
use crate::time::Now;
use std::time::Duration;

/// How long a process is left alone after its driver failed: long enough that a log is not flooded at a poll a
/// second, short enough that nobody waits for a bus that came back.
pub const DRIVER_PAUSE: Duration = Duration::from_secs(10);

/// What follows from `outcome` of `job`.
///
/// Rows of a job that helped are marked as handled at once: until the clearing is confirmed the row still stands
/// in the table and must not start a second restart.
pub fn settle(standing: &Standing, rules: &Rules, job: &Job, outcome: &Outcome, now: Now) -> Settlement {
    let mut next = Standing { in_flight: None, pause: None, ..standing.clone() };
    let mut notices = Vec::new();
    let (mut clear, mut withdraw) = (Vec::new(), Vec::new());
    match outcome.end {
        End::Restarted | End::AlreadyHealthy => {
            next.breaker = standing.breaker.after_success();
            next.last_good = Some(now.boot);
            notices.extend(forgiven(standing.breaker, job));
            let restarted_at = (outcome.end == End::Restarted).then_some(now.wall);
            for alarm in &job.alarms {
                // A mark means that the clearing of this very row waits in the outbox already.
                if standing.handled(alarm).is_none() {
                    clear.push(Clear { row: alarm.row, notes: alarm.notes.clone(), restarted_at });
                }
                next.handled.retain(|handled| handled.row != alarm.row);
                next.handled.push(Handled {
                    row: alarm.row,
                    notes: alarm.notes.clone(),
                    recheck: now.boot.after(rules.grace),
                });
            }
        }
        End::Failed => {
            next.breaker = standing.breaker.after_failure(rules, now.boot);
            next.last_good = None;
            withdraw
                .extend(job.alarms.iter().filter(|alarm| standing.handled(alarm).is_some()).map(|a| a.row));
            next.handled.retain(|handled| !withdraw.contains(&handled.row));
            if let Breaker::Open { failures, until } = next.breaker {
                notices.push(Notice::BreakerOpened { failures, until });
            }
        }
        // The process is not to blame, so its breaker stays: a half-open one keeps its trial.
        End::Infrastructure => next.pause = Some(now.boot.after(DRIVER_PAUSE)),
        End::HandedOver | End::Cancelled => {}
    }
    Settlement { standing: next, clear, withdraw, notices }
}

fn forgiven(before: Breaker, job: &Job) -> Option<Notice> {
    match (job.trial, before.failures()) {
        (Trial::Probe, _) => Some(Notice::BreakerClosed),
        (Trial::No, 0) => None,
        (Trial::No, _) => Some(Notice::FailuresForgotten),
    }
}
