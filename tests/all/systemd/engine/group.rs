//! One common cause brings down a whole group: the group waits as one, tries one member, and lets the others go in
//! batches when the cause is gone.

use super::{NEEDS_STORAGE, RUNS, Shop, at};
use serde_json::Value;

const UNITS: [(&str, &str); 4] = [
    ("alpha", NEEDS_STORAGE),
    ("bravo", NEEDS_STORAGE),
    ("charlie", NEEDS_STORAGE),
    ("delta", NEEDS_STORAGE),
];

/// Four units that are down because their storage is, and whose alarms have been raised.
fn down(keys: &str) -> Option<Shop> {
    let members = "INSERT INTO pm_group VALUES ('alpha', 'shop'), ('bravo', 'shop'), ('charlie', 'shop'), ('delta', 'shop')";
    let sections = format!(
        "max_attempts = 1\nhealth_check_timeout = 0.5\nmax_restart_failures = 10\nbackoff = 3\nbackoff_factor = 1\n\
         [process.charlie]\ncriticality = critical\n[group.shop]\n{keys}"
    );
    let shop = Shop::new(&UNITS, members, "stable_time = 1\nmax_parallel_restarts = 1", &sections)?;
    let names = UNITS.map(|(name, _)| name);
    shop.write("storage", "", 0o644);
    shop.systemctl("start", &names);
    std::fs::remove_file(shop.dir().join("storage")).unwrap();
    names.iter().for_each(|name| shop.until_state(name, "failed"));
    shop.alarm(&names);
    Some(shop)
}

fn group(shop: &Shop) -> Value {
    let status: Value = serde_json::from_str(&shop.ok(&["status", "--format", "json"])).unwrap();
    status["groups"][0].clone()
}

#[test]
fn a_group_with_one_trouble_is_opened_tried_with_one_member_and_let_go_in_batches() {
    let keys = "correlation = 3\ncorrelation_share = 100\nbudget = 20\ncircuit_reset_time = 4\n\
                circuit_reset_max = 4\nstable_time = 2\n";
    let Some(mut shop) = down(keys) else { return };
    shop.start();
    // The most critical one first; the third that fails makes it one trouble.
    shop.until_log(
        "Circuit breaker opened for the group shop: several members are in trouble: alpha, bravo, charlie (one trial",
    );
    assert_eq!((group(&shop)["state"].clone(), group(&shop)["name"].clone()), ("open".into(), "shop".into()));
    assert_eq!(shop.hold("delta"), "group-open");
    let refused = shop.pm(&["restart", "delta"]);
    assert!(
        refused.code == 1 && refused.err.contains("the breaker of the group shop is open"),
        "{refused:?}"
    );
    // It outlives pm.
    shop.kill();
    shop.start();
    shop.until_log("Circuit breaker half-open for the group shop: one member is tried first");
    shop.until_log("Circuit breaker opened for the group shop: the restart that was tried did not help");
    shop.write("storage", "", 0o644);
    let ends = |name: &str| shop.ends(name);
    assert_eq!(
        ["charlie", "alpha", "bravo", "delta"].map(|name| ends(name).len()),
        [2, 1, 1, 0],
        "one member is tried, the most critical one"
    );
    // The next trial is that of somebody else: whatever is wrong with charlie need not be wrong with all.
    shop.until_cleared("alpha");
    assert_eq!(shop.hold("charlie"), "group-canary");
    assert!(shop.ok(&["why", "charlie"]).contains("the group shop is tried with one member first: alpha"));
    for (name, _) in UNITS {
        let notes = shop.until_cleared(name);
        assert!(notes.starts_with("down - Restarted at "), "{name}: {notes}");
    }
    shop.until_log("Circuit breaker reset for the group shop");
    shop.in_order(&[
        "half-open for the group shop",
        "Successfully handled alarm for alpha",
        "The first member of the group shop stayed well: the others follow by 1, 2, 4, ...",
        "Not acting on delta (ID: 4): the group shop is let go in batches; the present one, of 1, has to succeed first",
        "Successfully handled alarm for bravo",
        "Successfully handled alarm for delta",
        // Whoever was tried in vain comes last, however critical.
        "Successfully handled alarm for charlie",
        "Circuit breaker reset for the group shop",
    ]);
    let good = ["alpha", "bravo", "delta", "charlie"].map(|name| shop.history(name).pop().unwrap());
    assert!(good.iter().all(|attempt| attempt["end"] == "restarted"), "{good:#?}");
    let [canary, first, second, third] = good;
    assert!(at(&first, "began_ms") - at(&canary, "ended_ms") >= 2_000, "the canary has to stay well");
    for one in [second, third] {
        assert!(at(&one, "began_ms") >= at(&first, "ended_ms"), "the first batch has to succeed");
    }
    assert_eq!(["charlie", "alpha", "bravo", "delta"].map(|name| ends(name).len()), [3, 2, 2, 1]);
    shop.table_is_true();
    assert_eq!(group(&shop)["state"], "closed");
}

#[test]
fn a_group_whose_budget_is_used_up_is_opened_before_another_unit_is_touched() {
    let units = [("alpha", RUNS), ("bravo", RUNS), ("charlie", RUNS)];
    let members = "INSERT INTO pm_group VALUES ('alpha', 'shop'), ('bravo', 'shop'), ('charlie', 'shop')";
    let keys = "[group.shop]\nbudget = 2\nbudget_refill = 1d\ncorrelation = 0\ncorrelation_share = 100\n\
                circuit_reset_time = 600\n";
    let Some(mut shop) = Shop::new(&units, members, "stable_time = 60", keys) else { return };
    shop.start();
    for name in ["alpha", "bravo"] {
        shop.alarm(&[name]);
        assert!(shop.until_cleared(name).starts_with("down - Restarted at "), "{name}");
    }
    shop.alarm(&["charlie"]);
    shop.until_log(
        "Circuit breaker opened for the group shop: its budget of restarts is used up (one trial of one member in ",
    );
    shop.until_log("Not acting on charlie (ID: 3): the breaker of the group shop is open; ");
    assert_eq!((shop.hold("charlie").as_str(), group(&shop)["state"].clone()), ("group-open", "open".into()));
    assert_eq!((shop.state("charlie").as_str(), shop.history("charlie").len()), ("inactive", 0));
    // An operator who knows why so many were needed gives the group its whole budget back.
    shop.ok(&["reset", "--group", "shop"]);
    assert!(shop.until_cleared("charlie").starts_with("down - Restarted at "));
    assert_eq!(group(&shop)["state"], "closed");
    shop.table_is_true();
}
