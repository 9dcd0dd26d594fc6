//! Where a server listens, as `host`, `port` and `socket` say: one address, or several to be tried in turn.
//!
//! Nothing is looked up. What a single host has always meant it goes on meaning; a list is one with commas.

use super::database::{Engine, interpreted};
use super::reader::Reader;
use crate::config::database::Address;
use std::net::Ipv6Addr;
use std::path::Path;

/// How the file of a PostgreSQL server's socket begins; its port follows.
const SOCKET: &str = ".s.PGSQL.";
/// More addresses than this are no list that somebody wrote; trying them in turn would take for ever.
const MOST: usize = 16;

/// The addresses, at least one, in the order in which they are tried first.
pub(super) fn addresses(reader: &mut Reader<'_>, engine: Engine) -> Option<Vec<Address>> {
    let usual = if engine == Engine::Postgres { 5432 } else { 3306 };
    let port = reader.number("port", 1..=65_535).map_or(usual, |port| port as u16);
    if let Some(socket) = reader.path("socket") {
        let in_directory = engine == Engine::Postgres
            && !socket.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SOCKET));
        return Some(vec![Address::Socket(if in_directory { socket_in(&socket, port) } else { socket })]);
    }
    let what = if engine == Engine::Postgres {
        "the server's name or address; for its UNIX socket write socket instead"
    } else {
        "the server's name or address; localhost means its UNIX socket"
    };
    let text = interpreted(reader, "host", what)?;
    let mut all: Vec<Address> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let address =
            address(item, port, engine).map_err(|(message, hint)| reader.error("host", message, hint));
        let address = address.ok()?;
        if all.contains(&address) {
            reader.warning("host", format!("names {item} twice"), "delete one of them");
        } else {
            all.push(address);
        }
    }
    if all.len() > MOST {
        reader.error("host", format!("has {} addresses", all.len()), format!("write {MOST} at the most"));
        return None;
    }
    Some(all)
}

/// The socket of a PostgreSQL server in a directory, as its clients look for it.
fn socket_in(directory: &Path, port: u16) -> std::path::PathBuf {
    directory.join(format!("{SOCKET}{port}"))
}

/// What is wrong, and what to write instead.
type Wrong = (String, &'static str);

/// One address: a name or an address, and perhaps a port of its own.
fn address(item: &str, usual: u16, engine: Engine) -> Result<Address, Wrong> {
    if item.is_empty() {
        return Err(("has an empty address between its commas".to_owned(), "delete one of the commas"));
    }
    if item.starts_with('/') {
        return Err((format!("{item:?} is no host name"), "write socket = PATH for a UNIX socket"));
    }
    if item.contains(|c: char| c.is_whitespace() || c == '/') {
        let hint = "write a name or an address without blanks; several with commas between them";
        return Err((format!("{item:?} is no host name"), hint));
    }
    let (host, port) = match item.rsplit_once(':') {
        // Two and more colons without brackets are an IPv6 address.
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
            let wrong = || (format!("{port:?} of {item:?} is no port"), "write a number from 1 to 65535");
            let number = port.parse().ok().filter(|port: &u16| *port > 0).ok_or_else(wrong)?;
            (host, number)
        }
        _ => (item, usual),
    };
    let bracketed = host.strip_prefix('[').map(|rest| rest.strip_suffix(']').unwrap_or_default());
    if host.is_empty() || bracketed.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_err()) {
        let hint = "write HOST:PORT, or [::1]:PORT for an IPv6 address";
        return Err((format!("{item:?} is no address"), hint));
    }
    if host == "localhost" && engine == Engine::Mysql {
        return Ok(Address::Local { port });
    }
    Ok(Address::Tcp { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn an_address_may_have_a_port_of_its_own() {
        let read = |item| address(item, 3306, Engine::Mysql).unwrap();
        assert_eq!(read("db1"), tcp("db1", 3306));
        assert_eq!(read("db1:3307"), tcp("db1", 3307));
        assert_eq!(read("10.0.0.1:1"), tcp("10.0.0.1", 1));
        assert_eq!(read("::1"), tcp("::1", 3306));
        assert_eq!(read("[::1]"), tcp("[::1]", 3306));
        assert_eq!(read("[fe80::1]:3307"), tcp("[fe80::1]", 3307));
        assert_eq!(read("localhost"), Address::Local { port: 3306 });
        assert_eq!(address("localhost", 5432, Engine::Postgres).unwrap(), tcp("localhost", 5432));
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        for item in
            ["", "db 1", "/run/mysqld", "db1:", "db1:0", "db1:65536", "db1:x", ":3306", "[::1", "[db1]:1"]
        {
            assert!(address(item, 3306, Engine::Mysql).is_err(), "{item}");
        }
    }
}
