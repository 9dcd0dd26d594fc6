//! From the committed alarm to the restart command's first instruction when changes are heard of, beside 1 s polling and
//! beside a bare reader: the least code that hears a change, asks for the alarms and starts the command.

mod postgres;

pub(crate) use postgres::hear_notice;

use crate::floor::{nanos, spawn};
use crate::reaction::{since, wait};
use crate::world::{World, pm};
use crate::{Figure, compared, late, median};
use mysql::prelude::Queryable as _;
use mysql::{BinlogRequest, Conn, Opts, OptsBuilder};
use pm_tests::sandbox::UNHURRIED;
use rusqlite::Connection;
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 100;
/// A log and a file tell of a change before others can read it, on a busy disk long before: for so long the bare readers go
/// on asking. Shorter than the calm between two alarms, so that they hear of each one.
const SETTLES: Duration = Duration::from_millis(100);

pub(crate) fn measure(world: &World) -> Vec<Figure> {
    let stamp = world.dir().join("heard");
    let line = format!("{} stamp {}", std::env::current_exe().unwrap().display(), stamp.display());
    let process = format!("restart_strategy = custom\nrestart_command = {line}");
    vec![
        mariadb(world, &stamp, &process),
        sqlite(world, &stamp, &process),
        postgres::measure(world, &stamp, &process),
    ]
}

fn mariadb(world: &World, stamp: &Path, process: &str) -> Figure {
    let mut conn = world.database("bench_push", 10);
    let raise = |conn: &mut Conn| {
        conn.query_drop("UPDATE STATUS_PROCESS SET alarma = 1, notes = NULL WHERE process_id = 1").unwrap();
    };
    let daemon = world.listening("bench_push", "check_interval = 60", process).ready();
    let took = (0..ROUNDS).map(|_| {
        calm(stamp);
        raise(&mut conn);
        wait(stamp, nanos(), &mut conn, &|| daemon.log())
    });
    let took: Vec<_> = took.collect();
    drop(daemon);
    let server = &world.server;
    let address = format!("{}\t{}\t{}\tbench_push", server.socket.display(), server.user, server.password);
    let bare = Bare::start(&["hear-log", &address, &stamp.to_string_lossy()]);
    let least = (0..ROUNDS).map(|_| {
        calm(stamp);
        raise(&mut conn);
        let began = nanos();
        let took = stamped(stamp, began);
        conn.query_drop("UPDATE STATUS_PROCESS SET alarma = 0 WHERE process_id = 1").unwrap();
        took
    });
    let least = median(least.collect());
    drop(bare);
    figure("MariaDB, binary log", took, least)
}

fn sqlite(world: &World, stamp: &Path, process: &str) -> Figure {
    let dir = world.dir().join("bench_file");
    let alarms = dir.join("alarms.db");
    let keys = format!("engine = sqlite\npath = {}", alarms.display());
    let daemon = listening(&dir, &keys, process, &[&["alarm", "add", "p1"]]);
    let table = Connection::open(&alarms).unwrap();
    table.busy_timeout(Duration::from_secs(5)).unwrap();
    let set = |alarm: i64| {
        table.execute("UPDATE STATUS_PROCESS SET alarma = ?1, notes = NULL", [alarm]).unwrap();
    };
    let cleared =
        || table.query_row("SELECT alarma FROM STATUS_PROCESS", [], |row| row.get::<_, i64>(0)).unwrap() == 0;
    let took = by_pm(stamp, &set, &cleared);
    drop(daemon);
    let bare = Bare::start(&["hear-file", &alarms.to_string_lossy(), &stamp.to_string_lossy()]);
    let least = by_least(stamp, &set);
    drop(bare);
    figure("SQLite, changes of the file", took, least)
}

/// A daemon in `dir` on the database with these keys, after these commands of pm, as soon as it listens.
fn listening(dir: &Path, database: &str, process: &str, before: &[&[&str]]) -> Bare {
    std::fs::create_dir_all(dir).unwrap();
    let at = dir.display();
    let config = format!(
        "[database]\n{database}\n[monitor]\ncheck_interval = 60\nmax_restart_failures = 3\n\
         circuit_reset_time = 600\nstate_dir = {at}/state\n{UNHURRIED}\n[logging]\n\
         file = {at}/pm.log\nconsole_output = no\nsyslog = no\n[process.p1]\n{process}\n"
    );
    let file = dir.join("config.ini");
    std::fs::write(&file, config).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(pm());
        command.args(words).arg("--config").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    for words in before {
        assert!(run(words).status().unwrap().success(), "pm {}", words.join(" "));
    }
    let daemon = Bare(run(&["run"]).spawn().unwrap());
    let log = || std::fs::read_to_string(dir.join("pm.log")).unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(20);
    while !log().contains("Listening for alarms") {
        assert!(Instant::now() < until, "pm does not listen: {}", log());
        std::thread::sleep(Duration::from_millis(5));
    }
    daemon
}

/// What each round takes when pm listens, which clears the alarm itself.
fn by_pm(stamp: &Path, set: &dyn Fn(i64), cleared: &dyn Fn() -> bool) -> Vec<Duration> {
    let once = |_| {
        calm(stamp);
        set(1);
        let took = stamped(stamp, nanos());
        while !cleared() {
            std::thread::sleep(Duration::from_millis(2));
        }
        took
    };
    (0..ROUNDS).map(once).collect()
}

/// The middle of what the rounds take when the bare reader listens.
fn by_least(stamp: &Path, set: &dyn Fn(i64)) -> Duration {
    let once = |_| {
        calm(stamp);
        set(1);
        let took = stamped(stamp, nanos());
        set(0);
        took
    };
    median((0..ROUNDS).map(once).collect())
}

fn figure(how: &str, took: Vec<Duration>, least: Duration) -> Figure {
    let late = late(&took);
    let what =
        format!("alarm committed to restart command started, {how}, median of {ROUNDS} (99 %: {late:.1?})");
    compared(what, median(took), least)
}

/// Alarms come out of a calm, as they do.
fn calm(stamp: &Path) {
    std::thread::sleep(Duration::from_millis(120));
    let _ = std::fs::remove_file(stamp);
}

fn stamped(stamp: &Path, began: i64) -> Duration {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < until, "nothing was started: {:?}", std::fs::read_to_string(stamp));
        if let Some(took) = since(stamp, began) {
            return took;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A process that is killed when it is not needed any more.
struct Bare(Child);

impl Bare {
    fn start(words: &[&str]) -> Self {
        let child = Command::new(std::env::current_exe().unwrap()).args(words).spawn().unwrap();
        // It has to be listening before anything happens.
        std::thread::sleep(Duration::from_secs(1));
        Self(child)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn react(stamp: &str) {
    spawn(&[&std::env::current_exe().unwrap().to_string_lossy(), "stamp", stamp]);
}

/// Reads a binary log and asks for alarms at every change of the table.
pub(crate) fn hear_log(address: &str, stamp: &str) {
    let mut parts = address.split('\t');
    let mut part = || parts.next().map(str::to_owned);
    let options =
        OptsBuilder::from_opts(Opts::default()).socket(part()).user(part()).pass(part()).db_name(part());
    let mut reader = Conn::new(options.clone()).unwrap();
    let mut asking = Conn::new(options).unwrap();
    let position: Option<String> = reader.query_first("SELECT @@gtid_binlog_pos").unwrap();
    reader.query_drop("SET @master_binlog_checksum = 'NONE', @mariadb_slave_capability = 4").unwrap();
    reader.exec_drop("SET @slave_connect_state = ?", (position.unwrap_or_default(),)).unwrap();
    let mut stream = reader.get_binlog_stream(BinlogRequest::new(77_777).with_pos(4_u64)).unwrap();
    let query = asking.prep("SELECT process_id FROM STATUS_PROCESS WHERE alarma = 1").unwrap();
    loop {
        let Some(event) = stream.next() else { continue };
        let names = event.unwrap().data().windows(14).any(|part| part == b"STATUS_PROCESS");
        let until = Instant::now() + SETTLES;
        while names && Instant::now() < until {
            if !asking.exec::<i64, _, _>(&query, ()).unwrap().is_empty() {
                react(stamp);
                break;
            }
        }
    }
}

/// Waits for writes of a file and asks for alarms until they are seen.
pub(crate) fn hear_file(file: &str, stamp: &str) {
    let path = PathBuf::from(file);
    let table = Connection::open(&path).unwrap();
    let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, path.parent().unwrap(), WatchFlags::MODIFY).unwrap();
    let mut query = table.prepare("SELECT process_id FROM STATUS_PROCESS WHERE alarma = 1").unwrap();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(&watch, &mut buffer);
    loop {
        let _ = reader.next().unwrap();
        let until = Instant::now() + SETTLES;
        while Instant::now() < until {
            if query.exists([]).unwrap() {
                react(stamp);
                // The alarm stands until it is cleared.
                while query.exists([]).unwrap() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                break;
            }
        }
    }
}
