//! What each check saw of an alarm that it let pass: the values behind `pm why`, each in a few words.

use crate::breaker::Admission;
use crate::case::{Case, pause_ends};
use crate::decide::Check;
use crate::hold::counted;
use crate::mass::Stage;
use crate::round::Round;
use crate::sentence::lasting;

impl Case<'_> {
    /// What `check` saw.
    pub(crate) fn saw(&self, check: Check, round: &Round<'_>) -> String {
        match check {
            Check::Named => match self.alarm {
                Some(alarm) => format!("{} (row {})", alarm.name, alarm.row.0),
                None => self.name.to_string(),
            },
            Check::Configured => "a section that can be used".to_owned(),
            Check::Unacknowledged => match self.alarm {
                Some(_) => "sound = 0".to_owned(),
                None => "there is no alarm to tick".to_owned(),
            },
            Check::NotRunning => "no restart under way".to_owned(),
            Check::Override => "no hold by an operator".to_owned(),
            Check::Maintenance if round.view.windows.is_empty() => "no window is planned".to_owned(),
            Check::Maintenance => {
                format!("no open window covers it, of {}", counted(len(round.view.windows), "window"))
            }
            Check::NotHandled => match self.alarm.zip(self.standing).map(|(alarm, its)| its.handled(alarm)) {
                Some(Some(_)) => "handled before, due to be looked at again".to_owned(),
                _ => "not handled yet".to_owned(),
            },
            Check::MassAlarm => self.saw_mass(round),
            Check::Dependency => self.saw_dependency(round),
            Check::Driver => match self.driver().and_then(|driver| round.driver(driver)) {
                Some(driver) => format!(
                    "{} in a row of what its strategy depends on",
                    counted(driver.failures, "failure")
                ),
                None => "no failure of what its strategy depends on".to_owned(),
            },
            Check::Breaker => self.saw_breaker(round),
            Check::Group => self.saw_group(round),
            Check::Backoff => self.saw_backoff(round),
            Check::Storm => match round.storm.left(round.view.limits.storm, round.now.boot) {
                Some(left) => {
                    format!("{left} of {} restarts left for this host", round.view.limits.storm.size)
                }
                None => "no limit (storm_limit = 0)".to_owned(),
            },
            Check::Observe => "to be acted on".to_owned(),
            Check::Intake => "pm takes on work".to_owned(),
            Check::Capacity => {
                format!("{} of {} restarts running", round.running, round.view.limits.parallel)
            }
        }
    }

    fn saw_mass(&self, round: &Round<'_>) -> String {
        let known = round.view.known.map_or_else(|| "?".to_owned(), |known| known.to_string());
        let (alarms, least) = (round.sights.alarmed.len(), round.view.limits.mass_min);
        match round.state.mass.stage {
            Stage::None if least == 0 => "no guard (mass_alarm_min = 0)".to_owned(),
            // So few are never a mass alarm, so nobody has counted the rows.
            Stage::None if alarms < least as usize => {
                format!("{alarms} in alarm, fewer than {least}: no mass alarm")
            }
            Stage::None => format!("{alarms} in alarm of {known} rows: no mass alarm"),
            Stage::Looking { .. } => {
                format!("{alarms} in alarm of {known} rows: only looked at, not restarted")
            }
            Stage::Held { looked, healthy } => {
                format!(
                    "mass alarm, {healthy} of {looked} looked at are healthy; this one is looked at, or was bad"
                )
            }
            Stage::Believed => format!("{alarms} in alarm of {known} rows, and believed"),
        }
    }

    fn saw_dependency(&self, round: &Round<'_>) -> String {
        if round.view.related.depends_on(self.name).is_empty() {
            return "depends on nothing".to_owned();
        }
        let wave = round.sights.wave(self.name);
        match round.sights.restored(self.name) {
            Some(at) => format!(
                "wave {wave}; what it depends on is well, the last of it came back {} ago",
                lasting(round.now.boot.since(at))
            ),
            None => format!("wave {wave}; what it depends on is well"),
        }
    }

    fn saw_breaker(&self, round: &Round<'_>) -> String {
        let (Some(rules), Some(standing)) = (self.rules(), self.standing) else {
            return "closed, no restart that did not help".to_owned();
        };
        let (breaker, now) = (&standing.breaker, round.now.boot);
        let count = counted(standing.in_vain(rules, now), "restart");
        let trial = if standing.trial.is_some() { " and one on trial" } else { "" };
        let tail = format!(
            "{count} that did not help yet{trial} (opens at {}), level {}",
            rules.threshold.max(1),
            breaker.level
        );
        let word = breaker.word(now);
        match breaker.admits(rules, now) {
            _ if self.bypassed(round) => format!("bypassed by an operator ({word}, {tail})"),
            Admission::Probe => format!("{word}: exactly one restart decides ({tail})"),
            Admission::Spent => {
                format!("{word}, {tail}: only looked at, because the alarm may be older than the restart")
            }
            Admission::Allowed | Admission::Refused { .. } => format!("{word}, {tail}"),
        }
    }

    fn saw_group(&self, round: &Round<'_>) -> String {
        let Some((group, rules)) = self.group(round) else {
            return match round.sights.group(self.name) {
                Some(group) => format!("{group}, without limits"),
                None => "in no group".to_owned(),
            };
        };
        let its = round.group(group);
        let left = match its.bucket.left(rules.budget, round.now.boot) {
            Some(left) => format!("{left} of {} restarts left", rules.budget.size),
            None => "no budget".to_owned(),
        };
        let troubled = counted(u32::try_from(its.troubled.len()).unwrap_or(u32::MAX), "member");
        // Members that only [process.default] speaks for cannot be counted.
        let of = if rules.members == u32::MAX { String::new() } else { format!(" of {}", rules.members) };
        format!("{group}: {}, {left}, {troubled}{of} in trouble", its.word())
    }

    fn saw_backoff(&self, round: &Round<'_>) -> String {
        let (Some(rules), Some(standing)) = (self.rules(), self.standing) else {
            return "no restart behind it".to_owned();
        };
        match (standing.last_end, pause_ends(self.name, rules, standing, round.now.boot)) {
            (None, _) => "no restart behind it".to_owned(),
            (Some(ended), None) => {
                format!("last restart {} ago, nothing to wait for", lasting(round.now.boot.since(ended)))
            }
            (Some(ended), Some(until)) => format!(
                "last restart {} ago, pause of {} {}",
                lasting(round.now.boot.since(ended)),
                lasting(until.since(ended)),
                if until <= round.now.boot { "over" } else { "does not matter now" }
            ),
        }
    }
}

fn len<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
