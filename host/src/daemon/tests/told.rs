//! What the loop tells people.

use super::*;
use crate::policy::model::Notice;
use crate::ports::{Happened, Herald};

impl Herald for Double {
    fn tell(&self, happened: Happened) {
        self.with(|o| o.told.push(happened));
    }
}

#[test]
fn people_are_told_of_failed_restarts_of_breakers_and_of_a_database_that_goes_and_comes() {
    let world = Double::new();
    world.with(|o| o.broken.insert("web".to_owned()));
    world.raise(1, "web");
    let running = world.start(1);
    let opened = |told: &Happened| matches!(told, Happened::Concluded { notice: Notice::BreakerOpened { name, .. }, .. } if name.as_str() == "web");
    world.until("the breaker is told", |o| o.told.iter().any(opened));
    let failed = |told: &Happened| matches!(told, Happened::RestartFailed { name, attempts: 1, .. } if name.as_str() == "web");
    world.with(|o| assert!(o.told.iter().any(failed), "{:?}", o.told));
    world.with(|o| o.trouble = Some(Trouble::Away));
    world.until("it is told that the database is away", |o| {
        o.told.iter().any(|told| matches!(told, Happened::DatabaseLost { .. }))
    });
    world.with(|o| o.trouble = None);
    world.until("it is told that it is back", |o| o.told.contains(&Happened::DatabaseBack));
    running.stop();
}

#[test]
fn a_stop_waits_for_running_jobs_and_leaves_what_does_not_end() {
    let world = Double::new();
    world.with(|o| o.stuck.insert("stuck".to_owned()));
    world.raise(1, "stuck");
    let daemon = world.start(4);
    world.until("it runs", |o| o.running == 1);
    daemon.events.send(Event::Reload).unwrap();
    assert_eq!(daemon.stop(), ["ready", "reloading", "ready", "stopping"]);
    world.with(|o| {
        assert_eq!(o.entries.values().next().unwrap().1, None, "the entry stays open for the next start");
        o.gate_open = true;
    });
}
