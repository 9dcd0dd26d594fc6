//! What crosses the port to the journal about operators: who asked for what and why, what the daemon has to do once
//! because of it, and the audit.
//!
//! Plain data and the words for it. Whether an override is in force is asked of the policy; who somebody is, is what
//! they said of themselves.

use crate::policy::model::{AttemptId, Name, printable};
use crate::policy::time::Wall;
use crate::policy::window::{Order, Override, Scope};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// Who asks for something, why, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who, by their own account.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// When it was asked.
    pub at: Wall,
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Puts an override in force, in place of an earlier one of the same scope and order.
    Override {
        /// Whom it covers.
        scope: Scope,
        /// What is ordered.
        order: Order,
        /// The first moment at which it is over; none: until it is released.
        until: Option<Wall>,
    },
    /// Takes overrides of a scope away.
    Release {
        /// The scope that they were put on.
        scope: Scope,
        /// Which of them; none: all.
        order: Option<Order>,
    },
    /// The alarms that the guard against a mass alarm holds are believed.
    Believe,
    /// Breakers closed, failures forgotten.
    Reset {
        /// Whom it covers.
        scope: Scope,
        /// Whose stored standings change at once. Empty while a daemon runs: it owns them, and does it by the order.
        at_once: BTreeSet<Name>,
    },
}

/// Something that the daemon has to do once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Its number; never used twice, and greater than those before it.
    pub id: i64,
    /// What.
    pub verb: Verb,
    /// Who asked for it.
    pub request: Request,
}

/// What the daemon has to do once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Close breakers and forget failures.
    Reset(Scope),
    /// Believe the alarms of a mass alarm.
    Believe,
    /// Count the outcome of a restart by hand.
    Counted(AttemptId),
}

/// An entry of the audit: a request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who asked, why, when.
    pub request: Request,
    /// What was asked: `hold`, `release observe`, `restart --force`.
    pub verb: String,
    /// For whom.
    pub scope: Scope,
    /// Until when, if it was to end by itself.
    pub until: Option<Wall>,
    /// What came of it, one line; a refusal begins with `refused: `.
    pub result: String,
}

/// An entry as it stands in the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its number, without gaps from 1 on.
    pub number: i64,
    /// The entry.
    pub entry: Entry,
    /// Its hash in hexadecimal digits, which covers the hash of the entry before it.
    pub hash: String,
}

/// Which entries of the audit are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those about a process, its group, or all processes; none: all entries.
    pub of: Option<Name>,
    /// The group of that process.
    pub group: Option<Name>,
    /// Those that are not older.
    pub since: Option<Wall>,
    /// At most so many, the newest ones.
    pub limit: usize,
}

/// What became of the chain of hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How many entries there are.
    pub entries: u64,
    /// Number of the first one that is kept.
    pub first: Option<i64>,
    /// Number and hash of the last one. Written down elsewhere, it shows later whether everything up to it still is
    /// as it was.
    pub last: Option<(i64, String)>,
    /// The first thing that is not as it was written; none: nothing is.
    pub flaw: Option<String>,
}

impl Wish {
    /// The verb as the audit has it.
    #[must_use]
    pub fn verb(&self) -> String {
        match self {
            Self::Override { order, .. } => order.word().to_owned(),
            Self::Release { order: None, .. } => "release".to_owned(),
            Self::Release { order: Some(order), .. } => format!("release {}", order.word()),
            Self::Believe => "release mass-alarm".to_owned(),
            Self::Reset { .. } => "reset".to_owned(),
        }
    }
    /// Whom it is about.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Believe => &Scope::All,
            Self::Override { scope, .. } | Self::Release { scope, .. } | Self::Reset { scope, .. } => scope,
        }
    }
    /// Until when it is asked for.
    #[must_use]
    pub fn until(&self) -> Option<Wall> {
        match self {
            Self::Override { until, .. } => *until,
            Self::Release { .. } | Self::Believe | Self::Reset { .. } => None,
        }
    }
    /// The entry that says what came of it.
    #[must_use]
    pub fn entry(&self, request: &Request, result: String) -> Entry {
        Entry {
            request: request.clone(),
            verb: self.verb(),
            scope: self.scope().clone(),
            until: self.until(),
            result,
        }
    }
}

/// The scope for people: `all processes`, `the group front`, `web`.
#[must_use]
pub fn whom(scope: &Scope) -> String {
    match scope {
        Scope::All => "all processes".to_owned(),
        Scope::Group(name) => format!("the group {name}"),
        Scope::Process(name) => name.to_string(),
    }
}

impl Request {
    /// Who asked and why: `by ana (disk swap)`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let why = if self.why.is_empty() { String::new() } else { format!(" ({})", printable(&self.why)) };
        format!("by {}{why}", printable(&self.by))
    }
}

/// That an override is in force and covers nobody, for the log.
#[must_use]
pub fn covers_nobody(given: &Override) -> String {
    let what = match &given.scope {
        Scope::Group(_) => "nobody is in this group",
        Scope::All | Scope::Process(_) => "no such process is configured",
    };
    format!(
        "OPERATOR LOG: In force and of no effect: {}: {what}; give it for another name, or end it: pm release {}",
        in_words(given),
        as_option(&given.scope)
    )
}

/// The entry of the audit for an override that has ended by itself.
#[must_use]
pub fn end_of(given: &Override, now: Wall) -> Entry {
    Entry {
        request: Request { by: "pm".to_owned(), why: String::new(), at: now },
        verb: format!("end of {}", given.order.word()),
        scope: given.scope.clone(),
        until: given.until,
        result: format!("ended by itself; it was given by {}", printable(&given.by)),
    }
}

/// The scope as the command line has it: `--all`, `--group front`, `web`.
#[must_use]
pub fn as_option(scope: &Scope) -> String {
    match scope {
        Scope::All => "--all".to_owned(),
        Scope::Group(name) => format!("--group {name}"),
        Scope::Process(name) => name.to_string(),
    }
}

/// By whom, how long and why: `by ana until 2026-12-01 22:00:00 (disk swap)`, in local time.
#[must_use]
pub fn by_whom(by: &str, until: Option<Wall>, why: &str) -> String {
    let until = until.map_or_else(|| "until it is released".to_owned(), |at| format!("until {}", moment(at)));
    let why = if why.is_empty() { String::new() } else { format!(" ({})", printable(why)) };
    format!("by {} {until}{why}", printable(by))
}

/// An override for people: `hold of web by ana until it is released (disk swap)`.
#[must_use]
pub fn in_words(given: &Override) -> String {
    let Override { scope, order, by, why, until, .. } = given;
    format!("{} of {} {}", order.word(), whom(scope), by_whom(by, *until, why))
}

/// Why a restart may not begin, and what to do.
pub(super) fn held(name: &Name, scope: &Scope, by: &str, why: &str, until: Option<Wall>) -> String {
    let with = match scope {
        Scope::Process(_) => String::new(),
        wider => format!(" with {}", whom(wider)),
    };
    format!(
        "\"{name}\" is held{with} {}; to end that: pm release {}",
        by_whom(by, until, why),
        as_option(scope)
    )
}

/// Local time; a clock that is wrong by ten thousand years shows the end of time.
fn moment(at: Wall) -> String {
    let end = if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let at = Timestamp::from_millisecond(at.0).unwrap_or(end);
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_write_is_shown_and_cannot_draw() {
        let scope = Scope::Group(Name::new("fr\u{1b}ont"));
        let text = held(&Name::new("web"), &scope, "ana\n", "disk\u{202e}", None);
        let expected = "\"web\" is held with the group fr\\u{1b}ont by ana\\u{a} until it is released \
                        (disk\\u{202e}); to end that: pm release --group fr\\u{1b}ont";
        assert_eq!(text, expected);
        assert!(by_whom("ana", Some(Wall(i64::MAX)), "").starts_with("by ana until 9999-12-"));
    }

    #[test]
    fn a_wish_has_the_words_of_the_command_line() {
        let scope = Scope::Process(Name::new("web"));
        let verbs = [
            Wish::Override { scope: scope.clone(), order: Order::Bypass, until: Some(Wall(9)) },
            Wish::Release { scope: scope.clone(), order: None },
            Wish::Release { scope: scope.clone(), order: Some(Order::Observe) },
            Wish::Reset { scope: scope.clone(), at_once: BTreeSet::new() },
        ]
        .map(|wish| (wish.verb(), wish.until()));
        let expected =
            [("bypass", Some(Wall(9))), ("release", None), ("release observe", None), ("reset", None)]
                .map(|(verb, until)| (verb.to_owned(), until));
        assert_eq!(verbs, expected);
    }
}
