//! For the tests: a container daemon on a socket of its own that says what a test wants, or misbehaves.
//!
//! It speaks just enough HTTP for the client, one request per connection, and records every request line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// How a request is treated.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Status and body.
    Answer(u16, String),
    /// Read, never answered.
    Silence,
    /// The beginning of an answer that never ends.
    Half,
    /// The connection is closed instead.
    HangUp,
    /// Something that is not HTTP.
    Garbage,
}

/// See the module; the socket vanishes with it, its thread stays until the test ends.
pub(crate) struct FakeDaemon {
    dir: tempfile::TempDir,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeDaemon {
    /// A daemon that answers `METHOD /path` (without the query) as told and everything else like a daemon that
    /// knows no such container.
    pub(crate) fn answering<const N: usize>(replies: [(&str, Reply); N]) -> Self {
        let replies: HashMap<String, Reply> =
            replies.into_iter().map(|(request, reply)| (request.to_owned(), reply)).collect();
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for connection in listener.incoming() {
                kept.extend(serve(connection.unwrap(), &replies, &seen));
            }
        });
        Self { dir, requests }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// The request lines so far, as `METHOD /path?query`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The connection when it must stay open.
fn serve(
    mut connection: UnixStream,
    replies: &HashMap<String, Reply>,
    seen: &Mutex<Vec<String>>,
) -> Option<UnixStream> {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let request = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    let path = request.split('?').next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(request);
    let unknown = Reply::Answer(404, r#"{"message":"No such container: x"}"#.to_owned());
    let text = match replies.get(&path).unwrap_or(&unknown) {
        Reply::Answer(status, body) => {
            format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        Reply::Silence => return Some(connection),
        Reply::Half => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{".to_owned(),
        Reply::HangUp => return None,
        Reply::Garbage => "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
    };
    connection.write_all(text.as_bytes()).unwrap();
    Some(connection).filter(|_| text.ends_with('{'))
}

/// 204 without a body.
pub(crate) fn done() -> Reply {
    Reply::Answer(204, String::new())
}

/// An id whose first digits are `begin`.
pub(crate) fn id(begin: &str) -> String {
    format!("{begin:0<64}")
}

/// The description of a container in `status`.
pub(crate) fn described(begin_of_id: &str, name: &str, status: &str) -> Reply {
    let id = id(begin_of_id);
    Reply::Answer(
        200,
        format!(
            r#"{{"Id":"{id}","Name":"/{name}","State":{{"Status":"{status}","StartedAt":"2026-01-02T03:04:05Z","ExitCode":3}}}}"#
        ),
    )
}

/// A list of containers, as beginnings of ids and names.
pub(crate) fn listed(containers: &[(&str, &str)]) -> Reply {
    let items: Vec<String> = containers
        .iter()
        .map(|(begin, name)| format!(r#"{{"Id":"{}","Names":["/{name}"]}}"#, id(begin)))
        .collect();
    Reply::Answer(200, format!("[{}]", items.join(",")))
}

/// The section of a process that uses the socket at `path`.
pub(crate) fn section<'a>(path: &'a Path, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut section = vec![("socket", path.to_str().unwrap())];
    section.extend_from_slice(more);
    section
}
