//! Planned work and the operator's word: what a maintenance window or an override covers, and whether it is in force.
//!
//! When a recurring window comes next is worked out elsewhere, with time zones; here is only its present or next
//! occurrence. Moments are of the wall clock, because that is what people agree on.

use crate::name::Name;
use crate::time::Wall;
use std::time::Duration;

/// What a window or an override covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every process of this host.
    All,
    /// The members of a group.
    Group(Name),
    /// One process.
    Process(Name),
}

/// One occurrence of a maintenance window: the present one, or the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its name.
    pub id: Name,
    /// Whom it covers; several scopes add up.
    pub scopes: Vec<Scope>,
    /// Why there is one, for people; may be empty.
    pub reason: String,
    /// The first moment of the occurrence.
    pub from: Wall,
    /// The first moment after it.
    pub until: Wall,
}

/// What is remembered of a maintenance window whose start was announced, until its end is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// Whom it covers; empty when that is not known.
    pub scopes: Vec<Scope>,
    /// When its start was announced.
    pub since: Wall,
    /// When it is to end.
    pub until: Wall,
}

/// A maintenance window as it was planned: all its occurrences. Data only; the calendar of the host works them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub id: Name,
    /// Whom it covers; several scopes add up.
    pub scopes: Vec<Scope>,
    /// Why there is one, for people; may be empty.
    pub reason: String,
    /// Who planned it.
    pub by: String,
    /// When it is.
    pub when: When,
}

/// When a maintenance window is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// A single time.
    Once {
        /// The first moment.
        from: Wall,
        /// The first moment after it.
        until: Wall,
    },
    /// Again and again.
    Recurring {
        /// When it starts, as a cron expression of five fields.
        cron: String,
        /// How long each one lasts, in time that passes: the hands of a clock that is put forward or back do not count.
        duration: Duration,
        /// The time zone of `cron` by its IANA name; empty for the one of the host.
        zone: String,
    },
}

/// What an operator has ordered for a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Nothing is restarted, not even by `--force`.
    Hold,
    /// Decisions are made and told, nothing is done.
    Observe,
    /// Breakers, group and backoff are ignored, and still counted. Always ends by itself.
    Bypass,
}

/// An order in force: who, why, how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Whom it covers.
    pub scope: Scope,
    /// What is ordered.
    pub order: Order,
    /// Who ordered it.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// Since when.
    pub since: Wall,
    /// The first moment at which it is over; none: until it is released.
    pub until: Option<Wall>,
}

impl Scope {
    /// Whether it covers the process `name`, which is a member of `group`.
    #[must_use]
    pub fn covers(&self, name: &Name, group: Option<&Name>) -> bool {
        match self {
            Self::All => true,
            Self::Group(its) => group == Some(its),
            Self::Process(its) => its == name,
        }
    }
}

impl Window {
    /// Whether it is open at `now`.
    #[must_use]
    pub fn is_open(&self, now: Wall) -> bool {
        self.from <= now && now < self.until
    }
    /// Whether one of its scopes covers the process `name`, which is a member of `group`.
    #[must_use]
    pub fn covers(&self, name: &Name, group: Option<&Name>) -> bool {
        self.scopes.iter().any(|scope| scope.covers(name, group))
    }
}

impl Order {
    /// The word for logs, JSON and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Observe => "observe",
            Self::Bypass => "bypass",
        }
    }
}

impl Override {
    /// Whether it is in force at `now`.
    #[must_use]
    pub fn is_in_force(&self, now: Wall) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_its_process_its_group_or_all() {
        let (web, db, front) = (Name::new("web"), Name::new("db"), Name::new("front"));
        assert!(Scope::All.covers(&web, None));
        assert!(Scope::Process(web.clone()).covers(&web, None));
        assert!(!Scope::Process(db).covers(&web, Some(&front)));
        assert!(Scope::Group(front.clone()).covers(&web, Some(&front)));
        assert!(!Scope::Group(front).covers(&web, None));
    }

    #[test]
    fn the_end_of_an_occurrence_is_outside_of_it() {
        let window = Window {
            id: Name::new("w"),
            scopes: vec![Scope::All],
            reason: String::new(),
            from: Wall(10),
            until: Wall(20),
        };
        assert_eq!([9, 10, 19, 20].map(|at| window.is_open(Wall(at))), [false, true, true, false]);
        let order = |until| Override {
            scope: Scope::All,
            order: Order::Hold,
            by: String::new(),
            why: String::new(),
            since: Wall(0),
            until,
        };
        assert!(order(None).is_in_force(Wall(i64::MAX)));
        assert_eq!([19, 20].map(|at| order(Some(Wall(20))).is_in_force(Wall(at))), [true, false]);
    }

    #[test]
    fn several_scopes_add_up_and_none_covers_nobody() {
        let window = |scopes| Window {
            id: Name::new("w"),
            scopes,
            reason: String::new(),
            from: Wall(10),
            until: Wall(20),
        };
        let (web, db, front) = (Name::new("web"), Name::new("db"), Name::new("front"));
        let both = window(vec![Scope::Process(db.clone()), Scope::Group(front.clone())]);
        assert!(both.covers(&web, Some(&front)) && both.covers(&db, None));
        assert!(!both.covers(&web, None));
        assert!(!window(Vec::new()).covers(&web, Some(&front)));
    }

    #[test]
    fn each_order_has_its_word() {
        let words = [Order::Hold, Order::Observe, Order::Bypass].map(Order::word);
        assert_eq!(words, ["hold", "observe", "bypass"]);
    }
}
