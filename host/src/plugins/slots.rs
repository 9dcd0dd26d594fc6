//! What is known of each library of the plugin directory, and which of them provides which part. Pure: opens no file.

use super::backend::{Backend, Report, Standing};
use super::claim::Part;
use super::directory::Print;
use super::examine::Rejected;
use super::refusal::{DirectoryRefusal, Reason, Refusal};
use pm_plugin_api::manifest::Manifest;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tracing::warn;

/// What was found at the last scan.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) print: Option<Print>,
    pub(super) refusal: Option<DirectoryRefusal>,
    pub(super) slots: Vec<Slot>,
    /// Kind and name of each part, and the slot that provides it.
    pub(super) parts: BTreeMap<Part, usize>,
}

/// One library.
pub(super) struct Slot {
    pub(super) file: PathBuf,
    pub(super) print: Option<Print>,
    /// What stands in its place and was looked at: it is being tried, or is worse, and is not tried again.
    pub(super) tried: Option<Print>,
    pub(super) manifest: Option<Manifest>,
    pub(super) is: Is,
}

/// What has become of a library.
pub(super) enum Is {
    Refused(Reason),
    Usable(Arc<dyn Backend>),
    /// Loaded, and its file is another one now.
    Outlived(Arc<dyn Backend>, OnDisk),
}

/// What stands in the directory in place of a library that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDisk {
    /// Another file, with this version.
    Version(String),
    /// Another file, which is refused.
    Refused(Reason),
    /// Nothing.
    Gone,
}

/// The state of a library, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It will be loaded when one of its parts is needed.
    Ready,
    /// It is loaded.
    Loaded,
    /// It is loaded and serves, but its file is another one now.
    Outlived(OnDisk),
    /// It is not used.
    Refused(Reason),
}

/// One library, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub file: PathBuf,
    /// What it says of itself; none when it was refused before that could be read.
    pub manifest: Option<Manifest>,
    /// What has become of it.
    pub state: State,
    /// How it runs; none when it is not used.
    pub report: Option<Report>,
    /// The parts that another library provides in its place, because that one overrides, and its file.
    pub overridden: BTreeMap<Part, PathBuf>,
}

impl Slot {
    pub(super) fn state(&self) -> State {
        match &self.is {
            Is::Refused(reason) => State::Refused(reason.clone()),
            // What was in use cannot be loaded any more: what stands there now says why.
            Is::Outlived(backend, on_disk) => match (backend.standing(), on_disk) {
                (Standing::Refused(_), OnDisk::Refused(reason)) => State::Refused(reason.clone()),
                (Standing::Refused(reason), _) => State::Refused(reason),
                _ => State::Outlived(on_disk.clone()),
            },
            Is::Usable(backend) => match backend.standing() {
                Standing::Idle => State::Ready,
                Standing::Loaded => State::Loaded,
                Standing::Refused(reason) => State::Refused(reason),
            },
        }
    }

    pub(super) fn backend(&self) -> Option<&Arc<dyn Backend>> {
        match &self.is {
            Is::Usable(backend) | Is::Outlived(backend, _) => Some(backend),
            Is::Refused(_) => None,
        }
    }

    pub(super) fn is_loaded(&self) -> bool {
        matches!(self.state(), State::Loaded | State::Outlived(_))
    }

    /// Why it is not used, if it is so.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self.state() {
            State::Refused(reason) => Some(Refusal { file: self.file.clone(), reason }),
            _ => None,
        }
    }

    /// Whether `print` is that of what is loaded, whatever its name has become.
    pub(super) fn is_of(&self, print: &Print) -> bool {
        self.print.is_some_and(|its| its.same_content(print))
    }

    /// The slot of a loaded library, now that what stands under its name cannot be used.
    pub(super) fn keep_in_use(self, rejected: Rejected) -> Self {
        let Rejected { print, reason, .. } = rejected;
        if self.tried != print {
            let refusal = Refusal { file: self.file.clone(), reason: reason.clone() };
            warn!("{refusal}. The one that is in use stays");
        }
        Self { tried: print, ..self.outlived(OnDisk::Refused(reason)) }
    }

    /// Whether it can be replaced while pm runs.
    pub(super) fn runs_in_a_worker(&self) -> bool {
        self.backend().is_some_and(|backend| backend.report().worker.is_some())
    }

    /// Whether a look at its file, which is like this now, could tell something new.
    pub(super) fn is_stale(&self, now: Option<Print>) -> bool {
        match &self.is {
            Is::Outlived(_, OnDisk::Gone) => now.is_some(),
            Is::Outlived(..) => now != self.tried,
            Is::Refused(_) | Is::Usable(_) => now != self.print,
        }
    }

    /// The slot of a loaded library whose own file stands under its name again.
    pub(super) fn at_home(self) -> Self {
        match self.is {
            Is::Outlived(backend, _) => Self { is: Is::Usable(backend), tried: None, ..self },
            is => Self { is, ..self },
        }
    }

    pub(super) fn outlived(self, on_disk: OnDisk) -> Self {
        match self.is {
            Is::Usable(backend) | Is::Outlived(backend, _) => {
                Self { is: Is::Outlived(backend, on_disk), ..self }
            }
            is @ Is::Refused(_) => Self { is, ..self },
        }
    }
}
