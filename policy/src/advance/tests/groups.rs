//! What time, alarms and operators do to groups.

use super::*;
use crate::model::{Job, Verify};
use crate::testing::job;

#[test]
fn a_group_passes_its_steps_with_time_and_each_is_told_but_a_level() {
    let mut world = World::new(&["web"]);
    world.relate("web:front");
    let (now, g) = (world.now.boot, name("front"));
    world.group("front").state = GroupState::Open { until: now };
    assert_eq!(world.advance(), [Notice::GroupHalfOpen { group: g.clone() }]);
    assert!(world.state.take_dirty().host);
    world.group("front").state = GroupState::CanaryProbation { canary: name("x"), since: now };
    let _ = (world.advance(), world.pass(600));
    assert_eq!(world.advance(), [Notice::GroupReleasing { group: g.clone() }]);
    world.pass(9000);
    assert_eq!(world.advance(), [], "a member is in alarm");
    world.alarm(&[]);
    world.standing("web").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
    let _ = (world.advance(), world.pass(9000));
    assert_eq!(world.advance(), [], "a member is being restarted");
    world.standing("web").in_flight = None;
    world.sight = Sight::Blind;
    let _ = (world.advance(), world.pass(9000));
    assert_eq!(world.advance(), [], "nobody saw");
    world.sight = Sight::Clear;
    world.group("front").level = 2;
    let _ = (world.advance(), world.pass(1200));
    assert_eq!(world.advance(), [Notice::GroupClosed { group: g.clone() }]);
    assert_eq!(world.group("front").level, 1);
    let _ = world.state.take_dirty();
    world.pass(600);
    assert_eq!((world.advance(), world.state.groups.len()), (vec![], 0));
    assert!(world.state.take_dirty().host);
    assert_eq!((world.advance(), world.state.dirty.host), (vec![], false));
}

#[test]
fn a_canary_that_cannot_be_seen_or_is_left_alone_proves_nothing() {
    type Disturb = fn(&mut World);
    let disturbances: [Disturb; 5] = [
        |world| world.sight = Sight::Blind,
        |world| world.order(Order::Hold, Scope::Process(name("web"))),
        |world| world.maintain("w", Scope::Process(name("web"))),
        |world| world.alarms[0].acknowledged = true,
        |world| {
            world.standing("web").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
        },
    ];
    for (case, disturb) in disturbances.into_iter().enumerate() {
        let mut world = World::new(&[]);
        world.relate("web:front db:front");
        let canary = GroupState::CanaryProbation { canary: name("web"), since: NOON.boot };
        world.group("front").state = canary.clone();
        let _ = (world.advance(), world.pass(300), world.state.take_dirty());
        world.alarm(&["web"]);
        disturb(&mut world);
        let told = world.advance();
        assert!(!told.iter().any(|notice| matches!(notice, Notice::GroupOpened { .. })), "case {case}");
        assert_eq!(world.group("front").proving_from, None, "case {case}");
        assert!(world.state.take_dirty().host, "a pm that is killed must not take it for proven");
        let _ = (world.pass(301), world.advance());
        assert!(!world.state.dirty.host, "case {case}");
        assert_eq!(world.group("front").state, canary, "case {case}");
        // Seen and left in peace, it has a whole stable period before it.
        (world.sight, world.windows, world.overrides) = (Sight::Clear, Vec::new(), Vec::new());
        world.standing("web").in_flight = None;
        world.alarm(&[]);
        let _ = (world.advance(), world.pass(599));
        assert_eq!(world.advance(), [], "case {case}");
        world.polled = Some(world.now.boot);
        world.pass(60);
        assert_eq!(world.advance(), [], "the last poll was too early");
        world.polled = None;
        assert_eq!(world.advance()[0], Notice::GroupReleasing { group: name("front") }, "case {case}");
    }
}

#[test]
fn a_group_that_only_a_table_speaks_of_is_not_forgotten_while_the_database_is_away() {
    let mut world = World::new(&[]);
    world.group("front").state = GroupState::Open { until: world.hence(300) };
    world.sight = Sight::Blind;
    assert_eq!((world.advance(), world.state.groups.len()), (vec![], 1));
    world.sight = Sight::Clear;
    assert_eq!((world.advance(), world.state.groups.len()), (vec![], 0));
}

#[test]
fn a_member_whose_breaker_opens_is_in_trouble_and_one_that_is_in_alarm_is_not() {
    for (restarts, troubled) in [(3, 1), (2, 0)] {
        let mut world = World::new(&["web"]);
        world.relate("web:front");
        world.standing("web").breaker = useless(restarts);
        let _ = world.advance();
        assert_eq!(world.group("front").troubled.len(), troubled);
    }
    let mut world = World::new(&["web"]);
    world.relate("web:front");
    world.group("front").state = GroupState::CanaryProbation { canary: name("web"), since: NOON.boot };
    assert!(matches!(world.advance()[..], [Notice::GroupOpened { .. }]));
}

#[test]
fn what_was_set_aside_for_a_look_does_not_open_a_group() {
    for (verify, opens) in [(Verify::AfterOnly, true), (Verify::First, false), (Verify::Patiently, false)] {
        let mut world = World::new(&["a", "b", "c", "d", "e", "f"]);
        world.relate("a:front b:front c:front d:front e:front f:front x:other");
        for who in ["a", "b", "c", "d", "e"] {
            world.begin(&Job { name: name(who), verify: Verify::AfterOnly, ..job(who) });
            world.standing(who).in_flight = None;
        }
        let since = world.now.boot;
        world.standing("a").in_flight = Some(InFlight { since, verify });
        // A look in another group sets nothing aside here.
        world.standing("x").in_flight = Some(InFlight { since, verify: Verify::First });
        assert_eq!(!world.advance().is_empty(), opens, "{verify:?}");
        assert_eq!(world.decide().start.len(), 0, "{verify:?}");
    }
}
