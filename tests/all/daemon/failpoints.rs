//! Nothing lost, nothing twice: pm dies at every point of an attempt that has a name, and the next start puts it right.
//!
//! The loops go through `Point::ALL`, and [`way`] has to know how pm gets to each: a new point without its way there does
//! not compile, and one that pm does not pass fails.

use super::{World, custom, running};
use pm_host::failpoint::Point;
use pm_tests::commands::status;
use rustix::process::Signal;
use std::process::Command;

/// How pm gets to a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It handles an alarm.
    Alarm,
    /// As that, and the first attempt does not help.
    Relapse,
    /// It is stopped while it verifies.
    Stop,
    /// The pm before it died there.
    Resume(Point),
    /// An operator restarts by hand, in vain.
    ByHand,
    /// As that, and the daemon is started.
    Counting,
}

const fn way(point: Point) -> Way {
    match point {
        Point::AlarmsRead
        | Point::JobDecided
        | Point::LookedFirst
        | Point::ClaimWritten
        | Point::Claimed
        | Point::EvidenceKept
        | Point::Preparing
        | Point::Prepared
        | Point::IdentityRead
        | Point::ActingWritten
        | Point::ActingNoted
        | Point::RestartReturned
        | Point::VerifyingNoted
        | Point::Verified
        | Point::AttemptTold
        | Point::Responded
        | Point::Settling
        | Point::OutcomeWritten
        | Point::OutcomeStored
        | Point::WriteBackOrdered
        | Point::WriteBackBegins
        | Point::WriteBackAnswered
        | Point::DeliveryWritten
        | Point::Delivered
        | Point::DeliveryTold => Way::Alarm,
        Point::AttemptFailed => Way::Relapse,
        Point::HandedOver => Way::Stop,
        Point::TakeoverWritten | Point::Resuming => Way::Resume(Point::RestartReturned),
        Point::TakenOver => Way::Resume(Point::ActingNoted),
        Point::EndedByHand => Way::ByHand,
        Point::OrderObeyed | Point::OrderDone => Way::Counting,
    }
}

/// Whether an instance runs when the alarm is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Running,
    Gone,
}

/// A program that notes each start and is well from then on, unless the file `sick` is there.
fn shop(before: Before, way: Way) -> World {
    let by_hand = matches!(way, Way::ByHand | Way::Counting);
    let patience = if by_hand || way == Way::Relapse { "0.2" } else { "20" };
    // What was restarted by hand in vain is forgotten after the stable time.
    let more = if by_hand { "max_attempts = 1\nstable_time = 60" } else { "max_attempts = 3" };
    let world = World::with(&format!(
        "[process.web]\nrestart_strategy = process\nexecutable = @DIR@/web\nstart_command = @DIR@/web\n\
         pre_restart_command = true\nhealth_check_command = test -e @DIR@/well\nhealth_check_timeout = {patience}\n\
         start_grace = 20ms\nrestart_delay = 0\n{more}\n\n",
    ));
    let script = world.program("web", "[ -e @DIR@/sick ] || : > @DIR@/well\necho $$ >> @DIR@/started");
    if before == Before::Running {
        let mut instance = Command::new(&script).spawn().unwrap();
        world.until_count("started", 1);
        // The strategy waits for its end, and a zombie has not ended for everybody.
        std::thread::spawn(move || instance.wait());
        std::fs::remove_file(world.dir().join("well")).unwrap();
    }
    if !matches!(way, Way::Alarm | Way::Resume(_)) {
        world.write("sick", "", 0o644);
    }
    world
}

/// It gets well by itself.
fn recover(world: &World) {
    std::fs::remove_file(world.dir().join("sick")).unwrap();
    world.write("well", "", 0o644);
}

/// Lets pm die at the point.
fn die(world: &mut World, point: Point, before: usize) {
    match way(point) {
        Way::Alarm => world.dies_at(point),
        Way::Resume(first) => {
            world.dies_at(first);
            world.dies_at(point);
        }
        Way::Relapse => {
            world.dies_at(point);
            recover(world);
        }
        Way::Stop => {
            world.fail_at(Some(point));
            world.start_at_once();
            world.until_count("started", before + 1);
            world.until_log("Performing health check for web");
            // The second one asks what runs to give way.
            world.signal(Signal::TERM);
            world.until_log("Stopping: no new restarts");
            world.signal(Signal::TERM);
            assert_eq!(world.ended(), -1, "{}", world.log());
            recover(world);
        }
        Way::ByHand => {
            world.fail_at(Some(point));
            assert_eq!(world.pm(&["restart", "web"]).code, -1);
        }
        Way::Counting => {
            assert_eq!(world.pm(&["restart", "web"]).code, 1, "it does not help");
            world.dies_at(point);
        }
    }
    world.fail_at(None);
}

/// What the journal says, as it is in the file.
fn journal(world: &World, query: &str) -> String {
    let journal = super::open(&world.dir().join("state/journal.db"));
    let mut select = journal.prepare(query).unwrap();
    let rows: Vec<String> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    rows.join(" ")
}

/// The journal is whole, and nothing in it is open: neither an attempt, nor a clearing, nor an order.
fn sound(world: &World, point: Point) {
    assert_eq!(journal(world, "PRAGMA integrity_check"), "ok", "{point:?}");
    assert_eq!(journal(world, "SELECT name FROM attempts WHERE ended_wall IS NULL"), "", "{point:?}");
    world.until(&format!("the outbox to be empty after {point:?}"), |_| {
        journal(world, "SELECT CAST(id AS TEXT) FROM outbox").is_empty()
    });
    assert_eq!(journal(world, "SELECT CAST(id AS TEXT) FROM orders"), "", "{point:?}");
    let aside = std::fs::read_dir(world.dir().join("state")).unwrap();
    assert!(!aside.flatten().any(|file| file.file_name().to_string_lossy().contains("corrupt")), "{point:?}");
    world.ok(&["audit", "--verify"]);
}

fn all_points(before: Before) {
    for point in Point::ALL.iter().copied() {
        let its = way(point);
        let mut world = shop(before, its);
        let already = world.count("started");
        let alarm = (!matches!(its, Way::ByHand | Way::Counting)).then(|| world.alarm("web"));
        die(&mut world, point, already);
        world.start();
        if let Some(id) = alarm {
            let notes = world.cleared(id);
            assert_eq!(notes.matches("Restarted at").count(), 1, "{point:?}: {notes}");
        }
        world.round();
        let log = world.log();
        assert_eq!(world.count("started"), already + 1, "{point:?}, {before:?}: restarted once\n{log}");
        let new: u32 = world.lines("started").last().unwrap().parse().unwrap();
        assert_eq!(running(&world, "web"), [new], "{point:?}: and that one runs\n{log}");
        // One attempt has an end of its own; what had touched nothing yet was cancelled, and the alarm handled anew.
        let ends = "SELECT outcome FROM attempts WHERE name = 'web' AND outcome <> 'cancelled'";
        let end = if alarm.is_some() { "restarted" } else { "failed" };
        assert_eq!(journal(&world, ends), end, "{point:?}\n{log}");
        if alarm.is_none() {
            assert_eq!(status(&*world, "web")["breaker"]["failures"], 1, "{point:?}: counted once\n{log}");
        }
        sound(&world, point);
    }
}

#[test]
fn killed_at_every_point_pm_restarts_what_runs_exactly_once() {
    all_points(Before::Running);
}

#[test]
fn killed_at_every_point_pm_starts_what_is_gone_exactly_once() {
    all_points(Before::Gone);
}

/// The restart itself is the strategy's: it is cut off by the program that is stopped, and by the one that is started.
#[test]
fn killed_by_what_it_stops_or_starts_pm_leaves_one_new_instance() {
    let kill = "kill -9 $(cat @DIR@/pm.pid) 2> @DIR@/kill.err";
    for (stops, starts) in
        [(format!("trap '{kill}; exit' TERM\n"), String::new()), (String::new(), kill.to_owned())]
    {
        let mut world = shop(Before::Gone, Way::Alarm);
        let first = world.program("web", &format!("{stops}: > @DIR@/well\necho $$ >> @DIR@/started"));
        let mut instance = Command::new(&first).spawn().unwrap();
        world.until_count("started", 1);
        std::thread::spawn(move || instance.wait());
        world.program("web", &format!("[ -e @DIR@/once ] || {{ : > @DIR@/once; {starts}\n}}\n: > @DIR@/well\necho $$ >> @DIR@/started"));
        std::fs::remove_file(world.dir().join("well")).unwrap();
        let pm = world.start();
        world.write("pm.pid", &pm.to_string(), 0o644);
        let id = world.alarm("web");
        assert_eq!(world.ended(), -1, "{}", world.log());
        world.start();
        world.cleared(id);
        world.round();
        assert_eq!(world.count("started"), 2, "{}", world.log());
        let new: u32 = world.lines("started").last().unwrap().parse().unwrap();
        assert_eq!(running(&world, "web"), [new]);
        assert_eq!(journal(&world, "SELECT outcome FROM attempts WHERE name = 'web'"), "restarted");
    }
}

/// The clearing that is made once more must not wipe what has been raised meanwhile.
#[test]
fn an_alarm_that_is_raised_anew_after_the_kill_is_neither_wiped_nor_lost() {
    for point in [Point::WriteBackAnswered, Point::DeliveryWritten, Point::Delivered, Point::DeliveryTold] {
        let mut world = shop(Before::Gone, Way::Alarm);
        let id = world.alarm("web");
        die(&mut world, point, 0);
        assert_eq!(world.state(id).0, 0, "{point:?}: it was cleared");
        std::fs::remove_file(world.dir().join("well")).unwrap();
        world.again(id);
        world.start();
        let notes = world.cleared(id);
        world.round();
        assert!(notes.starts_with("again - Restarted at"), "{point:?}: {notes}");
        assert_eq!(world.count("started"), 2, "{point:?}\n{}", world.log());
        sound(&world, point);
    }
}

/// What a command does has no identity: it is repeated if pm dies while it runs, or before its end is noted.
#[test]
fn killed_at_every_point_a_command_runs_twice_only_when_its_end_was_not_noted() {
    for point in Point::ALL.iter().copied().filter(|point| way(*point) == Way::Alarm) {
        let keys = "restart_command = echo x >> @DIR@/ran\npre_restart_command = true";
        let mut world = World::with(&custom("web", keys));
        let id = world.alarm("web");
        die(&mut world, point, 0);
        world.start();
        world.cleared(id);
        world.round();
        let times = if point == Point::RestartReturned { 2 } else { 1 };
        assert_eq!(world.count("ran"), times, "{point:?}\n{}", world.log());
        sound(&world, point);
    }
}
