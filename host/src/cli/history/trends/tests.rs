//! The numbers of trends, over days of a zone, and how they are shown.

use super::*;
use crate::policy::model::AttemptId;

const DAY: i64 = 86_400_000;
/// 2026-01-01 00:00 UTC.
const NEW_YEAR: i64 = 1_767_225_600_000;

fn attempt(of: &str, began: i64, took: i64, end: End, effect: Option<Effect>) -> Attempt {
    let began = NEW_YEAR + began;
    Attempt {
        id: AttemptId(1),
        name: Name::new(of),
        strategy: "service".to_owned(),
        seen: Some(Wall(began - 1_000)),
        began: Wall(began),
        ended: Some((Wall(began + took), end, 1, String::new())),
        under_way: false,
        cause: "alarm".to_owned(),
        by: None,
        effect,
    }
}

fn period(since: Option<i64>, now: i64, zone: TimeZone) -> Period {
    Period::within(since.map(|at| Wall(NEW_YEAR + at)), Wall(NEW_YEAR + now), zone)
}

#[test]
fn days_are_those_of_the_host() {
    let utc = period(None, DAY / 2, TimeZone::UTC);
    assert_eq!((utc.days().len(), utc.days()[13].as_str()), (14, "2026-01-01"));
    assert_eq!(utc.from, Wall(NEW_YEAR - 13 * DAY));
    // 23:30 of the last day of the year in New York.
    let west = TimeZone::get("America/New_York").unwrap();
    let west = period(None, DAY / 2, west);
    assert_eq!(west.day_of(Wall(NEW_YEAR + 270 * 60_000)), 12);
    assert_eq!(west.day_of(Wall(NEW_YEAR + 330 * 60_000)), 13);
    let short = period(Some(-DAY), DAY / 2, TimeZone::UTC);
    assert_eq!(short.days(), ["2025-12-31", "2026-01-01"]);
    let future = period(Some(9 * DAY), 0, TimeZone::UTC);
    assert_eq!(future.days, 1, "a moment to come is no reason to fail");
}

#[test]
fn what_helped_what_did_not_and_how_long_it_took_is_counted() {
    let lasted = Some(Effect::Lasted);
    let mut attempts: Vec<_> =
        (1..=10).map(|n| attempt("web", -DAY, n * 1_000, End::Restarted, lasted)).collect();
    attempts.push(attempt("web", 0, 500, End::Restarted, Some(Effect::Relapsed)));
    attempts.push(attempt("db", 0, 60_000, End::Failed, None));
    attempts.push(attempt("db", 0, 1, End::Cancelled, None));
    let never_acted = Attempt {
        ended: Some((Wall(NEW_YEAR + 9), End::Failed, 0, "pre-restart command failed".to_owned())),
        ..attempt("db", 0, 9, End::Failed, None)
    };
    attempts.push(never_acted);
    let period = period(Some(-DAY), DAY / 2, TimeZone::UTC);
    let (total, each) = trends(&attempts, &period);
    assert_eq!((total.restarts(), &total.per_day), (12, &vec![10, 2]));
    let web = &each[&Name::new("web")];
    assert_eq!((web.lasted, web.relapsed, web.failed, web.success()), (10, 1, 0, Some(90)));
    // Eleven recoveries, a second each from the alarm to the beginning: the sixth and the tenth.
    assert_eq!((web.percentile(50), web.percentile(90)), (Some(6_000), Some(10_000)));
    let db = &each[&Name::new("db")];
    assert_eq!((db.restarts(), db.success(), db.percentile(50)), (1, Some(0), None));

    let shown = to_json(&period, &total, &each);
    assert_eq!(shown["total"]["restarts"], 12);
    assert_eq!(shown["processes"][1]["name"], "web");
    assert_eq!(shown["processes"][1]["recovery_p90_ms"], 10_000);
    assert_eq!(shown["processes"][0]["recovery_median_ms"], Value::Null);

    let mut out = Vec::new();
    write(
        &period,
        &total,
        &each,
        Alphabet::Ascii,
        &mut Terminal { out: &mut out, err: &mut std::io::sink() },
    )
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.is_ascii() && text.starts_with("2025-12-31 to 2026-01-01: 12 restarts of 2 processes\n\n"),
        "{text}"
    );
    let web = text.lines().find(|line| line.starts_with("web")).unwrap();
    let words: Vec<_> = web.split_whitespace().collect();
    assert_eq!(words, ["web", "11", "#:", "90", "%", "6.0", "s", "10", "s", "1"]);
}

#[test]
fn nothing_at_all_is_no_failure() {
    let period = period(None, 0, TimeZone::UTC);
    let (total, each) = trends(&[], &period);
    let mut out = Vec::new();
    write(
        &period,
        &total,
        &each,
        Alphabet::Blocks,
        &mut Terminal { out: &mut out, err: &mut std::io::sink() },
    )
    .unwrap();
    assert!(String::from_utf8(out).unwrap().contains("0 restarts of 0 processes"));
    assert_eq!(to_json(&period, &total, &each)["total"]["success_percent"], Value::Null);
}
