//! Planned work on a group of units: no hand is laid on them while the window is open, and at its end what is still down
//! is restarted and what runs again is only cleared.

use super::{NEEDS_STORAGE, RUNS, Shop, until};
use pm_tests::commands::status;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const UNITS: [(&str, &str); 4] = [("api", RUNS), ("cache", RUNS), ("queue", RUNS), ("outside", RUNS)];
const GROUP: &str = "INSERT INTO pm_group VALUES ('api', 'shop'), ('cache', 'shop'), ('queue', 'shop')";

/// All of them run.
fn up(sections: &str) -> Option<Shop> {
    let shop = Shop::new(&UNITS, GROUP, "stable_time = 1", sections)?;
    shop.systemctl("start", &UNITS.map(|(name, _)| name));
    Some(shop)
}

/// What an operator and the alarms do during a window: api and cache are stopped, all are in alarm, and cache is
/// started again by the operator.
fn work(shop: &Shop, window: &str) -> [String; 3] {
    shop.systemctl("stop", &["api", "cache", "outside"]);
    let [api, queue] = ["api", "queue"].map(|name| shop.invocation(name));
    shop.alarm(&UNITS.map(|(name, _)| name));
    assert!(shop.until_cleared("outside").starts_with("down - Restarted at "), "it is in no group");
    for (row, name) in (1..).zip(["api", "cache", "queue"]) {
        let said = format!("Not acting on {name} (ID: {row}): maintenance window {window}, for another ");
        shop.until_log(&said);
        assert_eq!((shop.hold(name).as_str(), shop.in_alarm(name)), ("maintenance", true));
    }
    shop.systemctl("start", &["cache"]);
    shop.until_state("cache", "active");
    [api, shop.invocation("cache"), queue]
}

/// What comes of it when the window has ended.
fn over(shop: &Shop, window: &str, [api, cache, queue]: [String; 3]) {
    assert!(shop.until_cleared("api").starts_with("down - Restarted at "));
    for (name, before) in [("cache", cache), ("queue", queue)] {
        assert_eq!(shop.until_cleared(name), "down", "{name} runs, so there is no restart and no stamp");
        assert_eq!(shop.invocation(name), before, "{name} runs as before");
    }
    assert_ne!(shop.invocation("api"), api);
    let ended = format!("Maintenance window {window} has ended");
    for (name, ends) in [("api", &["restarted"][..]), ("cache", &[]), ("queue", &[])] {
        shop.in_order(&[&ended, &format!("Found process in alarm: {name}")]);
        assert_eq!(shop.ends(name), ends, "{name}");
    }
    let begun = format!("Maintenance window {window} has begun");
    assert_eq!((shop.said(&ended), shop.said(&begun)), (1, 1), "{}", shop.log());
    shop.table_is_true();
}

#[test]
fn an_operators_window_over_a_group_of_the_table_keeps_pm_away_from_its_units() {
    let Some(mut shop) = up("") else { return };
    shop.start();
    let words = ["maintenance", "add", "disks", "--for", "1h", "--group", "shop", "--reason", "new disks"];
    let told = shop.ok(&words);
    assert!(told.contains(", for group shop.\n") && !told.contains("Nobody"), "{told}");
    let slip = shop.pm(&["maintenance", "add", "slip", "--for", "1h", "--group", "shp"]);
    assert!(slip.code == 2 && slip.err.contains("did you mean \"shop\"?"), "{}", slip.err);
    let told = shop.ok(&["maintenance", "add", "slip", "--for", "1h", "--process", "outsdie"]);
    assert!(told.contains("There is no process outsdie now, neither a section nor a row"), "{told}");
    shop.ok(&["maintenance", "remove", "slip"]);
    let units = work(&shop, "disks (new disks)");
    // Neither another poll nor a pm that dies meanwhile changes anything.
    shop.kill();
    shop.start();
    shop.alarm(&["outside"]);
    shop.until_cleared("outside");
    assert_eq!([shop.state("api"), shop.state("cache")], ["inactive", "active"]);
    assert_eq!(["api", "cache", "queue"].map(|name| shop.in_alarm(name)), [true; 3]);
    shop.ok(&["maintenance", "remove", "disks"]);
    over(&shop, "disks", units);
}

#[test]
fn a_window_over_one_process_leaves_the_others_to_pm_and_one_over_all_leaves_it_none() {
    let Some(mut shop) = up("") else { return };
    shop.start();
    shop.ok(&["maintenance", "add", "one", "--for", "1h", "--process", "api"]);
    shop.systemctl("stop", &["api", "cache"]);
    shop.alarm(&["api", "cache"]);
    assert!(shop.until_cleared("cache").starts_with("down - Restarted at "), "it is covered by nothing");
    shop.until_log("Not acting on api (ID: 1): maintenance window one, for another ");
    assert_eq!((shop.hold("api").as_str(), shop.state("api").as_str()), ("maintenance", "inactive"));
    let told = shop.ok(&["maintenance", "add", "every", "--for", "2h", "--all"]);
    assert!(told.contains("for all"), "{told}");
    shop.until_log("Maintenance window every has begun: no restarts in it for ");
    shop.systemctl("stop", &["queue", "outside"]);
    shop.alarm(&["queue", "outside"]);
    for (row, name) in [(3, "queue"), (4, "outside")] {
        shop.until_log(&format!("Not acting on {name} (ID: {row}): maintenance window every, for another "));
    }
    // The window of one ends; the other one covers it, too.
    shop.ok(&["maintenance", "remove", "one"]);
    shop.until_log("Maintenance window one has ended");
    let down = ["api", "queue", "outside"];
    for name in down {
        assert_eq!(
            (shop.hold(name).as_str(), shop.state(name).as_str()),
            ("maintenance", "inactive"),
            "{name}"
        );
        assert!(shop.in_alarm(name));
    }
    shop.ok(&["maintenance", "remove", "every"]);
    for name in down {
        assert!(shop.until_cleared(name).starts_with("down - Restarted at "), "{name}");
        assert_eq!(shop.ends(name), ["restarted"], "{name}");
    }
    shop.table_is_true();
}

#[test]
fn a_window_ends_the_attempts_of_a_restart_that_is_under_way() {
    let keys =
        "max_attempts = 100\nrestart_delay = 0.2\nhealth_check_timeout = 0.1\nmax_restart_failures = 100\n";
    let group = "INSERT INTO pm_group VALUES ('api', 'shop')";
    let Some(mut shop) = Shop::new(&[("api", NEEDS_STORAGE)], group, "stable_time = 1", keys) else { return };
    shop.start();
    shop.alarm(&["api"]);
    shop.until_log("Attempting restart (3 of 100) for api");
    shop.ok(&["maintenance", "add", "disks", "--for", "1h", "--group", "shop"]);
    shop.until_log(
        "RESTART LOG: Unfinished restart of api cancelled: maintenance window disks, for another ",
    );
    let (ends, tried) = (shop.ends("api"), shop.said("Attempting restart"));
    assert_eq!(ends, ["cancelled"]);
    shop.until_log("Not acting on api (ID: 1): maintenance window disks, for another ");
    shop.write("storage", "", 0o644);
    assert_eq!((shop.said("Attempting restart"), shop.state("api").as_str()), (tried, "failed"));
    assert_eq!(status(&shop.sandbox, "api")["breaker"]["failures"], 0, "nobody is to blame");
    shop.ok(&["maintenance", "remove", "disks"]);
    assert!(shop.until_cleared("api").starts_with("down - Restarted at "));
    shop.table_is_true();
}

/// Seconds of this minute.
fn second() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 60
}

#[test]
fn a_recurring_window_of_the_file_ends_by_itself_in_its_time_zone() {
    let Some(mut shop) = up("") else { return };
    // The shortest window is a minute. Bucharest is two or three hours ahead of UTC, never in the same one.
    while second() > 40 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let cron = shop.machine.ok(&["env", "TZ=Europe/Bucharest", "date", "+%M %H * * *"]);
    let config = shop.read("config.ini");
    let window = format!(
        "[maintenance.nightly]\ncron = {cron}\nduration = 1m\ntime_zone = Europe/Bucharest\ngroup = shop\n"
    );
    shop.configure(&(config + &window));
    shop.start();
    shop.until_log("Maintenance window nightly has begun: no restarts in it for ");
    let units = work(&shop, "nightly");
    let list = shop.ok(&["maintenance", "list"]);
    assert!(list.starts_with("nightly: OPEN until ") && list.contains("(Europe/Bucharest)"), "{list}");
    let begun = Instant::now();
    while shop.said("Maintenance window nightly has ended") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(61), "{}", shop.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(second() < 5, "it ends with its minute");
    over(&shop, "nightly", units);
    until("the next one to be planned", || {
        shop.ok(&["maintenance", "list"]).starts_with("nightly: opens at ")
    });
}
