//! A database as it always was, without the tables of groups and dependencies, and accounts that may only read: units
//! are restarted as ever, and the log has no word of anything that is missing.

use super::{Machine, RUNS, Shop};
use crate::mariadb::{Base, LEAST, R8, READ};

/// pm inside of systemd on tables as they always were, with an account of these rights, and two units that run.
fn shop(rights: &[&str], sections: &str) -> Option<Shop> {
    let machine = Machine::shared()?;
    let base = Base::new(R8)?;
    let user = base.account(rights);
    let shop = Shop::over(machine, base, &user, &[("web", RUNS), ("db", RUNS)], "stable_time = 1", sections);
    shop.systemctl("start", &["web", "db"]);
    Some(shop)
}

#[test]
fn an_account_that_may_only_read_restarts_a_unit_once_without_the_tables() {
    let Some(mut shop) = shop(READ, "") else { return };
    shop.start();
    let before = ["web", "db"].map(|name| shop.invocation(name));
    shop.alarm(&["web"]);
    shop.until_log("DB UPDATE LOG: Failed to update alarm status for process_id: 1: ");
    let after = shop.invocation("web");
    assert!(after != before[0] && shop.invocation("db") == before[1]);
    // Its source has not seen it yet; the alarm of another one is handled meanwhile.
    shop.systemctl("stop", &["db"]);
    shop.alarm(&["db"]);
    shop.until("db to be restarted", |_| shop.ends("db") == ["restarted"]);
    assert_eq!((shop.invocation("web"), shop.ends("web").len(), shop.in_alarm("web")), (after, 1, true));
    let complaints = shop.complaints();
    assert!(
        complaints.len() == 1 && complaints[0].contains("Failed to update alarm status"),
        "{complaints:?}"
    );
    assert!(!shop.log().contains("pm_group") && !shop.log().contains("pm_dependency"), "{}", shop.log());
    let why = shop.ok(&["why", "db"]);
    for saw in ["depends on nothing\n", "in no group\n"] {
        assert!(why.contains(saw), "{why}");
    }
    let status = shop.ok(&["db", "status"]);
    assert!(!status.contains("Relations"), "{status}");
    assert!(
        status.contains("Unread    pm_group, pm_dependency: not there, or this account may not read it"),
        "{status}"
    );
}

#[test]
fn groups_and_dependencies_of_the_file_need_no_table() {
    let sections = "[process.web]\ndepends_on = db\ngroup = shop\n[group.shop]\nbudget = 7\n";
    let Some(mut shop) = shop(LEAST, sections) else { return };
    shop.start();
    shop.alarm(&["web", "db"]);
    for name in ["db", "web"] {
        shop.until_cleared(name);
    }
    assert_eq!(
        ["db", "web"].map(|name| shop.ends(name).join(" ")),
        ["restarted", ""],
        "web runs with db again"
    );
    shop.in_order(&[
        "waits for db, which ",
        "Successfully handled alarm for db",
        "web is healthy, nothing to restart",
    ]);
    assert!(
        shop.ok(&["why", "web"]).contains("shop: closed, 7 of 7 restarts left"),
        "{}",
        shop.ok(&["why", "web"])
    );
    assert_eq!(shop.complaints(), [""; 0]);
    shop.table_is_true();
}

#[test]
fn tables_that_pm_may_not_read_are_none_and_told_of_by_db_status() {
    let Some(mut shop) = shop(LEAST, "") else { return };
    for (table, column) in [("pm_group", "group_name"), ("pm_dependency", "depends_on")] {
        shop.base.sql(&format!("CREATE TABLE {table} (process_name VARCHAR(100), {column} VARCHAR(100))"));
        shop.base.sql(&format!("INSERT INTO {table} VALUES ('web', 'db')"));
    }
    shop.start();
    shop.systemctl("stop", &["db"]);
    shop.alarm(&["web", "db"]);
    for name in ["db", "web"] {
        assert!(shop.until_cleared(name).starts_with("down - Restarted at "), "nobody waits for anybody");
    }
    assert_eq!(shop.complaints(), [""; 0]);
    assert_eq!(shop.said("pm_group") + shop.said("pm_dependency"), 0, "{}", shop.log());
    let denied: serde_json::Value =
        serde_json::from_str(&shop.ok(&["db", "status", "--format", "json"])).unwrap();
    assert_eq!(denied["denied"], serde_json::json!(["pm_group", "pm_dependency"]));
}
