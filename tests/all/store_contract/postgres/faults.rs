//! What networks and servers do to a connection: cut, silent, late, locked, killed, read-only, garbage. After each of
//! them the next call gives the right answer, because the connection in doubt is gone.

use super::super::engines::{Database, PostgreSql, Still, name};
use super::super::{restarted, row};
use super::{told, with_an_alarm};
use pm_host::ports::{AlarmStore, Cleared, StoreError, Trouble};
use pm_host::store::{self, Address, Server, ServerAddress, Tls, Trust};
use pm_tests::proxy::{Fault, Proxy, silent};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A database with an alarm in row 1, and a store that reaches it through a proxy within a second.
struct Scene {
    store: Box<dyn AlarmStore>,
    proxy: Proxy,
    clock: Arc<Still>,
    database: PostgreSql,
}

fn scene() -> Option<Scene> {
    let database = with_an_alarm()?;
    let proxy = Proxy::to(database.server.port);
    let clock = Arc::new(Still::default());
    let address = ServerAddress { server: through(&proxy), ..hasty(&database) };
    let mut store = store::open(Address::Postgres(address), clock.clone());
    assert_eq!(store.poll(9).unwrap().len(), 1);
    Some(Scene { store, proxy, clock, database })
}

fn through(proxy: &Proxy) -> Server {
    Server::Tcp { host: "127.0.0.1".to_owned(), port: proxy.port() }
}

fn hasty(database: &PostgreSql) -> ServerAddress {
    let second = Duration::from_secs(1);
    ServerAddress {
        connect_timeout: second,
        read_timeout: second,
        write_timeout: second,
        ..database.address()
    }
}

fn away(error: &StoreError) -> String {
    assert_eq!(error.trouble, Trouble::Away, "{error}");
    error.to_string()
}

/// An error of the server as the answer to a question.
fn server_error(severity: &str, code: &str, text: &str) -> Fault {
    let fields = format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    Fault::Answer([b"E", &length[..], fields.as_bytes(), b"Z\0\0\0\x05I"].concat())
}

/// A port that answers once with these bytes.
fn answers_once(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 1024]);
        let _ = client.write_all(&answer);
        let _ = client.read(&mut [0; 1024]);
    });
    port
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
fn a_killed_session_costs_one_call_and_says_why() {
    let Some(mut scene) = scene() else { return };
    let kill = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                WHERE datname = current_database() AND application_name = 'pm'";
    assert_eq!(scene.database.column(kill), ["t"]);
    let text = away(&scene.store.poll(9).unwrap_err());
    let why = "terminating connection due to administrator command (SQLSTATE 57P01)";
    assert!(text.contains(&format!("127.0.0.1:{}", scene.proxy.port())) && text.contains(why), "{text}");
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
fn a_clearing_whose_answer_was_lost_is_recognised() {
    let Some(mut scene) = scene() else { return };
    // The clearing after this one finds its length of the column known and its statement prepared.
    row(&scene.database, 2, "other", 1, 0, "NULL");
    assert_eq!(scene.store.clear(&restarted(2, None)).unwrap(), Cleared::Done);
    scene.proxy.set(Fault::CutAnswer);
    away(&scene.store.clear(&restarted(1, Some("n"))).unwrap_err());
    assert_eq!(scene.proxy.fault(), Fault::None);
    assert_eq!(scene.database.column("SELECT alarma FROM status_process WHERE process_id = 1"), ["0"]);
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Already);
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
    for tls in [Tls::Off, Tls::Required { trust: Trust::Anybody, ca_file: None, client: None }] {
        let server = Server::Tcp { host: "127.0.0.1".to_owned(), port };
        let read_timeout = Duration::from_secs(600);
        let mut store = database.open(ServerAddress { server, read_timeout, tls, ..hasty(&database) });
        let begun = Instant::now();
        let text = away(&store.poll(9).unwrap_err());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(text.contains("does not answer while connecting"), "{text}");
    }
}

#[test]
fn a_frozen_server_behind_a_socket_never_blocks_for_good() {
    let Some(database) = with_an_alarm() else { return };
    let directory = tempfile::TempDir::new().unwrap();
    let path: PathBuf = directory.path().join(".s.PGSQL.1");
    // Nobody takes connections out of the queue.
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
fn what_is_no_server_is_said_so_and_does_no_harm() {
    let Some(database) = with_an_alarm() else { return };
    let required = Tls::Required { trust: Trust::Anybody, ca_file: None, client: None };
    for answer in
        [b"".to_vec(), vec![0xff; 64], b"HTTP/1.1 400 Bad Request\r\n".to_vec(), vec![b'R', 0, 0, 0, 1]]
    {
        for tls in [Tls::Off, required.clone()] {
            let server = Server::Tcp { host: "127.0.0.1".to_owned(), port: answers_once(answer.clone()) };
            let error = database.open(ServerAddress { server, tls, ..hasty(&database) }).poll(9).unwrap_err();
            assert!(matches!(error.trouble, Trouble::Away | Trouble::Refused), "{answer:?}: {error}");
        }
    }
    let server = Server::Tcp { host: "127.0.0.1".to_owned(), port: answers_once(b"N".to_vec()) };
    let error =
        database.open(ServerAddress { server, tls: required, ..hasty(&database) }).poll(9).unwrap_err();
    told(&error, Trouble::Refused, &["the server offers no TLS", "set tls = off in [database]"]);
}

#[test]
fn a_refused_connection_recovers_as_soon_as_there_is_a_server() {
    let Some(mut scene) = scene() else { return };
    scene.proxy.set(Fault::Gone);
    away(&scene.store.poll(9).unwrap_err());
    away(&scene.store.poll(9).unwrap_err());
    scene.proxy.set(Fault::None);
    assert_eq!(scene.store.poll(9).unwrap().len(), 1);
}

#[test]
fn a_slow_statement_is_ended_by_the_server_and_the_connection_stays() {
    let Some(mut scene) = scene() else { return };
    let mut admin = scene.database.admin();
    admin.run("BEGIN; LOCK TABLE status_process IN ACCESS EXCLUSIVE MODE");
    let text = away(&scene.store.poll(9).unwrap_err());
    assert!(text.contains("(SQLSTATE 57014)") && text.contains("index on the alarms"), "{text}");
    admin.run("ROLLBACK");
    assert_eq!(scene.store.poll(9).unwrap().len(), 1);
    assert_eq!(scene.proxy.connections(), 1);
}

#[test]
fn a_locked_row_is_tried_again_and_then_reported() {
    let Some(database) = with_an_alarm() else { return };
    let clock = Arc::new(Still::default());
    // The wait for a lock is bounded to a fifteenth of the read timeout, at least a second.
    let mut store = store::open(Address::Postgres(database.address()), clock.clone());
    let mut admin = database.admin();
    admin.run("BEGIN; UPDATE status_process SET notes = 'mine' WHERE process_id = 1");
    let error = store.clear(&restarted(1, Some("n"))).unwrap_err();
    told(&error, Trouble::Conflict, &["(SQLSTATE 55P03)", "another transaction holds the row"]);
    assert_eq!(clock.waits.lock().unwrap().len(), 4, "five tries");
    admin.run("ROLLBACK");
    assert_eq!(store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
}

#[test]
fn a_deadlock_and_a_serialization_failure_are_repeated_at_once() {
    let Some(mut scene) = scene() else { return };
    row(&scene.database, 2, "other", 1, 0, "NULL");
    assert_eq!(scene.store.clear(&restarted(2, None)).unwrap(), Cleared::Done);
    for (times, code) in [(1, "40P01"), (2, "40001")] {
        scene.database.sql("UPDATE status_process SET alarma = 1, notes = 'n' WHERE process_id = 1");
        scene.proxy.set(server_error("ERROR", code, "not this time"));
        assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
        assert_eq!(scene.clock.waits.lock().unwrap().len(), times);
    }
}

#[test]
fn a_server_that_only_reads_says_so_and_is_asked_anew_when_it_writes() {
    let Some(mut scene) = scene() else { return };
    let mode = |mode: &str| {
        let name = &scene.database.database;
        scene.database.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {mode}"));
    };
    mode("on");
    scene.proxy.set(Fault::CutAnswer);
    away(&scene.store.poll(9).unwrap_err());
    assert_eq!(scene.store.poll(9).unwrap().len(), 1, "reading goes on");
    let error = scene.store.clear(&restarted(1, Some("n"))).unwrap_err();
    told(&error, Trouble::ReadOnly, &["(SQLSTATE 25006)", "point [database] to the primary"]);
    mode("off");
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done, "on a new connection");
}

#[test]
fn every_answer_of_a_server_in_trouble_has_its_meaning() {
    let Some(mut scene) = scene() else { return };
    for (severity, code, text, trouble) in [
        ("ERROR", "25006", "cannot execute UPDATE in a read-only transaction", Trouble::ReadOnly),
        ("ERROR", "42501", "permission denied for table status_process", Trouble::Refused),
        ("ERROR", "42P01", "relation does not exist", Trouble::Schema),
        ("ERROR", "42703", "column does not exist", Trouble::Schema),
        ("ERROR", "55P03", "canceling statement due to lock timeout", Trouble::Conflict),
        ("ERROR", "40001", "canceling statement due to conflict with recovery", Trouble::Conflict),
        ("FATAL", "57P01", "terminating connection due to administrator command", Trouble::Away),
        ("FATAL", "57P05", "terminating connection due to idle-session timeout", Trouble::Away),
        ("ERROR", "57014", "canceling statement due to statement timeout", Trouble::Away),
        ("ERROR", "53100", "could not extend file", Trouble::Away),
        ("PANIC", "XX000", "something is broken", Trouble::Other),
        ("ERROR", "42601", "syntax error \u{1b}[2J", Trouble::Other),
    ] {
        scene.store.poll(9).unwrap();
        scene.proxy.set(server_error(severity, code, text));
        let error = scene.store.poll(9).unwrap_err();
        assert_eq!(error.trouble, trouble, "{error}");
        let said = error.to_string();
        assert!(said.contains(&format!("(SQLSTATE {code})")) && !said.contains('\u{1b}'), "{said}");
        assert_eq!(scene.store.poll(9).unwrap().len(), 1, "after {code}");
    }
}

#[test]
fn garbage_in_place_of_an_answer_costs_one_call() {
    let Some(mut scene) = scene() else { return };
    for garbage in [
        b"2\0\0\0\x04D\0\0\0\x06\0\x01".to_vec(),
        b"2\0\0\0\x04D\0\0\0\x0b\0\x04\xff\xff\xff\xfe\x01Z\0\0\0\x05I".to_vec(),
        b"T\0\0\0\0".to_vec(),
        vec![0xff; 64],
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n".to_vec(),
        b"E\0\0\0\x08S\0\0\0Z\0\0\0\x05I".to_vec(),
    ] {
        scene.store.poll(9).unwrap();
        scene.proxy.set(Fault::Answer(garbage.clone()));
        let error = scene.store.poll(9).unwrap_err();
        assert_eq!(error.trouble, Trouble::Away, "{garbage:?}: {error}");
        assert_eq!(scene.store.poll(9).unwrap().len(), 1, "after {garbage:?}");
    }
}

#[test]
fn a_table_that_is_changed_under_it_costs_nothing() {
    let Some(mut scene) = scene() else { return };
    let long = "x".repeat(60);
    row(&scene.database, 2, "other", 1, 0, &format!("'{long}'"));
    assert_eq!(scene.store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    scene.database.sql("ALTER TABLE status_process ALTER COLUMN notes TYPE VARCHAR(70)");
    assert_eq!(scene.store.poll(9).unwrap().len(), 1);
    assert_eq!(scene.store.clear(&restarted(2, Some(&long))).unwrap(), Cleared::Done);
    let notes = "SELECT char_length(notes) FROM status_process WHERE process_id = 2";
    assert_eq!(scene.database.column(notes), ["70"], "the length is measured again");
    scene.database.sql(
        "UPDATE status_process SET alarma = 1;\nALTER TABLE status_process ALTER COLUMN process_id TYPE BIGINT;\n",
    );
    assert_eq!(scene.store.poll(9).unwrap().len(), 2);
}
