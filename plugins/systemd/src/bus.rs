//! The way to systemd over D-Bus: properties, jobs and their results.
//!
//! One request is one write: what belongs to it (the subscription to the job's end, several properties) travels with
//! it. A job is submitted once: a kept link that proves dead *while sending* is replaced, since the request has not left
//! then; after that nothing is sent again, and a lost connection is answered by looking whether the job is over.

use crate::answer::{self, Report};
use crate::driver::{Driver, Ended};
use crate::link::{Link, Trouble};
use crate::message::{self, Removed, UNIT};
use crate::scope::Scope;
use crate::state::{Step, Subject, UnitState};
use pm_plugin_api::{Error, ErrorKind, Result};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};
use zbus::Message;

/// How long the bus, or systemd, may take for one answer: as long as `systemctl` would wait. A job may take as long as pm
/// waits, but a frozen bus is not to keep a restart busy for minutes before anything was even begun.
const ANSWERING: Duration = Duration::from_secs(25);
/// The properties that are asked for and belong to units of every kind.
const OF_ALL_KINDS: [&str; 4] =
    ["ConditionResult", "ConditionTimestamp", "InvocationID", "StateChangeTimestamp"];

#[cfg(test)]
mod tests;

/// One call's hold on a bus.
pub(crate) struct Bus {
    /// None after trouble.
    pub(crate) link: Option<Link>,
    /// Whether an earlier call left the link, so that its other end may have gone since.
    kept: bool,
    scope: Scope,
    address: String,
    pub(crate) began: Instant,
    pub(crate) deadline: Instant,
    pub(crate) removed: Vec<Removed>,
}

/// A D-Bus error: its name and its text.
pub(crate) struct Refusal {
    name: String,
    text: String,
}

pub(crate) type Reply = Result<Message, Refusal>;

impl Drop for Bus {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.keep();
        }
    }
}

impl Bus {
    /// On the link of an earlier call, else on a new one.
    pub(crate) fn open(
        scope: Scope,
        address: String,
        began: Instant,
        deadline: Instant,
    ) -> Result<Self, Trouble> {
        let link = Link::kept(&address);
        let mut bus = Self { link, kept: true, scope, address, began, deadline, removed: Vec::new() };
        bus.live()?;
        Ok(bus)
    }

    fn soon(&self) -> Instant {
        self.deadline.min(Instant::now() + ANSWERING)
    }

    fn live(&mut self) -> Result<&mut Link, Trouble> {
        let soon = self.soon();
        match self.link {
            Some(ref mut link) => Ok(link),
            ref mut none @ None => {
                self.kept = false;
                Ok(none.insert(Link::open(self.address.clone(), soon)?))
            }
        }
    }

    pub(crate) fn send(&mut self, messages: &[Message]) -> Result<(), Trouble> {
        let deadline = self.soon();
        let mut sent = self.live()?.send(messages, deadline);
        if self.kept && matches!(sent, Err(Trouble::Broken { .. })) {
            self.link = None;
            sent = self.live()?.send(messages, deadline);
        }
        if sent.is_err() {
            self.link = None;
        }
        sent
    }

    /// The next message until `until`, noting the end of jobs; none when the time is over.
    pub(crate) fn receive(&mut self, until: Instant) -> Result<Option<Message>, Trouble> {
        let received = self.live()?.next(until);
        match &received {
            Ok(Some(message)) => self.removed.extend(Removed::read(message)),
            Ok(None) => {}
            Err(_) => self.link = None,
        }
        received
    }

    /// The answer to the message `serial`; none when `until` comes first.
    pub(crate) fn reply(&mut self, serial: NonZeroU32, until: Instant) -> Result<Option<Reply>, Trouble> {
        while let Some(message) = self.receive(until)? {
            if message.header().reply_serial() == Some(serial) {
                return Ok(Some(match message::refusal(&message) {
                    Some((name, text)) => Err(Refusal { name, text }),
                    None => Ok(message),
                }));
            }
        }
        Ok(None)
    }

    fn reply_in_time(&mut self, serial: NonZeroU32) -> Result<Reply, Trouble> {
        self.reply(serial, self.soon())?.ok_or_else(|| {
            self.link = None;
            Trouble::Silent { address: self.address.clone() }
        })
    }

    /// Sends questions in one go and collects the answers. They change nothing, so they may be put twice.
    fn ask(&mut self, questions: &[Message]) -> Result<Vec<Reply>, Trouble> {
        match self.ask_once(questions) {
            Err(Trouble::Broken { .. }) if self.kept => self.ask_once(questions),
            answers => answers,
        }
    }

    fn ask_once(&mut self, questions: &[Message]) -> Result<Vec<Reply>, Trouble> {
        self.send(questions)?;
        questions.iter().map(|question| self.reply_in_time(message::serial(question))).collect()
    }

    fn ask_one(&mut self, subject: &Subject, verb: &str, question: Message) -> Result<Message> {
        let answers = self.ask(&[question]).map_err(|trouble| unreachable(subject, verb, trouble))?;
        match answers.into_iter().next() {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(self.refused(subject, verb, &refusal)),
            None => Err(strange(subject, zbus::Error::InvalidReply)),
        }
    }

    fn refused(&self, subject: &Subject, verb: &str, refusal: &Refusal) -> Error {
        let error = answer::refused(subject, verb, &refusal.name, &refusal.text);
        // A bus without a systemd on it, as in many containers.
        if error.kind == ErrorKind::Unavailable && !self.scope.systemd_runs() {
            return self.scope.not_running();
        }
        error
    }
}

impl Driver for Bus {
    fn look(&mut self, subject: &Subject) -> Result<UnitState> {
        let answer = self.ask_one(subject, "look at", message::look(subject.unit.as_str()))?;
        message::state(&answer).map_err(|error| strange(subject, error))
    }

    fn invocation(&mut self, subject: &Subject) -> Result<UnitState> {
        let unit = subject.unit.as_str();
        let questions = [message::look(unit), message::property(unit, UNIT, "InvocationID")];
        let mut answers =
            self.ask(&questions).map_err(|trouble| unreachable(subject, "look at", trouble))?.into_iter();
        let state = match answers.next() {
            Some(Ok(answer)) => message::state(&answer).map_err(|error| strange(subject, error))?,
            Some(Err(refusal)) => return Err(self.refused(subject, "look at", &refusal)),
            None => return Err(strange(subject, zbus::Error::InvalidReply)),
        };
        let id = answers.next().and_then(Result::ok).and_then(|answer| message::value(&answer));
        // All zeros stands for "never started".
        Ok(UnitState { invocation: id.filter(|id| id.bytes().any(|digit| digit != b'0')), ..state })
    }

    fn run(&mut self, subject: &Subject, step: Step) -> Result<Ended> {
        let (unit, verb) = (subject.unit.as_str(), step.verb());
        let request = match step {
            Step::Restart => message::restart(unit),
            Step::Start | Step::Join => message::start(unit),
        };
        let serial = message::serial(&request);
        self.send(&[message::subscribe(unit), request])
            .map_err(|trouble| unreachable(subject, verb, trouble))?;
        match self.reply_in_time(serial) {
            Ok(Ok(answer)) => {
                let (job, sender) = message::job(&answer).map_err(|error| strange(subject, error))?;
                self.watch(subject, step, &job, sender)
            }
            Ok(Err(refusal)) => {
                // A link on which this cannot be sent is given up, which ends the subscription as well.
                let _ = self.send(&[message::unsubscribe(unit)]);
                Err(self.refused(subject, verb, &refusal))
            }
            Err(trouble) => {
                let error = Error::from(trouble).context(format_args!(
                    "asked systemd to {verb} {subject} and got no answer, so it is unknown whether it did"
                ));
                Err(Error::new(ErrorKind::Interrupted, error.message))
            }
        }
    }

    fn properties(&mut self, subject: &Subject, names: &[&str]) -> Result<Report> {
        let unit = subject.unit.as_str();
        let question = |name: &&str| {
            let interface = if OF_ALL_KINDS.contains(name) { UNIT } else { subject.unit.interface() };
            message::property(unit, interface, name)
        };
        let questions: Vec<_> = names.iter().map(question).collect();
        let answers = self.ask(&questions).map_err(|trouble| unreachable(subject, "look at", trouble))?;
        // Not every kind of unit has every one of them.
        let texts = names.iter().zip(answers).filter_map(|(name, answer)| {
            let text = message::value(&answer.ok()?)?;
            Some(((*name).to_owned(), text))
        });
        Ok(Report(texts.collect()))
    }

    fn reset_failed(&mut self, subject: &Subject) -> Result<()> {
        self.ask_one(subject, "reset-failed", message::reset_failed(subject.unit.as_str())).map(drop)
    }
}

/// Nobody could be asked; the unit has nothing to do with it.
pub(crate) fn unreachable(subject: &Subject, verb: &str, trouble: Trouble) -> Error {
    let text = Error::from(trouble).message;
    Error::unavailable(format!("cannot {verb} {subject}: {text}; see systemctl status dbus"))
}

fn strange(subject: &Subject, error: zbus::Error) -> Error {
    Error::from(error).context(format_args!("{subject}: systemd's answer is not understood"))
}
