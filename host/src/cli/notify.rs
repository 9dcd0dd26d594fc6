//! `pm notify`: whether people would be told.

use crate::cli::arguments::{Format, Global, NotifyVerb, TestNoticeOptions};
use crate::cli::compose::Context;
use crate::cli::table::table;
use crate::cli::{Failure, Terminal, json};
use crate::notify;
use crate::policy::model::{Name, printable};
use crate::ports::Happened;
use crate::spec::Receiver;
use pm_plugin_api::Error;
use serde_json::json;
use std::time::Duration;

pub(crate) fn notify(global: &Global, verb: &NotifyVerb, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let NotifyVerb::Test(options) = verb;
    test(global, options, terminal)
}

/// What came of one receiver, and how long it took.
type Tried = (Result<(), Error>, Duration);

fn test(global: &Global, options: &TestNoticeOptions, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let receivers = chosen(&context.config.notify, options.receiver.as_deref())?;
    let tried: Vec<(&Receiver, Tried)> =
        receivers.into_iter().map(|receiver| (receiver, deliver(receiver, &context))).collect();
    match options.format {
        Format::Json => {
            let all: Vec<_> = tried.iter().map(|(receiver, result)| as_json(receiver, result)).collect();
            json::write(&json!({ "receivers": all }), terminal.out)?;
        }
        Format::Text => {
            let rows = tried.iter().map(|(receiver, (result, took))| {
                let result = match result {
                    Ok(()) => format!("delivered in {} ms", took.as_millis()),
                    Err(error) => error.message.clone(),
                };
                vec![receiver.name.clone(), receiver.part.name.clone(), result]
            });
            write!(terminal.out, "{}", table(&["RECEIVER", "NOTIFIER", "RESULT"], rows))?;
        }
    }
    if tried.iter().all(|(_, (result, _))| result.is_ok()) { Ok(()) } else { Err(Failure::Said(1)) }
}

fn chosen<'r>(all: &'r [Receiver], name: Option<&str>) -> Result<Vec<&'r Receiver>, Failure> {
    if all.is_empty() {
        return Err(Failure::Usage(
            "nobody is told anything: there is no usable section [notify.NAME]; see: pm check".to_owned(),
        ));
    }
    let Some(name) = name else { return Ok(all.iter().collect()) };
    let found: Vec<_> = all.iter().filter(|receiver| receiver.name == name).collect();
    if found.is_empty() {
        let names: Vec<_> = all.iter().map(|receiver| printable(&receiver.name)).collect();
        let text = format!("no receiver {}; there are: {}", Name::new(name), names.join(", "));
        return Err(Failure::Usage(text));
    }
    Ok(found)
}

fn deliver(receiver: &Receiver, context: &Context) -> Tried {
    let (begun, clock) = (context.now(), context.clock());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let result = notify::deliver(receiver, Happened::Test, &host, begun, context.strategies(), clock);
    (result, context.now().boot.since(begun.boot))
}

fn as_json(receiver: &Receiver, (result, took): &Tried) -> serde_json::Value {
    json!({
        "name": receiver.name,
        "notifier": receiver.part.name,
        "delivered": result.is_ok(),
        "why": result.as_ref().err().map(|error| error.message.clone()),
        "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    })
}
