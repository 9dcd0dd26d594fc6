//! Forgets what was remembered of a process that is not configured any more.
//!
//! It waits until nothing is left to be done or seen of it: a job that runs comes to its end, a clearing is delivered, and
//! a row that is still in alarm keeps what is known of it, in case the section comes back.

use crate::fate::{Fate, Seen};
use crate::model::{Configured, Sight, View};
use crate::state::State;

/// Forgets whoever was removed from the configuration.
pub(super) fn forget(state: &mut State, view: &View<'_>, seen: &Seen<'_>) {
    if view.sight == Sight::Blind {
        return;
    }
    let State { standings, dirty, .. } = state;
    standings.retain(|name, its| {
        let at_work = its.in_flight.is_some() || its.ended.is_some() || !its.handled.is_empty();
        let removed = view.configured.get(name) == Some(&Configured::No);
        let gone = removed && !at_work && seen.fate(name) == Fate::Quiet;
        if gone {
            dirty.standings.insert(name.clone());
        }
        !gone
    });
}

#[cfg(test)]
mod tests {
    use crate::breaker::Breaker;
    use crate::model::{Configured, Handled, InFlight, Name, RowId, Sight, Verify};
    use crate::testing::World;
    use crate::time::Ticks;

    /// A world that remembers trouble of web, which is not configured any more; whether it is forgotten.
    fn is_forgotten(prepare: fn(&mut World)) -> bool {
        let mut world = World::new(&[]);
        let web = Name::new("web");
        world.configured.insert(web.clone(), Configured::No);
        world.standing("web").breaker = Breaker { level: 2, ..Breaker::default() };
        prepare(&mut world);
        let _ = world.advance();
        let forgotten = !world.state.standings.contains_key(&web);
        assert!(world.state.dirty.standings.contains(&web) || !forgotten);
        forgotten
    }

    #[test]
    fn a_removed_process_is_forgotten_when_nothing_is_left_to_be_done_or_seen_of_it() {
        assert!(is_forgotten(|_| ()));
        assert!(!is_forgotten(|world| world.sight = Sight::Blind));
        assert!(!is_forgotten(|world| world.standing("web").in_flight =
            Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly })));
        assert!(!is_forgotten(|world| {
            let mark = Handled { row: RowId(1), notes: None, recheck: Ticks(1) };
            world.standing("web").handled.push(mark);
        }));
        assert!(!is_forgotten(|world| {
            world.alarm(&["web"]);
            world.configured.insert(Name::new("web"), Configured::No);
        }));
        // A poll that began before its job ended has not seen how it is.
        assert!(!is_forgotten(|world| world.standing("web").ended = Some(world.now.boot)));
    }

    #[test]
    fn only_what_is_known_to_be_removed_is_forgotten() {
        assert!(!is_forgotten(|world| world.configured.clear()));
        assert!(!is_forgotten(|world| {
            world.rules("web");
        }));
        assert!(!is_forgotten(|world| {
            let unusable = Configured::Unusable("no plugin".to_owned());
            world.configured.insert(Name::new("web"), unusable);
        }));
    }
}
