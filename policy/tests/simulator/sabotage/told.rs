//! Lies in what the policy is told.

use super::Sabotage;
use crate::host::Desk;
use pm_policy::bucket::Budget;
use pm_policy::group::GroupRules;
use pm_policy::model::{
    Alarm, Checked, Configured, Criticality, Intake, Name, Order, Override, Rules, Sight, Table, Verify, View,
};
use pm_policy::relations::Related;
use std::collections::HashMap;

/// What a view is made of, where it is a lie.
#[derive(Default)]
pub(crate) struct Lies {
    overrides: Vec<Override>,
    related: Related,
    groups: HashMap<Name, GroupRules>,
    configured: Option<HashMap<Name, Configured>>,
    alarms: Vec<Alarm>,
}

impl Sabotage {
    pub(crate) fn lies(
        self,
        desk: &Desk,
        alarms: &[Alarm],
        all: impl Iterator<Item = (Name, Rules)>,
    ) -> Lies {
        let told = |order: &&Override| match order.order {
            Order::Hold => self != Self::NoHolds,
            Order::Observe => self != Self::NoObserving,
            Order::Bypass => true,
        };
        let of_rules = [
            Self::NoVerifyFirst,
            Self::AllConfigured,
            Self::AllChecked,
            Self::UpsideDown,
            Self::LongOpen,
            Self::NoFailures,
        ];
        let mut lies =
            Lies { overrides: desk.overrides.iter().filter(told).cloned().collect(), ..Lies::default() };
        if of_rules.contains(&self) {
            let mut configured = desk.configured.clone();
            if self == Self::AllConfigured {
                configured.extend(all.map(|(name, rules)| (name, Configured::Yes(rules))));
            }
            for its in configured.values_mut() {
                if let Configured::Yes(rules) = its {
                    *rules = self.rules(rules);
                }
            }
            lies.configured = Some(configured);
        }
        if self == Self::NoTicks {
            lies.alarms = alarms.to_vec();
            lies.alarms.iter_mut().for_each(|alarm| alarm.acknowledged = false);
        }
        lies
    }

    /// The rules of a process as they are told.
    pub(crate) fn rules(self, rules: &Rules) -> Rules {
        let mut told = rules.clone();
        match self {
            Self::NoVerifyFirst => told.verify = Verify::AfterOnly,
            Self::AllChecked => told.check = Checked::ByCheck,
            Self::UpsideDown => {
                told.criticality = match told.criticality {
                    Criticality::Critical => Criticality::Low,
                    Criticality::High => Criticality::Normal,
                    Criticality::Normal => Criticality::High,
                    Criticality::Low => Criticality::Critical,
                }
            }
            // Else the pause tells first.
            Self::NoFailures => told.pause.base = told.pause.cap,
            Self::LongOpen => (told.open_time, told.open_max) = (told.open_time * 2, told.open_max * 2),
            _ => {}
        }
        told
    }

    pub(crate) fn view<'a>(self, truth: View<'a>, lies: &'a Lies) -> View<'a> {
        let mut view = View { overrides: &lies.overrides, ..truth };
        if let Some(configured) = &lies.configured {
            view.configured = configured;
        }
        match self {
            Self::NoWindows => view.windows = &[],
            Self::NoIntake => view.intake = Intake::Open,
            Self::NoTicks => view.alarms = &lies.alarms,
            Self::NoRelations => view.related = &lies.related,
            Self::NoGroups => view.groups = &lies.groups,
            Self::NoStorm => view.limits.storm = Budget::NONE,
            Self::NoParallel => view.limits.parallel = 100,
            Self::NoGuard => view.limits.mass_min = 0,
            Self::EasyGuard => {
                (view.limits.mass_min, view.limits.mass_share) = (1, 0);
                view.known = view.known.or(Some(100));
            }
            Self::NoReadOnly => view.table = Table::Writable,
            Self::NoBlindness => view.sight = Sight::Clear,
            _ => {}
        }
        view
    }
}
