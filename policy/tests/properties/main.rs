//! Rules that hold over any sequence of events, asked of the policy as the daemon calls it: `advance`, `decide`, `begin`,
//! `settle`, `count`, and what operators do.
//!
//! What breaks a rule is made as short as it can be, and printed as a list of events with everything that pm answered to each.

mod event;
mod rig;
mod shadow;
mod watch;

use event::{Comes, Event, NAMES, history, setting};
use pm_policy::backoff::Backoff;
use pm_policy::mass::Stage;
use pm_policy::model::{Name, Verify};
use pm_policy::testing::secs;
use proptest::prelude::*;
use rig::Rig;
use std::time::Duration;

/// How long everything may take to be well again once every fault is gone: the longest open time of a process, and of its group
/// with a canary and its stable period, each moved by 15 %; pauses, and looks between.
const OPEN_PERIOD: Duration = secs((1_200 + 600) * 115 / 100 + 600 + 600);

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// No more restarts than the threshold in any window; none before an open time is over, which is as long as its level says;
    /// one restart of a half-open breaker; nothing while it is held, observed or in a window; one canary of a group; one job that
    /// asks a driver that is away; nothing restarted while a mass alarm is looked at; forgiveness for quiet alone; and nothing
    /// that comes of one attempt touches another.
    #[test]
    fn whatever_happens_the_rules_hold(setting in setting(), events in history(120)) {
        if let Err(broken) = Rig::new(setting).live(&events) {
            return Err(TestCaseError::fail(broken));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Once every fault is gone, no alarm stands for longer than one open period; nobody is asked but about what no check can tell in a mass alarm.
    #[test]
    fn whatever_has_happened_everything_heals_within_one_open_period(
        setting in setting(),
        events in history(80),
    ) {
        let mut rig = Rig::new(setting);
        if let Err(broken) = rig.live(&events).and_then(|()| heal(&mut rig)) {
            return Err(TestCaseError::fail(broken));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Pauses grow up to the longest one and never become shorter than the first.
    #[test]
    fn pauses_only_grow_and_stay_between_the_first_and_the_longest(
        base in 0_u64..1_000,
        factor in 0.0_f64..20.0,
        cap in 0_u64..5_000,
        attempts in proptest::collection::vec(prop_oneof![4 => 1_u32..40, 1 => any::<u32>()], 2..20),
    ) {
        let pauses = Backoff { base: secs(base), factor, cap: secs(cap) };
        let mut attempts = attempts;
        attempts.sort_unstable();
        let all: Vec<Duration> = attempts.iter().map(|attempt| pauses.after(*attempt)).collect();
        prop_assert!(all.is_sorted(), "{:?} for {:?}", all, attempts);
        for pause in all {
            prop_assert!(pause >= secs(base) && pause <= secs(cap.max(base)), "{:?}", pause);
            prop_assert!(base > 0 || pause.is_zero(), "{:?} though there is to be no pause", pause);
        }
    }
}

/// Everything is put right, and from now on every restart helps; until then whoever is in alarm is bad. An operator answers about a
/// mass alarm that is held only where no check can tell.
fn heal(rig: &mut Rig) -> Result<(), String> {
    rig.repaired();
    let end = rig.world.now.boot.after(OPEN_PERIOD);
    while rig.world.now.boot < end {
        for name in NAMES.map(Name::new) {
            let only_looks = rig.running.get(&name).is_some_and(|job| job.verify == Verify::Only);
            rig.ends(&name, if only_looks { Comes::Bad } else { Comes::Good })?;
        }
        if matches!(rig.world.state.mass.stage, Stage::Held { .. }) && rig.nothing_left_has_a_check() {
            rig.live(&[Event::Believe])?;
        }
        if rig.in_alarm().is_empty() {
            return Ok(());
        }
        rig.live(&[Event::Pass(5)])?;
    }
    let alarms = rig.in_alarm().join(", ");
    Err(rig.told(&format!("still in alarm {OPEN_PERIOD:?} after everything was put right: {alarms}")))
}
