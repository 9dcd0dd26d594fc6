//! `pm hosts`: who speaks for which host of a shared database, and who has not been heard of. Reads, and changes nothing.

use crate::cli::arguments::{Format, FormatOptions, Global};
use crate::cli::compose::Context;
use crate::cli::{Failure, Terminal, json, table};
use crate::policy::sentence::lasting;
use crate::ports::{Host, Trouble};
use serde_json::json;

pub(crate) fn hosts(
    global: &Global,
    options: &FormatOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let hosts = match context.store().hosts() {
        Ok(hosts) => hosts,
        Err(error) if error.trouble == Trouble::Schema => Vec::new(),
        Err(error) => return Err(Failure::database(&error)),
    };
    if options.format == Format::Json {
        let all: Vec<_> = hosts.iter().map(as_json).collect();
        return json::write(&json!({ "database": context.database_name(), "hosts": all }), terminal.out);
    }
    if hosts.is_empty() {
        writeln!(
            terminal.out,
            "No host has a lease in {}: a file serves one machine, and in a server the table pm_host is made by pm db migrate.",
            context.database_name()
        )?;
        return Ok(());
    }
    let row = |host: &Host| {
        vec![
            host.host.clone(),
            host.name.clone(),
            state(host).to_owned(),
            format!("{} ago", lasting(host.heard)),
            host.epoch.to_string(),
            host.version.clone(),
        ]
    };
    let header = ["host", "machine", "state", "heard of", "lease", "pm"];
    write!(terminal.out, "{}", table::table(&header, hosts.iter().map(row)))?;
    Ok(())
}

fn state(host: &Host) -> &'static str {
    match (host.left, host.holds) {
        (true, _) => "stopped",
        (false, true) => "speaks",
        (false, false) => "silent",
    }
}

fn as_json(host: &Host) -> serde_json::Value {
    json!({
        "host": host.host,
        "machine": host.name,
        "state": state(host),
        "heard_ms_ago": u64::try_from(host.heard.as_millis()).unwrap_or(u64::MAX),
        "lease": host.epoch,
        "version": host.version,
    })
}
