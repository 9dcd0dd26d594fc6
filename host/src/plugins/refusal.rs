//! Why a library, or a whole directory of them, is not used: one line that names the file, the reason and the fix.
//!
//! A refusal is data that is kept and shown for as long as it holds (in the log, in `pm plugins list`, in the error
//! of a process that needs the part); the tests and the operator read the same words. Nothing is judged here.

use std::fmt;
use std::path::{Path, PathBuf};

/// A library that is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin {}: {reason}", file.display())]
pub struct Refusal {
    /// The file as it stands in the plugin directory.
    pub file: PathBuf,
    /// What is wrong and what to do.
    pub reason: Reason,
}

/// Who made a library, as far as its manifest tells: `plugin "docker" 0.3.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// The plugin's name.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin \"{}\" {}", self.name, self.version)
    }
}

/// What is wrong with a library and what to do. In the order in which it is found out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It cannot be opened or read.
    #[error("cannot be read: {why}; let pm read it (chmod a+r), or remove it")]
    Unreadable {
        /// The system's words.
        why: String,
    },
    /// It is a directory, a pipe, a device.
    #[error("is {what}, not a regular file; remove it")]
    NotAFile {
        /// What it is, with its article.
        what: &'static str,
    },
    /// Somebody could change it, or the place where it lies.
    #[error(transparent)]
    Untrusted(#[from] Flaw),
    /// The place that a symbolic link leads to is not trusted.
    #[error("leads to {}, but its directory {flaw}", target.display())]
    UntrustedTarget {
        /// The file that the link leads to.
        target: PathBuf,
        /// What is wrong with the directory of that file.
        flaw: Flaw,
    },
    /// It has no bytes.
    #[error("is empty; copy it again")]
    Empty,
    /// It does not begin as an ELF file.
    #[error("is not a shared library (no ELF header); remove it or copy it again")]
    NotElf,
    /// It is an ELF file of another type.
    #[error("is not a shared library but {what}; build it with crate-type = [\"cdylib\"]")]
    NotShared {
        /// What it is, with its article.
        what: &'static str,
    },
    /// A part of it lies outside the file.
    #[error("is truncated: {what} ends at byte {end}, the file has {size}; copy it again")]
    Truncated {
        /// The part, with its article.
        what: &'static str,
        /// Where it should end.
        end: u64,
        /// How large the file is.
        size: u64,
    },
    /// It is for another processor, word size or byte order.
    #[error("was built for {built_for}, this host is {host}; install the build for this host")]
    Machine {
        /// What it was built for.
        built_for: String,
        /// What this program was built for.
        host: &'static str,
    },
    /// Its ELF tables contradict each other.
    #[error("is damaged: {what}; copy it again")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
    /// It has no manifest.
    #[error(
        "is a shared library but not a pm plugin (no manifest); does it call pm_plugin_api::export!? \
         If it is none, remove it"
    )]
    NotAPlugin,
    /// Its manifest has another size.
    #[error("was built with another version of the plugin manifest; rebuild it with pm-plugin-api 1.x")]
    ManifestVersion,
    /// Its manifest holds what no author wrote.
    #[error("has a damaged manifest ({what}); rebuild it with pm-plugin-api 1.x or copy it again")]
    DamagedManifest {
        /// What does not fit.
        what: &'static str,
    },
    /// It speaks another binary interface.
    #[error("{maker} uses plugin interface {found}, this pm offers {offered}; {}",
        if found > offered { "upgrade pm or install an older plugin" } else { "install a newer plugin" })]
    Interface {
        /// Whose it is.
        maker: Maker,
        /// What it speaks.
        found: u16,
        /// What this pm speaks.
        offered: u16,
    },
    /// It is not what is written in the configuration.
    #[error(
        "has the SHA-256 sum {found}, but [library.{library}] sha256 = {pinned}; install the file that has it, or write \
         the new sum if this file is the right one"
    )]
    OtherContent {
        /// Its name.
        library: String,
        /// The sum of the file.
        found: String,
        /// The sum that is written.
        pinned: String,
    },
    /// Nothing is written of what it has to be, and that is not enough here.
    #[error(
        "has no sha256 in the configuration, and [plugins] only_pinned = yes; if the file is the right one, write into \
         [library.{library}]: sha256 = {found}"
    )]
    NotPinned {
        /// Its name.
        library: String,
        /// The sum of the file.
        found: String,
    },
    /// Another library offers the same part.
    #[error("offers {kind} \"{name}\", already provided by {}; remove one{}", other.display(), or_override(library))]
    Duplicate {
        /// Its name, when that tells it from the other one.
        library: Option<String>,
        /// The kind of the part.
        kind: String,
        /// The name of the part.
        name: String,
        /// The library that is used.
        other: PathBuf,
    },
    /// It is not the file any more that was checked.
    #[error("was overwritten in place after it was checked; install it by rename (install, or cp and mv)")]
    Overwritten,
    /// The dynamic linker refuses it.
    #[error("cannot be loaded: {why}; install what is missing or rebuild the plugin for this host")]
    Linking {
        /// The linker's words.
        why: String,
    },
    /// The entry point is missing.
    #[error(
        "has a manifest but no entry point {} or {}; rebuild it with pm_plugin_api::export! or with pm_plugin.h",
        pm_plugin_api::abi::ROOT_SYMBOL,
        pm_plugin_api::c::C_SYMBOL
    )]
    NoEntryPoint,
    /// The table of its C functions cannot be used.
    #[error(
        "{maker}: its table {} {what}; build it with the pm_plugin.h of interface 1",
        pm_plugin_api::c::C_SYMBOL
    )]
    Table {
        /// Whose it is.
        maker: Maker,
        /// What is wrong with it.
        what: String,
    },
    /// Built on another version of the boundary's foundation.
    #[error("built with abi_stable {found}, this pm uses {ours}; rebuild it with pm-plugin-api 1.x")]
    AbiStable {
        /// The version it was built with.
        found: String,
        /// This pm's version.
        ours: String,
    },
    /// The types at the boundary differ.
    #[error(
        "{maker}: its binary interface differs although the version matches; rebuild it against \
         pm-plugin-api 1.x (details at debug level)"
    )]
    Layout {
        /// Whose it is.
        maker: Maker,
    },
    /// It does not offer what is in use.
    #[error(
        "no longer offers the {kind} \"{name}\", which is in use; to take it all the same: pm plugins reload \
         {name}"
    )]
    Lacks {
        /// The kind of the part.
        kind: String,
        /// The name of the part.
        name: String,
    },
    /// Its worker found a reason to refuse it.
    #[error("{why}")]
    Unfit {
        /// The reason as it is shown.
        why: String,
    },
    /// No worker can be had for it.
    #[error("{maker}: its worker {why}")]
    Worker {
        /// Whose it is.
        maker: Maker,
        /// What happened.
        why: String,
    },
    /// Its entry point failed.
    #[error("{maker}: its entry point failed: {why}; report it to the author of the plugin")]
    EntryPoint {
        /// Whose it is.
        maker: Maker,
        /// In one line.
        why: String,
    },
}

fn or_override(library: &Option<String>) -> String {
    let Some(name) = library else { return String::new() };
    format!(", or write override = yes in [library.{name}] to use this one")
}

/// Somebody else could change what pm would run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; {}", self.fact(), self.fix())]
pub enum Flaw {
    /// Group or others may write.
    Writable {
        /// What to change.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    Owner {
        /// What to change.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
        /// The user that pm runs as.
        ours: u32,
    },
    /// It cannot be looked at.
    Hidden {
        /// What cannot be looked at.
        path: PathBuf,
    },
}

impl Flaw {
    /// What it is a flaw of.
    fn path(&self) -> &Path {
        match self {
            Self::Writable { path, .. } | Self::Owner { path, .. } | Self::Hidden { path } => path,
        }
    }
    fn fact(&self) -> String {
        match self {
            Self::Writable { mode, .. } => format!("is writable by group or others (mode {mode:04o})"),
            Self::Owner { uid, ours: 0, .. } => format!("is owned by uid {uid}, must be root"),
            Self::Owner { uid, ours, .. } => format!("is owned by uid {uid}, must be root or uid {ours}"),
            Self::Hidden { .. } => "cannot be looked at".to_owned(),
        }
    }
    fn fix(&self) -> String {
        match self {
            Self::Writable { path, .. } => format!("run: chmod go-w {}", path.display()),
            Self::Owner { path, .. } => format!("run: chown root {}", path.display()),
            Self::Hidden { path } => format!("run: chmod a+rx {}", path.display()),
        }
    }
}

/// Why no library of a directory is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryRefusal {
    /// It cannot be opened or listed.
    #[error("plugin directory {} cannot be read: {why}: no plugin is loaded; create it, or name another with [plugins] dir or --plugins-dir", directory.display())]
    Unreadable {
        /// The directory.
        directory: PathBuf,
        /// The system's words.
        why: String,
    },
    /// Somebody could put libraries into it.
    #[error("plugin directory {} {}: no plugin is loaded from it; {}", directory.display(), flaw.fact(), flaw.fix())]
    Untrusted {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// Somebody could put another directory in its place.
    #[error("plugin directory {}: its parent {} {}: no plugin is loaded from it; {}",
        directory.display(), flaw.path().display(), flaw.fact(), flaw.fix())]
    UntrustedParent {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with the parent.
        flaw: Flaw,
    },
}
