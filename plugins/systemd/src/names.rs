//! Names of units: from what the operator or the table wrote to a name that may be sent to systemd, or a refusal.
//!
//! Pure, but for the one look at pm's own control group. A [`Unit`] holds nothing but systemd's own alphabet, so it is
//! never a pattern, an option or a path. Only a [restartable](Unit::restartable) one may be restarted: it is of a kind
//! that makes sense, and is none of those whose restart takes the machine or pm down.

use pm_plugin_api::command::printable;
use pm_plugin_api::{Error, Result};
use std::sync::LazyLock;

/// Kinds of units that can be restarted, with the D-Bus interface of each.
const KINDS: [(&str, &str); 5] = [
    (".service", "org.freedesktop.systemd1.Service"),
    (".socket", "org.freedesktop.systemd1.Socket"),
    (".timer", "org.freedesktop.systemd1.Timer"),
    (".path", "org.freedesktop.systemd1.Path"),
    (".mount", "org.freedesktop.systemd1.Mount"),
];

/// Kinds of units that pm leaves alone: one of them can mean the whole machine (`poweroff.target`).
const FOREIGN: [&str; 6] = [".target", ".slice", ".scope", ".device", ".swap", ".automount"];

/// Units (any kind, any instance) that carry systemd, the bus or pm, or that take the machine over when started.
const DENIED: [&str; 8] =
    ["dbus", "dbus-broker", "dbus-daemon", "pm", "monitor_service", "debug-shell", "emergency", "rescue"];

/// As systemd has it: 255 bytes and a terminating NUL.
const LONGEST: usize = 255;

/// The full name of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit(String);

impl Unit {
    /// The unit of a setting `unit =`.
    ///
    /// # Errors
    /// `Config` when no unit can have that name.
    pub(crate) fn configured(text: &str) -> Result<Self> {
        Self::read(text).map_err(|why| Error::config(format!("unit: the name {} {why}", quoted(text))))
    }

    /// The unit of a system name, `.service` unless it says otherwise.
    ///
    /// # Errors
    /// `NotFound` when no unit can have that name: a chain goes on then, since a program's name may hold blanks or be a
    /// path.
    pub(crate) fn named(text: &str) -> Result<Self> {
        Self::read(text)
            .map_err(|why| Error::not_found(format!("there is no unit {}: the name {why}", quoted(text))))
    }

    /// The unit by the full name that systemd has given.
    pub(crate) fn known(name: &str) -> Self {
        Self(name.to_owned())
    }

    fn read(text: &str) -> Result<Self, String> {
        let name = completed(text);
        well_formed(&name)?;
        Ok(Self(name))
    }

    /// # Errors
    /// `Config` for a unit that pm must not restart: a chain must not go on then and kill its process instead.
    pub(crate) fn restartable(&self) -> Result<()> {
        match refusal(&self.0) {
            Some(why) => Err(Error::config(format!("{} is not restarted by pm: {why}", quoted(&self.0)))),
            None => Ok(()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The D-Bus interface with the properties of this kind of unit.
    pub(crate) fn interface(&self) -> &'static str {
        KINDS
            .iter()
            .find(|(suffix, _)| self.0.ends_with(suffix))
            .map_or("org.freedesktop.systemd1.Unit", |(_, interface)| interface)
    }
}

/// `web` means `web.service`, `my.app` means `my.app.service`; what names a kind of unit stays as it is.
fn completed(text: &str) -> String {
    let names_a_kind =
        KINDS.iter().map(|(suffix, _)| *suffix).chain(FOREIGN).any(|suffix| text.ends_with(suffix));
    if names_a_kind { text.to_owned() } else { format!("{text}.service") }
}

/// What is wrong with a name, as the end of a sentence; the rules are those of systemd's `unit_name_is_valid`.
fn well_formed(name: &str) -> Result<(), String> {
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !":-_.\\@".contains(*c)) {
        return Err(format!("has the character {bad:?}; units have letters, digits and : - _ . \\ @"));
    }
    if name.len() > LONGEST {
        return Err(format!("has {} bytes; units have {LONGEST} at the most", name.len()));
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    match stem.split_once('@') {
        _ if stem.is_empty() => Err("is empty".to_owned()),
        Some(("", _)) => Err("begins with @; a unit has a name before it".to_owned()),
        Some((_, "")) => Err("is a template; name the instance after the @".to_owned()),
        _ => Ok(()),
    }
}

fn refusal(name: &str) -> Option<String> {
    if let Some(suffix) = FOREIGN.iter().find(|suffix| name.ends_with(*suffix)) {
        let kinds: Vec<_> = KINDS.iter().map(|(suffix, _)| *suffix).collect();
        return Some(format!("a {suffix} is not one of {}", kinds.join(" ")));
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let stem = stem.split_once('@').map_or(stem, |(stem, _)| stem);
    let denied = DENIED.contains(&stem) || stem.starts_with("systemd-");
    denied.then(|| "systemd, the bus or pm itself depends on it; restart it by hand".to_owned())
}

/// Names come from a table: what a terminal would act on is shown, not sent, and a novel is cut.
fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("\"{}\"", printable(&short))
}

/// The units that this process belongs to; none outside of systemd.
pub(crate) fn own_units() -> &'static [String] {
    static OWN: LazyLock<Vec<String>> = LazyLock::new(|| {
        let cgroup = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        units_of(&cgroup).map(str::to_owned).collect()
    });
    &OWN
}

/// The units that a process belongs to, from the text of its `/proc/PID/cgroup`.
fn units_of(cgroup: &str) -> impl Iterator<Item = &str> {
    cgroup
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .flat_map(|path| path.split('/'))
        .filter(|part| part.ends_with(".service"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::ErrorKind;

    #[test]
    fn a_name_without_a_kind_is_a_service() {
        for (text, unit) in [
            ("web", "web.service"),
            ("web.service", "web.service"),
            ("my.app", "my.app.service"),
            ("web.timer", "web.timer"),
            ("worker@3", "worker@3.service"),
            ("a@b@c", "a@b@c.service"),
            ("srv-data.mount", "srv-data.mount"),
            ("dev-disk\\x2dby:x_1", "dev-disk\\x2dby:x_1.service"),
            ("--now", "--now.service"),
            ("..", "...service"),
            ("sshd", "sshd.service"),
            ("dbus-monitor-web", "dbus-monitor-web.service"),
            ("pmx", "pmx.service"),
        ] {
            assert_eq!(Unit::named(text).unwrap().as_str(), unit, "{text}");
            assert_eq!(Unit::named(text).unwrap().restartable(), Ok(()), "{text}");
            assert_eq!(Unit::configured(text).unwrap().as_str(), unit, "{text}");
        }
    }

    #[test]
    fn hostile_names_reach_nobody_and_name_the_character() {
        for (text, part) in [
            ("a;reboot", "';'"),
            ("$(id)", "'$'"),
            ("x@$(id)", "'$'"),
            ("`id`", "'`'"),
            ("a b", "' '"),
            ("-H host", "' '"),
            ("a\nb", "'\\n'"),
            ("a\0b", "'\\0'"),
            ("\u{1b}[2J", "'\\u{1b}'"),
            ("a\u{202e}b", "'\\u{202e}'"),
            ("*", "'*'"),
            ("[a-z]*", "'['"),
            ("we?", "'?'"),
            ("../../x", "'/'"),
            ("/usr/bin/web", "'/'"),
            ("naïve", "'ï'"),
            ("e\u{301}", "'\\u{301}'"),
            ("\u{fffd}", "'\u{fffd}'"),
            ("a'b", "'\\''"),
            ("a\"b", "'\"'"),
            ("", "empty"),
            (".service", "empty"),
            ("@x", "begins with @"),
            ("x@", "template"),
            ("x@.service", "template"),
        ] {
            let error = Unit::named(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotFound, "{text:?}: {error}");
            assert!(error.message.contains(part), "{text:?}: {error}");
            let shown = error.message.chars().any(|c| c.is_control() || c == '\u{202e}');
            assert!(!shown, "{text:?} must not reach a terminal: {error:?}");
            let error = Unit::configured(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config, "{text:?}: {error}");
            assert!(
                error.message.starts_with("unit: the name ") && error.message.contains(part),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn the_longest_name_is_systemds() {
        let fits = "x".repeat(LONGEST - ".service".len());
        assert_eq!(Unit::named(&fits).unwrap().as_str().len(), LONGEST);
        let error = Unit::named(&format!("{fits}x")).unwrap_err();
        assert!(error.message.contains("256 bytes; units have 255"), "{error}");
        assert!(error.message.len() < 300, "a long name is cut: {error}");
    }

    #[test]
    fn units_that_carry_the_machine_or_pm_are_refused_and_end_a_chain() {
        for text in [
            "poweroff.target",
            "init.scope",
            "system.slice",
            "dev-sda.device",
            "x.swap",
            "x.automount",
            "dbus",
            "dbus.socket",
            "dbus-broker.service",
            "systemd-journald",
            "systemd-logind.service",
            "systemd-fsck@dev.service",
            "pm",
            "pm@a.service",
            "monitor_service",
            "rescue",
        ] {
            let error = Unit::named(text).unwrap().restartable().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config, "{text}");
            assert!(error.message.contains("is not restarted by pm"), "{error}");
        }
    }

    #[test]
    fn the_units_of_a_process_come_from_its_control_group() {
        let of = |text: &'static str| units_of(text).collect::<Vec<_>>();
        assert_eq!(of("0::/system.slice/pm.service\n"), ["pm.service"]);
        assert_eq!(of("12:cpu:/\n1:name=systemd:/system.slice/a.service/x\n0::/\n"), ["a.service"]);
        let nested = "0::/user.slice/user-1.slice/user@1.service/app.slice/b.service\n";
        assert_eq!(of(nested), ["user@1.service", "b.service"]);
        assert!(of("0::/user.slice/session-3.scope\n\ngarbage").is_empty());
    }

    #[test]
    fn each_kind_has_its_properties() {
        let interface = |text: &str| Unit::named(text).unwrap().interface();
        assert_eq!(interface("web"), "org.freedesktop.systemd1.Service");
        assert_eq!(interface("web.timer"), "org.freedesktop.systemd1.Timer");
    }
}
