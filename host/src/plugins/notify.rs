//! Notices through the notifiers of the plugins.

use super::{Operation, Registry};
use crate::ports::Notifiers;
use crate::spec::PartRef;
use pm_plugin_api::{Error, Notice};
use serde::Serialize;

const NOTIFIER: &str = "notifier";

/// The body of a call that tells somebody something.
#[derive(Serialize)]
struct Request<'a> {
    notice: &'a Notice,
}

impl Notifiers for Registry {
    fn notify(&self, part: &PartRef, notice: &Notice) -> Result<(), Error> {
        let body = serde_json::to_vec(&Request { notice })?;
        let operation = Operation {
            op: "notify",
            subject: &notice.event,
            body: &body,
            timeout: notice.timeout(),
            heard: None,
        };
        // What it answers means nothing but that it is done.
        self.call(NOTIFIER, part, operation).map(|_| ())
    }
}
