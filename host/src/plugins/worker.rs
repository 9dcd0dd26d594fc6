//! A library in a process of its own: started on first use, replaced when it dies, hangs or grows, ended when idle.
//!
//! Whatever the library does to its process, this one goes on: the caller gets an answer or a named error within the
//! time of his call. A call that was cut off is repeated only when repeating cannot do harm; a restart that was cut off
//! is `interrupted`, and whoever ordered it decides. Where checks run as somebody else, they have a worker of their own.

mod ear;
mod family;
mod flood;
mod health;
mod link;
mod reader;
mod serve;
mod start;
mod tries;

pub use serve::serve;
pub use start::VERB;

use super::CHECK;
use super::backend::{Backend, Call, Report, Standing};
use super::claim::Part;
use super::examine::{Examined, unchanged};
use super::in_process::in_words;
use super::pin;
use super::refusal::{Maker, Reason, Refusal};
use super::rules::{NOBODY, Rule};
use super::tally::{Answered, Tally};
use crate::clock::{Stopwatch, SystemClock};
use crate::ports::Clock as _;
use health::{Health, MANY, Trouble};
use link::{Death, Link, Phase};
use pm_plugin_api::detach::User;
use pm_plugin_api::{Error, ErrorKind};
use reader::Watch;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use start::{Confinement, Started};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tracing::{debug, error, warn};

/// Is told when the workers of a plugin keep dying: the plugin, and what happened last.
pub(super) type Alarmed = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// What all workers of pm share.
#[derive(Clone)]
pub(super) struct Shared {
    /// The program that is started as a worker.
    pub(super) program: PathBuf,
    pub(super) clock: Arc<SystemClock>,
    pub(super) alarmed: Arc<OnceLock<Alarmed>>,
}

/// The library.
pub(super) struct Worker {
    own: Arc<Own>,
    file: PathBuf,
    checked: Examined,
    rule: Rule,
    shared: Shared,
    roles: Vec<Role>,
    tally: Mutex<Tally>,
    used: Mutex<BTreeSet<Part>>,
}

/// What outlives a call, and is shared with the readers.
struct Own {
    maker: Maker,
    health: Mutex<Health>,
    /// It was ready once.
    served: OnceLock<()>,
    refused: Mutex<Option<Reason>>,
}

/// A worker for some of the parts, with rights of its own.
struct Role {
    /// Who it runs as, as written.
    user: Option<String>,
    confinement: OnceLock<Confinement>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Worker {
    /// Takes charge of a checked library; starts nothing.
    pub(super) fn new(file: PathBuf, checked: Examined, rule: Rule, shared: Shared) -> Self {
        let role = |user: &Option<String>| Role {
            user: user.clone(),
            confinement: OnceLock::new(),
            link: Mutex::default(),
        };
        let mut roles = vec![role(&rule.user)];
        if rule.check_user.is_some() && rule.check_user != rule.user {
            roles.push(role(&rule.check_user));
        }
        let own = Own {
            maker: Maker::of(&checked.manifest),
            health: Mutex::default(),
            served: OnceLock::new(),
            refused: Mutex::default(),
        };
        Self {
            own: Arc::new(own),
            file,
            checked,
            rule,
            shared,
            roles,
            tally: Mutex::default(),
            used: Mutex::default(),
        }
    }

    /// Where a part of this kind runs.
    fn role(&self, kind: &str) -> &Role {
        let last = if kind == CHECK { self.roles.len() - 1 } else { 0 };
        &self.roles[last]
    }

    /// The worker that takes calls now, started when there is none.
    fn link(&self, role: &Role) -> Result<Arc<Link>, Error> {
        let mut place = locked(&role.link);
        if let Some(link) = place.as_ref().filter(|link| link.takes_calls()) {
            return Ok(Arc::clone(link));
        }
        self.may_start()?;
        let link = self.start(role)?;
        *place = Some(Arc::clone(&link));
        Ok(link)
    }

    fn may_start(&self) -> Result<(), Error> {
        let mut health = locked(&self.own.health);
        let wait = health.wait(self.shared.clock.now().boot);
        if wait.is_zero() {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "plugin \"{}\" crashed {} times in a row; next attempt in {}. To try now: pm plugins reload {}",
            self.own.maker.name,
            health.deaths(),
            in_words(Duration::from_secs(wait.as_secs() + 1)),
            self.own.maker.name,
        )))
    }

    fn start(&self, role: &Role) -> Result<Arc<Link>, Error> {
        let maker = &self.own.maker;
        let no_worker = |why: String| {
            Error::unavailable(format!("plugin \"{}\": no worker can be started: {why}", maker.name))
        };
        unchanged(&self.checked.file, &self.checked.print).map_err(|reason| self.refuse(reason))?;
        let confinement = self.confinement(role).map_err(no_worker)?;
        let started = start::start(&self.shared.program, &self.checked.file, maker, confinement);
        let Started { child, socket, stderr } = started.map_err(|error| no_worker(error.to_string()))?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| {
            no_worker(format!("pidfd_open: {error}; pm needs Linux 5.4 or newer for workers"))
        })?;
        let link =
            Link::new(socket, pid, pidfd, &maker.name).map_err(|error| no_worker(error.to_string()))?;
        let link = Arc::new(link);
        let (its_link, own, shared) = (Arc::clone(&link), Arc::clone(&self.own), self.shared.clone());
        let watch = Watch {
            maker: maker.clone(),
            rule: self.rule.clone(),
            lost: Box::new(move |death| own.lost(death, &shared)),
        };
        std::thread::Builder::new()
            .name(format!("pm-worker-{}", pid.as_raw_pid()))
            .spawn(move || reader::read(&its_link, child, stderr, watch))
            .map_err(|error| no_worker(format!("no thread for it: {error}")))?;
        Ok(link)
    }

    /// Who a worker runs as; looked up once.
    fn confinement<'a>(&self, role: &'a Role) -> Result<&'a Confinement, String> {
        if let Some(confinement) = role.confinement.get() {
            return Ok(confinement);
        }
        let user = role.user.as_deref().map(account).transpose().map_err(|error| error.to_string())?;
        let no_new_privs = self.rule.no_new_privs;
        Ok(role.confinement.get_or_init(|| Confinement { user, no_new_privs }))
    }

    fn refuse(&self, reason: Reason) -> Error {
        let refusal = Refusal { file: self.file.clone(), reason: reason.clone() };
        *locked(&self.own.refused) = Some(reason);
        Error::unavailable(refusal.to_string())
    }

    fn call_within(&self, call: &Call<'_>, watch: Stopwatch) -> Result<Vec<u8>, Error> {
        // The second try may meet a worker that is being replaced as well; a third would only repeat a crash.
        for _ in 0..3 {
            if let Some(answer) = self.try_once(call, watch)? {
                return Ok(answer);
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!(
                "plugin \"{}\": its worker died again and again during {} of \"{}\"",
                self.own.maker.name, call.op, call.subject
            ),
        ))
    }
}

/// The rights of an account. Of a number that no account has, just that number.
fn account(text: &str) -> std::io::Result<User> {
    let bare = |uid| User { uid, gid: uid, groups: vec![uid], account: None };
    match text.parse() {
        // A lookup starts programs, and there is nothing to find out about nobody.
        Ok(uid) if text == NOBODY => Ok(bare(uid)),
        Ok(uid) => User::named(text).or_else(|_| Ok(bare(uid))),
        Err(_) => User::named(text),
    }
}

fn in_short(death: &Death) -> String {
    match death {
        Death::Refused(reason) => reason.to_string(),
        Death::Ended { how, last_words } if last_words.is_empty() => how.clone(),
        Death::Ended { how, last_words } => format!("{how} ({last_words})"),
    }
}

impl Own {
    /// A worker ended that was not meant to.
    fn lost(&self, death: &Death, shared: &Shared) {
        if matches!(death, Death::Refused(_)) {
            // Whoever asked for it is told; loading it again would end in the same way.
            return;
        }
        let (plugin, how) = (&self.maker.name, in_short(death));
        let mut health = locked(&self.health);
        let now = shared.clock.now().boot;
        let trouble = health.died(now);
        let wait = health.wait(now);
        drop(health);
        if self.served.get().is_none() {
            // Whoever had it loaded is told; nothing of it was in use.
            return debug!(target: "plugin", plugin, "its worker {how} while it was loading");
        }
        let next = if wait.is_zero() {
            "it is replaced".to_owned()
        } else {
            format!("the next in {}", in_words(wait))
        };
        match trouble {
            Trouble::Some { deaths } => {
                warn!("plugin \"{plugin}\": its worker {how}; {next}, crash {deaths} of {MANY}");
            }
            Trouble::Failing | Trouble::StillFailing => {
                error!(
                    "plugin \"{plugin}\" crashed {MANY} times or more in 10 minutes: its worker {how}; {next}"
                );
                if let (Trouble::Failing, Some(alarmed)) = (trouble, shared.alarmed.get()) {
                    alarmed(plugin, &how);
                }
            }
        }
    }
}

impl Backend for Worker {
    fn call(&self, call: &Call<'_>) -> Result<Vec<u8>, Error> {
        let watch = Stopwatch::start();
        let part = (call.kind.to_owned(), call.name.to_owned());
        locked(&self.used).insert(part);
        let answer = self.call_within(call, watch);
        let lost = [ErrorKind::Timeout, ErrorKind::Interrupted, ErrorKind::Unavailable, ErrorKind::Panicked];
        let failed = answer.as_ref().is_err_and(|error| lost.contains(&error.kind));
        locked(&self.tally).add(watch.elapsed(), if failed { Answered::No } else { Answered::Yes });
        answer
    }

    fn load(&self, timeout: Duration) -> Result<(), Error> {
        let watch = Stopwatch::start();
        for role in &self.roles {
            let link = match self.link(role) {
                Ok(link) => link,
                Err(error) if locked(&self.own.refused).is_none() => return Err(error),
                Err(_) => return Ok(()),
            };
            match link.ready(timeout.saturating_sub(watch.elapsed())) {
                Some(Phase::Ready | Phase::Draining) => {
                    let _ = self.own.served.set(());
                }
                Some(Phase::Dead(Death::Refused(reason))) => drop(self.refuse(reason)),
                Some(Phase::Dead(death)) => {
                    let maker = self.own.maker.clone();
                    let why = format!("{} while it was loading", in_short(&death));
                    drop(self.refuse(Reason::Worker { maker, why }));
                }
                Some(Phase::Starting) | None => {
                    return Err(Error::timeout(format!(
                        "worker of plugin \"{}\" said nothing within {}",
                        self.own.maker.name,
                        in_words(timeout)
                    )));
                }
            }
        }
        Ok(())
    }

    fn standing(&self) -> Standing {
        if let Some(reason) = locked(&self.own.refused).clone() {
            return Standing::Refused(reason);
        }
        if self.own.served.get().is_some() { Standing::Loaded } else { Standing::Idle }
    }

    fn report(&self) -> Report {
        let now = self.shared.clock.now().boot;
        let mut health = *locked(&self.own.health);
        let links: Vec<_> = self.roles.iter().filter_map(|role| locked(&role.link).clone()).collect();
        let alive = |link: &&Arc<Link>| !matches!(link.phase(), Phase::Dead(_));
        let phases: Vec<_> = links.iter().filter(alive).map(|link| link.phase()).collect();
        let state = match phases.first() {
            _ if health.failing(now) => "failing",
            _ if !health.wait(now).is_zero() => "backoff",
            None => "idle",
            Some(Phase::Starting) => "starting",
            Some(Phase::Draining) => "draining",
            Some(Phase::Ready | Phase::Dead(_)) => "running",
        };
        Report {
            worker: Some(state),
            pids: links.iter().filter(alive).map(|link| link.pid.as_raw_pid().unsigned_abs()).collect(),
            memory: links.iter().filter(alive).filter_map(|link| family::memory(link.pid)).sum(),
            crashes: health.total,
            ..Report::of(&locked(&self.tally))
        }
    }

    fn used(&self) -> BTreeSet<Part> {
        locked(&self.used).clone()
    }

    fn checksum(&self) -> Option<String> {
        pin::sum(&self.checked.file).ok()
    }

    fn retire(&self) {
        for link in self.roles.iter().filter_map(|role| locked(&role.link).take()) {
            link.retire();
        }
    }

    fn pardon(&self) {
        locked(&self.own.health).pardon();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.retire();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
