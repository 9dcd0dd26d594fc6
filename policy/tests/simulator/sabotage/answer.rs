//! Lies in what the policy answers, and in what is done with it.

use super::Sabotage;
use pm_policy::model::{Cause, Clear, End, Job, Notice, Plan, RowId, Settlement, Verify};
use pm_policy::state::State;

impl Sabotage {
    pub(crate) fn plan(self, plan: &mut Plan, state: &State) {
        match self {
            Self::NoHeld => drop(plan.held.pop()),
            Self::Twice => {
                let again = plan.start.first().map(|job| Job { alarms: Vec::new(), ..job.clone() });
                plan.start.extend(again);
            }
            Self::NoWakeUp => plan.wake_at = None,
            Self::Moody => plan.start.reverse(),
            Self::Speechless => {
                plan.start.iter_mut().flat_map(|job| &mut job.chain).for_each(|(_, saw)| saw.clear());
            }
            Self::Impatient => {
                let patient = plan.start.iter_mut().filter(|job| job.verify == Verify::Patiently);
                patient.for_each(|job| job.verify = Verify::AfterOnly);
            }
            Self::Credulous => {
                let doubted =
                    |job: &&mut Job| job.verify == Verify::First && state.mass.suspects.contains(&job.name);
                plan.start.iter_mut().filter(doubted).for_each(|job| job.verify = Verify::AfterOnly);
            }
            _ => {}
        }
    }

    pub(crate) fn notices(self, notices: &mut [Notice]) {
        for notice in notices {
            if let (Self::WrongVerdict, Notice::MassHeld { looked, healthy }) = (self, &*notice) {
                *notice = Notice::MassBelieved { looked: *looked, healthy: *healthy };
            }
        }
    }

    pub(crate) fn settled(self, settled: &mut Settlement, job: &Job, end: End) {
        match self {
            Self::NoWithdrawal => settled.withdraw.clear(),
            Self::NoClearing => settled.clear.clear(),
            Self::ClearsBad if end == End::Failed && job.cause == Cause::Alarm => {
                settled.clear.extend(job.alarms.iter().map(|alarm| Clear {
                    row: alarm.row,
                    notes: alarm.notes.clone(),
                    restarted_at: None,
                }));
            }
            Self::ClearsOthers if !settled.clear.is_empty() => {
                settled.clear.push(Clear { row: RowId(i64::MAX), notes: None, restarted_at: None });
            }
            _ => {}
        }
    }

    /// The highest number of an attempt that the journal remembers after a reboot.
    pub(crate) fn last_id(self, last: u64) -> u64 {
        if self == Self::SameIds { 0 } else { last }
    }
}
