//! Turns a line that the operator wrote into a command.
//!
//! A line is a shell's business: bash, because the configuration of the original was evaluated by it, else sh. The
//! one exception, [`simple`], saves the shell where it could not make a difference.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Where a shell is looked for before `PATH` is.
const USUAL: [&str; 4] = ["/bin", "/usr/bin", "/usr/local/bin", "/run/current-system/sw/bin"];

/// Looked up once, and absolute: a relative one would keep std off the `posix_spawn` path.
static SHELL: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = || USUAL.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    ["bash", "sh"]
        .into_iter()
        .find_map(|name| dirs().map(|dir| dir.join(name)).find(|file| is_program(file)))
        .unwrap_or_else(|| PathBuf::from("/bin/sh"))
});

/// `bash -c LINE`, or `sh -c LINE` where there is no bash.
///
/// Never build the line with names in it by hand: see [`substitute`](super::substitute).
pub fn shell(line: &str) -> Command {
    let mut command = Command::new(SHELL.as_path());
    command.arg("-c").arg("--").arg(line);
    command
}

/// The command of a line that means the same without a shell: nothing but plain words, the first of which is a
/// program given by its path or found in `path` (the value of `PATH`), and is no keyword or builtin of a shell.
///
/// None sends the line to [`shell`], which is always right. Starting bash takes longer than `true` does to run: a burst
/// of 1,000 trivial commands takes 1.0 s with it and 0.6 s without (two processors).
pub fn simple(line: &str, path: &OsStr) -> Option<Command> {
    if !line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" \t_./:@%+,=-".contains(&byte)) {
        return None;
    }
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let name = words.next().filter(|name| !name.contains(['=', '%']))?;
    let program = if name.starts_with('/') {
        PathBuf::from(name)
    } else if OWN_WORDS.split_whitespace().any(|word| word == name) {
        return None;
    } else {
        find_program(name, path)?
    };
    if !starts_by_itself(&program) {
        return None;
    }
    let mut command = Command::new(program);
    command.args(words);
    Some(command)
}

/// The executable file of this name in the absolute directories of `path`.
pub fn find_program(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return None;
    }
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Scripts without a `#!` line run under a shell only.
fn starts_by_itself(file: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read(&mut magic));
    is_program(file) && read.is_ok() && (magic == *b"\x7fELF" || magic.starts_with(b"#!"))
}

/// Keywords and builtins of bash and dash that act on the shell itself or differ from the program of that name.
/// `true` and `false` do not differ.
const OWN_WORDS: &str = "alias bg bind break builtin caller case cd command compgen complete compopt continue coproc \
    declare dirs disown do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash \
    help history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select \
    set shift shopt source suspend test then time times trap type typeset ulimit umask unalias unset until wait while";

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "relative:/usr/local/bin:/usr/bin:/bin";

    fn program(line: &str) -> Option<String> {
        simple(line, OsStr::new(PATH)).map(|command| {
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join("|")
        })
    }

    #[test]
    fn plain_words_need_no_shell() {
        assert!(program("true").unwrap().ends_with("/true"));
        assert!(program(" cat\t--  -n a=b ").unwrap().ends_with("/cat|--|-n|a=b"));
        assert!(program("/bin/cat /etc/passwd").unwrap().starts_with("/bin/cat|"));
    }

    #[test]
    fn everything_else_goes_to_a_shell() {
        for line in [
            "",
            " ",
            "true; true",
            "a=b true",
            "cat ~",
            "cat *",
            "echo $HOME",
            "cat 'x'",
            "cat x > y",
            "true &",
            "true\ntrue",
            "cd /",
            "exit 3",
            "exec true",
            "kill 1",
            "%1",
            "cat {a,b}",
            "cat # x",
            "! true",
            "[ -e /x ]",
            "bin/true",
            "./true",
            "nosuchprogram-7",
            "/nosuchfile",
            "/etc/passwd",
            "ț",
        ] {
            assert_eq!(program(line), None, "{line:?}");
        }
    }

    #[test]
    fn every_word_of_a_shell_is_listed() {
        let list = shell("compgen -b; compgen -k").output().unwrap();
        for word in String::from_utf8(list.stdout).unwrap().split_whitespace() {
            let known = OWN_WORDS.split_whitespace().any(|own| own == word);
            let exempt = ["true", "false"].contains(&word) || !word.bytes().all(|b| b.is_ascii_lowercase());
            assert!(known || exempt || find_program(word, OsStr::new(PATH)).is_none(), "{word}");
        }
    }

    #[test]
    fn a_script_without_a_hash_bang_is_left_to_the_shell() {
        let file = std::env::temp_dir().join(format!("pm-command-{}", std::process::id()));
        let line = file.to_str().unwrap().to_owned();
        for (text, direct) in [("echo hi", false), ("#!/bin/sh\necho hi", true)] {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(program(&line).is_some(), direct, "{text:?}");
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_line_that_looks_like_an_option_is_still_a_command() {
        let out = shell("-x 2>/dev/null; echo $?").output().unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), "127\n");
    }
}
