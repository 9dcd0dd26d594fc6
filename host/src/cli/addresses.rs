//! From the configuration's database to the store's address, and the short name of it that people see.

use crate::config::database::{self, Database, TlsMode};
use crate::store::{
    Access, Address, ClientCertificate, Engine, Login, Password, Push, Server, ServerAddress, SqliteAddress,
    Tls, Trust,
};
use std::path::PathBuf;

/// The address of the database, limited to the rows of `host_id` if there is one.
pub(crate) fn with_access(database: &Database, host_id: Option<i64>, access: Access) -> Address {
    match database {
        Database::Sqlite { path, push } => Address::Sqlite(SqliteAddress {
            path: path.clone(),
            access,
            host_id,
            push: if *push { Push::On } else { Push::Off },
        }),
        Database::Mysql(own) => in_server(Engine::Mysql, own, host_id),
        Database::Postgres(own) => in_server(Engine::Postgres, own, host_id),
    }
}

fn in_server(engine: Engine, own: &database::Server, host_id: Option<i64>) -> Address {
    let mut all: Vec<_> = own.addresses.iter().map(|at| at_address(own, at, host_id)).collect();
    match (engine, all.len()) {
        (Engine::Mysql, 1) => Address::Mysql(all.remove(0)),
        (Engine::Postgres, 1) => Address::Postgres(all.remove(0)),
        _ => Address::Several(engine, all),
    }
}

fn at_address(own: &database::Server, at: &database::Address, host_id: Option<i64>) -> ServerAddress {
    let login = |login: &database::Login| Login {
        user: login.user.clone(),
        password: Password::new(login.password.reveal()),
    };
    ServerAddress {
        server: server(at),
        logins: own.logins.iter().map(login).collect(),
        database: own.database.clone(),
        tls: tls(&own.tls),
        connect_timeout: own.connect_timeout,
        read_timeout: own.read_timeout,
        write_timeout: own.write_timeout,
        connections: own.pool_max,
        host_id,
        push: own.push.then(|| own.push_server_id.unwrap_or_else(replica_number)),
    }
}

/// What pm calls itself among the replicas of a server when nobody has said so: the same at every start, another one on
/// every machine, and above the numbers that people give.
fn replica_number() -> u32 {
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let name = rustix::system::uname();
    // FNV-1a: two of a thousand machines get the same number with a chance of 1 in 500.
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = machine.iter().chain(name.nodename().to_bytes()).fold(0x811c_9dc5, mix);
    0xF000_0000 | (hash & 0x0FFF_FFFF)
}

fn server(address: &database::Address) -> Server {
    match address {
        database::Address::Socket(path) => Server::Socket(path.clone()),
        database::Address::Local { port } => Server::Local {
            sockets: database::LOCAL_SOCKETS.iter().map(PathBuf::from).collect(),
            port: *port,
        },
        database::Address::Tcp { host, port } => Server::Tcp { host: host.clone(), port: *port },
    }
}

fn tls(tls: &database::Tls) -> Tls {
    let trust = match tls.mode {
        TlsMode::Off => return Tls::Off,
        TlsMode::Require => Trust::Anybody,
        TlsMode::VerifyCa => Trust::Authority,
        TlsMode::VerifyFull => Trust::AuthorityAndName,
    };
    let client = tls.client.as_ref().map(|client| ClientCertificate {
        cert_file: client.cert_file.clone(),
        key_file: client.key_file.clone(),
    });
    Tls::Required { trust, ca_file: tls.ca_file.clone(), client }
}

/// Where the alarms are, for people; never with a password.
pub(crate) fn name(database: &Database) -> String {
    match database {
        Database::Sqlite { path, .. } => format!("sqlite {}", path.display()),
        Database::Mysql(server) | Database::Postgres(server) => {
            let places: Vec<_> = server.addresses.iter().map(database::Address::name).collect();
            let place = places.join(", ");
            format!("{} {place}/{}", database.engine(), server.database)
        }
    }
}
