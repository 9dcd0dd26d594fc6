//! What can happen to a log file.

use super::*;
use std::io::Read;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

struct Log {
    dir: TempDir,
    log: FileLog,
    now: Ticks,
}

fn about(level: Level, message: &str) -> String {
    format!("({level:?}) {message}")
}

impl Log {
    fn new(bytes: u64, keep: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut log = FileLog::new(dir.path().join("m.log"));
        log.bound(Bounds { bytes, keep });
        Self { dir, log, now: Ticks(1_000_000) }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn write(&mut self, line: &str) -> Option<String> {
        self.log.write(line.to_owned(), &about, self.now).map(|(level, text)| about(level, &text))
    }
    fn later(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn the_renames_begin_with_the_oldest() {
    let path = Path::new("/l/m.log");
    let shown = |keep| {
        let moves = moves(path, keep);
        moves.iter().map(|(from, to)| format!("{}>{}", from.display(), to.display())).collect::<Vec<_>>()
    };
    assert_eq!(shown(3), ["/l/m.log.2>/l/m.log.3", "/l/m.log.1>/l/m.log.2", "/l/m.log>/l/m.log.1"]);
    assert_eq!(shown(0), ["/l/m.log>/l/m.log.1"]);
    assert_eq!(shown(1), shown(0));
    let bounds = Bounds { bytes: 1024, keep: 1 };
    assert_eq!([0, 1023, 1024, 1025].map(|size| bounds.reached(size)), [false, false, true, true]);
    assert!(!Bounds { bytes: 0, keep: 1 }.reached(0), "an empty file is never rotated");
}

#[test]
fn a_full_file_is_rotated_before_the_next_line() {
    let mut log = Log::new(1024, 2);
    let long = "x".repeat(1022);
    assert_eq!(log.write(&long), None);
    assert_eq!(log.names(), ["m.log"], "1023 bytes are less than 1 KiB");
    assert_eq!(log.write("one"), None);
    assert_eq!(log.write("two"), None);
    assert_eq!(log.names(), ["m.log", "m.log.1"]);
    assert_eq!(log.read("m.log.1"), format!("{long}\none\n"));
    assert_eq!(log.read("m.log"), "(Info) Log file rotated: it had reached 1 KiB\ntwo\n");
    for round in 0..4 {
        log.write(&"y".repeat(1024));
        log.write(&format!("round {round}"));
    }
    assert_eq!(log.names(), ["m.log", "m.log.1", "m.log.2"]);
    assert!(log.read("m.log.2").contains("round 1\n") && log.read("m.log.1").contains("round 2\n"));
    let modes: Vec<_> =
        log.names().iter().map(|name| fs::metadata(log.path(name)).unwrap().mode() & 0o777).collect();
    assert_eq!(modes, [0o644; 3]);
}

#[test]
fn a_removed_or_moved_file_is_found_within_a_second() {
    let mut log = Log::new(u64::MAX, 1);
    log.write("one");
    fs::remove_file(log.path("m.log")).unwrap();
    log.write("into nowhere");
    log.later(1);
    log.write("two");
    assert_eq!(log.read("m.log"), "two\n");
    fs::rename(log.path("m.log"), log.path("moved")).unwrap();
    log.later(1);
    log.write("three");
    assert_eq!((log.read("moved"), log.read("m.log")), ("two\n".to_owned(), "three\n".to_owned()));
}

#[test]
fn a_file_that_another_process_rotated_is_not_rotated_again() {
    let mut log = Log::new(1024, 1);
    log.write(&"x".repeat(2000));
    fs::rename(log.path("m.log"), log.path("m.log.1")).unwrap();
    fs::write(log.path("m.log"), "the other\n").unwrap();
    assert_eq!(log.write("mine"), None);
    assert_eq!(log.read("m.log"), "the other\nmine\n");
    assert_eq!(log.read("m.log.1").len(), 2001);
}

#[test]
fn a_link_keeps_its_log_on_the_disk_it_points_to() {
    let mut log = Log::new(1024, 1);
    let far = tempfile::tempdir().unwrap();
    symlink(far.path().join("data"), log.path("m.log")).unwrap();
    log.write(&"x".repeat(1024));
    log.write("two");
    assert_eq!(log.names(), ["m.log"]);
    assert!(log.read("m.log").ends_with("two\n") && far.path().join("data.1").exists());
}

#[test]
fn a_full_disk_costs_lines_that_are_counted() {
    let mut log = Log::new(u64::MAX, 1);
    symlink("/dev/full", log.path("m.log")).unwrap();
    let said = log.write("one").unwrap();
    assert!(
        said.starts_with("(Error) Cannot write the log file") && said.contains("No space left"),
        "{said}"
    );
    for _ in 0..9 {
        assert_eq!(log.write("more"), None, "said once");
    }
    fs::remove_file(log.path("m.log")).unwrap();
    log.later(1);
    let said = log.write("eleven").unwrap();
    assert!(said.starts_with("(Info) The log file") && said.ends_with("can be written again"), "{said}");
    let text = "(Warning) 10 lines are missing here: no space, or no file\neleven\n";
    assert_eq!(log.read("m.log"), text);
}

/// A pipe that is full is a disk that is full, for the same open file; it even takes parts of lines.
#[test]
fn the_same_file_goes_on_when_space_returns() {
    let mut log = Log::new(1, 1);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        log.path("m.log"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(log.write("nobody reads").unwrap().contains("Cannot write"), "and it does not wait for a reader");
    log.later(1);
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut reader = OpenOptions::new().read(true).custom_flags(nonblock).open(log.path("m.log")).unwrap();
    let long = "x".repeat(9_999);
    assert!(log.write(&long).unwrap().contains("written again"));
    let mut taken = 0;
    while log.log.trouble.is_none() {
        assert_eq!(log.write(&long), None, "trouble that comes and goes is told once a minute");
        taken += 1;
        assert!(taken < 1_000, "the pipe must get full");
    }
    let mut bytes = vec![0; 1 << 20];
    let first = reader.read(&mut bytes).unwrap();
    for _ in 0..5 {
        assert_eq!(log.write("lost, and not even tried"), None);
    }
    log.later(1);
    assert_eq!(log.write("back"), None);
    let rest = reader.read(&mut bytes[first..]).unwrap();
    let text = String::from_utf8(bytes[..first + rest].to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let (start, end) = (&lines[..2], &lines[lines.len() - 3..]);
    assert_eq!(start[0], "(Warning) 1 line is missing here: no space, or no file");
    assert!(start[1] == long, "the first line that was taken");
    assert!(end[0].starts_with('x') && end[0].len() < long.len(), "the torn line has a line of its own");
    assert_eq!(end[1..], ["(Warning) 6 lines are missing here: no space, or no file", "back"]);
    assert!(!text.contains("\n\n"));
    assert_eq!(log.names(), ["m.log"], "a pipe is not rotated");
}

#[test]
fn a_directory_that_cannot_be_written_lets_the_file_grow() {
    let mut log = Log::new(1024, 1);
    log.write(&"x".repeat(1024));
    // A directory in the place of the backup cannot be replaced by a file, not even by root.
    fs::create_dir_all(log.path("m.log.1/x")).unwrap();
    let said = log.write("two").unwrap();
    assert!(said.starts_with("(Warning) Cannot rotate the log file") && said.contains("m.log.1"), "{said}");
    assert_eq!(log.write("three"), None, "not tried with every line");
    assert!(log.read("m.log").ends_with("x\ntwo\nthree\n"));
    fs::remove_dir_all(log.path("m.log.1")).unwrap();
    log.later(60);
    assert_eq!(log.write("four"), None);
    assert!(log.read("m.log").ends_with("KiB\nfour\n"));
}

#[test]
fn a_missing_directory_is_made_and_a_hopeless_path_is_tried_once_a_second() {
    let mut log = Log::new(u64::MAX, 1);
    log.log = FileLog::new(log.path("a/b/m.log"));
    assert_eq!(log.write("one"), None);
    assert_eq!(log.read("a/b/m.log"), "one\n");
    fs::write(log.path("file"), "").unwrap();
    log.log = FileLog::new(log.path("file/m.log"));
    assert!(log.write("one").unwrap().contains("Not a directory"));
    fs::remove_file(log.path("file")).unwrap();
    assert_eq!(log.write("two"), None);
    assert!(!log.path("file").exists(), "tried again too soon");
    log.later(1);
    assert!(log.write("three").unwrap().contains("written again"));
    assert!(log.read("file/m.log").ends_with(" 2 lines are missing here: no space, or no file\nthree\n"));
}
