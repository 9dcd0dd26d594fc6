//! Where the real components of `tests/components` are, as `up.sh` exports it.
//!
//! A test that needs one must not pass without it: when a component is not there the test fails and says how to get
//! it. Only `PM_TEST_SHORT=1` leaves such tests out, and then they say so.

use std::env::var;
use std::path::PathBuf;

/// A running MariaDB server.
#[derive(Debug, Clone)]
pub struct Mysql {
    /// Its socket.
    pub socket: PathBuf,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// An account with all rights.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The authority of its certificate, PEM.
    pub ca: PathBuf,
}

/// The MariaDB server; `None` when the short run leaves it out.
///
/// # Panics
/// When there is none and the run is not the short one.
#[must_use]
pub fn mysql() -> Option<Mysql> {
    let found = || {
        Some(Mysql {
            socket: var("PM_TEST_MYSQL_SOCKET").ok()?.into(),
            port: var("PM_TEST_MYSQL_PORT").ok()?.parse().ok()?,
            user: var("PM_TEST_MYSQL_USER").ok()?,
            password: var("PM_TEST_MYSQL_PASSWORD").ok()?,
            ca: var("PM_TEST_MYSQL_CA").ok()?.into(),
        })
    };
    present("MariaDB", found())
}

fn present<T>(component: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(
            var("PM_TEST_SHORT").is_ok_and(|short| short == "1"),
            "{component} is not running: use `make test`, or set PM_TEST_SHORT=1 to leave its tests out"
        );
        eprintln!("left out, because PM_TEST_SHORT=1 and {component} is not running");
    }
    found
}
