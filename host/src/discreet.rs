//! What may not be seen in a text, by the looks of it: passwords in addresses, and values behind words that mean secrets.
//!
//! A guess, for texts that nobody has marked; what is known to be a secret is never made a text at all.

/// What stands in every output in place of a secret.
pub const MASK: &str = "********";

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

/// As [`masked`], and so are the values behind `password=`, `token: ` and their like: for texts that leave this host.
#[must_use]
pub(crate) fn discreet(text: &str) -> String {
    let text = masked(text);
    let mut out = String::with_capacity(text.len());
    let mut hide = Hide::No;
    for part in text.split_inclusive(char::is_whitespace) {
        let word = part.trim_end();
        let space = &part[word.len()..];
        match hide {
            Hide::Next if !word.is_empty() => {
                out.push_str(MASK);
                hide = Hide::No;
            }
            _ => match word.find(['=', ':']) {
                Some(at) if names_a_secret(&word[..at]) => {
                    let (key, value) = word.split_at(at + 1);
                    out.push_str(key);
                    if value.is_empty() {
                        hide = Hide::Next;
                    } else {
                        out.push_str(MASK);
                    }
                }
                // A lone word is an option: --password VALUE.
                _ => {
                    out.push_str(word);
                    if word.starts_with('-') && names_a_secret(word) {
                        hide = Hide::Next;
                    }
                }
            },
        }
        out.push_str(space);
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hide {
    No,
    /// The next word is the value.
    Next,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_behind_words_that_mean_secrets_are_masked() {
        for (text, shown) in [
            ("login failed: password=hunter2 user=a", "login failed: password=******** user=a"),
            ("token: abc; next", "token: ******** next"),
            ("curl --password hunter2 x", "curl --password ******** x"),
            ("API_KEY:abc http://u:p@h/", "API_KEY:******** http://u:********@h/"),
            ("exited with status 1: no such port", "exited with status 1: no such port"),
            ("the password is wrong", "the password is wrong"),
        ] {
            assert_eq!(discreet(text), shown);
        }
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
