//! The address of an HTTP check: parsed once, shown without secrets, followed through redirects.
//!
//! Credentials (`https://user:password@host/`) become a header and leave the address; a query may hold a token and is
//! never shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use ureq::http::uri::Scheme;
use ureq::http::{HeaderValue, Uri};

const LONGEST_PATH_SHOWN: usize = 120;

/// An http or https address without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
    host: String,
    port: u16,
}

impl Address {
    /// Reads the text of the setting; the second value is the `Authorization` header that follows from it.
    ///
    /// # Errors
    /// A phrase that says what is wrong, without the address.
    pub fn parse(text: &str) -> Result<(Self, Option<HeaderValue>), String> {
        let uri: Uri = text.parse().map_err(|error| {
            format!("is not an address ({error}); write http://host:port/path, other characters as %XX")
        })?;
        let scheme = uri.scheme().ok_or("has no scheme; write http:// or https:// in front")?.clone();
        let standard = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            other => return Err(format!("{other}:// is not known; there are http:// and https://")),
        };
        let authority = uri.authority().ok_or("has no host")?;
        let host = authority.host().to_owned();
        if host.is_empty() {
            return Err("has no host".to_owned());
        }
        let (userinfo, place) = match authority.as_str().rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority.as_str()),
        };
        let after_host = place.strip_prefix(host.as_str()).unwrap_or_default();
        let port = match after_host.strip_prefix(':') {
            None => standard,
            Some(digits) => digits.parse().map_err(|_| "has a port that is not a number up to 65535")?,
        };
        let credentials = userinfo.map(basic).transpose()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let clean =
            Uri::builder().scheme(scheme).authority(format!("{host}{after_host}")).path_and_query(path);
        let uri = clean.build().map_err(|error| format!("is not an address ({error})"))?;
        Ok((Self { uri, host, port }, credentials))
    }

    /// Where a redirect from here leads.
    ///
    /// # Errors
    /// As [`Address::parse`]. Credentials in it are dropped.
    pub fn redirected(&self, location: &str) -> Result<Self, String> {
        let location = location.split('#').next().unwrap_or_default();
        let scheme = self.uri.scheme_str().unwrap_or("http");
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path();
        let joined = if has_scheme(location) {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{}", without_dots(location))
        } else if location.is_empty() || location.starts_with('?') {
            format!("{scheme}://{authority}{path}{location}")
        } else {
            let directory = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
            format!(
                "{scheme}://{authority}{}",
                without_dots(&format!("/{}{location}", directory.trim_start_matches('/')))
            )
        };
        Self::parse(&joined).map(|(address, _)| address)
    }

    /// For the client.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }
    /// Whether what was meant for the other may be sent to this one.
    pub fn same_origin(&self, other: &Self) -> bool {
        let origin =
            |address: &Self| (address.uri.scheme().cloned(), address.host.to_ascii_lowercase(), address.port);
        origin(self) == origin(other)
    }
}

/// Host, without the brackets of an IPv6 address, and port.
pub fn host_and_port(uri: &Uri) -> (String, u16) {
    let standard = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    (host.to_owned(), uri.port_u16().unwrap_or(standard))
}

impl fmt::Display for Address {
    /// Scheme, host, port and the beginning of the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path: String = self.uri.path().chars().take(LONGEST_PATH_SHOWN).collect();
        write!(f, "{}://{authority}{path}", self.uri.scheme_str().unwrap_or("http"))
    }
}

fn has_scheme(location: &str) -> bool {
    let colon = location.find(':');
    colon.is_some_and(|colon| location[..colon].bytes().all(|byte| byte.is_ascii_alphanumeric()) && colon > 0)
}

/// RFC 3986, 5.2.4, on the path; the query stays as it is.
fn without_dots(location: &str) -> String {
    let (path, query) = location.find('?').map_or((location, ""), |at| location.split_at(at));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

fn basic(userinfo: &str) -> Result<HeaderValue, String> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut plain = percent_decoded(user);
    plain.push(b':');
    plain.extend(percent_decoded(password));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(plain)))
        .map_err(|_| "has credentials that cannot be sent")?;
    value.set_sensitive(true);
    Ok(value)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, tail)) = rest.split_first() {
        let digits =
            tail.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap().0
    }

    #[test]
    fn credentials_leave_the_address() {
        let (address, header) =
            Address::parse("https://me:s%40cret%21@host:8443/a/b?token=abc#part").unwrap();
        assert_eq!(address.to_string(), "https://host:8443/a/b");
        assert_eq!(address.uri().to_string(), "https://host:8443/a/b?token=abc");
        let expected = format!("Basic {}", STANDARD.encode("me:s@cret!"));
        assert_eq!(header.unwrap().to_str().unwrap(), expected);
        let (_, none) = Address::parse("http://host").unwrap();
        assert_eq!(none, None);
    }

    #[test]
    fn host_and_port_follow_from_the_scheme() {
        for (text, host, port) in [
            ("http://host", "host", 80),
            ("https://host/", "host", 443),
            ("http://[::1]:8080/x", "::1", 8080),
            ("https://u:p@[::1]", "::1", 443),
            ("http://1.2.3.4:5/", "1.2.3.4", 5),
            ("http://80:80@80:81/", "80", 81),
        ] {
            assert_eq!(host_and_port(address(text).uri()), (host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_is_missing_and_never_show_the_address() {
        for (text, part) in [
            ("", "is not an address"),
            ("host/secret", "is not an address"),
            ("/secret", "has no scheme"),
            ("ftp://secret/", "ftp:// is not known"),
            ("http://", "is not an address"),
            ("http://secret:99999/", "port"),
            ("http://secret:x/", "port"),
            ("http://secret/a b", "is not an address"),
            ("http://sécret/", "is not an address"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn redirects_are_resolved_like_a_browser_does() {
        let from = address("http://host:81/a/b/c?q=1");
        for (location, expected) in [
            ("https://other/x", "https://other/x"),
            ("//other/x", "http://other/x"),
            ("/x?y=/../1", "http://host:81/x?y=/../1"),
            ("x", "http://host:81/a/b/x"),
            ("../x", "http://host:81/a/x"),
            ("../../../../x", "http://host:81/x"),
            ("./", "http://host:81/a/b/"),
            ("..", "http://host:81/a/"),
            ("?z", "http://host:81/a/b/c?z"),
            ("", "http://host:81/a/b/c"),
            ("x:y", "nothing"),
            ("x#frag", "http://host:81/a/b/x"),
            ("a/x?next=http://z", "http://host:81/a/b/a/x?next=http://z"),
        ] {
            let joined = from.redirected(location);
            if expected == "nothing" {
                assert!(joined.is_err(), "{location}");
            } else {
                assert_eq!(joined.unwrap().uri().to_string(), expected, "{location}");
            }
        }
        assert_eq!(address("http://host").redirected("x").unwrap().uri().to_string(), "http://host/x");
    }

    #[test]
    fn credentials_go_to_the_same_origin_only() {
        let from = address("https://host/a");
        for (text, same) in [
            ("https://HOST:443/b", true),
            ("https://host:8443/", false),
            ("http://host/", false),
            ("https://host.evil/", false),
        ] {
            assert_eq!(from.same_origin(&address(text)), same, "{text}");
        }
    }
}
