//! Starts the process of a worker: this program again, with one end of a socket as its input.
//!
//! The library goes along as an open descriptor, the one that was checked, so the worker opens no path. It gets an
//! allow-list of the environment, because pm's own may hold the password of the database; no terminal, a process group
//! of its own, and no limits that what it starts would inherit. std takes its `posix_spawn` path, as nothing here runs
//! between fork and exec: that is safe in a threaded process and costs the same however large pm is.

use crate::plugins::refusal::Maker;
use pm_plugin_api::command::is_passed;
use pm_plugin_api::detach::User;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What passes from pm's environment to a worker, besides what passes to a command: what leads to the host's services.
const SERVICES: [&str; 6] = [
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DOCKER_HOST",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
];
/// Half of what the system rounds it up to; where less is allowed it gives less.
const BUFFER: usize = 256 * 1024;
/// The verb by which the program knows that it is a worker.
pub const VERB: &str = "plugin-worker";

/// What a worker is told to become before it loads anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Confinement {
    /// Who it runs as.
    pub(super) user: Option<User>,
    /// No capabilities, now and later.
    pub(super) no_new_privs: bool,
}

/// A worker that was started and has said nothing yet.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) socket: OwnedFd,
    pub(super) stderr: PipeReader,
}

/// Starts a worker for the library that is open as `library`.
pub(super) fn start(
    program: &Path,
    library: &File,
    maker: &Maker,
    confinement: &Confinement,
) -> io::Result<Started> {
    let (socket, its_socket) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    for end in [&socket, &its_socket] {
        sockopt::set_socket_send_buffer_size(end, BUFFER)?;
    }
    let (stderr, its_stderr) = pipe()?;
    let passed = |key: &OsString| key.to_str().is_some_and(|key| is_passed(key) || SERVICES.contains(&key));
    // The one place besides exec.rs that starts a process: a worker is no command of the operator.
    #[expect(clippy::disallowed_methods, reason = "workers are started here and nowhere else")]
    let mut command = Command::new(program);
    command
        .arg0("pm")
        .args([VERB, &maker.name, &maker.version])
        .args(arguments(confinement))
        .env_clear()
        .envs(std::env::vars_os().filter(|(key, _)| passed(key)))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::from(its_socket))
        .stdout(Stdio::from(library.try_clone()?))
        .stderr(its_stderr);
    let child = command.spawn()?;
    Ok(Started { child, socket, stderr })
}

/// The confinement as the worker reads it, see `serve.rs`.
fn arguments(confinement: &Confinement) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(user) = &confinement.user {
        let groups: Vec<_> = user.groups.iter().map(ToString::to_string).collect();
        all.push(format!("user={}:{}:{}", user.uid, user.gid, groups.join(",")));
    }
    if confinement.no_new_privs {
        all.push("no_new_privs".to_owned());
    }
    all
}
