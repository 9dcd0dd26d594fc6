//! The strategy and the check "process": programs without a service manager.
//!
//! A process is found by pid file, executable or exact name, ended by a signal and if need be SIGKILL, and started
//! again so that it outlives pm. `/proc` is read directly. Nothing is stopped that cannot be started again, nothing is
//! started twice, and nothing is signalled whose identity is in doubt.

#![forbid(unsafe_code)]

mod check;
mod evidence;
mod find;
mod launch;
mod name;
mod pidfile;
mod proc;
mod restart;
#[cfg(test)]
mod sample;
mod stop;

use check::Check;
use restart::Restart;

pm_plugin_api::export! {
    strategy "process" => Restart,
    check "process" => Check,
}
