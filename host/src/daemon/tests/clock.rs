//! What the loop says when somebody sets the clock of the machine.

use super::*;
use crate::ports::Waited;
use std::sync::atomic::{AtomicI64, Ordering};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Metadata, Subscriber};

/// The clock of this machine, with a wall clock that a test sets.
struct Settable {
    real: SystemClock,
    ahead: Arc<AtomicI64>,
}

impl Clock for Settable {
    fn now(&self) -> Now {
        let Now { boot, wall } = self.real.now();
        Now { boot, wall: Wall(wall.0 + self.ahead.load(Ordering::SeqCst)) }
    }
    fn wait(&self, duration: Duration) -> Waited {
        self.real.wait(duration)
    }
    fn boot_id(&self) -> &str {
        self.real.boot_id()
    }
}

/// Sends on what is logged about the clock.
#[derive(Clone)]
struct Heard(Sender<String>);

impl Visit for Heard {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        if text.contains("clock") {
            let _ = self.0.send(text);
        }
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Values<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_clock_that_is_set_is_told_once_with_how_far_and_what_follows_it() {
    let (world, stop, ahead) = (Double::new(), Stop::new(), Arc::new(AtomicI64::new(0)));
    let clock = Settable { real: SystemClock::new(stop.clone()), ahead: Arc::clone(&ahead) };
    let (parts, _presence) = world.parts(4, Arc::new(clock), stop);
    let (daemon, events) = start(parts, Box::new(world.clone())).unwrap();
    let (said, heard) = channel();
    let running = std::thread::spawn(move || {
        tracing::subscriber::with_default(Heard(said), || daemon.run().unwrap());
    });
    world.raise(1, "web");
    world.until("it was decided by the clock as it was", |o| o.rows.is_empty());
    let told = |how: &str| {
        format!(
            "The clock of this machine was put {how}: maintenance windows and the ends of overrides are looked at anew by the \
             new time. Breakers, pauses and time limits do not follow it"
        )
    };
    for (set, how) in [(7_200_000, "forward by 2 h"), (3_600_000, "back by 60 min")] {
        ahead.store(set, Ordering::SeqCst);
        assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), told(how));
    }
    events.send(Event::Stop).unwrap();
    running.join().unwrap();
    assert_eq!(heard.try_iter().count(), 0);
}
