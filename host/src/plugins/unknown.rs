//! What to say when a part is asked for that no library provides: what there is, what was probably meant, and
//! which refused library would have provided it.

use super::refusal::Refusal;
use super::slots::Contents;
use pm_plugin_api::Error;
use pm_plugin_api::manifest::Offer;

/// The candidate that `word` is probably a misspelling of.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.len().max(word.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

impl Contents {
    /// Why there is no part `name` of this kind.
    pub(super) fn unknown(&self, kind: &str, name: &str) -> Error {
        if let Some(refusal) = self.would_have_provided(kind, name) {
            return Error::unavailable(format!("no {kind} \"{name}\": {refusal}"));
        }
        if let Some(refusal) = &self.refusal {
            return Error::unavailable(format!("no {kind} \"{name}\": {refusal}"));
        }
        if let Some(other) = self.usable().find(|offer| offer.name == name && offer.kind != kind) {
            return Error::config(format!("\"{name}\" is {}, not {}", in_words(&other.kind), in_words(kind)));
        }
        let mut names: Vec<_> =
            self.usable().filter(|offer| offer.kind == kind).map(|offer| offer.name.as_str()).collect();
        names.sort_unstable();
        let there = if names.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        let meant =
            nearest(name, names).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        Error::config(format!("no {kind} \"{name}\"; {there}{meant}"))
    }

    /// By the manifest, or, where none could be read, by the name of the file.
    fn would_have_provided(&self, kind: &str, name: &str) -> Option<Refusal> {
        let of = |slot_manifest: Option<&pm_plugin_api::manifest::Manifest>, refusal: &Refusal| {
            match slot_manifest {
                Some(manifest) => {
                    manifest.offers.iter().any(|offer| offer.kind == kind && offer.name == name)
                }
                None => {
                    let stem = refusal.file.file_stem().unwrap_or_default().to_string_lossy();
                    stem.split(['_', '-', '.'])
                        .any(|word| word == name || word.strip_prefix("lib") == Some(name))
                }
            }
        };
        self.slots
            .iter()
            .find_map(|slot| slot.refusal().filter(|refusal| of(slot.manifest.as_ref(), refusal)))
    }

    fn usable(&self) -> impl Iterator<Item = &Offer> {
        self.slots
            .iter()
            .filter(|slot| slot.refusal().is_none())
            .filter_map(|slot| slot.manifest.as_ref())
            .flat_map(|manifest| &manifest.offers)
    }
}

fn in_words(kind: &str) -> String {
    match kind {
        "check" => "a health check".to_owned(),
        kind => format!("a {kind}"),
    }
}
