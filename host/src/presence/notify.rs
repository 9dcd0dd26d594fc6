//! Tells systemd how pm is doing: ready, reloading, stopping, a line of status, and the watchdog.
//!
//! Nothing happens unless systemd asked for it (`NOTIFY_SOCKET`). Sending never waits for systemd: what it does not
//! take now is sent with the next sign, and a watchdog's beat that was not taken is simply the next one. `sd-notify`
//! gives the words; its own sending would wait.

use crate::policy::time::{Now, Ticks};
use crate::ports::{Alive, Presence};
use sd_notify::NotifyState;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tracing::{info, warn};

/// A status that changes a thousand times a second is sent once.
const LEAST: Duration = Duration::from_secs(1);
/// When nothing needs a beat.
const IDLE: Duration = Duration::from_secs(3600);

/// The connection to systemd; without one, everything here does nothing.
#[derive(Debug)]
pub struct Notify {
    address: Option<OsString>,
    watchdog: Option<Duration>,
    fed: Option<Ticks>,
    status: String,
    said: Option<Ticks>,
    /// The turns of its life that systemd did not take yet.
    owed: String,
    trouble: Option<io::ErrorKind>,
}

impl Notify {
    /// As systemd asks for it in the environment.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::new(std::env::var_os("NOTIFY_SOCKET"), sd_notify::watchdog_enabled())
    }

    fn new(address: Option<OsString>, watchdog: Option<Duration>) -> Self {
        let address = address.filter(|address| !address.is_empty());
        let watchdog = watchdog.filter(|period| !period.is_zero() && address.is_some());
        let status = String::new();
        Self { address, watchdog, fed: None, status, said: None, owed: String::new(), trouble: None }
    }

    fn owe(&mut self, states: &[NotifyState<'_>]) {
        for state in states {
            self.owed.push_str(&format!("{state}\n"));
        }
    }

    /// Sends what is owed and `more`, which is not worth keeping; answers whether it was taken.
    fn send(&mut self, more: &str) -> bool {
        let Some(address) = &self.address else {
            self.owed.clear();
            return false;
        };
        let message = format!("{}{more}", self.owed);
        if message.is_empty() {
            return true;
        }
        let sent = send(address, &message);
        let taken = sent.is_ok();
        if taken {
            self.owed.clear();
        }
        self.note(sent);
        taken
    }

    /// Tells of trouble when it begins, changes and ends.
    fn note(&mut self, sent: io::Result<()>) {
        let kind = sent.as_ref().err().map(io::Error::kind);
        let before = std::mem::replace(&mut self.trouble, kind);
        match sent {
            Err(error) if before != kind => {
                warn!(
                    "Cannot tell systemd how pm is doing (NOTIFY_SOCKET): {error}; trying again with every sign"
                );
            }
            Ok(()) if before.is_some() => info!("systemd listens to pm again"),
            _ => {}
        }
    }
}

impl Presence for Notify {
    fn alive(&mut self, now: Now, state: &Alive) {
        let mut more = String::new();
        // Half of the time is the beat; a quarter less than that, so that an early sign does not make the next late.
        let due = |fed: Ticks, period: Duration| now.boot.since(fed) >= period / 4;
        if self.watchdog.is_some_and(|period| self.fed.is_none_or(|fed| due(fed, period))) {
            self.fed = Some(now.boot);
            more.push_str("WATCHDOG=1\n");
        }
        let status = status(state);
        let news = status != self.status && self.said.is_none_or(|said| now.boot.since(said) >= LEAST);
        if news {
            more.push_str(&format!("{}\n", NotifyState::Status(&status)));
        }
        if self.send(&more) && news {
            self.said = Some(now.boot);
            self.status = status;
        }
    }
    fn ready(&mut self) {
        self.owe(&[NotifyState::Ready]);
        self.send("");
    }
    fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(when) => self.owe(&[NotifyState::Reloading, when]),
            // systemd would end the service for a reload without its time.
            Err(error) => warn!("Cannot tell systemd of the reload: reading the clock: {error}"),
        }
        self.send("");
    }
    fn stopping(&mut self) {
        self.owe(&[NotifyState::Stopping]);
        self.send("");
    }
    fn beat(&self) -> Duration {
        self.watchdog.map_or(IDLE, |period| period / 2)
    }
}

/// One line for `systemctl status`.
fn status(state: &Alive) -> String {
    let alarms = match state.alarms {
        1 => "1 alarm".to_owned(),
        count => format!("{count} alarms"),
    };
    let running = match state.running.as_slice() {
        [] => "no restart running".to_owned(),
        [name] => format!("restarting {name}"),
        [name, others @ ..] => format!("restarting {name} and {} more", others.len()),
    };
    match &state.database {
        Ok(()) => format!("{alarms}, {running}"),
        Err(why) => {
            let why = crate::policy::model::printable(why);
            format!("No answer from the database ({why}); {alarms} known, {running}")
        }
    }
}

fn send(address: &OsString, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let bytes = address.as_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(OsString::from_vec(bytes.to_vec()))?,
    };
    socket.send_to_addr(message.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::Name;
    use crate::policy::time::Wall;

    fn state(alarms: usize) -> Alive {
        Alive { alarms, running: Vec::new(), database: Ok(()), next_poll: None }
    }

    fn at(ms: u64) -> Now {
        Now { boot: Ticks(ms), wall: Wall(0) }
    }

    fn received(listener: &UnixDatagram) -> Option<String> {
        listener.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        let length = listener.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    #[test]
    fn systemd_hears_the_whole_life() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let mut notify = Notify::new(Some(path.into()), Some(Duration::from_secs(8)));
        assert_eq!(notify.beat(), Duration::from_secs(4));
        notify.ready();
        assert_eq!(received(&listener).as_deref(), Some("READY=1\n"));
        notify.alive(at(0), &state(1));
        assert_eq!(received(&listener).as_deref(), Some("WATCHDOG=1\nSTATUS=1 alarm, no restart running\n"));
        notify.alive(at(1_999), &state(1));
        assert_eq!(received(&listener), None, "nothing new, and too early for the watchdog");
        notify.alive(at(2_000), &state(1));
        assert_eq!(received(&listener).as_deref(), Some("WATCHDOG=1\n"));
        notify.reloading();
        let reloading = received(&listener).unwrap();
        let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
        assert!(usec.parse::<u64>().unwrap() > 0);
        notify.ready();
        notify.stopping();
        assert_eq!(received(&listener).as_deref(), Some("READY=1\n"));
        assert_eq!(received(&listener).as_deref(), Some("STOPPING=1\n"));
    }

    #[test]
    fn a_status_that_changes_often_is_sent_once_a_second_and_the_last_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let mut notify = Notify::new(Some(path.into()), None);
        for alarms in 0..1000 {
            notify.alive(at(alarms), &state(usize::try_from(alarms).unwrap()));
        }
        notify.alive(at(1_000), &state(7));
        assert_eq!(received(&listener).as_deref(), Some("STATUS=0 alarms, no restart running\n"));
        assert_eq!(received(&listener).as_deref(), Some("STATUS=7 alarms, no restart running\n"));
        assert_eq!(received(&listener), None);
    }

    #[test]
    fn what_systemd_does_not_take_is_sent_later_and_nobody_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let mut notify = Notify::new(Some(path.clone().into()), Some(Duration::from_secs(2)));
        notify.ready();
        notify.alive(at(0), &state(0));
        assert_eq!(notify.trouble, Some(io::ErrorKind::NotFound));
        let listener = UnixDatagram::bind(&path).unwrap();
        notify.alive(at(100), &state(0));
        assert_eq!(received(&listener).as_deref(), Some("READY=1\nSTATUS=0 alarms, no restart running\n"));
        assert_eq!(notify.trouble, None);
        // Nobody reads: the queue of the socket fills up.
        for beat in 1..=10_000 {
            notify.alive(at(beat * 1_000), &state(0));
        }
        assert_eq!(notify.trouble, Some(io::ErrorKind::WouldBlock));
        notify.stopping();
        while received(&listener).is_some() {}
        notify.alive(at(10_000_100), &state(0));
        assert_eq!(received(&listener).as_deref(), Some("STOPPING=1\n"));
    }

    #[test]
    fn an_abstract_socket_is_one_too() {
        let name = format!("pm-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        let mut notify = Notify::new(Some(format!("@{name}").into()), None);
        notify.ready();
        assert_eq!(received(&listener).as_deref(), Some("READY=1\n"));
    }

    #[test]
    fn without_systemd_nothing_happens() {
        let mut notify = Notify::new(None, Some(Duration::from_secs(2)));
        notify.ready();
        notify.alive(at(0), &state(0));
        assert!(notify.owed.is_empty() && notify.trouble.is_none() && notify.beat() == IDLE);
    }

    #[test]
    fn the_status_is_one_line_whatever_a_name_holds() {
        let running = vec![Name::new("web\nREADY=1"), Name::new("db")];
        let database = Err("refused\nREADY=1".to_owned());
        let line = status(&Alive { alarms: 2, running, database, next_poll: None });
        let expected = "No answer from the database (refused\\u{a}READY=1); 2 alarms known, \
                        restarting web\\u{a}READY=1 and 1 more";
        assert_eq!(line, expected);
    }
}
