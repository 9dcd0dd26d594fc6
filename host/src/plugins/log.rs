//! The host's side of the bridge: what a library logs becomes an event of pm's own log.
//!
//! In a worker it goes over the wire first, with the number of the call it belongs to. Targets of events are fixed at compile time, so all of these have the target `plugin`; the plugin's name and the
//! module that spoke are fields. Nothing here may unwind into the library that calls it.

use crate::policy::model::printable;
use crate::ports::Heard;
use abi_stable::prefix_type::PrefixTypeTrait as _;
use abi_stable::std_types::RStr;
use pm_plugin_api::abi::{Host, HostRef};
use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use tracing::level_filters::LevelFilter;
use tracing::{Level, debug, error, info, trace, warn};

/// The level info: up to it, what a library says is worth keeping.
const TOLD: u8 = 3;

/// Takes what a library says in a worker: the number of the call, level, module, text.
type Wire = Box<dyn Fn(u64, u8, &str, &str) + Send + Sync>;

static WIRE: OnceLock<Wire> = OnceLock::new();
/// The most verbose level that somebody listens to at the other end of the wire.
static LEVEL: AtomicU8 = AtomicU8::new(TOLD);

thread_local! {
    /// The number of the call that this thread of a worker runs.
    static CALL: Cell<u64> = const { Cell::new(0) };
    /// The plugin whose code this thread runs.
    static SPEAKER: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
    /// Who wants to know what it says.
    static LISTENER: RefCell<Option<Heard>> = const { RefCell::new(None) };
}

/// Runs `body`, a call into the library of `plugin`, so that what it logs bears the plugin's name and is kept in
/// `heard` as well.
pub(super) fn speaking<T>(plugin: &Arc<str>, heard: Option<Heard>, body: impl FnOnce() -> T) -> T {
    let before = (SPEAKER.replace(Some(Arc::clone(plugin))), LISTENER.replace(heard));
    let result = body();
    SPEAKER.set(before.0);
    LISTENER.set(before.1);
    result
}

/// In a worker: what libraries say goes to `wire` from now on.
pub(super) fn over(wire: Wire) {
    // A worker begins once.
    let _ = WIRE.set(wire);
}

/// In a worker: runs `body`, the call with this number, whose caller listens up to `level`.
pub(super) fn calling<T>(number: u64, level: u8, body: impl FnOnce() -> T) -> T {
    LEVEL.store(level, Ordering::Relaxed);
    let before = CALL.replace(number);
    let result = body();
    CALL.set(before);
    result
}

/// What a worker's library said, as if it had been said here.
pub(super) fn repeat(plugin: &str, heard: Option<&Heard>, level: u8, module: &str, text: &str) {
    forward(level, plugin, module, text);
    if level <= TOLD
        && let Some(heard) = heard
    {
        text.lines().for_each(|line| heard.line(&printable(line)));
    }
}

/// The table that is lent to every library; one for the life of the program.
pub(super) fn host() -> HostRef {
    static HOST: OnceLock<HostRef> = OnceLock::new();
    *HOST.get_or_init(|| Host { log, max_level }.leak_into_prefix())
}

extern "C" fn max_level() -> u8 {
    wanted()
}

extern "C" fn log(level: u8, module: RStr<'_>, text: RStr<'_>) {
    said(level, module.as_str(), text.as_str());
}

/// The most verbose level that a library should speak at: 0 none, 1 error … 5 trace.
pub(super) fn wanted() -> u8 {
    if WIRE.get().is_some() { LEVEL.load(Ordering::Relaxed) } else { listened() }
}

/// The most verbose level that somebody listens to in this process.
pub(super) fn listened() -> u8 {
    match LevelFilter::current().into_level() {
        // The history wants it, whatever the log does.
        None | Some(Level::ERROR | Level::WARN | Level::INFO) => TOLD,
        Some(Level::DEBUG) => 4,
        Some(Level::TRACE) => 5,
    }
}

/// Takes what `module` of a library says.
pub(super) fn said(level: u8, module: &str, text: &str) {
    // A panic of a subscriber must not cross the boundary, which would abort the program; the line is lost.
    let _ = catch_unwind(|| {
        if let Some(wire) = WIRE.get() {
            return wire(CALL.try_with(Cell::get).unwrap_or_default(), level, module, text);
        }
        let speaker = SPEAKER.try_with(|speaker| speaker.borrow().clone()).ok().flatten();
        // A thread that the plugin started itself: its crate is all that is known.
        let plugin = speaker.as_deref().unwrap_or_else(|| module.split("::").next().unwrap_or(module));
        let listener = LISTENER.try_with(|listener| listener.borrow().clone()).ok().flatten();
        repeat(plugin, listener.as_ref(), level, module, text);
    });
}

fn forward(level: u8, plugin: &str, module: &str, text: &str) {
    match level {
        1 => error!(target: "plugin", plugin, module, "{text}"),
        2 => warn!(target: "plugin", plugin, module, "{text}"),
        3 => info!(target: "plugin", plugin, module, "{text}"),
        4 => debug!(target: "plugin", plugin, module, "{text}"),
        _ => trace!(target: "plugin", plugin, module, "{text}"),
    }
}
