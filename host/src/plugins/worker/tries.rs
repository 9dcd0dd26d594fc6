//! One try of a call on a worker, and what each way for it to end means to the caller.

use super::link::{Death, Fate, Phase};
use super::{Worker, in_short};
use crate::clock::Stopwatch;
use crate::plugins::backend::Call;
use crate::plugins::in_process::in_words;
use crate::plugins::log;
use crate::plugins::wire::{Asked, LARGEST};
use pm_plugin_api::{Error, ErrorKind};
use std::borrow::Cow;

/// What can be asked a second time when the first answer was lost, because it changes nothing.
const HARMLESS: [&str; 3] = ["check", "identity", "evidence"];

impl Worker {
    /// One try of a call; none when it can be made again on another worker.
    pub(super) fn try_once(&self, call: &Call<'_>, watch: Stopwatch) -> Result<Option<Vec<u8>>, Error> {
        let plugin = &self.own.maker.name;
        let Call { op, subject, timeout, .. } = call;
        let link = self.link(self.role(call.kind))?;
        match link.ready(timeout.saturating_sub(watch.elapsed())) {
            None => {
                return Err(Error::timeout(format!(
                    "plugin \"{plugin}\": its worker was not ready for {op} of \"{subject}\" within {}",
                    in_words(*timeout)
                )));
            }
            Some(Phase::Dead(Death::Refused(reason))) => return Err(self.refuse(reason)),
            Some(Phase::Dead(Death::Ended { how, last_words })) if self.own.served.get().is_none() => {
                let said = if last_words.is_empty() { last_words } else { format!(": {last_words}") };
                return Err(Error::unavailable(format!(
                    "worker of plugin \"{plugin}\" {how} while it was loading{said}"
                )));
            }
            Some(Phase::Dead(_) | Phase::Draining) => return Ok(None),
            Some(Phase::Ready | Phase::Starting) => {
                let _ = self.own.served.set(());
            }
        }
        let asked = Asked {
            kind: Cow::Borrowed(call.kind),
            name: Cow::Borrowed(call.name),
            op: Cow::Borrowed(op),
            settings: Cow::Borrowed(call.settings),
            level: log::listened(),
        };
        match link.call(asked, call.body, call.heard, *timeout, || watch.elapsed()) {
            Fate::Answered(answer) => answer.map(Some),
            Fate::NotSent => Ok(None),
            Fate::TooLarge => Err(Error::config(format!(
                "plugin \"{plugin}\": {op} of \"{subject}\" was not asked: its settings and variables are more than \
                 {} KiB",
                LARGEST / 1024
            ))),
            Fate::Late => Err(Error::timeout(format!(
                "plugin \"{plugin}\": {op} of \"{subject}\" gave no answer within {}; its worker was replaced",
                in_words(*timeout)
            ))),
            Fate::Died(_) if HARMLESS.contains(op) => Ok(None),
            Fate::Died(death) => Err(Error::new(
                ErrorKind::Interrupted,
                format!("plugin \"{plugin}\": its worker {} during {op} of \"{subject}\"", in_short(&death)),
            )),
        }
    }
}
