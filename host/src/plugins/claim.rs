//! Who provides a part when several libraries offer it.
//!
//! First those that override, then those that are loaded, then the order of the names. Whoever comes later and offers what is
//! taken is refused as a whole, because half a library would only confuse; unless the other one overrides: then it
//! just loses that part. The choice itself is pure: libraries go in as facts, and come out as their numbers.

use super::refusal::Reason;
use super::rules::Rules;
use super::slots::{Contents, Is, Slot};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Kind and name of a part.
pub type Part = (String, String);

/// Gives each part to one library, and refuses those that offer what another one provides.
pub(super) fn claimed(slots: &mut [Slot], rules: &Rules) -> BTreeMap<Part, usize> {
    let candidates: Vec<_> = slots.iter().map(|slot| slot.candidate(rules)).collect();
    let Claims { parts, refused } = claim(&candidates);
    for (at, (kind, name), other) in refused {
        let own_name = |at: usize| slots[at].manifest.as_ref().map(|manifest| manifest.name.clone());
        let library = own_name(at).filter(|own| own_name(other).as_ref() != Some(own));
        let other = slots[other].file.clone();
        slots[at].is = Is::Refused(Reason::Duplicate { library, kind, name, other });
    }
    parts
}

impl Contents {
    /// What `slot`, the one at `at`, offers and another one provides, with its file.
    pub(super) fn overridden(&self, at: usize, slot: &Slot) -> BTreeMap<Part, PathBuf> {
        let of_another = |part: Part| {
            let owner = *self.parts.get(&part)?;
            (owner != at && slot.refusal().is_none()).then(|| (part, self.slots[owner].file.clone()))
        };
        slot.offered().filter_map(of_another).collect()
    }
}

impl Slot {
    fn offered(&self) -> impl Iterator<Item = Part> {
        let offers = self.manifest.iter().flat_map(|manifest| &manifest.offers);
        offers.map(|offer| (offer.kind.clone(), offer.name.clone()))
    }

    fn candidate(&self, rules: &Rules) -> Candidate {
        let manifest = self.manifest.as_ref().filter(|_| !matches!(self.is, Is::Refused(_)));
        Candidate {
            offers: if manifest.is_some() { self.offered().collect() } else { Vec::new() },
            loaded: self.is_loaded(),
            overrides: manifest.is_some_and(|manifest| rules.of(&manifest.name).overrides),
        }
    }
}

/// What counts of a library.
#[derive(Debug, Clone, Default)]
struct Candidate {
    /// What it offers; nothing when it is refused for another reason.
    offers: Vec<Part>,
    loaded: bool,
    /// `override = yes`.
    overrides: bool,
}

/// Who provides what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Claims {
    /// The provider of each part.
    parts: BTreeMap<Part, usize>,
    /// Who is refused, for which part, and who provides that.
    refused: Vec<(usize, Part, usize)>,
}

/// Gives each part to one library.
fn claim(candidates: &[Candidate]) -> Claims {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|at| (!candidates[*at].overrides, !candidates[*at].loaded));
    let mut claims = Claims::default();
    for at in order {
        let Candidate { offers, overrides, .. } = &candidates[at];
        let rival = offers.iter().find_map(|part| {
            let other = *claims.parts.get(part)?;
            (candidates[other].overrides <= *overrides).then(|| (part.clone(), other))
        });
        if let Some((part, other)) = rival {
            claims.refused.push((at, part, other));
            continue;
        }
        for part in offers {
            claims.parts.entry(part.clone()).or_insert(at);
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docker:loaded,overrides` as a candidate that offers strategies.
    fn candidates(texts: &[&str]) -> Vec<Candidate> {
        let candidate = |text: &&str| {
            let (offers, marks) = text.split_once(':').unwrap_or((text, ""));
            Candidate {
                offers: offers.split(' ').map(|name| ("strategy".to_owned(), name.to_owned())).collect(),
                loaded: marks.contains("loaded"),
                overrides: marks.contains("overrides"),
            }
        };
        texts.iter().map(candidate).collect()
    }

    fn outcome(texts: &[&str]) -> (Vec<String>, Vec<String>) {
        let Claims { parts, refused } = claim(&candidates(texts));
        (
            parts.iter().map(|((_, name), at)| format!("{name} {at}")).collect(),
            refused.iter().map(|(at, (_, name), other)| format!("{at} {name} {other}")).collect(),
        )
    }

    #[test]
    fn the_second_that_offers_a_part_is_refused_with_all_its_parts() {
        let (parts, refused) = outcome(&["a b", "b c", "d"]);
        assert_eq!((parts, refused), (vec!["a 0".into(), "b 0".into(), "d 2".into()], vec!["1 b 0".into()]));
    }

    #[test]
    fn one_that_is_loaded_comes_before_the_order_of_the_names() {
        let (parts, refused) = outcome(&["a", "a b:loaded"]);
        assert_eq!((parts, refused), (vec!["a 1".into(), "b 1".into()], vec!["0 a 1".into()]));
    }

    #[test]
    fn one_that_overrides_takes_its_part_and_leaves_the_others_to_their_library() {
        let (parts, refused) = outcome(&["a b:loaded", "a:overrides"]);
        assert_eq!((parts, refused), (vec!["a 1".into(), "b 0".into()], vec![]));
    }

    #[test]
    fn of_two_that_override_the_second_is_refused() {
        let (parts, refused) = outcome(&["a:overrides", "a:overrides", "a"]);
        assert_eq!((parts, refused), (vec!["a 0".into()], vec!["1 a 0".into()]));
    }

    #[test]
    fn a_third_without_a_word_is_refused_only_for_what_nobody_has_overridden() {
        let (parts, refused) = outcome(&["a b", "a:overrides", "a b c"]);
        assert_eq!((parts, refused), (vec!["a 1".into(), "b 0".into()], vec!["2 b 0".into()]));
    }
}
