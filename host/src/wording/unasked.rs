//! What is said of restarts that no alarm has asked for: those for the sake of a dependency, and by hand when pm was killed
//! in the middle. Nobody is told that an alarm was handled where there was none.

use super::RESTART;
use crate::policy::model::Name;

pub(crate) fn because_of(name: &Name, dependency: &Name) -> String {
    format!(
        "{RESTART} {name} is restarted because {dependency}, on which it depends, was (restart_dependents)"
    )
}

pub(crate) fn done(name: &Name) -> String {
    format!("{RESTART} {name}, which was not in alarm, was restarted")
}

pub(crate) fn not_done(name: &Name, why: &str) -> String {
    format!("{RESTART} {name}, which was not in alarm, was not restarted: {why}")
}
