//! The steps of a job as the history shows them: each is noted when it has ended, with its time and what was said.
//!
//! What cannot be noted stops nothing.

use super::Run;
use crate::policy::time::Now;
use crate::ports::{Step, StepKind};
use crate::wording;
use tracing::debug;

/// Characters of one line that are kept.
const LONGEST: usize = 1000;

impl Run<'_> {
    /// Notes a step that began at `began` and ends now; without an entry in the journal there is nothing to note it with.
    pub(super) fn note(
        &self,
        kind: StepKind,
        by: &str,
        began: Now,
        result: Result<String, String>,
        output: String,
    ) {
        let Some(id) = self.id else { return };
        let short = |text: String| match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        let step = Step {
            kind,
            by: by.to_owned(),
            at: began.wall,
            took: self.world.clock.now().boot.since(began.boot),
            result: result.map(short).map_err(short),
            output,
        };
        if let Err(unusable) = self.world.journal.step(id, &step) {
            debug!("{}", wording::no_journal(&unusable));
        }
    }
}
