//! The sentences of the log about what operators have ordered. Pure text; nothing is decided here.

use crate::policy::model::printable;
use crate::policy::window::{Override, Scope};
use crate::ports::overrides::{Request, in_words, whom};

pub(crate) fn believed(request: &Request) -> String {
    format!("The alarms of the mass alarm are believed, by order of {}", by(request))
}

pub(crate) fn nothing_to_believe(request: &Request) -> String {
    format!("There is no mass alarm, so {} asked for nothing that could be believed", printable(&request.by))
}

fn by(request: &Request) -> String {
    let why = if request.why.is_empty() { String::new() } else { format!(" ({})", printable(&request.why)) };
    format!("{}{why}", printable(&request.by))
}

/// A mass alarm that was held when pm ended is held still.
pub(crate) fn still_held(looked: u64, healthy: u64) -> String {
    format!(
        "The mass alarm from before the start is still held: {healthy} of the {looked} processes looked at were healthy. \
         Clear the wrong alarms (pm alarm clear), or make pm believe them: pm release --mass-alarm"
    )
}

pub(crate) fn ordered(given: &Override) -> String {
    format!("OPERATOR LOG: In force: {}", in_words(given))
}

pub(crate) fn ended(given: &Override) -> String {
    format!("OPERATOR LOG: Ended by itself: {}", in_words(given))
}

pub(crate) fn released(over: &Override, by: Option<&Request>) -> String {
    let by = by.map(|request| format!("; released {}", request.in_words())).unwrap_or_default();
    format!("OPERATOR LOG: Not in force any more: {}{by}", in_words(over))
}

pub(crate) fn reset(scope: &Scope, request: &Request) -> String {
    let why = if request.why.is_empty() { String::new() } else { format!(" ({})", request.why) };
    format!(
        "OPERATOR LOG: Failures of {} are forgotten, breakers are closed: reset by {}{why}",
        whom(scope),
        request.by
    )
}
