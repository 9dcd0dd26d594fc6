//! The text of the live line. Pure: `now` is an argument.

use crate::policy::model::Name;
use crate::policy::time::{Now, Ticks};
use crate::ports::Alive;
use std::collections::BTreeMap;

/// Remembers since when each restart has been seen running.
#[derive(Debug, Default)]
pub(super) struct Progress {
    since: BTreeMap<Name, Ticks>,
    stopping: bool,
}

impl Progress {
    /// From now on it says that pm is stopping.
    pub(super) fn stopping(&mut self) {
        self.stopping = true;
    }

    /// What is going on, in one line.
    pub(super) fn line(&mut self, now: Now, state: &Alive) -> String {
        self.since.retain(|name, _| state.running.contains(name));
        for name in &state.running {
            self.since.entry(name.clone()).or_insert(now.boot);
        }
        let mut oldest: Vec<_> = self.since.iter().collect();
        oldest.sort_by_key(|(_, since)| **since);
        let running: Vec<String> = oldest
            .iter()
            .map(|(name, since)| format!("{name} ({} s)", now.boot.since(**since).as_secs()))
            .collect();
        let restarting = format!("Restarting {}", running.join(", "));
        match (self.stopping, running.is_empty()) {
            (true, true) => "Stopping".to_owned(),
            (true, false) => format!("Stopping when it has ended: {restarting}"),
            (false, true) => countdown(now, state),
            (false, false) => format!("{restarting} | {}", countdown(now, state)),
        }
    }
}

fn countdown(now: Now, state: &Alive) -> String {
    let away = if state.database.is_err() { " (no answer from the last one)" } else { "" };
    let left = state.next_poll.map_or(0, |next| next.0.saturating_sub(now.wall.0));
    match left.max(0).saturating_add(999) / 1000 {
        0 => format!("Checking the database{away}"),
        1 => format!("Next database check in 1 second{away}"),
        seconds => format!("Next database check in {seconds} seconds{away}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::time::Wall;

    fn at(seconds: u64) -> Now {
        Now { boot: Ticks(seconds * 1000), wall: Wall(i64::try_from(seconds).unwrap() * 1000) }
    }

    fn state(running: &[&str], next: Option<i64>) -> Alive {
        let running = running.iter().map(|name| Name::new(name)).collect();
        Alive { alarms: 0, running, database: Ok(()), next_poll: next.map(Wall) }
    }

    #[test]
    fn it_counts_down_in_whole_seconds() {
        let mut progress = Progress::default();
        let mut line = |next| progress.line(at(10), &state(&[], next));
        assert_eq!(line(Some(12_001)), "Next database check in 3 seconds");
        assert_eq!(line(Some(12_000)), "Next database check in 2 seconds");
        assert_eq!(line(Some(10_001)), "Next database check in 1 second");
        assert_eq!(line(Some(10_000)), "Checking the database");
        assert_eq!(line(Some(i64::MIN)), "Checking the database");
        assert_eq!(line(None), "Checking the database");
        let away = Alive { database: Err("refused".to_owned()), ..state(&[], Some(15_000)) };
        let expected = "Next database check in 5 seconds (no answer from the last one)";
        assert_eq!(progress.line(at(10), &away), expected);
    }

    #[test]
    fn running_restarts_show_how_long_they_take() {
        let mut progress = Progress::default();
        progress.line(at(10), &state(&["web"], None));
        let line = progress.line(at(13), &state(&["db", "web"], Some(15_000)));
        assert_eq!(line, "Restarting web (3 s), db (0 s) | Next database check in 2 seconds");
        progress.line(at(14), &state(&["db"], None));
        let line = progress.line(at(15), &state(&["db", "web"], None));
        assert_eq!(
            line, "Restarting db (2 s), web (0 s) | Checking the database",
            "a new restart counts anew"
        );
        progress.stopping();
        let line = progress.line(at(16), &state(&["db"], None));
        assert_eq!(line, "Stopping when it has ended: Restarting db (3 s)");
        assert_eq!(progress.line(at(17), &state(&[], None)), "Stopping");
    }
}
