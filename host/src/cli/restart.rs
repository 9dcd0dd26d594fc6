//! `pm restart NAME`: the whole procedure for one process, by hand. Touches neither the table nor the breaker, as
//! ever; but it is noted in the journal, so that the daemon does not restart the same process meanwhile.

use crate::chronicle::Statistics;
use crate::cli::arguments::{Global, NameOptions};
use crate::cli::compose::Context;
use crate::cli::{Failure, Terminal, logs};
use crate::daemon::record;
use crate::evidence::Processes;
use crate::exec::SystemExec;
use crate::policy::model::{Configured, End, Job, Name, Trial};
use crate::ports::{Clock as _, Journal as _};
use crate::respond::{Claim, Report, World, respond};

pub(crate) fn restart(
    global: &Global,
    options: &NameOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let name = Name::new(&options.name);
    let spec = match context.look_up(&name) {
        (Configured::Yes(_), Some(spec)) => spec,
        (Configured::Unusable(why), _) => {
            return Err(Failure::Usage(format!("\"{name}\" cannot be restarted: {why}")));
        }
        _ => {
            return Err(Failure::Usage(format!(
                "\"{name}\" is not configured: add a section [process.{name}] to {}",
                context.config.file.display()
            )));
        }
    };
    logs::to_console(&context)?;
    let (journal, clock) = (context.journal()?, context.clock());
    let strategies = context.strategies();
    let world = World {
        clock: &*clock,
        strategies: &*strategies,
        exec: &SystemExec,
        journal: &journal,
        chronicle: &Statistics::default(),
        witness: &Processes::new(clock.clone()),
    };
    let job = Job::by_hand(&name, Trial::No);
    let Report { id, outcome } = respond(&job, &spec, &Claim::New, &world);
    if let Some(id) = id {
        let record = record(&spec, &outcome, clock.now());
        journal.end(id, &name, &record, None).map_err(|error| Failure::failed(&error))?;
    }
    match outcome.end {
        End::Restarted | End::AlreadyHealthy => {
            writeln!(terminal.out, "{name}: restarted. {}", outcome.detail)?;
            Ok(())
        }
        _ => Err(Failure::Failed(format!("{name} was not restarted: {}", outcome.detail))),
    }
}
