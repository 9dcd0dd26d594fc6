//! `pm hold`, `observe`, `bypass`, `release` and `reset`: an operator's orders. Each is written into the journal together
//! with its entry in the audit, then the daemon is told, and the answer says what is in force now.

use crate::calendar::{Zone, when};
use crate::cli::arguments::{Global, OverrideOptions, ReleaseOptions, ResetOptions, WhomOptions};
use crate::cli::compose::Context;
use crate::cli::operator::Operator;
use crate::cli::{Failure, Terminal, whom};
use crate::policy::mass::Stage;
use crate::policy::model::Name;
use crate::policy::time::Wall;
use crate::policy::window::{Order, Override, Scope};
use crate::ports::overrides::{Wish, by_whom, in_words, whom as covered};
use crate::ports::{Journal as _, JournalError};
use pm_plugin_api::value::Value as _;
use std::collections::BTreeSet;
use std::time::Duration;

/// A bypass must not be forgotten: it takes the protection away.
const LONGEST_BYPASS: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn give(
    global: &Global,
    order: Order,
    options: &OverrideOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let operator = Operator::of(&context, &options.word, terminal)?;
    let scopes = whom::scopes(&options.whom);
    let until = match end(order, options, operator.request.at) {
        Ok(until) => until,
        Err(why) => return Err(operator.refuse(order.word(), &scopes, None, Failure::Usage(why))),
    };
    let wish = |scope| Wish::Override { scope, order, until };
    carry_out(&operator, &scopes.into_iter().map(wish).collect::<Vec<_>>(), terminal)
}

pub(crate) fn release(
    global: &Global,
    options: &ReleaseOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let operator = Operator::of(&context, &options.word, terminal)?;
    if options.mass_alarm {
        return carry_out(&operator, &[Wish::Believe], terminal);
    }
    let order = options.order.map(Order::from);
    let (names, group) = (options.names.clone(), options.group.clone());
    let whom = WhomOptions { names, group, all: options.all };
    let wishes = whom::scopes(&whom).into_iter().map(|scope| Wish::Release { scope, order });
    carry_out(&operator, &wishes.collect::<Vec<_>>(), terminal)
}

pub(crate) fn reset(
    global: &Global,
    options: &ResetOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let operator = Operator::of(&context, &options.word, terminal)?;
    // Without a daemon the stored standings are all there is. If one starts meanwhile it finds the order, too.
    let stored = match operator.daemon() {
        Some(_) => BTreeSet::new(),
        None => operator.journal.standings().map_err(failed)?.into_keys().collect(),
    };
    let wishes = whom::scopes(&options.whom).into_iter().map(|scope| {
        let covers = |name: &&Name| scope.covers(name, whom::group_of(&context, name).as_ref());
        Wish::Reset { at_once: stored.iter().filter(covers).cloned().collect(), scope }
    });
    carry_out(&operator, &wishes.collect::<Vec<_>>(), terminal)
}

/// When an override ends.
fn end(order: Order, options: &OverrideOptions, now: Wall) -> Result<Option<Wall>, String> {
    let until = match (&options.lasts, &options.until) {
        (Some(text), _) => {
            let lasts = Duration::parse(text.trim()).map_err(|why| format!("--for: {why}"))?;
            Some(when::after(now, lasts))
        }
        (None, Some(text)) => {
            Some(when::to_come(text, now, &Zone::system()).map_err(|why| format!("--until: {why}"))?)
        }
        (None, None) => None,
    };
    let longest = i64::try_from(LONGEST_BYPASS.as_millis()).unwrap_or(i64::MAX);
    match until {
        Some(at) if at <= now => Err("it would be over at once; write a time to come".to_owned()),
        Some(at) if order == Order::Bypass && at.0 - now.0 > longest => {
            Err("a bypass lasts 24 hours at most; write --for 24h, and repeat it if need be".to_owned())
        }
        None if order == Order::Bypass => {
            Err("a bypass must end by itself; write --for 2h, or --until TIME".to_owned())
        }
        until => Ok(until),
    }
}

/// Writes the wishes down, tells the daemon, and says what is in force now.
fn carry_out(operator: &Operator<'_>, wishes: &[Wish], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Some(first) = wishes.first() else { return Ok(()) };
    let (verb, until) = (first.verb(), first.until());
    let scopes: Vec<_> = wishes.iter().map(|wish| wish.scope().clone()).collect();
    if let Some(why) = whom::unknown(operator.context, &operator.journal, &scopes).map_err(failed)? {
        return Err(operator.refuse(&verb, &scopes, until, Failure::Usage(why)));
    }
    let gone = operator.journal.order(&operator.request, wishes).map_err(failed)?;
    let told = operator.ring();
    let in_force = operator.journal.overrides().map_err(failed)?;
    let out = &mut *terminal.out;
    for (wish, gone) in wishes.iter().zip(&gone) {
        for sentence in sentences(operator, wish, gone) {
            writeln!(out, "{sentence}")?;
        }
        let now = operator.request.at;
        for given in in_force.iter().filter(|given| given.is_in_force(now) && beside(operator, given, wish)) {
            writeln!(out, "Also in force: {}.", in_words(given))?;
        }
        if matches!(wish, Wish::Override { order: Order::Hold, .. }) {
            for sentence in under_way(operator, wish.scope())? {
                writeln!(out, "{sentence}")?;
            }
        }
    }
    writeln!(out, "{told}")?;
    Ok(())
}

/// What a wish has changed.
fn sentences(operator: &Operator<'_>, wish: &Wish, gone: &[Override]) -> Vec<String> {
    let scope = wish.scope();
    let ended = |word: &str| gone.iter().map(|over| format!("{word}: {}.", in_words(over))).collect();
    match wish {
        Wish::Override { order, until, .. } => {
            let (is, it) = if *scope == Scope::All { ("are", "them") } else { ("is", "it") };
            let who = by_whom(&operator.request.by, *until, &operator.request.why);
            let meaning = match order {
                Order::Hold => format!("held {who}. Nothing restarts {it}, not even pm restart --force."),
                Order::Observe => format!("observed {who}. pm decides and tells, and does nothing."),
                Order::Bypass => format!(
                    "bypassed {who}. Breaker and group are ignored, and a restart waits for 10 s at the most; failures are still counted."
                ),
            };
            let who = match scope {
                Scope::All => "All processes".to_owned(),
                Scope::Group(name) => format!("The group {name}"),
                Scope::Process(name) => name.to_string(),
            };
            let mut all = vec![format!("{who} {is} {meaning}")];
            let replaced: Vec<String> = ended("That replaces");
            all.extend(replaced);
            all
        }
        Wish::Believe => match operator.journal.host() {
            Ok(host) if host.mass.stage == Stage::None => {
                vec!["There is no mass alarm now, so nothing is held because of one.".to_owned()]
            }
            _ => {
                vec![
                    "The alarms of the mass alarm are believed: what has a check is looked at first, the rest is restarted.".to_owned(),
                ]
            }
        },
        Wish::Release { order, .. } if gone.is_empty() => {
            let what = order.map_or("nothing", |order| match order {
                Order::Hold => "no hold",
                Order::Observe => "no observe",
                Order::Bypass => "no bypass",
            });
            vec![format!("There is {what} to release that was put on {}.", covered(scope))]
        }
        Wish::Release { .. } => ended("Ended"),
        Wish::Reset { .. } => {
            vec![format!("Reset of {}: breaker closed, failures forgotten.", covered(scope))]
        }
    }
}

/// Whether an override also covers what a wish is about, and is not the one that was asked for.
fn beside(operator: &Operator<'_>, given: &Override, wish: &Wish) -> bool {
    let asked =
        matches!(wish, Wish::Override { scope, order, .. } if *scope == given.scope && *order == given.order);
    let covers = match wish.scope() {
        Scope::Process(name) => given.scope.covers(name, whom::group_of(operator.context, name).as_ref()),
        scope @ Scope::Group(_) => matches!(given.scope, Scope::All) || given.scope == *scope,
        // Whoever releases all should know what single ones are not released by that.
        Scope::All => matches!(wish, Wish::Release { .. }) || given.scope == Scope::All,
    };
    covers && !asked
}

/// Restarts that had begun before a hold: the operator must not believe that nothing happens any more.
fn under_way(operator: &Operator<'_>, scope: &Scope) -> Result<Vec<String>, Failure> {
    let attempts = operator.journal.attempts(None, 1).map_err(failed)?;
    let running = attempts.iter().filter(|attempt| {
        let group = whom::group_of(operator.context, &attempt.name);
        attempt.under_way && scope.covers(&attempt.name, group.as_ref())
    });
    Ok(running
        .map(|attempt| {
            format!(
                "A restart of {} is under way (attempt {}): what has begun goes on, nothing new begins. See: pm status",
                attempt.name, attempt.id.0
            )
        })
        .collect())
}

#[expect(clippy::needless_pass_by_value, reason = "handed over as a function")]
fn failed(error: JournalError) -> Failure {
    Failure::failed(&error)
}
