//! Hears that the alarm table of a MySQL or MariaDB server was changed, from the server's binary log.
//!
//! Read as a replica does, from the present end on. No position is kept and no row is decoded: an event that names the
//! table rings, in every format of the log (row events are led by the name of their table, statements by their text).
//! The server sends all its changes here, so this is for tens of hosts, not for thousands. It must not decide what is
//! true: a poll reads that.

use super::connect::{Connector, guarded};
use super::failure::{self, Doing};
use crate::ports::{Bell, Ring, StoreError, Trouble};
use crate::store::ServerAddress;
use mysql::prelude::Queryable as _;
use mysql::{BinlogRequest, Conn, Error};
use std::ops::ControlFlow;
use std::time::Duration;

/// So often a server that has nothing to tell says so.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Events in a row without content that mean the end: servers send a few that the driver does not know.
const EMPTY: u32 = 1000;
const TABLE: &[u8] = b"STATUS_PROCESS";

/// Listens to the binary log of one server.
pub(super) struct LogBell {
    connector: Connector,
    server_id: u32,
}

impl LogBell {
    /// `server_id` is what it calls itself among the replicas of the server; two with the same throw each other out.
    pub(super) fn new(mut address: ServerAddress, server_id: u32) -> Self {
        // A server that says nothing for three heartbeats is gone.
        address.read_timeout = HEARTBEAT * 3;
        Self { connector: Connector::new(address), server_id }
    }

    fn error(&self, error: &Error) -> StoreError {
        let what = format!("reading the binary log as replica {}", self.server_id);
        let doing = Doing { what: &what, at: &self.connector.at, within: HEARTBEAT * 3 };
        let mut told = failure::error(&doing, error);
        told.hint = match error {
            Error::MySqlError(answer) => match answer.code {
                1045 | 1227 => Some("GRANT REPLICATION SLAVE ON *.* TO its account, or write push = no"),
                4052 => Some(
                    "another replica of this server has the same number: set push_server_id to a free one",
                ),
                _ => told.hint,
            },
            _ => told.hint,
        };
        told
    }

    /// Asks for the binary log from its present end on.
    fn open(&mut self) -> Result<mysql::BinlogStream, StoreError> {
        let mut conn = self.connector.connect("listening for changes of the alarms")?;
        let server_id = self.server_id;
        let request = guarded(|| prepared(&mut conn, server_id)).map_err(|error| self.error(&error))?;
        let Some(request) = request else {
            return Err(StoreError {
                trouble: Trouble::Other,
                attempted: format!("reading the binary log at {}", self.connector.at),
                why: "the server keeps none (log_bin = OFF)".to_owned(),
                hint: Some("switch the binary log on, or write push = no"),
            });
        };
        guarded(|| conn.get_binlog_stream(request)).map_err(|error| self.error(&error))
    }
}

impl Bell for LogBell {
    fn source(&self) -> String {
        format!("the binary log of {}", self.connector.at)
    }

    fn listen(&mut self, hear: &mut dyn FnMut(Ring) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut stream = self.open()?;
        if hear(Ring::Listening).is_break() {
            return Ok(());
        }
        let mut empty = 0;
        while empty < EMPTY {
            let heard = match guarded(|| stream.next().transpose()) {
                Ok(Some(event)) if names_table(event.data()) => Ring::Change,
                Ok(Some(_)) => Ring::Nothing,
                // One that the driver does not know; nothing at all comes after the end.
                Ok(None) => {
                    empty += 1;
                    continue;
                }
                Err(error) => return Err(self.error(&error)),
            };
            empty = 0;
            if hear(heard).is_break() {
                return Ok(());
            }
        }
        Err(self.error(&Error::IoError(std::io::ErrorKind::UnexpectedEof.into())))
    }
}

/// Tells the server how to send, and where to begin; `None` when it keeps no binary log.
fn prepared<'a>(conn: &mut Conn, server_id: u32) -> mysql::Result<Option<BinlogRequest<'a>>> {
    if conn.query_first::<u8, _>("SELECT @@log_bin")? != Some(1) {
        return Ok(None);
    }
    // The stream is one statement without an end. Servers that bound none do not know the word.
    let _ = conn.query_drop("SET SESSION max_statement_time = 0");
    conn.query_drop("SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")?;
    let heartbeat = HEARTBEAT.as_nanos();
    conn.query_drop(format!(
        "SET @master_heartbeat_period = {heartbeat}, @source_heartbeat_period = {heartbeat}"
    ))?;
    let request = BinlogRequest::new(server_id);
    match conn.query_first::<String, _>("SELECT @@gtid_binlog_pos") {
        Ok(position) => {
            // MariaDB begins behind these transactions, whichever file they are in.
            let position = position.unwrap_or_default();
            conn.query_drop("SET @mariadb_slave_capability = 4")?;
            conn.exec_drop("SET @slave_connect_state = ?", (position,))?;
            Ok(Some(request.with_pos(4_u64)))
        }
        Err(Error::MySqlError(_)) => {
            let asked = conn.query_first::<mysql::Row, _>("SHOW BINARY LOG STATUS");
            let row = match asked {
                Err(Error::MySqlError(_)) => conn.query_first::<mysql::Row, _>("SHOW MASTER STATUS")?,
                other => other?,
            };
            let place = row
                .and_then(|row| Some((row.get_opt::<Vec<u8>, _>(0)?.ok()?, row.get_opt::<u64, _>(1)?.ok()?)));
            Ok(place.map(|(file, position)| request.with_filename(file).with_pos(position)))
        }
        Err(error) => Err(error),
    }
}

/// Whether the name of the table stands in an event.
fn names_table(event: &[u8]) -> bool {
    event.windows(TABLE.len()).any(|part| part.eq_ignore_ascii_case(TABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_rings_when_it_names_the_table_however_it_is_written() {
        assert!(names_table(b"\x01\x02STATUS_PROCESS\x00"));
        assert!(names_table(b"update `shop`.`status_process` set alarma = 1"));
        assert!(!names_table(b"STATUS_PROCES") && !names_table(b""));
    }
}
