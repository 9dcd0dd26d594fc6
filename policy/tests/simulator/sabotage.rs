//! Lies that are told to the policy, or done to what it remembers or answers, while the checks know the truth: each must be
//! noticed, or the checks prove nothing.
//!
//! Each rule of `check` and of the end of a year is broken by one of them. Without a lie of its own is only what several
//! of them would break at once.

mod answer;
mod memory;
mod told;

pub(crate) use told::Lies;

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    Nothing,
    // What the policy is told.
    NoHolds,
    NoWindows,
    NoObserving,
    NoIntake,
    NoTicks,
    /// Dependencies and groups are not told.
    NoRelations,
    /// Groups let everybody through.
    NoGroups,
    NoStorm,
    NoParallel,
    NoGuard,
    /// Each alarm is a mass alarm.
    EasyGuard,
    NoReadOnly,
    /// The database always answers.
    NoBlindness,
    NoVerifyFirst,
    /// Whoever has no section has one.
    AllConfigured,
    /// Whoever has no check has one.
    AllChecked,
    /// The least critical first.
    UpsideDown,
    /// Breakers stay open for longer than is configured.
    LongOpen,
    // What it remembers.
    /// Breakers forget that they are open.
    NoOpen,
    /// Restarts are not counted.
    NoCount,
    /// Only the last restart is counted.
    HalfCount,
    /// Failures in a row are not counted.
    NoFailures,
    /// One failure counts as many.
    ManyFailures,
    /// Open breakers stay open.
    NoHalfOpen,
    /// Half-open breakers forget that their restart was made.
    NoProbation,
    /// A stable period is always over.
    NoStableTime,
    /// No stable period is ever over.
    NoForgiving,
    LevelJump,
    NoPause,
    /// Groups forget who is their canary.
    NoCanary,
    /// A canary has always proved itself.
    NoCanaryProof,
    /// An open group is half-open at once.
    NoGroupTime,
    /// Groups forget who is in trouble.
    NoTrouble,
    /// Drivers are never away.
    NoDrivers,
    /// A driver that is away is asked again at once.
    NoDriverTime,
    /// A driver that failed once has been away.
    AwayTooSoon,
    /// A process whose driver failed is not left alone.
    NoDriverPause,
    /// A mass alarm is believed before it was looked at.
    MassBelieved,
    /// What is held in a mass alarm is let go.
    MassLetGo,
    /// Whoever was looked at was healthy.
    MassHealthy,
    /// A mass alarm forgets whom it is about.
    MassForgets,
    /// A mass alarm that is held is looked at anew.
    MassAnew,
    /// What was restarted is not remembered.
    NoDoubt,
    /// The end of a window leaves no mark.
    NoMarks,
    /// What runs is forgotten.
    NoInFlight,
    /// Windows are forgotten as soon as they were announced.
    NoWindowMemory,
    /// A window ends that nobody has heard of.
    GhostWindow,
    // What it answers.
    /// What is held in a mass alarm is said to be believed.
    WrongVerdict,
    /// Held alarms get lost.
    NoHeld,
    /// A job begins twice.
    Twice,
    NoWakeUp,
    /// The order of a plan is another one each time.
    Moody,
    /// Checks do not say what they saw.
    Speechless,
    /// Who came back with what it depends on is not looked at.
    Impatient,
    /// Who is in a mass alarm that is believed is not looked at.
    Credulous,
    /// Waiting clearings are not withdrawn.
    NoWithdrawal,
    /// What is bad is cleared.
    ClearsBad,
    /// Rows of somebody else are cleared.
    ClearsOthers,
    /// Nothing is cleared.
    NoClearing,
    /// Numbers of attempts are used again after a reboot.
    SameIds,
}

impl Sabotage {
    /// Each with the rule that it breaks.
    pub(crate) const ALL: &[(Self, &str)] = &[
        (Self::NoHolds, "never while it is held"),
        (Self::NoWindows, "never in a maintenance window"),
        (Self::NoObserving, "never while it is observed"),
        (Self::NoIntake, "never while pm only observes or stops"),
        (Self::NoTicks, "never what is ticked"),
        (Self::NoRelations, "what it depends on comes first"),
        (Self::NoGroups, "a group lets nobody through out of turn"),
        (Self::NoStorm, "no storm of restarts"),
        (Self::NoParallel, "so many at once"),
        (Self::NoGuard, "a mass alarm is noticed"),
        (Self::EasyGuard, "a mass alarm is one"),
        (Self::NoReadOnly, "the table cannot be written"),
        (Self::NoBlindness, "the table cannot be read"),
        (Self::NoVerifyFirst, "the operator wants it so"),
        (Self::AllConfigured, "never what is not configured"),
        (Self::AllChecked, "only a check can look"),
        (Self::UpsideDown, "the urgent ones first"),
        (Self::LongOpen, "an open time doubles and is spread"),
        (Self::NoOpen, "nothing while a breaker is open"),
        (Self::NoCount, "a pause between restarts"),
        (Self::HalfCount, "so many restarts in a window"),
        (Self::NoFailures, "failures in a row open the breaker"),
        (Self::ManyFailures, "a breaker opens for a reason"),
        (Self::NoHalfOpen, "what is repaired comes back"),
        (Self::NoProbation, "one restart decides"),
        (Self::NoStableTime, "only a stable period forgives"),
        (Self::NoForgiving, "everything is forgiven in the end"),
        (Self::LevelJump, "a level at a time"),
        (Self::NoPause, "a pause between restarts"),
        (Self::NoCanary, "a group lets nobody through out of turn"),
        (Self::NoCanaryProof, "a canary proves itself first"),
        (Self::NoGroupTime, "a group stays open for its time"),
        (Self::NoTrouble, "trouble in several members opens their group"),
        (Self::NoDrivers, "a driver that fails again and again is paused"),
        (Self::NoDriverTime, "nobody asks a driver that is away"),
        (Self::AwayTooSoon, "a driver comes back that was away"),
        (Self::NoDriverPause, "a driver that failed is left alone"),
        (Self::MassBelieved, "look at all before restarting one"),
        (Self::MassLetGo, "a suspect is restarted only when it was found bad"),
        (Self::MassHealthy, "whoever is looked at is counted"),
        (Self::WrongVerdict, "most decide"),
        (Self::MassForgets, "a mass alarm lasts as long as a suspect"),
        (Self::MassAnew, "looking comes first"),
        (Self::NoDoubt, "pm has just restarted it"),
        (Self::NoMarks, "somebody worked on it"),
        (Self::NoInFlight, "never two of one name"),
        (Self::NoWindowMemory, "a window is announced once"),
        (Self::GhostWindow, "a window ends once"),
        (Self::NoHeld, "every alarm is started or held, once"),
        (Self::Twice, "one job for a name"),
        (Self::NoWakeUp, "the plan knows when to look again"),
        (Self::Moody, "the same view gives the same plan"),
        (Self::Speechless, "each check says what it saw"),
        (Self::Impatient, "what it depends on has come back"),
        (Self::Credulous, "many others are in alarm"),
        (Self::NoWithdrawal, "no alarm of a process that is known to be bad is cleared"),
        (Self::ClearsBad, "only what is well is cleared"),
        (Self::ClearsOthers, "only rows of the job are cleared"),
        (Self::NoClearing, "the table tells the truth when all is well"),
        (Self::SameIds, "a number is never used again"),
    ];
}
