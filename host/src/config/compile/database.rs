//! `[database]` to [`Database`]: which engine, where, and with which of the possible passwords.
//!
//! Nothing is connected to, and no socket is looked for.

use super::address::addresses;
use super::option_file::option_value;
use super::password::{Source, logins};
use super::reader::Reader;
use crate::config::database::{Database, Server, Tls, TlsClient, TlsMode};
use std::path::Path;
use std::time::Duration;

/// Keys that only a server needs.
const SERVER_KEYS: [&str; 16] = [
    "host",
    "port",
    "socket",
    "user",
    "password",
    "password_file",
    "database",
    "tls",
    "tls_ca_file",
    "tls_cert_file",
    "tls_key_file",
    "connect_timeout",
    "read_timeout",
    "write_timeout",
    "pool_max",
    "push_server_id",
];
const DAY: Duration = Duration::from_secs(86_400);

/// Which engine is meant.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Engine {
    Sqlite,
    Mysql,
    Postgres,
}

/// Reads `[database]`; `None` when there is no way to reach the alarms.
pub(in crate::config) fn database(
    mut reader: Reader<'_>,
    source: &Source<'_>,
    state_dir: &Path,
) -> Option<Database> {
    let engine = engine(&mut reader);
    reader.know(&SERVER_KEYS);
    reader.know(&["path", "push"]);
    let database = match engine? {
        Engine::Sqlite => {
            for key in SERVER_KEYS {
                if reader.raw(key).is_some() {
                    reader.warning(key, "has no meaning for the engine sqlite", "delete it");
                }
            }
            let path = reader.path("path").unwrap_or_else(|| state_dir.join("alarms.db"));
            let push = reader.value("push").unwrap_or(true);
            Some(Database::Sqlite { path, push })
        }
        Engine::Mysql => server(&mut reader, source, Engine::Mysql).map(Database::Mysql),
        Engine::Postgres => server(&mut reader, source, Engine::Postgres).map(Database::Postgres),
    };
    reader.finish();
    database
}

fn engine(reader: &mut Reader<'_>) -> Option<Engine> {
    if reader.raw("engine").is_some() {
        let words = [
            ("mysql", Engine::Mysql),
            ("mariadb", Engine::Mysql),
            ("sqlite", Engine::Sqlite),
            ("postgres", Engine::Postgres),
            ("postgresql", Engine::Postgres),
            ("pgsql", Engine::Postgres),
        ];
        return reader.choice("engine", &words);
    }
    let server = ["host", "user", "socket"].into_iter().any(|key| reader.raw(key).is_some());
    Some(if reader.raw("path").is_some() && !server { Engine::Sqlite } else { Engine::Mysql })
}

fn server(reader: &mut Reader<'_>, source: &Source<'_>, engine: Engine) -> Option<Server> {
    if reader.raw("path").is_some() {
        let name = if engine == Engine::Mysql { "mysql" } else { "postgresql" };
        let message = format!("has no meaning for the engine {name}");
        reader.warning("path", message, "delete it, or write engine = sqlite");
    }
    // Everything is read before anything is given up, so that all problems are told.
    let addresses = addresses(reader, engine);
    let database =
        interpreted(reader, "database", "the name of the database, v_process_monitor in the samples");
    let logins = logins(reader, source);
    let tls = tls(reader);
    let seconds = Duration::from_secs;
    let mut limit =
        |key, default| reader.duration(key, DAY).filter(|time| !time.is_zero()).unwrap_or(default);
    let (connect_timeout, read_timeout, write_timeout) = (
        limit("connect_timeout", seconds(5)),
        limit("read_timeout", seconds(30)),
        limit("write_timeout", seconds(30)),
    );
    let pool_max = reader.number("pool_max", 1..=64).map_or(4, |most| most as u16);
    let push = reader.value("push").unwrap_or(false);
    let push_server_id = reader.number("push_server_id", 1..=u32::MAX);
    Some(Server {
        addresses: addresses?,
        logins: logins?,
        database: database?,
        tls,
        connect_timeout,
        read_timeout,
        write_timeout,
        pool_max,
        push,
        push_server_id,
    })
}

/// A required value as the client's option file would have read it.
pub(super) fn interpreted(reader: &mut Reader<'_>, key: &'static str, what: &str) -> Option<String> {
    let Some(value) = reader.raw(key) else {
        reader.error(key, "is required", format!("write {what}"));
        return None;
    };
    let read = option_value(value);
    if read != value {
        let message = format!("is read as {read:?}, as the database client always read it");
        reader.warning(key, message, "write the value without quotes, # and backslashes");
    }
    if read.is_empty() {
        reader.error(key, "is empty", format!("write {what}"));
        return None;
    }
    Some(read)
}

fn tls(reader: &mut Reader<'_>) -> Tls {
    let words = [
        ("off", TlsMode::Off),
        ("require", TlsMode::Require),
        ("verify-ca", TlsMode::VerifyCa),
        ("verify-full", TlsMode::VerifyFull),
    ];
    let mode = reader.choice("tls", &words);
    let ca_file = reader.path("tls_ca_file");
    let client = match (reader.path("tls_cert_file"), reader.path("tls_key_file")) {
        (Some(cert_file), Some(key_file)) => Some(TlsClient { cert_file, key_file }),
        (None, None) => None,
        (cert, _) => {
            let key = if cert.is_some() { "tls_cert_file" } else { "tls_key_file" };
            reader.error(key, "needs its other half", "set both tls_cert_file and tls_key_file");
            None
        }
    };
    if mode.unwrap_or(TlsMode::Off) == TlsMode::Off && (ca_file.is_some() || client.is_some()) {
        let key = if ca_file.is_some() { "tls_ca_file" } else { "tls_cert_file" };
        reader.warning(key, "has no effect without TLS", "write tls = verify-full");
    }
    Tls { mode: mode.unwrap_or(TlsMode::Off), ca_file, client }
}
