//! The lease of a host in `pm_host`, in statements that every server understands in the same way.
//!
//! One guarded UPDATE that counts what it changed is the only lock that behaves on single servers and on clusters alike;
//! see `docs/fleet.md`. Times are those of the server, so that the clocks of the hosts do not matter. It must not decide what a
//! pm without a lease does. Nothing in these texts comes from outside: numbers, hexadecimal digits, and printable names.

use super::rows::Cell;
use crate::ports::{Host, Lease, Speaker, StoreError, Trouble};
use std::time::Duration;

const TAKING: &str = "asking for the lease of this host in pm_host";

/// What is needed of a server.
pub(super) trait Leases {
    /// The server's time in milliseconds since 1970, as an expression.
    const NOW: &'static str;
    /// The key of this host in the table.
    fn host(&self) -> String;
    /// The rows of a question.
    fn ask<const N: usize>(&mut self, doing: &str, sql: &str) -> Result<Vec<[Cell; N]>, StoreError>;
    /// Makes a change; answers how many rows were changed.
    fn change(&mut self, doing: &str, sql: &str) -> Result<u64, StoreError>;
}

/// Takes the lease, or renews it with the number it had.
pub(super) fn hold(on: &mut impl Leases, speaker: &Speaker, epoch: Option<i64>) -> Result<Lease, StoreError> {
    match held(on, speaker, epoch) {
        Err(error) if matches!(error.trouble, Trouble::Schema | Trouble::ReadOnly | Trouble::Refused) => {
            Ok(Lease::None { why: error.to_string() })
        }
        other => other,
    }
}

fn held<L: Leases>(on: &mut L, speaker: &Speaker, epoch: Option<i64>) -> Result<Lease, StoreError> {
    let (now, host, Speaker { instance, .. }) = (L::NOW, on.host(), speaker);
    let until = format!("{now} + {}", speaker.lasts.as_millis());
    if let Some(epoch) = epoch {
        let renew = format!(
            "UPDATE pm_host SET lease_until = {until}, heartbeat_at = {now}, silent_epoch = 0 \
             WHERE host = '{host}' AND instance = '{instance}' AND epoch = {epoch}"
        );
        let doing = "renewing the lease of this host in pm_host";
        // A server that counts only what became another value counts none within one millisecond.
        let same = format!(
            "SELECT epoch FROM pm_host WHERE host = '{host}' AND instance = '{instance}' AND epoch = {epoch}"
        );
        if on.change(doing, &renew)? > 0 || !on.ask::<1>(doing, &same)?.is_empty() {
            return Ok(Lease::Mine { epoch });
        }
    }
    let (name, version) = (plain(&speaker.name), env!("CARGO_PKG_VERSION"));
    let take = format!(
        "UPDATE pm_host SET instance = '{instance}', name = '{name}', version = '{version}', epoch = epoch + 1, \
         lease_until = {until}, heartbeat_at = {now}, silent_epoch = 0 \
         WHERE host = '{host}' AND (instance = '{instance}' OR lease_until < {now})"
    );
    let look =
        format!("SELECT instance, name, epoch, lease_until - {now} FROM pm_host WHERE host = '{host}'");
    let mut changed = on.change(TAKING, &take)?;
    let mut rows = on.ask::<4>(TAKING, &look)?;
    if rows.is_empty() {
        let add = format!(
            "INSERT INTO pm_host (host, instance, name, version, epoch, lease_until, heartbeat_at, silent_epoch) \
             VALUES ('{host}', '{instance}', '{name}', '{version}', 1, {until}, {now}, 0)"
        );
        // Of two at once the key lets one in; the other one finds its row at the next try.
        changed = on.change(TAKING, &add)?;
        rows = on.ask::<4>(TAKING, &look)?;
    }
    match rows.into_iter().next() {
        Some([Cell::Text(theirs), _, Cell::Int(epoch), _]) if changed > 0 && theirs == *instance => {
            Ok(Lease::Mine { epoch })
        }
        Some([_, Cell::Text(name), _, Cell::Int(left)]) => {
            Ok(Lease::Theirs { name, left: Duration::from_millis(u64::try_from(left).unwrap_or_default()) })
        }
        _ => Ok(Lease::None { why: "pm_host holds something that is no lease".to_owned() }),
    }
}

/// Ends the lease, so that whoever comes next need not wait.
pub(super) fn let_go(on: &mut impl Leases, epoch: i64) -> Result<(), StoreError> {
    let host = on.host();
    let end = format!("UPDATE pm_host SET lease_until = 0 WHERE host = '{host}' AND epoch = {epoch}");
    on.change("ending the lease of this host in pm_host", &end).map(drop)
}

/// Hosts that have said nothing for so long, whose lease was not ended, and of which nobody has told yet: this pm tells.
pub(super) fn silent<L: Leases>(on: &mut L, after: Duration) -> Result<Vec<Host>, StoreError> {
    let doing = "looking for silent hosts in pm_host";
    let mut news = Vec::new();
    for host in hosts(on)? {
        let is_plain = host.host == plain(&host.host);
        if host.left || host.heard < after || host.host == on.host() || !is_plain {
            continue;
        }
        let tell = format!(
            "UPDATE pm_host SET silent_epoch = epoch WHERE host = '{}' AND epoch = {} AND silent_epoch <> epoch \
             AND heartbeat_at < {} - {}",
            host.host,
            host.epoch,
            L::NOW,
            after.as_millis()
        );
        if on.change(doing, &tell)? > 0 {
            news.push(host);
        }
    }
    Ok(news)
}

/// All hosts of the table, by their key.
pub(super) fn hosts<L: Leases>(on: &mut L) -> Result<Vec<Host>, StoreError> {
    let sql = format!(
        "SELECT host, name, version, epoch, {now} - heartbeat_at, lease_until - {now}, lease_until FROM pm_host ORDER BY host",
        now = L::NOW
    );
    let rows = on.ask::<7>("reading the hosts from pm_host", &sql)?;
    let host = |row: [Cell; 7]| match row {
        [
            Cell::Text(host),
            Cell::Text(name),
            Cell::Text(version),
            Cell::Int(epoch),
            Cell::Int(heard),
            Cell::Int(left),
            Cell::Int(until),
        ] => {
            let heard = Duration::from_millis(u64::try_from(heard).unwrap_or_default());
            Some(Host { host, name, version, epoch, heard, holds: left > 0, left: until == 0 })
        }
        _ => None,
    };
    Ok(rows.into_iter().filter_map(host).collect())
}

/// The condition that the lease with this number still is the last one.
pub(super) fn fence(host: &str, epoch: Option<i64>) -> String {
    epoch.map_or_else(String::new, |epoch| {
        format!(" AND EXISTS (SELECT 1 FROM pm_host WHERE host = '{host}' AND epoch = {epoch})")
    })
}

/// The key of a host: its number, or the one of tables that know no hosts.
pub(super) fn key(host_id: Option<i64>) -> String {
    host_id.map_or_else(|| "default".to_owned(), |id| id.to_string())
}

/// A name without anything that means something in a statement.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_plain_and_a_fence_names_host_and_number() {
        assert_eq!(plain("db-1.example_a'; DROP TABLE x --"), "db-1.example_aDROPTABLEx--");
        assert_eq!((key(Some(7)), key(None)), ("7".to_owned(), "default".to_owned()));
        assert_eq!(fence("7", None), "");
        assert_eq!(fence("7", Some(3)), " AND EXISTS (SELECT 1 FROM pm_host WHERE host = '7' AND epoch = 3)");
    }
}
