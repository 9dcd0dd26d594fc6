//! The strategy and the check "docker": containers of Docker, or of Podman behind the same interface, over its socket.
//!
//! Every call looks the container up anew, opens its own connection and ends it, and gives up shortly before pm's
//! limit: nothing stays open, so a daemon that was restarted and a container that was recreated need no care.
//!
//! It must not start programs (no `docker` client) and must not let a name that is not a container's full name, or
//! at least 12 digits of its id, decide what is restarted.

#![forbid(unsafe_code)]

mod check;
mod container;
mod evidence;
mod failure;
mod restart;
mod select;
mod session;
mod socket;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use check::DockerCheck;
use restart::Docker;

pm_plugin_api::export! {
    strategy "docker" => Docker,
    check "docker" => DockerCheck,
}
