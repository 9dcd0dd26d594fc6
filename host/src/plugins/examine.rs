//! Looks at one entry of the plugin directory: opens it once, judges the descriptor, reads the manifest.
//!
//! None of the library's code runs, and it is not mapped. What comes back keeps the descriptor, because the file
//! that was checked is the file that is loaded later, whatever its name leads to by then.

use super::directory::{Directory, Print, in_words, print_of};
use super::elf;
use super::refusal::Reason;
use super::trust::{Facts, Role, Us};
use pm_plugin_api::manifest::Manifest;
use rustix::fs::{FileType, fstat};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

/// A library that may be loaded.
#[derive(Debug)]
pub(super) struct Examined {
    /// The descriptor that everything was checked on.
    pub(super) file: File,
    pub(super) print: Print,
    pub(super) manifest: Manifest,
}

impl Examined {
    /// Whether it only looks at things, and can be loaded by whoever does that: checks need not run as root.
    pub(super) fn needs_no_rights(&self) -> bool {
        let readable = fstat(&self.file).is_ok_and(|stat| stat.st_mode & 0o004 != 0);
        readable && self.manifest.offers.iter().all(|offer| offer.kind == super::CHECK)
    }
}

/// A library that may not.
#[derive(Debug)]
pub(super) struct Rejected {
    /// None when the name leads nowhere.
    pub(super) print: Option<Print>,
    /// As far as it could be read.
    pub(super) manifest: Option<Manifest>,
    pub(super) reason: Reason,
}

/// Examines the entry `name`.
pub(super) fn examine(directory: &Directory, name: &OsStr, us: Us) -> Result<Examined, Box<Rejected>> {
    let path = directory.path.join(name);
    let unopened = |reason| Box::new(Rejected { print: print_of(&path), manifest: None, reason });
    let fd =
        directory.open_entry(name).map_err(|error| unopened(Reason::Unreadable { why: in_words(error) }))?;
    directory
        .vouch_for_link(name, fd.as_fd())
        .map_err(|(target, flaw)| unopened(Reason::UntrustedTarget { target, flaw }))?;
    opened(File::from(fd), &path, us)
}

fn opened(file: File, path: &Path, us: Us) -> Result<Examined, Box<Rejected>> {
    let stat = fstat(&file).map_err(|error| {
        Box::new(Rejected {
            print: None,
            manifest: None,
            reason: Reason::Unreadable { why: in_words(error) },
        })
    })?;
    let print = Print::from(&stat);
    let reject = |manifest, reason| Box::new(Rejected { print: Some(print), manifest, reason });
    regular(FileType::from_raw_mode(stat.st_mode)).map_err(|reason| reject(None, reason))?;
    us.judge(Facts::from(&stat), Role::Itself, path).map_err(|flaw| reject(None, flaw.into()))?;
    let manifest = elf::manifest(&file, stat.st_size as u64).map_err(|reason| reject(None, reason))?;
    match elf::speaks(&manifest) {
        Ok(()) => Ok(Examined { file, print, manifest }),
        Err(reason) => Err(reject(Some(manifest), reason)),
    }
}

/// Whether the descriptor still is what was examined: an overwrite in place keeps the inode.
pub(super) fn unchanged(file: &File, print: &Print) -> Result<(), Reason> {
    match fstat(file) {
        Ok(stat) if Print::from(&stat).same_content(print) => Ok(()),
        Ok(_) => Err(Reason::Overwritten),
        Err(error) => Err(Reason::Unreadable { why: in_words(error) }),
    }
}

fn regular(kind: FileType) -> Result<(), Reason> {
    let what = match kind {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    };
    Err(Reason::NotAFile { what })
}
