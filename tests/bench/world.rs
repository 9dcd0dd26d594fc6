//! A database of its own on the MariaDB of the tests, and the release build of pm.

use mysql::prelude::Queryable as _;
use mysql::{Conn, OptsBuilder};
use pm_tests::components;
use pm_tests::sandbox::UNHURRIED;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) server: components::Mysql,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let server = components::mysql().expect("bench needs MariaDB");
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn connect(&self, database: Option<&str>) -> Conn {
        let options = OptsBuilder::new()
            .socket(Some(self.server.socket.to_string_lossy().into_owned()))
            .user(Some(self.server.user.clone()))
            .pass(Some(self.server.password.clone()))
            .db_name(database);
        Conn::new(options).unwrap()
    }

    /// A database with the contract's tables, its index, and `rows` processes named `p1`, `p2`, …
    pub(crate) fn database(&self, name: &str, rows: u32) -> Conn {
        let mut conn = self.connect(None);
        conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).unwrap();
        conn.query_drop(format!("CREATE DATABASE {name}")).unwrap();
        let mut conn = self.connect(Some(name));
        for statement in [
            "CREATE TABLE STATUS_PROCESS (process_id INT PRIMARY KEY, alarma TINYINT NOT NULL DEFAULT 0, \
             sound TINYINT NOT NULL DEFAULT 0, notes VARCHAR(100), host_id INT NOT NULL DEFAULT 1, \
             INDEX (host_id, alarma), INDEX (alarma))",
            "CREATE TABLE PROCESE (process_id INT PRIMARY KEY, process_name VARCHAR(100) NOT NULL, \
             FOREIGN KEY (process_id) REFERENCES STATUS_PROCESS (process_id))",
        ] {
            conn.query_drop(statement).unwrap();
        }
        for first in (1..=rows).step_by(1000) {
            let ids: Vec<u32> = (first..=rows.min(first + 999)).collect();
            let status: Vec<_> = ids.iter().map(|id| format!("({id})")).collect();
            let names: Vec<_> = ids.iter().map(|id| format!("({id},'p{id}')")).collect();
            conn.query_drop(format!("INSERT INTO STATUS_PROCESS (process_id) VALUES {}", status.join(",")))
                .unwrap();
            conn.query_drop(format!("INSERT INTO PROCESE VALUES {}", names.join(","))).unwrap();
        }
        conn
    }

    /// Starts the daemon on a database.
    pub(crate) fn start(&self, database: &str, monitor: &str, process: &str) -> Daemon {
        self.started(database, "", monitor, process)
    }

    /// As [`start`](Self::start), listening to the binary log.
    pub(crate) fn listening(&self, database: &str, monitor: &str, process: &str) -> Daemon {
        self.started(database, "push = yes\n", monitor, process)
    }

    fn started(&self, database: &str, more: &str, monitor: &str, process: &str) -> Daemon {
        let dir = self.dir().join(database);
        std::fs::create_dir_all(&dir).unwrap();
        let (server, at) = (&self.server, dir.display());
        let config = format!(
            "[database]\nsocket = {}\nuser = {}\npassword = {}\ndatabase = {database}\n{more}\
             [host]\nhost_id = 1\n\
             [monitor]\nmax_restart_failures = 3\ncircuit_reset_time = 600\nstate_dir = {at}/state\n{monitor}\n{UNHURRIED}\n\
             [logging]\nfile = {at}/pm.log\nconsole_output = no\nsyslog = no\n\
             [process.default]\n{process}\n",
            server.socket.display(),
            server.user,
            server.password,
        );
        let file = dir.join("config.ini");
        std::fs::write(&file, config).unwrap();
        let child = Command::new(pm())
            .arg("run")
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.join("err")).unwrap())
            .spawn()
            .unwrap();
        Daemon { child, dir }
    }
}

/// The built program; the release build lies beside this one.
pub(crate) fn pm() -> PathBuf {
    let pm = std::env::current_exe().unwrap().parent().unwrap().join("pm");
    assert!(pm.exists(), "{} is missing: make release", pm.display());
    pm
}

/// A running daemon, killed when dropped.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    dir: PathBuf,
}

impl Daemon {
    /// Waits until its log says that it works.
    pub(crate) fn ready(self) -> Self {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.log().contains("Starting Process Monitor Service") {
            assert!(Instant::now() < until, "pm does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(300));
        self
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("pm.log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
