//! A text that must not be seen: it has no readable `Debug` or `Display`, and asking for it says so by name.
//!
//! The bytes are overwritten when the value is dropped. That is as far as safe Rust goes: copies that the
//! allocator, the kernel or a driver made on the way stay where they are, and so does the text of the file itself
//! until its memory is used again. It is a guard against slips (logs, dumps of structures), not against root.

use std::fmt;

/// What stands in every output in place of a secret.
pub const MASK: &str = "********";

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

/// Whether a key by this name holds something that must be masked.
#[must_use]
pub fn names_a_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let holds = ["password", "passwd", "passphrase", "token", "secret", "api_key", "apikey", "credential"];
    // A path to a secret is not a secret, and is what one wants to see in `pm check`.
    holds.iter().any(|word| key.contains(word))
        && !["_file", "_path", "_dir"].iter().any(|end| key.ends_with(end))
}

/// `text` as it may be shown: passwords in addresses (`scheme://user:password@host`) become [`MASK`].
#[must_use]
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#'\"".contains(c)).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
            Some((user, host)) => out.push_str(&format!("{user}:{MASK}@{host}")),
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
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

    #[test]
    fn keys_that_hold_secrets_are_known_by_name() {
        for key in ["password", "API_TOKEN", "client_secret", "http_password"] {
            assert!(names_a_secret(key), "{key}");
        }
        for key in ["password_file", "system_name", "restart_command", "token_path"] {
            assert!(!names_a_secret(key), "{key}");
        }
    }

    #[test]
    fn passwords_in_addresses_are_masked_and_the_rest_stays() {
        assert_eq!(
            masked("curl -f http://me:p@ss@host/a?b=c https://x/ ftp://u:v@h"),
            format!("curl -f http://me:{MASK}@host/a?b=c https://x/ ftp://u:{MASK}@h")
        );
        assert_eq!(masked("pgrep %s"), "pgrep %s");
    }
}
