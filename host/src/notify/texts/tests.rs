//! Both languages say everything, and say the same.

use super::*;
use crate::policy::time::Wall;
use std::collections::BTreeSet;

const NOW: Now = Now { boot: Ticks(60_000), wall: Wall(1_700_000_000_000) };

fn item(happened: Happened) -> Item {
    Item::of(happened, NOW, "id".to_owned()).unwrap()
}

fn concluded(notice: Notice) -> Item {
    by(None, notice)
}

fn by(who: Option<&str>, notice: Notice) -> Item {
    item(Happened::Concluded { notice, touches: Vec::new(), by: who.map(str::to_owned) })
}

/// One of each event, with every form of a text.
fn every() -> Vec<Item> {
    let (name, group) = (Name::new("web"), Name::new("shop"));
    let until = Ticks(360_000);
    let mut all = vec![
        concluded(Notice::BreakerHalfOpen { name: name.clone() }),
        concluded(Notice::BreakerClosed { name: name.clone() }),
        concluded(Notice::GroupHalfOpen { group: group.clone() }),
        concluded(Notice::GroupClosed { group: group.clone() }),
        concluded(Notice::DriverPaused { driver: name.clone(), until }),
        concluded(Notice::DriverBack { driver: name.clone() }),
        concluded(Notice::MassOver),
        item(Happened::HostSilent {
            host: "7".into(),
            machine: "n7".into(),
            silent: Duration::from_secs(95),
        }),
        item(Happened::PluginFailing { plugin: "docker".into(), why: "its worker died (signal 11)".into() }),
        item(Happened::DatabaseLost { why: "polling: refused".into() }),
        item(Happened::DatabaseBack),
        item(Happened::Test),
    ];
    for count in [0, 1, 2, 20, 101] {
        let restart =
            Happened::RestartFailed { name: name.clone(), group: None, attempts: count, why: "no".into() };
        all.push(Item { repeated: count + 1, ..item(restart) });
        all.push(concluded(Notice::BreakerOpened { name: name.clone(), count, level: 1, until }));
        let (looked, healthy) = (count.into(), 1);
        all.push(concluded(Notice::MassAlarm { alarms: looked, known: 200 }));
        all.push(concluded(Notice::MassHeld { looked, healthy }));
        all.push(concluded(Notice::MassBelieved { looked, healthy }));
        let held = What::HeldBack(BTreeMap::from([(EventKind::RestartFailed, count)]), count);
        all.push(Item { kind: EventKind::HeldBack, what: held, ..item(Happened::Test) });
    }
    for cause in [GroupCause::Budget, GroupCause::Correlation, GroupCause::Trial] {
        let troubled = vec![name.clone(); 7];
        all.push(concluded(Notice::GroupOpened { group: group.clone(), cause, troubled, until }));
    }
    for reason in [String::new(), "disk swap".to_owned()] {
        let until = Wall(NOW.wall.0 + 7_200_000);
        let scopes = vec![Scope::All];
        all.push(concluded(Notice::WindowStarted { id: name.clone(), scopes, reason, until }));
    }
    let (web, front) = (Scope::Process(name.clone()), Scope::Group(Name::new("front")));
    let both = [web, front];
    for scopes in [&[][..], &[Scope::All], &both[..1], &both[1..], &both] {
        for (who, early) in [(None, None), (None, Some(Wall(1))), (Some("ana"), Some(Wall(1)))] {
            let (id, scopes) = (name.clone(), scopes.to_vec());
            let (reason, until) = (String::new(), Wall(NOW.wall.0 + 7_200_000));
            all.push(by(who, Notice::WindowEnded { id: id.clone(), scopes: scopes.clone(), early }));
            all.push(concluded(Notice::WindowStarted { id, scopes, reason, until }));
        }
    }
    all
}

#[test]
fn every_event_is_said_in_both_languages_without_a_flaw() {
    let mut kinds: BTreeSet<EventKind> = EventKind::CHOICE.into_iter().collect();
    kinds.extend([EventKind::Test, EventKind::HeldBack]);
    for item in every() {
        kinds.remove(&item.kind);
        for language in Language::ALL {
            let said = say(&item, "node-1", language);
            assert_eq!(said.flaws, Vec::<String>::new(), "{language:?} {item:?}");
            assert!(!said.summary.is_empty() && !said.detail.is_empty(), "{said:?}");
            for text in [&said.summary, &said.detail] {
                assert!(!text.contains(['{', '}', '$']) && !text.contains("  "), "{text}");
            }
        }
    }
    assert!(kinds.is_empty(), "never said: {kinds:?}");
}

/// Messages and attributes of a file, and the names that are put into each.
fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::<String, BTreeSet<String>>::new();
    let mut id = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let trimmed = line.trim_start();
        let key = trimmed.split_once(" =").map(|(key, _)| key).filter(|key| !key.contains(' '));
        match key {
            Some(key) if !line.starts_with(' ') => id = key.to_owned(),
            Some(key) if key.starts_with('.') => id = format!("{}{key}", id.split('.').next().unwrap()),
            _ => {}
        }
        let names = trimmed
            .split('$')
            .skip(1)
            .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>());
        all.entry(id.clone()).or_default().extend(names);
    }
    all.remove("");
    all
}

#[test]
fn both_languages_have_the_same_messages_with_the_same_placeholders() {
    let [(_, english), (_, romanian)] = FILES;
    let (english, romanian) = (messages(english), messages(romanian));
    assert!(english.len() > 40 && english["restart_failed.detail"].contains("attempts"), "{english:?}");
    assert_eq!(english, romanian);
    for kind in EventKind::CHOICE {
        assert!(
            english.contains_key(kind.word()) && english.contains_key(&format!("{}.detail", kind.word()))
        );
    }
    for (language, text) in FILES {
        assert!(FluentResource::try_new(text.to_owned()).is_ok(), "{language:?} has a mistake");
    }
}

fn said(happened: Happened, language: Language) -> (String, String) {
    let said = say(&item(happened), "node-1", language);
    (said.summary, said.detail)
}

fn failed(name: &str, attempts: u32, why: &str) -> Happened {
    Happened::RestartFailed { name: Name::new(name), group: None, attempts, why: why.to_owned() }
}

#[test]
fn romanian_has_three_forms_of_a_number() {
    let detail = |attempts| said(failed("web", attempts, "nu."), Language::Romanian).1;
    assert_eq!(detail(1), "S-a încercat o dată: nu");
    assert_eq!(detail(3), "S-a încercat de 3 ori, ultima dată: nu");
    assert_eq!(detail(20), "S-a încercat de 20 de ori, ultima dată: nu");
    assert_eq!(detail(119), "S-a încercat de 119 ori, ultima dată: nu");
    let forms = [0, 1, 2, 19, 20, 100, 101, 119, 120, 1001].map(|number| form(Language::Romanian, number));
    assert_eq!(forms, ["few", "one", "few", "few", "other", "other", "few", "few", "other", "few"]);
    assert_eq!(said(failed("web", 1, ""), Language::Romanian).0, "web nu a putut fi repornit pe node-1");
}

#[test]
fn names_are_data_and_secrets_stay_here() {
    let hostile = "a\u{1b}[2J\n{ $host }\u{202e}";
    let (summary, detail) = said(failed(hostile, 2, "login failed: password=hunter2"), Language::English);
    assert_eq!(summary, "a\\u{1b}[2J\\u{a}{ $host }\\u{202e} could not be restarted on node-1");
    assert_eq!(detail, "It was tried 2 times, the last time: login failed: password=********");
    let (summary, detail) = said(failed(&"x".repeat(9_000), 1, &"y".repeat(90_000)), Language::English);
    assert!(summary.chars().count() <= LONGEST_SUMMARY + 1 && detail.chars().count() <= LONGEST_DETAIL + 1);
}

#[test]
fn a_summary_tells_what_was_held_back_and_what_is_lost() {
    let held = BTreeMap::from([(EventKind::RestartFailed, 12), (EventKind::BreakerOpened, 3)]);
    let summary = Item { kind: EventKind::HeldBack, what: What::HeldBack(held, 2), ..item(Happened::Test) };
    let said = say(&summary, "node-1", Language::English);
    assert_eq!(said.summary, "15 more notices of pm on node-1");
    assert!(
        said.detail.ends_with(
            "restart_failed: 12\nbreaker_opened: 3\n2 notices could not be delivered and are lost."
        )
    );
}
