//! Looks whether the target is healthy: at once, then at growing distances up to `health_check_interval`, until it
//! is or the time is over. "Unknown" is not healthy, and a check that cannot be run proves nothing.

use super::Run;
use super::target::millis;
use crate::policy::time::Ticks;
use crate::ports::{StepKind, Waited};
use crate::spec::PartRef;
use crate::wording;
use pm_plugin_api::{Error, Health};
use std::time::Duration;
use tracing::{error, info};

/// The first pause between two looks. The original looked once a second; most programs are up much sooner.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The least time that one look gets, also when the whole time is shorter.
const LEAST_LOOK: Duration = Duration::from_secs(1);

/// What looking yields.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It works; says what was seen.
    Healthy(String),
    /// It does not, or it could not be found out; says why.
    Unhealthy(String),
    /// No check is configured.
    NotChecked,
    /// pm is to stop.
    Interrupted,
}

/// What a check saw, behind what a restart said of itself.
pub(super) fn seen_by_check(seen: &str) -> String {
    format!("the check: {seen}")
}

impl Run<'_> {
    /// Looks until it is healthy or `health_check_timeout` is over.
    pub(super) fn verify(&self) -> Verdict {
        let began = self.world.clock.now();
        let verdict = self.verified();
        let by = self.spec.check.as_ref().map_or("", |check| check.name.as_str());
        let result = match &verdict {
            Verdict::Healthy(seen) => Ok(seen.clone()),
            Verdict::Unhealthy(why) => Err(why.clone()),
            Verdict::Interrupted => Err("pm was asked to stop".to_owned()),
            Verdict::NotChecked => return verdict,
        };
        self.note(StepKind::Check, by, began, result, String::new());
        verdict
    }

    fn verified(&self) -> Verdict {
        let name = &self.job.name;
        let Some(check) = &self.spec.check else {
            info!("{}", wording::no_check(name));
            return Verdict::NotChecked;
        };
        if self.spec.check_timeout.is_zero() {
            return Verdict::Unhealthy(
                "health_check_timeout = 0 leaves no time to look; give it some".to_owned(),
            );
        }
        info!("{}", wording::checking(name, check));
        let began = self.world.clock.now().boot;
        let deadline = began.after(self.spec.check_timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.look(check, deadline) {
                Verdict::Unhealthy(why) => why,
                good => {
                    info!("{}", wording::check_passed(name));
                    return good;
                }
            };
            let left = deadline.since(self.world.clock.now().boot);
            if left.is_zero() {
                error!("{}", wording::check_failed(name, self.spec.check_timeout, &why));
                return Verdict::Unhealthy(format!("not healthy: {why}"));
            }
            if self.wait(pause.min(left)) == Waited::Interrupted {
                return Verdict::Interrupted;
            }
            pause = (pause * 2).min(self.spec.check_interval.max(FIRST_PAUSE));
        }
    }

    /// Looks once; `None` without a check.
    pub(super) fn look_once(&self) -> Option<Verdict> {
        let deadline = self.world.clock.now().boot.after(self.spec.check_timeout);
        self.spec.check.as_ref().map(|check| self.look(check, deadline))
    }

    fn look(&self, check: &PartRef, deadline: Ticks) -> Verdict {
        let left = deadline.since(self.world.clock.now().boot).max(LEAST_LOOK);
        let mut target = self.target(1);
        target.timeout_ms = millis(left);
        match self.world.strategies.check(check, &target) {
            Ok(Health::Healthy { detail }) => Verdict::Healthy(detail),
            Ok(Health::Unhealthy { why } | Health::Unknown { why }) => Verdict::Unhealthy(why),
            Ok(_) => Verdict::Unhealthy("the check gave an answer that this pm does not know".to_owned()),
            Err(Error { message, .. }) => Verdict::Unhealthy(message),
        }
    }
}
