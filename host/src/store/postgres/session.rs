//! One connection to the server, with its prepared statements. Every call is bounded, because the driver waits for ever.
//!
//! The driver splits a connection into a client and a task that carries the bytes; both run on the runtime of whoever
//! owns the session, and only while that waits for an answer. A session in doubt is dropped, never asked again.

use super::cells::{Value, cells};
use super::failure::{Fault, Step};
use crate::store::rows::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Statement};

/// How long a closed connection may take to tell why it is closed, and an orderly goodbye.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A connection.
pub(super) struct Session {
    client: Client,
    carrier: JoinHandle<Result<(), Error>>,
    statements: HashMap<String, Statement>,
    /// One for each notification.
    notices: UnboundedReceiver<()>,
}

impl Session {
    /// Encrypts, if that is asked for, and logs in.
    pub(super) async fn start<S, T>(stream: S, tls: T, config: &Config, time: Duration) -> Result<Self, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: TlsConnect<S>,
        T::Stream: Send + 'static,
    {
        let started = timeout(time, config.connect_raw(stream, tls)).await;
        let (client, connection) =
            started.map_err(|_| Fault::Silent(Step::Handshake))?.map_err(Fault::Driver)?;
        let (notice, notices) = unbounded_channel();
        let carrier = tokio::spawn(carry(connection, notice));
        Ok(Self { client, carrier, statements: HashMap::new(), notices })
    }

    /// Waits so long for a notification, and then asks whether the server is still there; answers whether one came.
    pub(super) async fn notified(&mut self, wait: Duration, time: Duration) -> Result<bool, Fault> {
        match timeout(wait, self.notices.recv()).await {
            Ok(Some(())) => Ok(true),
            // The end of the connection, whose reason is found by asking.
            Ok(None) | Err(_) => self.run("SELECT 1", time).await.map(|()| false),
        }
    }

    /// Sets the session up. What a server does not know or allow it goes without: all of it is for the bad day.
    pub(super) async fn prepare(&mut self, read: Duration) -> Result<(), Fault> {
        let most = read.as_millis() * 3 / 4;
        let locked = (read.as_secs() / 15).clamp(1, 5);
        for setting in [
            format!("SET SESSION statement_timeout = {most}"),
            format!("SET SESSION lock_timeout = {}", locked * 1000),
            "SET SESSION idle_session_timeout = 0".to_owned(),
            // A database that checks no bytes would refuse a whole answer for one text that is none.
            "SELECT set_config('client_encoding', 'SQL_ASCII', false) \
             WHERE current_setting('server_encoding') = 'SQL_ASCII'"
                .to_owned(),
        ] {
            match self.run(&setting, read).await {
                Ok(()) => {}
                Err(fault) if fault.keeps_connection() => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// The rows of a question.
    pub(super) async fn rows<const N: usize>(
        &mut self,
        sql: &str,
        values: &[Value],
        time: Duration,
    ) -> Result<Vec<[Cell; N]>, Fault> {
        let statement = self.statement(sql, time).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(Value::bound).collect();
        let rows = answer(time, self.client.query(&statement, &values)).await;
        Ok(self.explained(rows).await?.iter().map(cells).collect())
    }

    /// Makes a change; answers how many rows it found.
    pub(super) async fn change(&mut self, sql: &str, values: &[Value], time: Duration) -> Result<u64, Fault> {
        let statement = self.statement(sql, time).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(Value::bound).collect();
        let changed = answer(time, self.client.execute(&statement, &values)).await;
        self.explained(changed).await
    }

    /// Runs a statement that has neither values nor an answer.
    pub(super) async fn run(&mut self, sql: &str, time: Duration) -> Result<(), Fault> {
        let ran = answer(time, self.client.batch_execute(sql)).await;
        self.explained(ran).await
    }

    async fn statement(&mut self, sql: &str, time: Duration) -> Result<Statement, Fault> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let prepared = answer(time, self.client.prepare(sql)).await;
        let statement = self.explained(prepared).await?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// The client knows only that the connection is closed; the reason came to the carrier.
    async fn explained<T>(&mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        let closed = matches!(&result, Err(Fault::Driver(error)) if error.is_closed());
        if !closed {
            return result;
        }
        match timeout(LAST_WORDS, &mut self.carrier).await {
            Ok(Ok(Err(error))) => Err(Fault::Driver(error)),
            Ok(Err(_)) => Err(Fault::Garbage),
            _ => result,
        }
    }

    /// Tells the server that this was all. Only for a session that is not in doubt.
    pub(super) async fn end(self) {
        let Self { client, carrier, .. } = self;
        drop(client);
        // An error or a server that does not listen any more changes nothing.
        let _ = timeout(LAST_WORDS, carrier).await;
    }

    /// Ends the connection at once, whatever is under way.
    pub(super) fn abandon(self) {
        self.carrier.abort();
    }
}

/// Carries the bytes of a connection and hands its notifications out.
async fn carry<S, T>(mut connection: Connection<S, T>, notice: UnboundedSender<()>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(_) = message? {
            // Nobody listening any more is no error.
            let _ = notice.send(());
        }
    }
    Ok(())
}

async fn answer<T>(time: Duration, call: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
    timeout(time, call).await.map_err(|_| Fault::Silent(Step::Answer))?.map_err(Fault::Driver)
}
