//! Every reason: its word, when it ends, and its sentence.

use super::*;
use crate::testing::{NOON, secs};

fn name(text: &str) -> Name {
    Name::new(text)
}

/// A reason, its word, the seconds after which it ends by itself, and its sentence.
type Told = (Hold, &'static str, Option<u64>, &'static str);

fn at(seconds: u64) -> Ticks {
    NOON.boot.after(secs(seconds))
}

fn wall(seconds: u64) -> Wall {
    NOON.after(secs(seconds)).wall
}

fn anna() -> (String, String) {
    ("anna".to_owned(), "disks".to_owned())
}

/// Reasons that lie in the alarm or with an operator.
fn about_the_alarm() -> Vec<Told> {
    let (by, why) = anna();
    let early = Ticks(NOON.boot.0 - 7_000);
    vec![
        (Hold::Unnamed, "unnamed", None, "the row has no process name; give it one in PROCESE"),
        (
            Hold::NotConfigured,
            "not-configured",
            None,
            "no [process.NAME] section for it and no [process.default]; add one to handle it",
        ),
        (
            Hold::Unusable("no strategy".to_owned()),
            "unusable",
            None,
            "its configuration cannot be used: no strategy",
        ),
        (
            Hold::Acknowledged,
            "acknowledged",
            None,
            "an operator has ticked it (sound = 1), so it is left alone",
        ),
        (Hold::InFlight { since: early }, "in-flight", None, "a restart is under way, for 7 s"),
        (
            Hold::Overridden { by: by.clone(), why: why.clone(), until: Some(wall(60)) },
            "held",
            Some(60),
            "held by anna (disks), for another 60 s",
        ),
        (
            Hold::Overridden { by: "a\nb".to_owned(), why: String::new(), until: None },
            "held",
            None,
            "held by a\\u{a}b, until it is released",
        ),
        (
            Hold::Maintenance { id: name("night"), reason: "x\u{7}".to_owned(), until: wall(90) },
            "maintenance",
            Some(90),
            "maintenance window night (x\\u{7}), for another 90 s",
        ),
        (
            Hold::MassAlarm { healthy: None, recheck: Some(at(5)) },
            "mass-alarm",
            Some(5),
            "so many are in alarm at once that each is looked at before anything is restarted",
        ),
        (
            Hold::MassAlarm { healthy: Some((9, 8)), recheck: None },
            "mass-alarm",
            None,
            "mass alarm, and 8 of the 9 looked at are healthy; this one has no check that could tell: clear its alarm \
             if it is wrong (pm alarm clear), or make pm believe them all: pm release --mass-alarm",
        ),
        (
            Hold::MassAlarm { healthy: Some((9, 8)), recheck: Some(at(5)) },
            "mass-alarm",
            Some(5),
            "mass alarm, and 8 of the 9 looked at are healthy: clear the alarms that are wrong (pm alarm clear), or \
             make pm believe them: pm release --mass-alarm",
        ),
        (
            Hold::Waiting { cause: name("db"), trouble: Trouble::Due },
            "waiting",
            None,
            "waits for db, which is about to be restarted",
        ),
    ]
}

/// Reasons that lie in earlier tries.
fn about_itself() -> Vec<Told> {
    vec![
        (
            Hold::Handled { recheck: at(3) },
            "handled",
            Some(3),
            "it was handled and its row is not cleared yet; it is looked at again in 3 s",
        ),
        (
            Hold::DriverPause { until: at(2) },
            "driver-pause",
            Some(2),
            "its last restart could not be carried out, through no fault of its own (see the log); tried again in 2 s",
        ),
        (
            Hold::DriverOpen { driver: name("service"), until: Some(at(4)) },
            "driver-open",
            Some(4),
            "what the strategy service depends on fails again and again; tried again in 4 s",
        ),
        (
            Hold::DriverOpen { driver: name("service"), until: None },
            "driver-open",
            None,
            "what the strategy service depends on kept failing; one restart finds out now",
        ),
        (
            Hold::BreakerOpen { count: 1, until: at(600) },
            "breaker-open",
            Some(600),
            "the breaker is open after 1 restart that did not help; one trial in 10 min",
        ),
        (
            Hold::Backoff { count: 2, until: at(20) },
            "backoff",
            Some(20),
            "2 restarts did not help; the next one in 20 s",
        ),
        (
            Hold::Backoff { count: 0, until: at(20) },
            "backoff",
            Some(20),
            "the last restart has not lasted for stable_time yet; the next one in 20 s",
        ),
    ]
}

/// Reasons that lie in its group.
fn about_its_group() -> Vec<Told> {
    vec![
        (
            Hold::GroupOpen { group: name("front"), until: Some(at(8)) },
            "group-open",
            Some(8),
            "the breaker of the group front is open; one trial of one member in 8 s",
        ),
        (
            Hold::GroupOpen { group: name("front"), until: None },
            "group-open",
            None,
            "the group front has used up its budget of restarts",
        ),
        (
            Hold::GroupCanary { group: name("front"), canary: name("web") },
            "group-canary",
            None,
            "the group front is tried with one member first: web",
        ),
        (
            Hold::GroupReleasing { group: name("front"), batch: 4 },
            "group-releasing",
            None,
            "the group front is let go by 1, 2, 4, ...; its turn comes when the 4 that go first succeeded",
        ),
        (
            Hold::GroupReleasing { group: name("front"), batch: 1 },
            "group-releasing",
            None,
            "the group front is let go by 1, 2, 4, ...; its turn comes when the 1 that goes first succeeded",
        ),
    ]
}

/// Reasons that lie in limits.
fn about_limits() -> Vec<Told> {
    let (by, why) = anna();
    vec![
        (
            Hold::Storm { limit: 10, until: at(6) },
            "storm-limit",
            Some(6),
            "this host has begun as many restarts as it may (storm_limit = 10); the next one in 6 s",
        ),
        (
            Hold::Observed { verify: Verify::AfterOnly, by: by.clone(), why: why.clone() },
            "observed",
            None,
            "it would be restarted now; only observed, by order of anna (disks)",
        ),
        (
            Hold::Observed { verify: Verify::First, by: by.clone(), why: String::new() },
            "observed",
            None,
            "it would be looked at now, and restarted if it is not healthy; only observed, by order of anna",
        ),
        (
            Hold::Observed { verify: Verify::Only, by, why },
            "observed",
            None,
            "it would be looked at now; only observed, by order of anna (disks)",
        ),
        (
            Hold::Capacity { limit: 4 },
            "capacity",
            None,
            "as many restarts are running as max_parallel_restarts allows (4)",
        ),
        (Hold::Stopping, "stopping", None, "pm is shutting down"),
    ]
}

#[test]
fn every_reason_has_its_word_its_end_and_its_sentence() {
    for (hold, word, ends, sentence) in
        [about_the_alarm(), about_itself(), about_its_group(), about_limits()].concat()
    {
        assert_eq!(hold.word(), word);
        assert_eq!(hold.ends(NOON), ends.map(|seconds| NOON.boot.after(secs(seconds))), "{word}");
        assert_eq!(hold.sentence(NOON), sentence);
    }
}

#[test]
fn what_is_over_by_the_wall_clock_ends_now() {
    let hold = Hold::Overridden { by: String::new(), why: String::new(), until: Some(Wall(5)) };
    assert_eq!(hold.ends(NOON), Some(NOON.boot));
    assert_eq!(hold.sentence(NOON), "held by , for another 0 s");
}

#[test]
fn every_trouble_has_its_phrase_and_one_is_no_plural() {
    let all = [
        (Trouble::InAlarm, "in-alarm", true, "is in alarm and comes first"),
        (Trouble::InWindow, "in-window", false, "is in alarm in a maintenance window"),
        (
            Trouble::Ticked,
            "ticked",
            false,
            "is in alarm and ticked (sound = 1), so pm leaves it alone: repair it, or untick it (pm alarm raise db)",
        ),
        (
            Trouble::Observed,
            "observed",
            false,
            "is in alarm and only observed, so pm does not restart it: repair it, or end that order (pm why db)",
        ),
        (
            Trouble::Unusable,
            "unusable",
            false,
            "is in alarm and cannot be restarted by pm: repair it, or its section (pm why db)",
        ),
        (Trouble::Restarting, "restarting", true, "is being restarted"),
        (
            Trouble::BreakerOpen { until: at(272) },
            "breaker-open",
            false,
            "has an open breaker: one trial of it in 272 s, or at once: pm reset db",
        ),
        (Trouble::Held, "held", false, "is held by an operator (who, and until when: pm why db)"),
        (Trouble::Due, "due", true, "is about to be restarted"),
    ];
    for (trouble, word, in_hand, phrase) in all {
        let hold = Hold::Waiting { cause: name("db"), trouble };
        assert_eq!(hold.sentence(NOON), format!("waits for db, which {phrase}"));
        assert_eq!((trouble.word(), trouble.is_in_hand()), (word, in_hand));
    }
    assert_eq!([0, 1, 2].map(|count| counted(count, "day")), ["0 days", "1 day", "2 days"]);
}

#[test]
fn durations_are_rounded_up_to_what_people_say() {
    let lasting = |millis| crate::sentence::lasting(std::time::Duration::from_millis(millis));
    for (millis, text) in [
        (0, "0 s"),
        (1, "1 s"),
        (1_000, "1 s"),
        (1_001, "2 s"),
        (300_000, "300 s"),
        (300_001, "6 min"),
        (360_000, "6 min"),
        (360_001, "7 min"),
        (119 * 60_000, "119 min"),
        (120 * 60_000, "2 h"),
        (120 * 60_000 + 1, "2 h 1 min"),
        (200 * 60_000, "3 h 20 min"),
        (240 * 60_000, "4 h"),
    ] {
        assert_eq!(lasting(millis), text);
    }
}
