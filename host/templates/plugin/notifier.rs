//! The notifier "{{name}}": writes what happened into a file, a line for each notice.

#![forbid(unsafe_code)]

use pm_plugin_api::{Error, Notice, Notifier, Result};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

pm_plugin_api::settings! {
    /// What the operator can set. These texts are what `pm plugins info {{name}}` shows.
    pub struct {{type}}Settings {
        /// The file that is written to; it is made when there is none.
        pub {{key}}_file: PathBuf = "/var/log/{{name}}.log",
    }
}

struct {{type}}({{type}}Settings);

impl Notifier for {{type}} {
    type Settings = {{type}}Settings;

    /// Cheap, no I/O: called once for each set of settings.
    fn new(settings: {{type}}Settings) -> Result<Self> {
        Ok(Self(settings))
    }

    /// Delivers one notice, once, within `notice.timeout()`; pm repeats what fails, limits and waits.
    fn notify(&self, notice: &Notice) -> Result<()> {
        let path = &self.0.{{key}}_file;
        let (at, how, host) = (notice.time_ms, notice.severity.word(), &notice.host);
        let line = format!("{at} {how} {host}: {}\n", notice.summary);
        let failed = |why| Error::from(why).context(format_args!("writing to {}", path.display()));
        let file = File::options().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(failed)
    }
}

pm_plugin_api::export! { notifier "{{name}}" => {{type}} }

#[cfg(test)]
mod tests;
