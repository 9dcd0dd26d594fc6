//! What a test hears of the log: events of its own thread, while it listens.
//!
//! One subscriber serves all threads of the test program, from the first use on. A subscriber per test would not do: tests
//! run side by side, and tracing then decides for all of them, by whichever thread comes first, that an event interests
//! nobody.

use crate::bridge::Line;
use std::cell::RefCell;
use std::sync::OnceLock;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default, with_default};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    /// The lines of each [`logged`] that this thread is in, the innermost last.
    static LISTENING: RefCell<Vec<Vec<String>>> = const { RefCell::new(Vec::new()) };
}

/// Whether the recorder is everybody's subscriber; not when the test program has installed one of its own.
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Installs the recorder, if that has not been done.
pub(super) fn install() -> bool {
    *INSTALLED.get_or_init(|| set_global_default(Recorder).is_ok())
}

/// Runs `body` and returns what it logged on this thread, as `LEVEL message key=value`.
pub fn logged<T>(body: impl FnOnce() -> T) -> (T, Vec<String>) {
    let everywhere = install();
    LISTENING.with_borrow_mut(|listening| listening.push(Vec::new()));
    let ended = Ended;
    let result = if everywhere { body() } else { with_default(Recorder, body) };
    let lines = LISTENING.with_borrow_mut(|listening| listening.last_mut().map(std::mem::take));
    drop(ended);
    (result, lines.unwrap_or_default())
}

/// Listens no more, also after a panic of the body.
struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        LISTENING.with_borrow_mut(Vec::pop);
    }
}

struct Recorder;

impl Subscriber for Recorder {
    /// Another thread may begin to listen later, so no answer may be remembered.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && LISTENING.with_borrow(|listening| !listening.is_empty())
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{} {}", event.metadata().level(), line.text());
        LISTENING
            .with_borrow_mut(|listening| listening.iter_mut().for_each(|lines| lines.push(text.clone())));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speak() {
        tracing::info!(number = 7, "said");
    }

    #[test]
    fn each_thread_hears_itself_whatever_the_others_do() {
        let threads: Vec<_> = (0..16)
            .map(|number| {
                std::thread::spawn(move || match number % 2 {
                    0 => logged(speak).1,
                    _ => {
                        speak();
                        vec!["INFO said number=7".to_owned()]
                    }
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), ["INFO said number=7"]);
        }
    }

    #[test]
    fn who_listens_within_hears_as_well_and_a_panic_ends_it() {
        let (inner, outer) = logged(|| logged(speak).1);
        assert_eq!(
            (inner.as_slice(), outer.as_slice()),
            (&["INFO said number=7".to_owned()][..], inner.as_slice())
        );
        assert!(std::panic::catch_unwind(|| logged(|| panic!("in a test"))).is_err());
        assert!(LISTENING.with_borrow(Vec::is_empty));
    }
}
