//! Goes on where a killed pm stopped, by what its journal says.
//!
//! | Journal says | Identity now | What is done |
//! |---|---|---|
//! | action not begun | – | cancelled: the alarm still stands in the table and is handled anew |
//! | action begun | another instance than before, or one where none was | the restart happened: verified, not repeated |
//! | action begun | the same, or unknown | restarted, same entry |
//! | action begun | none runs | started, same entry |
//! | restart carried out | – | verified only |
//! | anything, before a reboot | – | cancelled: what it was about is gone |

use super::Run;
use super::verify::{Verdict, seen_by_check};
use crate::failpoint::{self, Point};
use crate::policy::model::{End, Outcome};
use crate::ports::{Boot, Stage, Unfinished};
use crate::wording;
use tracing::{info, warn};

impl Run<'_> {
    pub(super) fn resumed(&self, entry: &Unfinished) -> Outcome {
        failpoint::pass(Point::Resuming);
        if entry.boot == Boot::Earlier {
            return cancelled("the machine was restarted in the middle of it");
        }
        match entry.stage {
            Stage::Intent | Stage::Prepared | Stage::Ended => cancelled("pm ended before the restart began"),
            Stage::Verifying => self.only_verify("the restart was carried out before pm ended"),
            Stage::Acting if entry.identity.as_deref().is_some_and(|before| self.replaced(before)) => {
                self.only_verify("the restart happened before pm ended: the instance is another one")
            }
            Stage::Acting => {
                warn!("{}", wording::resuming(&self.job.name));
                self.attempts()
            }
        }
    }

    fn only_verify(&self, why: &str) -> Outcome {
        info!("{}", wording::verifying_only(&self.job.name, why));
        match self.verify() {
            Verdict::Healthy(seen) => self.good(1, format!("{why}; {}", seen_by_check(&seen))),
            Verdict::NotChecked => self.good(1, why.to_owned()),
            Verdict::Unhealthy(seen) => self.outcome(End::Failed, 1, format!("{why}; {seen}")),
            Verdict::Interrupted => self.handed_over(1),
        }
    }
}

fn cancelled(why: &str) -> Outcome {
    Outcome::new(End::Cancelled, 0, why)
}
