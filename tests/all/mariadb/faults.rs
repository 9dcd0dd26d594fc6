//! Everything that a way to the server can do, at every moment of an alarm: one restart, one clearing, one line for each
//! change, and nothing that stays open.

use super::{LOST, World, custom};
use pm_tests::proxy::{Fault, Proxy};
use std::time::Duration;

/// Faults, and whether they are over by themselves.
fn faults() -> Vec<(Fault, Over)> {
    let cut = [1, 4, 5, 9, 30, 60, 90, 120, 150, 200].map(|bytes| (Fault::CutAfter(bytes), Over::ByItself));
    let mut all = vec![
        (Fault::Delay(Duration::from_millis(150)), Over::Harmless),
        // The answer comes when pm, which waits for a second, has given it up.
        (Fault::Delay(Duration::from_millis(1300)), Over::WhenLifted),
        (Fault::Freeze, Over::WhenLifted),
        (Fault::HalfClose, Over::WhenLifted),
        (Fault::Gone, Over::WhenLifted),
        (Fault::CutAnswer, Over::ByItself),
        // A packet that promises more than it holds, and one with another number than is due.
        (Fault::Answer(vec![0xff; 40]), Over::ByItself),
        (Fault::Answer(vec![1, 0, 0, 77, 0]), Over::ByItself),
    ];
    all.extend(cut);
    all
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    ByItself,
    WhenLifted,
    /// pm does not even notice.
    Harmless,
}

/// Waits until pm has met the fault, and lifts it.
fn suffer(world: &World, proxy: &Proxy, over: Over, lost: usize) {
    match over {
        Over::ByItself => world.until("the fault to act", |_| proxy.fault() == Fault::None),
        Over::WhenLifted => world.until("pm to notice", |_| world.said(LOST) > lost),
        Over::Harmless => {}
    }
}

#[test]
fn whatever_the_way_does_each_alarm_is_restarted_and_cleared_once() {
    let command = "echo x >> @DIR@/begun; while [ -e @DIR@/wait ]; do sleep 0.01; done";
    let Some((mut world, proxy)) =
        World::proxied("", &custom("web", &format!("restart_command = {command}")))
    else {
        return;
    };
    world.start();
    let id = world.handled("web");
    let mut runs = 1;
    for (fault, over) in faults() {
        for during in [false, true] {
            let what =
                format!("{fault:?}, {}", if during { "during the restart" } else { "before the alarm" });
            let lost = world.said(LOST);
            runs += 1;
            if during {
                world.write("wait", "", 0o644);
                world.base.again(id, "down");
                world.until_count("begun", runs);
                proxy.set(fault.clone());
                // Polls go on while the restart runs, and the clearing follows on the same way.
                if over == Over::WhenLifted {
                    suffer(&world, &proxy, over, lost);
                }
                std::fs::remove_file(world.dir().join("wait")).unwrap();
                suffer(&world, &proxy, over, lost);
            } else {
                proxy.set(fault.clone());
                world.base.again(id, "down");
                suffer(&world, &proxy, over, lost);
            }
            if over == Over::Harmless {
                world.cleared(id);
            }
            proxy.set(Fault::None);
            let notes = world.cleared(id);
            assert_eq!(notes.matches("Restarted at").count(), 1, "{what}: {notes}");
            world.round();
            world.delivered();
            assert_eq!(world.count("begun"), runs, "{what}\n{}", world.log());
            let lost = world.said(LOST) - lost;
            assert!(lost <= 1, "{what}: one line for a change, not {lost}\n{}", world.log());
        }
    }
    // What was lost came back, each time; nothing is left open; and pm says of nothing that it is the fault of web.
    let story = world.story();
    assert!(story.chunks(2).all(|pair| *pair == ["lost", "back"]), "{story:?}");
    assert_eq!(world.journal("SELECT COUNT(*) FROM attempts WHERE ended_wall IS NULL"), 0);
    let bad = "SELECT COUNT(*) FROM attempts WHERE outcome <> 'restarted'";
    assert_eq!(world.journal(bad), 0, "{}", world.log());
    world.stop();
}
