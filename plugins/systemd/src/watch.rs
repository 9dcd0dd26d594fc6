//! Waiting for the end of a job on the bus, whatever becomes of the bus or of systemd meanwhile.
//!
//! It promises to come back before the call's deadline, to believe nobody but systemd, and never to ask for the job
//! again. When the message of the end is lost, it tells that the job is over and leaves it to the unit to say how.

use crate::bus::Bus;
use crate::driver::Ended;
use crate::link::Trouble;
use crate::message;
use crate::state::{Step, Subject, UnitState};
use pm_plugin_api::{Error, ErrorKind, Result};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a waiting call makes sure that its job still exists: the signal of its end is lost when systemd or the bus
/// is replaced meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause between two looks at a bus that has gone away while a job ran.
const RETRY_EVERY: Duration = Duration::from_millis(100);

impl Bus {
    /// Waits for the end of `job`, whose path `sender` has told.
    pub(crate) fn watch(
        &mut self,
        subject: &Subject,
        step: Step,
        job: &str,
        mut sender: String,
    ) -> Result<Ended> {
        let mut last = None;
        loop {
            // Anybody may send a signal; only systemd's counts.
            if let Some(at) = self.removed.iter().position(|end| end.job == job && end.sender == sender) {
                let end = self.removed.swap_remove(at);
                // Later calls on this link are not to get the ends of other people's jobs. When it cannot be sent, the
                // link is given up, which does as well.
                let _ = self.send(&[message::unsubscribe(subject.unit.as_str())]);
                return Ok(Ended::Result(end.result));
            }
            match self.receive(self.deadline.min(Instant::now() + LOOK_EVERY)) {
                Ok(Some(_)) => {}
                Ok(None) if Instant::now() >= self.deadline => {
                    self.link = None;
                    return Err(self.too_long(subject, step, last.as_ref()));
                }
                Ok(None) => match self.sight(subject) {
                    Ok(Some((state, _))) if state.job.as_deref() == Some(job) => last = Some(state),
                    Ok(Some((_, answered_by))) => {
                        // Had systemd sent the signal, it would have come before this answer; unless a systemd that was
                        // replaced meanwhile, and now has another name on the bus, sends from that.
                        if !self.removed.iter().any(|end| end.job == job && end.sender == answered_by) {
                            self.link = None;
                            return Ok(Ended::Unseen);
                        }
                        sender = answered_by;
                    }
                    Ok(None) => {}
                    Err(_) => return self.watch_anew(subject, job),
                },
                Err(_) => return self.watch_anew(subject, job),
            }
        }
    }

    /// After the connection was lost: whether the job is over is all that can be learned now.
    fn watch_anew(&mut self, subject: &Subject, job: &str) -> Result<Ended> {
        tracing::warn!("{subject}: the connection to the bus broke while the job ran; looking for it again");
        while Instant::now() + RETRY_EVERY < self.deadline {
            sleep(RETRY_EVERY);
            if let Ok(Some((state, _))) = self.sight(subject)
                && state.job.as_deref() != Some(job)
            {
                return Ok(Ended::Unseen);
            }
        }
        self.link = None;
        Err(Error::new(
            ErrorKind::Interrupted,
            format!(
                "{subject}: the connection to the bus broke while the job ran and it could not be seen to end within \
                 {:.1} s; systemd may still be at it",
                self.began.elapsed().as_secs_f64()
            ),
        ))
    }

    /// The state of a unit and who tells it; none when nobody does for now. A systemd that is being replaced by a newer one
    /// leaves the bus for a moment, and a question put to it just then is never answered.
    fn sight(&mut self, subject: &Subject) -> Result<Option<(UnitState, String)>, Trouble> {
        let question = message::look(subject.unit.as_str());
        self.send(std::slice::from_ref(&question))?;
        let until = self.deadline.min(Instant::now() + LOOK_EVERY);
        let answer = self.reply(message::serial(&question), until)?.and_then(Result::ok);
        Ok(answer.and_then(|answer| Some((message::state(&answer).ok()?, message::sender(&answer)))))
    }

    fn too_long(&self, subject: &Subject, step: Step, last: Option<&UnitState>) -> Error {
        let waited = self.began.elapsed().as_secs_f64();
        let verb = step.verb();
        let doing = last
            .filter(|state| !state.active.is_empty())
            .map_or_else(String::new, |state| format!(", {state}"));
        Error::timeout(format!(
            "{subject}: the {verb} job was not over after {waited:.1} s{doing}; systemd goes on with it: see systemctl \
             {}status {}, or raise restart_timeout",
            subject.scope.flag(),
            subject.unit.as_str()
        ))
    }
}
