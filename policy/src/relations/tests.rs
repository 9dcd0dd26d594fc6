//! Which word counts, what is left out, and what is told of it.

use super::*;

fn name(text: &str) -> Name {
    Name::new(text)
}

/// `a=b` pairs.
fn pairs(text: &str) -> Vec<(Name, Name)> {
    let split = |pair: &str| pair.split_once('=').map(|(one, two)| (name(one), name(two))).unwrap();
    text.split_whitespace().map(split).collect()
}

/// A line per section: its name, its group (`-` says nothing) and its dependencies (`-` says nothing).
fn declared(text: &str) -> Declared {
    let mut declared = Declared::default();
    for line in text.lines() {
        let [section, group, needs] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let declaration = Declaration {
            group: match group {
                "-" => None,
                "none" => Some(Membership::Nowhere),
                group => Some(Membership::Of(name(group))),
            },
            depends_on: match needs {
                "-" => None,
                "none" => Some(Vec::new()),
                needs => Some(needs.split(',').map(name).collect()),
            },
        };
        match section {
            "default" => declared.default = Some(declaration),
            section => drop(declared.processes.insert(name(section), declaration)),
        }
    }
    declared
}

fn merge(file: &str, groups: &str, dependencies: &str) -> Related {
    let table = Relations { groups: pairs(groups), dependencies: pairs(dependencies) };
    Related::merge(&declared(file), &table)
}

fn group<'r>(related: &'r Related, who: &str) -> Option<&'r str> {
    related.group_of(&name(who)).map(Name::as_str)
}

fn needs(related: &Related, who: &str) -> String {
    let names: Vec<_> = related.depends_on(&name(who)).into_iter().map(Name::as_str).collect();
    names.join(",")
}

fn told(related: &Related) -> Vec<String> {
    related.problems().iter().map(Problem::to_string).collect()
}

#[test]
fn the_more_particular_word_wins_for_a_group() {
    let related =
        merge("default all -\na front -\nb - -\nc none -\nd - -", "a=table b=table c=table stray=table", "");
    let groups = ["a", "b", "c", "d", "stray", "nobody"].map(|who| group(&related, who));
    assert_eq!(groups, [Some("front"), Some("table"), None, Some("all"), Some("table"), Some("all")]);
    let members: Vec<_> =
        related.groups().iter().map(|(group, members)| (group.as_str(), members.len())).collect();
    assert_eq!(members, [("all", 1), ("front", 1), ("table", 2)]);
    assert_eq!(related.members(&name("table")), [name("b"), name("stray")]);
    assert!(related.members(&name("nothing")).is_empty());
}

#[test]
fn without_a_default_only_names_with_a_section_count() {
    let related = merge("a - -\nb - -", "a=g stray=g", "a=b stray=b a=stray b=lost");
    assert_eq!(
        (group(&related, "a"), group(&related, "stray"), group(&related, "b")),
        (Some("g"), None, None)
    );
    assert_eq!(
        (needs(&related, "a"), needs(&related, "b"), needs(&related, "stray")),
        ("b".into(), "".into(), "".into())
    );
    assert_eq!(related.foreign().iter().map(Name::as_str).collect::<Vec<_>>(), ["stray"]);
    assert_eq!(
        told(&related),
        [
            "a → stray: stray is not configured here (in pm_dependency); a does not wait for it",
            "b → lost: lost is not configured here (in pm_dependency); b does not wait for it",
        ]
    );
}

#[test]
fn dependencies_of_file_and_table_add_up() {
    let related = merge("a - b,c\nb - -\nc - none\nd - -", "", "a=c a=d c=d");
    assert_eq!(needs(&related, "a"), "b,d,c");
    assert_eq!((needs(&related, "c"), related.depth(&name("a"))), ("d".to_owned(), 2));
    assert!(related.problems().is_empty() && related.foreign().is_empty());
}

#[test]
fn what_all_depend_on_does_not_depend_on_itself_nor_on_its_like() {
    let related = merge("default - net,dns\na - -\nb - none\nc - a\nnet - -", "", "net=power");
    assert_eq!(
        (needs(&related, "a"), needs(&related, "b"), needs(&related, "c")),
        ("dns,net".into(), "".into(), "a".into())
    );
    assert_eq!(needs(&related, "dns"), "", "without a section, but one of the list");
    assert_eq!(needs(&related, "unheard-of"), "net,dns");
    // net depends on power, which has no section and therefore depends on what all depend on.
    assert_eq!(related.problems().len(), 1);
    assert_eq!(
        told(&related)[0],
        "net → power → net is a cycle (in [process.default] and pm_dependency); \
         until one of these is deleted, power does not wait for net"
    );
    assert_eq!(related.depth(&name("unheard-of")), related.depth(&name("net")) + 1);
}

#[test]
fn names_that_only_the_default_speaks_for_wait_like_all_others() {
    let related = merge("default - net\nnet - none\nweb - net,db\ndb - none", "", "");
    let waits = related.waits([&name("net"), &name("db")]);
    assert_eq!(
        ["web", "unheard-of", "net", "db"].map(|who| waits.of(&name(who)).map(Name::as_str)),
        [Some("db"), Some("net"), None, None]
    );
    let quiet = related.waits([]);
    assert!(quiet.of(&name("web")).is_none() && quiet.of(&name("unheard-of")).is_none());
    // Nothing but the default speaks of dependencies at all.
    let bare = merge("default - net", "", "");
    assert_eq!(bare.waits([&name("net")]).of(&name("x")), Some(&name("net")));
    assert_eq!(bare.waits([&name("net")]).of(&name("net")), None);
    assert_eq!((bare.depth(&name("x")), bare.depth(&name("net"))), (1, 0));
}

#[test]
fn a_cycle_is_told_with_its_path_and_does_not_stop_the_rest() {
    let related = merge("a - b\nb - c\nc - -\nd - a\ne - e", "", "c=a");
    assert_eq!(
        told(&related),
        [
            "a → b → c → a is a cycle (in pm_dependency and the file); until one of these is \
             deleted, c does not wait for a",
            "e → e is a cycle (in the file); a process does not wait for itself",
        ]
    );
    let Problem::Cycle { sources, .. } = &related.problems()[0] else { panic!() };
    assert_eq!(sources, &[Source::Section, Source::Section, Source::Table]);
    assert_eq!(related.depth(&name("d")), 3);
    assert_eq!(related.waits([&name("c")]).of(&name("d")), Some(&name("c")));
}

#[test]
fn a_cycle_of_the_table_is_not_blamed_on_a_section_that_says_something_else() {
    let related = merge("a - b\nb - -\nc - -", "", "a=c c=a");
    let Problem::Cycle { sources, .. } = &related.problems()[0] else { panic!() };
    assert_eq!(sources, &[Source::Table, Source::Table]);
}

#[test]
fn a_flood_of_cycles_is_counted_and_a_long_path_is_cut() {
    let names: Vec<Name> = (0..30).map(|number| name(&format!("n{number:02}"))).collect();
    let knot = names.iter().flat_map(|from| names.iter().map(|to| (from.clone(), to.clone()))).collect();
    let file = Declared { default: Some(Declaration::default()), ..Declared::default() };
    let related = Related::merge(&file, &Relations { groups: Vec::new(), dependencies: knot });
    let told = told(&related);
    assert_eq!(told.len(), crate::graph::MOST_CYCLES + 1);
    assert_eq!(told.last().unwrap(), "415 more dependencies close a cycle and are left out");
    assert_eq!(
        path(&names),
        "n00 → n01 → n02 → n03 → n04 → n05 → (18 more) → n24 → n25 → n26 → n27 → n28 → n29"
    );
    assert_eq!(path(&names[..3]), "n00 → n01 → n02");
}

#[test]
fn names_are_compared_byte_for_byte_and_shown_escaped() {
    let related = merge("Web - db\ndb - -", "web=g Web=h", "web=db Web=d\u{1b}b");
    assert_eq!((group(&related, "Web"), group(&related, "web")), (Some("h"), None));
    assert_eq!(told(&related).len(), 1);
    assert!(
        told(&related)[0].starts_with("Web → d\\u{1b}b: d\\u{1b}b is not configured"),
        "{:?}",
        told(&related)
    );
    assert_eq!(related.foreign().len(), 1);
}

#[test]
fn a_path_of_thirteen_is_shown_whole_and_one_of_fourteen_is_cut() {
    let names: Vec<Name> = (0..14).map(|number| name(&format!("n{number}"))).collect();
    assert_eq!(path(&names[..13]), "n0 → n1 → n2 → n3 → n4 → n5 → n6 → n7 → n8 → n9 → n10 → n11 → n12");
    assert_eq!(path(&names), "n0 → n1 → n2 → n3 → n4 → n5 → (2 more) → n8 → n9 → n10 → n11 → n12 → n13");
    assert_eq!(path([]), "");
}

#[test]
fn a_picture_is_flat_only_while_neither_a_section_nor_the_default_depends_on_anything() {
    assert!(merge("default g -\na - none", "", "").is_flat());
    assert!(!merge("a - b\nb - -", "", "").is_flat());
    assert!(!merge("default - net", "", "").is_flat());
}

#[test]
fn the_moment_of_what_all_depend_on_comes_down_to_names_that_only_the_default_speaks_for() {
    let related = merge("default - net\nnet - none\nweb - db\ndb - none", "", "");
    let restored = related.restored([(&name("net"), Ticks(7)), (&name("db"), Ticks(5))]);
    let moments = ["web", "unheard-of", "net", "db"].map(|who| restored.of(&name(who)));
    assert_eq!(moments, [Some(Ticks(5)), Some(Ticks(7)), None, None]);
    let dependents: Vec<_> = related.dependents_of(&name("db")).map(Name::as_str).collect();
    assert_eq!(dependents, ["web"]);
}

#[test]
fn a_problem_concerns_who_is_in_the_cycle_and_whose_dependency_is_unknown() {
    let related = merge("a - b\nb - a\nc - nobody\nd - a", "", "");
    let concerned =
        |who: &str| related.problems().iter().map(|its| its.concerns(&name(who))).collect::<Vec<_>>();
    assert_eq!(concerned("a"), [true, false]);
    assert_eq!(concerned("b"), [true, false]);
    assert_eq!(concerned("c"), [false, true]);
    assert_eq!(concerned("nobody"), [false, false]);
    assert_eq!(concerned("d"), [false, false]);
    assert!(!Problem::MoreCycles(3).concerns(&name("a")));
}

#[test]
fn a_name_is_configured_by_its_section_or_by_the_default() {
    let configures = |file: &str, who: &str| declared(file).configures(&name(who));
    assert!(configures("a - -", "a") && !configures("a - -", "b"));
    assert!(configures("default - -", "a"));
}
