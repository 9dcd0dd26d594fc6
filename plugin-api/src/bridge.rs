//! Carries what happens inside a library to pm's log: `tracing` events and panics.
//!
//! A library has its own copy of tracing's and std's globals, so without this its events vanish and its panics
//! go to stderr. Spans are not carried. The host's level is asked before anything is formatted.

use crate::abi::HostRef;
use abi_stable::std_types::RStr;
use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

static HOST: OnceLock<HostRef> = OnceLock::new();

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Connects this library to the host that loaded it; the first call counts.
pub(crate) fn attach(host: HostRef) {
    if HOST.set(host).is_err() {
        return;
    }
    // Failing means that the author installed a subscriber of their own; theirs wins.
    let _ = tracing::subscriber::set_global_default(Bridge);
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
        let text = info.payload_as_str().unwrap_or("(no message)");
        let whole = format!("{place}: {text}");
        log(&Level::ERROR, "panic", &format!("panicked at {whole}"));
        PANIC.with_borrow_mut(|last| *last = Some(whole));
    }));
}

/// Place and message of the last panic on this thread, once.
pub(crate) fn last_panic() -> Option<String> {
    PANIC.with_borrow_mut(Option::take)
}

fn log(level: &Level, target: &str, message: &str) {
    if let Some(host) = HOST.get() {
        (host.log())(number(level), RStr::from_str(target), RStr::from_str(message));
    }
}

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

struct Bridge;

impl Subscriber for Bridge {
    /// The operator can change the level while pm runs, so no answer may be remembered.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && HOST.get().is_some_and(|host| number(metadata.level()) <= (host.max_level())())
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        log(event.metadata().level(), event.metadata().target(), &line.text());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message, then the fields as `key=value`.
#[derive(Default)]
pub(crate) struct Line {
    message: String,
    fields: String,
}

impl Line {
    pub(crate) fn text(self) -> String {
        self.message + &self.fields
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
