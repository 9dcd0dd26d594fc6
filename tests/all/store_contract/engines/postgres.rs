//! A database in the PostgreSQL server of the tests, gone afterwards.

use super::{Database, Engine, Still, statements};
use pm_host::ports::AlarmStore;
use pm_host::store::{self, Address, Login, Password, Server, ServerAddress, Tls};
use pm_tests::components;
use pm_tests::postgres::Admin;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(in super::super) struct PostgreSql {
    pub(in super::super) server: components::Postgres,
    pub(in super::super) database: String,
    admin: RefCell<Admin>,
}

impl PostgreSql {
    pub(in super::super) fn new() -> Option<Self> {
        Self::with("")
    }

    /// As [`new`](Self::new), with these options of `CREATE DATABASE`.
    pub(in super::super) fn with(options: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = components::postgres()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let database = format!("pm_test_{}_{number}", std::process::id());
        let mut root = Admin::of(&server, "postgres");
        root.run(&format!("DROP DATABASE IF EXISTS {database}"));
        root.run(&format!("CREATE DATABASE {database} {options}"));
        let admin = Admin::of(&server, &database).into();
        Some(Self { server, database, admin })
    }

    /// A connection to the database past the store, with all rights.
    pub(in super::super) fn admin(&self) -> Admin {
        Admin::of(&self.server, &self.database)
    }

    /// The address of the database over the socket.
    pub(in super::super) fn address(&self) -> ServerAddress {
        ServerAddress {
            server: Server::Socket(self.server.socket.clone()),
            logins: vec![Login {
                user: self.server.user.clone(),
                password: Password::new(&self.server.password),
            }],
            database: self.database.clone(),
            tls: Tls::Off,
            connect_timeout: Duration::from_secs(5),
            connections: 4,
            read_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(15),
            host_id: None,
            push: None,
        }
    }

    pub(in super::super) fn open(&self, address: ServerAddress) -> Box<dyn AlarmStore> {
        store::open(Address::Postgres(address), Arc::new(Still::default()))
    }
}

impl Drop for PostgreSql {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            Admin::of(&self.server, "postgres").run(&format!("DROP DATABASE {} WITH (FORCE)", self.database));
        }
    }
}

impl Database for PostgreSql {
    fn sql(&self, text: &str) {
        let mut admin = self.admin.borrow_mut();
        for statement in statements(text) {
            admin.run(&statement.replace("TINYINT", "SMALLINT"));
        }
    }

    fn column(&self, query: &str) -> Vec<String> {
        self.admin.borrow_mut().column(query)
    }

    fn bind(&self, statement: &str, text: &str) {
        self.admin.borrow_mut().change(&statement.replace('?', "$1::text"), &[text]);
    }

    fn store(&self, host_id: Option<i64>) -> Box<dyn AlarmStore> {
        self.open(ServerAddress { host_id, ..self.address() })
    }

    fn empty(&self) -> Box<dyn Database> {
        Box::new(Self::new().unwrap())
    }

    fn engine(&self) -> Engine {
        Engine::PostgreSql
    }
}
