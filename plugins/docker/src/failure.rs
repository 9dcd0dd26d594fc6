//! What went wrong between pm and the container daemon, in the words and kinds of pm.
//!
//! The rule behind the kinds: a daemon that is away, hangs or talks nonsense says nothing about the container
//! ("unavailable"); an action that was sent and not answered may have happened ("timeout", "interrupted"); only the
//! daemon's own refusal counts as a failure of the container.

use crate::container::one_line;
use bollard::errors::Error as Bollard;
use pm_plugin_api::{Error, ErrorKind};
use std::error::Error as _;
use std::io;
use std::path::Path;
use std::time::Duration;

/// What the failed request would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Only look.
    Read,
    /// Start or stop something.
    Change,
}

/// Why a request has no answer that can be used.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The time of the call was over, this much.
    Late(Duration),
    /// The client or the daemon said so.
    Client(Bollard),
    /// The answer is not what the interface promises.
    Nonsense(&'static str),
}

impl Failure {
    /// The error for the operator, without what was attempted.
    pub(crate) fn explain(self, intent: Intent, socket: &Path) -> Error {
        match (self, intent) {
            (Self::Late(allowed), Intent::Read) => Error::unavailable(format!(
                "the container daemon at {} did not answer within {allowed:.1?}; does it hang?",
                socket.display()
            )),
            (Self::Late(allowed), Intent::Change) => Error::timeout(format!(
                "not finished within {allowed:.1?}, the daemon may still go on with it; restart_timeout must be longer \
                 than stop_timeout plus the start of the container"
            )),
            (Self::Client(error), _) => client(&error, intent, socket),
            (Self::Nonsense(what), _) => nonsense(what, socket),
        }
    }

    /// Whether the daemon says that there is no such container.
    pub(crate) fn is_missing_container(&self) -> bool {
        let Self::Client(Bollard::DockerResponseServerError { status_code: 404, message }) = self else {
            return false;
        };
        // Docker; Podman. Other things can be missing too: an image, a network, the program in the image.
        message.starts_with("No such container") || message.contains("no container with name or ID")
    }
}

fn client(error: &Bollard, intent: Intent, socket: &Path) -> Error {
    match error {
        Bollard::DockerResponseServerError { status_code, message } => refused(*status_code, message, intent),
        Bollard::SocketNotFoundError(_) => missing(socket),
        Bollard::JsonDataError { .. } | Bollard::JsonSerdeError { .. } => {
            nonsense("its answer is not understood", socket)
        }
        other => match io_cause(other) {
            Some(cause) => connecting(cause, socket),
            None => cut_off(other, intent, socket),
        },
    }
}

fn refused(status: u16, message: &str, intent: Intent) -> Error {
    let text = format!("the container daemon answered {status}: {}", one_line(message));
    let kind = match (status, intent) {
        (401 | 403, _) => ErrorKind::Permission,
        (503, _) | (500.., Intent::Read) => ErrorKind::Unavailable,
        _ => ErrorKind::Failed,
    };
    Error::new(kind, text)
}

fn missing(socket: &Path) -> Error {
    Error::unavailable(format!("no docker socket at {}; is the daemon running?", socket.display()))
}

fn nonsense(what: &str, socket: &Path) -> Error {
    Error::unavailable(format!(
        "what listens at {} is no container daemon that pm knows: {what}",
        socket.display()
    ))
}

/// Failed before a request was sent.
fn connecting(cause: &io::Error, socket: &Path) -> Error {
    let shown = socket.display();
    match cause.kind() {
        io::ErrorKind::NotFound => missing(socket),
        io::ErrorKind::PermissionDenied => Error::permission(format!(
            "pm may not use the docker socket {shown}: {cause}; add pm's user to the group that owns the socket (whoever \
             may use it is as good as root on this host), or use the socket of a rootless daemon"
        )),
        io::ErrorKind::ConnectionRefused => Error::unavailable(format!(
            "nobody listens at the docker socket {shown}: {cause}; is the daemon running?"
        )),
        io::ErrorKind::WouldBlock => Error::unavailable(format!(
            "the container daemon at {shown} takes no more connections; does it hang?"
        )),
        _ => Error::unavailable(format!("connecting to the docker socket {shown}: {cause}")),
    }
}

fn cut_off(error: &Bollard, intent: Intent, socket: &Path) -> Error {
    let shown = socket.display();
    let why = root_cause(error);
    match intent {
        Intent::Read => {
            Error::unavailable(format!("no usable answer from the container daemon at {shown}: {why}"))
        }
        Intent::Change => Error::new(
            ErrorKind::Interrupted,
            format!("the container daemon at {shown} broke off, the effect is unknown: {why}"),
        ),
    }
}

/// The operating system's error when connecting failed; one while talking is a connection cut off.
fn io_cause(error: &Bollard) -> Option<&io::Error> {
    let Bollard::HyperLegacyError { err } = error else { return None };
    if !err.is_connect() {
        return None;
    }
    let mut source = err.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<io::Error>() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}

/// The layers above it only say that a request failed.
fn root_cause(error: &Bollard) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    one_line(&deepest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_pm_from_connecting_decides_the_kind_and_the_fix() {
        let socket = Path::new("/run/x.sock");
        for (cause, kind, part) in [
            (io::ErrorKind::NotFound, ErrorKind::Unavailable, "no docker socket at /run/x.sock"),
            (io::ErrorKind::PermissionDenied, ErrorKind::Permission, "as good as root on this host"),
            (io::ErrorKind::ConnectionRefused, ErrorKind::Unavailable, "nobody listens at"),
            (io::ErrorKind::WouldBlock, ErrorKind::Unavailable, "takes no more connections"),
            (io::ErrorKind::Other, ErrorKind::Unavailable, "connecting to the docker socket /run/x.sock"),
        ] {
            let error = connecting(&io::Error::from(cause), socket);
            assert_eq!(error.kind, kind);
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn only_the_containers_own_absence_is_missing() {
        let failure = |status_code, message: &str| {
            Failure::Client(Bollard::DockerResponseServerError { status_code, message: message.to_owned() })
        };
        assert!(failure(404, "No such container: web").is_missing_container());
        assert!(
            failure(404, r#"no container with name or ID "web" found: no such container"#)
                .is_missing_container()
        );
        assert!(!failure(404, "No such image: web").is_missing_container());
        assert!(!failure(500, "No such container: web").is_missing_container());
        assert!(!Failure::Late(Duration::ZERO).is_missing_container());
    }
}
