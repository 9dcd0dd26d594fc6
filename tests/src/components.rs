//! Where the real components of `tests/components` are, as `up.sh` exports it.
//!
//! A test that needs one must not pass without it: when a component is not there the test fails and says how to get
//! it. Only `PM_TEST_SHORT=1` leaves such tests out, and then they say so.
//!
//! What a test stops, freezes or replaces must not be what others use: it starts a component [for itself](Private).

use crate::sandbox::{answer, built};
use std::collections::BTreeMap;
use std::env::var;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

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
    present("MariaDB", mysql_of(&|key| var(key).ok()))
}

fn mysql_of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Mysql> {
    Some(Mysql {
        socket: variable("PM_TEST_MYSQL_SOCKET")?.into(),
        port: variable("PM_TEST_MYSQL_PORT")?.parse().ok()?,
        user: variable("PM_TEST_MYSQL_USER")?,
        password: variable("PM_TEST_MYSQL_PASSWORD")?,
        ca: variable("PM_TEST_MYSQL_CA")?.into(),
    })
}

/// A running PostgreSQL server.
#[derive(Debug, Clone)]
pub struct Postgres {
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

/// The PostgreSQL server; `None` when the short run leaves it out.
///
/// # Panics
/// When there is none and the run is not the short one.
#[must_use]
pub fn postgres() -> Option<Postgres> {
    present("PostgreSQL", postgres_of(&|key| var(key).ok()))
}

fn postgres_of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Postgres> {
    Some(Postgres {
        socket: variable("PM_TEST_POSTGRES_SOCKET")?.into(),
        port: variable("PM_TEST_POSTGRES_PORT")?.parse().ok()?,
        user: variable("PM_TEST_POSTGRES_USER")?,
        password: variable("PM_TEST_POSTGRES_PASSWORD")?,
        ca: variable("PM_TEST_POSTGRES_CA")?.into(),
    })
}

/// A systemd as process 1 of its own namespaces; the network is the machine's.
#[derive(Debug, Clone)]
pub struct Systemd {
    /// Its pid, as it is seen from here.
    pub pid: u32,
    /// The program that runs a command inside.
    pub enter: PathBuf,
    /// A directory that is the same one inside and outside.
    pub shared: PathBuf,
}

/// The systemd; `None` when the short run leaves it out.
///
/// # Panics
/// When there is none and the run is not the short one.
#[must_use]
pub fn systemd() -> Option<Systemd> {
    present("systemd", systemd_of(&|key| var(key).ok()))
}

fn systemd_of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Systemd> {
    Some(Systemd {
        pid: variable("PM_TEST_SYSTEMD_PID")?.parse().ok()?,
        enter: variable("PM_TEST_SYSTEMD_ENTER")?.into(),
        shared: variable("PM_TEST_SYSTEMD_SHARED")?.into(),
    })
}

/// A Docker daemon.
#[derive(Debug, Clone)]
pub struct Docker {
    /// Its socket.
    pub socket: PathBuf,
    /// An image with busybox, to be run without a network.
    pub image: String,
}

/// The Docker daemon; `None` when the short run leaves it out.
///
/// # Panics
/// When there is none and the run is not the short one.
#[must_use]
pub fn docker() -> Option<Docker> {
    present("Docker", docker_of(&|key| var(key).ok()))
}

fn docker_of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Docker> {
    Some(Docker {
        socket: variable("PM_TEST_DOCKER_SOCKET")?.into(),
        image: variable("PM_TEST_DOCKER_IMAGE")?,
    })
}

/// A PostgreSQL server and its standby; the accounts are the same.
#[derive(Debug, Clone)]
pub struct PostgresPair {
    /// The primary.
    pub primary: Postgres,
    /// Its process.
    pub pid: i32,
    /// The port of the standby on 127.0.0.1.
    pub standby: u16,
}

/// A Galera cluster; the accounts are those of [`Mysql`].
#[derive(Debug, Clone)]
pub struct Galera {
    /// The port of each node on 127.0.0.1.
    pub ports: Vec<u16>,
    /// The socket of each.
    pub sockets: Vec<PathBuf>,
    /// The process of each.
    pub pids: Vec<i32>,
}

/// A component that one test has for itself; stopped when dropped.
pub struct Private {
    script: PathBuf,
    place: TempDir,
    exports: BTreeMap<String, String>,
}

impl Private {
    /// Starts `NAME.sh` of `tests/components`.
    ///
    /// # Panics
    /// When it does not start; says what its script says.
    #[must_use]
    pub fn start(name: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("components/{name}.sh"));
        let place =
            tempfile::Builder::new().prefix("pm-test-").tempdir().expect("a folder for the component");
        // The programs of the tests must be found inside, too.
        let target = built().parent().map(Path::to_owned).expect("the build lies in a target directory");
        let mut command = Command::new(&script);
        let started = answer(command.arg("start").arg(place.path()).env("CARGO_TARGET_DIR", target));
        assert_eq!(started.code, 0, "{}: {}{}", script.display(), started.out, started.err);
        let file = place.path().join(format!("{name}.env"));
        let text = std::fs::read_to_string(&file).expect("the exports of the component");
        let export = |line: &str| {
            let (key, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((key.to_owned(), value.trim_matches('\'').to_owned()))
        };
        Self { script, place, exports: text.lines().filter_map(export).collect() }
    }

    /// What it exports, when it is a MariaDB.
    #[must_use]
    pub fn mysql(&self) -> Option<Mysql> {
        mysql_of(&|key| self.exports.get(key).cloned())
    }

    /// What it exports, when it is a PostgreSQL server with a standby.
    #[must_use]
    pub fn postgres_pair(&self) -> Option<PostgresPair> {
        let number = |key| self.exports.get(key)?.parse::<i32>().ok();
        Some(PostgresPair {
            primary: self.postgres()?,
            pid: number("PM_TEST_POSTGRES_PID")?,
            standby: u16::try_from(number("PM_TEST_POSTGRES_STANDBY")?).ok()?,
        })
    }

    /// What it exports, when it is a PostgreSQL server.
    #[must_use]
    pub fn postgres(&self) -> Option<Postgres> {
        postgres_of(&|key| self.exports.get(key).cloned())
    }

    /// What it exports, when it is a systemd.
    #[must_use]
    pub fn systemd(&self) -> Option<Systemd> {
        systemd_of(&|key| self.exports.get(key).cloned())
    }

    /// What it exports, when it is a Docker daemon.
    #[must_use]
    pub fn docker(&self) -> Option<Docker> {
        docker_of(&|key| self.exports.get(key).cloned())
    }

    /// What it exports, when it is a Galera cluster.
    #[must_use]
    pub fn galera(&self) -> Option<Galera> {
        let words = |key| Some(self.exports.get(key)?.split(' '));
        Some(Galera {
            ports: words("PM_TEST_GALERA_PORTS")?.filter_map(|port| port.parse().ok()).collect(),
            sockets: words("PM_TEST_GALERA_SOCKETS")?.map(PathBuf::from).collect(),
            pids: words("PM_TEST_GALERA_PIDS")?.filter_map(|pid| pid.parse().ok()).collect(),
        })
    }

    /// Where everything lies that it owns.
    #[must_use]
    pub fn place(&self) -> &Path {
        self.place.path()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let stopped = answer(Command::new(&self.script).arg("stop").arg(self.place.path()));
        assert!(stopped.code == 0 || std::thread::panicking(), "{}: {stopped:?}", self.script.display());
    }
}

#[expect(clippy::print_stderr, reason = "the run says what it leaves out")]
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
