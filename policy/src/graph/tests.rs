//! The graph against a naive one that walks everything anew for each answer.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn name(text: &str) -> Name {
    Name::new(text)
}

/// `a>b` is an edge: a depends on b.
fn edges(text: &str) -> Vec<(Name, Name)> {
    let split = |edge: &str| edge.split_once('>').map(|(from, to)| (name(from), name(to))).unwrap();
    text.split_whitespace().map(split).collect()
}

fn graph(edges: &[(Name, Name)]) -> Graph {
    Graph::new(edges.iter().map(|(from, to)| (from, to)))
}

fn texts<'n>(names: impl IntoIterator<Item = &'n Name>) -> Vec<&'n str> {
    names.into_iter().map(Name::as_str).collect()
}

fn cycles(graph: &Graph) -> Vec<String> {
    graph.cycles().iter().map(|path| texts(path).join(" ")).collect()
}

#[test]
fn neighbours_depths_and_ways_are_those_of_the_edges() {
    let graph = graph(&edges("web>app app>db app>cache db>disk web>disk web>app mail>disk"));
    assert_eq!(texts(graph.order()), ["cache", "disk", "db", "mail", "app", "web"]);
    assert_eq!(texts(graph.depends_on(&name("web"))), ["disk", "app"]);
    assert_eq!(texts(graph.dependents_of(&name("disk"))), ["db", "mail", "web"]);
    assert_eq!(texts(graph.all_dependencies(&name("app"))), ["cache", "disk", "db"]);
    assert_eq!(texts(graph.all_dependents(&name("disk"))), ["db", "mail", "app", "web"]);
    assert_eq!(["cache", "disk", "db", "app", "web"].map(|text| graph.depth(&name(text))), [0, 0, 1, 2, 3]);
    assert_eq!(texts(graph.way(&name("web"), &name("cache"))), ["web", "app", "cache"]);
    assert_eq!(texts(graph.way(&name("web"), &name("disk"))), ["web", "disk"]);
    assert_eq!(texts(graph.way(&name("disk"), &name("disk"))), ["disk"]);
    assert!(graph.way(&name("cache"), &name("web")).is_empty());
}

#[test]
fn a_name_without_edges_depends_on_nothing_and_waits_for_nobody() {
    let graph = graph(&edges("a>b"));
    let stranger = name("stranger");
    assert!(!graph.contains(&stranger) && graph.contains(&name("b")));
    assert_eq!((graph.depth(&stranger), graph.depends_on(&stranger).count()), (0, 0));
    assert!(graph.all_dependents(&stranger).is_empty() && graph.way(&stranger, &stranger).is_empty());
    assert_eq!(graph.causes([&stranger]).of(&name("a")), None);
    assert!(
        Graph::default().order().is_empty() && Graph::default().causes([&stranger]).of(&stranger).is_none()
    );
    let alone = Graph::with_names([&stranger], []);
    assert_eq!((texts(alone.order()), alone.depth(&stranger)), (vec!["stranger"], 0));
}

#[test]
fn each_closing_edge_is_one_cycle_with_its_path_and_is_left_out() {
    for (text, expected, order) in [
        ("a>b b>c c>a", vec!["a b c a"], vec!["c", "b", "a"]),
        ("a>a a>b", vec!["a a"], vec!["b", "a"]),
        ("x>b b>a a>b", vec!["a b a"], vec!["b", "a", "x"]),
        ("a>b b>a a>c c>a d>c", vec!["a b a", "a c a"], vec!["b", "c", "a", "d"]),
        ("a>b b>c c>b c>a", vec!["a b c a", "b c b"], vec!["c", "b", "a"]),
    ] {
        let mut all = edges(text);
        for _ in 0..all.len() {
            all.rotate_left(1);
            let graph = graph(&all);
            assert_eq!(cycles(&graph), expected, "{text}");
            assert_eq!(graph.left_out(), expected.len(), "{text}");
            assert_eq!(texts(graph.order()), order, "{text}");
        }
    }
}

#[test]
fn everybody_waits_for_the_trouble_nearest_to_the_root() {
    let graph = graph(&edges("web>app app>db db>disk web>auth auth>ldap batch>db"));
    let waits = |troubled: &[&str], who: &str| {
        let troubled: Vec<Name> = troubled.iter().map(|text| name(text)).collect();
        graph.causes(&troubled).of(&name(who)).map(|cause| cause.as_str().to_owned())
    };
    let root = |text: &str| Some(text.to_owned());
    assert_eq!(waits(&[], "web"), None);
    assert_eq!(waits(&["web"], "web"), None, "its own trouble is nobody else's");
    assert_eq!(waits(&["db"], "web"), root("db"));
    assert_eq!(waits(&["db", "disk", "app"], "web"), root("disk"), "the root, not what suffers from it");
    assert_eq!(waits(&["db", "disk"], "db"), root("disk"));
    assert_eq!(waits(&["db", "disk"], "auth"), None);
    assert_eq!(waits(&["db", "auth"], "web"), root("auth"), "the same depth: the first by name");
    assert_eq!(waits(&["db", "ldap"], "web"), root("ldap"), "the less deep of two");
    assert_eq!(waits(&["db", "ldap"], "batch"), root("db"));
}

#[test]
fn whoever_needs_some_names_waits_for_their_causes_or_for_themselves() {
    let graph = Graph::with_names([&name("dns")], [(&name("app"), &name("db"))]);
    let (app, db, dns) = (name("app"), name("db"), name("dns"));
    assert_eq!(graph.causes([]).of_whoever_needs([&app, &dns]), None);
    assert_eq!(graph.causes([&db]).of_whoever_needs([&app, &dns]), Some(&db));
    assert_eq!(graph.causes([&app]).of_whoever_needs([&app]), Some(&app));
    assert_eq!(graph.causes([&db]).of_whoever_needs([&dns, &name("stranger")]), None);
    assert_eq!(graph.causes([&db, &dns]).of_whoever_needs([&app, &dns]), Some(&db));
}

#[test]
fn a_deep_chain_and_a_thick_knot_need_no_stack_and_no_patience() {
    let names: Vec<Name> = (0..100_000).map(|number| name(&format!("n{number:06}"))).collect();
    let chain = Graph::new(names.iter().zip(&names[1..]));
    assert_eq!(chain.depth(&names[0]), 99_999);
    assert_eq!(chain.causes([&names[99_999]]).of(&names[0]), Some(&names[99_999]));
    assert_eq!(chain.way(&names[0], &names[99_999]).len(), 100_000);
    let round = Graph::new(names.iter().zip(names[1..].iter().chain([&names[0]])));
    assert_eq!((round.left_out(), round.cycles()[0].len()), (1, 100_001));
    let knot = &names[..300];
    let knot = Graph::new(knot.iter().flat_map(|from| knot.iter().map(move |to| (from, to))));
    assert_eq!((knot.left_out(), knot.cycles().len()), (300 + 300 * 299 / 2, MOST_CYCLES));
    assert_eq!(knot.order().len(), 300);
}

/// What is asked of the graph, found by walking.
struct Naive(BTreeMap<String, BTreeSet<String>>);

impl Naive {
    fn of(graph: &Graph) -> Self {
        let up = |name: &Name| graph.depends_on(name).map(|to| to.as_str().to_owned()).collect();
        Self(graph.order().iter().map(|name| (name.as_str().to_owned(), up(name))).collect())
    }
    fn above<'a>(&'a self, name: &str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.0.get_key_value(name).unwrap().0.as_str()];
        while let Some(at) = open.pop() {
            open.extend(self.0[at].iter().map(String::as_str).filter(|to| found.insert(*to)));
        }
        found
    }
    fn depth(&self, name: &str) -> u32 {
        self.0[name].iter().map(|to| self.depth(to) + 1).max().unwrap_or(0)
    }
    fn cause<'a>(&'a self, name: &str, troubled: &BTreeSet<String>) -> Option<&'a str> {
        let is_root = |name: &&str| {
            troubled.contains(*name) && self.above(name).iter().all(|above| !troubled.contains(*above))
        };
        let roots = self.above(name).into_iter().filter(is_root);
        roots.min_by_key(|root| (self.depth(root), *root))
    }
}

fn some_edges() -> impl Strategy<Value = Vec<(Name, Name)>> {
    let node = || (0u8..12).prop_map(|number| name(&format!("n{number:02}")));
    prop::collection::vec((node(), node()), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// The kept edges hold no cycle, the left-out ones each close one, and nothing else is lost.
    #[test]
    fn all_edges_are_kept_but_those_that_close_a_cycle(all in some_edges()) {
        let graph = graph(&all);
        let place: BTreeMap<&Name, usize> = graph.order().iter().zip(0..).collect();
        let given: BTreeSet<_> = all.iter().cloned().collect();
        let mut kept = BTreeSet::new();
        for from in graph.order() {
            for to in graph.depends_on(from) {
                prop_assert!(place[to] < place[from], "the order holds");
                prop_assert!(graph.dependents_of(to).any(|down| down == from));
                kept.insert((from.clone(), to.clone()));
            }
        }
        prop_assert!(kept.is_subset(&given));
        prop_assert_eq!(given.len() - kept.len(), graph.left_out());
        let closing: BTreeSet<_> =
            graph.cycles().iter().map(|path| (path[path.len() - 2].clone(), path[path.len() - 1].clone())).collect();
        prop_assert_eq!(closing.len(), graph.left_out(), "each cycle once");
        prop_assert_eq!(&(&given - &kept), &closing);
        for path in graph.cycles() {
            prop_assert_eq!(path.first(), path.last());
            prop_assert!(path.windows(2).all(|step| given.contains(&(step[0].clone(), step[1].clone()))));
            let inner: BTreeSet<_> = path[1..].iter().collect();
            prop_assert_eq!(inner.len(), path.len() - 1, "no name twice");
            let all_but_the_last = &path[..path.len() - 1];
            prop_assert!(all_but_the_last.windows(2).all(|s| kept.contains(&(s[0].clone(), s[1].clone()))));
        }
    }

    #[test]
    fn the_same_edges_in_any_order_make_the_same_graph(all in some_edges(), turn in 0usize..40) {
        let mut other = all.clone();
        other.rotate_left(turn % all.len().max(1));
        other.reverse();
        other.extend(all.first().cloned());
        let (one, two) = (graph(&all), graph(&other));
        prop_assert_eq!(one.order(), two.order());
        prop_assert_eq!(one.cycles(), two.cycles());
        prop_assert_eq!((&one.up.all, &one.up.starts), (&two.up.all, &two.up.starts));
    }

    #[test]
    fn every_answer_is_that_of_the_naive_graph(all in some_edges(), sick in prop::collection::btree_set(0u8..14, 0..6)) {
        let graph = graph(&all);
        let naive = Naive::of(&graph);
        let sick: BTreeSet<String> = sick.into_iter().map(|number| format!("n{number:02}")).collect();
        let troubled: Vec<Name> = sick.iter().map(|text| name(text)).collect();
        let causes = graph.causes(&troubled);
        for asked in graph.order() {
            let text = asked.as_str();
            prop_assert_eq!(graph.depth(asked), naive.depth(text));
            let above: BTreeSet<&str> = texts(graph.all_dependencies(asked)).into_iter().collect();
            prop_assert_eq!(&above, &naive.above(text));
            for other in graph.order() {
                let below = graph.all_dependents(asked).contains(&other);
                prop_assert_eq!(below, naive.above(other.as_str()).contains(text));
                let way = graph.way(asked, other);
                prop_assert_eq!(!way.is_empty(), asked == other || above.contains(other.as_str()));
                prop_assert!(way.windows(2).all(|step| graph.depends_on(step[0]).any(|to| to == step[1])));
            }
            let cause = causes.of(asked).map(Name::as_str);
            prop_assert_eq!(cause, naive.cause(text, &sick), "{} with {:?}", text, sick);
            if let Some(cause) = cause {
                prop_assert_eq!(naive.cause(cause, &sick), None, "a cause waits for nobody");
            }
        }
    }
}
