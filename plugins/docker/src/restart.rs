//! The strategy "docker": restart what runs, start what does not, one container or all with a label.
//!
//! The daemon stops and starts in one request, so pm can die in between without leaving the container down; for that
//! reason there is no pause between stop and start. Several containers are taken one after the other, so that a group
//! which serves together is never away as a whole.

use crate::container::{Container, Phase};
use crate::evidence;
use crate::select::{Selector, Wanted};
use crate::session::Session;
use pm_plugin_api::{Error, ErrorKind, Evidence, Outcome, Result, Strategy, Target};
use std::path::PathBuf;
use std::time::Duration;

pm_plugin_api::settings! {
    /// Settings of the strategy "docker".
    pub struct DockerSettings {
        /// Socket of the daemon. Default: DOCKER_HOST in pm's environment when it is unix:///PATH, else the first that
        /// exists of /var/run/docker.sock, /run/podman/podman.sock, $XDG_RUNTIME_DIR/docker.sock and
        /// $XDG_RUNTIME_DIR/podman/podman.sock. Whoever may use it is as good as root on the host.
        pub socket: Option<PathBuf>,
        /// Name of the container, or at least 12 digits of its id. Default: system_name.
        pub container: Option<String>,
        /// Instead of one container: all with this label, as key=value or key, running or not, one after the other
        /// in the order of their names.
        pub label: Option<String>,
        /// The most containers that a label may mean; when there are more, none is touched.
        #[unit = "containers"]
        pub label_limit: u32 = "10",
        /// How long a container may take to stop before it is killed, in whole seconds (rounded up).
        pub stop_timeout: Duration = "10s",
    }
}

/// See the module.
pub(crate) struct Docker {
    socket: Option<PathBuf>,
    selector: Selector,
    label_limit: usize,
    stop_timeout: Duration,
}

impl Strategy for Docker {
    type Settings = DockerSettings;

    fn new(settings: DockerSettings) -> Result<Self> {
        Ok(Self {
            socket: settings.socket,
            selector: Selector::new(settings.container, settings.label)?,
            label_limit: settings.label_limit as usize,
            stop_timeout: settings.stop_timeout,
        })
    }

    fn restart(&self, target: &Target) -> Result<Outcome> {
        let wanted = self.selector.wanted(target)?;
        let session = Session::open(self.socket.as_deref(), target)?;
        match wanted {
            Wanted::Container(name) => {
                let container = session.inspect(name)?;
                let done = self.bring_back(&session, &container)?;
                Ok(done.outcome(format!("container {container}")))
            }
            Wanted::Label(label) => self.bring_all_back(&session, label),
        }
    }

    fn identity(&self, target: &Target) -> Result<Option<String>> {
        let wanted = self.selector.wanted(target)?;
        let session = Session::open(self.socket.as_deref(), target)?;
        match wanted {
            Wanted::Container(name) => Ok(session.inspect(name)?.identity()),
            Wanted::Label(label) => {
                let mut running: Vec<String> =
                    present(&session, label)?.iter().filter_map(Container::identity).collect();
                running.sort();
                Ok((!running.is_empty()).then(|| running.join(",")))
            }
        }
    }

    fn evidence(&self, target: &Target) -> Result<Evidence> {
        let wanted = self.selector.wanted(target)?;
        let session = Session::open(self.socket.as_deref(), target)?;
        Ok(match wanted {
            Wanted::Container(name) => evidence::look(&session, &[session.inspect(name)?]),
            Wanted::Label(label) => evidence::look(&session, &present(&session, label)?),
        })
    }
}

impl Docker {
    fn bring_back(&self, session: &Session, container: &Container) -> Result<Done> {
        tracing::info!(container = container.name, id = container.id, phase = ?container.phase, "restarting");
        match container.phase {
            Phase::Running | Phase::Restarting => {}
            // A frozen program cannot end on request, and Podman refuses to restart it.
            Phase::Paused => session.unpause(container)?,
            Phase::Stopped => return session.start(container).map(|()| Done::Started),
            Phase::Gone => {
                return Err(Error::failed(format!(
                    "container {container} is being removed, or its removal failed; remove it and create it anew"
                )));
            }
        }
        session.restart(container, self.stop_timeout).map(|()| Done::Restarted)
    }

    /// Every container gets its turn; only a daemon that is away or a time limit ends the round early.
    fn bring_all_back(&self, session: &Session, label: &str) -> Result<Outcome> {
        let ids = session.labelled(label)?;
        if ids.is_empty() {
            return Err(nothing_labelled(label));
        }
        if ids.len() > self.label_limit {
            return Err(Error::failed(format!(
                "{} containers have the label {label:?}, more than label_limit = {}; none was touched: narrow the \
                 label or raise the limit",
                ids.len(),
                self.label_limit
            )));
        }
        let mut round = Round::default();
        for id in &ids {
            let turn = session.inspect(id).and_then(|container| {
                let done = self.bring_back(session, &container)?;
                Ok((container.to_string(), done))
            });
            if round.note(turn) == Next::Stop {
                break;
            }
        }
        round.outcome(label, ids.len())
    }
}

/// All containers with the label that still exist when looked at.
pub(crate) fn present(session: &Session, label: &str) -> Result<Vec<Container>> {
    let ids = session.labelled(label)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        match session.inspect(&id) {
            Ok(container) => found.push(container),
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() { Err(nothing_labelled(label)) } else { Ok(found) }
}

fn nothing_labelled(label: &str) -> Error {
    Error::not_found(format!("no container has the label {label:?}; create one, or correct the key label"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Started,
    Restarted,
}

impl Done {
    fn outcome(self, detail: String) -> Outcome {
        match self {
            Self::Started => Outcome::started(detail),
            Self::Restarted => Outcome::restarted(detail),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

/// What came out of the turns so far.
#[derive(Debug, Default)]
struct Round {
    back: Vec<(String, Done)>,
    vanished: usize,
    failed: Vec<Error>,
}

impl Round {
    fn note(&mut self, turn: Result<(String, Done)>) -> Next {
        match turn {
            Ok(back) => self.back.push(back),
            Err(error) if error.kind == ErrorKind::NotFound => self.vanished += 1,
            Err(error) => {
                let hopeless = matches!(
                    error.kind,
                    ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Interrupted
                );
                self.failed.push(error);
                if hopeless {
                    return Next::Stop;
                }
            }
        }
        Next::Go
    }

    fn outcome(self, label: &str, of: usize) -> Result<Outcome> {
        let names = self.back.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        if let Some(first) = self.failed.first() {
            let whys = self.failed.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
            let done = if names.is_empty() { "none" } else { &names };
            let message = format!(
                "{} of {of} containers with label {label:?} came back ({done}), then: {whys}",
                self.back.len()
            );
            return Err(Error::new(first.kind, message));
        }
        let Some((_, first)) = self.back.first() else {
            return Err(nothing_labelled(label));
        };
        let done =
            if self.back.iter().any(|(_, done)| *done == Done::Restarted) { Done::Restarted } else { *first };
        Ok(done.outcome(format!("{} containers with label {label:?}: {names}", self.back.len())))
    }
}
