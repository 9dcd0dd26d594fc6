//! The guard against a mass alarm: somebody forgot a WHERE, or everything is really down.

use super::{World, config, custom, in_order, programs, real, running, status};

const NAMES: [&str; 4] = ["w1", "w2", "w3", "w4"];

/// Four real programs, of which these run, and one process without a check; all in alarm by one statement.
fn hit(alive: &[&str]) -> (World, Vec<i64>, Vec<u32>) {
    hit_with("", alive)
}

fn hit_with(keys: &str, alive: &[&str]) -> (World, Vec<i64>, Vec<u32>) {
    let sections: String = NAMES.iter().map(|name| real(name, "")).collect();
    let blind = custom("blind", "restart_command = echo blind >> @DIR@/started");
    let mut world = World::of(&config(
        &format!("mass_alarm_min = 4\nmass_alarm_share = 50\n{keys}"),
        &(sections + &blind),
    ));
    programs(&world, &NAMES, alive);
    let rows: Vec<_> = NAMES.iter().chain(&["blind"]).map(|name| world.alarm(name)).collect();
    world.table.execute("UPDATE STATUS_PROCESS SET alarma = 1", []).unwrap();
    let pids = alive.iter().flat_map(|name| running(&world, name)).collect();
    world.start();
    (world, rows, pids)
}

/// What is said of each alarm that is held.
const HELD: &str = "mass alarm, and 3 of the 4 looked at are healthy: clear the alarms that are wrong (pm alarm clear), or make pm \
                    believe them: pm release --mass-alarm";

#[test]
fn wrong_alarms_are_held_and_asked_about_and_only_what_is_bad_is_restarted() {
    let (world, rows, pids) = hit(&["w1", "w2", "w4"]);
    world.until_log("WARNING] - Mass alarm: 5 of 5 processes are in alarm at once. Each is looked at before anything is restarted");
    world.until_log(
        "WARNING] - Mass alarm: 3 of the 4 processes looked at are healthy, so the alarms are not believed.",
    );
    // w3 is really down.
    world.cleared(rows[2]);
    world.until("w1 to be held", |world| world.ok(&["why", "w1"]).contains(HELD));
    assert_eq!(world.said("Not acting on w1"), 0, "one summary, and no line for each of many rows");
    let still = |world: &World| {
        [0, 1, 3].iter().flat_map(|place: &usize| running(world, NAMES[*place])).collect::<Vec<_>>()
    };
    assert_eq!(still(&world), pids, "no healthy process is touched");
    assert_eq!(world.count("started"), 4, "{}", world.log());
    assert!([0, 1, 3, 4].iter().all(|place| world.state(rows[*place]).0 == 1));
    for name in ["w1", "blind"] {
        let why = world.ok(&["why", name]);
        assert!(why.contains(&format!("HOLD mass alarm    {HELD}\n")), "{why}");
    }
    // The operator believes them: those with a check are looked at first, the others restarted.
    let told = world.ok(&["release", "--mass-alarm", "--by", "ana", "--why", "the switch was down"]);
    assert!(
        told.starts_with("The alarms of the mass alarm are believed: what has a check is looked at first, the rest is restarted.\n"),
        "{told}"
    );
    for id in &rows {
        world.cleared(*id);
    }
    assert_eq!(still(&world), pids);
    assert_eq!(world.lines("started")[4..], ["blind"]);
    world.until_log("The mass alarm is over");
    let told = world.ok(&["release", "--mass-alarm"]);
    assert!(told.starts_with("There is no mass alarm now, so nothing is held because of one.\n"), "{told}");
    world.until_log("There is no mass alarm, so ");
    assert_eq!(world.said("are believed, by order of"), 1, "{}", world.log());
    in_order(
        &world,
        &[
            "so the alarms are not believed",
            "The alarms of the mass alarm are believed, by order of ana (the switch was down)",
            "The mass alarm is over",
        ],
    );
    let audit = world.ok(&["audit"]);
    assert!(audit.contains("mass-alarm") && audit.contains("the switch was down"), "{audit}");
}

#[test]
fn many_looks_at_healthy_processes_are_no_storm_of_restarts() {
    let (world, rows, pids) = hit_with("storm_limit = 2\nstorm_refill = 1", &NAMES);
    world.until_log("4 of the 4 processes looked at are healthy, so the alarms are not believed");
    world.ok(&["release", "--mass-alarm"]);
    for id in rows {
        world.cleared(id);
    }
    let still: Vec<_> = NAMES.iter().flat_map(|name| running(&world, name)).collect();
    assert_eq!((still, world.said("storm_limit")), (pids, 0), "{}", world.log());
}

#[test]
fn clearing_the_wrong_alarms_ends_it_and_nothing_was_restarted() {
    let (mut world, _, pids) = hit(&NAMES);
    world.until_log("4 of the 4 processes looked at are healthy, so the alarms are not believed");
    // Neither a stop nor a death of pm makes it forget that the alarms are not to be believed.
    world.kill();
    world.start();
    world.until("blind to be held", |world| world.ok(&["why", "blind"]).contains("HOLD mass alarm"));
    world.ok(&["alarm", "clear", "--all"]);
    world.until_log("The mass alarm is over");
    let still: Vec<_> = NAMES.iter().flat_map(|name| running(&world, name)).collect();
    assert_eq!((still, world.count("started")), (pids, 4), "{}", world.log());
    assert_eq!(status(&world, "w1")["breaker"]["did_not_help"], 0);
    // It works as before.
    let id = world.alarm("blind");
    world.cleared(id);
    assert_eq!(world.count("started"), 5);
}

#[test]
fn when_most_are_really_bad_the_alarms_are_believed_without_asking() {
    let (world, rows, pids) = hit(&["w4"]);
    world.until_log("Mass alarm: 1 of the 4 processes looked at are healthy, so the alarms are believed");
    for id in rows {
        world.cleared(id);
    }
    assert_eq!((running(&world, "w4"), world.count("started")), (pids, 5), "{}", world.log());
    world.until_log("The mass alarm is over");
}
