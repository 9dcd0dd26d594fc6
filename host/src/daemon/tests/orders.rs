//! What operators order, and when the loop knows of it: at its start, by the doorbell, or by looking.

use super::*;
use crate::policy::breaker::State;
use crate::policy::window::Scope;
use crate::ports::overrides::Verb;

fn hold(of: &str) -> Override {
    Override {
        scope: Scope::Process(Name::new(of)),
        order: Order::Hold,
        by: "ana".to_owned(),
        why: String::new(),
        since: Wall(0),
        until: None,
    }
}

fn ordered(id: i64, verb: Verb) -> Ordered {
    let request = Request { by: "ana".to_owned(), why: String::new(), at: Wall(0) };
    Ordered { id, verb, request }
}

fn by_hand(id: i64, of: &str, end: End) -> Attempt {
    Attempt {
        id: AttemptId(id),
        name: Name::new(of),
        strategy: "double".to_owned(),
        seen: None,
        began: Wall(0),
        ended: Some((Wall(1), end, 1, "by hand".to_owned())),
        under_way: false,
        cause: "operator".to_owned(),
        by: None,
        effect: None,
    }
}

/// A process whose restarts do not help and whose breaker is open for a long time.
fn with_an_open_breaker() -> (Double, Running) {
    let world = Double::new();
    world.with(|o| o.broken.insert("web".to_owned()));
    world.raise(1, "web");
    let daemon = world.start(4);
    world.until("the breaker to open", |o| o.standings.values().any(|s| s.breaker.failures == 3));
    (world, daemon)
}

fn passes(world: &Double, polls: u32) {
    let before = world.with(|o| o.polls);
    world.until("polls go on", |o| o.polls > before + polls);
}

#[test]
fn a_hold_that_came_a_moment_ago_refuses_the_claim_and_counts_against_nobody() {
    let counted = |o: &Outside| o.standings.values().any(|standing| *standing != Standing::default());
    let world = Double::new();
    world.with(|o| o.overrides.push(hold("web")));
    world.raise(1, "web");
    let daemon = world.start(4);
    passes(&world, 3);
    world.with(|o| assert!(o.restarts.is_empty() && !counted(o), "{:?}", o.standings));
    world.with(|o| (o.overrides.clear(), o.changed = true).1);
    world.until("it is restarted when it is released", |o| o.rows.is_empty());
    daemon.stop();
}

#[test]
fn a_ring_is_answered_at_once_and_a_change_without_one_is_noticed() {
    let world = Double::new();
    let daemon = world.start(4);
    world.until("the first look", |o| o.looked == 1);
    daemon.events.send(Event::Orders).unwrap();
    world.until("the ring", |o| o.looked == 2);
    passes(&world, 3);
    world.with(|o| assert_eq!(o.looked, 2, "nothing has changed"));
    world.with(|o| o.changed = true);
    world.until("the look", |o| o.looked == 3);
    daemon.stop();
}

#[test]
fn a_reset_closes_the_breaker_and_is_stored_together_with_the_order() {
    let (world, daemon) = with_an_open_breaker();
    let restarts = world.with(|o| o.restarts.len());
    world.with(|o| (o.orders.push(ordered(1, Verb::Reset(Scope::All))), o.broken.clear()));
    daemon.events.send(Event::Orders).unwrap();
    world.until("it is restarted again", |o| o.rows.is_empty() && o.restarts.len() == restarts + 1);
    daemon.stop();
    world.with(|o| {
        assert!(o.orders.is_empty());
        let breaker = &o.standings[&Name::new("web")].breaker;
        assert_eq!((breaker.state, breaker.level, breaker.failures), (State::Closed, 0, 0));
    });
}

#[test]
fn a_reset_that_waits_since_before_the_start_is_obeyed_before_the_first_decision() {
    let (world, daemon) = with_an_open_breaker();
    daemon.stop();
    world.with(|o| {
        (o.orders.push(ordered(1, Verb::Reset(Scope::Process(Name::new("web"))))), o.broken.clear())
    });
    let daemon = world.start(4);
    world.until("handled", |o| o.rows.is_empty() && o.orders.is_empty());
    daemon.stop();
}

#[test]
fn an_order_that_cannot_be_taken_out_of_the_journal_is_obeyed_once_all_the_same() {
    let (world, daemon) = with_an_open_breaker();
    world.with(|o| (o.full, o.orders) = (true, vec![ordered(1, Verb::Reset(Scope::All))]));
    daemon.events.send(Event::Orders).unwrap();
    let again = |o: &Outside| o.standings.values().any(|s| s.breaker.failures == 3) && o.restarts.len() == 6;
    world.until("it fails as often again", again);
    passes(&world, 3);
    world.with(|o| (o.full = false, assert_eq!(o.restarts.len(), 6, "the reset is not repeated")).1);
    world.until("the order is gone in the end", |o| o.orders.is_empty());
    world.with(|o| assert_eq!(o.standings[&Name::new("web")].breaker.failures, 3));
    daemon.stop();
}

#[test]
fn restarts_by_hand_are_counted_in_the_breaker() {
    let world = Double::new();
    let daemon = world.start(4);
    world.with(|o| {
        for (id, end) in [(1, End::Failed), (2, End::Infrastructure), (3, End::Failed), (4, End::Cancelled)] {
            o.by_hand.insert(id, by_hand(id, "web", end));
            o.orders.push(ordered(id, Verb::Counted(AttemptId(id))));
        }
        // Of one that is not kept any more, and of a process that is not configured.
        o.orders.push(ordered(5, Verb::Counted(AttemptId(99))));
        o.by_hand.insert(6, by_hand(6, "stranger", End::Failed));
        o.orders.push(ordered(6, Verb::Counted(AttemptId(6))));
    });
    daemon.events.send(Event::Orders).unwrap();
    world.until("all are taken", |o| o.orders.is_empty());
    world.with(|o| {
        assert_eq!(o.standings[&Name::new("web")].breaker.failures, 2);
        assert!(!o.standings.contains_key(&Name::new("stranger")));
        o.by_hand.insert(7, by_hand(7, "web", End::Restarted));
        o.orders.push(ordered(7, Verb::Counted(AttemptId(7))));
    });
    daemon.events.send(Event::Orders).unwrap();
    world.until("success", |o| o.standings[&Name::new("web")].breaker.failures == 0);
    daemon.stop();
}

#[test]
fn a_restart_by_hand_is_booked_on_the_step_of_the_ladder_that_made_it() {
    let ladder = ["service", "process"].map(Name::new);
    let of = |by: Option<&str>| {
        let attempt = Attempt { by: by.map(str::to_owned), ..by_hand(1, "web", End::Failed) };
        crate::daemon::orders::rung(&attempt, &ladder)
    };
    assert_eq!([of(Some("service")), of(Some("process"))], [Some(0), Some(1)]);
    assert_eq!([of(None), of(Some("docker"))], [None, None]);
}

#[test]
fn a_restart_by_hand_that_helps_is_the_trial_of_an_open_breaker_and_answers_the_alarm() {
    let (world, daemon) = with_an_open_breaker();
    passes(&world, 2);
    let restarts = world.with(|o| o.restarts.len());
    world.with(|o| {
        o.by_hand.insert(
            9,
            Attempt {
                ended: Some((Wall(i64::MAX), End::Restarted, 1, String::new())),
                ..by_hand(9, "web", End::Restarted)
            },
        );
        o.orders.push(ordered(9, Verb::Counted(AttemptId(9))));
    });
    daemon.events.send(Event::Orders).unwrap();
    world.until("without a check its result is believed", |o| o.rows.is_empty());
    world.until("counted", |o| o.orders.is_empty());
    world.raise(2, "web");
    world.until("one that did not last opens it again", |o| {
        o.standings.values().any(|standing| standing.breaker.level == 2)
    });
    daemon.stop();
    world.with(|o| assert_eq!(o.restarts.len(), restarts, "by hand only"));
}

#[test]
fn counting_does_not_end_a_job_that_runs() {
    let world = Double::new();
    world.with(|o| o.stuck.insert("web".to_owned()));
    world.raise(1, "web");
    let daemon = world.start(4);
    world.until("it runs", |o| o.running == 1);
    world.with(|o| {
        o.by_hand.insert(9, by_hand(9, "web", End::Failed));
        o.orders.push(ordered(9, Verb::Counted(AttemptId(9))));
    });
    daemon.events.send(Event::Orders).unwrap();
    world.until("counted", |o| o.orders.is_empty());
    passes(&world, 3);
    world.with(|o| o.gate_open = true);
    world.until("cleared", |o| o.rows.is_empty());
    daemon.stop();
    world.with(|o| assert_eq!(o.restarts, ["web"], "no second one beside it"));
}
