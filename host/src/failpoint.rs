//! Named points at which tests kill pm, to show that nothing is lost and nothing happens twice.
//!
//! A point stands wherever a kill would leave something behind that the next start has to tell apart. In builds with the
//! feature `failpoints` and debug assertions, which are those of the tests, the point that `PM_FAILPOINT` names
//! (`WORD`, or `WORD:N` for the N-th pass) kills pm with SIGKILL. In every other build a point is nothing: no code, and no
//! look at the environment. It must not do anything else than kill, or the tests would test another program.
//!
//! tests/all/daemon/failpoints.rs goes through all of them; a new one without its way there does not compile.

macro_rules! points {
    ($($(#[$text:meta])* $point:ident = $word:literal,)*) => {
        /// Where pm can be killed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $($(#[$text])* $point,)*
        }

        impl Point {
            /// All of them, in the order in which an attempt passes them.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// Its name in `PM_FAILPOINT`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$point => $word,)*
                }
            }
        }
    };
}

points! {
    /// Rows in alarm were read, and the loop has not been told.
    AlarmsRead = "alarms-read",
    /// The loop has decided to begin a job, which is noted nowhere.
    JobDecided = "job-decided",
    /// The job has looked, as far as it was to look first, and has no claim.
    LookedFirst = "looked-first",
    /// The intent and its claim are written and not committed.
    ClaimWritten = "claim-written",
    /// The claim is in the journal.
    Claimed = "claimed",
    /// The evidence is in the journal.
    EvidenceKept = "evidence-kept",
    /// That the pre-restart command begins is in the journal.
    Preparing = "preparing",
    /// The pre-restart command has ended.
    Prepared = "prepared",
    /// The identity of the running instance was asked for, and is not noted.
    IdentityRead = "identity-read",
    /// That the restart begins, and of which instance, is written and not committed.
    ActingWritten = "acting-written",
    /// That is in the journal; the strategy is called next.
    ActingNoted = "acting-noted",
    /// The strategy has returned, which is noted nowhere.
    RestartReturned = "restart-returned",
    /// That the restart was carried out is in the journal.
    VerifyingNoted = "verifying-noted",
    /// The check has answered, which is noted nowhere.
    Verified = "verified",
    /// The attempt is in the statistics, and its end is not in the journal.
    AttemptTold = "attempt-told",
    /// The attempt did not help, and the pause before the next one begins.
    AttemptFailed = "attempt-failed",
    /// pm is being stopped, and the job gives way to the next start.
    HandedOver = "handed-over",
    /// The job has ended, and the loop has not been told.
    Responded = "responded",
    /// The loop has taken in how the job ended.
    Settling = "settling",
    /// Outcome, standing and outbox are written and not committed.
    OutcomeWritten = "outcome-written",
    /// They are in the journal; the store thread has not been told.
    OutcomeStored = "outcome-stored",
    /// The store thread has been told.
    WriteBackOrdered = "write-back-ordered",
    /// The outbox was read; the alarm is cleared next.
    WriteBackBegins = "write-back-begins",
    /// The database has answered, and the outbox still holds the clearing.
    WriteBackAnswered = "write-back-answered",
    /// The clearing is taken out of the outbox, not committed.
    DeliveryWritten = "delivery-written",
    /// The outbox is empty; the loop has not been told.
    Delivered = "delivered",
    /// The loop knows that the row is cleared.
    DeliveryTold = "delivery-told",
    /// A start has made the attempts of a dead pm its own, not committed.
    TakeoverWritten = "takeover-written",
    /// They are its own, and nothing was done about them.
    TakenOver = "taken-over",
    /// The job of such an attempt begins.
    Resuming = "resuming",
    /// A restart by hand, its order to count it and its audit entry are in the journal; nobody was told.
    EndedByHand = "ended-by-hand",
    /// The loop has obeyed an operator's order, which still stands in the journal.
    OrderObeyed = "order-obeyed",
    /// The order and what follows from it are in the journal.
    OrderDone = "order-done",
}

/// pm passes a point.
#[cfg(not(all(feature = "failpoints", debug_assertions)))]
#[inline(always)]
pub(crate) const fn pass(_: Point) {}

/// pm passes a point, and dies there if it is the one.
#[cfg(all(feature = "failpoints", debug_assertions))]
pub(crate) fn pass(point: Point) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    static FATAL: OnceLock<Option<(String, AtomicU32)>> = OnceLock::new();
    let fatal = FATAL.get_or_init(|| {
        let text = std::env::var("PM_FAILPOINT").ok()?;
        let (word, passes) = text.split_once(':').unwrap_or((&text, "1"));
        Some((word.to_owned(), AtomicU32::new(passes.parse().ok()?)))
    });
    if let Some((word, passes)) = fatal
        && word == point.word()
        && passes.fetch_sub(1, Ordering::SeqCst) == 1
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal ends this thread before it goes on; nothing after the point happens.
        std::process::abort();
    }
}
