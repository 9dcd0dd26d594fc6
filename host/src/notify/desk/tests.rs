//! The desk on a clock that the tests move.

use super::*;
use crate::policy::model::{Name, Notice};
use crate::policy::time::Wall;
use crate::ports::Happened;
use crate::spec::{Language, PartRef};
use pm_plugin_api::Severity;
use std::collections::BTreeSet;

pub(in crate::notify) fn receiver() -> Receiver {
    Receiver {
        name: "ops".to_owned(),
        part: PartRef { name: "double".to_owned(), settings: BTreeMap::new() },
        events: EventKind::CHOICE.into_iter().collect(),
        min_severity: Severity::Info,
        processes: BTreeSet::new(),
        groups: BTreeSet::new(),
        language: Language::English,
        rate: Budget { size: 10, refill: Duration::from_secs(60) },
        deduplicate: Duration::from_secs(600),
        retry_for: Duration::from_secs(3600),
        timeout: Duration::from_secs(30),
    }
}

pub(in crate::notify) fn about(happened: Happened) -> Item {
    Item::of(happened, at(0), "id".to_owned()).unwrap()
}

fn failed(name: &str) -> Item {
    about(Happened::RestartFailed { name: Name::new(name), group: None, attempts: 2, why: "no".to_owned() })
}

fn ended(id: &str) -> Notice {
    Notice::WindowEnded { id: Name::new(id), scopes: Vec::new(), early: None }
}

fn concluded(notice: Notice) -> Item {
    about(Happened::Concluded { notice, touches: Vec::new(), by: None })
}

fn at(second: u64) -> Now {
    Now { boot: Ticks(second * 1000), wall: Wall(0) }
}

/// A desk and the second that it is.
struct Scene {
    desk: Desk,
    second: u64,
}

impl Scene {
    fn with(change: impl FnOnce(&mut Receiver)) -> Self {
        let mut receiver = receiver();
        change(&mut receiver);
        Self { desk: Desk::of(&receiver), second: 1_000 }
    }
    fn take(&mut self, item: Item) {
        self.desk.take(item, at(self.second).boot);
    }
    fn step(&mut self) -> Step {
        self.desk.step(at(self.second))
    }
    fn ends(&mut self, ended: Ended) -> Vec<Word> {
        self.desk.ended(ended, at(self.second).boot);
        self.desk.words()
    }
    /// What goes out now to somebody who takes it: event, subject, repetitions.
    fn delivered(&mut self) -> Vec<(&'static str, String, u32)> {
        let mut all = Vec::new();
        while let Step::Send(item) = self.step() {
            self.desk.ended(Ended::Delivered, at(self.second).boot);
            all.push((item.kind.word(), item.subject, item.repeated));
        }
        all
    }
    fn is_sent(&mut self) -> Item {
        match self.step() {
            Step::Send(item) => *item,
            other => panic!("nothing is sent: {other:?}"),
        }
    }
}

fn row(event: &'static str, subject: &str, repeated: u32) -> (&'static str, String, u32) {
    (event, subject.to_owned(), repeated)
}

#[test]
fn an_empty_desk_rests() {
    let mut scene = Scene::with(|_| {});
    assert_eq!(scene.step(), Step::Rest);
    scene.take(failed("web"));
    assert_eq!(scene.delivered(), [row("restart_failed", "web", 1)]);
    assert_eq!(scene.step(), Step::Rest);
}

#[test]
fn the_same_is_told_once_and_its_repetitions_together_at_the_end() {
    let mut scene = Scene::with(|_| {});
    for _ in 0..4 {
        scene.take(failed("web"));
        scene.second += 10;
    }
    scene.take(failed("db"));
    assert_eq!(scene.delivered(), [row("restart_failed", "web", 1), row("restart_failed", "db", 1)]);
    assert_eq!(scene.step(), Step::Wait(Ticks(1_600_000)));
    scene.second = 1_600;
    assert_eq!(scene.delivered(), [row("restart_failed", "web", 3)]);
    // The time begins anew with what was told of the repetitions.
    scene.second = 2_000;
    scene.take(failed("web"));
    assert_eq!(scene.step(), Step::Wait(Ticks(2_200_000)));
}

#[test]
fn what_changes_back_is_no_repetition() {
    let mut scene = Scene::with(|_| {});
    let (name, until) = (Name::new("web"), Ticks(0));
    let opened = concluded(Notice::BreakerOpened { name: name.clone(), count: 3, level: 1, until });
    scene.take(opened.clone());
    scene.take(opened.clone());
    scene.take(concluded(Notice::BreakerClosed { name }));
    scene.take(opened);
    let told: Vec<_> = scene.delivered().into_iter().map(|(event, ..)| event).collect();
    assert_eq!(told, ["breaker_opened", "breaker_closed", "breaker_opened"]);
    assert_eq!(scene.step(), Step::Rest, "the repetition was overtaken");
}

#[test]
fn without_deduplication_everything_is_told() {
    let mut scene = Scene::with(|own| own.deduplicate = Duration::ZERO);
    scene.take(failed("web"));
    scene.take(failed("web"));
    assert_eq!(scene.delivered().len(), 2);
}

#[test]
fn what_goes_beyond_the_limit_arrives_as_one_summary() {
    let mut scene = Scene::with(|own| own.rate = Budget { size: 3, refill: Duration::from_secs(60) });
    for number in 0..8 {
        scene.take(failed(&format!("p{number}")));
    }
    scene.take(about(Happened::DatabaseLost { why: "away".to_owned() }));
    assert_eq!(scene.delivered().len(), 3);
    assert_eq!(scene.step(), Step::Wait(Ticks(1_060_000)));
    scene.second += 60;
    let summary = scene.is_sent();
    let held = BTreeMap::from([(EventKind::RestartFailed, 5), (EventKind::DatabaseLost, 1)]);
    assert_eq!(summary.what, What::HeldBack(held, 0));
    assert_eq!(summary.severity, Severity::Critical, "as urgent as the most urgent of them");
    scene.ends(Ended::Delivered);
    scene.second += 60;
    scene.take(failed("later"));
    assert_eq!(scene.delivered(), [row("restart_failed", "later", 1)]);
}

#[test]
fn no_limit_is_no_limit() {
    let mut scene = Scene::with(|own| own.rate = Budget::NONE);
    for number in 0..90 {
        scene.take(failed(&format!("p{number}")));
    }
    assert_eq!(scene.delivered().len(), 90);
}

#[test]
fn what_fails_is_tried_again_with_growing_pauses_and_is_the_same_notice() {
    let mut scene = Scene::with(|_| {});
    scene.take(failed("web"));
    scene.take(failed("db"));
    let first = scene.is_sent();
    assert_eq!(scene.ends(Ended::Failed), [Word::Fails]);
    for pause in [1, 2, 4, 8] {
        assert_eq!(scene.step(), Step::Wait(Ticks((scene.second + pause) * 1000)));
        scene.second += pause;
        assert_eq!(scene.is_sent(), first);
        let word = scene.ends(Ended::Failed);
        assert_eq!(word, if pause == 8 { vec![Word::Broken] } else { vec![] });
    }
    assert_eq!(scene.step(), Step::Wait(Ticks((scene.second + 60) * 1000)));
    scene.second += 60;
    scene.is_sent();
    assert_eq!(scene.ends(Ended::Delivered), [Word::Works]);
    assert_eq!(scene.delivered(), [row("restart_failed", "db", 1)]);
}

#[test]
fn a_notice_whose_time_is_over_is_given_up_and_counted_in_the_next_one_that_arrives() {
    let mut scene = Scene::with(|own| own.retry_for = Duration::from_secs(10));
    scene.take(failed("web"));
    scene.is_sent();
    scene.ends(Ended::Failed);
    scene.second += 9;
    scene.take(failed("db"));
    scene.is_sent();
    scene.second += 1;
    assert_eq!(scene.ends(Ended::Failed), [Word::GivenUp(EventKind::RestartFailed)]);
    scene.second += 2;
    assert_eq!(scene.is_sent().subject, "db", "each gets its try");
    assert_eq!(scene.ends(Ended::Delivered), [Word::Works]);
    assert_eq!(scene.is_sent().what, What::HeldBack(BTreeMap::new(), 1));
    scene.ends(Ended::Delivered);
    assert_eq!(scene.step(), Step::Rest);
}

#[test]
fn a_notice_without_time_for_retries_is_tried_once_also_when_the_one_before_failed() {
    let mut scene = Scene::with(|own| own.retry_for = Duration::ZERO);
    scene.take(failed("web"));
    scene.is_sent();
    assert_eq!(scene.ends(Ended::Failed), [Word::Fails, Word::GivenUp(EventKind::RestartFailed)]);
    scene.take(failed("db"));
    scene.second += 1;
    assert_eq!(scene.is_sent().subject, "db");
}

#[test]
fn what_nobody_could_be_told_for_too_long_does_not_arrive_when_it_is_old() {
    let mut scene = Scene::with(|own| own.retry_for = Duration::from_secs(60));
    scene.take(failed("web"));
    scene.take(failed("db"));
    scene.is_sent();
    scene.ends(Ended::Failed);
    scene.second += 1_000;
    assert_eq!(scene.step(), Step::Rest);
    let given_up = Word::GivenUp(EventKind::RestartFailed);
    assert_eq!(scene.desk.words(), [given_up.clone(), given_up]);
}

#[test]
fn what_is_refused_for_good_is_not_tried_again() {
    let mut scene = Scene::with(|_| {});
    scene.take(failed("web"));
    scene.is_sent();
    assert_eq!(scene.ends(Ended::Refused), [Word::GivenUp(EventKind::RestartFailed)]);
    assert_eq!(scene.step(), Step::Rest);
}

#[test]
fn a_full_queue_drops_the_least_urgent_and_never_what_is_on_its_way() {
    let mut scene = Scene::with(|own| own.rate = Budget::NONE);
    scene.take(concluded(ended("first")));
    assert_eq!(scene.is_sent().subject, "first");
    scene.take(concluded(ended("least")));
    for number in 2..MOST_WAITING {
        scene.take(failed(&format!("p{number}")));
    }
    assert_eq!(scene.desk.words(), []);
    scene.take(failed("one more"));
    assert_eq!(scene.desk.words(), [Word::Full]);
    scene.take(concluded(ended("in vain")));
    assert_eq!(scene.ends(Ended::Delivered), []);
    let subjects: Vec<_> = scene.delivered();
    assert_eq!(subjects.len(), MOST_WAITING - 1 + 1, "and the summary");
    assert!(!subjects.iter().any(|(_, subject, _)| subject == "least" || subject == "in vain"));
    assert_eq!(subjects.last(), Some(&row("held_back", "", 1)));
}

#[test]
fn who_leaves_sends_what_waits_once_and_waits_for_nothing() {
    let mut scene = Scene::with(|own| own.rate = Budget { size: 1, refill: Duration::from_secs(60) });
    scene.take(failed("web"));
    scene.take(failed("web"));
    scene.take(failed("db"));
    scene.desk.leave();
    let told: Vec<_> = scene.delivered().into_iter().map(|(event, ..)| event).collect();
    assert_eq!(told, ["restart_failed", "held_back"]);
    assert_eq!(scene.step(), Step::Leave(0));

    let mut scene = Scene::with(|_| {});
    scene.take(failed("web"));
    scene.take(failed("db"));
    scene.is_sent();
    scene.desk.leave();
    scene.ends(Ended::Failed);
    assert_eq!(scene.step(), Step::Leave(2));
}

#[test]
fn memory_is_bounded_whatever_happens() {
    let mut scene = Scene::with(|own| own.rate = Budget::NONE);
    for number in 0..MOST_REMEMBERED * 3 {
        scene.take(failed(&format!("p{number}")));
        scene.take(failed(&format!("p{number}")));
    }
    assert!(scene.desk.told.len() <= MOST_REMEMBERED && scene.desk.waiting.len() <= MOST_WAITING);
}
