//! A text that must not be seen: it has no readable `Debug` or `Display`, and asking for it says so by name.
//!
//! The bytes are overwritten when the value is dropped. That is as far as safe Rust goes: copies that the
//! allocator, the kernel or a driver made on the way stay where they are, and so does the text of the file itself
//! until its memory is used again. It is a guard against slips (logs, dumps of structures), not against root.

use std::fmt;

pub use crate::discreet::{MASK, masked, names_a_secret};

/// A secret text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a text into custody.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_bytes())
    }

    /// The text itself, for the one place that has to send it to a server.
    #[must_use]
    pub fn reveal(&self) -> &str {
        // The bytes come from a `String` and are changed only by `drop`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without an observer the compiler may leave out stores to memory that is about to be freed.
        std::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_printing_shows_a_secret() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("hunter2").count(), 0);
        assert_eq!(secret.reveal(), "hunter2");
        assert!(!secret.is_empty() && Secret::new("").is_empty());
    }
}
