//! One attempt in the journal, everything that the daemon writes of it, and how many transactions that is.
//!
//! Beside it, as the floor, one page written to a file of the same folder and brought to the disk. The journal does not
//! wait for the disk at each transaction, only when it takes its log into the file: the mean has that, the median not.

use crate::{Figure, compared, late, median, text};
use pm_host::clock::{Stop, SystemClock};
use pm_host::journal::{FileJournal, open};
use pm_host::policy::bucket::Bucket;
use pm_host::policy::model::{AttemptId, Cause, Clear, End, Name, RowId, Standing};
use pm_host::ports::{
    Answer, Asked, Clock as _, HostMemory, Intent, Journal as _, Record, Stage, Step, StepKind,
};
use pm_policy::testing::alarm;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 2_000;
/// Different processes, each with its standing.
const PROCESSES: u32 = 100;
/// What a look at a unit and its log comes to.
const EVIDENCE: usize = 2_000;

pub(crate) fn measure() -> Vec<Figure> {
    // Beside this program, because a folder for temporary files is often none on a disk.
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let folder = tempfile::tempdir_in(folder).unwrap();
    let clock = SystemClock::new(Stop::new());
    let journal = open(folder.path(), clock.boot_id()).unwrap().journal;
    let mut page = File::create(folder.path().join("page")).unwrap();
    let log = folder.path().join("journal.db-wal");
    attempt(&journal, &clock, 0);
    let before = commits(&log);
    attempt(&journal, &clock, 1);
    let transactions = commits(&log) - before;
    let (mut took, mut least) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let began = Instant::now();
        attempt(&journal, &clock, round);
        took.push(began.elapsed());
        if round % 10 == 0 {
            let began = Instant::now();
            page.rewind().unwrap();
            page.write_all(&[round.to_le_bytes()[0]; 4096]).unwrap();
            page.sync_all().unwrap();
            least.push(began.elapsed());
        }
    }
    let what = format!(
        "one attempt in the journal, everything, {transactions} transactions, median of {ROUNDS} (mean: {}, 99 %: {}); \
         floor: one page written and synchronized",
        text(took.iter().sum::<Duration>() / ROUNDS),
        text(late(&took))
    );
    vec![compared(what, median(took), median(least))]
}

/// What the daemon notes of a restart by a strategy with an identity that a check finds good.
fn attempt(journal: &FileJournal, clock: &SystemClock, round: u32) {
    let number = round % PROCESSES;
    let name = Name::new(&format!("process-{number}"));
    let now = clock.now();
    let passed = |check: &str| Asked {
        check: check.to_owned(),
        answer: Answer::Passed,
        saw: "nothing that speaks against it".to_owned(),
    };
    let intent = Intent {
        name: name.clone(),
        alarms: vec![alarm(number.into(), name.as_str())],
        seen: Some(now.wall),
        group: None,
        strategy: "systemd".to_owned(),
        cause: Cause::Alarm,
        chain: ["override", "window", "dependency", "breaker", "group", "storm", "limit"]
            .map(passed)
            .to_vec(),
        at: now,
    };
    let id = journal.begin(&intent).unwrap();
    // The restart counts for the host.
    let storm = Bucket { full_at: now.boot.after(Duration::from_secs(6)) };
    journal.keep(&[], Some(&HostMemory { storm, ..HostMemory::default() })).unwrap();
    step(journal, clock, id, StepKind::Evidence);
    journal.evidence(id, &"x".repeat(EVIDENCE)).unwrap();
    journal.acting(id, Some("systemd:0123456789abcdef0123456789abcdef"), clock.now().wall).unwrap();
    step(journal, clock, id, StepKind::Restart);
    journal.stage(id, Stage::Verifying, None).unwrap();
    step(journal, clock, id, StepKind::Check);
    let now = clock.now();
    let record = Record {
        end: End::Restarted,
        attempts: 1,
        by: Some("systemd".to_owned()),
        detail: "restarted; active (running)".to_owned(),
        at: now,
    };
    let mut standing = Standing { last_end: Some(now.boot), ..Standing::default() };
    let clear = Clear { row: RowId(number.into()), notes: None, restarted_at: Some(now.wall) };
    journal.end(id, &name, &record, Some((&standing, &[clear]))).unwrap();
    let waiting: Vec<_> = journal.outbox().unwrap().into_iter().map(|pending| pending.id).collect();
    assert_eq!(waiting.len(), 1);
    journal.delivered(&waiting).unwrap();
    // The next poll finds the alarm gone: a good time begins.
    standing.breaker.quiet_from = Some(clock.now().boot);
    journal.keep(&[(name, standing)], None).unwrap();
}

fn step(journal: &FileJournal, clock: &SystemClock, id: AttemptId, kind: StepKind) {
    let step = Step {
        kind,
        by: "systemd".to_owned(),
        at: clock.now().wall,
        took: Duration::from_millis(12),
        result: Ok("active (running)".to_owned()),
        output: String::new(),
    };
    journal.step(id, &step).unwrap();
}

/// Transactions in a write-ahead log of SQLite: its frames that end one, of its present turn. See
/// <https://www.sqlite.org/fileformat2.html#walformat>.
fn commits(log: &Path) -> usize {
    const HEADER: usize = 32;
    const FRAME: usize = 24;
    let log = std::fs::read(log).unwrap();
    let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let page = word(8) as usize;
    let frames = (HEADER..).step_by(FRAME + page).take_while(|at| at + FRAME + page <= log.len());
    frames.filter(|at| log[at + 8..at + 16] == log[16..24] && word(at + 4) != 0).count()
}
