//! Many hosts on one server, for some seconds: each polls through pm's own store at its pace and renews its lease.
//!
//! Beside it, as the floor, the same hosts at the same moments with the bare prepared statements. A few threads drive
//! the hosts; each host keeps a connection of its own. A poll is timed from its beginning: that a thread was busy with
//! another host is no matter of the server.

use crate::floor::POLL;
use crate::table::{filled, open};
use crate::world::World;
use crate::{Figure, compared, late, median, text};
use mysql::prelude::Queryable as _;
use mysql::{Conn, Statement};
use pm_host::ports::{AlarmStore, Lease, Speaker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

const HOSTS: u32 = 1_000;
/// Processes of a host.
const PROCESSES: u32 = 100;
const THREADS: u32 = 8;
const LASTS: Duration = Duration::from_secs(20);
const POLLS: Duration = Duration::from_secs(5);
const RENEWALS: Duration = Duration::from_secs(30);
/// Connections that are left to others.
const SPARE: u32 = 50;
const DATABASE: &str = "bench_fleet";

pub(crate) fn measure(world: &World) -> Vec<Figure> {
    more_files();
    let mut conn = filled(world, DATABASE, HOSTS * PROCESSES, PROCESSES);
    open(world, DATABASE, 1).migrate().unwrap();
    let most: u32 = conn.query_first("SELECT @@max_connections").unwrap().unwrap();
    let hosts = HOSTS.min(most.saturating_sub(SPARE));
    let pm = fleet(hosts, |host| ThroughPm::new(world, host));
    let bare = fleet(hosts, |host| Bare::new(world, host));
    let (polls, renewals) = (pm.took.len(), pm.renewed);
    println!(
        "fleet: {polls} polls and {renewals} renewals, floor {} and {}; 99 % began no later than {}, floor {}",
        bare.took.len(),
        bare.renewed,
        text(late(&pm.late)),
        text(late(&bare.late))
    );
    conn.query_drop(format!("DROP DATABASE {DATABASE}")).unwrap();
    let what = |which| {
        format!(
            "one poll, MariaDB, {hosts} hosts with {PROCESSES} processes each, polling every {POLLS:?} ± 20 %, \
             for {LASTS:?}, {which}"
        )
    };
    let (pm_late, bare_late) = (late(&pm.took), late(&bare.took));
    vec![
        compared(what("median"), median(pm.took), median(bare.took)),
        compared(what("99 %"), pm_late, bare_late),
    ]
}

/// A connection for each host needs a descriptor.
fn more_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// One host of the fleet.
trait Host {
    fn poll(&mut self);
    fn renew(&mut self);
}

struct ThroughPm {
    store: Box<dyn AlarmStore>,
    speaker: Speaker,
    epoch: Option<i64>,
}

impl ThroughPm {
    fn new(world: &World, host: u32) -> Self {
        let speaker =
            Speaker { instance: format!("{host:032x}"), name: format!("host-{host}"), lasts: 3 * RENEWALS };
        Self { store: open(world, DATABASE, host), speaker, epoch: None }
    }
}

impl Host for ThroughPm {
    fn poll(&mut self) {
        assert!(self.store.poll(10_000).unwrap().is_empty());
    }

    fn renew(&mut self) {
        match self.store.hold(&self.speaker, self.epoch).unwrap() {
            Lease::Mine { epoch } => self.epoch = Some(epoch),
            other => panic!("{}: {other:?}", self.speaker.name),
        }
    }
}

struct Bare {
    conn: Conn,
    poll: Statement,
    renew: Statement,
    host: u32,
}

impl Bare {
    fn new(world: &World, host: u32) -> Self {
        let mut conn = world.connect(Some(DATABASE));
        let poll = conn.prep(POLL.replace("host_id = 1", &format!("host_id = {host}"))).unwrap();
        let now = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";
        let renew =
            format!("UPDATE pm_host SET lease_until = {now} + 90000, heartbeat_at = {now} WHERE host = ?");
        let renew = conn.prep(renew).unwrap();
        Self { conn, poll, renew, host }
    }
}

impl Host for Bare {
    fn poll(&mut self) {
        let rows: Vec<mysql::Row> = self.conn.exec(&self.poll, ()).unwrap();
        assert!(rows.is_empty());
    }

    fn renew(&mut self) {
        self.conn.exec_drop(&self.renew, (self.host.to_string(),)).unwrap();
    }
}

/// What was measured of a fleet.
#[derive(Default)]
struct Polls {
    took: Vec<Duration>,
    /// How long after its moment each began.
    late: Vec<Duration>,
    renewed: usize,
}

/// Drives the hosts with these numbers from 1 on, each thread its share of them.
fn fleet<H: Host>(hosts: u32, make: impl Fn(u32) -> H + Sync) -> Polls {
    let ready = std::sync::Barrier::new(THREADS as usize);
    let share = |first: u32| {
        let mut hosts: Vec<H> =
            (1..=hosts).skip(first as usize).step_by(THREADS as usize).map(&make).collect();
        for host in &mut hosts {
            host.poll();
            host.renew();
        }
        ready.wait();
        drive(&mut hosts, &mut Dice(u64::from(first)))
    };
    std::thread::scope(|scope| {
        let share = &share;
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || share(first))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(Polls::default(), |mut all, part| {
            all.took.extend(part.took);
            all.late.extend(part.late);
            all.renewed += part.renewed;
            all
        })
    })
}

/// What a host does next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Poll,
    Renew,
}

fn drive(hosts: &mut [impl Host], dice: &mut Dice) -> Polls {
    let began = Instant::now();
    let mut polls = Polls::default();
    // None begins together with another.
    let mut next = BinaryHeap::new();
    for host in 0..hosts.len() {
        next.push(Reverse((began + POLLS.mul_f64(dice.fraction()), host, Turn::Poll)));
        next.push(Reverse((began + RENEWALS.mul_f64(dice.fraction()), host, Turn::Renew)));
    }
    while let Some(Reverse((at, host, turn))) = next.pop() {
        if at >= began + LASTS {
            break;
        }
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        let begun = Instant::now();
        let pause = match turn {
            Turn::Poll => {
                hosts[host].poll();
                polls.took.push(begun.elapsed());
                polls.late.push(begun.saturating_duration_since(at));
                POLLS.mul_f64(0.8 + 0.4 * dice.fraction())
            }
            Turn::Renew => {
                hosts[host].renew();
                polls.renewed += 1;
                RENEWALS
            }
        };
        next.push(Reverse((at + pause, host, turn)));
    }
    polls
}

/// The same numbers in each run (the generator `SplitMix64`).
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from((mixed >> 32) as u32) / f64::from(u32::MAX)
    }
}
