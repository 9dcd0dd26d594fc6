//! The check "docker": the container's own health state when it has a HEALTHCHECK, else whether it runs.
//!
//! With a label, all containers that carry it must be healthy. It looks once; repeating is pm's affair.

use crate::container::Container;
use crate::restart::present;
use crate::select::{Selector, Wanted};
use crate::session::Session;
use pm_plugin_api::{Health, HealthCheck, Result, Target};
use std::path::PathBuf;

pm_plugin_api::settings! {
    /// Settings of the check "docker"; they mean what they mean for the strategy.
    pub struct DockerCheckSettings {
        /// Socket of the daemon. Default: as for the strategy "docker".
        pub socket: Option<PathBuf>,
        /// Name of the container, or at least 12 digits of its id. Default: system_name.
        pub container: Option<String>,
        /// Instead of one container: all with this label must be healthy.
        pub label: Option<String>,
    }
}

/// See the module.
pub(crate) struct DockerCheck {
    socket: Option<PathBuf>,
    selector: Selector,
}

impl HealthCheck for DockerCheck {
    type Settings = DockerCheckSettings;

    fn new(settings: DockerCheckSettings) -> Result<Self> {
        Ok(Self { socket: settings.socket, selector: Selector::new(settings.container, settings.label)? })
    }

    fn check(&self, target: &Target) -> Result<Health> {
        let wanted = self.selector.wanted(target)?;
        let session = Session::open(self.socket.as_deref(), target)?;
        Ok(match wanted {
            Wanted::Container(name) => session.inspect(name)?.health(),
            Wanted::Label(label) => together(&present(&session, label)?),
        })
    }
}

/// The worst of all, naming whose it is: unhealthy before unknown before healthy.
fn together(containers: &[Container]) -> Health {
    let (mut unhealthy, mut unknown) = (Vec::new(), Vec::new());
    for container in containers {
        match container.health() {
            Health::Healthy { .. } => {}
            Health::Unhealthy { why } => unhealthy.push(format!("{container} {why}")),
            Health::Unknown { why } => unknown.push(format!("{container} {why}")),
            _ => unknown.push(format!("{container} in a state that pm does not know")),
        }
    }
    if !unhealthy.is_empty() {
        Health::unhealthy(unhealthy.join("; "))
    } else if !unknown.is_empty() {
        Health::unknown(unknown.join("; "))
    } else {
        Health::healthy(format!("all {} containers are healthy", containers.len()))
    }
}
