//! Hears that the alarm table of a PostgreSQL server was changed: a trigger that `pm db migrate` makes notifies.
//!
//! A session of its own listens. It must be a session of the primary itself: a pooler that lends one for a transaction
//! only, and a standby, tell nothing. It must not read the table.

use super::connect::{Connector, no_runtime};
use super::failure::{self, Act, Doing, Fault};
use super::session::Session;
use crate::ports::{Bell, Ring, StoreError, Trouble};
use crate::store::ServerAddress;
use crate::store::rows::Cell;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What the trigger, its function and what it notifies are called.
pub(super) const CHANNEL: &str = "pm_alarm";
/// So often a server that has told nothing is asked whether it is still there.
const ASKED: Duration = Duration::from_secs(10);

/// Listens to one server.
pub(super) struct NoticeBell {
    connector: Connector,
}

impl NoticeBell {
    pub(super) fn new(address: ServerAddress) -> Self {
        Self { connector: Connector::new(address) }
    }

    fn error(&self, fault: &Fault) -> StoreError {
        let within = self.connector.address.read_timeout;
        let what = "listening for changes of the alarms";
        failure::error(&Doing { what, at: &self.connector.at, act: Act::Read, within }, fault)
    }

    /// A session that is told of every change from now on.
    fn open(&mut self, runtime: &Runtime) -> Result<Session, StoreError> {
        let mut session = self.connector.connect(runtime, "listening for changes of the alarms")?;
        let time = self.connector.address.read_timeout;
        let sql = "SELECT count(*)::bigint FROM pg_trigger WHERE tgrelid = to_regclass('STATUS_PROCESS') \
                   AND tgname = 'pm_alarm' AND tgenabled <> 'D'";
        let found =
            runtime.block_on(session.rows::<1>(sql, &[], time)).map_err(|fault| self.error(&fault))?;
        if !matches!(found.as_slice(), [[Cell::Int(1..)]]) {
            return Err(StoreError {
                trouble: Trouble::Schema,
                attempted: format!("listening for changes of the alarms at {}", self.connector.at),
                why: "STATUS_PROCESS has no trigger pm_alarm, so nothing would be told".to_owned(),
                hint: Some("run pm db migrate with an account that may make triggers, or write push = no"),
            });
        }
        let listen = runtime.block_on(session.run("LISTEN pm_alarm", time));
        listen.map_err(|fault| self.error(&fault))?;
        Ok(session)
    }
}

impl Bell for NoticeBell {
    fn source(&self) -> String {
        format!("what {} notifies of", self.connector.at)
    }

    fn listen(&mut self, hear: &mut dyn FnMut(Ring) -> ControlFlow<()>) -> Result<(), StoreError> {
        let doing = "listening for changes of the alarms";
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| no_runtime(doing, &self.connector.at, &error))?;
        let mut session = self.open(&runtime)?;
        let mut heard = Ring::Listening;
        loop {
            if hear(heard).is_break() {
                runtime.block_on(session.end());
                return Ok(());
            }
            let time = self.connector.address.read_timeout;
            let told = runtime.block_on(session.notified(ASKED, time));
            heard = if told.map_err(|fault| self.error(&fault))? { Ring::Change } else { Ring::Nothing };
        }
    }
}
