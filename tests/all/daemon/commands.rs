//! The operator's commands: what they see, what they cannot harm, and how long they may take.

use super::{World, alive, custom};
use pm_tests::sandbox::Sandbox;
use std::time::Instant;

const SECRET: &str = "open-sesame-1";

#[test]
fn commands_see_the_variables_of_the_original_but_no_password_no_input_and_not_pms_group() {
    let look = |what: &str| {
        format!(
            "env -0 > @DIR@/env-{what}; readlink /proc/self/fd/0 > @DIR@/stdin-{what}; pwd > @DIR@/pwd-{what}; \
             cut -d' ' -f5 /proc/$$/stat > @DIR@/group-{what}; echo $$ > @DIR@/pid-{what}"
        )
    };
    let keys = format!(
        "system_name = nginx\nmax_attempts = 3\nrestart_delay = 4\npre_restart_command = {}\n\
         restart_command = {}\nhealth_check_command = {}",
        look("pre"),
        look("restart"),
        look("check")
    );
    let recovery = "[self_recovery]\nheartbeat_file = @DIR@/heartbeat\nstale_after_seconds = 99\n\n[host]\nhost_id = 7\n\n";
    let config = format!("{recovery}{}", Sandbox::on_sqlite(&custom("web", &keys)));
    let secret = format!("PM_DATABASE_PASSWORD={SECRET}");
    let mut world = World::launched(&["env", &secret, "COLOUR=green"], &config);
    let pm = world.start();
    world.put(5, &"web", 1, 0, Some("it's \"down\"\n$(id)"));
    world.table.execute("UPDATE STATUS_PROCESS SET host_id = 7", []).unwrap();
    world.cleared(5);
    for what in ["pre", "restart", "check"] {
        let env = world.read(&format!("env-{what}"));
        let env: Vec<_> = env.split_terminator('\0').collect();
        for expected in [
            "process_name=web",
            "PROCESS_NAME=web",
            "system_name=nginx",
            "SYSTEM_NAME=nginx",
            "strategy=custom",
            "attempt=1",
            "max_attempts=3",
            "restart_delay=4",
            "process_id=5",
            "notes=it's \"down\"\n$(id)",
            "CHECK_INTERVAL=1",
            "MAX_RESTART_FAILURES=3",
            "CIRCUIT_RESET_TIME=600",
            "MAX_LOG_SIZE=5120",
            "LOG_FILES_TO_KEEP=5",
            "LOG_FORMAT=text",
            "JSON_PRETTY=false",
            "HOST_ID=7",
            "STALE_AFTER_SECONDS=99",
        ] {
            assert!(env.contains(&expected), "{what}: no {expected:?} in {env:?}");
        }
        for forbidden in ["DB_PASS", "PM_", "COLOUR"] {
            assert!(!env.iter().any(|line| line.starts_with(forbidden)), "{what}: {env:?}");
        }
        assert!(!env.iter().any(|line| line.contains(SECRET)), "{what}");
        assert_eq!(world.read(&format!("stdin-{what}")), "/dev/null\n", "{what}");
        assert_eq!(world.read(&format!("pwd-{what}")).trim(), world.dir().to_str().unwrap(), "{what}");
        let group = world.read(&format!("group-{what}"));
        assert_eq!(group, world.read(&format!("pid-{what}")), "{what} has a process group of its own");
        assert_ne!(group.trim(), pm.to_string());
    }
}

#[test]
fn what_a_command_does_to_its_shell_harms_nothing() {
    let lines = [
        ("changes-directory", "cd /; mkdir -p sub && cd sub; unset PATH"),
        ("exits", "exit 0"),
        ("reads", "cat; read line; true"),
        ("traps", "trap 'exit 1' TERM; set -e; umask 000; ulimit -n 5; true"),
        ("kills-its-group", "kill -TERM 0"),
        ("floods", "yes flood | head -c 3000000; true"),
        ("writes-bytes", "printf '\\377\\000\\033[2J\\r\\n2020-01-01 00:00:00  [INFO] - forged\\n'"),
        ("leaves-a-child", "sleep 300 & true"),
    ];
    let sections: String =
        lines.map(|(name, line)| custom(name, &format!("restart_command = {line}"))).concat();
    let mut world = World::with(&sections);
    let pm = world.start();
    for (name, _) in lines {
        let id = world.alarm(name);
        if name == "kills-its-group" {
            world.until_log(
                "Failed to handle alarm for kills-its-group: restart_command killed by signal 15 (SIGTERM)",
            );
        } else {
            world.cleared(id);
        }
    }
    assert!(alive(pm));
    assert_eq!(std::fs::read_link(format!("/proc/{pm}/cwd")).unwrap(), world.dir());
    // Every line has the shape of the log: nothing that a command writes can forge or break one.
    let messages = world.messages();
    assert!(!messages.iter().any(|line| line == "INFO forged"), "{messages:?}");
    assert!(messages.iter().any(|line| line.contains("writes-bytes: 2020-01-01 00:00:00  [INFO] - forged")));
    assert!(world.said("floods: [") <= 1 && world.log().len() < 200_000, "{} bytes", world.log().len());
    world.round();
}

#[test]
fn a_pre_restart_command_that_fails_or_hangs_ends_the_job_before_the_restart() {
    let keys = |line: &str| {
        format!(
            "pre_restart_command = {line}\npre_restart_timeout = 0.3\nrestart_command = echo $process_name >> @DIR@/ran\n\
             max_attempts = 3\nmax_restart_failures = 9"
        )
    };
    let sections = custom("good", &keys("echo before"))
        + &custom("bad", &keys("echo disk is full >&2; exit 4"))
        + &custom("hangs", &keys("sleep 300 & echo $! > @DIR@/sleeper; wait"));
    let mut world = World::with(&sections);
    world.start();
    world.handled("good");
    assert_eq!(world.said("INFO] - good: before"), 1);
    let began = Instant::now();
    world.alarm("bad");
    world.alarm("hangs");
    for text in [
        "Pre-restart command failed for bad: exited with status 4: disk is full",
        "Failed to handle alarm for bad: pre-restart command exited with status 4: disk is full",
        "Pre-restart command failed for hangs: gave no result within 300 ms and was killed",
    ] {
        world.until_log(text);
    }
    assert!(began.elapsed().as_secs() < 20);
    assert_eq!(world.lines("ran"), ["good"]);
    let sleeper: u32 = world.read("sleeper").trim().parse().unwrap();
    world.until("the whole group to be killed", |_| !alive(sleeper));
    assert_eq!(world.said("Attempting restart (1 of 3) for bad"), 0);
}

#[test]
fn a_restart_or_a_check_that_hangs_is_ended_with_its_whole_group() {
    let stuck = |file: &str| format!("trap '' TERM; sleep 300 & echo $! > @DIR@/{file}; wait; sleep 300");
    let sections = custom(
        "restart",
        &format!("restart_command = {}\nrestart_timeout = 0.4\nmax_attempts = 1", stuck("sleeper-1")),
    ) + &custom(
        "check",
        &format!(
            "restart_command = true\nhealth_check_command = {}\nhealth_check_timeout = 0.5\nmax_attempts = 1",
            stuck("sleeper-2")
        ),
    );
    let mut world = World::with(&sections);
    world.start();
    world.alarm("restart");
    world.alarm("check");
    world.until_log("Failed to handle alarm for restart: restart_command gave no result within");
    world.until_log("Failed to handle alarm for check: not healthy: gave no result within");
    for file in ["sleeper-1", "sleeper-2"] {
        let pid: u32 = world.read(file).trim().parse().unwrap();
        world.until(&format!("the child of {file} to be killed"), |_| !alive(pid));
    }
    assert!(world.said("must be put into the background") >= 1, "{}", world.log());
    world.round();
}

#[test]
fn what_a_command_starts_in_the_background_outlives_pm() {
    let keys = "restart_command = @DIR@/server > /dev/null 2>&1 &";
    let mut world = World::with(&custom("web", keys));
    world.program("server", "echo $$ > @DIR@/server.pid");
    world.start();
    world.handled("web");
    world.until("the server to run", |world| world.read("server.pid").ends_with('\n'));
    let server: u32 = world.read("server.pid").trim().parse().unwrap();
    world.stop();
    assert!(alive(server), "the end of pm ended it");
    world.start();
    world.kill();
    assert!(alive(server), "the death of pm ended it");
}

#[test]
fn a_block_wins_over_a_script_and_a_script_over_a_command() {
    // echo "$PROCESS_NAME $SYSTEM_NAME" >> ran
    let block = "restart_block_b64 = ZWNobyAiYmxvY2sgJFBST0NFU1NfTkFNRSAkU1lTVEVNX05BTUUiID4+IHJhbg==\n";
    let script = "restart_script_path = @DIR@/script %s 'a b'\n";
    let command = "restart_command = echo command %{name} %s $(date +%s | wc -l) >> @DIR@/ran\n";
    let sections = custom("a", &format!("system_name = sys-a\n{block}{script}{command}"))
        + &custom("b", &format!("system_name = sys-b\n{script}{command}"))
        + &custom("c", &format!("system_name = sys-c\n{command}{command}"));
    let mut world = World::with(&sections);
    world.script("script", "echo \"script $1 $2\" >> @DIR@/ran");
    world.start();
    for name in ["a", "b", "c"] {
        world.handled(name);
    }
    let expected = ["block a sys-a", "script sys-b a b", "command c sys-c 1", "command c sys-c 1"];
    assert_eq!(world.lines("ran"), expected, "{}", world.log());
}

#[test]
fn the_next_strategy_of_a_list_acts_when_the_one_before_cannot() {
    let unit = format!("pm-test-{}", std::process::id());
    let section = format!(
        "[process.web]\nrestart_strategy = counts, process\nsystem_name = {unit}\n\
         restart_command = echo custom >> @DIR@/ran\nmax_attempts = 1\n\n"
    );
    // A restart_command takes the place of every strategy in whose list custom has none; without one the list is gone
    // through.
    let mut world = World::with(&section);
    world.start();
    world.handled("web");
    assert_eq!(world.lines("ran"), ["custom"]);
    world.edit(&format!(
        "[process.web]\nrestart_strategy = service, process\nsystem_name = {unit}\nexecutable = @DIR@/web\n\
         start_command = @DIR@/web\nhealth_check = process\nstart_grace = 30ms\n\n\
         [process.auto]\nrestart_strategy = auto\nsystem_name = {unit}-auto\nexecutable = @DIR@/auto\n\
         start_command = @DIR@/auto\nhealth_check = process\nstart_grace = 30ms\n\n"
    ));
    for name in ["web", "auto"] {
        world.program(name, "");
        world.handled(name);
        assert_eq!(super::running(&world, name).len(), 1, "{}", world.log());
        let next = format!("Strategy service did not restart {name}, trying the next one");
        assert_eq!(world.said(&next), 1, "{}", world.log());
    }
}
