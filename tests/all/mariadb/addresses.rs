//! `host` with several addresses of one database: the first is lost in the middle of the work, and the next one goes on with
//! it. Nothing is lost, nothing is done twice, and the log says which one is used.

use super::{BACK, Base, LEAST, LOST, R8, WAITING, World, custom};
use pm_tests::proxy::{Fault, Proxy};
use std::collections::BTreeSet;

/// Says that another address is used.
const MOVED: &str = "from now on, not at";

/// Two ways to the one server.
fn twofold(sections: &str) -> Option<(World, [Proxy; 2])> {
    let base = Base::new(R8)?;
    let ways = [Proxy::to(base.server.port), Proxy::to(base.server.port)];
    let user = base.account(LEAST);
    let host = format!("host = 127.0.0.1:{}, 127.0.0.1:{}\n", ways[0].port(), ways[1].port());
    let database = host + &base.login(&user) + "connect_timeout = 0.5\nread_timeout = 1\n";
    Some((World::on(base, &database, "", sections), ways))
}

fn at(way: &Proxy) -> String {
    format!("127.0.0.1:{}", way.port())
}

#[test]
fn an_address_that_is_lost_in_the_middle_of_a_restart_is_replaced_by_the_next() {
    for fault in [Fault::Gone, Fault::Freeze] {
        let Some((mut world, [first, second])) = twofold(&custom("web", WAITING)) else { return };
        world.start();
        let id = world.base.alarm("web");
        world.until_count("begun", 1);
        assert_eq!(
            world.said(&format!("The alarm database is used at {}", at(&first))),
            1,
            "{}",
            world.log()
        );
        first.set(fault);
        world.until_said(MOVED, 1);
        world.write("go", "", 0o644);
        assert!(world.cleared(id).starts_with("down - Restarted at "));
        world.round();
        let moved = format!("used at {} from now on, not at {}: ", at(&second), at(&first));
        assert_eq!(
            (world.said(&moved), world.count("begun"), world.story()),
            (1, 1, vec![]),
            "{}",
            world.log()
        );
        let status = world.discreet(&["status"]);
        let address = format!("Address        {}; {}: ", at(&second), at(&first));
        assert!(status.code == 0 && status.out.contains(&address), "{status:?}");
        let both = format!("mysql {}, {}/", at(&first), at(&second));
        for words in [&["db", "status"][..], &["check"]] {
            let told = world.discreet(words);
            assert!(told.code == 0 && told.out.contains(&both), "{told:?}");
        }
        // The first one is back, and nobody goes there until the second one is lost.
        first.set(Fault::None);
        world.round();
        assert_eq!(world.said(MOVED), 1, "{}", world.log());
        second.set(Fault::Gone);
        world.round();
        assert_eq!(
            (world.said(MOVED), world.count("begun"), world.story()),
            (2, 1, vec![]),
            "{}",
            world.log()
        );
    }
}

#[test]
fn when_none_answers_it_is_one_line_that_names_them_all() {
    let Some((mut world, ways)) = twofold(&custom("web", "restart_command = echo x >> @DIR@/ran")) else {
        return;
    };
    ways.iter().for_each(|way| way.set(Fault::Gone));
    let id = world.base.alarm("web");
    world.start();
    world.until_log(LOST);
    let complaint = world.complaint();
    let both =
        format!("reaching the alarm database at {}, {}: no address serves; ", at(&ways[0]), at(&ways[1]));
    assert!(complaint.contains(&both), "{complaint}");
    world.away(&at(&ways[1]));
    ways[1].set(Fault::None);
    world.until_log(BACK);
    world.cleared(id);
    assert_eq!((world.count("ran"), world.story()), (1, vec!["lost", "back"]), "{}", world.log());
    assert_eq!(world.said(&format!("The alarm database is used at {}; {}: ", at(&ways[1]), at(&ways[0]))), 1);
}

/// Whether pm lives on or is killed at the same moment makes no difference.
#[test]
fn a_burst_of_alarms_that_loses_its_address_is_cleared_once_each() {
    const ALARMS: i64 = 40;
    for killed in [false, true] {
        let sections: String = (1..=ALARMS)
            .map(|n| custom(&format!("p{n}"), "restart_command = echo $process_id >> @DIR@/ran"))
            .collect();
        let Some((mut world, [first, second])) = twofold(&sections) else { return };
        (1..=ALARMS).for_each(|id| world.base.put(id, &format!("p{id}"), 1, Some("down")));
        world.start();
        let open = format!("SELECT COUNT(*) FROM STATUS_PROCESS WHERE alarma = 1 AND process_id <= {ALARMS}");
        world.until("some to be cleared", |_| world.base.number(&open) < ALARMS - 5);
        first.set(Fault::Gone);
        if killed {
            world.kill();
            world.start();
        }
        world.until("all to be cleared", |_| world.base.number(&open) == 0);
        world.round();
        world.delivered();
        let ran = world.lines("ran");
        let each: BTreeSet<_> = ran.iter().collect();
        // A command has no identity: those that ran when pm was killed, four at the most, run once more.
        let most = if killed { each.len() + 4 } else { each.len() };
        assert!(each.len() == 40 && ran.len() <= most, "{ran:?}\n{}", world.log());
        let twice = "SELECT COUNT(*) FROM STATUS_PROCESS WHERE notes LIKE '%Restarted%Restarted%'";
        assert_eq!((world.base.number(twice), world.story()), (0, vec![]), "{}", world.log());
        let now = format!("used at {}", at(&second));
        assert!(world.said(&now) == 1 && second.connections() > 0, "{}", world.log());
    }
}
