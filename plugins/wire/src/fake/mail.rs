//! For the tests: a mail server that keeps the letters it is given.
//!
//! Receivers that begin with `nobody` are refused for good, those that begin with `later` for now.

use super::{Identity, Server, Stream};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How it protects the conversation, and how it lets people log in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Readable.
    Plain,
    /// Encrypted when asked to, and only then open for a login.
    StartTls,
    /// Encrypted from the beginning, with the old way to log in.
    Tls,
}

/// A letter as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
    pub user: String,
    pub encrypted: bool,
}

type Kept = Arc<(Mutex<Vec<Letter>>, Condvar)>;

/// See the module.
pub struct MailServer {
    pub port: u16,
    kept: Kept,
}

impl MailServer {
    /// Knows one user, `ops` with the password `hunter2`.
    pub fn start(manner: Manner, identity: Option<&Identity>) -> Self {
        let (kept, config) = (Kept::default(), identity.map(Identity::server));
        let all = Arc::clone(&kept);
        let server = Server::raw(move |mut plain: TcpStream| {
            let encrypted = |stream| {
                let connection = ServerConnection::new(Arc::clone(config.as_ref().unwrap())).unwrap();
                StreamOwned::new(connection, stream)
            };
            let session =
                |encrypted| Session { all: &all, manner, letter: Letter { encrypted, ..Letter::default() } };
            if manner == Manner::Tls {
                let mut stream = encrypted(plain);
                say(&mut stream, "220 mail.test");
                session(true).talk(&mut stream);
                return;
            }
            say(&mut plain, "220-mail.test\r\n220 at your service");
            if session(false).talk(&mut plain) == Next::Encrypt {
                session(true).talk(&mut encrypted(plain));
            }
        });
        Self { port: server.port, kept }
    }

    /// The letters, as soon as there are so many.
    pub fn until(&self, many: usize) -> Vec<Letter> {
        let kept = self.kept.0.lock().unwrap();
        let waited = self.kept.1.wait_timeout_while(kept, Duration::from_secs(30), |kept| kept.len() < many);
        let (kept, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "waited in vain for {many} letters; there are: {kept:#?}");
        kept.clone()
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Encrypt,
    Leave,
}

struct Session<'a> {
    all: &'a Kept,
    manner: Manner,
    letter: Letter,
}

impl Session<'_> {
    fn talk(mut self, stream: &mut dyn Stream) -> Next {
        while let Some(line) = hear(stream) {
            let verb = line.split(' ').next().unwrap().to_uppercase();
            match verb.as_str() {
                "EHLO" => say(stream, self.offers()),
                "STARTTLS" => {
                    say(stream, "220 go ahead");
                    return Next::Encrypt;
                }
                "AUTH" => self.log_in(stream, &line),
                "MAIL" => {
                    self.letter.from = between(&line);
                    say(stream, "250 ok");
                }
                "RCPT" => self.receiver(stream, between(&line)),
                "DATA" => {
                    say(stream, "354 go ahead");
                    self.letter(stream);
                    say(stream, "250 taken");
                }
                "QUIT" => say(stream, "221 bye"),
                _ => say(stream, "502 what?"),
            }
        }
        Next::Leave
    }

    fn offers(&self) -> &'static str {
        match (self.manner, self.letter.encrypted) {
            (Manner::StartTls, false) => "250-mail.test\r\n250-SIZE 1000\r\n250 STARTTLS",
            (Manner::Tls, _) => "250-mail.test\r\n250 AUTH LOGIN",
            _ => "250-mail.test\r\n250 AUTH PLAIN LOGIN",
        }
    }

    fn log_in(&mut self, stream: &mut dyn Stream, line: &str) {
        let decoded = |text: &str| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
        let (user, password) = if let Some(both) = line.strip_prefix("AUTH PLAIN ") {
            let both = decoded(both);
            let mut parts = both.split('\0').skip(1).map(str::to_owned);
            (parts.next().unwrap(), parts.next().unwrap())
        } else {
            say(stream, "334 VXNlcm5hbWU6");
            let user = decoded(&hear(stream).unwrap());
            say(stream, "334 UGFzc3dvcmQ6");
            (user, decoded(&hear(stream).unwrap()))
        };
        if (user.as_str(), password.as_str()) == ("ops", "hunter2") {
            self.letter.user = user;
            say(stream, "235 welcome");
        } else {
            say(stream, "535 5.7.8 no");
        }
    }

    fn receiver(&mut self, stream: &mut dyn Stream, to: String) {
        if to.starts_with("nobody") {
            say(stream, "550 5.1.1 there is no such \x1b[31muser");
        } else if to.starts_with("later") {
            say(stream, "451 4.7.1 greylisted");
        } else {
            self.letter.to.push(to);
            say(stream, "250 ok");
        }
    }

    fn letter(&mut self, stream: &mut dyn Stream) {
        while let Some(line) = hear(stream).filter(|line| line != ".") {
            self.letter.text.push_str(line.strip_prefix('.').unwrap_or(&line));
            self.letter.text.push('\n');
        }
        self.all.0.lock().unwrap().push(self.letter.clone());
        self.all.1.notify_all();
    }
}

fn between(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn say<S: Write + ?Sized>(stream: &mut S, text: &str) {
    let _ = stream.write_all(format!("{text}\r\n").as_bytes()).and_then(|()| stream.flush());
}

/// One line, without its end.
fn hear<S: Read + ?Sized>(stream: &mut S) -> Option<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    loop {
        match stream.read(&mut byte) {
            Ok(1) if byte[0] == b'\n' => break,
            Ok(1) => line.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(line).unwrap().trim_end_matches('\r').to_owned())
}
