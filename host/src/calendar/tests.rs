//! Windows against the plainest reading of their rules: every minute of a year is looked at by itself.
//!
//! The brute force knows nothing of stretches and searches: it walks real minutes, reads the clock on the wall at each,
//! and asks the expression whether a window starts there.

use super::*;
use crate::policy::window::Scope;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::time::Duration;

const MINUTE: i64 = 60_000;
const ZONES: [&str; 3] = ["Europe/Bucharest", "America/New_York", "Australia/Lord_Howe"];

fn utc(text: &str) -> Wall {
    when::absolute(text, &Zone::default()).unwrap()
}

fn recurring(cron: &str, minutes: u64, zone: &str) -> Definition {
    let duration = Duration::from_secs(minutes * 60);
    let when = When::Recurring { cron: cron.to_owned(), duration, zone: zone.to_owned() };
    Definition {
        id: Name::new("w"),
        scopes: vec![Scope::All],
        reason: "patches".to_owned(),
        by: "ana".to_owned(),
        when,
    }
}

fn calendar(definition: Definition) -> Calendar {
    let (calendar, problems) = Calendar::new([definition]);
    assert_eq!(problems, []);
    calendar
}

/// The occurrence at a moment, in local time: `2026-03-29 03:00 to 2026-03-29 05:00`.
fn shown(calendar: &Calendar, zone: &str, now: Wall) -> String {
    let zone = Zone::named(zone).unwrap();
    match calendar.occurrences(now).as_slice() {
        [] => "none".to_owned(),
        [window] => format!("{} to {}", zone.show(window.from), zone.show(window.until)),
        more => panic!("{more:?}"),
    }
}

/// Whether windows are open, for each minute from the first moment on.
fn brute_force(cron: &str, minutes: u64, zone: &str, first: Wall, count: i64) -> Vec<bool> {
    let every_hour = cron.split(' ').nth(1).unwrap().starts_with('*');
    let cron: Cron = CronParser::builder().seconds(Seconds::Disallowed).build().parse(cron).unwrap();
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let before = i64::try_from(minutes).unwrap();
    let mut open_until = i64::MIN;
    let mut clock: Option<DateTime> = None;
    let mut furthest = DateTime::MIN;
    let mut open = Vec::new();
    for minute in -before - 120..count {
        let local = zone.to_datetime(Timestamp::from_millisecond(first.0 + minute * MINUTE).unwrap());
        // What the clock has jumped over since the minute before, and this minute itself.
        let next = clock.map_or(local, |clock| clock + SignedDuration::from_mins(1));
        let mut passed = if next < local { next } else { local };
        let mut starts = false;
        while passed <= local {
            starts |= cron.is_time_matching(&passed).unwrap() && (every_hour || passed > furthest);
            passed += SignedDuration::from_mins(1);
        }
        (clock, furthest) = (Some(local), furthest.max(local));
        if starts {
            open_until = minute + before;
        }
        if minute >= 0 {
            open.push(minute < open_until);
        }
    }
    open
}

/// Compares the calendar with the brute force, minute by minute.
fn compare(cron: &str, minutes: u64, zone: &str, first: Wall, count: i64) {
    let calendar = calendar(recurring(cron, minutes, zone));
    let afresh = Recurring::new(cron, Duration::from_secs(minutes * 60), zone).unwrap();
    for (minute, expected) in (0..).zip(brute_force(cron, minutes, zone, first, count)) {
        let now = Wall(first.0 + minute * MINUTE);
        let occurrences = calendar.occurrences(now);
        let open = occurrences.iter().any(|window| window.is_open(now));
        let place =
            || format!("{cron:?} for {minutes} min in {zone} at {}", Zone::named(zone).unwrap().show(now));
        assert_eq!(open, expected, "{}", place());
        if minute % 17 == 0 {
            let remembered = occurrences.first().map(|window| (window.from, window.until));
            assert_eq!(remembered, afresh.occurrence(now), "{}", place());
        }
    }
}

fn a_year(cron: &str, minutes: u64, zones: &[&str]) {
    for zone in zones {
        compare(cron, minutes, zone, utc("2026-01-01 00:00"), 365 * 1440);
    }
}

#[test]
fn every_minute_of_a_year_is_open_as_the_rules_say_for_a_nightly_window() {
    a_year("30 2 * * *", 120, &ZONES);
}

#[test]
fn every_minute_of_a_year_is_open_as_the_rules_say_for_windows_in_a_row() {
    a_year("*/20 1-3 * * *", 25, &ZONES[..1]);
}

#[test]
fn every_minute_of_a_year_is_open_as_the_rules_say_for_an_hourly_window() {
    a_year("45 * * * *", 30, &ZONES[2..]);
}

#[test]
fn every_minute_of_a_year_is_open_as_the_rules_say_for_a_weekend() {
    a_year("0 22 * * FRI", 60 * 50, &ZONES[1..2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_window_is_open_as_the_rules_say_around_a_change_of_the_clock(
        minute in "\\*|\\*/[1-9]|[0-9]|[1-5][0-9]|0,30|15-45/10",
        hour in "\\*|\\*/[1-6]|[0-4]|22|0,3|1-3",
        day in "\\*|\\*|1-7|25-31|L",
        weekday in "\\*|\\*|SUN|0-2|7|SUN#L",
        minutes in 1u64..400,
        place in 0usize..3,
        change in 0usize..2,
    ) {
        let cron = format!("{minute} {hour} {day} * {weekday}");
        let duration = Duration::from_secs(minutes * 60);
        // Some never close, which is refused and has its own test.
        if Recurring::new(&cron, duration, ZONES[place]).is_ok() {
            let first = [
                ["2026-03-27 00:00", "2026-10-23 00:00"],
                ["2026-03-06 00:00", "2026-10-30 00:00"],
                ["2026-04-02 00:00", "2026-10-01 00:00"],
            ];
            compare(&cron, minutes, ZONES[place], utc(first[place][change]), 4 * 1440);
        }
    }
}

#[test]
fn a_start_that_does_not_exist_is_at_the_change_and_one_that_comes_twice_at_the_first() {
    for (zone, cron, eve, expected) in [
        // The clock goes from 03:00 to 04:00.
        ("Europe/Bucharest", "30 3 * * *", "2026-03-28 12:00", "2026-03-29 04:00 to 2026-03-29 06:00"),
        // Two hours of time that passes: the clock shows three.
        ("Europe/Bucharest", "30 2 * * *", "2026-03-28 12:00", "2026-03-29 02:30 to 2026-03-29 05:30"),
        // From 04:00 back to 03:00.
        ("Europe/Bucharest", "30 3 * * *", "2026-10-24 12:00", "2026-10-25 03:30 to 2026-10-25 04:30"),
        ("Europe/Bucharest", "30 2 * * *", "2026-10-24 12:00", "2026-10-25 02:30 to 2026-10-25 03:30"),
        ("America/New_York", "30 2 * * *", "2026-03-07 12:00", "2026-03-08 03:00 to 2026-03-08 05:00"),
        ("America/New_York", "30 1 * * *", "2026-10-31 12:00", "2026-11-01 01:30 to 2026-11-01 02:30"),
        // Half an hour: from 02:00 to 02:30, and from 02:00 back to 01:30.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00", "2026-10-04 02:30 to 2026-10-04 04:30"),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04 12:00", "2026-04-05 01:45 to 2026-04-05 03:15"),
        // A whole day that was left out, at the change of the side of the date line.
        ("Pacific/Apia", "0 21 * * *", "2011-12-29 23:30", "2011-12-31 00:00 to 2011-12-31 02:00"),
    ] {
        let calendar = calendar(recurring(cron, 120, zone));
        let now = when::absolute(eve, &Zone::named(zone).unwrap()).unwrap();
        assert_eq!(shown(&calendar, zone, now), expected, "{cron} in {zone}");
    }
}

#[test]
fn every_hour_means_every_hour_that_passes() {
    let zone = "Europe/Bucharest";
    let calendar = calendar(recurring("30 * * * *", 10, zone));
    // 00:30 and 01:30 UTC are both 03:30 there.
    let at = |text| shown(&calendar, zone, utc(text));
    assert_eq!(at("2026-10-25 00:00"), "2026-10-25 03:30 to 2026-10-25 03:40");
    assert_eq!(calendar.occurrences(utc("2026-10-25 00:00"))[0].from, utc("2026-10-25 00:30"));
    assert_eq!(calendar.occurrences(utc("2026-10-25 00:41"))[0].from, utc("2026-10-25 01:30"));
    assert_eq!(at("2026-10-25 01:41"), "2026-10-25 04:30 to 2026-10-25 04:40");
}

#[test]
fn occurrences_without_a_break_are_one() {
    let zone = "UTC";
    let evening = calendar(recurring("*/10 20-21 * * *", 15, zone));
    let expected = "2026-12-01 20:00 to 2026-12-01 22:05";
    for now in ["2026-11-30 22:05", "2026-12-01 20:00", "2026-12-01 21:59", "2026-12-01 22:04"] {
        assert_eq!(shown(&evening, zone, utc(now)), expected, "{now}");
    }
    assert_eq!(shown(&evening, zone, utc("2026-12-01 22:05")), "2026-12-02 20:00 to 2026-12-02 22:05");
    // The end of one is the beginning of the next.
    let saturday = calendar(recurring("0 0,12 * * SAT", 720, zone));
    assert_eq!(shown(&saturday, zone, utc("2026-12-05 13:00")), "2026-12-05 00:00 to 2026-12-06 00:00");
    let summer = calendar(recurring("0 0 * 6-8 *", 1440, zone));
    assert_eq!(shown(&summer, zone, utc("2026-07-15 13:00")), "2026-06-01 00:00 to 2026-09-01 00:00");
}

#[test]
fn a_single_window_is_there_until_it_is_over() {
    let (from, until) = (utc("2026-12-01 22:00"), utc("2026-12-02 02:00"));
    let definition = Definition { when: When::Once { from, until }, ..recurring("", 0, "") };
    let calendar = calendar(definition);
    let window =
        Window { id: Name::new("w"), scopes: vec![Scope::All], reason: "patches".to_owned(), from, until };
    for now in [Wall(i64::MIN), Wall(0), from, Wall(until.0 - 1)] {
        assert_eq!(calendar.occurrences(now).as_slice(), std::slice::from_ref(&window));
    }
    assert_eq!(calendar.occurrences(until), []);
    assert_eq!(calendar.occurrences(Wall(from.0)), [window], "the clock was put back");
}

#[test]
fn a_clock_that_jumps_is_followed() {
    let calendar = calendar(recurring("0 22 * * *", 60, "UTC"));
    let at = |text| shown(&calendar, "UTC", utc(text));
    for (now, expected) in [
        ("2026-12-01 12:00", "2026-12-01 22:00 to 2026-12-01 23:00"),
        ("2026-12-01 22:30", "2026-12-01 22:00 to 2026-12-01 23:00"),
        ("2026-12-09 22:30", "2026-12-09 22:00 to 2026-12-09 23:00"),
        ("2026-12-01 11:59", "2026-12-01 22:00 to 2026-12-01 23:00"),
        ("2026-11-30 22:30", "2026-11-30 22:00 to 2026-11-30 23:00"),
        ("1970-01-01 00:00", "1970-01-01 22:00 to 1970-01-01 23:00"),
    ] {
        assert_eq!(at(now), expected, "{now}");
    }
    for now in [Wall(i64::MIN), Wall(-1), Wall(i64::MAX)] {
        assert_eq!(calendar.occurrences(now), [], "no calendar knows it");
    }
    assert_eq!(at("2026-12-01 12:00"), "2026-12-01 22:00 to 2026-12-01 23:00");
}

#[test]
fn what_cannot_be_used_is_told_and_the_rest_goes_on() {
    let named = |id: &str, definition: Definition| Definition { id: Name::new(id), ..definition };
    let backwards = When::Once { from: Wall(9), until: Wall(9) };
    let (calendar, problems) = Calendar::new([
        named("cron", recurring("0 25 * * *", 60, "")),
        named("good", recurring("0 22 * * *", 60, "")),
        named("zone", recurring("0 22 * * *", 60, "Europe/Bucarest")),
        named("never\n", Definition { when: backwards, ..recurring("", 0, "") }),
    ]);
    assert_eq!(calendar.occurrences(utc("2026-12-01 12:00")).len(), 1);
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "The maintenance window \"cron\" cannot be used: \"0 25 * * *\" is no cron expression: its hour is \"25\"; \
             write 0-23, * for every one, */5 for every fifth, 1,3 or 1-5",
            "The maintenance window \"zone\" cannot be used: \"Europe/Bucarest\" is no time zone; \
             did you mean \"Europe/Bucharest\"?",
            "The maintenance window \"never\\u{a}\" cannot be used: it ends before it begins; remove it and add it again",
        ]
    );
}

#[test]
fn an_expression_is_refused_with_the_field_that_is_wrong() {
    for (cron, part, text) in [
        ("", Part::Cron, "has 0 fields, not five"),
        ("0 22 * *", Part::Cron, "has 4 fields, not five"),
        ("0 0 22 * * *", Part::Cron, "has 6 fields, not five"),
        ("60 22 * * *", Part::Cron, "its minute is \"60\""),
        ("0 24 * * *", Part::Cron, "its hour is \"24\""),
        ("0 22 32 * *", Part::Cron, "its day of the month is \"32\""),
        ("0 22 0 * *", Part::Cron, "its day of the month is \"0\""),
        ("0 22 * 13 *", Part::Cron, "its month is \"13\""),
        ("0 22 * * 8", Part::Cron, "its day of the week is \"8\""),
        ("0 22 * * SUNDAY", Part::Cron, "its day of the week is \"SUNDAY\""),
        ("MON 22 * * *", Part::Cron, "its minute is \"MON\""),
        ("0 , * * *", Part::Cron, "its hour is \",\""),
        ("0 1,,2 * * *", Part::Cron, "its hour is \"1,,2\""),
        ("0 5-1 * * *", Part::Cron, "its hour is \"5-1\""),
        ("*/0 22 * * *", Part::Cron, "its minute is \"*/0\""),
        ("0 22 * * \u{1b}[2J", Part::Cron, "its day of the week is \"\\u{1b}[2J\""),
        ("@reboot", Part::Cron, "is none of: @hourly, @daily"),
        ("0 0 30 2 *", Part::Cron, "never happens"),
        ("0 0 31 4,6,9,11 *", Part::Cron, "never happens"),
        ("* * * * *", Part::Duration, "never closes"),
        ("*/30 * * * *", Part::Duration, "never closes"),
        ("0 * * * *", Part::Duration, "never closes"),
    ] {
        let wrong = Recurring::new(cron, Duration::from_secs(3600), "UTC").unwrap_err();
        assert!(wrong.part == part && wrong.why.contains(text), "{cron}: {wrong}");
        assert!(!wrong.hint.is_empty());
    }
    for cron in [
        "0 22 * * *",
        "0 22 * * sat#2",
        "0 22 L * ?",
        "15 4 1-7 jan,jul +mon",
        "@Daily",
        " 0  22 * * 5L ",
        "0 0 29 2 *",
    ] {
        Recurring::new(cron, Duration::from_secs(3600), "UTC").unwrap();
    }
    for (seconds, fits) in
        [(0, false), (59, false), (60, true), (31 * 86_400, true), (31 * 86_400 + 1, false)]
    {
        let made = Recurring::new("0 22 1 1 *", Duration::from_secs(seconds), "UTC");
        assert_eq!(made.is_ok(), fits, "{seconds}");
    }
}

proptest! {
    #[test]
    fn no_expression_makes_it_panic(
        cron in "\\PC{0,30}|([0-9*,/LW#?+-]{1,4} ){4}[0-9A-Z*,/L#?+-]{1,5}",
        zone in "\\PC{0,20}|UTC",
    ) {
        if let Ok(recurring) = Recurring::new(&cron, Duration::from_secs(60), &zone) {
            let _ = recurring.occurrence(Wall(1_795_811_400_000));
        }
    }
}
