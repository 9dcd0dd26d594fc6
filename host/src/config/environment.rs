//! What the configuration depends on besides its own text, as plain data: variables, files, the time zone, known
//! plugin parts.
//!
//! Everything read from outside goes through [`Environment`], so that a test states the whole world of a case and
//! nothing depends on the machine it runs on.

use crate::calendar::Zone;
use pm_plugin_api::detach::User;
use pm_plugin_api::manifest::Offer;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The world around a configuration file.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Environment variables: `PM_DATABASE_PASSWORD`, `CREDENTIALS_DIRECTORY`, `STATE_DIRECTORY` and those that a
    /// value refers to as `${NAME}`.
    pub variables: BTreeMap<String, String>,
    /// Where files are read from.
    pub files: Files,
    /// The zone of times that name none.
    pub zone: Zone,
    /// The accounts of the host.
    pub users: Users,
}

/// The accounts of the host.
#[derive(Debug, Clone, Default)]
pub enum Users {
    /// Those that the host knows, and the user that pm runs as.
    #[default]
    Host,
    /// These and no others, by name, for tests; and as whom pm runs.
    Given {
        /// The user that pm runs as.
        ours: u32,
        /// Name and number.
        known: BTreeMap<String, u32>,
    },
}

impl Users {
    /// The number of the user that pm runs as.
    pub(super) fn ours(&self) -> u32 {
        match self {
            Self::Host => rustix::process::geteuid().as_raw(),
            Self::Given { ours, .. } => *ours,
        }
    }

    /// The number of an account that is named by name or number.
    pub(super) fn named(&self, name: &str) -> io::Result<u32> {
        match self {
            Self::Host => User::named(name).map(|user| user.uid),
            Self::Given { known, .. } => known
                .get(name)
                .copied()
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no user {name:?}"))),
        }
    }
}

/// Where files are read from.
#[derive(Debug, Clone, Default)]
pub enum Files {
    /// The file system.
    #[default]
    Disk,
    /// These and no others, for tests.
    Given(BTreeMap<PathBuf, Given>),
}

/// A file with what matters of it.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permission bits, `0o600`.
    pub mode: u32,
}

impl Environment {
    /// This process's own variables, and the file system.
    #[must_use]
    pub fn of_this_process() -> Self {
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        Self {
            variables: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            files: Files::Disk,
            zone: Zone::system(),
            users: Users::Host,
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Reads at most `limit` bytes of a regular file; a longer one is an error.
    pub(super) fn read(&self, path: &Path, limit: usize) -> io::Result<Given> {
        let file = match &self.files {
            Files::Given(files) => files.get(path).cloned().ok_or(io::ErrorKind::NotFound)?,
            Files::Disk => read_from_disk(path, limit)?,
        };
        if file.bytes.len() > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it is larger than {} KiB", limit / 1024),
            ));
        }
        Ok(file)
    }
}

/// A pipe or device would block or never end, so only regular files are read.
fn read_from_disk(path: &Path, limit: usize) -> io::Result<Given> {
    use std::io::Read as _;
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Given { bytes, mode: about.permissions().mode() & 0o7777 })
}

/// The strategies, checks and notifiers that are installed, as the plugin loader found them.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// What the usable libraries offer. When it is empty because there are no libraries, names and keys of plugins cannot
    /// be judged: they are accepted with one warning.
    pub offers: Vec<Offer>,
    /// Libraries that were found and refused.
    pub refused: Vec<Refused>,
    /// All libraries; none when nobody looked, and nothing can be said about their sections.
    pub libraries: Option<Vec<Installed>>,
}

/// A library that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// The file.
    pub file: PathBuf,
    /// As it calls itself; none when it was refused before that could be read.
    pub name: Option<String>,
    /// Kind and name of each part that it offers.
    pub parts: Vec<(String, String)>,
    /// Why it is not used, in one line, if it is so.
    pub refused: Option<String>,
}

impl Installed {
    /// Whether it is the library that an operator calls `name`: by what it says of itself, else by its file.
    pub(super) fn is_called(&self, name: &str) -> bool {
        match &self.name {
            Some(own) => own == name,
            None => {
                let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
                let mut own = stem.as_ref();
                for prefix in ["lib", "pm_", "plugin_"] {
                    own = own.strip_prefix(prefix).unwrap_or(own);
                }
                // The compiler writes `_` for the `-` in the name of a crate.
                own.replace('_', "-") == name.replace('_', "-")
            }
        }
    }
}

/// A library that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// Why, in one line.
    pub reason: String,
}

/// The kinds of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Strategy,
    Check,
    Notifier,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Strategy, Self::Check, Self::Notifier];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Check => "check",
            Self::Notifier => "notifier",
        }
    }
}

impl Catalogue {
    /// Whether nothing is known of any library, so that nothing can be judged.
    pub(super) fn is_blank(&self) -> bool {
        self.offers.is_empty() && self.libraries.iter().flatten().next().is_none()
    }

    /// A part by kind and name.
    pub(super) fn find(&self, kind: Kind, name: &str) -> Option<&Offer> {
        self.of(kind).find(|offer| offer.name == name)
    }

    /// All parts of a kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(move |offer| offer.kind == kind.word())
    }
}
