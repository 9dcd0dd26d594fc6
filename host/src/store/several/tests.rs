//! Which of several addresses is used, and when another one is: with doubles that are up, down, read-only or refusing.

use super::*;
use crate::policy::time::{Now, Wall};
use crate::ports::Waited;
use std::sync::{Mutex, MutexGuard};

/// What a double is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// It answers, and takes no changes.
    Reads,
    /// It takes no changes since its mode was asked.
    Demoted,
    Down,
    /// Its session was killed; it can be reached again.
    Killed,
    Refuses,
    /// It answers, and this account may not.
    Forbids,
    /// The first clearing on it is made and its answer is lost; then it is down.
    DiesClearing,
}

#[derive(Default)]
struct Outside {
    states: Vec<Option<State>>,
    /// What was asked of which address: `a?` its mode, `a` a call, `a7` the clearing of row 7.
    asked: Vec<String>,
    open: Vec<bool>,
    cleared: Vec<i64>,
    now: u64,
    /// How long each question takes, in seconds.
    slow: u64,
}

type Shared = Arc<Mutex<Outside>>;

struct Double(usize, Shared, &'static str);

struct Time(Shared);

impl Clock for Time {
    fn now(&self) -> Now {
        Now { boot: Ticks(self.0.lock().unwrap().now), wall: Wall(0) }
    }
    fn wait(&self, _: Duration) -> Waited {
        Waited::Elapsed
    }
    fn boot_id(&self) -> &str {
        "boot"
    }
}

impl Double {
    fn ask(&self, what: &str, changes: bool) -> Result<MutexGuard<'_, Outside>, StoreError> {
        let mut outside = self.1.lock().unwrap();
        let state = outside.states[self.0].unwrap_or(State::Up);
        outside.now += outside.slow * 1000;
        outside.asked.push(format!("{}{what}", self.2));
        let trouble = match state {
            State::Down => Trouble::Away,
            State::Killed => {
                outside.states[self.0] = Some(State::Up);
                Trouble::Away
            }
            State::Refuses | State::Forbids if !what.is_empty() || state == State::Refuses => {
                Trouble::Refused
            }
            State::Demoted if changes => Trouble::ReadOnly,
            State::DiesClearing if changes => {
                let row = what.parse().unwrap();
                outside.cleared.push(row);
                outside.states[self.0] = Some(State::Down);
                Trouble::Away
            }
            _ => {
                outside.open[self.0] = true;
                return Ok(outside);
            }
        };
        outside.open[self.0] = state == State::Forbids;
        Err(StoreError { trouble, attempted: "x".to_owned(), why: format!("{state:?}"), hint: Some("do it") })
    }
}

impl Member for Double {
    fn at(&self) -> &str {
        self.2
    }
    fn is_open(&self) -> bool {
        self.1.lock().unwrap().open[self.0]
    }
    fn mode(&mut self) -> Result<Mode, StoreError> {
        let outside = self.ask("?", false);
        if matches!(&outside, Err(error) if error.why == "Forbids") {
            return Ok(Mode::Writes);
        }
        let reads = outside?.states[self.0] == Some(State::Reads);
        Ok(if reads { Mode::Reads } else { Mode::Writes })
    }
    fn again(&self) -> Box<dyn Member> {
        Box::new(Self(self.0, Arc::clone(&self.1), self.2))
    }
    fn leave(&mut self) {
        self.1.lock().unwrap().open[self.0] = false;
    }
}

impl AlarmStore for Double {
    fn poll(&mut self, _: usize) -> Result<Vec<Alarm>, StoreError> {
        self.ask("", false).map(|_| Vec::new())
    }
    fn clear(&mut self, clear: &Clear) -> Result<Cleared, StoreError> {
        let row = clear.row.0;
        let mut outside = self.ask(&row.to_string(), true)?;
        if outside.cleared.contains(&row) {
            return Ok(Cleared::Already);
        }
        outside.cleared.push(row);
        Ok(Cleared::Done)
    }
    fn list(&mut self) -> Result<Vec<Row>, StoreError> {
        self.ask("list", false).map(|_| Vec::new())
    }
    fn known(&mut self) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn relations(&mut self) -> Result<Relations, StoreError> {
        Ok(Relations::default())
    }
    fn add(&mut self, _: &Name) -> Result<RowId, StoreError> {
        Ok(RowId(1))
    }
    fn raise(&mut self, _: &Rows, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn reset(&mut self, _: &Rows, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn schema(&mut self) -> Result<Schema, StoreError> {
        let schema =
            Schema { engine: String::new(), version: None, newest: 0, missing: vec![], denied: vec![] };
        Ok(schema)
    }
    fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

struct Scene {
    store: Several,
    outside: Shared,
}

/// Three addresses a, b, c in these states.
fn scene(states: [State; 3]) -> Scene {
    let outside = Outside { states: states.map(Some).to_vec(), open: vec![false; 3], ..Outside::default() };
    let outside = Arc::new(Mutex::new(outside));
    let member = |(index, name)| -> Box<dyn Member> { Box::new(Double(index, outside.clone(), name)) };
    let members = ["a", "b", "c"].into_iter().enumerate().map(member).collect();
    let clock = Arc::new(Time(outside.clone()));
    Scene { store: Several::new(members, clock), outside }
}

impl Scene {
    fn set(&self, index: usize, state: State) {
        let mut outside = self.outside.lock().unwrap();
        outside.states[index] = Some(state);
        if state == State::Down {
            outside.open[index] = false;
        }
    }

    /// What was asked since the last time.
    fn asked(&self) -> String {
        std::mem::take(&mut self.outside.lock().unwrap().asked).join(" ")
    }

    fn poll(&mut self) -> String {
        self.store.poll(1).unwrap();
        self.asked()
    }

    fn fails(&mut self) -> (Trouble, String) {
        let error = self.store.poll(1).unwrap_err();
        (error.trouble, error.to_string())
    }

    fn clear(&mut self, row: i64) -> Result<Cleared, StoreError> {
        self.store.clear(&clear(row))
    }
}

fn clear(row: i64) -> Clear {
    Clear { row: RowId(row), notes: None, restarted_at: None }
}

use State::*;

#[test]
fn the_first_that_answers_and_takes_changes_is_used_and_stays_so() {
    let mut scene = scene([Down, Reads, Up]);
    assert_eq!(scene.store.address(), None);
    assert_eq!(scene.poll(), "a? b? c? c");
    assert_eq!(scene.store.address().as_deref(), Some("c; a: Down; b: it is read-only"));
    scene.set(0, Up);
    assert_eq!(scene.poll(), "c", "nobody goes back by itself");
    assert_eq!(scene.outside.lock().unwrap().open, [false, false, true], "the others are left");
}

#[test]
fn a_call_that_loses_its_address_is_made_at_the_next_one() {
    let mut scene = scene([Up, Up, Up]);
    assert_eq!(scene.poll(), "a? a");
    scene.set(0, Down);
    assert_eq!(scene.poll(), "a b? b");
    scene.set(1, Down);
    assert_eq!(scene.poll(), "b c? c", "the one that failed longest ago comes after one that never failed");
    scene.set(0, Up);
    scene.set(1, Up);
    scene.set(2, Down);
    assert_eq!(scene.poll(), "c a? a", "and before one that failed later");
}

#[test]
fn a_killed_session_is_made_anew_where_no_other_takes_changes() {
    let mut scene = scene([Up, Reads, Down]);
    scene.poll();
    scene.set(0, Killed);
    assert_eq!(scene.poll(), "a b? c? a? a");
    assert_eq!(scene.store.address().as_deref(), Some("a; b: it is read-only; c: Down"));
}

#[test]
fn a_server_that_only_reads_now_is_left_and_a_missing_right_is_no_reason() {
    let mut scene = scene([Up, Down, Up]);
    scene.poll();
    scene.set(0, Demoted);
    assert_eq!(scene.clear(7).unwrap(), Cleared::Done);
    assert_eq!(scene.asked(), "a7 b? c? c7");
    scene.set(2, Forbids);
    let error = scene.clear(8).unwrap_err();
    assert_eq!((error.trouble, scene.asked().as_str()), (Trouble::Refused, "c8"));
}

#[test]
fn where_none_takes_changes_one_is_read_and_the_others_are_asked_with_each_change() {
    let mut scene = scene([Down, Reads, Reads]);
    assert_eq!(scene.poll(), "a? b? c? b");
    assert_eq!(scene.poll(), "b");
    scene.set(1, Demoted);
    scene.set(2, Reads);
    // It says that it takes changes and does not: once is enough.
    assert_eq!(scene.clear(7).unwrap_err().trouble, Trouble::ReadOnly);
    assert_eq!(scene.asked(), "b7 c? a? b?");
    scene.set(2, Up);
    assert_eq!(scene.clear(7).unwrap(), Cleared::Done);
}

#[test]
fn while_it_is_only_read_one_that_takes_changes_is_looked_for_now_and_then() {
    let mut scene = scene([Down, Reads, Reads]);
    assert_eq!(scene.poll(), "a? b? c? b");
    let later = |scene: &mut Scene, seconds: u64| {
        scene.outside.lock().unwrap().now += seconds * 1000;
        scene.poll()
    };
    assert_eq!(later(&mut scene, 29), "b");
    assert_eq!(later(&mut scene, 1), "b? c? a? b", "the one that was read stays");
    assert_eq!(later(&mut scene, 29), "b");
    scene.set(0, Up);
    assert_eq!(later(&mut scene, 1), "b? c? a? a");
    assert_eq!(scene.store.address().as_deref(), Some("a; b: it is read-only; c: it is read-only"));
    assert_eq!(later(&mut scene, 600), "a", "nothing is looked for any more");
    let mut scene = self::scene([Reads, Down, Down]);
    scene.poll();
    scene.set(0, Up);
    assert_eq!(later(&mut scene, 30), "a? a", "it has been promoted");
    assert_eq!(later(&mut scene, 30), "a");
}

#[test]
fn a_refused_login_is_not_repeated_within_a_minute_while_there_are_others() {
    let mut scene = scene([Refuses, Down, Down]);
    let (trouble, said) = scene.fails();
    assert_eq!(trouble, Trouble::Away, "the others are tried again soon");
    for words in
        ["reaching the alarm database at a, b, c: no address serves", "; a: Refuses; b: Down; c: Down"]
    {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(scene.asked(), "a? b? c?");
    scene.fails();
    assert_eq!(scene.asked(), "b? c?");
    scene.outside.lock().unwrap().now += 60_000;
    scene.fails();
    assert_eq!(scene.asked(), "a? b? c?");
    for index in 0..3 {
        scene.set(index, Refuses);
    }
    scene.fails();
    scene.asked();
    let (trouble, said) = scene.fails();
    assert_eq!(trouble, Trouble::Refused, "{said}");
    assert_eq!(scene.asked().len(), "a? b? c?".len(), "the caller waits a minute then");
}

#[test]
fn clearings_that_are_cut_short_go_on_at_the_next_address_and_each_is_made_once() {
    let mut scene = scene([DiesClearing, Up, Up]);
    let results = scene.store.clear_all(&(1..=3).map(clear).collect::<Vec<_>>());
    let results: Vec<_> = results.into_iter().map(|(index, result)| (index, result.unwrap())).collect();
    assert_eq!(results, [(0, Cleared::Already), (1, Cleared::Done), (2, Cleared::Done)]);
    assert_eq!(scene.outside.lock().unwrap().cleared, [1, 2, 3]);
    assert_eq!(scene.asked(), "a? a1 b? b1 b2 b3");
    for index in 0..3 {
        scene.set(index, Down);
    }
    let results = scene.store.clear_all(&[clear(4), clear(5)]);
    assert_eq!(results.len(), 1, "what was not tried has no result");
    assert_eq!(results[0].1.as_ref().unwrap_err().trouble, Trouble::Away);
}

#[test]
fn a_call_does_not_look_for_ever_and_the_next_one_goes_on_where_it_ended() {
    let mut scene = scene([Down, Down, Down]);
    scene.outside.lock().unwrap().slow = 45;
    scene.fails();
    assert_eq!(scene.asked(), "a? b?");
    scene.fails();
    assert_eq!(scene.asked(), "c? a?");
}
