//! What `identity` has just seen, for the `restart` that follows it: saves that one a question to systemd.
//!
//! A state is used once, for the same unit, and only while it is fresh. A stale one would do no harm either: starting what
//! has come up meanwhile changes nothing, and restarting what has gone down starts it.

use crate::names::Unit;
use crate::state::UnitState;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// pm notes the identity in its journal before it goes on, which a slow disk delays.
const FRESH: Duration = Duration::from_secs(1);

/// The last state seen by one strategy.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Option<(Unit, UnitState, Instant)>>);

impl Recent {
    pub(crate) fn put(&self, unit: Unit, state: UnitState, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((unit, state, now));
    }

    pub(crate) fn take(&self, unit: &Unit, now: Instant) -> Option<UnitState> {
        let (seen, state, at) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        (seen == *unit && now.saturating_duration_since(at) < FRESH).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_used_once_while_fresh_and_for_its_unit_only() {
        let (web, shop) = (Unit::named("web").unwrap(), Unit::named("shop").unwrap());
        let state = UnitState { id: "web.service".into(), ..UnitState::default() };
        let now = Instant::now();
        let recent = Recent::default();
        assert_eq!(recent.take(&web, now), None);

        recent.put(web.clone(), state.clone(), now);
        assert_eq!(recent.take(&web, now + FRESH / 2), Some(state.clone()));
        assert_eq!(recent.take(&web, now), None, "used once");

        recent.put(web.clone(), state.clone(), now);
        assert_eq!(recent.take(&web, now + FRESH), None, "stale");

        recent.put(web.clone(), state, now);
        assert_eq!(recent.take(&shop, now), None, "another unit");
    }
}
