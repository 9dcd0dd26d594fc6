//! Who a program runs as. Accounts are looked up with `getent` and `id`, so that every directory service the host knows
//! counts, without its libraries in our process.

use crate::command::{Limits, find_program, run};
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The rights of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups.
    pub groups: Vec<u32>,
    /// Name, home and shell of the account, when it was looked up by name.
    pub account: Option<Account>,
}

/// What the environment of a user says about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `USER` and `LOGNAME`.
    pub name: String,
    /// `HOME`.
    pub home: PathBuf,
    /// `SHELL`.
    pub shell: PathBuf,
}

impl User {
    /// Looks up an account by name or number.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when there is none, and when the host cannot be asked.
    pub fn named(name: &str) -> io::Result<Self> {
        let entry = ask("getent", &["passwd", "--", name])?.filter(|_| !name.is_empty());
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("there is no user {name:?}"));
        let entry = entry.ok_or_else(unknown)?;
        let mut fields = entry.trim_end().split(':');
        let mut next = || fields.next().ok_or_else(unknown);
        let (its_name, _password) = (next()?.to_owned(), next()?);
        let (uid, gid) = (next()?, next()?);
        let (_comment, home, shell) = (next()?, PathBuf::from(next()?), PathBuf::from(next()?));
        let number = |text: &str| text.parse::<u32>().map_err(|_| unknown());
        let (uid, gid) = (number(uid)?, number(gid)?);
        let groups = ask("id", &["-G", "--", &its_name])?.ok_or_else(unknown)?;
        let groups = groups.split_whitespace().map(number).collect::<io::Result<_>>()?;
        Ok(Self { uid, gid, groups, account: Some(Account { name: its_name, home, shell }) })
    }

    /// Whether a process of ours would have to change to it.
    pub(super) fn is_another(&self) -> bool {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        (self.uid, self.gid) != (uid, gid) || uid == 0
    }
}

/// The output of a program of the host; none when it says no.
fn ask(program: &str, arguments: &[&str]) -> io::Result<Option<String>> {
    let file = find_program(program, OsStr::new("/usr/bin:/bin")).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("the program {program}, needed to look up users, is not installed"),
        )
    })?;
    let limits = Limits { timeout: Duration::from_secs(5), ..Limits::default() };
    let finished = run(Command::new(file).args(arguments), &limits)?;
    Ok(Some(finished.output.clone()).filter(|_| finished.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_number() {
        let root = User::named("root").unwrap();
        assert_eq!((root.uid, root.gid, root.groups.contains(&0)), (0, 0, true));
        assert_eq!(root.account.as_ref().unwrap().home, PathBuf::from("/root"));
        assert_eq!(User::named("0").unwrap(), root);
    }

    #[test]
    fn unknown_accounts_are_not_found() {
        for name in ["", "no-such-user-here", "--help", "-s", "a:b", "4294967294"] {
            let error = User::named(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{name:?}: {error}");
        }
    }
}
