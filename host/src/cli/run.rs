//! `pm run`: builds the real adapters, starts the daemon, and waits for it.

use crate::chronicle::Statistics;
use crate::cli::Failure;
use crate::cli::addresses;
use crate::cli::arguments::{Global, RunOptions};
use crate::cli::catalog::{Current, address, knobs, log_settings, told};
use crate::cli::compose::{self, Read};
use crate::cli::plugins::running::answering;
use crate::clock::{Stop, SystemClock};
use crate::config::{Config, Loaded};
use crate::console::Console;
use crate::daemon::{self, Event, Parts};
use crate::evidence::Processes;
use crate::exec::SystemExec;
use crate::intercom;
use crate::journal::{self, FileJournal};
use crate::notify::Office;
use crate::plugins::{self, Registry};
use crate::policy::model::Intake;
use crate::ports::{Clock, Happened, Herald as _, Presence, Speaker};
use crate::presence::{Heartbeat, Notify, Signs, StateLock};
use crate::store;
use crate::telemetry::{self, Audience};
use sha2::{Digest as _, Sha256};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGURG};
use signal_hook::iterator::Signals;
use std::error::Error;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tracing::{debug, info, warn};

/// How long a library that is required may take to load.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(global: &Global, options: RunOptions) -> Result<(), Failure> {
    let Read { loaded, registry, environment } = compose::read(global)?;
    let config = startable(&loaded, &registry)?;
    let stop = Stop::new();
    let clock = Arc::new(SystemClock::new(stop.clone()));
    let console = Console::stdout();
    let (audience, lines) = (Audience::of(&std::io::stdout()), Box::new(console.lines()));
    let intake = if options.observe { Intake::Observing } else { Intake::Open };
    let telemetry = telemetry::init(log_settings(&config, intake), clock.clone(), audience, lines)
        .map_err(|error| Failure::failed(&error))?;
    let _lock = if options.observe {
        None
    } else {
        let lock = StateLock::take(&config.monitor.state_dir);
        Some(lock.map_err(|error| Failure::Failed(chain(&error)))?)
    };
    introduce(&config, &loaded, &registry);
    let broken = registry.load_required(PATIENCE);
    if !broken.is_empty() {
        return Err(Failure::Plugin(format!(
            "a library is required and cannot be loaded\n{}",
            broken.join("\n")
        )));
    }
    let journal = Arc::new(journal(&config, options, &clock)?);
    let store = store::open(address(&config, intake), clock.clone());
    let (plugins, state_dir) = (Arc::clone(&registry), config.monitor.state_dir.clone());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let office = Arc::new(Office::new(registry.clone(), clock.clone(), &host));
    office.configure(told(&config, intake));
    let desk = Arc::clone(&office);
    registry.alarm(move |plugin, why| {
        desk.tell(Happened::PluginFailing { plugin: plugin.to_owned(), why: why.to_owned() });
    });
    let parts = Parts {
        clock: clock.clone(),
        journal: journal.clone(),
        strategies: registry.clone(),
        exec: Arc::new(SystemExec),
        chronicle: Arc::new(Statistics::new(
            config.logging.restart_stats.clone().filter(|_| !options.observe),
        )),
        witness: Arc::new(Processes::new(clock.clone())),
        presence: presence(&config, options, &console),
        intake,
        herald: office.clone(),
        host,
        speaker: (!options.observe).then(|| speaker(&config, &clock)),
        knobs: knobs(&config),
        catalog: Box::new(Current::new(
            (config, environment, intake),
            registry,
            telemetry,
            clock,
            journal,
            office.clone(),
        )),
        halt: Box::new(move || stop.request()),
    };
    let (daemon, events) = daemon::start(parts, store).map_err(|error| Failure::failed(&error))?;
    attend(&plugins, options, &state_dir, events.clone());
    listen(events)?;
    let ran = daemon.run().map_err(|error| Failure::failed(&error));
    office.close();
    ran
}

/// A configuration to start with. Wrong values of processes leave their defaults and are said; a file that does not
/// even say where the alarms are is an error, and so is a library that has to be there and is not.
fn startable(loaded: &Loaded, registry: &Registry) -> Result<Config, Failure> {
    let Some(config) = loaded.config.clone() else {
        let problems: Vec<_> = loaded.errors().map(ToString::to_string).collect();
        return Err(Failure::Usage(format!("the configuration cannot be used\n{}", problems.join("\n"))));
    };
    let missing: Vec<_> =
        config.plugins.libraries.values().filter_map(|library| library.missing.as_deref()).collect();
    if !missing.is_empty() {
        // A directory that gives no plugin at all is the reason of all of them.
        let directory = registry.refusal().map(|refusal| refusal.to_string());
        let all: Vec<_> = directory.iter().map(String::as_str).chain(missing).collect();
        return Err(Failure::Plugin(all.join("\n")));
    }
    Ok(config)
}

fn introduce(config: &Config, loaded: &Loaded, registry: &Registry) {
    info!("Starting Process Monitor Service");
    info!(
        "pm {}: configuration {}, database {}, processes configured: {}, plugins in {}",
        env!("CARGO_PKG_VERSION"),
        config.file.display(),
        addresses::name(&config.database),
        config.processes.len(),
        registry.directory().display()
    );
    for problem in &loaded.problems {
        match problem.severity {
            crate::config::Severity::Error => tracing::error!("{problem}"),
            crate::config::Severity::Warning => warn!("{problem}"),
        }
    }
    if let Some(refusal) = registry.refusal() {
        warn!("{refusal}");
    }
    for refusal in registry.refused() {
        warn!("{refusal}");
    }
    // Never the values themselves: settings of plugins and command lines may hold secrets.
    debug!("Parsed configuration values: {}", crate::config::effective::to_json(loaded));
}

/// What this pm calls itself where a database serves many hosts. Another machine and another state directory are another
/// pm; a copy of a machine shares everything but what its kernel has made up at its start.
fn speaker(config: &Config, clock: &SystemClock) -> Speaker {
    let mut digest = Sha256::new();
    digest.update(clock.boot_id());
    digest.update(config.monitor.state_dir.as_os_str().as_bytes());
    let instance = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Speaker { instance, name, lasts: config.monitor.lease_time }
}

fn presence(config: &Config, options: RunOptions, console: &Console) -> Box<dyn Presence> {
    let mut signs: Vec<Box<dyn Presence>> = vec![Box::new(Notify::from_environment())];
    // An old watchdog must not take an observer for the service that it watches.
    if let Some(recovery) = config.self_recovery.as_ref().filter(|_| !options.observe) {
        signs.push(Box::new(Heartbeat::new(recovery.heartbeat_file.clone())));
    }
    if config.logging.console_output {
        signs.push(Box::new(console.status()));
    }
    Box::new(Signs::new(signs))
}

/// The journal; for observing a copy of it in memory, so that nothing is touched.
fn journal(config: &Config, options: RunOptions, clock: &SystemClock) -> Result<FileJournal, Failure> {
    let state_dir = &config.monitor.state_dir;
    if options.observe {
        info!("Observing: everything is decided and told here, and nothing is touched");
        return journal::open_copy(state_dir, clock.boot_id()).map_err(|error| Failure::failed(&error));
    }
    let opened = journal::open(state_dir, clock.boot_id()).map_err(|error| Failure::failed(&error))?;
    if let Some(warning) = opened.warning {
        warn!("{warning}");
    }
    Ok(opened.journal)
}

/// Lets operators ask after the plugins, and hears when their directory changes. Without either pm works on: the
/// directory is looked at now and then in any case.
fn attend(registry: &Arc<Registry>, options: RunOptions, state_dir: &Path, events: Sender<Event>) {
    let told = events.clone();
    registry.on_mended(move |strategies| {
        let _ = told.send(Event::Mended(strategies));
    });
    let rung = move || {
        // The loop being gone means that pm is exiting.
        let _ = events.send(Event::Changed);
    };
    if let Err(error) = plugins::watch(registry.directory(), rung) {
        debug!("{} is not watched, only looked at: {error}", registry.directory().display());
    }
    if options.observe {
        return;
    }
    if let Err(error) = intercom::listen(state_dir, answering(Arc::clone(registry))) {
        warn!(
            "Operators cannot ask this pm after its plugins: listening in {}: {error}",
            state_dir.display()
        );
    }
}

/// Signals become events: SIGTERM and SIGINT stop (a second one at once), SIGHUP reads the configuration again, SIGURG
/// says that an operator has ordered something; that one is ignored by whoever does not expect it.
fn listen(events: Sender<Event>) -> Result<(), Failure> {
    // Caught so that a file size limit is an error of the write, which the log survives, and not the end of pm; a
    // handler, unlike "ignore", is not inherited by what pm starts.
    let too_large = rustix::process::Signal::XFSZ.as_raw();
    let failed = |error: std::io::Error| {
        Failure::Failed(format!(
            "listening for signals: {error}; see whether the limits on open files and processes (ulimit -n, -u) are too low"
        ))
    };
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGURG, too_large]).map_err(failed)?;
    std::thread::Builder::new()
        .name("pm-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let event = match signal {
                    SIGHUP => Event::Reload,
                    SIGURG => Event::Orders,
                    SIGTERM | SIGINT => Event::Stop,
                    _ => continue,
                };
                if events.send(event).is_err() {
                    break;
                }
            }
        })
        .map_err(failed)?;
    Ok(())
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
