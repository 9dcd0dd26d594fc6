//! User and password of the alarm database, from the safest place that has one.
//!
//! In this order: systemd credential, `password_file`, `PM_DATABASE_PASSWORD`, the value itself (text or `${NAME}`).
//! The password never appears in a problem.

use super::commands::variable_reference;
use super::option_file::option_value;
use super::reader::Reader;
use crate::config::database::Login;
use crate::config::environment::Environment;
use crate::config::secret::Secret;
use std::io::ErrorKind;
use std::path::Path;

/// The credential that `LoadCredential=database_password:…` of a unit provides.
pub(super) const CREDENTIAL: &str = "database_password";
/// The variable that holds the password.
pub(super) const VARIABLE: &str = "PM_DATABASE_PASSWORD";
/// No password is longer.
const LARGEST: usize = 64 * 1024;
/// Passwords of the published samples.
const SAMPLES: [&str; 2] = ["MySecurePassword123", "secure_password"];

/// What is known of the file itself.
pub(in crate::config) struct Source<'a> {
    pub(in crate::config) environment: &'a Environment,
    pub(in crate::config) file: &'a Path,
    /// Permission bits of the file.
    pub(in crate::config) mode: u32,
}

/// What to log in with; see [`Server::logins`](crate::config::database::Server::logins).
pub(super) fn logins(reader: &mut Reader<'_>, source: &Source<'_>) -> Option<Vec<Login>> {
    let user = reader.raw("user");
    if user.is_none() {
        reader.error("user", "is required", "write the account that reads the alarms");
    }
    let password = password(reader, source);
    let (user, password) = (user?.to_owned(), password?);
    let (plain, read) = match password {
        Password::Elsewhere(secret) => (secret.clone(), secret),
        Password::Inline(text) => (Secret::new(text), Secret::new(option_value(text))),
    };
    let mut logins =
        vec![Login { user: option_value(&user), password: read }, Login { user, password: plain }];
    logins.dedup();
    Some(logins)
}

enum Password<'a> {
    Inline(&'a str),
    Elsewhere(Secret),
}

fn password<'a>(reader: &mut Reader<'a>, source: &Source<'_>) -> Option<Password<'a>> {
    let environment = source.environment;
    let inline = reader.raw("password");
    let file = reader.path("password_file");
    if let Some(text) = inline.filter(|text| variable_reference(text).is_none()) {
        judge_inline(reader, source, text);
    }
    let elsewhere = match credential(reader, environment)? {
        Some(secret) => Some(secret),
        None => match &file {
            Some(file) => Some(from_file(reader, environment, file)?),
            None => environment.variable(VARIABLE).map(Secret::new),
        },
    };
    if let Some(secret) = elsewhere {
        if inline.is_some() {
            let hint = "delete the line";
            reader.warning("password", "is not used, the password comes from a safer place", hint);
        }
        return Some(Password::Elsewhere(secret));
    }
    let Some(text) = inline else {
        let hint =
            format!("write it, or better set password_file, {VARIABLE} or a systemd credential {CREDENTIAL}");
        reader.error("password", "is required and must not be empty", hint);
        return None;
    };
    let Some(name) = variable_reference(text) else { return Some(Password::Inline(text)) };
    let Some(value) = environment.variable(name) else {
        reader.error(
            "password",
            format!("the variable {name} is not set"),
            "set it in the environment of pm",
        );
        return None;
    };
    Some(Password::Elsewhere(Secret::new(value)))
}

/// The systemd credential; the outer `None` means that there is one which cannot be read.
fn credential(reader: &mut Reader<'_>, environment: &Environment) -> Option<Option<Secret>> {
    let Some(directory) = environment.variable("CREDENTIALS_DIRECTORY") else { return Some(None) };
    let path = Path::new(directory).join(CREDENTIAL);
    match environment.read(&path, LARGEST) {
        Ok(found) => Some(Some(one_line(&found.bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(None),
        Err(error) => {
            let message = format!("cannot read the credential {}: {error}", path.display());
            reader.error("password", message, "see LoadCredential= of the unit");
            None
        }
    }
}

fn judge_inline(reader: &mut Reader<'_>, source: &Source<'_>, text: &str) {
    if SAMPLES.contains(&text.trim_matches(['"', '\''])) {
        let hint = "change it at the server and here";
        reader.warning("password", "is the published password of the sample", hint);
    }
    if source.mode & 0o004 != 0 {
        let hint = format!("run: chmod 600 {}", source.file.display());
        reader.warning("password", "stands in a file that every user of this host can read", hint);
    }
}

fn from_file(reader: &mut Reader<'_>, environment: &Environment, file: &Path) -> Option<Secret> {
    let found = match environment.read(file, LARGEST) {
        Ok(found) => found,
        Err(error) => {
            let message = format!("cannot read {}: {error}", file.display());
            reader.error("password_file", message, "create it, readable only by the user that pm runs as");
            return None;
        }
    };
    if found.mode & 0o004 != 0 {
        let hint = format!("run: chmod 600 {}", file.display());
        reader.warning("password_file", "every user of this host can read it", hint);
    }
    let secret = one_line(&found.bytes);
    if secret.is_empty() {
        reader.error("password_file", format!("{} is empty", file.display()), "write the password into it");
        return None;
    }
    Some(secret)
}

/// The first line of a file; editors and `echo` end it with a newline that is not meant.
fn one_line(bytes: &[u8]) -> Secret {
    let text = String::from_utf8_lossy(bytes);
    Secret::new(text.lines().next().unwrap_or_default())
}
