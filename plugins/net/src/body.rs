//! What the body of an answer must hold, and how much of it is read to find out.

use crate::bytes::shown;
use regex_lite::Regex;
use std::io::{self, Read};

/// Reading stops here: a server may send for ever.
pub(crate) const MOST_READ: usize = 1024 * 1024;
const CHUNK: usize = 16 * 1024;

/// A demand on the body.
#[derive(Debug)]
pub(crate) enum Demand {
    /// This text, byte by byte.
    Text(String),
    /// A match of this expression.
    Expression(Regex),
}

/// What reading the body showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// What was demanded.
    Yes,
    /// Not what was demanded; why, for people.
    No(String),
}

impl Demand {
    /// From the settings, of which at most one is given.
    ///
    /// # Errors
    /// A phrase that begins with the key.
    pub(crate) fn parse(text: Option<String>, expression: Option<&str>) -> Result<Option<Self>, String> {
        match (text, expression) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err("body_match and body_regex exclude each other: keep one of them".to_owned())
            }
            (Some(text), None) if text.is_empty() => Err("body_match: is empty".to_owned()),
            (Some(text), None) => Ok(Some(Self::Text(text))),
            (None, Some(expression)) => match Regex::new(expression) {
                Ok(regex) => Ok(Some(Self::Expression(regex))),
                Err(error) => Err(format!("body_regex: {error}")),
            },
        }
    }

    /// Reads until the demand is met, the body ends, or [`MOST_READ`].
    pub(crate) fn look_in(&self, body: &mut impl Read) -> Found {
        let mut seen = Vec::new();
        let end = loop {
            match take_some(body, &mut seen) {
                Ok(0) => break "the body".to_owned(),
                Ok(fresh) if self.is_new_in(&seen, fresh) => return Found::Yes,
                Ok(_) if seen.len() >= MOST_READ => break format!("the first {MOST_READ} bytes of the body"),
                Ok(_) => {}
                Err(error) => break format!("what came of the body before it broke off ({error})"),
            }
        };
        // An expression is tried once, on everything.
        if let Self::Expression(regex) = self
            && regex.is_match(&String::from_utf8_lossy(&seen))
        {
            return Found::Yes;
        }
        let beginning = shown(&seen);
        Found::No(format!("{} is not in {end}: {} bytes, beginning {beginning}", self.name(), seen.len()))
    }

    /// Whether the text ends in the last `fresh` bytes.
    fn is_new_in(&self, seen: &[u8], fresh: usize) -> bool {
        let Self::Text(text) = self else { return false };
        let from = (seen.len() - fresh).saturating_sub(text.len() - 1);
        seen[from..].windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn name(&self) -> String {
        match self {
            Self::Text(text) => format!("body_match {text:?}"),
            Self::Expression(regex) => format!("a match of body_regex {:?}", regex.as_str()),
        }
    }
}

fn take_some(body: &mut impl Read, seen: &mut Vec<u8>) -> io::Result<usize> {
    let before = seen.len();
    seen.resize((before + CHUNK).min(MOST_READ), 0);
    let taken = body.read(&mut seen[before..]);
    seen.truncate(before + taken.as_ref().copied().unwrap_or(0));
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body in pieces, then an end or an error.
    struct Pieces(Vec<Result<Vec<u8>, io::ErrorKind>>, usize);
    impl Pieces {
        fn of<const N: usize>(pieces: [Result<&str, io::ErrorKind>; N]) -> Self {
            Self(
                pieces.into_iter().rev().map(|piece| piece.map(|text| text.as_bytes().to_vec())).collect(),
                0,
            )
        }
    }
    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.pop() else { return Ok(0) };
            let piece = piece?;
            let taken = piece.len().min(buffer.len());
            buffer[..taken].copy_from_slice(&piece[..taken]);
            if taken < piece.len() {
                self.0.push(Ok(piece[taken..].to_vec()));
            }
            self.1 += taken;
            Ok(taken)
        }
    }

    fn text(text: &str) -> Demand {
        Demand::parse(Some(text.to_owned()), None).unwrap().unwrap()
    }
    fn expression(text: &str) -> Demand {
        Demand::parse(None, Some(text)).unwrap().unwrap()
    }

    #[test]
    fn a_text_is_found_across_pieces_and_ends_the_reading() {
        let mut body = Pieces::of([Ok("all sys"), Ok("tems O"), Ok("K, more"), Err(io::ErrorKind::TimedOut)]);
        assert_eq!(text("systems OK").look_in(&mut body), Found::Yes);
        assert_eq!(body.0.len(), 1, "what follows is not read");
        assert_eq!(text("x").look_in(&mut Pieces::of([Ok("x")])), Found::Yes);
    }

    #[test]
    fn an_expression_sees_everything_that_came() {
        let mut body = Pieces::of([Ok("a=1\nb"), Ok("=23\n"), Err(io::ErrorKind::ConnectionReset)]);
        assert_eq!(expression(r"(?m)^b=\d{2}$").look_in(&mut body), Found::Yes);
    }

    #[test]
    fn what_is_missing_is_said_with_the_beginning() {
        let missing = text("OK").look_in(&mut Pieces::of([Ok("<h1>No\u{7}</h1>")]));
        let why = r#"body_match "OK" is not in the body: 12 bytes, beginning "<h1>No\x07</h1>""#;
        assert_eq!(missing, Found::No(why.to_owned()));
        let broken = expression("O.").look_in(&mut Pieces::of([Ok("N"), Err(io::ErrorKind::TimedOut)]));
        let Found::No(why) = broken else { panic!("{broken:?}") };
        let expected = "a match of body_regex \"O.\" is not in what came of the body before it broke off (timed out): 1 bytes";
        assert!(why.starts_with(expected), "{why}");
    }

    #[test]
    fn reading_is_bounded() {
        let endless = "x".repeat(3 * MOST_READ);
        let mut body = Pieces::of([Ok(&endless)]);
        let Found::No(why) = text("OK").look_in(&mut body) else { panic!("there is no OK") };
        assert!(
            why.starts_with("body_match \"OK\" is not in the first 1048576 bytes of the body: "),
            "{why}"
        );
        assert_eq!(body.1, MOST_READ);
    }

    #[test]
    fn mistakes_begin_with_the_key() {
        assert_eq!(Demand::parse(Some(String::new()), None).unwrap_err(), "body_match: is empty");
        assert!(Demand::parse(None, Some("(")).unwrap_err().starts_with("body_regex: "));
        assert!(Demand::parse(Some("a".into()), Some("b")).unwrap_err().contains("exclude each other"));
    }
}
