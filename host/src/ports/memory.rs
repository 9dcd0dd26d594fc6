//! What the journal remembers of a host besides its processes: plain data.

use crate::policy::bucket::Bucket;
use crate::policy::driver::Driver;
use crate::policy::group::Group;
use crate::policy::mass::Mass;
use crate::policy::model::{Due, Name};
use crate::policy::relations::Relations;
use crate::policy::time::Ticks;
use crate::policy::window::Announced;
use std::collections::BTreeMap;

/// What is remembered of the host besides its processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostMemory {
    /// Groups that are not a clean slate.
    pub groups: BTreeMap<Name, Group>,
    /// Drivers that failed.
    pub drivers: BTreeMap<Name, Driver>,
    /// Processes to restart because of what they depend on.
    pub due: BTreeMap<Name, Due>,
    /// The restarts of this host.
    pub storm: Bucket,
    /// The guard against a mass alarm.
    pub mass: Mass,
    /// Maintenance windows whose start was announced.
    pub windows: BTreeMap<Name, Announced>,
    /// What the tables of the alarm database said of groups and dependencies when they were read last.
    pub relations: Relations,
    /// Up to when the alarms were seen, as far as that was noted; always in the present boot.
    pub seen_until: Option<Ticks>,
}
