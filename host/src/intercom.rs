//! The daemon's line for the operators of this machine: one question, one answer, over a socket in the state directory.
//!
//! Only root and the user that the daemon runs as are answered: the kernel says who is at the other end. The thread
//! sleeps until somebody asks; whoever connects and says nothing is hung up on, and keeps nobody else waiting. What is
//! said is a line of JSON each way; what it means is not known here.

use rustix::net::sockopt;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The socket in the state directory.
const FILE: &str = "pm.sock";
/// How long a caller may take to say his question, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// More questions at a time than this are not taken.
const MOST: usize = 8;
/// No question is longer.
const LONGEST: u64 = 64 * 1024;

/// Answers a question.
pub type Answering = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Listens in `state_dir` until the program ends.
///
/// # Errors
/// When the socket cannot be made: the directory is not writable, or its path is longer than a socket's may be (100
/// bytes).
pub fn listen(state_dir: &Path, answering: Answering) -> io::Result<()> {
    let path = state_dir.join(FILE);
    // Left behind by a pm that was killed; whoever listens here holds the lock of the directory.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let busy = Arc::new(AtomicUsize::new(0));
    std::thread::Builder::new().name("pm-intercom".to_owned()).spawn(move || {
        for caller in listener.incoming().flatten() {
            let (answering, busy) = (Arc::clone(&answering), Arc::clone(&busy));
            // Only this thread adds to it.
            if !is_ours(&caller) || busy.load(Ordering::Acquire) >= MOST {
                continue;
            }
            busy.fetch_add(1, Ordering::AcqRel);
            let started = std::thread::Builder::new().name("pm-answer".to_owned()).spawn({
                let busy = Arc::clone(&busy);
                move || {
                    // A caller that is gone needs no answer.
                    let _ = answer(&caller, &answering);
                    busy.fetch_sub(1, Ordering::AcqRel);
                }
            });
            if started.is_err() {
                busy.fetch_sub(1, Ordering::AcqRel);
            }
        }
    })?;
    Ok(())
}

fn is_ours(caller: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    sockopt::socket_peercred(caller).is_ok_and(|peer| peer.uid.is_root() || peer.uid == own)
}

fn answer(caller: &UnixStream, answering: &Answering) -> io::Result<()> {
    caller.set_read_timeout(Some(PATIENCE))?;
    caller.set_write_timeout(Some(PATIENCE))?;
    let mut question = String::new();
    BufReader::new(caller.take(LONGEST)).read_line(&mut question)?;
    let mut answer = answering(question.trim_end());
    answer.push('\n');
    (&mut &*caller).write_all(answer.as_bytes())
}

/// Asks the daemon that works in `state_dir`. None when there is none.
///
/// # Errors
/// When there is one and it does not answer: it belongs to somebody else, or takes longer than `timeout`.
pub fn ask(state_dir: &Path, question: &str, timeout: Duration) -> io::Result<Option<String>> {
    let path: PathBuf = state_dir.join(FILE);
    let mut line = match UnixStream::connect(&path) {
        Ok(line) => line,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    line.set_read_timeout(Some(timeout))?;
    line.set_write_timeout(Some(PATIENCE))?;
    line.write_all(format!("{question}\n").as_bytes())?;
    let mut answer = String::new();
    line.read_to_string(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it answers only root and its own user"));
    }
    Ok(Some(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answering() -> Answering {
        Arc::new(|question| format!("you said {question}"))
    }

    #[test]
    fn a_question_is_answered_also_while_somebody_else_is_silent() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ask(folder.path(), "anybody?", PATIENCE).unwrap(), None);
        listen(folder.path(), answering()).unwrap();
        let _silent = UnixStream::connect(folder.path().join(FILE)).unwrap();
        let answer = ask(folder.path(), "hello", Duration::from_secs(10)).unwrap();
        assert_eq!(answer.as_deref(), Some("you said hello\n"));
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_a_dead_pm_left_behind_answers_nobody_and_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(folder.path().join(FILE)).unwrap());
        assert_eq!(ask(folder.path(), "anybody?", PATIENCE).unwrap(), None);
        listen(folder.path(), answering()).unwrap();
        assert!(ask(folder.path(), "hello", Duration::from_secs(10)).unwrap().is_some());
    }

    #[test]
    fn a_flood_of_callers_and_endless_questions_end() {
        let folder = tempfile::tempdir().unwrap();
        listen(folder.path(), answering()).unwrap();
        let long = "x".repeat(200_000);
        // It is cut at the limit, or the line is closed while it is being said.
        let _ = ask(folder.path(), &long, Duration::from_secs(10));
        let callers: Vec<_> = (0..32).map(|_| UnixStream::connect(folder.path().join(FILE))).collect();
        drop(callers);
        let answer =
            (0..500).find_map(|_| ask(folder.path(), "hello", Duration::from_secs(10)).ok().flatten());
        assert_eq!(answer.as_deref(), Some("you said hello\n"));
    }
}
