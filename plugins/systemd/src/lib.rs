//! The strategy and the check "service": units of systemd, over D-Bus, or through `systemctl` where there is no bus.
//!
//! A restart waits for the *result* of systemd's job and tells "no such unit", "no systemd" and "not allowed" apart from
//! "failed". Nothing is connected before the first call, and nothing runs between calls.
//!
//! It must not pass on a name that is no plain unit name, use a shell, or submit a job twice.

#![forbid(unsafe_code)]

mod answer;
mod bus;
mod codes;
mod driver;
mod evidence;
mod journal;
mod link;
mod message;
mod names;
mod recent;
mod scope;
mod state;
mod systemctl;
mod watch;

use bus::Bus;
use driver::{Driver, Rules, StartLimit};
use link::Trouble;
use names::Unit;
use pm_plugin_api::{Error, ErrorKind, Evidence, Health, HealthCheck, Outcome, Result, Strategy, Target};
use recent::Recent;
use scope::Scope;
use state::Subject;
use std::time::{Duration, Instant};
use systemctl::Systemctl;

pm_plugin_api::settings! {
    /// Settings of the strategy "service".
    struct ServiceSettings {
        /// The unit to restart, when its name is not the system name; `.service` is added when it names no kind of
        /// unit (service, socket, timer, path, mount).
        unit: Option<String>,
        /// Whose systemd: `system`, or `user` for the user manager of the user that pm runs as.
        #[allowed = "system|user"]
        scope: String = "system",
        /// Whether to lift the unit's start limit (StartLimitBurst=) when it refuses a start: `systemctl reset-failed`.
        reset_failed: bool = "no",
    }
}

pm_plugin_api::settings! {
    /// Settings of the check "service".
    struct CheckSettings {
        /// The unit to look at, when its name is not the system name.
        unit: Option<String>,
        /// Whose systemd: `system` or `user`.
        #[allowed = "system|user"]
        scope: String = "system",
    }
}

pm_plugin_api::export! {
    strategy "service" => Service,
    check "service" => ServiceCheck,
}

/// Which unit, of which systemd.
struct Place {
    unit: Option<Unit>,
    scope: Scope,
}

impl Place {
    fn new(unit: Option<String>, scope: &str) -> Result<Self> {
        let unit = unit.map(|text| Unit::configured(&text)).transpose()?;
        Ok(Self { unit, scope: Scope::parse(scope)? })
    }

    fn subject(&self, target: &Target) -> Result<Subject> {
        let unit = match &self.unit {
            Some(unit) => unit.clone(),
            None => Unit::named(&target.system_name)?,
        };
        Ok(Subject { unit, scope: self.scope })
    }
}

/// Restarts units.
struct Service {
    place: Place,
    limit: StartLimit,
    recent: Recent,
}

impl Strategy for Service {
    type Settings = ServiceSettings;

    fn new(settings: ServiceSettings) -> Result<Self> {
        let limit = if settings.reset_failed { StartLimit::Reset } else { StartLimit::Respect };
        let place = Place::new(settings.unit, &settings.scope)?;
        if let Some(unit) = &place.unit {
            unit.restartable().map_err(|error| error.context("unit"))?;
        }
        Ok(Self { place, limit, recent: Recent::default() })
    }

    fn restart(&self, target: &Target) -> Result<Outcome> {
        let subject = self.place.subject(target)?;
        subject.unit.restartable()?;
        let rules = Rules { limit: self.limit, own: names::own_units() };
        let seen = self.recent.take(&subject.unit, Instant::now());
        driver::restart(&mut *reach(&subject, target)?, &subject, seen, &rules)
    }

    fn identity(&self, target: &Target) -> Result<Option<String>> {
        let subject = self.place.subject(target)?;
        let (state, id) = driver::identity(&mut *reach(&subject, target)?, &subject)?;
        self.recent.put(subject.unit, state, Instant::now());
        Ok(id)
    }

    fn evidence(&self, target: &Target) -> Result<Evidence> {
        let subject = self.place.subject(target)?;
        subject.unit.restartable()?;
        let deadline = Instant::now() + target.timeout() - reserve(target.timeout());
        // A bus that hangs leaves time for the journal, which needs none.
        let mut brief = target.clone();
        brief.timeout_ms /= 2;
        let looked = reach(&subject, &brief).and_then(|mut driver| evidence::look(&mut *driver, &subject));
        let (subject, evidence) = match looked {
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Unsupported) => {
                return Err(error);
            }
            Err(error) => {
                let evidence = evidence::unknown(&subject, &error);
                (subject, evidence)
            }
            Ok(looked) => looked,
        };
        Ok(match journal::last_lines(&subject, deadline) {
            Ok(lines) => evidence.lines(lines),
            Err(error) => evidence.fact("journal", format!("not available: {error}")),
        })
    }
}

/// Looks at units.
struct ServiceCheck {
    place: Place,
}

impl HealthCheck for ServiceCheck {
    type Settings = CheckSettings;

    fn new(settings: CheckSettings) -> Result<Self> {
        Ok(Self { place: Place::new(settings.unit, &settings.scope)? })
    }

    fn check(&self, target: &Target) -> Result<Health> {
        let subject = self.place.subject(target)?;
        driver::check(&mut *reach(&subject, target)?, &subject)
    }
}

/// The way to systemd: its bus; without a bus, `systemctl`; without systemd, none.
fn reach(subject: &Subject, target: &Target) -> Result<Box<dyn Driver>> {
    let (scope, began) = (subject.scope, Instant::now());
    let deadline = began + target.timeout() - reserve(target.timeout());
    let trouble = match Bus::open(scope, scope.address(), began, deadline) {
        Ok(bus) => return Ok(Box::new(bus)),
        Err(trouble) => trouble,
    };
    if matches!(trouble, Trouble::Absent { .. }) {
        if !scope.systemd_runs() {
            return Err(scope.not_running());
        }
        tracing::debug!("{}; using systemctl", Error::from(trouble).message);
        return match Systemctl::find(scope, deadline) {
            Some(systemctl) => Ok(Box::new(systemctl)),
            None => Err(Error::unavailable(format!(
                "cannot reach systemd for {subject}: there is neither a bus nor systemctl in PATH; install dbus"
            ))),
        };
    }
    Err(bus::unreachable(subject, "ask for", trouble))
}

/// What is left of pm's patience for saying why: a twentieth, at most a second.
fn reserve(timeout: Duration) -> Duration {
    (timeout / 20).min(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::testing;

    #[test]
    fn settings_are_refused_before_anything_is_connected() {
        for (section, text) in [
            (
                &[("unit", "a b")][..],
                "unit: the name \"a b\" has the character ' '; units have letters, digits and : - _ . \\ @",
            ),
            (&[("scope", "root")], "scope: \"root\" is none of: system, user"),
            (&[("reset_failed", "maybe")], "reset_failed: \"maybe\" is neither yes nor no"),
            (
                &[("unit", "poweroff.target")],
                "unit: \"poweroff.target\" is not restarted by pm: a .target is not one of .service .socket .timer .path \
                 .mount",
            ),
            (&[("units", "web")], "unknown key \"units\"; there are: unit, scope, reset_failed"),
        ] {
            let error = testing::strategy::<Service>(section).err().unwrap();
            assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Config, text));
        }
        assert!(
            testing::check::<ServiceCheck>(&[("unit", "network.target")]).is_ok(),
            "looking does no harm"
        );
    }

    #[test]
    fn a_chain_goes_on_after_an_impossible_name_and_ends_at_a_forbidden_one() {
        let service = testing::strategy::<Service>(&[]).unwrap();
        for (name, kind) in [
            ("/opt/shop/bin/shop", ErrorKind::NotFound),
            ("$(reboot)", ErrorKind::NotFound),
            ("dbus", ErrorKind::Config),
            ("poweroff.target", ErrorKind::Config),
        ] {
            assert_eq!(service.restart(&Target::named(name)).unwrap_err().kind, kind, "{name}");
            assert_eq!(service.evidence(&Target::named(name)).unwrap_err().kind, kind, "{name}");
        }
    }

    #[test]
    fn some_of_the_time_is_kept_for_the_answer() {
        for (seconds, kept) in [(1, 50), (10, 500), (60, 1000), (3600, 1000)] {
            assert_eq!(reserve(Duration::from_secs(seconds)), Duration::from_millis(kept));
        }
    }
}
