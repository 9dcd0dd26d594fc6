//! What operators order about units, and a ladder whose second step is a command.

use super::{NEEDS_STORAGE, RUNS, Shop, at};
use pm_tests::commands::until_ended;

#[test]
fn a_held_unit_is_not_touched_by_anybody_until_it_is_released() {
    let units = [("web", RUNS), ("db", RUNS), ("other", RUNS)];
    let group = "INSERT INTO pm_group VALUES ('web', 'shop'), ('db', 'shop')";
    let Some(mut shop) = Shop::new(&units, group, "stable_time = 1", "") else { return };
    shop.systemctl("start", &["web", "db", "other"]);
    shop.start();
    // Of a group that only the table knows.
    let told = shop.ok(&["hold", "--group", "shop", "--for", "1h", "--why", "disk swap", "--by", "ana"]);
    assert!(told.contains("(disk swap)"), "{told}");
    shop.systemctl("stop", &["db"]);
    let before = ["web", "db"].map(|name| shop.invocation(name));
    shop.alarm(&["web", "db", "other"]);
    assert!(shop.until_cleared("other").starts_with("down - Restarted at "));
    for (name, row) in [("web", 1), ("db", 2)] {
        shop.until_log(&format!("Not acting on {name} (ID: {row}): held by ana (disk swap), for another "));
        let forced = shop.pm(&["restart", name, "--force"]);
        assert!(forced.code == 1 && forced.err.contains("is held with the group shop by ana"), "{forced:?}");
        assert_eq!(shop.hold(name), "held");
    }
    shop.kill();
    shop.start();
    shop.alarm(&["other"]);
    shop.until_cleared("other");
    assert_eq!(["web", "db"].map(|name| shop.invocation(name)), before);
    assert_eq!(
        (shop.state("db").as_str(), shop.in_alarm("db"), shop.in_alarm("web")),
        ("inactive", true, true)
    );
    // The operator has started one of them.
    shop.systemctl("start", &["db"]);
    let db = shop.invocation("db");
    shop.ok(&["observe", "db"]);
    shop.ok(&["release", "--group", "shop"]);
    assert!(shop.until_cleared("web").starts_with("down - Restarted at "), "nobody has said that it is well");
    shop.until_log("Would restart db (ID: 2) now; nothing is done, it is only observed");
    assert_eq!((shop.invocation("db"), shop.in_alarm("db")), (db, true));
    shop.ok(&["release", "db"]);
    shop.until_cleared("db");
    shop.table_is_true();
}

#[test]
fn the_second_step_of_a_ladder_begins_when_the_unit_alone_did_not_last() {
    let sections = "max_attempts = 1\nhealth_check_timeout = 0.5\n[process.web]\nrestart_strategy = service, custom\n\
        restart_command = touch @DIR@/storage && systemctl restart @UNIT@web\n";
    let Some(mut shop) = Shop::new(&[("web", NEEDS_STORAGE)], "DO 0", "stable_time = 5", sections) else {
        return;
    };
    shop.write("storage", "", 0o644);
    shop.systemctl("start", &["web"]);
    shop.start();
    // The unit can be restarted, but that does not last.
    shop.alarm(&["web"]);
    shop.until_cleared("web");
    std::fs::remove_file(shop.dir().join("storage")).unwrap();
    shop.until_state("web", "failed");
    shop.alarm(&["web"]);
    shop.until_cleared("web");
    let by = |shop: &Shop| -> Vec<String> {
        let words = |one: &serde_json::Value| {
            format!("{} {} {}", one["by"], one["end"], one["effect"]).replace('"', "")
        };
        shop.history("web").iter().map(words).collect()
    };
    assert_eq!(by(&shop), ["service restarted relapsed", "custom restarted not known yet"], "{}", shop.log());
    shop.table_is_true();
    // What lasted begins from the first step again, and goes on with the next within the attempt when that fails.
    shop.until_log("Reset failure count for process: web after successful restart");
    std::fs::remove_file(shop.dir().join("storage")).unwrap();
    shop.until_state("web", "failed");
    shop.alarm(&["web"]);
    shop.until_cleared("web");
    until_ended(&shop.sandbox, "web", "restarted");
    assert_eq!(by(&shop)[2], "custom restarted not known yet", "{}", shop.log());
    shop.until_log("Strategy service did not restart web, trying the next one: ");
    let last = shop.history("web").pop().unwrap();
    assert!(at(&last, "attempts") == 1, "{last:#}");
    let effect = shop.ok(&["history", "--effect"]);
    assert!(effect.contains("web") && effect.contains("custom"), "{effect}");
    shop.table_is_true();
}
