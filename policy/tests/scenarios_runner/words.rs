//! The words of a transcript.

use pm_policy::group::GroupCause;
use pm_policy::hold::{Hold, counted};
use pm_policy::model::{Cause, End, Job, Name, Notice, Rules, Trial, Verify};
use pm_policy::sentence::lasting;
use pm_policy::time::{Now, Ticks};
use std::time::Duration;

/// The lines of a transcript.
#[derive(Default)]
pub(super) struct Log(Vec<Line>);

struct Line {
    at: i64,
    kind: Kind,
    subjects: Vec<String>,
    text: String,
}

/// What kind of line it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something happens that pm does not do.
    Script,
    /// A job begins.
    Start,
    /// What a look before a restart said.
    Look,
    /// A job ended.
    End,
    /// A restart by hand ended.
    Hand,
    /// An alarm is not acted on.
    Held,
    /// Rows are cleared.
    Clear,
    /// People are told.
    Notice,
}

impl Log {
    /// Adds a line; several about different subjects that say the same become one.
    pub(super) fn say(&mut self, at: i64, kind: Kind, subject: &str, text: &str) {
        if let Some(last) = self.0.last_mut()
            && (last.at, last.kind, last.text.as_str()) == (at, kind, text)
            && !subject.is_empty()
        {
            last.subjects.push(subject.to_owned());
            return;
        }
        let subjects = if subject.is_empty() { Vec::new() } else { vec![subject.to_owned()] };
        self.0.push(Line { at, kind, subjects, text: text.to_owned() });
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut before = None;
        for line in &self.0 {
            // A blank line where something happens from outside.
            if line.kind == Kind::Script && before.is_some_and(|kind| kind != Kind::Script) {
                text.push('\n');
            }
            before = Some(line.kind);
            let word = match line.kind {
                Kind::Script => ">",
                Kind::Start => "start",
                Kind::Look => "look",
                Kind::End => "end",
                Kind::Hand => "hand",
                Kind::Held => "held",
                Kind::Clear => "clear",
                Kind::Notice => "notice",
            };
            let colon = if line.subjects.is_empty() { "" } else { ": " };
            let subjects = line.subjects.join(", ");
            let row = format!("{} {word:<6} {subjects}{colon}{}", time(line.at), line.text);
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `HH:MM:SS`.
pub(super) fn time(at: i64) -> String {
    let seconds = at.div_euclid(1_000);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What a job sets out to do.
pub(super) fn start(job: &Job, rules: &Rules) -> String {
    let mut text = match (job.verify, &job.cause) {
        (Verify::Only, Cause::MassAlarm) => return "is only looked at, for the mass alarm".to_owned(),
        (Verify::Only, _) => return "is only looked at".to_owned(),
        (Verify::First, _) => "is looked at, then restarted if it is not healthy".to_owned(),
        (Verify::Patiently, _) => "is looked at patiently, then restarted if it is not healthy".to_owned(),
        (Verify::AfterOnly, _) => "is restarted".to_owned(),
    };
    if rules.ladder.len() > 1 {
        let step = rules.ladder.get(job.rung as usize).map_or("nothing", Name::as_str);
        text.push_str(&format!(" by {step} (step {} of {})", job.rung + 1, rules.ladder.len()));
    }
    if job.trial == Trial::Probe {
        text.push_str(", the one trial");
    }
    if let Cause::Dependency(because) = &job.cause {
        text.push_str(&format!(", because {because} was"));
    }
    if job.alarms.len() > 1 {
        let rows: Vec<String> = job.alarms.iter().map(|alarm| alarm.row.0.to_string()).collect();
        text.push_str(&format!(", for rows {}", rows.join(", ")));
    }
    text
}

/// How a job ended.
pub(super) fn end(job: &Job, end: End) -> &'static str {
    match end {
        End::Restarted => "restarted, healthy",
        End::AlreadyHealthy if job.cause == Cause::MassAlarm => "healthy; the alarm stays",
        End::AlreadyHealthy => "healthy, not restarted",
        End::Unhealthy => "not healthy",
        End::Failed => "the restart failed",
        End::Infrastructure => "the bus is gone, no restart could be made",
        End::HandedOver => "cut off by the shutdown",
        End::Cancelled => "cancelled",
    }
}

/// Why an alarm is held.
pub(super) fn held(hold: &Hold, now: Now) -> String {
    format!("{}: {}", hold.word(), hold.sentence(now))
}

/// What has to change for a reason to be said again; that its time passes is no change.
pub(super) fn key(hold: &Hold, now: Now) -> String {
    match hold {
        Hold::MassAlarm { .. } => hold.sentence(now),
        Hold::Maintenance { id, .. } => format!("maintenance {id}"),
        Hold::Waiting { cause, trouble } => format!("waiting {cause} {}", trouble.word()),
        Hold::Overridden { by, why, .. } => format!("held {by} {why}"),
        _ if hold.ends(now).is_none() => hold.sentence(now),
        _ => hold.word().to_owned(),
    }
}

/// What people are told.
pub(super) fn notice(notice: &Notice, now: Now) -> String {
    let at = |until: &Ticks| time(now.wall_at(*until).0);
    match notice {
        Notice::BreakerOpened { name, count, level, until } => format!(
            "the breaker of {name} opened at level {level}, {} did not help; one trial at {}",
            counted(*count, "restart"),
            at(until)
        ),
        Notice::BreakerHalfOpen { name } => format!("the breaker of {name} is half-open"),
        Notice::BreakerClosed { name } => format!("the breaker of {name} closed"),
        Notice::FailuresForgotten { name } => format!("{name}: the restarts that did not help are forgotten"),
        Notice::Relapsed { name, after_ms, rung } => {
            let after = lasting(Duration::from_millis(*after_ms));
            format!("the restart of {name} lasted only {after}; step {} of the ladder is next", rung + 1)
        }
        Notice::Lasted { name } => format!("the restart of {name} lasted"),
        Notice::GroupOpened { group, cause, troubled, until } => {
            let troubled: Vec<&str> = troubled.iter().map(Name::as_str).collect();
            let why = match cause {
                GroupCause::Budget => "its budget is used up".to_owned(),
                GroupCause::Correlation => format!("trouble in {}", troubled.join(", ")),
                GroupCause::Trial => "the trial did not help".to_owned(),
            };
            format!("the breaker of the group {group} opened, {why}; one canary at {}", at(until))
        }
        Notice::GroupHalfOpen { group } => format!("the group {group} is half-open: one canary"),
        Notice::GroupReleasing { group } => format!("the group {group} is let go by 1, 2, 4"),
        Notice::GroupClosed { group } => format!("the breaker of the group {group} closed"),
        Notice::DriverPaused { driver, until } => {
            format!("the strategy {driver} is paused for all; one restart finds out at {}", at(until))
        }
        Notice::DriverBack { driver } => format!("the strategy {driver} works again"),
        Notice::MassAlarm { alarms, known } => format!("mass alarm: {alarms} of {known} rows"),
        Notice::MassHeld { looked, healthy } => {
            format!("mass alarm held, somebody is asked: {healthy} of {looked} looked at are healthy")
        }
        Notice::MassBelieved { looked, healthy } => {
            format!("mass alarm believed: {healthy} of {looked} looked at are healthy")
        }
        Notice::MassOver => "the mass alarm is over".to_owned(),
        Notice::WindowStarted { id, reason, until, .. } => {
            format!("the window {id} begins ({reason}), until {}", time(until.0))
        }
        Notice::WindowEnded { id, .. } => format!("the window {id} ended"),
    }
}
