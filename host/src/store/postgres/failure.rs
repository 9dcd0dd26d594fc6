//! What an error of the server, the driver or the way to it means for the daemon, in words that name the server.
//!
//! It must not decide what happens next: it names the trouble, whether a connection may be kept, and what an operator
//! can do. Texts of the server are shown escaped and never hold a password.

use crate::policy::model::printable;
use crate::ports::{StoreError, Trouble};
use crate::store::tls;
use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};

/// A table, an index or a version is there already.
pub(super) const ALREADY_THERE: &[&str] = &["42P07", "42710", TAKEN];
/// The key is taken.
pub(super) const TAKEN: &str = "23505";
/// There is no such table.
pub(super) const NO_TABLE: &str = "42P01";
/// A table is missing, or this account may not read it.
pub(super) const NOT_FOR_US: &[&str] = &[NO_TABLE, NOT_ALLOWED];
/// This account may not.
const NOT_ALLOWED: &str = "42501";

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the driver says so.
    Driver(Error),
    /// Nothing came in time.
    Silent(Step),
    /// The way to the server is closed.
    Unreachable(std::io::Error),
    /// The files of the encryption are of no use; says why.
    Files(String),
    /// The driver could not make anything of the answer.
    Garbage,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The address of a name.
    Name,
    /// An open way to an address.
    Address,
    /// Encryption and login.
    Handshake,
    /// The answer to a question.
    Answer,
}

/// What a statement is for: the server refuses all of them with the same code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// It reads.
    Read,
    /// It changes alarms.
    Write,
    /// It makes tables or adds processes.
    Make,
}

/// What was going on, for the message.
pub(super) struct Doing<'a> {
    pub(super) what: &'a str,
    pub(super) at: &'a str,
    pub(super) act: Act,
    /// How long was waited.
    pub(super) within: Duration,
}

impl Fault {
    /// What the server itself has answered.
    pub(super) fn answer(&self) -> Option<&DbError> {
        if let Self::Driver(error) = self { error.as_db_error() } else { None }
    }

    /// Whether the server answered with one of these codes.
    pub(super) fn is_one_of(&self, codes: &[&str]) -> bool {
        self.answer().is_some_and(|answer| codes.contains(&answer.code().code()))
    }

    /// Whether the password was refused, and another spelling may be the right one.
    pub(super) fn is_denied(&self) -> bool {
        self.is_one_of(&["28P01"])
    }

    /// Whether a prepared statement has become unusable; it was not run then.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_one_of(&["26000"])
            || self.answer().is_some_and(|answer| {
                answer.code().code() == "0A000" && answer.message().contains("cached plan")
            })
    }

    /// Whether the exchange has come to an orderly end, so that the connection can be used again. A server that is
    /// read-only or stopping may have a successor behind the same address.
    pub(super) fn keeps_connection(&self) -> bool {
        self.answer().is_some_and(|answer| {
            let code = answer.code().code();
            let ends = matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic) | None);
            let doubtful = ["08", "25", "26", "57P", "58", "XX"].iter().any(|class| code.starts_with(class));
            !ends && !doubtful
        })
    }
}

/// The error of the port.
pub(super) fn error(doing: &Doing<'_>, fault: &Fault) -> StoreError {
    let (trouble, why, hint) = match fault {
        Fault::Driver(error) => match error.as_db_error() {
            Some(answer) => of_answer(answer, doing.act),
            None => of_driver(error),
        },
        Fault::Silent(step) => of_silence(*step, doing.within),
        Fault::Unreachable(error) => of_way(error),
        Fault::Files(why) => (Trouble::Refused, why.clone(), Some("check the files of tls in [database]")),
        Fault::Garbage => nonsense(),
    };
    StoreError { trouble, attempted: format!("{} at {}", doing.what, doing.at), why: printable(&why), hint }
}

fn of_answer(answer: &DbError, act: Act) -> (Trouble, String, Option<&'static str>) {
    let code = answer.code().code();
    let (trouble, hint) = match (code, act) {
        ("42703", _) if answer.message().contains("host_id") => (
            Trouble::Schema,
            Some("the tables have no hosts: delete host_id from the configuration, or add the column"),
        ),
        (NOT_ALLOWED, Act::Read) => (
            Trouble::Refused,
            Some("grant USAGE on the schema and SELECT on procese and status_process to this account"),
        ),
        (NOT_ALLOWED, Act::Write) => (
            Trouble::ReadOnly,
            Some(
                "grant SELECT on procese and status_process and UPDATE (alarma, notes) on status_process to this account",
            ),
        ),
        (NOT_ALLOWED, Act::Make) => (
            Trouble::ReadOnly,
            Some("use an account that owns the tables, or may CREATE in the schema and INSERT, for this"),
        ),
        _ => of_code(code),
    };
    (trouble, format!("{} (SQLSTATE {code})", answer.message()), hint)
}

fn of_code(code: &str) -> (Trouble, Option<&'static str>) {
    match code {
        "28P01" => {
            (Trouble::Refused, Some("check user and password in [database]; pm tries again once a minute"))
        }
        "28000" => (
            Trouble::Refused,
            Some(
                "check user in [database] and pg_hba.conf of the server; where that wants encryption, set tls in [database]",
            ),
        ),
        "25006" => (
            Trouble::ReadOnly,
            Some("the server is read-only: point [database] to the primary, or make it writable"),
        ),
        "40001" | "40P01" | "55P03" => {
            (Trouble::Conflict, Some("another transaction holds the row; end it if it stays"))
        }
        "3D000" => (Trouble::Schema, Some("check database in [database]")),
        NO_TABLE | "42703" => (
            Trouble::Schema,
            Some(
                "check database in [database] and the search_path of the account, or run `pm db migrate` to create what is missing",
            ),
        ),
        "42883" | "42804" => (
            Trouble::Schema,
            Some("a column of the alarms has another type than the contract: see `pm db status`"),
        ),
        "53300" => (Trouble::Away, Some("raise max_connections of the server, or close idle connections")),
        "53100" | "53200" | "53400" => (Trouble::Away, Some("free some space on the server")),
        "57014" => {
            (Trouble::Away, Some("check the load of the server and the index on the alarms (`pm db status`)"))
        }
        "57P03" => (Trouble::Away, Some("the server is starting or stopping: wait, or read its log")),
        _ if ["08", "26", "57P", "58"].iter().any(|class| code.starts_with(class)) => (Trouble::Away, None),
        _ => (Trouble::Other, None),
    }
}

fn of_driver(error: &Error) -> (Trouble, String, Option<&'static str>) {
    if let Some(error) = tls_error(error) {
        return tls::explain(error);
    }
    let cause = error.source().map(ToString::to_string);
    if let Some(io) = error.source().and_then(|source| source.downcast_ref::<std::io::Error>()) {
        return match io.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput => nonsense(),
            _ => (Trouble::Away, format!("the connection was cut ({io})"), None),
        };
    }
    match (error.to_string().as_str(), cause) {
        _ if error.is_closed() => (Trouble::Away, "the connection was cut".to_owned(), None),
        ("error performing TLS handshake", _) => (
            Trouble::Refused,
            "the server offers no TLS".to_owned(),
            Some("switch TLS on in the server, or set tls = off in [database]"),
        ),
        ("authentication error" | "invalid configuration", cause) => (
            Trouble::Refused,
            format!("the login was not possible ({})", cause.unwrap_or_default()),
            Some("let pg_hba.conf of the server ask for scram-sha-256, and set the password in [database]"),
        ),
        ("unexpected message from server" | "error parsing response from server", _) => nonsense(),
        (text, cause) => {
            (Trouble::Other, cause.map_or_else(|| text.to_owned(), |cause| format!("{text}: {cause}")), None)
        }
    }
}

fn nonsense() -> (Trouble, String, Option<&'static str>) {
    (
        Trouble::Away,
        "the answer makes no sense".to_owned(),
        Some("check that a PostgreSQL server listens there"),
    )
}

fn of_silence(step: Step, within: Duration) -> (Trouble, String, Option<&'static str>) {
    let seconds = within.as_secs_f64();
    let (why, hint) = match step {
        Step::Name => (format!("no address within {seconds} s"), "check the name service"),
        Step::Address => (format!("no connection within {seconds} s"), "check host, port and the network"),
        Step::Handshake => (
            "the server does not answer while connecting".to_owned(),
            "check whether it hangs, and the network",
        ),
        Step::Answer => (
            format!("no answer within {seconds} s"),
            "check the server and the network; the outcome is looked up later",
        ),
    };
    (Trouble::Away, why, Some(hint))
}

fn of_way(error: &std::io::Error) -> (Trouble, String, Option<&'static str>) {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "let pm's account use the socket",
        _ => "check host, port and socket in [database], and whether the server runs",
    };
    (Trouble::Away, error.to_string(), Some(hint))
}

/// The error of the encryption, which the driver keeps inside others.
fn tls_error(error: &Error) -> Option<&rustls::Error> {
    let io = error.source()?.downcast_ref::<std::io::Error>()?;
    io.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_silence_says_what_was_waited_for() {
        let said = |step| {
            let within = Duration::from_millis(1500);
            let doing = Doing { what: "reading", at: "db1:5432", act: Act::Read, within };
            error(&doing, &Fault::Silent(step)).to_string()
        };
        assert!(said(Step::Name).starts_with("reading at db1:5432: no address within 1.5 s; check the name"));
        assert!(said(Step::Address).contains("no connection within 1.5 s"));
        assert!(said(Step::Handshake).contains("does not answer while connecting"));
        assert!(said(Step::Answer).contains("no answer within 1.5 s"));
    }

    #[test]
    fn a_connection_is_never_kept_without_an_answer_of_the_server() {
        assert!(!Fault::Silent(Step::Answer).keeps_connection());
        assert!(!Fault::Garbage.keeps_connection());
        assert!(!Fault::Unreachable(ErrorKind::ConnectionReset.into()).keeps_connection());
    }

    #[test]
    fn codes_are_told_apart() {
        for (code, trouble) in [
            ("28P01", Trouble::Refused),
            ("28000", Trouble::Refused),
            ("25006", Trouble::ReadOnly),
            ("40001", Trouble::Conflict),
            ("40P01", Trouble::Conflict),
            ("55P03", Trouble::Conflict),
            ("3D000", Trouble::Schema),
            ("42P01", Trouble::Schema),
            ("53300", Trouble::Away),
            ("57P01", Trouble::Away),
            ("57P03", Trouble::Away),
            ("08006", Trouble::Away),
            ("42601", Trouble::Other),
        ] {
            assert_eq!(of_code(code).0, trouble, "{code}");
        }
    }
}
