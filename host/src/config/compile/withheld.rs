//! What opens the alarm database is pm's alone: no setting of a plugin may refer to it.
//!
//! The password itself is never among the settings, because each part gets the keys that it declares and nothing of
//! `[database]`. What is left are references: a variable, or a file that the plugin would read.

use super::commands::variable_reference;
use super::password::{CREDENTIAL, VARIABLE};
use super::reader::Reader;
use crate::config::environment::Environment;
use crate::config::sections::Sections;
use std::path::Path;

/// Says so, and answers true, when `value` leads to the password of the database.
pub(super) fn refused(
    reader: &mut Reader<'_>,
    sections: &Sections,
    environment: &Environment,
    key: &str,
    value: &str,
) -> bool {
    let database = |key: &str| {
        let text = sections.get("database")?.texts.get(key)?;
        Some(text.value.as_str()).filter(|value| !value.is_empty())
    };
    let what = if let Some(name) = variable_reference(value) {
        let own = database("password").and_then(variable_reference);
        (name == VARIABLE || own == Some(name)).then_some("the variable")
    } else {
        let directory = environment.variable("CREDENTIALS_DIRECTORY");
        let credential = directory.map(|directory| Path::new(directory).join(CREDENTIAL));
        let own = database("password_file").map(Path::new).into_iter().chain(credential.as_deref());
        own.into_iter().any(|own| own == Path::new(value)).then_some("the file")
    };
    let Some(what) = what else { return false };
    let message = format!("{what} holds the password of the database, which no plugin gets");
    reader.error(key, message, "give the plugin a secret of its own; the key is left out until then");
    true
}
