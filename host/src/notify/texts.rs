//! From an item to the sentences of a language, which stand in `host/locales/LANGUAGE/notices.ftl`.
//!
//! Pure. Names and reasons are put in as data: control characters escaped, what looks like a secret masked, their length
//! bounded. A message that is missing or cannot be formed shows the word of its event; a test keeps that from happening.

use super::item::{Item, What};
use crate::discreet::discreet;
use crate::policy::group::GroupCause;
use crate::policy::model::{Name, Notice, printable};
use crate::policy::sentence::lasting;
use crate::policy::time::{Now, Ticks};
use crate::policy::window::Scope;
use crate::ports::Happened;
use crate::spec::{EventKind, Language};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// A subject line; longer names are cut.
const LONGEST_SUMMARY: usize = 300;
/// What a person reads of one notice.
const LONGEST_DETAIL: usize = 4_000;
/// So much of a name or a reason.
const LONGEST_PART: usize = 1_000;

/// The texts of both languages, as they stand in their files.
pub(super) const FILES: [(Language, &str); 2] = [
    (Language::English, include_str!("../../locales/en/notices.ftl")),
    (Language::Romanian, include_str!("../../locales/ro/notices.ftl")),
];

type Bundle = FluentBundle<FluentResource>;

static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::English));
static ROMANIAN: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::Romanian));

/// What is said of an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) summary: String,
    pub(super) detail: String,
    /// What could not be formed.
    pub(super) flaws: Vec<String>,
}

/// Puts an item into words.
pub(super) fn say(item: &Item, host: &str, language: Language) -> Said {
    let mut writer = Writer { bundle: bundle_of(language), flaws: Vec::new() };
    let mut arguments = arguments(item);
    arguments.set("host", data(host));
    let summary = writer.message(item.kind.word(), None, &arguments);
    let mut detail = vec![writer.message(item.kind.word(), Some("detail"), &arguments)];
    if item.repeated > 1 {
        detail.push(writer.message("repeated", None, &count(item.repeated)));
    }
    if let What::HeldBack(held, lost) = &item.what {
        if held.is_empty() {
            detail.clear();
        }
        detail.extend(held.iter().map(|(kind, count)| format!("{}: {count}", kind.word())));
        if *lost > 0 {
            detail.push(writer.message("held_back_lost", None, &count(*lost)));
        }
    }
    Said {
        summary: cut(&summary.replace('\n', " "), LONGEST_SUMMARY),
        detail: cut(&detail.join("\n"), LONGEST_DETAIL),
        flaws: writer.flaws,
    }
}

fn bundle_of(language: Language) -> &'static Bundle {
    match language {
        Language::English => &ENGLISH,
        Language::Romanian => &ROMANIAN,
    }
}

fn bundle(language: Language) -> Bundle {
    let locale = language.word().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![locale]);
    // Marks around what is put in are for text of both directions; a mail or a script shows them as rubbish.
    bundle.set_use_isolating(false);
    // It fails only when something of that name is there already, and the bundle is new.
    let _ = bundle.add_function("FORM", move |numbers, _| form_of(language, numbers).into());
    for (_, text) in FILES.into_iter().filter(|(its, _)| *its == language) {
        // What could be read of a broken file is better than nothing.
        let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(resource, _)| resource);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

fn form_of(language: Language, numbers: &[FluentValue<'_>]) -> &'static str {
    match numbers.first() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are whole numbers from 0 on"
        )]
        Some(FluentValue::Number(number)) => form(language, number.value as u64),
        _ => "other",
    }
}

/// The form of a noun behind a number. The plural rules of the library are wrong for Romanian above 100, where the last two
/// digits decide: 119 procese, 120 de procese.
fn form(language: Language, number: u64) -> &'static str {
    match (language, number) {
        (_, 1) => "one",
        (Language::Romanian, _) if number == 0 || (1..20).contains(&(number % 100)) => "few",
        _ => "other",
    }
}

struct Writer {
    bundle: &'static Bundle,
    flaws: Vec<String>,
}

impl Writer {
    fn message(&mut self, id: &str, attribute: Option<&str>, arguments: &FluentArgs<'_>) -> String {
        let message = self.bundle.get_message(id);
        let pattern = message.and_then(|message| match attribute {
            None => message.value(),
            Some(name) => message.get_attribute(name).map(|attribute| attribute.value()),
        });
        let Some(pattern) = pattern else {
            self.flaws.push(format!("{id} has no {}", attribute.unwrap_or("text")));
            return id.to_owned();
        };
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(arguments), &mut errors).into_owned();
        self.flaws.extend(errors.into_iter().map(|error| format!("{id}: {error}")));
        text
    }
}

/// What stands for the names in the texts.
fn arguments(item: &Item) -> FluentArgs<'static> {
    let mut all = FluentArgs::new();
    all.set("name", data(&item.subject));
    match &item.what {
        What::Happened(Happened::Concluded { notice, by, .. }) => {
            concluded(&mut all, notice, by.as_deref(), item.at);
        }
        What::Happened(Happened::RestartFailed { attempts, why, .. }) => {
            all.set("attempts", FluentValue::from((*attempts).max(1)));
            all.set("why", reason(why));
        }
        What::Happened(Happened::HostSilent { machine, silent, .. }) => {
            all.set("machine", data(machine));
            all.set("wait", lasting(*silent));
        }
        What::Happened(Happened::PluginFailing { why, .. } | Happened::DatabaseLost { why }) => {
            all.set("why", reason(why));
        }
        What::HeldBack(held, lost) => all.set("count", FluentValue::from(total(held).max(*lost))),
        What::Happened(Happened::DatabaseBack | Happened::Test) => {}
    }
    all
}

fn concluded(all: &mut FluentArgs<'static>, notice: &Notice, by: Option<&str>, at: Now) {
    match notice {
        Notice::BreakerOpened { count, until, .. } => {
            all.set("count", FluentValue::from(*count));
            all.set("wait", lasting(left(*until, at)));
        }
        Notice::GroupOpened { cause, troubled, until, .. } => {
            let cause = match cause {
                GroupCause::Budget => "budget",
                GroupCause::Correlation => "correlation",
                GroupCause::Trial => "trial",
            };
            all.set("cause", cause);
            all.set("members", members(troubled));
            all.set("wait", lasting(left(*until, at)));
        }
        Notice::DriverPaused { until, .. } => all.set("wait", lasting(left(*until, at))),
        Notice::MassAlarm { alarms, known } => {
            all.set("alarms", FluentValue::from(*alarms));
            all.set("known", FluentValue::from(*known));
        }
        Notice::MassHeld { looked, healthy } => {
            all.set("looked", FluentValue::from(*looked));
            all.set("healthy", FluentValue::from(*healthy));
        }
        Notice::MassBelieved { looked, healthy } => {
            all.set("looked", FluentValue::from(*looked));
            all.set("bad", FluentValue::from(looked.saturating_sub(*healthy)));
            all.set("by", by.map_or_else(|| "none".to_owned(), data));
        }
        Notice::WindowEnded { scopes, early, .. } => {
            covered(all, scopes);
            all.set("end", if early.is_some() { "early" } else { "planned" });
            all.set("by", by.map_or_else(|| "none".to_owned(), data));
        }
        Notice::WindowStarted { scopes, reason: why, until, .. } => {
            covered(all, scopes);
            all.set("reason", if why.is_empty() { "none".to_owned() } else { reason(why) });
            all.set("wait", lasting(until.since(at.wall)));
        }
        _ => {}
    }
}

/// Whom a window covers.
fn covered(all: &mut FluentArgs<'static>, scopes: &[Scope]) {
    let (mut processes, mut groups) = (Vec::new(), Vec::new());
    for scope in scopes {
        match scope {
            Scope::All => {}
            Scope::Group(name) => groups.push(name.clone()),
            Scope::Process(name) => processes.push(name.clone()),
        }
    }
    all.set(
        "covers",
        match (scopes.contains(&Scope::All), processes.is_empty(), groups.is_empty()) {
            (true, ..) => "all",
            (false, true, true) => "unknown",
            (false, false, true) => "processes",
            (false, true, false) => "groups",
            (false, false, false) => "both",
        },
    );
    all.set("processes", members(&processes));
    all.set("groups", members(&groups));
}

fn count(count: u32) -> FluentArgs<'static> {
    let mut arguments = FluentArgs::new();
    arguments.set("count", FluentValue::from(count));
    arguments
}

fn total(held: &BTreeMap<EventKind, u32>) -> u32 {
    held.values().fold(0, |sum, count| sum.saturating_add(*count))
}

fn left(until: Ticks, at: Now) -> Duration {
    until.since(at.boot)
}

fn members(names: &[Name]) -> String {
    let mut text = names.iter().take(5).map(|name| data(name.as_str())).collect::<Vec<_>>().join(", ");
    if names.len() > 5 {
        text.push_str(&format!(" (+{})", names.len() - 5));
    }
    text
}

fn data(text: &str) -> String {
    cut(&printable(text), LONGEST_PART)
}

/// A reason goes to other hosts and people, so what looks like a secret is masked. The sentence around it has an end of
/// its own.
fn reason(text: &str) -> String {
    data(&discreet(text)).trim_end_matches('.').to_owned()
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
