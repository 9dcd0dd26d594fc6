//! What a process is called: by the kernel, by its program file, or by the script that it interprets.
//!
//! The kernel keeps 15 bytes of a name, `comm`. A name of up to 15 bytes is compared with that, whole. A longer one must
//! begin with it, and be the file name of the executable, of the first argument, or of the script. A process whose `comm` is
//! that of an interpreter is also called like the script it was given: the first argument that is no option.

use crate::proc::{self, Process};
use pm_plugin_api::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What the kernel keeps of a name.
const COMM: usize = 15;

/// Programs that interpret the script they are given. Some are called with a version, some rename their main thread.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];
const INTERPRETERS: [&str; 8] = ["python", "perl", "ruby", "node", "php", "lua", "tclsh", "MainThread"];

/// Whether the process has this name.
pub(crate) fn is_called(pid: u32, name: &str) -> bool {
    let Some(comm) = proc::comm(pid) else { return false };
    if comm == short(name) {
        return name.len() <= COMM || file_names(pid).any(|its| its == OsStr::new(name));
    }
    is_interpreter(&comm) && script(pid, &comm).is_some_and(|script| file_name(&script) == OsStr::new(name))
}

/// A file that processes run.
pub(crate) struct Executable<'a> {
    given: &'a Path,
    /// What it links to, in the end; `/proc` names that one.
    real: Option<PathBuf>,
    /// What the kernel calls a process that was started by this path.
    short: String,
}

impl<'a> Executable<'a> {
    pub(crate) fn new(given: &'a Path) -> Self {
        let name = given.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        Self { given, real: given.canonicalize().ok(), short: short(&name) }
    }

    /// Whether the process runs it: executes it, or interprets it.
    pub(crate) fn is_run_by(&self, pid: u32) -> bool {
        if proc::executable(pid).is_ok_and(|file| file == self.given || Some(&file) == self.real.as_ref()) {
            return true;
        }
        let Some(comm) = proc::comm(pid) else { return false };
        if comm == self.short {
            // The kernel puts the interpreter and at most one argument before the path of a script.
            return arguments(pid).iter().take(3).any(|word| Path::new(word) == self.given);
        }
        is_interpreter(&comm) && script(pid, &comm).is_some_and(|script| Path::new(&script) == self.given)
    }
}

/// As much of a name as the kernel keeps.
fn short(name: &str) -> String {
    String::from_utf8_lossy(&name.as_bytes()[..name.len().min(COMM)]).into_owned()
}

fn is_interpreter(comm: &str) -> bool {
    SHELLS.contains(&comm) || INTERPRETERS.iter().any(|name| comm.starts_with(name))
}

/// The script that an interpreter was given.
fn script(pid: u32, comm: &str) -> Option<OsString> {
    let mut words = arguments(pid).into_iter().skip(1);
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    // What follows `-c` or `-e` is a program text; options of a shell are too many to tell.
    let text = |word: &OsString| ["-c", "-e", "-r", "-p", "--eval", "-"].iter().any(|option| word == option);
    let first = words.next()?;
    if !is_option(&first) {
        return Some(first);
    }
    if SHELLS.contains(&comm) || text(&first) {
        return None;
    }
    words.find(|word| text(word) || !is_option(word)).filter(|word| !is_option(word))
}

fn file_names(pid: u32) -> impl Iterator<Item = OsString> {
    let executable = proc::executable(pid).ok().map(OsString::from);
    executable.into_iter().chain(arguments(pid).into_iter().take(3)).map(|path| file_name(&path))
}

fn file_name(path: &OsStr) -> OsString {
    Path::new(path).file_name().unwrap_or_default().to_owned()
}

fn arguments(pid: u32) -> Vec<OsString> {
    Process::read(pid).map(|process| process.arguments()).unwrap_or_default()
}

/// The original's way: a part of the short name, `^` for its beginning and `$` for its end.
///
/// The original gave the name to `pkill`, as a regular expression; names that use more of that are refused rather than
/// understood differently. A longer name than the kernel keeps matches nothing, as it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    at_start: bool,
    at_end: bool,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self> {
        let at_start = pattern.strip_prefix('^');
        let at_end = at_start.unwrap_or(pattern).strip_suffix('$');
        let text = at_end.or(at_start).unwrap_or(pattern);
        if text.is_empty() {
            return Err(Error::config(format!(
                "the pattern {pattern:?} would match every process; set a system_name"
            )));
        }
        if let Some(c) = text.chars().find(|c| r"*+?()[]{}|\^$".contains(*c)) {
            return Err(Error::config(format!(
                "match = pattern: {c:?} in {text:?} is not supported; a pattern is a part of the short name, with ^ for \
                 its beginning and $ for its end. Use match = name, executable or pid_file instead"
            )));
        }
        Ok(Self { text: text.to_owned(), at_start: at_start.is_some(), at_end: at_end.is_some() })
    }

    pub(crate) fn matches(&self, comm: &str) -> bool {
        match (self.at_start, self.at_end) {
            (true, true) => comm == self.text,
            (true, false) => comm.starts_with(&self.text),
            (false, true) => comm.ends_with(&self.text),
            (false, false) => comm.contains(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_of_the_short_name() {
        let matches = |pattern: &str, comm: &str| Pattern::new(pattern).unwrap().matches(comm);
        for (pattern, comm) in
            [("cron", "crond"), ("^cron", "crond"), ("rond$", "crond"), ("^crond$", "crond")]
        {
            assert!(matches(pattern, comm), "{pattern} {comm}");
        }
        for (pattern, comm) in
            [("^rond", "crond"), ("cron$", "crond"), ("^cron$", "crond"), ("crondd", "crond")]
        {
            assert!(!matches(pattern, comm), "{pattern} {comm}");
        }
        for empty in ["", "^", "$", "^$"] {
            assert!(Pattern::new(empty).is_err(), "{empty:?}");
        }
    }

    #[test]
    fn expressions_are_refused_rather_than_misunderstood() {
        for (text, fine) in
            [("a.b-c_d@e", true), ("a|b", false), ("a*", false), ("[ab]", false), ("a^b", false)]
        {
            assert_eq!(Pattern::new(text).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_bytes_like_the_kernel_does() {
        assert_eq!(short("short"), "short");
        assert_eq!(short("exactly-15-byte"), "exactly-15-byte");
        assert_eq!(short("more-than-15-bytes"), "more-than-15-by");
        assert_eq!(short("fourteen-bytesț"), "fourteen-bytes\u{fffd}");
    }
}
