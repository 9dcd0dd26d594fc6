//! Every boundary of a group's breaker, and what holds whatever happens to it.

use super::*;
use crate::bucket::Budget;
use crate::testing::{group_rules, secs};
use proptest::prelude::*;
use std::time::Duration;

const NOW: Ticks = Ticks(10_000_000);

fn name(text: &str) -> Name {
    Name::new(text)
}

fn after(seconds: u64) -> Ticks {
    NOW.after(secs(seconds))
}

fn before(seconds: u64) -> Ticks {
    Ticks(NOW.0 - seconds * 1000)
}

fn in_state(state: GroupState) -> Group {
    Group { state, level: 1, ..Group::default() }
}

fn open(until: Ticks) -> Group {
    in_state(GroupState::Open { until })
}

fn runs(canary: &str) -> Group {
    in_state(GroupState::CanaryRuns(name(canary)))
}

fn probation(canary: &str) -> Group {
    let state = GroupState::CanaryProbation { canary: name(canary), since: NOW };
    Group { proving_from: Some(NOW), ..in_state(state) }
}

fn releasing(batch: u32, begun: u32, good: u32) -> Group {
    in_state(GroupState::Releasing { batch, begun, good })
}

/// After `count` restarts.
fn spent(count: u32) -> Group {
    let mut group = Group::default();
    for _ in 0..count {
        group.begun(&group_rules(), &name("a"), NOW);
    }
    group
}

fn trouble(group: &mut Group, who: &str, now: Ticks) -> Option<GroupOpened> {
    group.trouble(&group_rules(), &name("g"), &name(who), now)
}

/// Everything is seen, the canary is quiet, and the members are or not.
fn look(members: Calm, now: Ticks) -> GroupLook {
    GroupLook { now, proven: now, canary: Calm::Yes, members }
}

/// Within 15 % of 300 s times two to the level.
fn is_about(until: Ticks, now: Ticks, level: u32) {
    let open = until.since(now).as_secs_f64() / f64::from(300 * 2_u32.pow(level - 1));
    assert!((0.849..=1.151).contains(&open), "{open}");
}

#[test]
fn each_state_gives_its_answer() {
    let ask = |group: &Group| group.admits(&group_rules(), NOW);
    assert_eq!(ask(&Group::default()), GroupAnswer::Allowed);
    assert_eq!(ask(&spent(4)), GroupAnswer::Allowed);
    assert_eq!(ask(&spent(5)), GroupAnswer::Open { until: None });
    assert_eq!(spent(5).admits(&group_rules(), after(60)), GroupAnswer::Allowed);
    assert_eq!(ask(&open(Ticks(NOW.0 + 1))), GroupAnswer::Open { until: Some(Ticks(NOW.0 + 1)) });
    assert_eq!(ask(&open(NOW)), GroupAnswer::Canary);
    assert_eq!(ask(&open(before(1))), GroupAnswer::Canary);
    assert_eq!(ask(&in_state(GroupState::CanaryDue)), GroupAnswer::Canary);
    assert_eq!(ask(&runs("a")), GroupAnswer::Waiting { canary: name("a") });
    assert_eq!(ask(&probation("a")), GroupAnswer::Waiting { canary: name("a") });
    assert_eq!(ask(&releasing(2, 1, 0)), GroupAnswer::Allowed);
    assert_eq!(ask(&releasing(2, 2, 0)), GroupAnswer::Releasing { batch: 2 });
    assert_eq!(ask(&releasing(2, 3, 0)), GroupAnswer::Releasing { batch: 2 });
    // The budget is for a closed group; who is let go is counted by batches.
    let mut group = Group { bucket: spent(5).bucket, ..releasing(2, 1, 0) };
    assert_eq!(ask(&group), GroupAnswer::Allowed);
    group.state = GroupState::CanaryDue;
    assert_eq!(ask(&group), GroupAnswer::Canary);
}

#[test]
fn the_first_restart_of_a_half_open_group_is_its_canary_and_each_one_of_a_batch_is_counted() {
    let begun = |mut group: Group| {
        group.begun(&group_rules(), &name("a"), NOW);
        assert_eq!(group.bucket.full_at, after(60), "each takes of the budget");
        group.state
    };
    assert_eq!(begun(Group::default()), GroupState::Closed);
    assert_eq!(begun(in_state(GroupState::CanaryDue)), runs("a").state);
    assert_eq!(begun(open(NOW)), runs("a").state);
    assert_eq!(begun(open(before(1))), runs("a").state);
    // By force, before its time: that is no canary.
    assert_eq!(begun(open(after(1))), open(after(1)).state);
    assert_eq!(begun(runs("b")), runs("b").state);
    assert_eq!(begun(probation("b")), probation("b").state);
    assert_eq!(begun(releasing(4, 2, 1)), releasing(4, 3, 1).state);
}

#[test]
fn a_canary_that_helped_goes_on_probation_and_a_full_batch_is_followed_by_one_of_twice_its_size() {
    let good = |mut group: Group, who: &str| {
        let change = group.good(&group_rules(), &name(who), NOW);
        (group.state, change)
    };
    assert_eq!(good(runs("a"), "a"), (probation("a").state, None));
    assert_eq!(good(runs("a"), "b"), (runs("a").state, None));
    assert_eq!(good(Group::default(), "a"), (GroupState::Closed, None));
    assert_eq!(good(releasing(1, 1, 0), "b"), (releasing(2, 0, 0).state, None));
    assert_eq!(good(releasing(2, 2, 0), "b"), (releasing(2, 2, 1).state, None));
    assert_eq!(good(releasing(2, 2, 1), "c"), (releasing(4, 0, 0).state, None));
    assert_eq!(good(releasing(4, 4, 3), "d"), (GroupState::Closed, Some(GroupChange::Closed)));
    let mut pair = releasing(1, 1, 0);
    let rules = GroupRules { members: 2, ..group_rules() };
    pair.bucket = spent(5).bucket;
    pair.troubled.insert(name("a"), NOW);
    assert_eq!(pair.good(&rules, &name("b"), NOW), Some(GroupChange::Closed));
    // It begins anew, but remembers how often it was open.
    assert_eq!(pair, Group { level: 1, ..Group::default() });
    // Nobody can count members that only the default speaks for.
    let mut unknown = releasing(u32::MAX / 2 + 1, 9, u32::MAX / 2);
    let rules = GroupRules { members: u32::MAX, ..group_rules() };
    assert_eq!(unknown.good(&rules, &name("b"), NOW), Some(GroupChange::Closed));
    let mut empty = releasing(1, 1, 0);
    let rules = GroupRules { members: 0, ..group_rules() };
    assert_eq!(empty.good(&rules, &name("b"), NOW), Some(GroupChange::Closed));
}

#[test]
fn a_job_that_says_nothing_gives_back_its_place_and_its_part_of_the_budget() {
    let void = |mut group: Group, who: &str| {
        group.bucket = spent(2).bucket;
        group.void(&group_rules(), &name(who));
        assert_eq!(group.bucket, spent(1).bucket);
        group.state
    };
    assert_eq!(void(runs("a"), "a"), GroupState::CanaryDue);
    assert_eq!(void(runs("a"), "b"), runs("a").state);
    assert_eq!(void(releasing(4, 2, 1), "b"), releasing(4, 1, 1).state);
    assert_eq!(void(releasing(4, 0, 0), "b"), releasing(4, 0, 0).state);
    assert_eq!(void(Group::default(), "a"), GroupState::Closed);
}

#[test]
fn trouble_of_several_members_within_the_window_opens_it_and_of_one_never() {
    let mut group = Group { quiet_from: Some(NOW), ..Group::default() };
    for second in 0..10 {
        assert_eq!(trouble(&mut group, "a", after(second)), None);
    }
    assert_eq!((group.quiet_from, group.troubled.len()), (None, 1));
    assert_eq!(trouble(&mut group, "b", after(10)), None);
    // Trouble of a has left the window when c comes.
    let mut late = group.clone();
    assert_eq!(trouble(&mut late, "c", after(909)), None);
    let opened = trouble(&mut group, "c", Ticks(after(909).0 - 1)).unwrap();
    assert_eq!(opened.cause, GroupCause::Correlation);
    assert_eq!(opened.troubled, [name("a"), name("b"), name("c")]);
    assert_eq!((group.level, &group.state), (1, &GroupState::Open { until: opened.until }));
    is_about(opened.until, Ticks(after(909).0 - 1), 1);
}

#[test]
fn a_share_of_the_members_counts_from_two_on_and_either_limit_can_be_switched_off() {
    let opens = |correlation, share, members, troubled: &[&str]| {
        let rules = GroupRules { correlation, share, members, ..group_rules() };
        let mut group = Group::default();
        troubled.iter().any(|who| group.trouble(&rules, &name("g"), &name(who), NOW).is_some())
    };
    assert!(!opens(0, 0, 2, &["a", "b"]));
    assert!(!opens(0, 50, 2, &["a"]), "one is never a correlation by share");
    assert!(!opens(0, 50, 1, &["a"]));
    assert!(opens(0, 50, 4, &["a", "b"]));
    assert!(!opens(0, 50, 5, &["a", "b"]));
    assert!(opens(0, 50, 5, &["a", "b", "c"]));
    assert!(opens(0, 100, 3, &["a", "b", "c"]));
    assert!(!opens(0, 67, 3, &["a", "b"]));
    assert!(opens(0, 66, 3, &["a", "b"]));
    assert!(!opens(0, 1, 201, &["a", "b"]));
    assert!(opens(0, 1, 200, &["a", "b"]));
    assert!(!opens(3, 0, 100, &["a", "b"]));
    assert!(opens(3, 0, 100, &["a", "b", "c"]));
    assert!(opens(1, 0, 100, &["a"]));
    assert!(!opens(4, 90, 100, &["a", "b", "c"]));
}

#[test]
fn trouble_of_the_canary_or_of_one_that_was_let_go_opens_it_for_longer() {
    for mut group in [runs("a"), probation("a"), releasing(2, 1, 0)] {
        group.troubled.insert(name("b"), NOW);
        let opened = trouble(&mut group, "a", NOW).unwrap();
        assert_eq!((opened.cause, group.level), (GroupCause::Trial, 2));
        assert_eq!(opened.troubled, [name("a")], "whose trial it was");
        is_about(opened.until, NOW, 2);
    }
    // Others say nothing about the canary, and an open group is open already.
    for group in [runs("a"), probation("a"), open(after(9)), in_state(GroupState::CanaryDue)] {
        let mut asked = group.clone();
        assert_eq!(trouble(&mut asked, "b", NOW), None);
        assert_eq!((asked.state, asked.level, asked.troubled.len()), (group.state, 1, 1));
    }
    // Whoever was tried in vain is remembered until it closes; what opened a closed group was no trial.
    let mut tried = probation("a");
    let _ = trouble(&mut tried, "a", NOW);
    assert_eq!(tried.tried, [(name("a"), NOW)].into());
    tried.state = releasing(4, 4, 3).state;
    assert_eq!(tried.good(&group_rules(), &name("b"), NOW), Some(GroupChange::Closed));
    for who in ["a", "b", "c"] {
        let _ = trouble(&mut tried, who, NOW);
    }
    assert_eq!((tried.word(), tried.tried.len()), ("open", 0));
    let mut deep = Group { level: 20, ..releasing(1, 1, 0) };
    let opened = trouble(&mut deep, "a", NOW).unwrap();
    assert_eq!(deep.level, 20);
    assert!(opened.until.since(NOW) <= secs(3600).mul_f64(1.15));
}

#[test]
fn another_restart_of_a_member_is_trouble_only_for_a_closed_group() {
    let rules = GroupRules { correlation: 1, ..group_rules() };
    let unrest = |mut group: Group| {
        let opened = group.unrest(&rules, &name("g"), &name("a"), NOW);
        (opened.map(|opened| opened.cause), group.troubled.len())
    };
    assert_eq!(unrest(Group::default()), (Some(GroupCause::Correlation), 1));
    assert_eq!(unrest(releasing(2, 1, 0)), (None, 0));
    assert_eq!(unrest(runs("a")), (None, 0));
}

#[test]
fn an_alarm_is_trouble_only_of_a_canary_on_probation() {
    let alarmed = |mut group: Group, who: &str| {
        let opened = group.alarmed(&group_rules(), &name("g"), &name(who), NOW);
        opened.map(|opened| opened.cause)
    };
    assert_eq!(alarmed(probation("a"), "a"), Some(GroupCause::Trial));
    for (group, who) in
        [(probation("a"), "b"), (runs("a"), "a"), (releasing(2, 1, 0), "a"), (Group::default(), "a")]
    {
        assert_eq!(alarmed(group, who), None);
    }
}

#[test]
fn a_spent_budget_opens_a_closed_group_only() {
    let overdrawn = |mut group: Group| group.overdrawn(&group_rules(), &name("g"), NOW).map(|its| its.cause);
    assert_eq!(overdrawn(spent(4)), None);
    assert_eq!(overdrawn(spent(5)), Some(GroupCause::Budget));
    assert_eq!(overdrawn(Group { bucket: spent(5).bucket, ..releasing(2, 0, 0) }), None);
    let unlimited = GroupRules { budget: Budget::NONE, ..group_rules() };
    assert_eq!(spent(9).overdrawn(&unlimited, &name("g"), NOW), None);
}

#[test]
fn time_opens_the_door_for_the_canary_and_then_for_the_others() {
    let elapse = |group: &mut Group, now| group.elapse(&group_rules(), look(Calm::No, now));
    let mut group = Group { quiet_from: Some(before(9000)), ..open(NOW) };
    assert_eq!(elapse(&mut group, Ticks(NOW.0 - 1)), None);
    group.quiet_from = Some(before(9000));
    assert_eq!(elapse(&mut group, NOW), Some(GroupChange::HalfOpen));
    assert_eq!(group, in_state(GroupState::CanaryDue));
    assert_eq!(elapse(&mut group, NOW), None);
    let mut group = probation("a");
    assert_eq!(elapse(&mut group, Ticks(after(600).0 - 1)), None);
    assert_eq!(group.state, probation("a").state);
    assert_eq!(elapse(&mut group, after(600)), Some(GroupChange::Releasing));
    assert_eq!(group.state, releasing(1, 0, 0).state);
    assert_eq!(group.proving_from, None);
    assert_eq!(elapse(&mut runs("a"), after(9000)), None);
}

#[test]
fn a_canary_proves_itself_only_while_it_is_seen_to_be_quiet() {
    let ask = |group: &mut Group, canary, proven, now| {
        group.elapse(&group_rules(), GroupLook { now, proven, canary, members: Calm::No })
    };
    let mut group = probation("a");
    // What is known of it is older than the time that has passed.
    assert_eq!(ask(&mut group, Calm::Yes, after(599), after(900)), None);
    assert_eq!(group.proving_from, Some(NOW));
    // Disturbed, it begins anew with the first look that finds it quiet.
    assert_eq!(ask(&mut group, Calm::No, after(901), after(901)), None);
    assert_eq!(group.proving_from, None);
    assert_eq!(ask(&mut group, Calm::Yes, after(1000), after(1000)), None);
    assert_eq!(group.proving_from, Some(after(1000)));
    assert_eq!(ask(&mut group, Calm::Yes, Ticks(after(1600).0 - 1), after(1600)), None);
    assert_eq!(ask(&mut group, Calm::Yes, after(1600), after(1600)), Some(GroupChange::Releasing));
    // Of a canary that still runs, or of a group that is open, nothing is proven.
    for state in [GroupState::CanaryRuns(name("a")), GroupState::Open { until: after(9999) }] {
        let mut group = Group { proving_from: Some(NOW), ..in_state(state) };
        assert_eq!(ask(&mut group, Calm::Yes, after(700), after(700)), None);
        assert_eq!((group.proving_from, group.on_probation()), (None, None));
    }
    assert_eq!(probation("a").on_probation(), Some(&name("a")));
}

#[test]
fn a_calm_group_closes_after_a_stable_period_and_loses_a_level_with_each_further_one() {
    for state in [GroupState::CanaryDue, releasing(2, 1, 0).state] {
        let mut group = Group { level: 2, bucket: spent(3).bucket, ..in_state(state) };
        let elapse = |group: &mut Group, calm, now| group.elapse(&group_rules(), look(calm, now));
        assert_eq!(elapse(&mut group, Calm::Yes, NOW), None);
        assert_eq!(group.quiet_from, Some(NOW));
        assert_eq!(elapse(&mut group, Calm::No, after(599)), None);
        assert_eq!(group.quiet_from, None);
        assert_eq!(elapse(&mut group, Calm::No, after(9999)), None);
        assert_eq!(elapse(&mut group, Calm::Yes, after(10_000)), None);
        assert_eq!(elapse(&mut group, Calm::Yes, Ticks(after(10_600).0 - 1)), None);
        assert_eq!(elapse(&mut group, Calm::Yes, after(10_600)), Some(GroupChange::Closed));
        assert_eq!((&group.state, group.bucket), (&GroupState::Closed, Bucket::default()));
        assert_eq!(group.quiet_from, Some(after(10_600)));
        assert_eq!(elapse(&mut group, Calm::Yes, after(11_199)), None);
        assert_eq!(elapse(&mut group, Calm::Yes, after(11_900)), Some(GroupChange::Level));
        assert_eq!((group.level, group.quiet_from), (1, Some(after(11_200))));
        assert_eq!(elapse(&mut group, Calm::Yes, after(11_900)), Some(GroupChange::Level));
        assert_eq!(elapse(&mut group, Calm::Yes, after(99_000)), None);
        assert_eq!((group.level, group.state), (0, GroupState::Closed));
    }
    let mut running = runs("a");
    running.elapse(&group_rules(), look(Calm::Yes, NOW));
    assert_eq!(running.elapse(&group_rules(), look(Calm::Yes, after(9999))), None);
}

#[test]
fn trouble_is_forgotten_exactly_when_it_leaves_the_window() {
    let troubled = [("a", 901), ("b", 900), ("c", 899)].map(|(who, ago)| (name(who), before(ago)));
    let mut group = Group { troubled: troubled.into(), ..Group::default() };
    group.elapse(&group_rules(), look(Calm::No, NOW));
    assert_eq!(group.troubled.keys().collect::<Vec<_>>(), [&name("c")]);
}

#[test]
fn after_a_reboot_only_the_level_and_the_need_for_a_canary_are_left() {
    let full =
        |group: Group| Group { bucket: spent(2).bucket, quiet_from: Some(NOW), ..group }.after_reboot();
    for group in [open(NOW), in_state(GroupState::CanaryDue), runs("a"), probation("a"), releasing(2, 1, 0)] {
        assert_eq!(full(group), in_state(GroupState::CanaryDue));
    }
    assert_eq!(full(in_state(GroupState::Closed)), in_state(GroupState::Closed));
}

#[test]
fn each_state_has_its_word() {
    let words = [
        Group::default(),
        open(NOW),
        in_state(GroupState::CanaryDue),
        runs("a"),
        probation("a"),
        releasing(1, 0, 0),
    ];
    assert_eq!(
        words.map(|group| group.word()),
        ["closed", "open", "half-open", "half-open", "half-open", "releasing"]
    );
}

/// What a member does next: ask for a restart that helps or not, or nothing.
fn history() -> impl Strategy<Value = Vec<(u8, Option<bool>, u64)>> {
    prop::collection::vec((0_u8..6, any::<Option<bool>>(), 0_u64..400_000), 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A closed group never begins more than its budget at once, an open one nothing before its time, then one canary,
    /// and a batch never more than its size; and one that is left in peace is forgiven everything.
    #[test]
    fn whatever_happens_the_limits_hold(events in history()) {
        let (rules, g) = (group_rules(), name("g"));
        let (mut group, mut now, mut batch) = (Group::default(), NOW, (0, 0));
        for (number, helps, ms) in events {
            now = now.after(Duration::from_millis(ms));
            while group.elapse(&rules, look(Calm::No, now)).is_some() {}
            let who = name(&format!("n{number}"));
            let Some(helps) = helps else { continue };
            group.alarmed(&rules, &g, &who, now);
            group.overdrawn(&rules, &g, now);
            let answer = group.admits(&rules, now);
            match (&group.state, &answer) {
                (GroupState::Closed, answer) => {
                    prop_assert_eq!(answer, &GroupAnswer::Allowed, "a spent budget has opened it");
                    prop_assert!(group.bucket.left(rules.budget, now) > Some(0));
                }
                (GroupState::Open { until }, GroupAnswer::Open { until: told }) => {
                    prop_assert!(now < *until && *told == Some(*until));
                }
                (GroupState::CanaryDue, GroupAnswer::Canary) => {}
                (GroupState::CanaryProbation { canary, .. }, GroupAnswer::Waiting { canary: told }) => {
                    prop_assert_eq!(canary, told);
                }
                (GroupState::Releasing { batch: size, .. }, GroupAnswer::Allowed | GroupAnswer::Releasing { .. }) => {
                    if batch.0 != *size {
                        batch = (*size, 0);
                    }
                }
                (state, answer) => prop_assert!(false, "{state:?} answers {answer:?}"),
            }
            if !matches!(answer, GroupAnswer::Allowed | GroupAnswer::Canary) {
                continue;
            }
            if matches!(group.state, GroupState::Releasing { .. }) {
                batch.1 += 1;
                prop_assert!(batch.1 <= batch.0, "no more than the batch");
            } else {
                batch = (0, 0);
            }
            group.begun(&rules, &who, now);
            if helps { group.good(&rules, &who, now); } else { group.trouble(&rules, &g, &who, now); }
            prop_assert!(group.level <= HIGHEST);
            prop_assert!(!matches!(group.state, GroupState::CanaryRuns(_)), "the canary has ended");
        }
        for _ in 0..100 {
            now = now.after(secs(5000));
            while group.elapse(&rules, look(Calm::Yes, now)).is_some() {}
        }
        prop_assert_eq!((&group.state, group.level, group.troubled.len()), (&GroupState::Closed, 0, 0));
    }
}
