//! What networks and servers do to a connection: cut, silent, late, locked, killed, garbage. After each of them the
//! next call gives the right answer, because the connection in doubt is gone.

use super::engines::{Database, MariaDb, Still, name};
use super::reach::with_an_alarm;
use super::{restarted, row};
use mysql::prelude::Queryable;
use pm_host::ports::{AlarmStore, Cleared, StoreError, Trouble};
use pm_host::store::{self, Address, Server, ServerAddress};
use pm_tests::proxy::{Fault, Proxy, silent};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A database with an alarm in row 1, and a store that reaches it through a proxy within a second.
struct Scene {
    store: Box<dyn AlarmStore>,
    proxy: Proxy,
    clock: Arc<Still>,
    database: MariaDb,
}

fn scene() -> Option<Scene> {
    let database = with_an_alarm()?;
    let proxy = Proxy::to(database.server.port);
    let clock = Arc::new(Still::default());
    let address = ServerAddress { server: through(&proxy), ..hasty(&database) };
    let mut store = store::open(Address::Mysql(address), clock.clone());
    assert_eq!(store.poll(9).unwrap().len(), 1);
    Some(Scene { store, proxy, clock, database })
}

fn through(proxy: &Proxy) -> Server {
    Server::Tcp { host: "127.0.0.1".to_owned(), port: proxy.port() }
}

fn hasty(database: &MariaDb) -> ServerAddress {
    let second = Duration::from_secs(1);
    ServerAddress {
        connect_timeout: second,
        connections: 4,
        read_timeout: second,
        write_timeout: second,
        ..database.address()
    }
}

fn away(error: &StoreError) -> String {
    assert_eq!(error.trouble, Trouble::Away, "{error}");
    error.to_string()
}

/// An error of the server as the packet after a question.
fn server_error(code: u16, text: &str) -> Fault {
    let body = [&[0xff], &code.to_le_bytes()[..], b"#HY000", text.as_bytes()].concat();
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    Fault::Answer([&length[..3], &[1], &body].concat())
}

#[test]
fn an_idle_poll_is_one_question_on_one_connection() {
    let Some(mut scene) = scene() else { return };
    let before = scene.proxy.questions();
    for _ in 0..10 {
        scene.store.poll(9).unwrap();
    }
    assert_eq!((scene.proxy.questions() - before, scene.proxy.connections()), (10, 1));
}

#[test]
fn a_killed_session_costs_one_call() {
    let Some(mut scene) = scene() else { return };
    let sessions = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> connection_id()",
        scene.database.database
    );
    let mut admin = scene.database.admin();
    for id in admin.query::<u64, _>(sessions).unwrap() {
        admin.query_drop(format!("KILL {id}")).unwrap();
    }
    let text = away(&scene.store.poll(9).unwrap_err());
    assert!(text.contains(&format!("127.0.0.1:{}", scene.proxy.port())), "{text}");
    assert_eq!(scene.store.poll(9).unwrap().len(), 1);
}

#[test]
fn a_late_answer_is_never_taken_for_the_answer_to_the_next_question() {
    let Some(mut scene) = scene() else { return };
    row(&scene.database, 2, "other", 0, 0, "NULL");
    scene.proxy.set(Fault::Freeze);
    let text = away(&scene.store.poll(9).unwrap_err());
    assert!(text.contains("no answer within 1 s"), "{text}");
    scene.proxy.set(Fault::None);
    let names: Vec<_> = scene.store.list().unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, [name("web"), name("other")]);
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    assert!(scene.store.poll(9).unwrap().is_empty());
    assert_eq!(scene.proxy.connections(), 2);
}

#[test]
fn a_slow_way_is_only_slow() {
    let Some(mut scene) = scene() else { return };
    scene.proxy.set(Fault::Delay(Duration::from_millis(50)));
    assert_eq!(scene.store.poll(9).unwrap().len(), 1);
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    assert_eq!(scene.proxy.connections(), 1);
}

#[test]
fn a_clearing_whose_answer_was_lost_is_recognised() {
    let Some(mut scene) = scene() else { return };
    let clear = restarted(1, Some("n"));
    // The clearing after this one finds its length of the column known and its statement prepared.
    row(&scene.database, 2, "other", 1, 0, "NULL");
    assert_eq!(scene.store.clear(&restarted(2, None)).unwrap(), Cleared::Done);
    scene.proxy.set(Fault::CutAnswer);
    away(&scene.store.clear(&clear).unwrap_err());
    assert_eq!(scene.proxy.fault(), Fault::None);
    assert_eq!(scene.database.column("SELECT alarma FROM STATUS_PROCESS WHERE process_id = 1"), ["0"]);
    let notes = "SELECT notes FROM STATUS_PROCESS WHERE process_id = 1";
    let once = scene.database.column(notes);
    assert_eq!(scene.store.clear(&clear).unwrap(), Cleared::Already);
    assert_eq!(scene.database.column(notes), once, "one stamp");
}

#[test]
fn a_clearing_that_was_cut_on_its_way_is_made_by_repeating() {
    let Some(mut scene) = scene() else { return };
    row(&scene.database, 2, "other", 1, 0, "NULL");
    assert_eq!(scene.store.clear(&restarted(2, None)).unwrap(), Cleared::Done);
    for bytes in [0, 1, 4, 20] {
        scene.store.poll(9).unwrap();
        scene.proxy.set(Fault::CutAfter(bytes));
        away(&scene.store.clear(&restarted(1, Some("n"))).unwrap_err());
        assert_eq!(scene.store.poll(9).unwrap().len(), 1, "cut after {bytes} bytes");
    }
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
}

#[test]
fn a_server_that_never_speaks_is_given_up_by_the_connect_timeout() {
    let Some(database) = with_an_alarm() else { return };
    let (_listener, port) = silent();
    let server = Server::Tcp { host: "127.0.0.1".to_owned(), port };
    let read_timeout = Duration::from_secs(600);
    let mut store = database.open(ServerAddress { server, read_timeout, ..hasty(&database) });
    let begun = Instant::now();
    let text = away(&store.poll(9).unwrap_err());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(text.contains("does not answer while connecting"), "{text}");
}

#[test]
fn a_frozen_server_behind_a_socket_never_blocks_for_good() {
    let Some(database) = with_an_alarm() else { return };
    let directory = tempfile::TempDir::new().unwrap();
    let path: PathBuf = directory.path().join("frozen.sock");
    // Nobody takes connections out of the queue; a blocking connect waits for as long as it is full.
    let listener =
        rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listener, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let connect_timeout = Duration::from_millis(200);
    let address = ServerAddress { server: Server::Socket(path), connect_timeout, ..hasty(&database) };
    let mut store = database.open(address);
    let begun = Instant::now();
    for _ in 0..8 {
        away(&store.poll(9).unwrap_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_refused_connection_recovers_as_soon_as_there_is_a_server() {
    let Some(mut scene) = scene() else { return };
    scene.proxy.set(Fault::CutAfter(0));
    away(&scene.store.poll(9).unwrap_err());
    scene.proxy.set(Fault::Refuse);
    away(&scene.store.poll(9).unwrap_err());
    scene.proxy.set(Fault::None);
    assert_eq!(scene.store.poll(9).unwrap().len(), 1);
}

#[test]
fn a_slow_statement_is_ended_by_the_server_and_the_connection_stays() {
    let Some(mut scene) = scene() else { return };
    let mut admin = scene.database.admin();
    admin.query_drop("LOCK TABLES STATUS_PROCESS WRITE").unwrap();
    let text = away(&scene.store.poll(9).unwrap_err());
    assert!(text.contains("error 1969") && text.contains("index on the alarms"), "{text}");
    admin.query_drop("UNLOCK TABLES").unwrap();
    assert_eq!(scene.store.poll(9).unwrap().len(), 1);
    assert_eq!(scene.proxy.connections(), 1);
}

#[test]
fn a_locked_row_is_tried_again_and_then_reported() {
    let Some(database) = with_an_alarm() else { return };
    let clock = Arc::new(Still::default());
    // The wait for a lock is bounded to a fifteenth of the read timeout, at least a second.
    let mut store = store::open(Address::Mysql(database.address()), clock.clone());
    let mut admin = database.admin();
    admin.query_drop("BEGIN").unwrap();
    admin.query_drop("UPDATE STATUS_PROCESS SET sound = 0, notes = 'mine' WHERE process_id = 1").unwrap();
    let error = store.clear(&restarted(1, Some("n"))).unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict, "{error}");
    assert!(error.to_string().contains("error 1205"), "{error}");
    assert_eq!(clock.waits.lock().unwrap().len(), 4, "five tries");
    admin.query_drop("ROLLBACK").unwrap();
    assert_eq!(store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
}

#[test]
fn a_deadlock_is_repeated_at_once() {
    let Some(mut scene) = scene() else { return };
    row(&scene.database, 2, "other", 1, 0, "NULL");
    assert_eq!(scene.store.clear(&restarted(2, None)).unwrap(), Cleared::Done);
    scene.proxy.set(server_error(1213, "Deadlock found when trying to get lock; try restarting transaction"));
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    assert_eq!(scene.clock.waits.lock().unwrap().len(), 1);
}

#[test]
fn every_answer_of_a_server_in_trouble_has_its_meaning() {
    let Some(mut scene) = scene() else { return };
    for (code, text, trouble) in [
        (1290, "running with the --read-only option", Trouble::ReadOnly),
        (1836, "Running in read-only mode", Trouble::ReadOnly),
        (1792, "Cannot execute statement in a READ ONLY transaction", Trouble::ReadOnly),
        (1142, "UPDATE command denied", Trouble::ReadOnly),
        (1142, "SELECT command denied", Trouble::Refused),
        (1045, "Access denied", Trouble::Refused),
        (1205, "Lock wait timeout exceeded", Trouble::Conflict),
        (1146, "Table doesn't exist", Trouble::Schema),
        (1054, "Unknown column", Trouble::Schema),
        (1047, "WSREP has not yet prepared node for application use", Trouble::Away),
        (1927, "Connection was killed", Trouble::Away),
        (1053, "Server shutdown in progress", Trouble::Away),
        (1969, "Query execution was interrupted", Trouble::Away),
        (3024, "Query execution was interrupted", Trouble::Away),
        (1064, "You have an error in your SQL syntax \u{1b}[2J", Trouble::Other),
    ] {
        scene.store.poll(9).unwrap();
        scene.proxy.set(server_error(code, text));
        let error = scene.store.poll(9).unwrap_err();
        assert_eq!(error.trouble, trouble, "{error}");
        let said = error.to_string();
        assert!(said.contains(&format!("(error {code})")) && !said.contains('\u{1b}'), "{said}");
        assert_eq!(scene.store.poll(9).unwrap().len(), 1, "after {code}");
    }
}

#[test]
fn garbage_in_place_of_an_answer_costs_one_call() {
    let Some(mut scene) = scene() else { return };
    for garbage in [
        vec![0, 0, 0, 1],
        vec![1, 0, 0, 1, 0],
        vec![5, 0, 0, 9, 1, 2, 3, 4, 5],
        vec![0xff; 64],
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n".to_vec(),
        vec![1, 0, 0, 1, 0xfb],
    ] {
        scene.store.poll(9).unwrap();
        scene.proxy.set(Fault::Answer(garbage.clone()));
        let error = scene.store.poll(9).unwrap_err();
        assert_eq!(error.trouble, Trouble::Away, "{garbage:?}: {error}");
        assert_eq!(scene.store.poll(9).unwrap().len(), 1, "after {garbage:?}");
    }
}

#[test]
fn a_column_that_was_made_shorter_is_measured_again() {
    let Some(mut scene) = scene() else { return };
    let long = "x".repeat(60);
    row(&scene.database, 2, "other", 1, 0, &format!("'{long}'"));
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    scene.database.sql("ALTER TABLE STATUS_PROCESS MODIFY notes VARCHAR(70)");
    assert_eq!(scene.store.clear(&restarted(2, Some(&long))).unwrap(), Cleared::Done);
    let notes = scene.database.column("SELECT CHAR_LENGTH(notes) FROM STATUS_PROCESS WHERE process_id = 2");
    assert_eq!(notes, ["70"]);
}

#[test]
fn any_character_set_of_the_columns_will_do() {
    let Some(scene) = scene() else { return };
    for charset in ["latin1", "latin2", "utf8mb3", "utf8mb4 COLLATE utf8mb4_bin"] {
        scene.database.sql(&format!(
            "UPDATE STATUS_PROCESS SET alarma = 1, notes = 'café';\n\
             ALTER TABLE STATUS_PROCESS MODIFY notes VARCHAR(100) CHARACTER SET {charset};\n"
        ));
        let mut store = scene.database.store(None);
        assert_eq!(store.poll(9).unwrap()[0].notes.as_deref(), Some("café"), "{charset}");
        assert_eq!(store.clear(&restarted(1, Some("cafe"))).unwrap(), Cleared::Changed, "{charset}");
        assert_eq!(store.clear(&restarted(1, Some("café"))).unwrap(), Cleared::Done, "{charset}");
    }
}
