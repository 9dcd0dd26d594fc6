//! The notifier "command": the operator's own command line, which finds the notice in its environment.
//!
//! Nothing of a notice becomes part of the line, so no name can break out of it.

use pm_plugin_api::command::{Limits, prepare, run};
use pm_plugin_api::{Error, ErrorKind, Notice, Notifier, Result};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pm_plugin_api::settings! {
    /// Settings of the notifier "command".
    pub struct CommandSettings {
        /// A command line, run by bash in / without input; a status other than 0 is a failed delivery and is tried again. It
        /// finds the notice in the variables PM_EVENT, PM_SEVERITY, PM_NAME, PM_HOST, PM_SUMMARY, PM_DETAIL, PM_TEXT (both),
        /// PM_TIME (seconds since 1970), PM_REPEATED, PM_LANGUAGE, PM_ID, and all of it as JSON in PM_JSON.
        pub notify_command: String,
    }
}

/// See the module.
pub(crate) struct Command {
    line: String,
}

impl Notifier for Command {
    type Settings = CommandSettings;

    fn new(settings: CommandSettings) -> Result<Self> {
        if settings.notify_command.trim().is_empty() {
            return Err(Error::config("notify_command: is empty; write a command line"));
        }
        Ok(Self { line: settings.notify_command })
    }

    fn notify(&self, notice: &Notice) -> Result<()> {
        let mut command = prepare(&self.line, Path::new("/"), &variables(notice)?);
        let finished = run(&mut command, &Limits::within(notice.timeout()))
            .map_err(|error| Error::new(kind_of(&error), format!("notify_command: {error}")))?;
        if finished.success() {
            return Ok(());
        }
        Err(Error::failed(format!("notify_command {}", finished.explain())))
    }
}

fn variables(notice: &Notice) -> Result<BTreeMap<String, String>> {
    let json = serde_json::to_string(&crate::webhook::body(notice))?;
    let text = text(notice);
    let all = [
        ("PM_EVENT", notice.event.as_str()),
        ("PM_SEVERITY", notice.severity.word()),
        ("PM_NAME", &notice.subject),
        ("PM_HOST", &notice.host),
        ("PM_SUMMARY", &notice.summary),
        ("PM_DETAIL", &notice.detail),
        ("PM_TEXT", &text),
        ("PM_TIME", &(notice.time_ms / 1000).to_string()),
        ("PM_REPEATED", &notice.repeated.to_string()),
        ("PM_LANGUAGE", &notice.language),
        ("PM_ID", &notice.id),
        ("PM_JSON", &json),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Ok(BTreeMap::from(all))
}

/// Summary and detail as one text.
pub(crate) fn text(notice: &Notice) -> String {
    if notice.detail.is_empty() {
        return notice.summary.clone();
    }
    format!("{}\n{}", notice.summary, notice.detail)
}

/// A line that cannot be run stays so until somebody changes it; a host that is short of something may have it later.
fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::ArgumentListTooLong => ErrorKind::Config,
        io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::testing::notifier;

    fn hostile() -> Notice {
        let mut notice = Notice::of("restart_failed", "$(touch /tmp/pwned) `id` \"; false");
        notice.subject = "web; reboot".to_owned();
        notice.detail = "two\nlines".to_owned();
        notice.time_ms = 1_700_000_000_123;
        notice
    }

    #[test]
    fn the_command_finds_the_notice_in_its_environment_and_nothing_of_it_in_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        let line = format!(
            "printf '%s|%s|%s|%s\\n%s\\n' \"$PM_EVENT\" \"$PM_NAME\" \"$PM_TIME\" \"$PM_TEXT\" \"$PM_JSON\" > {}",
            file.display()
        );
        notifier::<Command>(&[("notify_command", &line)]).unwrap().notify(&hostile()).unwrap();
        let out = std::fs::read_to_string(&file).unwrap();
        let expected =
            "restart_failed|web; reboot|1700000000|$(touch /tmp/pwned) `id` \"; false\ntwo\nlines\n{";
        assert!(out.starts_with(expected), "{out}");
        assert!(out.contains(r#""subject":"web; reboot""#), "{out}");
    }

    #[test]
    fn a_command_that_fails_or_hangs_or_does_not_exist_is_told_apart() {
        let told = |line: &str, ms| {
            let mut notice = hostile();
            notice.timeout_ms = ms;
            notifier::<Command>(&[("notify_command", line)]).unwrap().notify(&notice).unwrap_err()
        };
        let failed = told("echo no route >&2; exit 3", 5_000);
        assert_eq!(
            (failed.kind, failed.message.as_str()),
            (ErrorKind::Failed, "notify_command exited with status 3: no route")
        );
        assert!(told("sleep 60", 300).message.contains("gave no result within"));
        assert!(notifier::<Command>(&[("notify_command", " ")]).is_err());
    }
}
