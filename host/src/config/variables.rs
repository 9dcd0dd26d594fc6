//! The variables that commands have always seen, without the database password.

use super::database::Address;
use super::model::{Config, LogFormat};
use std::collections::BTreeMap;
use std::time::Duration;

/// What every command sees. Those of one process and attempt (`PROCESS_NAME`, `attempt`, …) are for the caller to
/// add. `DB_PASS` is deliberately missing: a command that needs it reads it from its own place.
#[must_use]
pub fn environment(config: &Config) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    // A variable cannot hold NUL, and a command must not fail to start over one.
    let mut set = |key: &str, value: String| all.insert(key.to_owned(), value.replace('\0', ""));
    if let Some(server) = config.database.server() {
        // Scripts hand it to a client, which takes one.
        set("DB_HOST", server.addresses.first().map(host).unwrap_or_default());
        set("DB_USER", server.logins.first().map(|login| login.user.clone()).unwrap_or_default());
        set("DB_NAME", server.database.clone());
    }
    set("CHECK_INTERVAL", seconds(config.monitor.check_interval));
    set("MAX_RESTART_FAILURES", config.monitor.max_restart_failures.to_string());
    set("CIRCUIT_RESET_TIME", seconds(config.monitor.circuit_reset_time));
    set("MAX_LOG_SIZE", config.logging.max_log_size_kib.to_string());
    set("LOG_FILES_TO_KEEP", config.logging.log_files_to_keep.to_string());
    let format = if config.logging.format == LogFormat::Json { "json" } else { "text" };
    set("LOG_FORMAT", format.to_owned());
    set("JSON_PRETTY", config.logging.json_pretty.to_string());
    if let Some(id) = config.host_id {
        set("HOST_ID", id.to_string());
    }
    if let Some(recovery) = &config.self_recovery {
        set("HEARTBEAT_FILE", recovery.heartbeat_file.display().to_string());
        set("STALE_AFTER_SECONDS", seconds(recovery.stale_after));
        set("SELF_RECOVERY_RESTART_CMD", recovery.restart_command.clone().unwrap_or_default());
        set("SELF_RECOVERY_PRECHECK_CMD", recovery.precheck_command.clone().unwrap_or_default());
    }
    all
}

fn host(address: &Address) -> String {
    match address {
        Address::Socket(_) | Address::Local { .. } => "localhost".to_owned(),
        Address::Tcp { host, .. } => host.clone(),
    }
}

/// The predecessor knew whole seconds only, and scripts calculate with them; a fraction is rounded up.
fn seconds(duration: Duration) -> String {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).to_string()
}
