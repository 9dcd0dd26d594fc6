//! `pm restart NAME`: the whole procedure for one process, by hand. It is noted in the journal, so that the daemon does
//! not restart the same process meanwhile, audited, and left there for the daemon to count in the breaker. It does not
//! touch the alarm table.
//!
//! Without `--force` it first asks what the daemon would ask. With it, it makes exactly one attempt. What a hold or a
//! running restart refuses is refused either way, by the claim.

use crate::chronicle::Statistics;
use crate::cli::arguments::{Global, RestartOptions};
use crate::cli::compose::{Context, Picture};
use crate::cli::operator::Operator;
use crate::cli::{Failure, Terminal, logs, status, whom};
use crate::daemon::record;
use crate::evidence::Processes;
use crate::exec::SystemExec;
use crate::failpoint::{self, Point};
use crate::policy::breaker::Admission;
use crate::policy::decide::Examiner;
use crate::policy::model::{Alarm, Check, Configured, End, Hold, Intake, Job, Name, RowId, Rules, Trial};
use crate::policy::window::{Order, Override, Scope};
use crate::ports::overrides::by_whom;
use crate::ports::{Clock as _, Journal as _};
use crate::respond::{Claim, Report, World, respond};
use crate::spec::Spec;
use tracing::warn;

pub(crate) fn restart(
    global: &Global,
    options: &RestartOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let operator = Operator::of(&context, &options.word, terminal)?;
    let name = Name::new(&options.name);
    let scope = [Scope::Process(name.clone())];
    let verb = if options.force { "restart --force" } else { "restart" };
    let refuse = |refusal| operator.refuse(verb, &scope, None, refusal);
    let spec = spec(&context, &name).map_err(|why| refuse(Failure::Usage(why)))?;
    let trial = if options.force { Ok(Trial::Probe) } else { asked(&context, &name, &spec.rules) };
    let refused = |why| refuse(Failure::Failed(format!("{name} was not restarted: {why}")));
    let trial = trial.map_err(refused)?;
    logs::to_console(&context)?;
    let begun = operator.entry(verb, &scope[0], None, "asked for".to_owned());
    // A full disk does not stop a restart.
    if let Err(error) = operator.journal.audit(&[begun]) {
        warn!("Not audited: {error}");
    }
    let (clock, strategies) = (context.clock(), context.strategies());
    let world = World {
        clock: &*clock,
        strategies: &*strategies,
        exec: &SystemExec,
        journal: &operator.journal,
        chronicle: &Statistics::default(),
        witness: &Processes::new(clock.clone()),
        seen: None,
        called_off: &|| if options.force { None } else { context.window_over(&name) },
    };
    let job = Job::by_hand(&name, trial);
    let Report { id, outcome } = respond(&job, &spec, &Claim::New, &world);
    let result = format!("{}: {}", status::word(outcome.end), outcome.detail);
    if let Some(id) = id {
        let record = record(&spec, &outcome, clock.now());
        let entry = operator.entry(verb, &scope[0], None, format!("attempt {}: {result}", id.0));
        operator.journal.end_by_hand(id, &record, &entry).map_err(|error| Failure::failed(&error))?;
        failpoint::pass(Point::EndedByHand);
        operator.ring();
    }
    match outcome.end {
        End::Restarted | End::AlreadyHealthy => {
            writeln!(terminal.out, "{name}: restarted. {}", outcome.detail)?;
            Ok(())
        }
        _ => {
            let failure = Failure::Failed(format!("{name} was not restarted: {}", outcome.detail));
            // What has an attempt is audited with its end.
            Err(if id.is_some() { failure } else { refuse(failure) })
        }
    }
}

/// How a process is restarted, or why it cannot be.
fn spec(context: &Context, name: &Name) -> Result<Spec, String> {
    match context.look_up(name) {
        (Configured::Yes(_), Some(spec)) => Ok(Spec { group: whom::group_of(context, name), ..spec }),
        (Configured::Unusable(why), _) => Err(format!("\"{name}\" cannot be restarted: {why}")),
        _ => Err(format!(
            "\"{name}\" is not configured: add a section [process.{name}] to {}",
            context.config.file.display()
        )),
    }
}

/// What the daemon would say against a restart now, and what to do about it; else whether it is the one that decides
/// about a breaker. A journal that cannot be read objects to nothing, and the claim will say so.
fn asked(context: &Context, name: &Name, rules: &Rules) -> Result<Trial, String> {
    let alarm = Alarm { row: RowId(0), name: name.clone(), notes: None, acknowledged: false };
    let Ok(picture) = context.picture_with(|_| Some(alarm.clone())) else { return Ok(Trial::No) };
    let view = picture.view(Intake::Open);
    let hold = Examiner::new(&view, &picture.state, picture.now).objection(&alarm, &Check::BY_HAND);
    let admits = picture.standing(name).breaker.admits(rules, picture.now.boot);
    let trial = if admits == Admission::Allowed { Trial::No } else { Trial::Probe };
    let why = match &hold {
        // The claim refuses these, and says it better: which restart, or whom the hold covers and how it is ended.
        None | Some(Hold::InFlight { .. } | Hold::Overridden { .. }) => return Ok(trial),
        Some(Hold::Observed { .. }) => observed(&picture, name),
        Some(hold) => format!("{} ({})", hold.sentence(picture.now), hold.word()),
    };
    Err(format!("{why}; to restart it all the same: pm restart {name} --force"))
}

/// By whom, how long and why a process is only observed, as `pm observe` has told it.
fn observed(picture: &Picture, name: &Name) -> String {
    let group = picture.arrangement.related.group_of(name);
    let observes = |given: &&Override| {
        given.order == Order::Observe
            && given.is_in_force(picture.now.wall)
            && given.scope.covers(name, group)
    };
    let given = picture.overrides.iter().find(observes);
    let by = given.map(|given| by_whom(&given.by, given.until, &given.why)).unwrap_or_default();
    format!("it is only observed, {by}")
}
