//! What can happen, how it is thrown, and how it reads in the list that a failure prints.

use pm_policy::breaker::Admission;
use pm_policy::model::End;
use proptest::prelude::*;

/// Whom things happen to. The first three are members of the group shop, if there is one; api depends on db, if anything does.
pub(crate) const NAMES: [&str; 5] = ["web", "api", "cart", "db", "mail"];

/// One of [`NAMES`].
pub(crate) type Who = usize;

/// Something that happens; then pm looks and decides.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// So many seconds pass, and pm polls.
    Pass(u32),
    /// So many seconds pass without a poll.
    Wait(u32),
    /// A row comes into alarm.
    Alarm(Who),
    /// Somebody else clears a row.
    Clear(Who),
    /// The job that runs for it, if one does, ends.
    Ends(Who, Comes),
    /// The result of a restart that is not the one that runs arrives: one that was made by hand.
    ByHand(Who, Comes),
    /// An operator orders something, for one or for all.
    Orders(Word, Option<Who>),
    /// All orders of operators end.
    Release,
    /// A maintenance window opens for so many minutes, for one or for all.
    Window(Option<Who>, u32),
    /// What the strategy works with goes away: no restart can be carried out any more.
    BusGone,
    /// It is back.
    BusBack,
    /// The database goes away.
    Away,
    /// The database is back.
    Back,
    /// An operator resets one process, or the group.
    Reset(Option<Who>),
    /// An operator believes the mass alarm.
    Believe,
}

/// What an operator orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Hold,
    Observe,
    Bypass,
}

/// What comes of a job. A job that only looks makes of each what it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    /// It helps, as far as known.
    Good,
    /// It does not help.
    Bad,
    /// It turns out healthy before anything was done.
    Healthy,
    /// The driver fails.
    NoDriver,
    /// It is called off before it began.
    CalledOff,
}

impl Comes {
    /// As the end of a restart that was made by hand.
    pub(crate) fn by_hand(self) -> End {
        match self {
            Self::Good | Self::Healthy => End::Restarted,
            Self::Bad => End::Failed,
            Self::NoDriver => End::Infrastructure,
            Self::CalledOff => End::Cancelled,
        }
    }
}

/// The numbers of a host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) threshold: u32,
    pub(crate) jitter: u8,
    pub(crate) backoff: u64,
    /// Everybody but mail has a check.
    pub(crate) checked: Present,
    pub(crate) group: Present,
    pub(crate) budget: u32,
    pub(crate) depends: Present,
    /// `mass_alarm_min`.
    pub(crate) mass_min: u32,
    /// `storm_limit`.
    pub(crate) storm: u32,
}

/// Whether there is something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Present {
    Yes,
    No,
}

pub(crate) fn setting() -> impl Strategy<Value = Setting> {
    let present = || prop_oneof![Just(Present::Yes), Just(Present::No)];
    let numbers = (1_u32..5, prop_oneof![Just(0_u8), Just(15)], prop_oneof![Just(0_u64), Just(10)]);
    let limits = (1_u32..6, prop_oneof![Just(0_u32), Just(3)], prop_oneof![Just(0_u32), Just(2)]);
    (numbers, present(), present(), present(), limits).prop_map(
        |((threshold, jitter, backoff), checked, group, depends, (budget, mass_min, storm))| Setting {
            threshold,
            jitter,
            backoff,
            checked,
            group,
            budget,
            depends,
            mass_min,
            storm,
        },
    )
}

/// A history of up to `most` events. Alarms, ends of jobs and time are what happens most.
pub(crate) fn history(most: usize) -> impl Strategy<Value = Vec<Event>> {
    let who = || 0..NAMES.len();
    let one_or_all = || proptest::option::of(0..NAMES.len());
    let comes = || {
        prop_oneof![
            3 => Just(Comes::Good),
            4 => Just(Comes::Bad),
            1 => Just(Comes::Healthy),
            1 => Just(Comes::NoDriver),
            1 => Just(Comes::CalledOff),
        ]
    };
    let word = prop_oneof![Just(Word::Hold), Just(Word::Observe), Just(Word::Bypass)];
    let time = || prop_oneof![4 => 1_u32..30, 2 => 30_u32..400, 1 => 400_u32..4_000];
    let event = prop_oneof![
        6 => time().prop_map(Event::Pass),
        1 => (1_u32..700).prop_map(Event::Wait),
        9 => who().prop_map(Event::Alarm),
        1 => who().prop_map(Event::Clear),
        12 => (who(), comes()).prop_map(|(who, comes)| Event::Ends(who, comes)),
        1 => (who(), comes()).prop_map(|(who, comes)| Event::ByHand(who, comes)),
        1 => (word, one_or_all()).prop_map(|(word, whom)| Event::Orders(word, whom)),
        1 => Just(Event::Release),
        1 => (one_or_all(), 1_u32..30).prop_map(|(whom, minutes)| Event::Window(whom, minutes)),
        1 => Just(Event::BusGone),
        1 => Just(Event::BusBack),
        1 => Just(Event::Away),
        1 => Just(Event::Back),
        1 => one_or_all().prop_map(Event::Reset),
        1 => Just(Event::Believe),
    ];
    proptest::collection::vec(event, 1..most)
}

/// What is said of a breaker in the list that a failure prints.
pub(crate) fn said(admission: Admission) -> &'static str {
    match admission {
        Admission::Allowed => "closed",
        Admission::Probe => "due for its trial",
        Admission::Spent => "spent",
        Admission::Refused { .. } => "open",
    }
}
