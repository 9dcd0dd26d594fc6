//! Whom an order is meant for, and whether there is such a process or group: a misspelt name must not leave an operator
//! believing that something is held.

use crate::cli::arguments::WhomOptions;
use crate::cli::compose::Context;
use crate::plugins::nearest;
use crate::policy::model::Name;
use crate::policy::window::Scope;
use crate::ports::{Journal, JournalError};
use std::collections::BTreeSet;

/// The scopes of a command line, each once.
pub(crate) fn scopes(options: &WhomOptions) -> Vec<Scope> {
    let names: BTreeSet<_> = options.names.iter().map(|name| Name::new(name)).collect();
    let group = options.group.iter().map(|name| Scope::Group(Name::new(name)));
    let all = options.all.then_some(Scope::All);
    names.into_iter().map(Scope::Process).chain(group).chain(all).collect()
}

/// The groups of file and tables.
pub(crate) fn groups(context: &Context) -> BTreeSet<Name> {
    let arrangement = context.arrangement();
    let sections = context.config.groups.keys().map(|name| Name::new(name));
    arrangement.groups.keys().cloned().chain(sections).collect()
}

/// The group of a process.
pub(crate) fn group_of(context: &Context, name: &Name) -> Option<Name> {
    context.arrangement().related.group_of(name).cloned()
}

/// Why one of the scopes is not known; none when all are. A name is known when it is configured, or in the table, or
/// when the journal remembers it. The table is only asked when that is needed: it may be away.
pub(crate) fn unknown(
    context: &Context,
    journal: &dyn Journal,
    scopes: &[Scope],
) -> Result<Option<String>, JournalError> {
    let overrides = journal.overrides()?;
    let mut names: BTreeSet<_> = context.config.processes.keys().map(|name| Name::new(name)).collect();
    names.extend(journal.standings()?.into_keys());
    let mut groups = groups(context);
    for given in overrides {
        match given.scope {
            Scope::All => {}
            Scope::Group(name) => drop(groups.insert(name)),
            Scope::Process(name) => drop(names.insert(name)),
        }
    }
    let missing = |names: &BTreeSet<Name>| {
        scopes.iter().find_map(|scope| match scope {
            Scope::Process(name) if !names.contains(name) => Some(name.clone()),
            _ => None,
        })
    };
    if let Some(name) = missing(&names) {
        let rows = context.store().list();
        let away = rows.as_ref().err().map(ToString::to_string);
        names
            .extend(rows.unwrap_or_default().into_iter().map(|row| row.name).filter(|name| !name.is_blank()));
        if let Some(name) = missing(&names).filter(|_| away.is_none()) {
            let meant = did_you_mean(&name, &names);
            return Ok(Some(format!(
                "no process \"{name}\" is configured or in the table, nothing was changed{meant}"
            )));
        }
        if let Some(why) = away {
            let meant = did_you_mean(&name, &names);
            return Ok(Some(format!(
                "no process \"{name}\" is configured, nothing was changed{meant}. Whether it is in the table is not \
                 known: {why}"
            )));
        }
    }
    let group = scopes.iter().find_map(|scope| match scope {
        Scope::Group(name) if !groups.contains(name) => Some(name),
        _ => None,
    });
    Ok(group.map(|name| {
        format!("no group \"{name}\" is configured, nothing was changed{}", did_you_mean(name, &groups))
    }))
}

/// That nobody of this name is known, with the one that was probably meant; none when it is configured, or one of
/// `others`. For those who only look: a name that is not known is an answer there, and no error.
pub(crate) fn stranger(
    context: &Context,
    name: &Name,
    others: impl IntoIterator<Item = Name>,
) -> Option<Stranger> {
    let mut names: BTreeSet<_> = context.config.processes.keys().map(|name| Name::new(name)).collect();
    names.extend(others.into_iter().filter(|name| !name.is_blank()));
    let meant = did_you_mean(name, &names);
    (!names.contains(name)).then(|| Stranger {
        told: format!("No process \"{name}\" is configured or in the table{meant}"),
        resembles: !meant.is_empty(),
    })
}

/// A name that nobody has.
pub(crate) struct Stranger {
    /// That in words, with the name that was probably meant; without a full stop.
    pub(crate) told: String,
    /// Whether somebody has a similar name.
    pub(crate) resembles: bool,
}

fn did_you_mean(name: &Name, names: &BTreeSet<Name>) -> String {
    let near = nearest(name.as_str(), names.iter().map(Name::as_str)).map(Name::new);
    near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default()
}
