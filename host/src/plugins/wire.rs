//! What pm and a worker say to each other: one message per packet, a tag, a number, and a payload.
//!
//! The socket keeps packets apart, so a message is whole or it is not there, and whatever a library writes into the
//! socket by mistake is one bad message and never a stream that is out of step. Bodies are the JSON that a library in
//! this process would get, so they are encoded once. Both ends are the same program, hence no version. Pure: nothing
//! here touches a socket.

use super::refusal::{Maker, Reason};
use pm_plugin_api::settings::Texts;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// No message is larger. A packet has to fit into the socket's buffer, which is 208 KiB where nobody changed it.
pub const LARGEST: usize = 192 * 1024;

/// Tag and number.
const HEAD: usize = 9;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// To the worker: run an operation.
    Call(Asked<'a>, &'a [u8]),
    /// To the worker: are you there?
    Ping,
    /// From the worker, once and first: whether the library is loaded.
    Hello(Loaded),
    /// From the worker: the JSON of an answer.
    Answer(&'a [u8]),
    /// From the worker: the JSON of an error.
    Failed(&'a [u8]),
    /// From the worker: the library logs; the number is that of the call, or 0.
    Said {
        /// 1 error … 5 trace.
        level: u8,
        /// The module that speaks.
        module: &'a str,
        /// What it says.
        text: &'a str,
    },
    /// From the worker: here I am.
    Pong,
}

/// Which operation of which part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked<'a> {
    /// `strategy`, `check`, `notifier`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The part.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// `restart`, `check`, …
    #[serde(borrow)]
    pub op: Cow<'a, str>,
    /// The part's settings.
    pub settings: Cow<'a, Texts>,
    /// The most verbose level somebody listens to.
    pub level: u8,
}

/// What came of loading the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Loaded {
    /// It serves.
    Ready,
    /// The dynamic linker refuses it.
    Linking {
        /// The linker's words.
        why: String,
    },
    /// The entry point is missing.
    NoEntryPoint,
    /// Built on another version of the boundary's foundation.
    AbiStable {
        /// The version it was built with.
        found: String,
        /// This pm's version.
        ours: String,
    },
    /// The types at the boundary differ.
    Layout,
    /// Its entry point failed.
    EntryPoint {
        /// In one line.
        why: String,
    },
    /// It is refused for another reason, in words.
    Unfit {
        /// The reason as it is shown.
        why: String,
    },
    /// The worker could not become what it was told to be.
    Setting {
        /// What was attempted and why it failed.
        why: String,
    },
}

impl Loaded {
    /// What a worker says of a refusal.
    pub(super) fn refused(reason: Reason) -> Self {
        match reason {
            Reason::Linking { why } => Self::Linking { why },
            Reason::NoEntryPoint => Self::NoEntryPoint,
            Reason::AbiStable { found, ours } => Self::AbiStable { found, ours },
            Reason::Layout { .. } => Self::Layout,
            Reason::EntryPoint { why, .. } => Self::EntryPoint { why },
            other => Self::Unfit { why: other.to_string() },
        }
    }

    /// The refusal behind it, if it is one.
    pub(super) fn reason(self, maker: &Maker) -> Option<Reason> {
        Some(match self {
            Self::Ready => return None,
            Self::Linking { why } => Reason::Linking { why },
            Self::NoEntryPoint => Reason::NoEntryPoint,
            Self::AbiStable { found, ours } => Reason::AbiStable { found, ours },
            Self::Layout => Reason::Layout { maker: maker.clone() },
            Self::EntryPoint { why } => Reason::EntryPoint { maker: maker.clone(), why },
            Self::Unfit { why } => Reason::Unfit { why },
            Self::Setting { why } => Reason::Worker { maker: maker.clone(), why },
        })
    }
}

/// Why a packet is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAMessage {
    /// It is shorter than the head of a message.
    #[error("{0} bytes are too few for a message")]
    Short(usize),
    /// Its tag means nothing.
    #[error("no message has the tag {0}")]
    Tag(u8),
    /// Its payload cannot be read.
    #[error("its payload cannot be read: {0}")]
    Payload(String),
}

impl Message<'_> {
    fn tag(&self) -> u8 {
        match self {
            Self::Call(..) => 1,
            Self::Ping => 2,
            Self::Hello(_) => 3,
            Self::Answer(_) => 4,
            Self::Failed(_) => 5,
            Self::Said { .. } => 6,
            Self::Pong => 7,
        }
    }
}

/// The packet of a message. None when it would be larger than [`LARGEST`].
pub fn encode(number: u64, message: &Message<'_>) -> Option<Vec<u8>> {
    let mut packet = Vec::with_capacity(512);
    packet.push(message.tag());
    packet.extend(number.to_le_bytes());
    match message {
        Message::Ping | Message::Pong => {}
        Message::Answer(body) | Message::Failed(body) => packet.extend_from_slice(body),
        Message::Hello(loaded) => serde_json::to_writer(&mut packet, loaded).ok()?,
        Message::Said { level, module, text } => {
            packet.push(*level);
            packet.extend(u16::try_from(module.len()).ok()?.to_le_bytes());
            packet.extend_from_slice(module.as_bytes());
            packet.extend_from_slice(text.as_bytes());
        }
        Message::Call(asked, body) => {
            packet.extend([0; 4]);
            serde_json::to_writer(&mut packet, asked).ok()?;
            let length = u32::try_from(packet.len() - HEAD - 4).ok()?;
            packet[HEAD..HEAD + 4].copy_from_slice(&length.to_le_bytes());
            packet.extend_from_slice(body);
        }
    }
    (packet.len() <= LARGEST).then_some(packet)
}

/// Number and message of a packet.
///
/// # Errors
/// [`NotAMessage`]; there is no packet that panics.
pub fn decode(packet: &[u8]) -> Result<(u64, Message<'_>), NotAMessage> {
    let short = || NotAMessage::Short(packet.len());
    let (head, payload) = packet.split_at_checked(HEAD).ok_or_else(short)?;
    let (tag, number) = head.split_first().ok_or_else(short)?;
    let number = u64::from_le_bytes(number.try_into().map_err(|_| short())?);
    let message = match tag {
        1 => {
            let (length, rest) = payload.split_first_chunk::<4>().ok_or_else(short)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?;
            let (asked, body) = rest.split_at_checked(length).ok_or_else(short)?;
            Message::Call(read(asked)?, body)
        }
        2 => Message::Ping,
        3 => Message::Hello(read(payload)?),
        4 => Message::Answer(payload),
        5 => Message::Failed(payload),
        6 => said(payload).ok_or_else(|| NotAMessage::Payload("it is not what a library logs".to_owned()))?,
        7 => Message::Pong,
        other => return Err(NotAMessage::Tag(*other)),
    };
    Ok((number, message))
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, NotAMessage> {
    serde_json::from_slice(bytes).map_err(|error| NotAMessage::Payload(error.to_string()))
}

fn said(payload: &[u8]) -> Option<Message<'_>> {
    let (level, rest) = payload.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (module, text) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    let (module, text) = (std::str::from_utf8(module).ok()?, std::str::from_utf8(text).ok()?);
    Some(Message::Said { level: *level, module, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(settings: &Texts) -> Asked<'_> {
        Asked {
            kind: "strategy".into(),
            name: "a \"quoted\" name".into(),
            op: "restart".into(),
            settings: Cow::Borrowed(settings),
            level: 3,
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let settings = Texts::from([("key".to_owned(), "line\nline".to_owned())]);
        let said = Message::Said { level: 2, module: "a::b", text: "ș" };
        let loaded = Message::Hello(Loaded::Linking { why: "libx.so: not found".to_owned() });
        let call = Message::Call(asked(&settings), b"{\"target\":{}}");
        for message in
            [call, Message::Ping, loaded, Message::Answer(b"1"), Message::Failed(b"{}"), said, Message::Pong]
        {
            let packet = encode(u64::MAX - 1, &message).unwrap();
            assert_eq!(decode(&packet), Ok((u64::MAX - 1, message)));
        }
    }

    #[test]
    fn what_is_too_large_is_not_sent() {
        assert!(encode(1, &Message::Answer(&vec![b'x'; LARGEST - HEAD])).is_some());
        assert!(encode(1, &Message::Answer(&vec![b'x'; LARGEST - HEAD + 1])).is_none());
        let settings = Texts::from([("key".to_owned(), "x".repeat(LARGEST))]);
        assert!(encode(1, &Message::Call(asked(&settings), b"")).is_none());
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_fail(packet in proptest::collection::vec(any::<u8>(), 0..200), tag in 0_u8..9) {
            let _ = decode(&packet);
            let mut packet = packet;
            if let Some(first) = packet.first_mut() {
                *first = tag;
            }
            if let Ok((number, message)) = decode(&packet) {
                let again = encode(number, &message).unwrap();
                prop_assert_eq!(decode(&again), Ok((number, message)));
            }
        }
    }
}
