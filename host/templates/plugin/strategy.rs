//! The strategy "{{name}}": restarts something by running a program of the operator with `restart NAME`.

#![forbid(unsafe_code)]

use pm_plugin_api::command::{Limits, run};
use pm_plugin_api::{Error, Outcome, Result, Strategy, Target};
use std::path::PathBuf;
use std::process::Command;

pm_plugin_api::settings! {
    /// What the operator can set. These texts are what `pm plugins info {{name}}` shows.
    pub struct {{type}}Settings {
        /// The program that restarts, called as `PROGRAM restart NAME`.
        pub {{key}}_program: PathBuf = "/usr/local/bin/{{name}}",
    }
}

struct {{type}}({{type}}Settings);

impl Strategy for {{type}} {
    type Settings = {{type}}Settings;

    /// Cheap, no I/O: called once for each set of settings.
    fn new(settings: {{type}}Settings) -> Result<Self> {
        Ok(Self(settings))
    }

    /// Restarts what runs, starts what does not, and waits for the result of that. Called from several threads at once.
    fn restart(&self, target: &Target) -> Result<Outcome> {
        let mut program = Command::new(&self.0.{{key}}_program);
        program.args(["restart", &target.system_name]);
        // Ends a little before pm would give up, so that there is an answer.
        let done = run(&mut program, &Limits::within(target.timeout()))?;
        tracing::info!(program = %self.0.{{key}}_program.display(), "{}", done.describe());
        if done.success() {
            Ok(Outcome::restarted("the program says so"))
        } else {
            Err(Error::failed(done.explain()))
        }
    }
}

pm_plugin_api::export! { strategy "{{name}}" => {{type}} }

#[cfg(test)]
mod tests;
