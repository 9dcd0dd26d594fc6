//! The check "{{name}}": healthy while a file that the process touches is fresh.

#![forbid(unsafe_code)]

use pm_plugin_api::{Error, ErrorKind, Health, HealthCheck, Result, Target};
use std::path::PathBuf;
use std::time::Duration;

pm_plugin_api::settings! {
    /// What the operator can set. These texts are what `pm plugins info {{name}}` shows.
    pub struct {{type}}Settings {
        /// The directory of the files; each process touches the one that is called like it.
        pub {{key}}_dir: PathBuf = "/run/{{name}}",
        /// How old the file may be.
        pub {{key}}_age: Duration = "1m",
    }
}

struct {{type}}({{type}}Settings);

impl HealthCheck for {{type}} {
    type Settings = {{type}}Settings;

    /// Cheap, no I/O: called once for each set of settings.
    fn new(settings: {{type}}Settings) -> Result<Self> {
        if settings.{{key}}_age.is_zero() {
            return Err(Error::config("{{key}}_age: has to be more than nothing"));
        }
        Ok(Self(settings))
    }

    /// Looks once; pm repeats it. Called from several threads at once.
    fn check(&self, target: &Target) -> Result<Health> {
        // A name is data: it must not lead out of the directory.
        let name = &target.system_name;
        if name.contains('/') || name.starts_with('.') {
            return Err(Error::new(ErrorKind::Config, "such a name cannot be that of a file"));
        }
        let file = self.0.{{key}}_dir.join(name);
        let touched = match std::fs::metadata(&file).and_then(|file| file.modified()) {
            Ok(touched) => touched,
            Err(why) => return Ok(Health::unhealthy(format!("{}: {why}", file.display()))),
        };
        Ok(match touched.elapsed() {
            Ok(age) if age <= self.0.{{key}}_age => Health::healthy(format!("touched {age:.0?} ago")),
            Ok(age) => Health::unhealthy(format!("touched {age:.0?} ago")),
            Err(_) => Health::unknown("touched in the future"),
        })
    }
}

pm_plugin_api::export! { check "{{name}}" => {{type}} }

#[cfg(test)]
mod tests;
