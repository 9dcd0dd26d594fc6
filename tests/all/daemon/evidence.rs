//! What is kept of real processes before they are restarted: trees, hostile names, no secrets, commands, hanging strategies.

use super::{World, custom, running};
use pm_tests::evidence::{kept, section};
use pm_tests::sandbox::Sandbox;
use std::time::Instant;

/// The name of a program that would clear a terminal, set its title and pass for a heading.
const HOSTILE: &str = "e\u{1b}[2J\u{7}\nlog:";

fn capsule(world: &World, name: &str) -> String {
    let text = kept(world, name).unwrap_or_else(|| panic!("nothing is kept of {name}\n{}", world.log()));
    let fit = |c: char| c == '\n' || !c.is_control();
    assert!(text.len() <= 64 * 1024 && text.chars().all(fit), "{text:?}");
    text
}

#[test]
fn a_tree_of_processes_is_kept_without_arguments_and_environments() {
    let keys = "restart_strategy = process\nexecutable = @DIR@/web\noutput = @DIR@/web.log\n\
                start_command = TOKEN=hunter2 @DIR@/web --password=hunter2\nstart_grace = 50ms\nhealth_check = process";
    let config = Sandbox::on_sqlite(&format!("[process.web]\n{keys}\n{}", super::MARKER));
    let mut world = World::of(&config);
    world.program("child", "");
    world.program(HOSTILE, "");
    let start = "echo ready; '@DIR@/child' --secret=hunter2 & \"$(dirname \"$0\")\"/e* hunter2 & wait";
    world.program("web", start);
    world.start();
    world.handled("web");
    let before = capsule(&world, "web");
    assert!(before.starts_with("strategy: process\nrunning: no process runs "), "{before}");

    let grown = |world: &World| running(world, "child").len() + running(world, "e\u{1b}").len() == 2;
    world.until("the tree to grow", |_| grown(&world));
    let main = running(&world, "web")[0];
    world.handled("web");
    let text = capsule(&world, "web");
    let tree = section(&text, "processes");
    assert_eq!(tree.len(), 3, "{text}");
    assert!(tree[0].starts_with(&format!("{main} web (/")), "{text}");
    assert!(tree[0].contains(" threads, ") || tree[0].contains(" 1 thread, "), "{text}");
    assert!(tree[0].contains(" MiB, ") && tree[0].contains(" files, up "), "{text}");
    let children = tree[1..].join("\n");
    let below = format!(": parent {main}, sleeping");
    assert_eq!(children.matches(&below).count(), 2, "{text}");
    assert!(tree[1..].iter().all(|line| line.starts_with("  ")), "children stand below their parent: {text}");
    assert!(children.contains(" e\\u{1b}[2J\\u{7}\\u{a}log: (/"), "{text}");
    assert_eq!(section(&text, "log"), ["ready"], "{text}");
    assert!(!text.contains("hunter2"), "a secret is kept: {text}");
    assert!(text.contains("\ngathered in: "), "{text}");
}

#[test]
fn the_operators_command_is_kept_whatever_it_does_and_the_restart_goes_on() {
    let keys = |more: &str| format!("restart_command = true\nmax_attempts = 1\n{more}");
    let sections = "[process.default]\nrestart_strategy = custom\nevidence_command = echo inherited\n\n"
        .to_owned()
        + &custom(
            "good",
            &keys("evidence_command = echo $process_name in $PWD; printf 'a\\033[31m\\tred' >&2"),
        )
        + &custom("inherits", &keys(""))
        + &custom("fails", &keys("evidence_command = echo no such pool; exit 3"))
        + &custom("floods", &keys("evidence_command = seq 1000000"))
        + &custom(
            "hangs",
            &keys(
                "evidence_timeout = 0.5\n\
                 evidence_command = trap '' TERM; echo begun; sleep 300 & echo $! > @DIR@/sleeper; wait; sleep 300",
            ),
        )
        + &custom("off", &keys("evidence = no"));
    let mut world = World::with(&sections);
    world.start();
    let began = Instant::now();
    for name in ["good", "inherits", "fails", "floods", "hangs", "off"] {
        world.handled(name);
    }
    assert!(began.elapsed().as_secs() < 20);
    let said = |name: &str, end: &str| {
        let text = capsule(&world, name);
        assert!(text.starts_with("custom: not available: restart_command does not tell"), "{text}");
        section(&text, &format!("evidence_command, {end}")).join("\n")
    };
    assert_eq!(said("good", "done"), format!("good in {}\na\\u{{1b}}[31m red", world.dir().display()));
    assert_eq!(said("inherits", "done"), "inherited");
    assert_eq!(said("fails", "exited with status 3"), "no such pool");
    let flood = said("floods", "done");
    assert!(flood.starts_with("1\n2\n3\n") && flood.ends_with("\n1000000"), "{flood}");
    assert!(flood.len() < 20_000 && flood.contains("left out]"), "{} bytes", flood.len());
    let hung = capsule(&world, "hangs");
    assert!(hung.contains("\nevidence_command, gave no result within "), "{hung}");
    assert!(hung.ends_with(" and was killed:\n  begun\n"), "{hung}");
    let sleeper: u32 = world.read("sleeper").trim().parse().unwrap();
    world.until("the whole group to be killed", |_| !super::alive(sleeper));
    assert_eq!(kept(&world, "off"), None);
    assert!(!world.log().contains("inherited") && !world.log().contains("no such pool"), "{}", world.log());
}

#[test]
fn a_strategy_whose_look_hangs_costs_its_share_and_is_asked_for_the_restart_all_the_same() {
    let mut world = World::with(
        "[process.web]\nrestart_strategy = hangs\nuntil = @DIR@/release\nevidence_timeout = 0.4\n\n",
    );
    world.start();
    let web = world.alarm("web");
    world.until_log("Attempting restart (1 of 2) for web");
    world.write("release", "", 0o600);
    world.cleared(web);
    let text = capsule(&world, "web");
    let late = "hangs: not available: plugin \"pm-test-plugin-misbehave\": evidence of \"web\" gave no answer within 300 ms";
    assert!(text.starts_with(late), "{text}");
}

#[test]
fn a_restart_by_hand_leaves_evidence_too() {
    let world = World::with(&custom("web", "restart_command = true\nevidence_command = echo seen"));
    world.ok(&["restart", "web"]);
    assert_eq!(section(&capsule(&world, "web"), "evidence_command, done"), ["seen"]);
}
