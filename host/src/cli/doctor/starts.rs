//! What the configuration makes pm start and look at, as far as a sandbox or a unit can be in its way.

use crate::config::{Config, Process};

/// Parts and keys that are in use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Starts {
    /// What starts programs of the operator: `strategy custom`, `pre_restart_command`.
    pub(super) programs: Vec<&'static str>,
    /// What looks at processes of the machine: `strategy process`, `check process`.
    pub(super) looks: Vec<&'static str>,
    /// What speaks through a socket of this machine: `strategy service`, `check docker`.
    pub(super) sockets: Vec<&'static str>,
}

impl Starts {
    /// What the sections of a configuration use.
    pub(super) fn of(config: &Config) -> Self {
        let mut starts = Self::default();
        config.processes.values().chain(&config.default).for_each(|process| starts.add(process));
        for list in [&mut starts.programs, &mut starts.looks, &mut starts.sockets] {
            list.sort_unstable();
            list.dedup();
        }
        starts
    }

    fn add(&mut self, process: &Process) {
        for strategy in process.chain() {
            match strategy {
                "custom" => self.programs.push("strategy custom"),
                "process" => {
                    self.programs.push("strategy process");
                    self.looks.push("strategy process");
                }
                "service" => self.sockets.push("strategy service"),
                "docker" => self.sockets.push("strategy docker"),
                "auto" => self.sockets.push("strategy auto"),
                _ => {}
            }
        }
        match process.check() {
            Some("command") => self.programs.push("health_check_command"),
            Some("process") => self.looks.push("check process"),
            Some("service") => self.sockets.push("check service"),
            Some("docker") => self.sockets.push("check docker"),
            _ => {}
        }
        if process.pre_restart_command.is_some() {
            self.programs.push("pre_restart_command");
        }
        if process.evidence_command.is_some() {
            self.programs.push("evidence_command");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Catalogue, Environment, load};

    #[test]
    fn each_part_in_use_is_named_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.ini");
        let text = "[process.a]\nrestart_strategy = service, process\nhealth_check_command = true\n\
                    [process.b]\nrestart_command = true\npre_restart_command = true\nhealth_check = process\n\
                    [process.c]\nrestart_strategy = process\n";
        std::fs::write(&file, text).unwrap();
        let config = load(&file, &Environment::default(), &Catalogue::default()).config.unwrap();
        let starts = Starts::of(&config);
        assert_eq!(
            starts.programs,
            ["health_check_command", "pre_restart_command", "strategy custom", "strategy process"]
        );
        assert_eq!(starts.looks, ["check process", "strategy process"]);
        assert_eq!(starts.sockets, ["strategy service"]);
    }
}
