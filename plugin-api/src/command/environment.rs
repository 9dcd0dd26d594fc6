//! What a command of the operator sees of the world: a directory and few variables.
//!
//! The daemon's own environment may hold the database password and the operator's habits; a command gets an
//! allow-list of it, and what it is told about the process. So it behaves the same by hand, in a test and under systemd.

use super::{shell, simple};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// What passes from the daemon to a command, besides `LC_*`. The last two lead to the user's systemd.
const PASSED: [&str; 10] = [
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TERM",
    "USER",
    "LOGNAME",
    "SHELL",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// For a daemon that was started without any.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a variable of the daemon passes to what it starts.
#[doc(hidden)]
#[must_use]
pub fn is_passed(key: &str) -> bool {
    PASSED.contains(&key) || key.starts_with("LC_")
}

/// The whole environment of a command that runs in `directory`: an allow-list of the daemon's (`PATH HOME LANG LC_* TZ
/// TERM USER LOGNAME SHELL XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS`), `PWD`, and `variables`, which win.
///
/// Values may come from the database: NUL characters, which no variable can hold, are taken out of them, and keys that
/// cannot be one are left out. There always is a `PATH`.
pub fn environment(directory: &Path, variables: &BTreeMap<String, String>) -> BTreeMap<OsString, OsString> {
    let mut all = BTreeMap::from([("PATH".into(), USUAL_PATH.into())]);
    all.extend(std::env::vars_os().filter(|(key, _)| key.to_str().is_some_and(is_passed)));
    all.insert("PWD".into(), directory.into());
    for (key, value) in variables.iter().filter(|(key, _)| !key.is_empty() && !key.contains(['=', '\0'])) {
        all.insert(key.into(), value.replace('\0', "").into());
    }
    all
}

/// The command for a line of the operator, to be given to [`run`](super::run): in `directory`, with the
/// [`environment`] and nothing else, through [`shell()`] or directly where that is [the same](simple).
pub fn prepare(line: &str, directory: &Path, variables: &BTreeMap<String, String>) -> Command {
    let all = environment(directory, variables);
    let path = all.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
    let mut command = simple(line, path).unwrap_or_else(|| shell(line));
    command.current_dir(directory).env_clear().envs(all);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn seen(variables: &BTreeMap<String, String>) -> Vec<String> {
        let out = prepare("env -0", Path::new("/tmp"), variables).output().unwrap();
        String::from_utf8(out.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn nothing_but_the_list_and_what_is_given() {
        let given = variables(&[("process_name", "web"), ("a=b", "x"), ("", "x"), ("notes", "two\nlines\0")]);
        let seen = seen(&given);
        for line in &seen {
            let (key, _) = line.split_once('=').unwrap();
            let expected = ["PWD", "process_name", "notes"].contains(&key);
            assert!(expected || PASSED.contains(&key) || key.starts_with("LC_"), "{line}");
        }
        assert!(seen.contains(&"notes=two\nlines".to_owned()) && seen.contains(&"PWD=/tmp".to_owned()));
        // Cargo sets this one for every test.
        assert!(
            std::env::var_os("CARGO_MANIFEST_DIR").is_some()
                && !seen.iter().any(|line| line.contains("CARGO"))
        );
    }

    #[test]
    fn what_is_given_wins_for_the_search_of_the_program_too() {
        let elsewhere = variables(&[("PATH", "/nowhere")]);
        let command = prepare("true", Path::new("/"), &elsewhere);
        assert_eq!(command.get_args().last(), Some(OsStr::new("true")), "left to the shell");
        assert!(prepare("true", Path::new("/"), &BTreeMap::new()).get_args().next().is_none());
    }
}
