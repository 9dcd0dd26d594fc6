//! One call's conversation with the container daemon: connect, ask, act, all within one deadline.
//!
//! The asynchronous client lives here and nowhere else; the runtime, the connection and whatever hangs in it end with
//! the session. Nothing is tried twice: pm's next attempt is the retry.

use crate::container::Container;
use crate::failure::{Failure, Intent};
use crate::select::means;
use crate::socket;
use bollard::errors::Error as Bollard;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder,
    RestartContainerOptionsBuilder, StartContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_core::Stream as _;
use pm_plugin_api::command::lines;
use pm_plugin_api::{Error, Result, Target};
use std::collections::HashMap;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout_at};

/// How long a daemon may take to tell something. What it does may take as long as pm waits, but one that hangs is not to
/// keep a restart busy for minutes before anything was even begun.
const LOOKING: Duration = Duration::from_secs(30);
/// The most of a container's output that is read, in bytes; a line of it may be long.
const MOST_OUTPUT: usize = 256 * 1024;

/// See the module.
pub(crate) struct Session {
    runtime: Runtime,
    docker: Docker,
    socket: PathBuf,
    allowed: Duration,
    deadline: Instant,
}

impl Session {
    /// Finds the socket; the connection itself is made by the first request.
    pub(crate) fn open(setting: Option<&Path>, target: &Target) -> Result<Self> {
        let allowed = within(target.timeout());
        let deadline = Instant::now() + allowed;
        let socket = socket::find(setting, &socket::Surroundings::of_this_process())?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::unavailable(format!("starting a runtime for the docker client: {error}"))
        })?;
        // The client's own limit is in whole seconds and only a second line of defence.
        let client_limit = allowed.as_secs().saturating_add(5);
        let docker = Docker::connect_with_unix(&socket.to_string_lossy(), client_limit, API_DEFAULT_VERSION)
            .map_err(|error| Failure::Client(error).explain(Intent::Read, &socket))?;
        Ok(Self { runtime, docker, socket, allowed, deadline })
    }

    /// Looks a container up by its name or id.
    ///
    /// # Errors
    /// "Not found" also when the daemon found another one by a short beginning of its id.
    pub(crate) fn inspect(&self, wanted: &str) -> Result<Container> {
        let request = self.docker.inspect_container(wanted, None::<InspectContainerOptions>);
        let attempted = || format!("looking up container {wanted:?}");
        let found = match self.block_on(Intent::Read, request) {
            Ok(answer) => {
                Container::from_answer(answer).ok_or(Failure::Nonsense("a container without id or state"))
            }
            Err(failure) if failure.is_missing_container() => return Err(self.no_container(wanted)),
            Err(failure) => Err(failure),
        };
        let container = found.map_err(|failure| self.explain(failure, Intent::Read).context(attempted()))?;
        if means(wanted, &container.name, &container.id) {
            Ok(container)
        } else {
            Err(self.no_container(wanted))
        }
    }

    /// Ids of all containers with this label, running or not, in the order of their names.
    pub(crate) fn labelled(&self, label: &str) -> Result<Vec<String>> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found =
            self.block_on(Intent::Read, self.docker.list_containers(Some(options))).map_err(|failure| {
                self.explain(failure, Intent::Read)
                    .context(format_args!("listing containers with label {label:?}"))
            })?;
        let mut named: Vec<(Vec<String>, String)> = found
            .into_iter()
            .filter_map(|summary| Some((summary.names.unwrap_or_default(), summary.id?)))
            .collect();
        named.sort();
        Ok(named.into_iter().map(|(_, id)| id).collect())
    }

    /// The last `count` lines that a container has written, with their times, fit to be shown.
    pub(crate) fn output(&self, container: &Container, count: usize) -> Result<Vec<String>> {
        let options =
            LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).tail(&count.to_string());
        let request = async {
            let mut parts = pin!(self.docker.logs(&container.id, Some(options.build())));
            let mut text = Vec::new();
            while let Some(part) = poll_fn(|cx| parts.as_mut().poll_next(cx)).await {
                text.extend_from_slice(part?.as_ref());
                if text.len() >= MOST_OUTPUT {
                    break;
                }
            }
            Ok(text)
        };
        let text = self.block_on(Intent::Read, request).map_err(|failure| {
            self.explain(failure, Intent::Read).context(format_args!("reading the output of {container}"))
        })?;
        let mut last: Vec<String> = lines(&String::from_utf8_lossy(&text)).rev().take(count).collect();
        last.reverse();
        Ok(last)
    }

    /// Starts a container that does not run; one that meanwhile runs is left alone.
    pub(crate) fn start(&self, container: &Container) -> Result<()> {
        let request = self.docker.start_container(&container.id, None::<StartContainerOptions>);
        self.change("starting", container, request)
    }

    /// Lets a frozen container go on, so that it can be told to stop.
    pub(crate) fn unpause(&self, container: &Container) -> Result<()> {
        self.change("unpausing", container, self.docker.unpause_container(&container.id))
    }

    /// Stops a container, by force after `stop_timeout` in whole seconds, and starts it.
    pub(crate) fn restart(&self, container: &Container, stop_timeout: Duration) -> Result<()> {
        let options = RestartContainerOptionsBuilder::new().t(whole_seconds(stop_timeout)).build();
        self.change("restarting", container, self.docker.restart_container(&container.id, Some(options)))
    }

    /// That no container is called so at this daemon.
    fn no_container(&self, wanted: &str) -> Error {
        Error::not_found(format!(
            "no container {wanted:?} at the daemon behind {}; create it, or set container or label to what exists",
            self.socket.display()
        ))
    }

    fn change(
        &self,
        doing: &str,
        container: &Container,
        request: impl Future<Output = Result<(), Bollard>>,
    ) -> Result<()> {
        self.block_on(Intent::Change, request).map_err(|failure| {
            if failure.is_missing_container() {
                return Error::not_found(format!("container {container} was removed before {doing} it"));
            }
            self.explain(failure, Intent::Change).context(format_args!("{doing} container {container}"))
        })
    }

    fn explain(&self, failure: Failure, intent: Intent) -> Error {
        failure.explain(intent, &self.socket)
    }

    fn block_on<T>(
        &self,
        intent: Intent,
        request: impl Future<Output = Result<T, Bollard>>,
    ) -> Result<T, Failure> {
        let until = self.deadline.min(Instant::now() + patience(intent, self.allowed));
        self.runtime.block_on(async {
            match timeout_at(until, request).await {
                Ok(answer) => answer.map_err(Failure::Client),
                Err(_) => Err(Failure::Late(patience(intent, self.allowed))),
            }
        })
    }
}

/// The most that one request gets of a call's time.
fn patience(intent: Intent, allowed: Duration) -> Duration {
    match intent {
        Intent::Read => allowed.min(LOOKING),
        Intent::Change => allowed,
    }
}

/// What remains of pm's limit so that the answer arrives before pm gives the call up.
fn within(limit: Duration) -> Duration {
    limit.saturating_sub((limit / 10).min(Duration::from_millis(500)))
}

/// The interface knows whole seconds; rounding up never cuts a stop short.
fn whole_seconds(time: Duration) -> i32 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_ends_before_pms_limit() {
        for (limit, expected) in [(0, 0), (100, 90), (1_000, 900), (5_000, 4_500), (60_000, 59_500)] {
            assert_eq!(within(Duration::from_millis(limit)), Duration::from_millis(expected));
        }
    }

    #[test]
    fn only_an_action_gets_the_whole_time() {
        let seconds = Duration::from_secs;
        assert_eq!(patience(Intent::Read, seconds(300)), LOOKING);
        assert_eq!(patience(Intent::Read, seconds(2)), seconds(2));
        assert_eq!(patience(Intent::Change, seconds(300)), seconds(300));
    }

    #[test]
    fn stop_timeouts_are_rounded_up() {
        for (millis, expected) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (u64::MAX, i32::MAX)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), expected);
        }
    }
}
