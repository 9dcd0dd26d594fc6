//! Where the daemon's socket is: the setting, else the environment, else the usual places.
//!
//! Decided anew at each call, so that a daemon which comes up later is found. It never guesses past an explicit
//! choice: a wrong `socket` or `DOCKER_HOST` is an error, not a reason to talk to another daemon.

use pm_plugin_api::{Error, Result};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// What pm's environment says, apart from the look-up, so that tests need no environment.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    docker_host: Option<String>,
    runtime_dir: Option<OsString>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_this_process() -> Self {
        let docker_host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
        Self { docker_host, runtime_dir }
    }
}

/// The socket to use: `setting`, else `$DOCKER_HOST`, else the first of the usual places that exists.
///
/// # Errors
/// "Unavailable" when there is none, as a daemon that was stopped leaves none; "permission" when it cannot be looked at, "config" when it is something else.
pub(crate) fn find(setting: Option<&Path>, surroundings: &Surroundings) -> Result<PathBuf> {
    if let Some(path) = setting {
        return usable(path, "the key socket").map(|()| path.to_owned());
    }
    if let Some(host) = &surroundings.docker_host {
        let path = host.strip_prefix("unix://").filter(|path| path.starts_with('/')).ok_or_else(|| {
            Error::unsupported(
                "DOCKER_HOST in pm's environment is not a unix:// address, and pm speaks to sockets of this host \
                 only; set the key socket to the path of one",
            )
        })?;
        return usable(Path::new(path), "DOCKER_HOST").map(|()| PathBuf::from(path));
    }
    let places = usual_places(surroundings);
    match places.iter().find(|path| path.exists()) {
        Some(path) => usable(path, "the usual places").map(|()| path.clone()),
        None => Err(Error::unavailable(format!(
            "no docker socket at {}; is Docker or Podman (podman.socket) running here? else set the key socket",
            places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// The system's daemons before the user's own, Docker before Podman.
fn usual_places(surroundings: &Surroundings) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("/var/run/docker.sock"), PathBuf::from("/run/podman/podman.sock")];
    if let Some(dir) = &surroundings.runtime_dir {
        places.push(Path::new(dir).join("docker.sock"));
        places.push(Path::new(dir).join("podman/podman.sock"));
    }
    places
}

fn usable(path: &Path, from: &str) -> Result<()> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(()),
        Ok(_) => Err(Error::config(format!("{shown} (from {from}) is not a socket"))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Err(
            Error::unavailable(format!("no docker socket at {shown} (from {from}); is the daemon running?")),
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Error::permission(format!(
            "pm may not reach the docker socket {shown} (from {from}): {error}; let pm's user enter the directories \
                 above it, or use the socket of a daemon of its own"
        ))),
        Err(error) => Err(Error::unavailable(format!("the docker socket {shown} (from {from}): {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::ErrorKind as Kind;
    use std::os::unix::net::UnixListener;

    fn with_host(host: &str) -> Surroundings {
        Surroundings { docker_host: Some(host.to_owned()), runtime_dir: None }
    }

    #[test]
    fn the_setting_wins_and_a_wrong_one_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (real, plain) = (dir.path().join("real.sock"), dir.path().join("plain"));
        let _listener = UnixListener::bind(&real).unwrap();
        std::fs::write(&plain, "").unwrap();
        let elsewhere = with_host("unix:///nowhere.sock");
        assert_eq!(find(Some(&real), &elsewhere), Ok(real.clone()));
        assert_eq!(find(Some(&plain), &elsewhere).unwrap_err().kind, Kind::Config);
        let missing = find(Some(&dir.path().join("none")), &elsewhere).unwrap_err();
        assert_eq!(missing.kind, Kind::Unavailable);
        assert!(missing.message.starts_with("no docker socket at /"), "{missing}");
        assert!(missing.message.contains("(from the key socket)"), "{missing}");
        assert_eq!(find(None, &with_host(&format!("unix://{}", real.display()))), Ok(real));
    }

    #[test]
    fn a_remote_docker_host_is_refused_without_printing_it() {
        for host in
            ["tcp://user:secret@10.0.0.1:2376", "ssh://root@h", "unix://relative", "/var/run/docker.sock"]
        {
            let error = find(None, &with_host(host)).unwrap_err();
            assert_eq!(error.kind, Kind::Unsupported, "{host}");
            assert!(!error.message.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_users_own_daemons_are_looked_for_last() {
        let surroundings = Surroundings { docker_host: None, runtime_dir: Some("/run/user/7".into()) };
        let places: Vec<_> =
            usual_places(&surroundings).iter().map(|path| path.display().to_string()).collect();
        assert_eq!(
            places,
            [
                "/var/run/docker.sock",
                "/run/podman/podman.sock",
                "/run/user/7/docker.sock",
                "/run/user/7/podman/podman.sock"
            ]
        );
        assert_eq!(usual_places(&Surroundings::default()).len(), 2);
    }
}
