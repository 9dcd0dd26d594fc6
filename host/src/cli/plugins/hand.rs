//! A library in the hand: found by file or by name, opened even where pm itself would not take it from, and asked by hand.
//!
//! A build tree is often writable for a group, and pm would never load from there. Here somebody has named the file, so
//! what pm would object to is told and a private copy is used; the checks of the content are the same. Nothing here
//! judges an answer.

use crate::cli::Failure;
use crate::clock::{Stop, SystemClock};
use crate::plugins::{Operation, Reason, Registry, Rules, State};
use crate::ports::{Clock as _, Heard};
use crate::spec::PartRef;
use pm_plugin_api::{Error, Notice, Target};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A library and what there is to ask it with.
pub(super) struct Hand {
    pub(super) registry: Arc<Registry>,
    /// What pm would say if this file were installed where it lies; it was copied then.
    pub(super) objection: Option<String>,
    clock: SystemClock,
    _copy: Option<Copy>,
}

/// What came of a call.
pub(super) struct Asked {
    pub(super) answer: Result<Vec<u8>, Error>,
    /// What the part said meanwhile, as lines.
    pub(super) heard: String,
    pub(super) took: Duration,
    /// Whether the process that the library runs in has died of it.
    pub(super) died: bool,
}

impl Hand {
    /// Opens the library `file`, wherever it lies.
    pub(super) fn of_file(file: &Path) -> Result<Self, Failure> {
        let missing = |error| Failure::Plugin(format!("plugin {}: {error}", file.display()));
        let there = fs::metadata(file).map_err(missing)?;
        let registry = Registry::of_file(file, Rules::default());
        let Some(objection) = objection(&registry).filter(|_| there.is_file()) else {
            return Ok(Self::with(Arc::new(registry)));
        };
        let copy = Copy::of(file)?;
        let registry = Arc::new(Registry::of_file(&copy.file, Rules::default()));
        Ok(Self { objection: Some(objection), _copy: Some(copy), ..Self::with(registry) })
    }

    /// Takes what pm itself would use.
    pub(super) fn with(registry: Arc<Registry>) -> Self {
        Self { registry, objection: None, clock: SystemClock::new(Stop::new()), _copy: None }
    }

    /// Runs something and measures it.
    pub(super) fn timed<T>(&self, body: impl FnOnce() -> T) -> (T, Duration) {
        let begun = self.clock.now().boot;
        let result = body();
        (result, self.clock.now().boot.since(begun))
    }

    /// Asks a part of `kind`; its operation comes without somebody who hears.
    pub(super) fn ask(&self, kind: &str, part: &PartRef, operation: Operation<'_>) -> Asked {
        let heard = Heard::default();
        let operation = Operation { heard: Some(&heard), ..operation };
        let before = self.deaths();
        let (answer, took) = self.timed(|| self.registry.call(kind, part, operation));
        Asked { answer, heard: heard.text(), took, died: self.deaths() > before }
    }

    /// How often the process that the library runs in has died. A call that changes nothing is repeated then, so that its
    /// answer alone does not tell.
    pub(super) fn deaths(&self) -> u64 {
        self.registry
            .entries()
            .into_iter()
            .filter_map(|entry| entry.report)
            .map(|report| report.crashes)
            .sum()
    }
}

/// The body of a call: about a process of this name, or for a notifier with this sentence, and with `limit` for it.
pub(super) fn about(kind: &str, name: &str, limit: Duration) -> Value {
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    if kind == "notifier" {
        let mut notice = Notice::of("test", name);
        notice.timeout_ms = limit;
        return json!({ "notice": notice });
    }
    let mut target = Target::named(name);
    target.timeout_ms = limit;
    target.working_directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    json!({ "target": target })
}

/// What pm would object to, when it is not the library itself but who could change it.
fn objection(registry: &Registry) -> Option<String> {
    if let Some(refusal) = registry.refusal() {
        return Some(refusal.to_string());
    }
    match registry.entries().into_iter().next()?.state {
        State::Refused(reason @ (Reason::Untrusted(_) | Reason::UntrustedTarget { .. })) => {
            Some(reason.to_string())
        }
        _ => None,
    }
}

/// A copy that nobody else can reach; gone with this value.
struct Copy {
    folder: PathBuf,
    file: PathBuf,
}

impl Copy {
    fn of(file: &Path) -> Result<Self, Failure> {
        let stamp = SystemClock::new(Stop::new()).now().boot.0;
        let folder = std::env::temp_dir().join(format!("pm-plugin-{}-{stamp}", std::process::id()));
        let failed =
            |error| Failure::Failed(format!("copying {} to {}: {error}", file.display(), folder.display()));
        // `create` refuses a folder that somebody else has put there.
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let copy = Self { file: folder.join(file.file_name().unwrap_or_default()), folder: folder.clone() };
        fs::copy(file, &copy.file).map_err(failed)?;
        fs::set_permissions(&copy.file, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What cannot be removed is a file of our own in the folder for such files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
