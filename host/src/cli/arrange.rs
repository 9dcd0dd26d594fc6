//! From the configuration to what the policy judges with: rules of a process, groups, limits of the host.
//!
//! Both edges have their own types for the same numbers; this is where one becomes the other.

use crate::config::{Config, Group};
use crate::policy::bucket::Budget;
use crate::policy::group::GroupRules;
use crate::policy::model::{Limits, Name};
use crate::policy::relations::{Membership, Related, Relations};
use crate::ports::Arrangement;
use std::collections::HashMap;

/// How processes belong together, as the file and the tables say, and the limits of this host.
pub(crate) fn arrangement(config: &Config, table: &Relations) -> Arrangement {
    let related = Related::merge(&config.declared(), table);
    let rules = |name: &Name, members: usize| group_rules(&config.group(name.as_str()), members);
    let mut groups: HashMap<Name, GroupRules> =
        related.groups().iter().map(|(name, members)| (name.clone(), rules(name, members.len()))).collect();
    let default = config.default.as_ref().and_then(|default| default.declaration.group.as_ref());
    if let Some(Membership::Of(name)) = default {
        // Rows that only [process.default] speaks for are members, and nobody can count them: half of them cannot be
        // told.
        let known = groups.get(name).map_or(0, |rules| rules.members as usize);
        groups.insert(name.clone(), GroupRules { share: 0, members: u32::MAX, ..rules(name, known) });
    }
    Arrangement { related, groups, limits: limits(config) }
}

fn group_rules(group: &Group, members: usize) -> GroupRules {
    GroupRules {
        budget: Budget { size: group.budget, refill: group.budget_refill },
        correlation: group.correlation,
        share: percent(group.correlation_share),
        window: group.window,
        open_time: group.circuit_reset_time,
        open_max: group.circuit_reset_max,
        open_jitter: percent(group.circuit_jitter),
        stable: group.stable_time,
        members: u32::try_from(members).unwrap_or(u32::MAX),
    }
}

fn limits(config: &Config) -> Limits {
    let monitor = &config.monitor;
    Limits {
        parallel: monitor.max_parallel_restarts.into(),
        storm: Budget { size: monitor.storm_limit, refill: monitor.storm_refill },
        mass_min: monitor.mass_alarm_min,
        mass_share: percent(monitor.mass_alarm_share),
        mass_look: monitor.mass_alarm_look_time,
        mass_recheck: monitor.mass_alarm_recheck,
        driver: monitor.driver,
    }
}

fn percent(number: u32) -> u8 {
    u8::try_from(number.min(100)).unwrap_or(100)
}
