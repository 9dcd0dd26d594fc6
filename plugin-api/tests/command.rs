//! Real commands: what hangs, floods, forks or leaves something behind never keeps `command::run` from coming back.

use pm_plugin_api::command::{End, Finished, Limits, find_program, run, shell, simple};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn limits(timeout_ms: u64) -> Limits {
    Limits {
        timeout: Duration::from_millis(timeout_ms),
        kill_after: Duration::from_millis(200),
        ..Limits::default()
    }
}

fn bash(line: &str, limits: &Limits) -> Finished {
    run(&mut shell(line), limits).expect("bash starts")
}

/// Whether `condition` becomes true within half a minute, which only a very busy machine needs.
fn soon(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[test]
fn the_end_is_told_in_words() {
    for (line, end, words) in [
        ("exit 0", End::Exited(0), "exited with status 0"),
        ("echo no such user >&2; exit 3", End::Exited(3), "exited with status 3: no such user"),
        ("kill -9 $$", End::Signaled(9), "killed by signal 9 (SIGKILL)"),
        ("kill -40 $$", End::Signaled(40), "killed by signal 40"),
    ] {
        let finished = bash(line, &limits(5000));
        assert_eq!((finished.end, finished.explain().as_str()), (end, words), "{line}");
        assert_eq!(finished.success(), end == End::Exited(0));
    }
    let slow = bash("sleep 60", &limits(100));
    assert_eq!(slow.describe(), "gave no result within 100 ms and was killed");
    assert_eq!(
        End::TimedOut { after: Duration::from_secs(5) }.to_string(),
        "gave no result within 5 s and was killed"
    );
    assert_eq!(
        End::TimedOut { after: Duration::from_millis(4430) }.to_string().split(" and").next(),
        Some("gave no result within 4.4 s")
    );
}

#[test]
fn both_streams_arrive_in_order_and_input_is_empty() {
    let finished = bash("echo one; echo two >&2; cat; echo three", &limits(5000));
    assert_eq!((finished.output.as_str(), finished.dropped), ("one\ntwo\nthree\n", 0));
}

#[test]
fn a_command_is_a_group_of_its_own() {
    let finished = bash("echo $$ $(ps -o pgid= -p $$)", &limits(5000));
    let mut words = finished.output.split_whitespace();
    assert_eq!(words.next(), words.next());
}

#[test]
fn what_cannot_be_started_is_an_error_that_names_it() {
    let error = run(&mut Command::new("/nowhere/at-all"), &limits(100)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().starts_with("cannot start /nowhere/at-all: No such file"), "{error}");
    let error = run(Command::new("/bin/true").current_dir("/nowhere"), &limits(100)).unwrap_err();
    assert_eq!(error.to_string(), "cannot start /bin/true: there is no directory /nowhere");
    assert!(run(&mut shell("echo a\0b"), &limits(100)).is_err());
}

#[test]
fn a_command_can_be_run_again() {
    let mut command = shell("echo again");
    for _ in 0..3 {
        assert_eq!(run(&mut command, &limits(5000)).unwrap().output, "again\n");
    }
}

#[test]
fn a_flood_ends_at_the_limit_and_is_bounded() {
    let began = Instant::now();
    let finished = bash("echo first; yes", &limits(300));
    assert!(matches!(finished.end, End::TimedOut { .. }));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(finished.output.len() < 65 * 1024 && finished.dropped > 1_000_000);
    assert!(finished.output.starts_with("first\ny\n") && finished.output.ends_with("y\n"));
    assert!(finished.output.contains(&format!("[{} bytes of output left out]", finished.dropped)));
}

#[test]
fn all_that_the_child_wrote_is_there_when_it_exits() {
    // More than a pipe holds, and the last of it written just before the end.
    let big = Limits { output: 4 << 20, ..limits(10_000) };
    let finished = bash("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo last", &big);
    assert_eq!(finished.output.len(), 1_000_000 + "\nlast\n".len());
    assert!(finished.output.ends_with("x\nlast\n"));
}

#[test]
fn a_grandchild_with_the_pipe_delays_nothing_and_is_not_harmed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("words");
    // It writes more than a pipe holds, and notes that it could.
    let line = format!(
        "(for i in $(seq 40); do head -c 10000 /dev/zero; sleep 0.01; done; echo $? > {}) & echo $!",
        file.display()
    );
    let finished = bash(&line, &limits(5000));
    assert_eq!(finished.end, End::Exited(0));
    assert!(!file.exists(), "the program in the background was not waited for");
    let pid = finished.output.trim_matches(['\0', '\n']).to_owned();
    assert!(runs(&pid), "the program in the background lives on: {pid:?}");
    assert!(soon(|| std::fs::read_to_string(&file).is_ok_and(|text| text == "0\n")), "it got no SIGPIPE");
}

#[test]
fn a_flooding_grandchild_delays_nothing() {
    let began = Instant::now();
    let finished = bash("(sleep 0.005; exec yes) & echo $!", &limits(5000));
    assert_eq!(finished.end, End::Exited(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let pid = finished.output.lines().next().unwrap().to_owned();
    assert!(bash(&format!("kill {pid}"), &limits(5000)).success());
    assert!(soon(|| !runs(&pid)));
}

#[test]
fn a_program_left_behind_does_not_need_us_to_go_on_writing() {
    let pid = bash("sleep 60 & echo $!", &limits(5000)).output.trim().to_owned();
    let pipe = std::fs::read_link(format!("/proc/{pid}/fd/1")).unwrap();
    let reads = |process: &str| {
        let fds = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|to| to == pipe)
    };
    assert!(reads("self"), "at first it is read by this process");
    let mut reader = None;
    assert!(soon(|| {
        let all = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let mut others =
            all.filter(|process| process.parse::<u32>().is_ok_and(|it| it != std::process::id()));
        // Before it becomes `cat` it is a copy of this process.
        let is_cat = |process: &str| {
            std::fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|comm| comm == "cat\n")
        };
        reader = others.find(|process| *process != pid && is_cat(process) && reads(process));
        reader.is_some() && !reads("self")
    }));
    let reader = reader.unwrap();
    assert!(bash(&format!("kill {pid}"), &limits(5000)).success());
    assert!(soon(|| !runs(&reader)), "it ends with the program that it reads");
}

#[test]
fn the_last_words_of_a_helper_are_caught() {
    // Twenty times, because a busy machine may need longer for it than the moment that is waited.
    let mut heard = (0..20).map(|_| bash("echo said > >(sleep 0.002; cat)", &limits(5000)).output);
    assert!(heard.any(|output| output == "said\n"));
}

#[test]
fn who_leaves_the_group_is_reached_by_the_time_limit_unless_he_has_left_for_good() {
    let runs = |pid: &str| std::path::Path::new("/proc").join(pid).join("exe").read_link().is_ok();
    let finished = bash("setsid sleep 1000 & echo $!; wait", &limits(300));
    assert!(matches!(finished.end, End::TimedOut { .. }), "{finished:?}");
    assert!(!runs(finished.output.trim()), "{finished:?}");
    // Whose parent has ended means to stay: that is how a program goes into the background.
    let finished = bash("(setsid sleep 1000 > /dev/null 2>&1 & echo $!); sleep 1000", &limits(300));
    let pid = finished.output.trim();
    assert!(runs(pid), "{finished:?}");
    Command::new("/bin/kill").arg(pid).status().unwrap();
}

#[test]
fn who_ignores_sigterm_gets_sigkill_with_the_whole_group() {
    let began = Instant::now();
    let finished = bash("trap '' TERM; sleep 60 & echo $! $$; while :; do sleep 60; done", &limits(200));
    assert!(matches!(finished.end, End::TimedOut { .. }));
    assert!((Duration::from_millis(400)..Duration::from_secs(9)).contains(&began.elapsed()));
    for pid in finished.output.split_whitespace() {
        assert!(soon(|| !runs(pid)), "{pid} is still there");
    }
}

#[test]
fn who_obeys_sigterm_may_finish() {
    let long = Limits { kill_after: Duration::from_secs(20), ..limits(150) };
    let began = Instant::now();
    let finished = bash("trap 'echo tidied; exit 0' TERM; sleep 60 & wait", &long);
    assert!(finished.output.ends_with("tidied\n") && matches!(finished.end, End::TimedOut { .. }));
    assert!(began.elapsed() < Duration::from_secs(5), "nobody was left to wait for: {:?}", began.elapsed());
}

#[test]
fn a_group_that_outlives_its_leader_gets_the_whole_grace() {
    let line = "(trap 'sleep 0.05; echo slow but orderly; exit 0' TERM; sleep 60 & wait) & exec sleep 60";
    let finished = bash(line, &Limits { kill_after: Duration::from_secs(20), ..limits(150) });
    assert_eq!(finished.output, "slow but orderly\n");
}

#[test]
fn a_time_limit_without_end_is_no_overflow() {
    let forever =
        Limits { timeout: Duration::MAX, kill_after: Duration::MAX, output: usize::MAX, ..Limits::default() };
    assert!(bash("true", &forever).success());
    let within = Limits::within(Duration::from_secs(30));
    assert_eq!(within.timeout + within.kill_after, Duration::from_millis(29_900));
    assert_eq!(Limits::within(Duration::ZERO).timeout, Duration::ZERO);
}

#[test]
fn simple_lines_run_without_a_shell() {
    let path = OsStr::new("/usr/bin:/bin");
    let mut command = simple("true", path).unwrap();
    assert_eq!(Some(command.get_program()), find_program("true", path).as_deref().map(Path::as_os_str));
    assert!(run(&mut command, &limits(5000)).unwrap().success());
}
