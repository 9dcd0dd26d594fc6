//! Whether this pm speaks for its host: it takes the lease before it acts on any alarm, renews it in good time, and lets it go
//! at the end.
//!
//! Only a copy of this machine, or a second pm for the same host, ever finds the lease taken. Such a pm observes: it decides
//! and tells, and begins nothing. Clearings carry the number of the lease, so that one that comes late changes nothing
//! (see `fence` in the store). Without the table, or the right to it, pm works as if it were alone.

use super::event::Event;
use super::keeper::Keeper;
use crate::policy::time::Ticks;
use crate::ports::{Happened, Host, Lease, Speaker};
use crate::wording;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{debug, info, warn};

/// Without leases it is asked again after so many times the length of one: somebody may have made the table.
const ASKED_AGAIN: u32 = 4;
/// How long after an error it is asked again.
const SOON: Duration = Duration::from_secs(1);

/// What the store thread knows of the lease.
pub(super) struct Tenure {
    /// None: this pm only observes and needs no lease.
    speaker: Option<Speaker>,
    standing: Standing,
    /// When it is to be asked for again.
    due: Ticks,
    /// When silent hosts are looked for again.
    look: Ticks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not asked yet.
    Unknown,
    Mine(i64),
    Theirs,
    /// There are no leases.
    None,
}

impl Tenure {
    pub(super) fn new(speaker: Option<Speaker>) -> Self {
        let standing = if speaker.is_some() { Standing::Unknown } else { Standing::None };
        Self { speaker, standing, due: Ticks(0), look: Ticks(0) }
    }

    /// Whether clearings may be sent.
    pub(super) fn may_write(&self) -> bool {
        matches!(self.standing, Standing::Mine(_) | Standing::None)
    }
}

impl Keeper {
    /// When the lease has to be asked for without waiting for a poll. While the database does not answer, and before it
    /// has for the first time, polls alone knock: servers count who is refused.
    pub(super) fn tenure_due(&self) -> Ticks {
        let known = self.tenure.due > Ticks(0) && !self.link.is_lost();
        if self.tenure.speaker.is_some() && known { self.tenure.due } else { Ticks(u64::MAX) }
    }

    /// Asks for the lease when that is due. Only right after the database has answered, or when it is known to.
    pub(super) fn tenure(&mut self) {
        let asked = self.clock.now().boot;
        let Some(speaker) = self.tenure.speaker.clone().filter(|_| self.tenure.due <= asked) else { return };
        let before = self.tenure.standing;
        let epoch = if let Standing::Mine(epoch) = before { Some(epoch) } else { None };
        match self.store.hold(&speaker, epoch) {
            Ok(Lease::Mine { epoch }) => self.mine(epoch, &speaker, asked),
            Ok(Lease::Theirs { name, left }) => {
                if before != Standing::Theirs {
                    warn!("{}", wording::another_speaks(&name, left));
                }
                self.stand(Standing::Theirs);
                // Just after its end, and not long after it has been let go.
                self.tenure.due = asked.after((left + Duration::from_millis(50)).min(speaker.lasts / 3));
            }
            Ok(Lease::None { why }) => {
                if before != Standing::None {
                    debug!("No lease for this host: {why}");
                }
                self.stand(Standing::None);
                self.progress.lease_until.store(u64::MAX, Ordering::Release);
                // Where there was one, as on a server that only reads for a while, it is to be had again soon.
                let had = matches!(before, Standing::Mine(_) | Standing::Theirs);
                self.tenure.due =
                    asked.after(if had { speaker.lasts / 3 } else { speaker.lasts * ASKED_AGAIN });
            }
            // That the database does not answer is told by the poll.
            Err(error) => {
                debug!("{error}");
                self.tenure.due = asked.after(SOON.min(speaker.lasts / 3));
            }
        }
    }

    fn mine(&mut self, epoch: i64, speaker: &Speaker, asked: Ticks) {
        if self.tenure.standing == Standing::Theirs {
            info!("{}", wording::speaks_now());
        }
        // From the moment of asking: the answer may have been long on its way.
        self.progress.lease_until.store(asked.after(speaker.lasts).0, Ordering::Release);
        self.store.fence(Some(epoch));
        self.stand(Standing::Mine(epoch));
        self.tenure.due = asked.after(speaker.lasts / 3);
        if self.tenure.look <= asked {
            self.tenure.look = asked.after(speaker.lasts);
            self.look_for_silent(speaker.lasts);
        }
    }

    fn stand(&mut self, standing: Standing) {
        let speaks = |standing: Standing| standing != Standing::Theirs;
        let before = std::mem::replace(&mut self.tenure.standing, standing);
        if speaks(before) != speaks(standing) {
            self.send(Event::Speaks(speaks(standing)));
        }
        if !matches!(standing, Standing::Mine(_)) {
            self.store.fence(None);
        }
    }

    fn look_for_silent(&mut self, after: Duration) {
        match self.store.silent(after) {
            Ok(hosts) => {
                for Host { host, name, heard, .. } in hosts {
                    warn!("{}", wording::silent_host(&host, &name, heard));
                    self.herald.tell(Happened::HostSilent { host, machine: name, silent: heard });
                }
            }
            Err(error) => debug!("{error}"),
        }
    }

    /// Lets the lease go, so that whoever comes next need not wait for its end.
    pub(super) fn let_go(&mut self) {
        if let Standing::Mine(epoch) = self.tenure.standing
            && !self.link.is_lost()
            && let Err(error) = self.store.let_go(epoch)
        {
            debug!("{error}");
        }
    }
}
