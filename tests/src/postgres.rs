//! A connection to the PostgreSQL server of the tests, as whoever raises alarms has one: it blocks, and it panics.

use crate::components::Postgres;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// A connection with all rights.
pub struct Admin {
    runtime: Runtime,
    client: Client,
}

impl Admin {
    /// Connects to a database of a server, over its port.
    ///
    /// # Panics
    /// When the server does not let it in.
    #[must_use]
    pub fn of(server: &Postgres, database: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut config = Config::new();
        config.host("127.0.0.1").port(server.port).dbname(database);
        config.user(&server.user).password(&server.password).application_name("test");
        let (client, connection) = runtime
            .block_on(config.connect(NoTls))
            .unwrap_or_else(|error| panic!("{database} at {}: {error:?}", server.port));
        // Its end is seen by the next question.
        runtime.spawn(connection);
        Self { runtime, client }
    }

    /// Runs statements.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn run(&mut self, statements: &str) {
        let ran = self.runtime.block_on(self.client.batch_execute(statements));
        ran.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    }

    /// The first column of the rows, as text; NULL as `NULL`.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn column(&mut self, query: &str) -> Vec<String> {
        let rows = self.runtime.block_on(self.client.simple_query(query));
        let text = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
            _ => None,
        };
        rows.unwrap_or_else(|error| panic!("{query}: {error:?}")).into_iter().filter_map(text).collect()
    }

    /// Makes a change with texts as its values.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn change(&mut self, statement: &str, texts: &[&str]) -> u64 {
        let values: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        let changed = self.runtime.block_on(self.client.execute(statement, &values));
        changed.unwrap_or_else(|error| panic!("{statement} {texts:?}: {error:?}"))
    }
}
