//! The ways to a MariaDB server: socket and TCP, encryption, passwords, and accounts that may not do everything.

use super::engines::{Database, MariaDb, fixture, name};
use super::{restarted, row};
use mysql::prelude::Queryable;
use pm_host::ports::{Cleared, Rows, StoreError, Trouble};
use pm_host::store::{Login, Password, Server, ServerAddress, Tls, Trust};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

/// A database with one alarm in row 1, unless the short run leaves MariaDB out.
pub(super) fn with_an_alarm() -> Option<MariaDb> {
    let database = MariaDb::new()?;
    database.sql(&fixture("r8.sql"));
    row(&database, 1, "web", 1, 0, "'n'");
    Some(database)
}

pub(super) fn login(user: &str, password: &str) -> Login {
    Login { user: user.to_owned(), password: Password::new(password) }
}

fn tcp(database: &MariaDb, host: &str) -> ServerAddress {
    let server = Server::Tcp { host: host.to_owned(), port: database.server.port };
    ServerAddress { server, ..database.address() }
}

fn tls(trust: Trust, ca_file: Option<PathBuf>) -> Tls {
    Tls::Required { trust, ca_file, client: None }
}

fn refused(database: &MariaDb, address: ServerAddress) -> String {
    let error = database.open(address).poll(9).unwrap_err();
    assert_eq!(error.trouble, Trouble::Refused, "{error}");
    error.to_string()
}

#[test]
fn it_is_reached_by_socket_by_name_and_by_both_kinds_of_addresses() {
    let Some(database) = with_an_alarm() else { return };
    let socket = database.server.socket.clone();
    let (nobody, port) = (PathBuf::from("/nonexistent/pm.sock"), database.server.port);
    for (server, user) in [
        (Server::Socket(socket.clone()), "%@localhost"),
        (Server::Tcp { host: "127.0.0.1".to_owned(), port }, "%@127.0.0.1"),
        // The server listens on IPv4 only, and the name has both addresses where IPv6 exists.
        (Server::Tcp { host: "localhost".to_owned(), port }, "%@127.0.0.1"),
        (Server::Tcp { host: "[::ffff:127.0.0.1]".to_owned(), port }, "%@127.0.0.1"),
        (Server::Tcp { host: "::ffff:127.0.0.1".to_owned(), port }, "%@127.0.0.1"),
        (Server::Local { sockets: vec![nobody.clone(), socket], port: 1 }, "%@localhost"),
        (Server::Local { sockets: vec![nobody], port }, "%@127.0.0.1"),
    ] {
        let mut store = database.open(ServerAddress { server: server.clone(), ..database.address() });
        assert_eq!(store.poll(9).unwrap().len(), 1, "{server:?}");
        let from = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND \
             (host = 'localhost') = ('{user}' = '%@localhost') AND command = 'Sleep'",
            database.database
        );
        assert_ne!(database.column(&from), ["0"], "{server:?} came the other way");
    }
}

#[test]
fn nobody_there_names_every_way_that_was_tried() {
    let Some(database) = with_an_alarm() else { return };
    let sockets = vec![PathBuf::from("/nonexistent/a.sock"), PathBuf::from("/nonexistent/b.sock")];
    let server = Server::Local { sockets, port: 1 };
    let error = database.open(ServerAddress { server, ..database.address() }).poll(9).unwrap_err();
    assert_eq!(error.trouble, Trouble::Away);
    let text = error.to_string();
    assert!(text.starts_with("reading the alarms from STATUS_PROCESS: connecting at localhost"), "{text}");
    for way in ["/nonexistent/a.sock: No such file", "/nonexistent/b.sock: No such file", "127.0.0.1:1: "] {
        assert!(text.contains(way), "{text}");
    }
    let nowhere = Server::Tcp { host: "no-such-host.invalid".to_owned(), port: 3306 };
    let error = database.open(ServerAddress { server: nowhere, ..database.address() }).poll(9).unwrap_err();
    assert_eq!(error.trouble, Trouble::Away);
    assert!(error.to_string().contains("no-such-host.invalid:3306"), "{error}");
}

#[test]
fn encryption_verifies_what_it_is_told_to_verify() {
    let Some(database) = with_an_alarm() else { return };
    let ca = || Some(database.server.ca.clone());
    let mapped = "::ffff:127.0.0.1";
    for (host, tls) in [
        ("127.0.0.1", tls(Trust::AuthorityAndName, ca())),
        ("localhost", tls(Trust::AuthorityAndName, ca())),
        (mapped, tls(Trust::Authority, ca())),
        (mapped, tls(Trust::Anybody, None)),
    ] {
        let mut store = database.open(ServerAddress { tls: tls.clone(), ..tcp(&database, host) });
        assert_eq!(store.poll(9).unwrap().len(), 1, "{host} {tls:?}");
    }
    for (host, tls, says) in [
        ("127.0.0.1", tls(Trust::AuthorityAndName, None), "not of an authority that pm trusts"),
        ("127.0.0.1", tls(Trust::Authority, None), "not of an authority that pm trusts"),
        (mapped, tls(Trust::AuthorityAndName, ca()), "is for another name"),
        ("127.0.0.1", tls(Trust::Authority, Some("/nonexistent/ca.pem".into())), "check the files of tls"),
    ] {
        let text = refused(&database, ServerAddress { tls, ..tcp(&database, host) });
        assert!(text.contains(says) && text.contains("in [database]"), "{text}");
    }
}

#[test]
fn encrypted_connections_are_encrypted() {
    let Some(database) = with_an_alarm() else { return };
    let user = account(&database, "tls", "GRANT SELECT ON {db}.* TO {user} REQUIRE SSL");
    let address = ServerAddress { logins: vec![login(&user, "pw")], ..tcp(&database, "127.0.0.1") };
    let encrypted = tls(Trust::AuthorityAndName, Some(database.server.ca.clone()));
    let mut store = database.open(ServerAddress { tls: encrypted, ..address.clone() });
    assert_eq!(store.poll(9).unwrap().len(), 1);
    refused(&database, address);
    forget(&database, &user);
}

#[test]
fn a_server_without_encryption_is_not_spoken_to_when_it_is_required() {
    let Some(database) = with_an_alarm() else { return };
    // Version 10 handshake of a server that knows the 4.1 protocol and secure passwords, but no TLS.
    let mut greeting = vec![10];
    greeting.extend_from_slice(b"5.5.5-10.11.1-MariaDB\0\x01\0\0\0abcdefgh\0\0\xa2\x21\x02\0\x08\0");
    greeting.extend_from_slice(&[0; 10]);
    greeting.extend_from_slice(b"\x15abcdefghijkl\0mysql_native_password\0");
    let port = answers_once(greeting);
    let server = Server::Tcp { host: "127.0.0.1".to_owned(), port };
    let tls = tls(Trust::Anybody, None);
    let text = refused(&database, ServerAddress { server, tls, ..database.address() });
    assert!(text.contains("the server offers no TLS"), "{text}");
}

#[test]
fn what_is_no_server_is_said_so_and_does_no_harm() {
    let Some(database) = with_an_alarm() else { return };
    for greeting in
        [b"".to_vec(), vec![0xff], vec![10, b'x'], vec![10; 300], b"HTTP/1.1 400 Bad Request".to_vec()]
    {
        let server = Server::Tcp { host: "127.0.0.1".to_owned(), port: answers_once(greeting.clone()) };
        let connect_timeout = Duration::from_secs(1);
        let mut store = database.open(ServerAddress { server, connect_timeout, ..database.address() });
        let error = store.poll(9).unwrap_err();
        assert!(matches!(error.trouble, Trouble::Away | Trouble::Other), "{greeting:?}: {error}");
    }
}

/// A port that greets once with this packet.
fn answers_once(packet: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
        let _ = client.write_all(&[&length[..3], &[0], &packet].concat());
        let _ = client.read(&mut [0; 1024]);
    });
    port
}

#[test]
fn the_second_reading_of_a_password_is_tried_when_the_first_is_denied() {
    let Some(database) = with_an_alarm() else { return };
    let (user, right) = (database.server.user.clone(), database.server.password.clone());
    let wrong = || login(&user, "wrong-secret");
    for server in [database.address().server, tcp(&database, "127.0.0.1").server] {
        let both = vec![wrong(), login(&user, &right)];
        let address = ServerAddress { server, logins: both, ..database.address() };
        let mut store = database.open(address.clone());
        assert_eq!(store.poll(9).unwrap().len(), 1);
        let text = refused(&database, ServerAddress { logins: vec![wrong(), wrong()], ..address.clone() });
        assert!(text.contains("Access denied") && text.contains("(error 1045)"), "{text}");
        assert!(!text.contains("wrong-secret"), "{text}");
        assert!(text.contains("check user and password in [database]"), "{text}");
        let text = refused(&database, ServerAddress { logins: Vec::new(), ..address });
        assert!(text.contains("no login is configured"), "{text}");
    }
}

#[test]
fn a_missing_database_is_named() {
    let Some(database) = with_an_alarm() else { return };
    let address = ServerAddress { database: "pm_nowhere".to_owned(), ..database.address() };
    let error = database.open(address).poll(9).unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema);
    assert!(error.to_string().contains("pm_nowhere"), "{error}");
}

/// An account of this test with the password `pw`; `{user}` and `{db}` stand for it and the database.
pub(super) fn account(database: &MariaDb, suffix: &str, grants: &str) -> String {
    let user = format!("{}_{suffix}", database.database);
    let mut root = database.connection(None);
    for host in ["localhost", "127.0.0.1"] {
        let full = format!("'{user}'@'{host}'");
        root.query_drop(format!("CREATE USER {full} IDENTIFIED BY 'pw'")).unwrap();
        for grant in grants.split(';') {
            root.query_drop(grant.replace("{user}", &full).replace("{db}", &database.database)).unwrap();
        }
    }
    user
}

pub(super) fn forget(database: &MariaDb, user: &str) {
    let drop = format!("DROP USER '{user}'@'localhost', '{user}'@'127.0.0.1'");
    database.connection(None).query_drop(drop).unwrap();
}

fn read_only(error: &StoreError, hint: &str) {
    assert_eq!(error.trouble, Trouble::ReadOnly, "{error}");
    assert!(error.to_string().contains(hint), "{error}");
}

/// What an account lacks that may only read.
const UPDATE: &str =
    "grant SELECT on PROCESE and STATUS_PROCESS and UPDATE (alarma, notes) on STATUS_PROCESS";
/// What an account lacks that is not the one for making tables.
const MAKE: &str = "use an account that may CREATE, INDEX, REFERENCES and INSERT";

#[test]
fn an_account_that_may_only_read_reads_and_says_what_it_lacks() {
    let Some(database) = with_an_alarm() else { return };
    let user = account(
        &database,
        "ro",
        "GRANT SELECT ON {db}.PROCESE TO {user};GRANT SELECT ON {db}.STATUS_PROCESS TO {user}",
    );
    let mut store = database.open(ServerAddress { logins: vec![login(&user, "pw")], ..database.address() });
    assert_eq!(store.poll(9).unwrap().len(), 1);
    read_only(&store.clear(&restarted(1, Some("n"))).unwrap_err(), UPDATE);
    read_only(&store.raise(&Rows::All, "x").unwrap_err(), UPDATE);
    read_only(&store.add(&name("db")).unwrap_err(), MAKE);
    read_only(&store.migrate().unwrap_err(), MAKE);
    assert_eq!(store.poll(9).unwrap().len(), 1, "it still stands");
    let schema = store.schema().unwrap();
    assert_eq!((schema.version, schema.missing.len()), (None, 1));
    forget(&database, &user);
}

#[test]
fn the_least_account_can_clear() {
    let Some(database) = with_an_alarm() else { return };
    let user = account(
        &database,
        "min",
        "GRANT SELECT ON {db}.PROCESE TO {user};\
         GRANT SELECT, UPDATE (alarma, notes) ON {db}.STATUS_PROCESS TO {user}",
    );
    let mut store = database.open(ServerAddress { logins: vec![login(&user, "pw")], ..database.address() });
    assert_eq!(store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    assert!(store.poll(9).unwrap().is_empty());
    read_only(&store.raise(&Rows::All, "x").unwrap_err(), UPDATE);
    forget(&database, &user);
}

#[test]
fn an_account_that_may_not_read_is_refused_with_the_grant_it_needs() {
    let Some(database) = with_an_alarm() else { return };
    let user = account(&database, "no", "GRANT SELECT ON {db}.PROCESE TO {user}");
    let text = refused(&database, ServerAddress { logins: vec![login(&user, "pw")], ..database.address() });
    assert!(text.contains("grant SELECT on PROCESE and STATUS_PROCESS"), "{text}");
    forget(&database, &user);
}
