//! The few D-Bus messages that pm exchanges with systemd: how they are written and read.
//!
//! Pure. Only names that have passed [`names`](crate::names) get into a message. What is read comes from the bus and is
//! believed by its shape alone; who sent it is for the caller to compare.

use crate::state::UnitState;
use std::num::NonZeroU32;
use zbus::message::{Flags, Type};
use zbus::{Message, ObjectPath, Variant};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const ROOT: &str = "/org/freedesktop/systemd1";
const BUS: &str = "org.freedesktop.DBus";
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";
const ENDED: &str = "JobRemoved";

/// Whether the other side is to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Wanted,
    Unwanted,
}

fn call<B>(to: &str, path: &str, interface: &str, member: &str, answer: Answer, body: &B) -> Message
where
    B: serde::Serialize + zbus::DynamicType,
{
    let mut builder = Message::method_call(path, member).interface(interface).destination(to);
    if answer == Answer::Unwanted {
        builder = builder.with_flags(Flags::NO_REPLY_EXPECTED);
    }
    builder.build(body).expect("names are constants, paths are escaped and texts hold no NUL")
}

fn to_systemd<B: serde::Serialize + zbus::DynamicType>(member: &str, body: &B) -> Message {
    call(SYSTEMD, ROOT, "org.freedesktop.systemd1.Manager", member, Answer::Wanted, body)
}

/// Asks for the state of a unit; loads it when necessary and follows an alias.
pub(crate) fn look(unit: &str) -> Message {
    to_systemd("ListUnitsByNames", &vec![unit])
}

/// Queues a job for a unit.
pub(crate) fn start(unit: &str) -> Message {
    to_systemd("StartUnit", &(unit, "replace"))
}

/// Queues a job for a unit.
pub(crate) fn restart(unit: &str) -> Message {
    to_systemd("RestartUnit", &(unit, "replace"))
}

/// Forgets the failures of a unit.
pub(crate) fn reset_failed(unit: &str) -> Message {
    to_systemd("ResetFailedUnit", &unit)
}

/// Asks for a property of a unit.
pub(crate) fn property(unit: &str, interface: &str, name: &str) -> Message {
    let path = format!("{ROOT}/unit/{}", escaped(unit));
    call(SYSTEMD, &path, "org.freedesktop.DBus.Properties", "Get", Answer::Wanted, &(interface, name))
}

/// Has the bus pass on the ends of the jobs of this unit; the bus sends its answer nowhere.
pub(crate) fn subscribe(unit: &str) -> Message {
    call(BUS, "/org/freedesktop/DBus", BUS, "AddMatch", Answer::Unwanted, &rule(unit))
}

/// Ends [`subscribe`].
pub(crate) fn unsubscribe(unit: &str) -> Message {
    call(BUS, "/org/freedesktop/DBus", BUS, "RemoveMatch", Answer::Unwanted, &rule(unit))
}

fn rule(unit: &str) -> String {
    format!(
        "type='signal',sender='{SYSTEMD}',path='{ROOT}',interface='{SYSTEMD}.Manager',member='{ENDED}',arg2='{unit}'"
    )
}

/// A unit's name as the last part of an object path.
fn escaped(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len() * 2);
    for (index, byte) in unit.bytes().enumerate() {
        match byte {
            b'0'..=b'9' if index == 0 => out.push_str(&format!("_{byte:02x}")),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => out.push(char::from(byte)),
            _ => out.push_str(&format!("_{byte:02x}")),
        }
    }
    out
}

pub(crate) fn serial(message: &Message) -> NonZeroU32 {
    message.primary_header().serial_num()
}

/// Name and text of an error.
pub(crate) fn refusal(message: &Message) -> Option<(String, String)> {
    if message.message_type() != Type::Error {
        return None;
    }
    let name = message.header().error_name().map_or_else(String::new, |name| name.as_str().to_owned());
    let text = message.body().deserialize::<&str>().map_or_else(|_| name.clone(), str::to_owned);
    Some((name, text))
}

/// A unit as `ListUnitsByNames` describes it: id, description, load state, active state, sub-state, followed unit, path,
/// and id, type and path of its job.
type Listed<'a> =
    (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str, ObjectPath<'a>, u32, &'a str, ObjectPath<'a>);

/// The answer to [`look`].
pub(crate) fn state(message: &Message) -> zbus::Result<UnitState> {
    let body = message.body();
    let units: Vec<Listed<'_>> = body.deserialize()?;
    let Some((id, _, load, active, sub, _, _, number, _, job)) = units.first() else {
        return Err(zbus::Error::InvalidReply);
    };
    let owned = |text: &&str| (*text).to_owned();
    Ok(UnitState {
        id: owned(id),
        load: owned(load),
        active: owned(active),
        sub: owned(sub),
        job: (*number != 0).then(|| job.as_str().to_owned()),
        invocation: None,
    })
}

/// The answer to [`start`] and [`restart`]: the path of the job, and who answered.
pub(crate) fn job(message: &Message) -> zbus::Result<(String, String)> {
    let body = message.body();
    let path: ObjectPath<'_> = body.deserialize()?;
    Ok((path.as_str().to_owned(), sender(message)))
}

/// The unique name of who sent it.
pub(crate) fn sender(message: &Message) -> String {
    message.header().sender().map_or_else(String::new, |name| name.as_str().to_owned())
}

/// The answer to [`property`] as text; numbers in decimal, bytes in hexadecimal, truth as `yes` and `no`.
pub(crate) fn value(message: &Message) -> Option<String> {
    let body = message.body();
    match body.deserialize::<Variant<'_>>().ok()? {
        Variant::Str(text) => Some(text.as_str().to_owned()),
        Variant::I32(number) => Some(number.to_string()),
        Variant::U32(number) => Some(number.to_string()),
        Variant::U64(number) => Some(number.to_string()),
        Variant::Bool(truth) => Some(if truth { "yes" } else { "no" }.to_owned()),
        Variant::Array(bytes) => {
            let bytes = Vec::<u8>::try_from(bytes).ok()?;
            Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        _ => None,
    }
}

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    /// The unique name of the sender.
    pub(crate) sender: String,
    /// The object path of the job.
    pub(crate) job: String,
    /// `done`, `failed`, …
    pub(crate) result: String,
}

impl Removed {
    /// None when the message is something else.
    pub(crate) fn read(message: &Message) -> Option<Self> {
        let header = message.header();
        if message.message_type() != Type::Signal || header.member()?.as_str() != ENDED {
            return None;
        }
        let body = message.body();
        let (_, job, _, result): (u32, ObjectPath<'_>, &str, &str) = body.deserialize().ok()?;
        Some(Self { sender: sender(message), job: job.as_str().to_owned(), result: result.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_object_paths_as_systemd_escapes_them() {
        for (unit, path) in [
            ("web.service", "web_2eservice"),
            ("3proxy.service", "_33proxy_2eservice"),
            ("a-b@c:d_e\\x2d.service", "a_2db_40c_3ad_5fe_5cx2d_2eservice"),
        ] {
            assert_eq!(escaped(unit), path);
        }
    }

    #[test]
    fn only_the_end_of_a_job_is_read_as_one() {
        let signal = |member: &'static str| {
            Message::signal(ROOT, "org.freedesktop.systemd1.Manager", member).sender(":1.7")
        };
        let path = ObjectPath::try_from("/org/freedesktop/systemd1/job/5").unwrap();
        let body = (5_u32, path, "web.service", "done");
        let expected = Removed {
            sender: ":1.7".into(),
            job: "/org/freedesktop/systemd1/job/5".into(),
            result: "done".into(),
        };
        assert_eq!(Removed::read(&signal(ENDED).build(&body).unwrap()), Some(expected));
        assert_eq!(Removed::read(&signal("JobNew").build(&body).unwrap()), None);
        assert_eq!(Removed::read(&signal(ENDED).build(&"nonsense").unwrap()), None);
        assert_eq!(Removed::read(&look("web.service")), None);
    }

    #[test]
    fn properties_become_texts() {
        let reply = |value: Variant<'_>| {
            let question = property("web.service", UNIT, "X");
            Message::method_return(&question.header()).build(&value).unwrap()
        };
        assert_eq!(value(&reply(Variant::from("exit-code"))).as_deref(), Some("exit-code"));
        assert_eq!(value(&reply(Variant::from(-1_i32))).as_deref(), Some("-1"));
        assert_eq!(value(&reply(Variant::from(203_u32))).as_deref(), Some("203"));
        assert_eq!(value(&reply(Variant::from(false))).as_deref(), Some("no"));
        assert_eq!(value(&reply(Variant::from(vec![0x0f_u8, 0xa0]))).as_deref(), Some("0fa0"));
        assert_eq!(value(&reply(Variant::from(1.5_f64))), None);
        assert_eq!(value(&look("web.service")), None);
    }

    #[test]
    fn an_error_has_a_name_and_a_text() {
        let question = look("web.service");
        let error = Message::error(&question.header(), "org.x.Bad").build(&"why").unwrap();
        assert_eq!(refusal(&error), Some(("org.x.Bad".to_owned(), "why".to_owned())));
        assert_eq!(refusal(&question), None);
    }
}
