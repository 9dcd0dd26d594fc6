//! From the configuration of a process to the [`Spec`] that a job works with.

use super::model::Config;
use super::process::Process;
use super::variables::environment;
use crate::policy::backoff::Backoff;
use crate::policy::model::{Checked, Configured, Dependents, Name, Rules};
use crate::spec::{EvidencePlan, PartRef, Spec};
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::Texts;
use std::time::Duration;

/// How long a handled alarm of a process without a check is left alone when its row cannot be cleared.
const UNCHECKED_GRACE: Duration = Duration::from_secs(3600);

/// What is configured for a name and, when it can be handled, how. `offers` are the installed parts.
#[must_use]
pub fn look_up(config: &Config, offers: &[Offer], name: &Name) -> (Configured, Option<Spec>) {
    let Some(process) = config.process(name.as_str()) else { return (Configured::No, None) };
    if let Some(why) = &process.unusable {
        return (Configured::Unusable(why.clone()), None);
    }
    if let Some(why) = not_installed(offers, &process) {
        return (Configured::Unusable(why), None);
    }
    match spec(config, offers, &process) {
        Some(spec) => (Configured::Yes(spec.rules.clone()), Some(spec)),
        None => (Configured::Unusable("it has no restart_strategy".to_owned()), None),
    }
}

/// What a process needs and no library offers now; that is no fault of the process, so it must not fail over it.
fn not_installed(offers: &[Offer], process: &Process) -> Option<String> {
    let has = |kind: &str, name: &str| offers.iter().any(|offer| offer.kind == kind && offer.name == name);
    let chain = process.chain();
    let missing = match (chain.iter().any(|name| has("strategy", name)), process.check()) {
        (false, _) if !chain.is_empty() => format!("the strategy {:?}", chain.join(", ")),
        (_, Some(check)) if !has("check", check) => format!("the check {check:?}"),
        _ => return None,
    };
    Some(format!("{missing} is not installed; see: pm plugins list"))
}

fn spec(config: &Config, offers: &[Offer], process: &Process) -> Option<Spec> {
    let part = |kind: &str, name: &str| PartRef {
        name: name.to_owned(),
        settings: settings(config, offers, process, kind, name),
    };
    let chain: Vec<_> = process.chain().into_iter().map(|name| part("strategy", name)).collect();
    if chain.is_empty() {
        return None;
    }
    let delegates = offers.iter().filter(|offer| offer.kind == "strategy");
    let check = process.check().map(|name| part("check", name));
    // Without a check only time can tell, so an unchecked process is left alone for much longer.
    let grace = match check {
        Some(_) => config.monitor.handled_grace,
        None => config.monitor.handled_grace.max(UNCHECKED_GRACE),
    };
    Some(Spec {
        system_name: process.system_name().to_owned(),
        group: None,
        rules: rules(process, &chain, check.is_some(), grace),
        strategy_text: match process.strategies.as_slice() {
            [] => "custom".to_owned(),
            names => names.join(", "),
        },
        chain,
        delegates: delegates.map(|offer| (offer.name.clone(), config.settings(process, offer))).collect(),
        check,
        max_attempts: process.max_attempts,
        backoff: Backoff {
            base: process.restart_delay,
            factor: process.restart_delay_factor,
            cap: process.restart_delay_max,
        },
        check_timeout: process.health_check_timeout,
        check_interval: process.health_check_interval,
        restart_timeout: process.restart_timeout,
        pre_restart: process.pre_restart_command.clone(),
        pre_restart_timeout: process.pre_restart_timeout,
        evidence: process.evidence.then(|| EvidencePlan {
            command: process.evidence_command.clone(),
            timeout: process.evidence_timeout,
        }),
        working_directory: config.monitor.working_directory.clone(),
        environment: environment(config),
    })
}

fn rules(process: &Process, chain: &[PartRef], checked: bool, grace: Duration) -> Rules {
    let control = &process.control;
    let percent = |number: u32| u8::try_from(number.min(100)).unwrap_or(100);
    Rules {
        criticality: process.criticality,
        threshold: control.max_restart_failures,
        window: control.restart_window,
        open_time: control.circuit_reset_time,
        open_max: control.circuit_reset_max,
        open_jitter: percent(control.circuit_jitter),
        stable: control.stable_time,
        doubt: control.doubt(),
        pause: Backoff { base: control.backoff, factor: control.backoff_factor, cap: control.backoff_max },
        pause_jitter: percent(control.backoff_jitter),
        check: if checked { Checked::ByCheck } else { Checked::Unchecked },
        verify: process.verify_before,
        grace,
        ladder: chain.iter().map(|link| Name::new(&link.name)).collect(),
        dependents: if process.restart_dependents { Dependents::Restart } else { Dependents::Leave },
    }
}

/// The settings of a part; a part that is not installed gets none, and its call will say that it is missing.
fn settings(config: &Config, offers: &[Offer], process: &Process, kind: &str, name: &str) -> Texts {
    let offer = offers.iter().find(|offer| offer.kind == kind && offer.name == name);
    offer.map(|offer| config.settings(process, offer)).unwrap_or_default()
}
