//! When the last of all that a name depends on happened to: a moment that every name inherits from what it depends on.

use super::Graph;
use crate::name::Name;
use crate::time::Ticks;

/// For every name of a graph the latest moment of all that it depends on, directly or through others.
#[derive(Debug)]
pub struct Latest<'g> {
    graph: &'g Graph,
    /// By number; empty when there is no moment at all.
    of: Vec<Option<Ticks>>,
    /// By number.
    own: Vec<Option<Ticks>>,
}

impl Graph {
    /// What every name inherits when these have these moments; those that no edge mentions change nothing.
    ///
    /// Only what depends on one of them is looked at, each edge once.
    #[must_use]
    pub fn latest<'n>(&self, moments: impl IntoIterator<Item = (&'n Name, Ticks)>) -> Latest<'_> {
        let known = moments.into_iter().filter_map(|(name, at)| Some((self.number(name)?, at)));
        let known: Vec<(u32, Ticks)> = known.collect();
        if known.is_empty() {
            return Latest { graph: self, of: Vec::new(), own: Vec::new() };
        }
        let mut own = vec![None; self.names.len()];
        let mut of = own.clone();
        for (number, at) in &known {
            own[*number as usize] = own[*number as usize].max(Some(*at));
        }
        for number in self.below(known.into_iter().map(|(number, _)| number)) {
            let passed_on = of[number as usize].max(own[number as usize]);
            for down in self.down.of(number) {
                of[*down as usize] = of[*down as usize].max(passed_on);
            }
        }
        Latest { graph: self, of, own }
    }
}

impl Latest<'_> {
    /// The latest moment of all that `name` depends on.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<Ticks> {
        let number = self.graph.number(name)?;
        self.of.get(number as usize).copied().flatten()
    }
    /// The latest moment of these names and of all that they depend on.
    #[must_use]
    pub fn of_whoever_needs<'n>(&self, names: impl IntoIterator<Item = &'n Name>) -> Option<Ticks> {
        let numbers =
            names.into_iter().filter_map(|name| self.graph.number(name)).map(|number| number as usize);
        numbers.filter_map(|number| *self.of.get(number)?.max(self.own.get(number)?)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_moment_comes_down_to_everybody_who_depends_on_it() {
        let names = ["db", "cache", "app", "web", "alone"].map(Name::new);
        let [db, cache, app, web, alone] = &names;
        let graph = Graph::new([(app, db), (app, cache), (web, app)]);
        let none = graph.latest([(alone, Ticks(9))]);
        assert_eq!([none.of(web), none.of_whoever_needs([app])], [None, None]);
        let latest = graph.latest([(db, Ticks(5)), (cache, Ticks(7)), (cache, Ticks(6)), (web, Ticks(99))]);
        assert_eq!(
            [db, cache, app, web, alone].map(|name| latest.of(name)),
            [None, None, Some(Ticks(7)), Some(Ticks(7)), None]
        );
        assert_eq!(latest.of_whoever_needs([db]), Some(Ticks(5)));
        assert_eq!(latest.of_whoever_needs([app, web]), Some(Ticks(99)));
    }
}
