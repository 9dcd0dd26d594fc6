//! An operator at work: who asks for what and why, how a refusal is noted, and how the daemon is told.
//!
//! Who somebody is, is what they say or what their login says: a note for colleagues, never a proof. Whether they may
//! is decided by the rights on the state directory.

use crate::cli::arguments::WordOptions;
use crate::cli::compose::Context;
use crate::cli::{Failure, Terminal, who};
use crate::journal::{FileJournal, Opened};
use crate::policy::time::Wall;
use crate::policy::window::Scope;
use crate::ports::Journal as _;
use crate::ports::overrides::{Entry, Request};
use crate::presence::StateLock;
use rustix::process::{Pid, Signal, kill_process};

/// The longest name and the longest reason, in characters.
const LONGEST: (usize, usize) = (100, 1000);

/// What an order is made with.
pub(crate) struct Operator<'a> {
    pub(crate) context: &'a Context,
    pub(crate) journal: FileJournal,
    pub(crate) request: Request,
}

impl<'a> Operator<'a> {
    /// Opens the journal and finds out who asks. That a damaged journal was set aside is said at once: what was in force
    /// is not any more, and nobody else will learn it from a journal that is whole again.
    pub(crate) fn of(
        context: &'a Context,
        word: &WordOptions,
        terminal: &mut Terminal<'_>,
    ) -> Result<Self, Failure> {
        let by = match &word.by {
            Some(by) => by.clone(),
            None => who::login(),
        };
        let why = word.why.clone().unwrap_or_default();
        for (option, text, longest) in [("--by", &by, LONGEST.0), ("--why", &why, LONGEST.1)] {
            if text.chars().count() > longest {
                return Err(Failure::Usage(format!("{option} is longer than {longest} characters")));
            }
        }
        if by.trim().is_empty() {
            return Err(Failure::Usage("--by is blank; write who asks, or leave it out".to_owned()));
        }
        let request = Request { by, why, at: context.now().wall };
        let Opened { journal, warning } = context.journal()?;
        if let Some(warning) = warning {
            writeln!(terminal.err, "pm: {warning}")?;
        }
        Ok(Self { context, journal, request })
    }

    /// An entry of the audit.
    pub(crate) fn entry(&self, verb: &str, scope: &Scope, until: Option<Wall>, result: String) -> Entry {
        let request = Request { at: self.context.now().wall, ..self.request.clone() };
        Entry { request, verb: verb.to_owned(), scope: scope.clone(), until, result }
    }

    /// Notes that something was refused, and answers the refusal.
    pub(crate) fn refuse(
        &self,
        verb: &str,
        scopes: &[Scope],
        until: Option<Wall>,
        refusal: Failure,
    ) -> Failure {
        let result = format!("refused: {}", refusal.text());
        let entries: Vec<_> =
            scopes.iter().map(|scope| self.entry(verb, scope, until, result.clone())).collect();
        match self.journal.audit(&entries) {
            Ok(()) => refusal,
            Err(error) => Failure::Failed(format!("{}; the refusal is not audited: {error}", refusal.text())),
        }
    }

    /// The daemon that works with this journal.
    pub(crate) fn daemon(&self) -> Option<u32> {
        daemon(self.context)
    }

    /// Tells the daemon that there is something new in the journal, and answers a sentence about that.
    pub(crate) fn ring(&self) -> String {
        ring(self.context)
            .unwrap_or_else(|| "The daemon is not running; it will see this when it starts.".to_owned())
    }
}

fn daemon(context: &Context) -> Option<u32> {
    StateLock::holder(&context.config.monitor.state_dir)
}

/// Tells the daemon, if one runs, that there is something new in the journal, and answers a sentence about that.
///
/// The signal is one that is ignored by default, so it does no harm if the pid is another process's by now.
pub(crate) fn ring(context: &Context) -> Option<String> {
    let pid = daemon(context)?;
    let told = i32::try_from(pid).ok().and_then(Pid::from_raw).map(|pid| kill_process(pid, Signal::URG));
    Some(match told {
        Some(Ok(())) => format!("The daemon (pid {pid}) has been told."),
        Some(Err(error)) => {
            format!("The daemon (pid {pid}) could not be told ({error}); it will see this within seconds.")
        }
        None => format!("The daemon (pid {pid}) could not be told; it will see this within seconds."),
    })
}
