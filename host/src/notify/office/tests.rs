//! The threads, with doubles of the ports: nobody waits for a receiver that is slow.

use super::*;
use crate::notify::desk::tests::receiver;
use crate::policy::model::Name;
use crate::policy::time::{Ticks, Wall};
use crate::ports::Waited;
use crate::spec::PartRef;
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};

struct Still;

impl Clock for Still {
    fn now(&self) -> Now {
        Now { boot: Ticks(1_000_000), wall: Wall(5) }
    }
    fn wait(&self, _: Duration) -> Waited {
        Waited::Elapsed
    }
    fn boot_id(&self) -> &'static str {
        "boot"
    }
}

/// Says whom it tells what; `slow` never comes back until it is let go.
struct Double {
    told: Sender<(String, Notice)>,
    slow: Mutex<Inbox<()>>,
}

impl Notifiers for Double {
    fn notify(&self, part: &PartRef, notice: &Notice) -> Result<(), Error> {
        self.told.send((part.name.clone(), notice.clone())).unwrap();
        if part.name == "slow" {
            let _ = self.slow.lock().unwrap().recv();
        }
        Ok(())
    }
}

fn named(name: &str) -> Receiver {
    let part = PartRef { name: name.to_owned(), ..receiver().part };
    Receiver { name: name.to_owned(), part, ..receiver() }
}

fn failed(number: usize) -> Happened {
    Happened::RestartFailed {
        name: Name::new(&format!("p{number}")),
        group: None,
        attempts: 1,
        why: "no".into(),
    }
}

fn office() -> (Office, Inbox<(String, Notice)>, Sender<()>) {
    let ((told, heard), (go, slow)) = (channel(), channel());
    let double = Double { told, slow: Mutex::new(slow) };
    (Office::new(Arc::new(double), Arc::new(Still), "node-1"), heard, go)
}

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_receiver_that_never_answers_delays_neither_who_tells_nor_another_receiver() {
    let (office, heard, go) = office();
    office.configure(&[named("slow"), named("quick")]);
    for number in 0..5 {
        office.tell(failed(number));
    }
    let mut quick = Vec::new();
    while quick.len() < 5 {
        let (who, notice) = heard.recv_timeout(SOON).unwrap();
        if who == "quick" {
            quick.push(notice.subject);
        }
    }
    assert_eq!(quick, ["p0", "p1", "p2", "p3", "p4"]);
    // Whoever waits for `slow` is told that it is gone.
    drop(go);
}

#[test]
fn a_notice_says_who_what_when_and_can_be_told_from_every_other() {
    let (office, heard, _go) = office();
    office.configure(&[named("quick")]);
    office.tell(failed(1));
    office.tell(Happened::DatabaseBack);
    let (first, second) = (heard.recv_timeout(SOON).unwrap().1, heard.recv_timeout(SOON).unwrap().1);
    assert_eq!(
        (first.event.as_str(), first.subject.as_str(), first.host.as_str()),
        ("restart_failed", "p1", "node-1")
    );
    assert_eq!((first.time_ms, first.language.as_str(), first.timeout_ms), (5, "en", 30_000));
    assert_eq!((first.id.as_str(), second.id.as_str()), ("node-1-5-0", "node-1-5-1"));
}

#[test]
fn without_receivers_there_is_nothing_and_a_changed_one_takes_over() {
    let (office, heard, _go) = office();
    office.tell(failed(0));
    office.configure(&[named("quick")]);
    office.tell(failed(1));
    assert_eq!(heard.recv_timeout(SOON).unwrap().1.subject, "p1");
    let mut other = named("quick");
    other.language = crate::spec::Language::Romanian;
    office.configure(&[other]);
    office.tell(failed(2));
    let (_, notice) = heard.recv_timeout(SOON).unwrap();
    assert_eq!((notice.subject.as_str(), notice.language.as_str()), ("p2", "ro"));
    office.configure(&[]);
    office.tell(failed(3));
    office.close();
    assert!(heard.try_recv().is_err());
}

#[test]
fn who_closes_sees_off_what_waits() {
    let (office, heard, _go) = office();
    office.configure(&[named("quick")]);
    for number in 0..10 {
        office.tell(failed(number));
    }
    office.close();
    assert_eq!(heard.try_iter().count(), 10);
}
