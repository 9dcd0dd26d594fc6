//! The part of SMTP that hands one letter to a server: greeting, encryption, login, letter (RFC 5321, 3207, 4954).
//!
//! Answers of the server are data: bounded in length and number, escaped before they are shown. A temporary refusal (4xx) is
//! "unavailable"; a permanent one says that another try is useless.

use crate::letter::Post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pm_plugin_api::command::printable;
use pm_plugin_api::{Error, ErrorKind, Result};
use pm_wire::connect::connect;
use pm_wire::deadline::Deadline;
use pm_wire::link::Link;
use pm_wire::tls::Trust;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};

/// RFC 5321 allows 512 bytes; some servers say more.
const LONGEST_LINE: u64 = 4096;
const MOST_LINES: usize = 100;
/// So much of an answer is shown.
const SHOWN: usize = 200;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    StartTls,
    Tls,
    None,
}

impl Security {
    /// Reads the text of the setting.
    ///
    /// # Errors
    /// With the choices.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "starttls" => Ok(Self::StartTls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            _ => Err(Error::config(format!("smtp_security: {text:?} is none of starttls, tls, none"))),
        }
    }

    /// The usual port.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// What a server answered.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

/// A conversation with a server.
pub(crate) struct Session {
    link: BufReader<Link>,
    /// What the server can do, as it said last.
    offers: Vec<String>,
    deadline: Deadline,
}

impl Session {
    /// Connects, greets, and encrypts as told; never goes on without encryption that was asked for.
    ///
    /// # Errors
    /// Those of the connection, and refusals of the server.
    pub(crate) fn open(
        host: &str,
        port: u16,
        security: Security,
        trust: &Trust,
        me: &str,
        deadline: Deadline,
    ) -> Result<Self> {
        let mut link = Link::Plain(connect(host, port, deadline).map_err(|failure| failure.error())?);
        if security == Security::Tls {
            link = link.secured(trust, host).map_err(|failure| failure.error())?;
        }
        let mut session = Self { link: BufReader::new(link), offers: Vec::new(), deadline };
        session.read("greeting")?.expect("the greeting", 220)?;
        session.hello(me)?;
        if security == Security::StartTls {
            if !session.offered("STARTTLS") {
                return Err(Error::config(
                    "the server offers no STARTTLS; write smtp_security = tls if its port speaks TLS from the beginning",
                ));
            }
            session.ask("STARTTLS")?.expect("STARTTLS", 220)?;
            if !session.link.buffer().is_empty() {
                return Err(Error::failed(
                    "somebody on the way put words in before the encryption; nothing was sent",
                ));
            }
            let link = session.link.into_inner().secured(trust, host).map_err(|failure| failure.error())?;
            session = Self { link: BufReader::new(link), offers: Vec::new(), deadline };
            session.hello(me)?;
        }
        Ok(session)
    }

    fn hello(&mut self, me: &str) -> Result<()> {
        let known =
            !me.is_empty() && me.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        let me = if known { me } else { "localhost" };
        let reply = self.ask(&format!("EHLO {me}"))?.expect("EHLO", 250)?;
        self.offers = reply.lines.into_iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    fn offered(&self, what: &str) -> bool {
        self.offers.iter().any(|line| line.split([' ', '=']).next() == Some(what))
    }

    /// Logs in by the way that the server offers.
    ///
    /// # Errors
    /// "Permission" when it refuses, never with the password.
    pub(crate) fn log_in(&mut self, user: &str, password: &str) -> Result<()> {
        let ways: Vec<_> = self.offers.iter().filter_map(|line| line.strip_prefix("AUTH")).collect();
        let offers = |way: &str| ways.iter().any(|line| line.split([' ', '=']).any(|word| word == way));
        let reply = if offers("PLAIN") {
            let both = STANDARD.encode(format!("\0{user}\0{password}"));
            self.ask(&format!("AUTH PLAIN {both}"))?
        } else if offers("LOGIN") {
            self.ask("AUTH LOGIN")?.expect("AUTH LOGIN", 334)?;
            self.ask(&STANDARD.encode(user))?.expect("the user", 334)?;
            self.ask(&STANDARD.encode(password))?
        } else {
            return Err(Error::config(
                "the server offers neither AUTH PLAIN nor AUTH LOGIN on this connection",
            ));
        };
        if reply.code == 535 || reply.code == 534 {
            let why = format!("the server refuses smtp_user and its password ({})", reply.shown());
            return Err(Error::permission(why));
        }
        reply.expect("the login", 235).map(|_| ())
    }

    /// Hands the letter over. It is delivered when one receiver at least is taken; the others are told in the log.
    ///
    /// # Errors
    /// Refusals of the server.
    pub(crate) fn send(mut self, post: &Post, letter: &[u8]) -> Result<()> {
        let from: &str = post.from.email.as_ref();
        self.ask(&format!("MAIL FROM:<{from}>"))?.expect("the sender", 250)?;
        let mut refused = Vec::new();
        for to in &post.to {
            let to: &str = to.email.as_ref();
            let reply = self.ask(&format!("RCPT TO:<{to}>"))?;
            if let Err(error) = reply.expect(&format!("the receiver {to}"), 250) {
                refused.push(error);
            }
        }
        if refused.len() == post.to.len() {
            // One that may be taken later is worth another try.
            let later = refused.iter().position(|error| error.kind == ErrorKind::Unavailable);
            return Err(refused.swap_remove(later.unwrap_or(0)));
        }
        for error in refused {
            tracing::warn!("{}; the others get the letter", error.message);
        }
        self.ask("DATA")?.expect("DATA", 354)?;
        self.write(&stuffed(letter))?;
        self.read("the letter")?.expect("the letter", 250)?;
        // It has the letter; how it says goodbye changes nothing.
        let _ = self.ask("QUIT");
        Ok(())
    }

    fn ask(&mut self, line: &str) -> Result<Reply> {
        self.write(format!("{line}\r\n").as_bytes())?;
        let verb = line.split(' ').next().unwrap_or_default();
        // What follows AUTH LOGIN is no verb, but a secret.
        let known = ["EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"].contains(&verb);
        self.read(if known { verb } else { "AUTH" })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let link = self.link.get_mut();
        let written = link.write_all(bytes).and_then(|()| link.flush());
        written.map_err(|error| self.broken("writing", &error))
    }

    fn read(&mut self, after: &str) -> Result<Reply> {
        let mut reply = Reply { code: 0, lines: Vec::new() };
        loop {
            let mut line = Vec::new();
            let read = (&mut self.link).take(LONGEST_LINE).read_until(b'\n', &mut line);
            read.map_err(|error| self.broken(after, &error))?;
            if line.last() != Some(&b'\n') {
                return Err(match line.is_empty() {
                    true => Error::unavailable(format!("the server closed the connection after {after}")),
                    false => strange(&line),
                });
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let code =
                text.get(..3).and_then(|digits| digits.parse().ok()).filter(|code| (200..600).contains(code));
            let (Some(code), true) = (code, reply.lines.len() < MOST_LINES) else {
                return Err(strange(&line));
            };
            reply.code = code;
            reply.lines.push(text.get(4..).unwrap_or_default().to_owned());
            if text.as_bytes().get(3) != Some(&b'-') {
                return Ok(reply);
            }
        }
    }

    fn broken(&self, after: &str, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::TimedOut => Error::new(
                ErrorKind::Timeout,
                format!("the server gave no answer ({after}) within {:.1?}", self.deadline.allowed),
            ),
            _ => Error::unavailable(format!("the connection broke ({after}): {error}")),
        }
    }
}

impl Reply {
    fn shown(&self) -> String {
        let text = format!("{} {}", self.code, self.lines.join(" "));
        printable(&text.chars().take(SHOWN).collect::<String>()).to_string()
    }

    /// The reply when it is this one, or of its kind.
    fn expect(self, what: &str, code: u16) -> Result<Self> {
        if self.code == code || (code == 250 && self.code == 251) {
            return Ok(self);
        }
        let kind = if self.code >= 500 { ErrorKind::Config } else { ErrorKind::Unavailable };
        Err(Error::new(kind, format!("the server refuses {what}: {}", self.shown())))
    }
}

fn strange(line: &[u8]) -> Error {
    let begin = line[..line.len().min(60)].escape_ascii();
    Error::failed(format!("the server does not speak SMTP; it said \"{begin}\""))
}

/// The letter as it goes over the wire: a dot at the beginning of a line is doubled, a line with one dot ends it.
fn stuffed(letter: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(letter.len() + 8);
    for line in letter.split_inclusive(|byte| *byte == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_letter_can_end_it() {
        assert_eq!(stuffed(b"a\r\n.\r\n.b"), b"a\r\n..\r\n..b\r\n.\r\n");
        assert_eq!(stuffed(b"a\r\n"), b"a\r\n.\r\n");
    }

    #[test]
    fn each_protection_has_its_usual_port() {
        for (text, port) in [("starttls", 587), ("tls", 465), ("none", 25)] {
            assert_eq!(Security::parse(text).unwrap().port(), port);
        }
        assert!(Security::parse("ssl").unwrap_err().message.contains("none of starttls, tls, none"));
    }
}
