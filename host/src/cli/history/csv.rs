//! `pm history --format csv`: RFC 4180, one line per attempt, for spreadsheets and for `import`.
//!
//! Every text stands in quotation marks, moments are UTC. A text is what it is: one that begins with `=` gets nothing
//! put before it, because whoever imports it would then have another text; a spreadsheet is told that columns are text.
//! Only control characters are escaped, as everywhere: a terminal may be what reads this.

use super::{effect, end, millis};
use crate::cli::{Failure, Terminal};
use crate::policy::model::printable;
use crate::policy::time::Wall;
use crate::ports::Attempt;
use jiff::Timestamp;

const HEAD: &str = "id,process,cause,strategy,by,seen,began,ended,end,effect,attempts,recovery_ms,detail";

pub(super) fn write(attempts: &[Attempt], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    write!(terminal.out, "{HEAD}\r\n")?;
    for attempt in attempts {
        write!(terminal.out, "{}\r\n", line(attempt))?;
    }
    Ok(())
}

fn line(attempt: &Attempt) -> String {
    let ended = attempt.ended.as_ref();
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let fields = [
        attempt.id.0.to_string(),
        text(attempt.name.as_str()),
        text(&attempt.cause),
        text(&attempt.strategy),
        attempt.by.as_deref().map_or_else(String::new, text),
        attempt.seen.map_or_else(String::new, moment),
        moment(attempt.began),
        ended.map_or_else(String::new, |(at, ..)| moment(*at)),
        text(&end(attempt)),
        effect(attempt).map_or_else(String::new, text),
        number(ended.map(|(_, _, attempts, _)| u64::from(*attempts))),
        number(attempt.recovery().map(millis)),
        ended.map_or_else(String::new, |(.., detail)| text(detail)),
    ];
    fields.join(",")
}

fn text(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('"', "\"\""))
}

/// `2026-11-27T23:06:12.250Z`.
fn moment(at: Wall) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::{AttemptId, End, Name};
    use crate::ports::Effect;

    #[test]
    fn a_field_is_what_it_was_whatever_is_in_it() {
        let attempt = Attempt {
            id: AttemptId(7),
            name: Name::new("=HYPERLINK(\"x\"),\u{1b}[2J\n"),
            strategy: "service, process".to_owned(),
            seen: Some(Wall(1_767_225_600_000)),
            began: Wall(1_767_225_601_250),
            ended: Some((Wall(1_767_225_603_000), End::Restarted, 2, "fine".to_owned())),
            under_way: false,
            cause: "alarm".to_owned(),
            by: Some("process".to_owned()),
            effect: Some(Effect::Lasted),
        };
        assert_eq!(
            line(&attempt),
            "7,\"=HYPERLINK(\"\"x\"\"),\\u{1b}[2J\\u{a}\",\"alarm\",\"service, process\",\"process\",\
             2026-01-01T00:00:00.000Z,2026-01-01T00:00:01.250Z,2026-01-01T00:00:03.000Z,\"restarted\",\"lasted\",2,3000,\"fine\""
        );
        let open = Attempt { ended: None, seen: None, by: None, effect: None, ..attempt };
        assert_eq!(
            line(&open).split(',').count(),
            HEAD.split(',').count() + 2,
            "two commas are inside of fields"
        );
    }
}
