//! `pm history --trends`: what happens per day, how fast it is repaired, and what does not last. Per process and in total.
//!
//! A restart here is one that was carried out: it helped at first, or failed. It helped if a stable period followed;
//! it flaps if the process was in alarm again before. The time to recover runs from the alarm, as pm first saw it, to
//! the verified restart.

mod spark;

use super::millis;
use crate::cli::arguments::HistoryFormat;
use crate::cli::table::table;
use crate::cli::{Failure, Terminal, json};
use crate::policy::model::{End, Name};
use crate::policy::sentence::lasting;
use crate::policy::time::Wall;
use crate::ports::{Attempt, Effect};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use spark::Alphabet;
use std::collections::BTreeMap;
use std::time::Duration;

/// Without `--since` so many days, today among them, are looked at.
const DAYS: i32 = 14;
/// More days than this are put together into so many columns.
const COLUMNS: usize = 30;

/// The days that are looked at.
pub(super) struct Period {
    /// Its first moment.
    pub(super) from: Wall,
    until: Wall,
    first: Date,
    days: usize,
    zone: TimeZone,
}

impl Period {
    /// From `since`, else some days, to `now`; days are those of this host.
    pub(super) fn new(since: Option<Wall>, now: Wall) -> Self {
        Self::within(since, now, TimeZone::system())
    }

    fn within(since: Option<Wall>, now: Wall, zone: TimeZone) -> Self {
        let day = |at: Wall| zone.to_datetime(Timestamp::from_millisecond(at.0).unwrap_or_default()).date();
        let today = day(now);
        let first = since.map_or_else(|| today.saturating_sub((DAYS - 1).days()), day).min(today);
        let begin = zone.to_timestamp(first.at(0, 0, 0, 0)).map_or(now, |at| Wall(at.as_millisecond()));
        let days = usize::try_from((today - first).get_days()).unwrap_or_default() + 1;
        Self { from: since.unwrap_or(begin), until: now, first, days, zone }
    }

    /// Which of its days a moment is on.
    fn day_of(&self, at: Wall) -> usize {
        let at = self.zone.to_datetime(Timestamp::from_millisecond(at.0).unwrap_or_default()).date();
        usize::try_from((at - self.first).get_days()).unwrap_or_default().min(self.days - 1)
    }

    fn days(&self) -> Vec<String> {
        let day = |number: usize| self.first.saturating_add(i64::try_from(number).unwrap_or_default().days());
        (0..self.days).map(|number| day(number).to_string()).collect()
    }
}

/// What one process, or all of them, came to.
#[derive(Debug, Clone, Default)]
struct Trend {
    per_day: Vec<u64>,
    lasted: u64,
    relapsed: u64,
    failed: u64,
    /// In milliseconds, sorted.
    recovery: Vec<u64>,
}

impl Trend {
    fn add(&mut self, attempt: &Attempt, end: End, day: usize) {
        self.per_day[day] += 1;
        match (end, attempt.effect) {
            (End::Failed, _) => self.failed += 1,
            (_, Some(Effect::Lasted)) => self.lasted += 1,
            (_, Some(Effect::Relapsed)) => self.relapsed += 1,
            _ => {}
        }
        self.recovery.extend(attempt.recovery().map(millis));
    }

    fn restarts(&self) -> u64 {
        self.per_day.iter().sum()
    }

    /// The share of judged restarts that lasted, in percent.
    fn success(&self) -> Option<u64> {
        (self.lasted * 100).checked_div(self.lasted + self.relapsed + self.failed)
    }

    /// The time that so many percent of the recoveries took at the most (nearest rank).
    fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.recovery.len() * percent).div_ceil(100);
        self.recovery.get(rank.checked_sub(1)?).copied()
    }

    fn to_json(&self) -> Value {
        json!({
            "restarts": self.restarts(), "per_day": self.per_day, "lasted": self.lasted, "relapsed": self.relapsed,
            "failed": self.failed, "success_percent": self.success(), "recoveries": self.recovery.len(),
            "recovery_median_ms": self.percentile(50), "recovery_p90_ms": self.percentile(90),
        })
    }

    fn row(&self, name: String, alphabet: Alphabet) -> Vec<String> {
        let time = |ms: Option<u64>| match ms {
            None => "-".to_owned(),
            Some(ms @ ..1_000) => format!("{ms} ms"),
            Some(ms @ ..10_000) => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
            Some(ms) => lasting(Duration::from_millis(ms)),
        };
        vec![
            name,
            self.restarts().to_string(),
            alphabet.line(&spark::columns(&self.per_day, COLUMNS)),
            self.success().map_or_else(|| "-".to_owned(), |share| format!("{share} %")),
            time(self.percentile(50)),
            time(self.percentile(90)),
            self.relapsed.to_string(),
        ]
    }
}

pub(super) fn tell(
    attempts: &[Attempt],
    period: &Period,
    format: HistoryFormat,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let (total, each) = trends(attempts, period);
    match format {
        HistoryFormat::Json => json::write(&to_json(period, &total, &each), terminal.out),
        _ => write(period, &total, &each, Alphabet::of_terminal(), terminal),
    }
}

fn trends(attempts: &[Attempt], period: &Period) -> (Trend, BTreeMap<Name, Trend>) {
    let empty = || Trend { per_day: vec![0; period.days], ..Trend::default() };
    let (mut total, mut each) = (empty(), BTreeMap::new());
    for attempt in attempts {
        let Some((_, end @ (End::Restarted | End::Failed), tries, _)) = &attempt.ended else { continue };
        // One that ended before a strategy acted was no restart.
        if *tries == 0 {
            continue;
        }
        let day = period.day_of(attempt.began);
        total.add(attempt, *end, day);
        each.entry(attempt.name.clone()).or_insert_with(empty).add(attempt, *end, day);
    }
    total.recovery.sort_unstable();
    each.values_mut().for_each(|trend: &mut Trend| trend.recovery.sort_unstable());
    (total, each)
}

fn to_json(period: &Period, total: &Trend, each: &BTreeMap<Name, Trend>) -> Value {
    let one = |(name, trend): (&Name, &Trend)| {
        let mut shown = trend.to_json();
        shown["name"] = json!(name.as_str());
        shown
    };
    json!({
        "from_ms": period.from.0, "until_ms": period.until.0, "days": period.days(), "total": total.to_json(),
        "processes": each.iter().map(one).collect::<Vec<_>>(),
    })
}

fn write(
    period: &Period,
    total: &Trend,
    each: &BTreeMap<Name, Trend>,
    alphabet: Alphabet,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let days = period.days();
    let (first, last) = (days.first().map_or("", String::as_str), days.last().map_or("", String::as_str));
    let restarts = if total.restarts() == 1 { "restart" } else { "restarts" };
    let processes = if each.len() == 1 { "process" } else { "processes" };
    let (count, of) = (total.restarts(), each.len());
    writeln!(terminal.out, "{first} to {last}: {count} {restarts} of {of} {processes}\n")?;
    if each.is_empty() {
        return Ok(());
    }
    // Those that are restarted most come first.
    let mut order: Vec<_> = each.iter().collect();
    order.sort_by_key(|(name, trend)| (std::cmp::Reverse(trend.restarts()), *name));
    let rows = order.into_iter().map(|(name, trend)| trend.row(name.to_string(), alphabet));
    let all = std::iter::once(total.row("all".to_owned(), alphabet));
    let head = ["PROCESS", "RESTARTS", "PER DAY", "LASTED", "MEDIAN", "P90", "RELAPSED"];
    write!(terminal.out, "{}", table(&head, rows.chain(all)))?;
    Ok(())
}

#[cfg(test)]
mod tests;
