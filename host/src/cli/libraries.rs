//! The sections of libraries as the registry wants them, and the libraries as the configuration wants them.
//!
//! Plain data of one edge becomes plain data of the other here; nothing is opened or judged.

use crate::config::{self, Catalogue, Installed, Library, Refused};
use crate::plugins::{Entry, Isolation, Registry, Rule, Rules, State};

/// What is written of libraries, for the registry.
pub(crate) fn rules(plugins: &config::Plugins) -> Rules {
    Rules {
        only_pinned: plugins.only_pinned,
        general: rule(&plugins.general),
        libraries: plugins.libraries.iter().map(|(name, own)| (name.clone(), rule(own))).collect(),
        ..Rules::default()
    }
}

fn rule(library: &Library) -> Rule {
    Rule {
        isolation: match library.isolation {
            config::Isolation::Worker => Isolation::Worker,
            config::Isolation::InProcess => Isolation::InProcess,
        },
        user: library.user.clone(),
        check_user: library.check_user.clone(),
        no_new_privs: library.no_new_privs,
        memory_max: library.memory_max,
        idle_time: library.idle_time,
        sha256: library.sha256.clone(),
        required: library.required,
        overrides: library.overrides,
    }
}

/// What the registry knows, as the configuration wants it.
pub(crate) fn catalogue(registry: &Registry) -> Catalogue {
    let refused = registry
        .refused()
        .into_iter()
        .map(|refusal| Refused { file: refusal.file.clone(), reason: refusal.reason.to_string() })
        .collect();
    let libraries = registry.entries().iter().map(installed).collect();
    Catalogue { offers: registry.offers(), refused, libraries: Some(libraries) }
}

fn installed(entry: &Entry) -> Installed {
    let refused = match &entry.state {
        State::Refused(reason) => Some(reason.to_string()),
        _ => None,
    };
    let manifest = entry.manifest.as_ref();
    let offers = manifest.iter().flat_map(|manifest| &manifest.offers);
    Installed {
        file: entry.file.clone(),
        name: manifest.map(|manifest| manifest.name.clone()),
        parts: offers.map(|offer| (offer.kind.clone(), offer.name.clone())).collect(),
        refused,
    }
}
