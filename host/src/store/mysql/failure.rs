//! What an error of the server or the driver means for the daemon, in words that name the server.
//!
//! It must not decide what happens next: it names the trouble, whether a connection may be kept, and what an operator
//! can do. Texts of the server are shown escaped and never hold a password.

use crate::policy::model::printable;
use crate::ports::{StoreError, Trouble};
use crate::store::tls;
use mysql::{DriverError, Error};
use std::io::ErrorKind;
use std::time::Duration;

/// A table, an index or a version is there already.
pub(super) const ALREADY_THERE: &[u16] = &[1050, 1060, 1061, 1062];
/// A table is missing, or hidden from an account that may not read it.
pub(super) const NOT_THERE: &[u16] = &[NO_TABLE, 1142];

/// The same, or hidden in part.
pub(super) const NOT_FOR_US: &[u16] = &[NO_TABLE, 1142, 1143];
/// There is no such table.
pub(super) const NO_TABLE: u16 = 1146;

/// The server knows no such variable.
pub(super) const NO_VARIABLE: u16 = 1193;
/// The key is taken.
pub(super) const TAKEN: u16 = 1062;
/// The row that a foreign key wants is missing.
pub(super) const NO_PARENT: u16 = 1452;

/// Commands that pm needs only to make tables and to add processes.
const MAKING: [&str; 5] = ["CREATE", "INDEX", "ALTER", "REFERENCES", "INSERT"];

/// What was going on, for the message.
pub(super) struct Doing<'a> {
    pub(super) what: &'a str,
    pub(super) at: &'a str,
    /// How long an answer was waited for.
    pub(super) within: Duration,
}

/// The error of the port for one of the driver.
pub(super) fn error(doing: &Doing<'_>, error: &Error) -> StoreError {
    let (trouble, why, hint) = match error {
        Error::MySqlError(answer) => {
            let (trouble, hint) = match of_code(answer.code) {
                (trouble, _) if answer.code == 1054 && answer.message.contains("host_id") => (
                    trouble,
                    Some(
                        "the tables have no hosts: delete host_id from the configuration, or add the column",
                    ),
                ),
                // The same codes for all commands; only the text tells which was refused.
                (Trouble::ReadOnly, hint) if answer.message.starts_with("SELECT") => (Trouble::Refused, hint),
                (Trouble::ReadOnly, _) if MAKING.iter().any(|word| answer.message.starts_with(word)) => (
                    Trouble::ReadOnly,
                    Some("use an account that may CREATE, INDEX, REFERENCES and INSERT here for this"),
                ),
                meaning => meaning,
            };
            (trouble, format!("{} (error {})", answer.message, answer.code), hint)
        }
        other => of_connection(other, doing.within),
    };
    StoreError { trouble, attempted: format!("{} at {}", doing.what, doing.at), why: printable(&why), hint }
}

/// Whether the exchange has come to an orderly end, so that the connection can be used again.
pub(super) fn keeps_connection<T>(result: &mysql::Result<T>) -> bool {
    match result {
        Ok(_) => true,
        // A server that is read-only or shutting down may have a successor behind the same address; a statement that
        // has to be prepared anew is, with a new connection.
        Err(Error::MySqlError(answer)) => !matches!(
            answer.code,
            1047 | 1053 | 1077 | 1079 | 1158..=1161 | 1243 | 1290 | 1615 | 1792 | 1836 | 1927 | 2006 | 2013
        ),
        Err(_) => false,
    }
}

/// Whether nobody listens there.
pub(super) fn unreachable(error: &Error) -> bool {
    matches!(error, Error::DriverError(DriverError::CouldNotConnect(_) | DriverError::ConnectTimeout))
}

/// Whether the login was refused, and another password may be the right one.
pub(super) fn denied(error: &Error) -> bool {
    matches!(error, Error::MySqlError(answer) if matches!(answer.code, 1045 | 1698))
}

fn of_code(code: u16) -> (Trouble, Option<&'static str>) {
    match code {
        1045 | 1698 | 1862 | 1820 | 3118 | 4151 => {
            (Trouble::Refused, Some("check user and password in [database]; pm tries again once a minute"))
        }
        1044 | 1130 => (Trouble::Refused, Some("grant this account access to the database from this host")),
        3159 => (Trouble::Refused, Some("the server wants encryption: set tls in [database]")),
        1142 | 1143 | 1370 | 1227 => (
            Trouble::ReadOnly,
            Some(
                "grant SELECT on PROCESE and STATUS_PROCESS and UPDATE (alarma, notes) on STATUS_PROCESS to this account",
            ),
        ),
        1290 | 1836 | 1792 | 1036 => (
            Trouble::ReadOnly,
            Some("the server is read-only: point [database] to the primary, or make it writable"),
        ),
        1205 | 1213 | 1020 | 1637 | 3101 => {
            (Trouble::Conflict, Some("another transaction holds the row; end it if it stays"))
        }
        1049 => (Trouble::Schema, Some("check database in [database]")),
        1146 | 1054 => (
            Trouble::Schema,
            Some("check database in [database], or run `pm db migrate` to create what is missing"),
        ),
        1040 | 1203 | 1226 => {
            (Trouble::Away, Some("raise max_connections of the server, or close idle connections"))
        }
        1129 => (Trouble::Away, Some("the server blocks this host: run FLUSH HOSTS there")),
        3024 | 1969 => {
            (Trouble::Away, Some("check the load of the server and the index on the alarms (`pm db status`)"))
        }
        1047 | 1053 | 1077 | 1079 | 1158..=1161 | 1243 | 1317 | 1615 | 1927 | 2006 | 2013 | 1152 | 1184 => {
            (Trouble::Away, None)
        }
        1021 | 1114 | 1041 | 1037 => (Trouble::Away, Some("free some space on the server")),
        _ => (Trouble::Other, None),
    }
}

fn of_connection(error: &Error, within: Duration) -> (Trouble, String, Option<&'static str>) {
    if let Some(error) = tls_error(error) {
        return tls::explain(error);
    }
    let seconds = within.as_secs_f64();
    let silent = || format!("no answer within {seconds} s");
    match error {
        Error::DriverError(DriverError::ConnectTimeout) => (
            Trouble::Away,
            format!("no connection within {seconds} s"),
            Some("check host, port and the network"),
        ),
        Error::DriverError(DriverError::Timeout) => (
            Trouble::Away,
            "the server does not answer while connecting".to_owned(),
            Some("check whether it hangs, and the network and the name service"),
        ),
        Error::DriverError(DriverError::CouldNotConnect(Some((_, why, kind)))) => {
            let hint = match kind {
                ErrorKind::PermissionDenied => "let pm's account use the socket",
                _ => "check host, port and socket in [database], and whether the server runs",
            };
            (Trouble::Away, why.clone(), Some(hint))
        }
        Error::DriverError(DriverError::TlsNotSupported) => (
            Trouble::Refused,
            "the server offers no TLS".to_owned(),
            Some("switch TLS on in the server, or set tls = off in [database]"),
        ),
        Error::DriverError(
            unknown @ (DriverError::UnknownAuthPlugin(_)
            | DriverError::OldMysqlPasswordDisabled
            | DriverError::CleartextPluginDisabled),
        ) => (
            Trouble::Refused,
            unknown.to_string(),
            Some("give the account another authentication plugin, such as mysql_native_password"),
        ),
        Error::DriverError(DriverError::UnexpectedPacket | DriverError::PacketOutOfSync) => (
            Trouble::Away,
            "the answer makes no sense".to_owned(),
            Some("check that a MySQL or MariaDB server listens there"),
        ),
        Error::DriverError(other) => (Trouble::Away, other.to_string(), None),
        other => match io_error(other) {
            Some(io) if matches!(io.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => (
                Trouble::Away,
                silent(),
                Some("check the server and the network; the outcome is looked up later"),
            ),
            Some(io) if io.kind() == ErrorKind::NotFound => {
                (Trouble::Refused, io.to_string(), Some("check the files of tls in [database]"))
            }
            Some(io) => (Trouble::Away, format!("the connection was cut ({io})"), None),
            None => (Trouble::Away, other.to_string(), None),
        },
    }
}

fn io_error(error: &Error) -> Option<&std::io::Error> {
    match error {
        Error::IoError(io) => Some(io),
        Error::CodecError(codec) => std::error::Error::source(codec)?.downcast_ref(),
        _ => None,
    }
}

/// The error of the encryption, wherever the driver has put it.
fn tls_error(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::TlsError(mysql::error::tls::TlsError::Tls(tls)) => Some(tls),
        other => io_error(other)?.get_ref()?.downcast_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError;
    use rustls::pki_types::ServerName;

    fn said(error: &Error) -> String {
        let doing = Doing { what: "connecting", at: "db1:3306", within: Duration::from_secs(5) };
        super::error(&doing, error).to_string()
    }

    fn tls(error: CertificateError) -> Error {
        // As the driver delivers it: inside an error of the stream.
        Error::IoError(std::io::Error::new(ErrorKind::InvalidData, rustls::Error::InvalidCertificate(error)))
    }

    #[test]
    fn each_fault_of_a_certificate_is_told_apart() {
        let name = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("db1").unwrap().to_owned(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (error, words) in [
            (CertificateError::UnknownIssuer, "not of an authority that pm trusts; set tls_ca_file"),
            (name(&[]), "holds no name at all (no subject alternative name); give the server"),
            (name(&["db2"]), "is for another name"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::BadSignature, "cannot be verified"),
        ] {
            let said = said(&tls(error));
            assert!(
                said.starts_with("connecting at db1:3306: the server's certificate") && said.contains(words),
                "{said}"
            );
        }
    }

    #[test]
    fn refused_commands_name_the_right_that_is_missing() {
        let denied = |command: &str| {
            Error::MySqlError(mysql::MySqlError {
                state: "42000".to_owned(),
                message: format!("{command} command denied to user 'pm'@'h' for table `a`.`STATUS_PROCESS`"),
                code: 1142,
            })
        };
        assert!(said(&denied("UPDATE")).contains("UPDATE (alarma, notes) on STATUS_PROCESS"));
        assert!(said(&denied("CREATE")).contains("may CREATE, INDEX, REFERENCES and INSERT"));
        assert!(said(&denied("SELECT")).contains("grant SELECT on PROCESE and STATUS_PROCESS"));
    }

    #[test]
    fn a_connection_is_kept_only_after_an_orderly_answer() {
        let answer = |code| {
            Err::<(), _>(Error::MySqlError(mysql::MySqlError {
                state: String::new(),
                message: String::new(),
                code,
            }))
        };
        assert!(
            keeps_connection(&Ok(())) && keeps_connection(&answer(1205)) && keeps_connection(&answer(1064))
        );
        assert!(!keeps_connection(&answer(1290)), "there may be another server behind the address");
        assert!(!keeps_connection::<()>(&Err(Error::IoError(ErrorKind::WouldBlock.into()))));
        assert!(!keeps_connection::<()>(&Err(Error::DriverError(DriverError::UnexpectedPacket))));
    }
}
