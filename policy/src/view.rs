//! One poll's picture of the world: everything a decision is made from, besides what is remembered.

use crate::bucket::Budget;
use crate::driver::DriverRules;
use crate::group::GroupRules;
use crate::model::Alarm;
use crate::name::Name;
use crate::relations::Related;
use crate::rules::Configured;
use crate::time::Ticks;
use crate::window::{Override, Window};
use std::collections::HashMap;
use std::time::Duration;

/// One poll's picture of the world.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Rows in alarm, in the order of the table.
    pub alarms: &'a [Alarm],
    /// How many rows there are, in alarm or not; none when it was not asked.
    pub known: Option<u64>,
    /// Whether `alarms` tells how things are now.
    pub sight: Sight,
    /// When the last poll began that read `alarms`: quiet is proven up to then and no further.
    pub polled: Ticks,
    /// What the configuration says of each name in `alarms` and of each that is remembered.
    pub configured: &'a HashMap<Name, Configured>,
    /// Who depends on whom, and who is a member of which group.
    pub related: &'a Related,
    /// The groups that have limits.
    pub groups: &'a HashMap<Name, GroupRules>,
    /// The present or next occurrence of each maintenance window.
    pub windows: &'a [Window],
    /// What operators ordered.
    pub overrides: &'a [Override],
    /// The limits of this host.
    pub limits: Limits,
    /// Whether rows can be cleared.
    pub table: Table,
    /// Whether new work is taken on.
    pub intake: Intake,
}

/// The limits of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max_parallel_restarts`: how many jobs may run at once.
    pub parallel: usize,
    /// `storm_limit`, `storm_refill`: how many restarts may begin at once, and one more each so often.
    pub storm: Budget,
    /// `mass_alarm_min`: fewer alarms are never a mass alarm; 0 switches the guard off.
    pub mass_min: u32,
    /// `mass_alarm_share`: more than this share of the rows in percent is a mass alarm.
    pub mass_share: u8,
    /// `mass_alarm_look_time`: how long looking may take before it is concluded with what is known.
    pub mass_look: Duration,
    /// `mass_alarm_recheck`: how old a verdict may become while alarms are held.
    pub mass_recheck: Duration,
    /// When what strategies depend on is left alone.
    pub driver: DriverRules,
}

/// Whether what was read is how things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The last poll succeeded.
    Clear,
    /// The database does not answer: no alarm may be seen, and none need not be quiet.
    Blind,
}

/// Whether pm can write to the alarm table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// As far as it is known, it can.
    Writable,
    /// The last write was refused: server or account is read-only.
    ReadOnly,
}

/// Whether new jobs may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// They may.
    Open,
    /// Everything is decided and told, nothing is done (`pm run --observe`).
    Observing,
    /// Another pm speaks for this host: as [`Observing`](Self::Observing).
    Silenced,
    /// pm is shutting down.
    Stopping,
}
