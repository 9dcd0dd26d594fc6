//! What `pm status` tells of things that concern several processes: groups, open maintenance windows, a
//! mass alarm. What a driver gets wrong is known to the daemon alone.

use crate::cli::compose::Picture;
use crate::cli::table::local;
use crate::policy::group::{Group, GroupState};
use crate::policy::hold::counted;
use crate::policy::mass::Stage;
use crate::policy::model::{Name, Window};
use crate::policy::sentence::lasting;
use crate::ports::overrides::covers;
use serde_json::{Value, json};

/// So many of those whom a window covers are shown.
const MOST_NAMES: usize = 5;

/// One row for everything that keeps several processes from being restarted, or may soon: kind, name, state.
pub(super) fn rows(picture: &Picture) -> Vec<Vec<String>> {
    let row = |kind: &str, name: &str, state: String| vec![kind.to_owned(), name.to_owned(), state];
    let mut rows = Vec::new();
    match picture.state.mass.stage {
        Stage::None => {}
        Stage::Looking { .. } => {
            rows.push(row(
                "mass alarm",
                "-",
                "every process is looked at before anything is restarted".to_owned(),
            ));
        }
        Stage::Held { looked, healthy } => {
            let state = format!("held: {healthy} of {looked} looked at are healthy; see pm why NAME");
            rows.push(row("mass alarm", "-", state));
        }
        Stage::Believed => rows.push(row("mass alarm", "-", "believed".to_owned())),
    }
    for window in open(picture) {
        let why = if window.reason.is_empty() { String::new() } else { format!(" ({})", window.reason) };
        let state =
            format!("open until {} for {}{why}", local(window.until), covers(&window.scopes, MOST_NAMES));
        rows.push(row("window", &window.id.to_string(), state));
    }
    for (name, group) in &picture.state.groups {
        rows.push(row("group", &name.to_string(), state(picture, name, group)));
    }
    rows
}

fn open(picture: &Picture) -> impl Iterator<Item = &Window> {
    picture.windows.iter().filter(|window| window.is_open(picture.now.wall))
}

fn state(picture: &Picture, name: &Name, group: &Group) -> String {
    let now = picture.now.boot;
    let detail = match &group.state {
        GroupState::Open { until } => format!(", one trial of one member in {}", lasting(until.since(now))),
        GroupState::CanaryRuns(canary) | GroupState::CanaryProbation { canary, .. } => {
            format!(", on trial: {canary}")
        }
        GroupState::Releasing { batch, .. } => format!(" {batch} at a time"),
        GroupState::Closed | GroupState::CanaryDue => String::new(),
    };
    let budget = picture.arrangement.groups.get(name).and_then(|rules| {
        let left = group.bucket.left(rules.budget, now)?;
        Some(format!("; {left} of {} restarts left", rules.budget.size))
    });
    let troubled = counted(u32::try_from(group.troubled.len()).unwrap_or(u32::MAX), "member");
    format!("{}{detail}{}; {troubled} in trouble", group.word(), budget.unwrap_or_default())
}

/// The same for programs.
pub(super) fn as_json(picture: &Picture) -> (Value, Value, Value) {
    let group = |(name, group): (&Name, &Group)| {
        let until = match group.state {
            GroupState::Open { until } => Some(picture.now.wall_at(until).0),
            _ => None,
        };
        let troubled: Vec<_> = group.troubled.keys().map(Name::as_str).collect();
        json!({
            "name": name.as_str(), "state": group.word(), "level": group.level, "open_until_ms": until,
            "in_trouble": troubled,
        })
    };
    let window = |window: &Window| {
        json!({
            "id": window.id.as_str(), "reason": window.reason, "from_ms": window.from.0, "until_ms": window.until.0,
            "covers": window.scopes.iter().map(|scope| covers(std::slice::from_ref(scope), 1)).collect::<Vec<_>>(),
        })
    };
    let mass = match picture.state.mass.stage {
        Stage::None => json!(null),
        Stage::Looking { .. } => json!({"stage": "looking"}),
        Stage::Held { looked, healthy } => json!({"stage": "held", "looked_at": looked, "healthy": healthy}),
        Stage::Believed => json!({"stage": "believed"}),
    };
    (picture.state.groups.iter().map(group).collect(), open(picture).map(window).collect(), mass)
}
