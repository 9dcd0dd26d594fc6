//! What is PostgreSQL's own: its types, names, rights and refusals, and the ways to it.

mod faults;

use super::engines::{Database, PostgreSql, fixture, name};
use super::{restarted, row, status};
use pm_host::ports::{Cleared, Rows, StoreError, Trouble};
use pm_host::store::{Login, Password, Server, ServerAddress, Tls, Trust};
use std::path::PathBuf;

/// A database with one alarm in row 1, unless the short run leaves PostgreSQL out.
fn with_an_alarm() -> Option<PostgreSql> {
    let database = PostgreSql::new()?;
    database.sql(&fixture("r8.sql"));
    row(&database, 1, "web", 1, 0, "'n'");
    Some(database)
}

fn tcp(database: &PostgreSql, host: &str) -> ServerAddress {
    let server = Server::Tcp { host: host.to_owned(), port: database.server.port };
    ServerAddress { server, ..database.address() }
}

fn login(user: &str, password: &str) -> Vec<Login> {
    vec![Login { user: user.to_owned(), password: Password::new(password) }]
}

/// An account of this test with the password `pw`; `{user}` stands for it in what is granted. Gone with the database.
struct Account<'a> {
    database: &'a PostgreSql,
    user: String,
}

impl<'a> Account<'a> {
    fn new(database: &'a PostgreSql, suffix: &str, grants: &str) -> Self {
        let user = format!("{}_{suffix}", database.database);
        database.sql(&format!("CREATE ROLE {user} LOGIN PASSWORD 'pw'"));
        grants.split(';').filter(|grant| !grant.is_empty()).for_each(|grant| {
            database.sql(&grant.replace("{user}", &user));
        });
        Self { database, user }
    }

    fn address(&self) -> ServerAddress {
        ServerAddress { logins: login(&self.user, "pw"), ..tcp(self.database, "127.0.0.1") }
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.database.sql(&format!("DROP OWNED BY {0};\nDROP ROLE {0};\n", self.user));
        }
    }
}

fn fails(database: &PostgreSql, address: ServerAddress, trouble: Trouble, words: &[&str]) {
    let error = database.open(address).poll(9).unwrap_err();
    told(&error, trouble, words);
}

fn told(error: &StoreError, trouble: Trouble, words: &[&str]) {
    assert_eq!(error.trouble, trouble, "{error}");
    let text = error.to_string();
    words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
}

#[test]
fn it_is_reached_by_socket_by_name_and_by_both_kinds_of_addresses() {
    let Some(database) = with_an_alarm() else { return };
    let (socket, port) = (database.server.socket.clone(), database.server.port);
    for server in [
        Server::Socket(socket.clone()),
        Server::Tcp { host: "127.0.0.1".to_owned(), port },
        // The server listens on IPv4 only, and the name has both addresses where IPv6 exists.
        Server::Tcp { host: "localhost".to_owned(), port },
        Server::Tcp { host: "[::ffff:127.0.0.1]".to_owned(), port },
        Server::Local { sockets: vec![PathBuf::from("/nonexistent/pm.sock"), socket], port: 1 },
    ] {
        let mut store = database.open(ServerAddress { server: server.clone(), ..database.address() });
        assert_eq!(store.poll(9).unwrap().len(), 1, "{server:?}");
        let local = matches!(server, Server::Socket(_) | Server::Local { .. });
        let from = "SELECT client_addr IS NULL FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name = 'pm'";
        assert_eq!(database.column(from), [if local { "t" } else { "f" }], "{server:?}");
        drop(store);
        let left = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pm'";
        while database.column(left) != ["0"] {}
    }
    let nowhere = Server::Tcp { host: "no-such-host.invalid".to_owned(), port };
    let address = ServerAddress { server: nowhere, ..database.address() };
    fails(&database, address, Trouble::Away, &["connecting at no-such-host.invalid:", "check host"]);
}

#[test]
fn encryption_verifies_what_it_is_told_to_verify() {
    let Some(database) = with_an_alarm() else { return };
    let account = Account::new(
        &database,
        "tls",
        "GRANT SELECT ON status_process, procese TO {user};GRANT encrypted TO {user}",
    );
    let ca = || Some(database.server.ca.clone());
    let mapped = "::ffff:127.0.0.1";
    let with = |host: &str, trust, ca_file| ServerAddress {
        tls: Tls::Required { trust, ca_file, client: None },
        logins: login(&account.user, "pw"),
        ..tcp(&database, host)
    };
    for address in [
        with("127.0.0.1", Trust::AuthorityAndName, ca()),
        with("localhost", Trust::AuthorityAndName, ca()),
        with(mapped, Trust::Authority, ca()),
        with(mapped, Trust::Anybody, None),
    ] {
        let mut store = database.open(address);
        assert_eq!(store.poll(9).unwrap().len(), 1);
        let encrypted = "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                         WHERE datname = current_database() AND application_name = 'pm' ORDER BY backend_start DESC";
        assert_eq!(database.column(encrypted)[0], "t");
    }
    let refused = Trouble::Refused;
    let issuer = &["not of an authority that pm trusts", "set tls_ca_file in [database]"];
    fails(&database, with("127.0.0.1", Trust::AuthorityAndName, None), refused, issuer);
    fails(&database, with("127.0.0.1", Trust::Authority, None), refused, issuer);
    fails(&database, with(mapped, Trust::AuthorityAndName, ca()), refused, &["is for another name"]);
    let gone = Some(PathBuf::from("/nonexistent/ca.pem"));
    let files = &["cannot read /nonexistent/ca.pem", "check the files of tls"];
    fails(&database, with("127.0.0.1", Trust::Authority, gone), refused, files);
    let empty = Some(PathBuf::from("/dev/null"));
    let files = &["/dev/null cannot be used: there is no certificate in it", "check the files of tls"];
    fails(&database, with("127.0.0.1", Trust::Authority, empty), refused, files);
    fails(
        &database,
        account.address(),
        refused,
        &["pg_hba.conf", "(SQLSTATE 28000)", "set tls in [database]"],
    );
}

#[test]
fn the_second_reading_of_a_password_is_tried_when_the_first_is_denied() {
    let Some(database) = with_an_alarm() else { return };
    let (user, right) = (database.server.user.clone(), database.server.password.clone());
    let both = |second: &str| [login(&user, "wrong-secret"), login(&user, second)].concat();
    let mut store = database.open(ServerAddress { logins: both(&right), ..database.address() });
    assert_eq!(store.poll(9).unwrap().len(), 1);
    let address = ServerAddress { logins: both("wrong-secret"), ..tcp(&database, "127.0.0.1") };
    let error = database.open(address.clone()).poll(9).unwrap_err();
    told(
        &error,
        Trouble::Refused,
        &["password authentication failed", "(SQLSTATE 28P01)", "check user and password"],
    );
    assert!(!error.to_string().contains("wrong-secret"), "{error}");
    let address = ServerAddress { logins: login(&user, ""), ..address };
    fails(&database, address, Trouble::Refused, &["password missing", "set the password in [database]"]);
}

#[test]
fn each_refusal_names_what_to_do() {
    let Some(database) = with_an_alarm() else { return };
    let address = ServerAddress { database: "pm_nowhere".to_owned(), ..database.address() };
    fails(
        &database,
        address,
        Trouble::Schema,
        &["pm_nowhere", "(SQLSTATE 3D000)", "check database in [database]"],
    );
    let full = Account::new(&database, "full", "ALTER ROLE {user} CONNECTION LIMIT 0");
    fails(&database, full.address(), Trouble::Away, &["(SQLSTATE 53300)", "raise max_connections"]);
    let no = Account::new(&database, "no", "GRANT SELECT ON procese TO {user}");
    let grant = "grant USAGE on the schema and SELECT on procese and status_process";
    fails(&database, no.address(), Trouble::Refused, &["(SQLSTATE 42501)", grant]);
}

#[test]
fn accounts_that_may_not_do_everything_do_what_they_may() {
    let Some(database) = with_an_alarm() else { return };
    let reads = Account::new(&database, "ro", "GRANT SELECT ON status_process, procese TO {user}");
    let mut store = database.open(reads.address());
    let update = ["grant SELECT on procese and status_process and UPDATE (alarma, notes) on status_process"];
    let make = ["use an account that owns the tables"];
    assert_eq!(store.poll(9).unwrap().len(), 1);
    told(&store.clear(&restarted(1, Some("n"))).unwrap_err(), Trouble::ReadOnly, &update);
    told(&store.raise(&Rows::All, "x").unwrap_err(), Trouble::ReadOnly, &update);
    told(&store.add(&name("db")).unwrap_err(), Trouble::ReadOnly, &make);
    told(&store.migrate().unwrap_err(), Trouble::ReadOnly, &make);
    let schema = store.schema().unwrap();
    assert_eq!((schema.version, schema.missing.len()), (None, 1));
    let least = Account::new(
        &database,
        "min",
        "GRANT SELECT ON status_process, procese TO {user};GRANT UPDATE (alarma, notes) ON status_process TO {user}",
    );
    let mut store = database.open(least.address());
    assert_eq!(store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    told(&store.raise(&Rows::All, "x").unwrap_err(), Trouble::ReadOnly, &update);
}

#[test]
fn optional_tables_that_an_account_may_not_read_are_empty_ones() {
    let Some(database) = with_an_alarm() else { return };
    database.store(None).migrate().unwrap();
    database.sql("INSERT INTO pm_group VALUES ('web', 'front')");
    let account = Account::new(&database, "rel", "GRANT SELECT ON status_process, procese TO {user}");
    let mut store = database.open(account.address());
    let relations = store.relations().unwrap();
    assert_eq!((relations.groups.len(), relations.dependencies.len()), (0, 0));
    let schema = store.schema().unwrap();
    assert_eq!((schema.denied, schema.version), (vec!["pm_group", "pm_dependency"], None));
    database.sql(&format!("GRANT SELECT ON pm_group, pm_schema TO {}", account.user));
    assert_eq!(store.relations().unwrap().groups.len(), 1, "the rights of now");
    let schema = store.schema().unwrap();
    assert_eq!((schema.denied, schema.version), (vec!["pm_dependency"], Some(5)));
}

#[test]
fn tables_in_quoted_capitals_are_named_and_a_view_of_them_serves() {
    let Some(database) = PostgreSql::new() else { return };
    database.sql(
        "CREATE TABLE \"STATUS_PROCESS\" (\"PROCESS_ID\" INT PRIMARY KEY, \"ALARMA\" INT, \"SOUND\" INT, \"NOTES\" VARCHAR(50));\n\
         CREATE TABLE \"PROCESE\" (\"PROCESS_ID\" INT PRIMARY KEY, \"PROCESS_NAME\" VARCHAR(50));\n\
         INSERT INTO \"STATUS_PROCESS\" VALUES (1, 1, 0, 'n');\nINSERT INTO \"PROCESE\" VALUES (1, 'web');\n",
    );
    let mut store = database.store(None);
    told(&store.poll(9).unwrap_err(), Trouble::Schema, &["(SQLSTATE 42P01)"]);
    let capitals =
        ["public.\"STATUS_PROCESS\" in quoted capitals, and none named status_process", "make a view"];
    told(&store.migrate().unwrap_err(), Trouble::Schema, &capitals);
    told(&store.schema().unwrap_err(), Trouble::Schema, &capitals);
    database.sql(
        "CREATE VIEW status_process AS SELECT \"PROCESS_ID\" AS process_id, \"ALARMA\" AS alarma, \"SOUND\" AS sound, \
         \"NOTES\" AS notes FROM \"STATUS_PROCESS\";\n\
         CREATE VIEW procese AS SELECT \"PROCESS_ID\" AS process_id, \"PROCESS_NAME\" AS process_name FROM \"PROCESE\";\n",
    );
    assert!(store.migrate().unwrap().contains(&"created pm_group".to_owned()));
    assert_eq!(store.schema().unwrap().missing, [""; 0]);
    assert_eq!(store.clear(&restarted(1, Some("n"))).unwrap(), Cleared::Done);
    assert_eq!(store.add(&name("db")).unwrap().0, 2);
    assert_eq!(database.column("SELECT \"ALARMA\" FROM \"STATUS_PROCESS\""), ["0", "0"]);
}

#[test]
fn a_difference_is_one_whatever_the_collation_and_the_kind_of_text() {
    let Some(database) = with_an_alarm() else { return };
    database.sql("CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level1', deterministic = false)");
    for kind in ["VARCHAR(100) COLLATE lax", "CHAR(100)", "TEXT", "VARCHAR(80)"] {
        database.sql(&format!(
            "ALTER TABLE status_process ALTER COLUMN notes TYPE {kind};\n\
             ALTER TABLE procese ALTER COLUMN process_name TYPE {kind};\n\
             UPDATE status_process SET alarma = 1, notes = 'café';\n"
        ));
        let mut store = database.store(None);
        let alarms = store.poll(9).unwrap();
        assert_eq!((alarms[0].name.as_str(), alarms[0].notes.as_deref()), ("web", Some("café")), "{kind}");
        for other in ["Café", "cafe", "café "] {
            assert_eq!(
                store.clear(&restarted(1, Some(other))).unwrap(),
                Cleared::Changed,
                "{kind} {other:?}"
            );
        }
        assert_eq!(store.raise(&Rows::Named(vec![name("Web")]), "x").unwrap(), 0, "{kind}");
        assert_eq!(store.clear(&restarted(1, Some("café"))).unwrap(), Cleared::Done, "{kind}");
        assert!(status(&database, 1).1.starts_with("café - Restarted at 20"), "{kind}");
    }
}

#[test]
fn bytes_that_are_no_text_hide_no_others() {
    let options = "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    let Some(database) = PostgreSql::with(options) else { return };
    database.sql(&fixture("r8.sql"));
    row(&database, 1, "web", 1, 0, "E'\\xff\\xfe'");
    row(&database, 2, "db", 1, 0, "'ș'");
    let mut store = database.store(None);
    for _ in 0..2 {
        let alarms = store.poll(9).unwrap();
        assert_eq!((alarms.len(), alarms[0].row.0), (1, 2), "{alarms:?}");
    }
    assert_eq!(store.clear(&restarted(2, Some("ș"))).unwrap(), Cleared::Done);
}

#[test]
fn an_index_of_the_alarms_alone_serves_and_a_broken_one_does_not() {
    let Some(database) = with_an_alarm() else { return };
    let missing = || database.store(None).schema().unwrap().missing;
    assert_eq!(missing(), ["index on STATUS_PROCESS (alarma)"]);
    database.sql("CREATE INDEX other ON status_process (process_id) WHERE alarma = 2");
    assert_eq!(missing().len(), 1);
    database.sql("CREATE INDEX fits ON status_process (process_id) WHERE alarma = 1");
    assert_eq!(missing(), [""; 0]);
    database.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'fits'::regclass");
    assert_eq!(missing().len(), 1);
}
