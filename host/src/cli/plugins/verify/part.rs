//! What is expected of one part: of its settings, of how it is made, and of its answers.
//!
//! Whatever is asked here is asked with a limit, and of a process that cannot exist. A panic, a death and a silence are
//! failures wherever they happen.

use super::report::{Report, counted, in_words};
use super::{PATIENCE, QUICK};
use crate::cli::arguments::VerifyOptions;
use crate::cli::plugins::call::word;
use crate::cli::plugins::hand::{Asked, Hand, about};
use crate::plugins::Operation;
use crate::spec::PartRef;
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::{Key, Texts, judge};
use pm_plugin_api::{Error, ErrorKind, Evidence, Health, Outcome};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// No row and no service is called so.
const NOBODY: &str = "pm-verify-there-is-no-such-process";
/// What a part is given to answer in, where giving up in time is looked at.
const LIMIT: Duration = Duration::from_millis(500);
/// How much longer it may take: a machine that builds plugins is busy.
const SLACK: Duration = Duration::from_secs(2);
/// An operation that no version of pm will have.
const UNKNOWN: &str = "pm-verify-no-such-operation";

/// One part of the library.
pub(super) struct Examiner<'a> {
    pub(super) hand: &'a Hand,
    pub(super) offer: &'a Offer,
    pub(super) options: &'a VerifyOptions,
}

type Step<'a> = fn(&Examiner<'a>, &Texts, &mut Report);

impl<'a> Examiner<'a> {
    /// Looks at everything.
    pub(super) fn examine(&self, report: &mut Report) {
        if let Some(flaw) = self.offer.keys.iter().find_map(flaw) {
            report.fail("schema", &flaw);
        } else {
            report.ok("schema", &described(&self.offer.keys));
        }
        self.wrong_settings(report);
        let Some(settings) = self.made(report) else { return };
        for step in self.steps() {
            // What would be said of a library that has just ended its process would be about that.
            if self.hand.deaths() == 0 {
                step(self, &settings, report);
            }
        }
    }

    /// What is looked at once there is a part.
    fn steps(&self) -> Vec<Step<'a>> {
        let mut steps: Vec<Step<'a>> = vec![Self::unknown_operation, Self::garbage];
        match self.offer.kind.as_str() {
            "strategy" => {
                steps
                    .push(|part, settings, report| part.look::<Option<String>>("identity", settings, report));
                steps.push(|part, settings, report| part.look::<Evidence>("evidence", settings, report));
            }
            "check" => steps.push(|part, settings, report| part.look::<Health>("check", settings, report)),
            _ => {}
        }
        if self.offer.kind == "strategy" && self.options.restart {
            steps.push(|part, settings, report| part.look::<Outcome>("restart", settings, report));
        }
        steps.push(Self::deadline);
        steps
    }

    fn ask(&self, settings: &Texts, op: &str, body: &[u8], timeout: Duration) -> Asked {
        let part = PartRef { name: self.offer.name.clone(), settings: settings.clone() };
        self.hand.ask(&self.offer.kind, &part, Operation { op, subject: NOBODY, body, timeout, heard: None })
    }

    /// What the operator mistypes has to be said to him.
    fn wrong_settings(&self, report: &mut Report) {
        let mut wrong = vec![("pm_verify_no_such_key".to_owned(), "1".to_owned())];
        let typed = self.offer.keys.iter().filter(|key| judge(key, "\u{1}").is_err());
        wrong.extend(typed.map(|key| (key.name.clone(), "\u{1}".to_owned())));
        let count = wrong.len();
        for (key, value) in wrong {
            let mut settings = self.given();
            settings.insert(key.clone(), value);
            let asked = self.ask(&settings, UNKNOWN, b"{}", PATIENCE);
            if let Some(why) = silent(&asked) {
                return report.fail("bad keys", &why);
            }
            match asked.answer {
                Err(error) if error.kind == ErrorKind::Config => {}
                _ => {
                    let advice =
                        "answer create with an error of the kind config; settings! does it by itself";
                    return report.fail("bad keys", &format!("a wrong {key} is accepted: {advice}"));
                }
            }
        }
        report.ok("bad keys", &format!("{}, refused with the kind config", counted(count, "wrong setting")));
    }

    /// Makes the part; answers the settings it can be made with.
    fn made(&self, report: &mut Report) -> Option<Texts> {
        let given = self.given();
        let mut settings = given.clone();
        let required = self.offer.keys.iter().filter(|key| key.required && !given.contains_key(&key.name));
        settings.extend(required.map(|key| (key.name.clone(), invented(key))));
        let mut asked = self.ask(&settings, UNKNOWN, b"{}", PATIENCE);
        // Libraries of an earlier level do not say which keys are required, and some want one of several.
        while let Some(key) = self.wanted(&asked, &settings) {
            settings.insert(key.name.clone(), invented(key));
            asked = self.ask(&settings, UNKNOWN, b"{}", PATIENCE);
        }
        let invented: Vec<_> =
            settings.keys().filter(|key| !given.contains_key(*key)).map(String::as_str).collect();
        let with = match invented.as_slice() {
            [] => String::new(),
            keys => format!(" with made-up values for {}", keys.join(", ")),
        };
        if let Some(why) = broken(&asked) {
            report.fail("new", &why);
            return None;
        }
        match &asked.answer {
            Err(error) if error.kind == ErrorKind::Config => {
                let advice = "give it what it needs, as in: pm plugins verify FILE key=value";
                report.warn("new", &format!("cannot be made{with}: {}; {advice}", error.message));
                return None;
            }
            _ if asked.took > QUICK => {
                let took = in_words(asked.took);
                report.fail(
                    "new",
                    &format!("takes {took}; it has to be cheap: connect on first use, not in new"),
                );
            }
            _ => report.ok("new", &format!("made{with} in {}", in_words(asked.took))),
        }
        Some(settings)
    }

    /// The key whose absence the part complains of.
    fn wanted(&self, asked: &Asked, settings: &Texts) -> Option<&Key> {
        let Err(error) = &asked.answer else { return None };
        let absent =
            self.offer.keys.iter().filter(|key| key.default.is_none() && !settings.contains_key(&key.name));
        let complaint = |key: &&Key| error.message.contains(&format!("{}: ", key.name));
        (error.kind == ErrorKind::Config).then(|| absent.into_iter().find(complaint)).flatten()
    }

    fn unknown_operation(&self, settings: &Texts, report: &mut Report) {
        let asked = self.ask(settings, UNKNOWN, b"{}", PATIENCE);
        if let Some(why) = broken(&asked) {
            return report.fail("unknown op", &why);
        }
        match asked.answer {
            Err(error) if error.kind == ErrorKind::Unsupported => {
                report.ok("unknown op", "is answered \"unsupported\", so that a later pm can ask for more");
            }
            Err(error) => report.fail("unknown op", &format!("{}; answer \"unsupported\"", said(&error))),
            Ok(_) => report.fail("unknown op", "is answered as if it were known; answer \"unsupported\""),
        }
    }

    /// Only what is no JSON at all, and only to operations that change nothing.
    fn garbage(&self, settings: &Texts, report: &mut Report) {
        let Some(op) = self.harmless() else { return };
        for body in [&b""[..], b"{\"target\":", b"\xff\xfe\x01", b"nonsense"] {
            let asked = self.ask(settings, op, body, PATIENCE);
            if let Some(why) = silent(&asked) {
                return report.fail("garbage", &why);
            }
            if asked.answer.is_ok() {
                let body = String::from_utf8_lossy(body);
                return report.fail("garbage", &format!("{op} answers a request that is no JSON: {body:?}"));
            }
        }
        report.ok("garbage", "a request that is no JSON is answered with an error");
    }

    /// Asks about nobody, with a limit, and reads the answer as pm does.
    fn look<T: DeserializeOwned>(&self, op: &'static str, settings: &Texts, report: &mut Report) {
        let body = about(&self.offer.kind, NOBODY, LIMIT).to_string();
        let asked = self.ask(settings, op, body.as_bytes(), LIMIT + SLACK);
        let took = in_words(asked.took);
        if let Some(why) = broken(&asked) {
            return report.fail(op, &why);
        }
        match &asked.answer {
            Err(error) if error.kind == ErrorKind::Timeout && asked.took >= LIMIT + SLACK => {
                let limit = in_words(LIMIT);
                report.fail(op, &format!("does not give up: it had {limit}, and was cut off after {took}"));
            }
            Err(error) if error.kind == ErrorKind::Unsupported => report.ok(op, "is not offered"),
            Err(error) => report.ok(op, &format!("of nobody is an error in {took}: {}", said(error))),
            Ok(answer) => match serde_json::from_slice::<T>(answer) {
                Ok(_) => {
                    let answer = String::from_utf8_lossy(answer);
                    report.ok(op, &format!("of nobody is answered in {took}: {answer}"));
                }
                Err(error) => report.fail(op, &format!("its answer cannot be read: {error}")),
            },
        }
    }

    /// pm's own promise, whatever the library does.
    fn deadline(&self, settings: &Texts, report: &mut Report) {
        let op = self.harmless().unwrap_or(UNKNOWN);
        let body = about(&self.offer.kind, NOBODY, Duration::from_millis(1)).to_string();
        let asked = self.ask(settings, op, body.as_bytes(), Duration::from_millis(1));
        match broken(&asked) {
            Some(why) => report.fail("deadline", &why),
            _ if asked.took > SLACK => {
                report.fail("deadline", &format!("a call with 1 ms was over after {}", in_words(asked.took)));
            }
            _ => report.ok("deadline", &format!("a call with 1 ms was over after {}", in_words(asked.took))),
        }
    }

    /// An operation that changes nothing and tells nobody.
    fn harmless(&self) -> Option<&'static str> {
        match self.offer.kind.as_str() {
            "strategy" => Some("identity"),
            "check" => Some("check"),
            _ => None,
        }
    }

    /// The settings of the command line that this part knows.
    fn given(&self) -> Texts {
        let known = |name: &String| self.offer.keys.iter().any(|key| key.name == *name);
        self.options.settings.iter().filter(|(name, _)| known(name)).cloned().collect()
    }
}

/// What no part may do, in words: panic, or end the process that it runs in.
fn broken(asked: &Asked) -> Option<String> {
    match &asked.answer {
        Err(error) if matches!(error.kind, ErrorKind::Panicked | ErrorKind::Interrupted) => Some(said(error)),
        _ if asked.died => Some("ends the process that it runs in: a crash, an abort or an exit".to_owned()),
        _ => None,
    }
}

/// Nor to be silent, where nothing has to be waited for.
fn silent(asked: &Asked) -> Option<String> {
    let late = |error: &Error| (error.kind == ErrorKind::Timeout).then(|| said(error));
    broken(asked).or_else(|| asked.answer.as_ref().err().and_then(late))
}

fn said(error: &Error) -> String {
    format!("{}: {}", word(error.kind), error.message)
}

fn described(keys: &[Key]) -> String {
    match keys.len() {
        0 => "no settings".to_owned(),
        1 => "one setting, with a text and a default that can be read, or none".to_owned(),
        count => format!("{count} settings, each with a text and a default that can be read, or none"),
    }
}

/// What is wrong with a key.
fn flaw(key: &Key) -> Option<String> {
    let name = &key.name;
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.chars().all(word) {
        return Some(format!("{name:?} cannot be a key: lower-case letters, digits and _ can"));
    }
    if key.text.trim().is_empty() {
        return Some(format!(
            "{name} has no text; write a doc comment, operators read it in pm plugins info"
        ));
    }
    let why = key.default.as_ref().and_then(|default| judge(key, default).err())?;
    Some(format!("the default of {name} cannot be read: {why}"))
}

/// A value that is allowed, with which nothing real can be reached.
fn invented(key: &Key) -> String {
    let plain = match key.kind.as_str() {
        "boolean" => "no",
        "number16" | "number" | "number64" | "size" => "1",
        "duration" => "1s",
        "path" => "/nonexistent/pm-verify",
        _ if key.name.ends_with("url") => "http://127.0.0.1:1/",
        _ => "pm-verify",
    };
    let allowed = key.allowed.as_deref().unwrap_or_default();
    let choices = [plain].into_iter().chain(allowed.split('|')).chain(allowed.split(".."));
    let good = choices.into_iter().find(|choice| judge(key, choice).is_ok());
    good.unwrap_or(plain).to_owned()
}
