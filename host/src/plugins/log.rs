//! The host's side of the bridge: what a library logs becomes an event of pm's own log.
//!
//! Targets of events are fixed at compile time, so all of these have the target `plugin`; the plugin's name and the
//! module that spoke are fields. Nothing here may unwind into the library that calls it.

use crate::policy::model::printable;
use crate::ports::Heard;
use abi_stable::prefix_type::PrefixTypeTrait as _;
use abi_stable::std_types::RStr;
use pm_plugin_api::abi::{Host, HostRef};
use std::cell::RefCell;
use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};
use tracing::level_filters::LevelFilter;
use tracing::{Level, debug, error, info, trace, warn};

/// The level info: up to it, what a library says is worth keeping.
const TOLD: u8 = 3;

thread_local! {
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

/// The most verbose level that somebody listens to: 0 none, 1 error … 5 trace.
pub(super) fn wanted() -> u8 {
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
        let speaker = SPEAKER.try_with(|speaker| speaker.borrow().clone()).ok().flatten();
        // A thread that the plugin started itself: its crate is all that is known.
        let plugin = speaker.as_deref().unwrap_or_else(|| module.split("::").next().unwrap_or(module));
        forward(level, plugin, module, text);
        if level <= TOLD {
            let listener = LISTENER.try_with(|listener| listener.borrow().clone()).ok().flatten();
            if let Some(heard) = listener {
                text.lines().for_each(|line| heard.line(&printable(line)));
            }
        }
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
