//! A notice as a letter: headers and body, ready for the wire.

use crate::secret::Secret;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use pm_plugin_api::{Error, Notice, Result};
use std::time::{Duration, UNIX_EPOCH};

/// Programs that answer for people who are away leave a letter with this header alone.
const AUTOMATIC: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");
/// A subject is read in one line of a phone.
const LONGEST_SUBJECT: usize = 200;

/// Who writes to whom.
pub(crate) struct Post {
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
}

/// Who a server logs in.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl Post {
    /// Reads the two settings.
    ///
    /// # Errors
    /// With the key and the address that is none.
    pub(crate) fn parse(from: &str, to: &[String]) -> Result<Self> {
        if to.is_empty() {
            return Err(Error::config("to: is required; write one or more addresses"));
        }
        Ok(Self {
            from: mailbox("from", from)?,
            to: to.iter().map(|text| mailbox("to", text)).collect::<Result<_>>()?,
        })
    }

    /// The letter, in ASCII.
    ///
    /// # Errors
    /// When it cannot be made of these texts.
    pub(crate) fn letter(&self, notice: &Notice) -> Result<Vec<u8>> {
        let subject: String = format!("[{}] {}", notice.severity.word(), notice.summary)
            .chars()
            .take(LONGEST_SUBJECT)
            .collect();
        let mut letter = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(UNIX_EPOCH + Duration::from_millis(notice.time_ms))
            .message_id(Some(format!("<{}@{}>", id(&notice.id), domain(&self.from))))
            .raw_header(HeaderValue::new(AUTOMATIC, "auto-generated".to_owned()));
        for to in &self.to {
            letter = letter.to(to.clone());
        }
        let letter = letter
            .header(ContentType::TEXT_PLAIN)
            .body(format!(
                "{}\n\n-- \npm: {} ({})\n",
                crate::command::text(notice),
                notice.event,
                notice.host
            ))
            .map_err(|error| Error::config(format!("the letter cannot be made: {error}")))?;
        Ok(letter.formatted())
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox> {
    let wrong =
        |why: &str| Error::config(format!("{key}: {text:?} {why}; write name@domain or Name <name@domain>"));
    let mailbox: Mailbox = text.trim().parse().map_err(|_| wrong("is no address"))?;
    let ascii = mailbox.email.user().is_ascii() && mailbox.email.domain().is_ascii();
    if ascii { Ok(mailbox) } else { Err(wrong("has other characters than ASCII in it")) }
}

fn domain(from: &Mailbox) -> &str {
    from.email.domain()
}

/// What may stand in a message identifier.
fn id(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect()
}
