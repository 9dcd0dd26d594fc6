//! Every boundary of the breaker, and what holds whatever happens to it.

use super::*;
use crate::testing::{rules, secs};
use proptest::prelude::*;

const NOW: Ticks = Ticks(10_000_000);

fn web() -> Name {
    Name::new("web")
}

fn before(seconds: u64) -> Ticks {
    Ticks(NOW.0 - seconds * 1000)
}

fn after(seconds: u64) -> Ticks {
    NOW.after(secs(seconds))
}

fn open(until: Ticks) -> Breaker {
    Breaker { state: State::Open { until }, level: 1, ..Breaker::default() }
}

fn half_open(probe: Probe) -> Breaker {
    Breaker { state: State::HalfOpen(probe), level: 1, ..Breaker::default() }
}

#[test]
fn what_cannot_be_judged_counts_neither_way_and_leaves_the_trial_to_another() {
    let useless = vec![before(9), before(1)];
    for (state, then) in [
        (State::Closed, State::Closed),
        (State::HalfOpen(Probe::Used), State::HalfOpen(Probe::Due)),
        (State::Open { until: NOW }, State::Open { until: NOW }),
    ] {
        let mut breaker = Breaker { state, useless: useless.clone(), failures: 1, ..Breaker::default() };
        breaker.unjudged();
        assert_eq!((breaker.state, &breaker.useless[..], breaker.failures), (then, &useless[..1], 1));
    }
}

#[test]
fn restarts_count_until_they_leave_the_window_and_failures_in_a_row_whenever_they_were() {
    let at = |ages: &[u64], failures| {
        let useless = ages.iter().map(|age| Ticks(NOW.0 - age)).collect();
        Breaker { useless, failures, ..Breaker::default() }.count(&rules(), NOW)
    };
    assert_eq!(at(&[], 0), 0);
    assert_eq!(at(&[900_001, 900_000, 899_999, 0], 0), 2);
    assert_eq!(at(&[900_000, 0], 2), 2);
    assert_eq!(at(&[20, 10, 0], 2), 3);
}

#[test]
fn a_closed_breaker_allows_below_the_threshold_and_is_spent_at_it() {
    let with = |failures, threshold| {
        let breaker = Breaker { failures, ..Breaker::default() };
        breaker.admits(&Rules { threshold, ..rules() }, NOW)
    };
    assert_eq!(with(0, 3), Admission::Allowed);
    assert_eq!(with(2, 3), Admission::Allowed);
    assert_eq!(with(3, 3), Admission::Spent);
    assert_eq!(with(4, 3), Admission::Spent);
    // A threshold of nothing counts as one.
    assert_eq!(with(0, 0), Admission::Allowed);
    assert_eq!(with(1, 0), Admission::Spent);
}

#[test]
fn an_open_breaker_refuses_before_its_time_and_allows_one_probe_from_then_on() {
    let at = |now| open(NOW).admits(&rules(), now);
    assert_eq!(at(Ticks(NOW.0 - 1)), Admission::Refused { until: NOW });
    assert_eq!(at(NOW), Admission::Probe);
    assert_eq!(at(Ticks(NOW.0 + 1)), Admission::Probe);
    assert_eq!(half_open(Probe::Due).admits(&rules(), NOW), Admission::Probe);
    assert_eq!(half_open(Probe::Used).admits(&rules(), NOW), Admission::Spent);
}

#[test]
fn a_restart_counts_although_it_helped_and_is_the_trial_of_a_breaker_that_is_not_closed() {
    let mut closed = Breaker { failures: 2, ..Breaker::default() };
    closed.restarted(NOW);
    assert_eq!(closed, Breaker { useless: vec![NOW], ..Breaker::default() });
    for mut breaker in [open(after(5)), open(before(5)), half_open(Probe::Due), half_open(Probe::Used)] {
        breaker.restarted(NOW);
        assert_eq!((breaker.state, breaker.useless.len()), (State::HalfOpen(Probe::Used), 1));
    }
}

#[test]
fn the_failure_that_reaches_the_threshold_opens_it_and_the_message_says_how_many_there_were() {
    let mut breaker = Breaker { quiet_from: Some(before(9)), ..Breaker::default() };
    assert_eq!(breaker.failed(&rules(), &web(), before(3), NOW), None);
    assert_eq!((breaker.failures, breaker.quiet_from), (1, None));
    assert_eq!(breaker.useless, [before(3)]);
    assert_eq!(breaker.failed(&rules(), &web(), before(2), NOW), None);
    let opened = breaker.failed(&rules(), &web(), before(1), NOW);
    assert_eq!(opened, Some(Opened { count: 3, level: 1, until: after(300) }));
    assert_eq!((breaker.state, breaker.level), (State::Open { until: after(300) }, 1));
    assert_eq!(breaker.useless.len(), 3);
}

#[test]
fn restarts_that_helped_and_one_that_failed_add_up_to_the_threshold() {
    let mut breaker = Breaker { useless: vec![before(60), before(30)], ..Breaker::default() };
    assert_eq!(breaker.failed(&rules(), &web(), NOW, NOW).map(|opened| opened.count), Some(3));
}

#[test]
fn a_single_failure_opens_whatever_is_not_closed_for_longer() {
    for mut breaker in [open(NOW), half_open(Probe::Due), half_open(Probe::Used)] {
        let opened = breaker.failed(&rules(), &web(), NOW, NOW);
        assert_eq!(opened, Some(Opened { count: 1, level: 2, until: after(600) }));
    }
    // What an operator had restarted although it is open does not keep it open for longer.
    let mut breaker = open(after(5));
    assert_eq!(breaker.failed(&rules(), &web(), NOW, NOW), None);
    assert_eq!((breaker.state, breaker.failures), (State::Open { until: after(5) }, 1));
}

#[test]
fn an_alarm_opens_only_what_is_spent_and_always_ends_the_quiet() {
    let quiet = |breaker: Breaker| Breaker { quiet_from: Some(before(9)), ..breaker };
    let spent = quiet(Breaker { useless: vec![NOW; 3], ..Breaker::default() });
    for (mut breaker, count) in [(spent, 3), (quiet(half_open(Probe::Used)), 0)] {
        let level = breaker.level + 1;
        let until = after(300 * u64::from(level));
        assert_eq!(breaker.alarmed(&rules(), &web(), NOW), Some(Opened { count, level, until }));
        assert_eq!((breaker.quiet_from, breaker.state), (None, State::Open { until }));
    }
    for breaker in [Breaker::default(), open(after(5)), open(before(5)), half_open(Probe::Due)] {
        let mut alarmed = quiet(breaker.clone());
        assert_eq!(alarmed.alarmed(&rules(), &web(), NOW), None);
        assert_eq!(alarmed, breaker);
    }
}

#[test]
fn the_open_time_doubles_with_each_level_up_to_its_ceiling_and_never_below_the_first() {
    let at = |level| open_time(secs(300), secs(3600), level).as_secs();
    assert_eq!([0, 1, 2, 3, 4, 5, 20, 255].map(at), [300, 300, 600, 1200, 2400, 3600, 3600, 3600]);
    assert_eq!(open_time(secs(300), secs(10), 4), secs(300));
    assert_eq!(open_time(Duration::MAX, secs(10), 20), Duration::MAX);
    let mut breaker = Breaker { level: 20, failures: 2, ..Breaker::default() };
    assert_eq!(breaker.failed(&rules(), &web(), NOW, NOW).map(|opened| opened.level), Some(20));
}

#[test]
fn the_open_time_is_spread_by_the_configured_share() {
    let rules = Rules { open_jitter: 20, ..rules() };
    let until: Vec<u64> = (0..200)
        .map(|number| {
            let mut breaker = Breaker { failures: 2, ..Breaker::default() };
            let name = Name::new(&format!("host{number}"));
            breaker.failed(&rules, &name, NOW, NOW).unwrap().until.since(NOW).as_secs()
        })
        .collect();
    assert!(until.iter().all(|until| (240..=360).contains(until)));
    assert!(until.iter().min() < Some(&250) && until.iter().max() > Some(&350));
}

#[test]
fn quiet_is_measured_only_where_there_is_something_to_forgive_and_begins_once() {
    let dirty = [
        Breaker { level: 1, ..Breaker::default() },
        Breaker { failures: 1, ..Breaker::default() },
        Breaker { useless: vec![NOW], ..Breaker::default() },
        Breaker { level: 0, ..half_open(Probe::Due) },
    ];
    for mut breaker in dirty {
        assert!(breaker.quiet(NOW));
        assert!(!breaker.quiet(after(1)));
        assert_eq!(breaker.quiet_from, Some(NOW));
        assert!(breaker.disturbed());
        assert!(!breaker.disturbed());
        assert_eq!(breaker.quiet_from, None);
    }
    let mut clean = Breaker { quiet_from: Some(NOW), ..Breaker::default() };
    assert!(!clean.quiet(NOW));
    assert_eq!(clean, Breaker::default());
    assert!(!clean.quiet(NOW));
}

#[test]
fn a_process_that_was_healthy_all_along_keeps_its_quiet_without_the_time_in_which_nobody_knew() {
    let of = |quiet_from, unknown| {
        let mut breaker = Breaker { level: 2, failures: 2, quiet_from, ..Breaker::default() };
        breaker.healthy(unknown, NOW);
        assert_eq!((breaker.failures, breaker.level), (0, 2));
        breaker.quiet_from
    };
    assert_eq!(of(Some(before(100)), before(30)), Some(before(70)));
    assert_eq!(of(Some(before(100)), before(200)), Some(NOW));
    assert_eq!(of(None, before(30)), Some(NOW));
    let mut trial = half_open(Probe::Due);
    trial.healthy(before(30), NOW);
    assert_eq!(trial.state, State::HalfOpen(Probe::Due));
}

#[test]
fn an_open_breaker_becomes_half_open_at_its_time_and_quiet_before_that_does_not_count() {
    let with = |from| Breaker { quiet_from: from, ..open(NOW) };
    for (from, expected) in [(None, None), (Some(before(50)), Some(NOW)), (Some(after(50)), Some(after(50)))]
    {
        let mut breaker = with(from);
        assert!(!breaker.elapse(before(1)));
        assert_eq!(breaker, with(from));
        assert!(breaker.elapse(NOW));
        assert_eq!((breaker.state, breaker.quiet_from), (State::HalfOpen(Probe::Due), expected));
        assert!(!breaker.elapse(after(100)));
    }
    assert!(open(NOW).elapse(after(1)));
    assert!(!Breaker::default().elapse(NOW));
}

#[test]
fn a_stable_period_closes_a_half_open_breaker_and_each_further_one_takes_a_level() {
    let mut breaker =
        Breaker { level: 2, useless: vec![before(700)], quiet_from: Some(NOW), ..half_open(Probe::Used) };
    assert_eq!(breaker.forgive(&rules(), Ticks(after(600).0 - 1)), None);
    assert_eq!(breaker.forgive(&rules(), after(600)), Some(Forgiven::Closed));
    assert_eq!(breaker, Breaker { level: 2, quiet_from: Some(after(600)), ..Breaker::default() });
    assert_eq!(breaker.forgive(&rules(), after(1199)), None);
    assert_eq!(breaker.forgive(&rules(), after(2000)), Some(Forgiven::Level));
    assert_eq!((breaker.level, breaker.quiet_from), (1, Some(after(1200))));
    assert_eq!(breaker.forgive(&rules(), after(2000)), Some(Forgiven::Level));
    assert_eq!(breaker, Breaker::default());
    assert_eq!(breaker.forgive(&rules(), after(9000)), None);
}

#[test]
fn a_stable_period_makes_restarts_useful_before_it_takes_a_level() {
    for dirt in [
        Breaker { failures: 1, ..Breaker::default() },
        Breaker { useless: vec![before(800)], ..Breaker::default() },
    ] {
        let mut breaker = Breaker { level: 1, quiet_from: Some(before(600)), ..dirt };
        assert_eq!(breaker.forgive(&rules(), NOW), Some(Forgiven::Restarts));
        assert_eq!(breaker, Breaker { level: 1, quiet_from: Some(NOW), ..Breaker::default() });
    }
}

#[test]
fn nothing_is_forgiven_while_open_without_quiet_or_where_there_is_nothing() {
    let long = Some(before(9000));
    for mut breaker in [
        Breaker { quiet_from: long, ..open(after(1)) },
        Breaker { quiet_from: long, ..Breaker::default() },
        Breaker { level: 3, ..Breaker::default() },
    ] {
        let as_it_was = breaker.clone();
        assert_eq!(breaker.forgive(&rules(), NOW), None);
        assert_eq!(breaker, as_it_was);
    }
}

#[test]
fn restarts_are_forgotten_exactly_when_they_leave_the_window() {
    let mut breaker =
        Breaker { useless: vec![before(901), before(900), before(899), NOW], ..Breaker::default() };
    breaker.prune(&rules(), NOW);
    assert_eq!(breaker.useless, [before(899), NOW]);
    // The last of all has to be followed by a stable period, however long ago it was.
    let mut breaker = Breaker { useless: vec![before(2000), before(900)], ..Breaker::default() };
    breaker.prune(&rules(), NOW);
    assert_eq!(breaker.useless, [before(900)]);
    let mut clean = Breaker::default();
    clean.prune(&rules(), NOW);
    assert_eq!(clean, Breaker::default());
}

#[test]
fn a_restart_that_cannot_prove_itself_any_more_counts_neither_way() {
    let with = |state| Breaker { state, level: 1, useless: vec![before(9), NOW], ..Breaker::default() };
    for (state, left) in [
        (State::Closed, State::Closed),
        (State::Open { until: NOW }, State::Open { until: NOW }),
        (State::HalfOpen(Probe::Used), State::HalfOpen(Probe::Due)),
    ] {
        let mut breaker = with(state);
        breaker.unjudged();
        assert_eq!(breaker, Breaker { useless: vec![before(9)], ..with(left) });
    }
}

#[test]
fn after_a_reboot_only_the_level_and_the_need_for_a_trial_are_left() {
    let full = |state| Breaker { state, level: 3, failures: 2, useless: vec![NOW], quiet_from: Some(NOW) };
    let left = |state| Breaker { state, level: 3, ..Breaker::default() };
    assert_eq!(full(State::Closed).after_reboot(), left(State::Closed));
    for state in [State::Open { until: NOW }, State::HalfOpen(Probe::Due), State::HalfOpen(Probe::Used)] {
        assert_eq!(full(state).after_reboot(), left(State::HalfOpen(Probe::Due)));
    }
}

#[test]
fn the_word_says_half_open_from_the_end_of_the_open_time_on() {
    assert_eq!(Breaker::default().word(NOW), "closed");
    assert_eq!([before(1), NOW, after(1)].map(|now| open(NOW).word(now)), ["open", "half-open", "half-open"]);
    assert_eq!(half_open(Probe::Due).word(NOW), "half-open");
    assert_eq!(half_open(Probe::Used).word(NOW), "half-open");
}

/// What happens to a process next.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// It is in alarm, and a restart helps or not.
    Alarm {
        helps: bool,
    },
    Quiet,
}

fn history() -> impl Strategy<Value = Vec<(Event, u64)>> {
    let event = prop_oneof![any::<bool>().prop_map(|helps| Event::Alarm { helps }), Just(Event::Quiet),];
    prop::collection::vec((event, 0_u64..900_000), 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Within any window no more restarts than the threshold are made by a closed breaker, nothing is admitted before
    /// the open time is over and exactly one restart after it, a level is gained with each opening and lost with a
    /// stable period only, and a process that stays quiet is forgiven everything.
    #[test]
    fn whatever_happens_the_limits_hold(events in history(), threshold in 1_u32..6, jitter in 0_u8..30) {
        let rules = Rules { threshold, open_jitter: jitter, ..rules() };
        let (mut breaker, mut now) = (Breaker::default(), NOW);
        let (mut trial_made, mut opened_at, mut closed_restarts) = (false, None, Vec::<Ticks>::new());
        for (event, ms) in events {
            now = now.after(Duration::from_millis(ms));
            breaker.elapse(now);
            let level = breaker.level;
            while let Some(forgiven) = breaker.forgive(&rules, now) {
                if forgiven == Forgiven::Closed {
                    (trial_made, opened_at) = (false, None);
                }
                closed_restarts.clear();
            }
            prop_assert!(breaker.level <= level);
            breaker.prune(&rules, now);
            let Event::Alarm { helps } = event else {
                breaker.quiet(now);
                prop_assert_eq!(breaker.quiet_from.is_none(), breaker == Breaker::default());
                continue;
            };
            let level = breaker.level;
            let mut opened = breaker.alarmed(&rules, &web(), now);
            let admission = breaker.admits(&rules, now);
            prop_assert_ne!(admission, Admission::Spent, "an alarm that was taken in leaves nothing spent");
            if matches!(admission, Admission::Allowed | Admission::Probe) {
                if admission == Admission::Probe {
                    prop_assert!(!trial_made, "one trial");
                    let least = opened_at.map(|(at, level): (Ticks, u8)| {
                        at.after(open_time(rules.open_time, rules.open_max, level).mul_f64(0.69))
                    });
                    prop_assert!(least.is_some_and(|least| now >= least), "not before its time");
                    trial_made = true;
                } else {
                    closed_restarts.retain(|at| now.since(*at) < rules.window);
                    closed_restarts.push(now);
                    prop_assert!(closed_restarts.len() <= threshold as usize);
                }
                if helps { breaker.restarted(now) } else { opened = breaker.failed(&rules, &web(), now, now) }
            }
            if let Some(opened) = opened {
                prop_assert_eq!(opened.level, (level + 1).min(HIGHEST));
                prop_assert_eq!(breaker.state, State::Open { until: opened.until });
                prop_assert!(opened.until > now);
                (trial_made, opened_at) = (false, Some((now, opened.level)));
            }
        }
        breaker.quiet(now);
        breaker.elapse(now.after(secs(100_000)));
        let late = now.after(secs(200_000));
        while breaker.forgive(&rules, late).is_some() {}
        prop_assert_eq!(breaker, Breaker::default());
    }
}
