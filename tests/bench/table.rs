//! A large table, filled quickly, and pm's own store on it: what a poll costs without the rest of pm.

use crate::world::World;
use mysql::Conn;
use mysql::prelude::Queryable as _;
use pm_host::clock::{Stop, SystemClock};
use pm_host::ports::AlarmStore;
use pm_host::store::{self, Address, Login, Password, Server, ServerAddress, Tls};
use std::sync::Arc;
use std::time::Duration;

/// A database with the contract's tables, an index on `(host_id, alarma)` and `rows` processes, so many a host. Nothing is
/// in alarm.
pub(crate) fn filled(world: &World, name: &str, rows: u32, per_host: u32) -> Conn {
    let mut conn = world.connect(None);
    conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).unwrap();
    conn.query_drop(format!("CREATE DATABASE {name}")).unwrap();
    let mut conn = world.connect(Some(name));
    for statement in [
        "SET foreign_key_checks = 0, unique_checks = 0",
        "CREATE TABLE STATUS_PROCESS (process_id INT PRIMARY KEY, alarma TINYINT NOT NULL DEFAULT 0, \
         sound TINYINT NOT NULL DEFAULT 0, notes VARCHAR(100), host_id INT NOT NULL DEFAULT 1)",
        "CREATE TABLE PROCESE (process_id INT PRIMARY KEY, process_name VARCHAR(100) NOT NULL, \
         FOREIGN KEY (process_id) REFERENCES STATUS_PROCESS (process_id))",
        "INSERT INTO STATUS_PROCESS (process_id) VALUES (1)",
    ] {
        conn.query_drop(statement).unwrap();
    }
    // Each time as many again as there are.
    let mut there = 1;
    while there < rows {
        let more = there.min(rows - there);
        conn.query_drop(format!(
            "INSERT INTO STATUS_PROCESS (process_id, host_id) \
             SELECT process_id + {there}, 1 + (process_id + {there} - 1) DIV {per_host} \
             FROM STATUS_PROCESS WHERE process_id <= {more}"
        ))
        .unwrap();
        there += more;
    }
    for statement in [
        "INSERT INTO PROCESE SELECT process_id, CONCAT('p', process_id) FROM STATUS_PROCESS",
        "CREATE INDEX alarms ON STATUS_PROCESS (host_id, alarma)",
        "SET foreign_key_checks = 1, unique_checks = 1",
    ] {
        conn.query_drop(statement).unwrap();
    }
    let _: Vec<mysql::Row> = conn.query("ANALYZE TABLE STATUS_PROCESS, PROCESE").unwrap();
    conn
}

/// pm's store on a database, over the socket, as one host.
pub(crate) fn open(world: &World, database: &str, host: u32) -> Box<dyn AlarmStore> {
    let server = &world.server;
    let address = ServerAddress {
        server: Server::Socket(server.socket.clone()),
        logins: vec![Login { user: server.user.clone(), password: Password::new(&server.password) }],
        database: database.to_owned(),
        tls: Tls::Off,
        connect_timeout: Duration::from_secs(30),
        read_timeout: Duration::from_secs(30),
        write_timeout: Duration::from_secs(30),
        connections: 1,
        host_id: Some(host.into()),
        push: None,
    };
    store::open(Address::Mysql(address), Arc::new(SystemClock::new(Stop::new())))
}
