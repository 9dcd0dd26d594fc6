//! Golden files: what whole configuration files mean, and what is said of each mistake.
//!
//! `tests/fixtures/config/valid/NAME.ini` has the effective settings beside it as `NAME.json`, `invalid/NAME.ini`,
//! one mistake per file, its problems as `NAME.txt`. A missing or differing file fails; `PM_BLESS=1` writes them
//! anew, and the difference is then to be judged in review. Comments in the first lines set the scene: `# mode: 644`
//! (permission bits of the file), `# uid: 990` (who pm runs as), `# catalogue: none` (no plugins are installed).

use super::environment::Given;
use super::*;
use crate::policy::model::{Configured, Name};
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::Key;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const HOME: &str = "/opt/monitor_service";

fn offer(kind: &str, name: &str, keys: &[(&str, &str, &str)]) -> Offer {
    let keys = keys.iter().map(|(name, kind, default)| Key {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        default: Some((*default).to_owned()).filter(|text| !text.is_empty()),
        text: "Text.".to_owned(),
        unit: None,
        allowed: None,
        required: *name == "notify_command",
    });
    Offer { kind: kind.to_owned(), name: name.to_owned(), keys: keys.collect() }
}

/// Parts like those that are shipped, and one refused library.
fn catalogue() -> Catalogue {
    let docker = [("socket", "path", ""), ("container", "text", ""), ("stop_timeout", "duration", "10s")];
    let http = [("url", "text", ""), ("http_token", "text", ""), ("expected_status", "list", "200")];
    let custom = [
        ("restart_block_b64", "text", ""),
        ("restart_script_path", "text", ""),
        ("restart_command", "text", ""),
    ];
    let tcp = [("host", "text", "127.0.0.1"), ("port", "number16", ""), ("pin_password", "number", "")];
    let more = |mut offer: Offer, key: &str, unit: Option<&str>, allowed: Option<&str>| {
        let key = offer.keys.iter_mut().find(|own| own.name == key).unwrap();
        (key.unit, key.allowed) = (unit.map(str::to_owned), allowed.map(str::to_owned));
        key.required = unit.is_none() && allowed.is_none();
        offer
    };
    let webhook = [
        ("url", "text", ""),
        ("secret_header", "text", ""),
        ("secret_header_file", "path", ""),
        ("webhook_timeout", "duration", "10s"),
    ];
    Catalogue {
        offers: vec![
            more(
                offer("strategy", "auto", &[("auto_fallback", "text", "not-found")]),
                "auto_fallback",
                None,
                Some("not-found|always"),
            ),
            offer("strategy", "service", &[("scope", "text", "system")]),
            offer(
                "strategy",
                "process",
                &[("start_command", "text", ""), ("stop_timeout", "duration", "10s")],
            ),
            offer("strategy", "custom", &custom),
            offer("strategy", "docker", &docker),
            offer("check", "service", &[("scope", "text", "system")]),
            offer("check", "process", &[("pid_file", "path", "")]),
            offer("check", "command", &[("health_check_command", "text", "")]),
            offer("check", "docker", &docker[..2]),
            more(offer("check", "http", &http), "expected_status", None, Some("200|204|301")),
            more(offer("check", "tcp", &tcp), "port", None, None),
            more(
                offer("check", "share", &[("share", "number", "50")]),
                "share",
                Some("percent"),
                Some("1..100"),
            ),
            offer("notifier", "webhook", &webhook),
            more(
                offer("notifier", "command", &[("notify_command", "text", "")]),
                "notify_command",
                None,
                None,
            ),
        ],
        refused: vec![Refused {
            file: "/usr/lib/pm/plugins/libpm_lxc.so".into(),
            reason: "it speaks interface 2, this pm speaks 1".to_owned(),
        }],
        libraries: Some(libraries()),
    }
}

/// The libraries behind those parts; two more, which offer the same as each other; one that is refused.
fn libraries() -> Vec<Installed> {
    let library = |name: &str, parts: &[&str], refused: Option<&str>| Installed {
        file: format!("/usr/lib/pm/plugins/libpm_{name}.so").into(),
        name: Some(name.to_owned()),
        parts: parts.iter().map(|part| ("strategy".to_owned(), (*part).to_owned())).collect(),
        refused: refused.map(str::to_owned),
    };
    let without_name = |name: &str, why: &str| Installed { name: None, ..library(name, &[], Some(why)) };
    vec![
        library("auto", &["auto"], None),
        library("systemd", &["service"], None),
        library("process", &["process"], None),
        library("docker", &["docker"], None),
        library("podman", &["docker"], Some("offers strategy \"docker\", already provided by another")),
        without_name("lxc", "it speaks interface 2, this pm speaks 1"),
    ]
}

fn world(file: &Path, bytes: &[u8], mode: u32, ours: u32) -> Environment {
    let given = |bytes: &[u8], mode| Given { bytes: bytes.to_vec(), mode };
    let files = [
        (file.to_owned(), given(bytes, mode)),
        (PathBuf::from("/etc/pm/password"), given(b"from-file\n", 0o600)),
        (PathBuf::from("/etc/pm/open-password"), given(b"from-file\n", 0o644)),
        (PathBuf::from("/etc/pm/empty-password"), given(b"\n", 0o600)),
    ];
    Environment {
        variables: BTreeMap::from([("FIXTURE_PASSWORD".to_owned(), "from-variable".to_owned())]),
        files: Files::Given(files.into()),
        zone: crate::calendar::Zone::named("Europe/Bucharest").unwrap(),
        users: Users::Given {
            ours,
            known: BTreeMap::from([("pmcheck".to_owned(), 991), ("pm".to_owned(), 990)]),
        },
    }
}

fn load_bytes(name: &str, bytes: &[u8]) -> Loaded {
    let head: Vec<String> = String::from_utf8_lossy(bytes).lines().take(3).map(str::to_owned).collect();
    let set = |key: &str| head.iter().find_map(|line| line.strip_prefix(key).map(str::trim));
    let mode = set("# mode:").map_or(0o600, |mode| u32::from_str_radix(mode, 8).unwrap());
    let ours = set("# uid:").map_or(0, |uid| uid.parse().unwrap());
    let known = if set("# catalogue:") == Some("none") { Catalogue::default() } else { catalogue() };
    let file = Path::new(HOME).join(name);
    load(&file, &world(&file, bytes, mode, ours), &known)
}

fn load_text(text: &str) -> Loaded {
    load_bytes("config.ini", text.as_bytes())
}

/// Compares every `.ini` of a folder with the file beside it, and every such file with an `.ini`.
fn golden(folder: &str, extension: &str, render: impl Fn(&str, &Loaded) -> String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/config").join(folder);
    let bless = std::env::var_os("PM_BLESS").is_some();
    let mut files: Vec<PathBuf> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for path in &files {
        let beside = path.with_extension(extension);
        if path.extension().is_none_or(|found| found != "ini") {
            if !path.with_extension("ini").exists() {
                wrong.push(format!("{} has no .ini beside it", path.display()));
            }
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let actual = render(name, &load_bytes(name, &fs::read(path).unwrap()));
        if bless {
            fs::write(&beside, &actual).unwrap();
        } else {
            match fs::read_to_string(&beside) {
                Err(_) => wrong.push(format!("{} is missing; actual:\n{actual}", beside.display())),
                Ok(expected) if expected != actual => {
                    wrong.push(format!("{}\nexpected:\n{expected}\nactual:\n{actual}", beside.display()));
                }
                Ok(_) => {}
            }
        }
    }
    assert!(files.len() > 20, "{} holds nearly nothing", root.display());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn valid_files_mean_what_stands_beside_them() {
    golden("valid", "json", |name, loaded| {
        assert!(loaded.usable(), "{name}: {:#?}", loaded.problems);
        let text = serde_json::to_string_pretty(&effective::to_json(loaded)).unwrap() + "\n";
        for secret in
            ["Parola-9x", "MySecurePassword123", "from-file", "from-variable", "s3cr3t", "abcdef", "pa\\"]
        {
            assert!(!text.contains(secret), "{name}: the secret {secret} is shown");
        }
        text
    });
}

#[test]
fn every_mistake_is_told_as_it_stands_beside_it() {
    golden("invalid", "txt", |name, loaded| {
        assert!(!loaded.problems.is_empty(), "{name}: nothing was found");
        let told = loaded.problems.iter().map(|problem| format!("{}: {problem}\n", problem.severity));
        let runs = if loaded.config.is_some() { "runs" } else { "does not run" };
        let usable = if loaded.usable() { "usable" } else { "not usable" };
        let text = format!("{}-- {runs}, {usable}\n", told.collect::<String>());
        for secret in ["Parola-9x", "MySecurePassword123", "hunter2"] {
            assert!(!text.contains(secret), "{name}: the secret {secret} is shown");
        }
        text
    });
}

#[test]
fn a_file_that_cannot_be_read_is_one_error_without_a_configuration() {
    let environment = Environment::default();
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large.ini");
    fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    for (path, why) in [
        (Path::new("/nonexistent/config.ini"), "cannot be read: No such file"),
        (directory.path(), "cannot be read: is a directory"),
        (Path::new("/dev/zero"), "cannot be read: it is not a regular file"),
        (&large, "cannot be read: it is larger than 1024 KiB"),
    ] {
        let loaded = load(path, &environment, &catalogue());
        assert!(loaded.config.is_none() && !loaded.usable());
        assert_eq!(loaded.problems.len(), 1);
        assert!(loaded.problems[0].message.starts_with(why), "{}", loaded.problems[0]);
    }
}

#[test]
fn a_line_longer_than_an_argument_of_a_command_is_refused() {
    let loaded = load_text(&format!("[process.a]\nrestart_command = {}\n", "x".repeat(128 * 1024)));
    assert!(loaded.errors().any(|problem| problem.message.starts_with("the line is longer than 128 KiB")));
    assert_eq!(loaded.errors().next().unwrap().line, Some(2));
}

const SERVER: &str = "[database]\nhost=db1\nuser=pm\ndatabase=d\n[monitor]\ncheck_interval=1\n\
    max_restart_failures=1\ncircuit_reset_time=1\n";

fn passwords(extra: &str, variables: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<String> {
    let file = Path::new("/etc/pm.ini");
    let text = SERVER.replace("user=pm\n", &format!("user=pm\n{extra}\n"));
    let mut environment = world(file, text.as_bytes(), 0o600, 0);
    environment.variables.extend(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    if let Files::Given(all) = &mut environment.files {
        all.extend(files.iter().map(|(path, text)| {
            (PathBuf::from(path), Given { bytes: text.as_bytes().to_vec(), mode: 0o400 })
        }));
    }
    match load(file, &environment, &catalogue()).config.map(|config| config.database) {
        Some(Database::Mysql(server)) => {
            server.logins.iter().map(|l| l.password.reveal().to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_password_comes_from_the_safest_place_that_has_one() {
    let inline = "password=\"in#line\"";
    let credential = [("/run/cred/database_password", "credential\n")];
    let directory = ("CREDENTIALS_DIRECTORY", "/run/cred");
    let variable = ("PM_DATABASE_PASSWORD", "variable");
    assert_eq!(passwords(inline, &[], &[]), ["in#line", "\"in#line\""]);
    assert_eq!(passwords("password=plain", &[], &[]), ["plain"]);
    assert_eq!(passwords("password=${FIXTURE_PASSWORD}", &[], &[]), ["from-variable"]);
    assert_eq!(passwords("password=${UNSET}", &[], &[]), Vec::<String>::new());
    assert_eq!(passwords(inline, &[variable], &[]), ["variable"]);
    assert_eq!(passwords("password_file=/etc/pm/password", &[variable], &[]), ["from-file"]);
    let everything = format!("{inline}\npassword_file=/etc/pm/password");
    assert_eq!(passwords(&everything, &[variable, directory], &credential), ["credential"]);
    assert_eq!(passwords("", &[directory], &[]), Vec::<String>::new());
}

#[test]
fn a_row_without_a_section_is_handled_only_with_a_default() {
    let with = load_text("[process.default]\nhealth_check=service\nsystem_name=\n").config.unwrap();
    let process = with.process("any.thing/at all").unwrap();
    assert_eq!((process.name.as_str(), process.system_name()), ("any.thing/at all", "any.thing/at all"));
    assert_eq!((with.dialect, process.chain()), (Dialect::WithDefault, vec!["auto"]));
    let without = load_text("[process.a]\nrestart_strategy=service\n").config.unwrap();
    assert_eq!(without.dialect, Dialect::SectionsOnly);
    assert!(
        without.process("a").is_some() && without.process("A").is_none() && without.process("b").is_none()
    );
}

#[test]
fn empty_keys_fall_back_to_the_default_and_then_to_what_is_built_in() {
    let config = load_text(
        "[process.default]\nrestart_delay=7\nhealth_check_command=pgrep %s\nmax_attempts=\n\
         [process.a]\nrestart_delay=\nhealth_check_command=\nmax_attempts=5\n[process.b]\nrestart_delay=1m\n",
    );
    let config = config.config.unwrap();
    let (a, b) = (config.process("a").unwrap(), config.process("b").unwrap());
    assert_eq!((a.restart_delay.as_secs(), a.max_attempts, a.check()), (7, 5, Some("command")));
    assert_eq!((b.restart_delay.as_secs(), b.max_attempts), (60, 2));
    assert_eq!(b.setting("health_check_command"), Some("pgrep %s"));
}

#[test]
fn what_a_process_says_itself_comes_before_what_all_processes_say() {
    let config = load_text(
        "[process.default]\nhealth_check=service\nrestart_block_b64=ZWNobyBoaQ\n\
         [process.a]\nhealth_check_command=true\nrestart_command=/bin/a\n\
         [process.b]\nrestart_strategy=docker\n[process.c]\nrestart_strategy=service, custom\n",
    );
    assert!(config.problems.is_empty(), "{:?}", config.problems);
    let config = config.config.unwrap();
    let (a, b) = (config.process("a").unwrap(), config.process("b").unwrap());
    assert_eq!(config.process("c").unwrap().chain(), ["service", "custom"], "its place is written");
    assert_eq!((a.check(), a.restart_command()), (Some("command"), Some(("restart_command", "/bin/a"))));
    assert_eq!((b.check(), b.chain()), (Some("service"), vec!["custom"]));
}

#[test]
fn a_part_gets_its_own_keys_from_the_process_and_then_from_its_plugin_section() {
    let config = load_text(
        "[plugin.docker]\nsocket=/a\nstop_timeout=20\n[process.c]\nrestart_strategy=docker\nstop_timeout=5\n\
         container=shop\nhealth_check=docker\n",
    );
    let config = config.config.unwrap();
    let (known, spec) = look_up(&config, &catalogue().offers, &Name::new("c"));
    let spec = spec.unwrap();
    assert_eq!(known, Configured::Yes(spec.rules.clone()));
    let text = |key: &str| spec.chain[0].settings.get(key).map(String::as_str);
    assert_eq!(
        (text("socket"), text("stop_timeout"), text("container")),
        (Some("/a"), Some("5"), Some("shop"))
    );
    let check = spec.check.unwrap();
    assert_eq!(check.settings.keys().collect::<Vec<_>>(), ["container", "socket"]);
    assert_eq!(spec.delegates["process"]["stop_timeout"], "5");
}

#[test]
fn what_cannot_be_restarted_is_configured_but_unusable() {
    for text in ["restart_strategy=dokcer", "max_attempts=0", "health_check=nothing", "restart_block_b64=<x>"]
    {
        let config = load_text(&format!("[process.default]\n[process.a]\n{text}\n")).config.unwrap();
        let (configured, spec) = look_up(&config, &catalogue().offers, &Name::new("a"));
        assert!(matches!(configured, Configured::Unusable(_)) && spec.is_none(), "{text}: {configured:?}");
        let (configured, _) = look_up(&config, &catalogue().offers, &Name::new("other"));
        assert!(matches!(configured, Configured::Yes(_)), "{text}: {configured:?}");
    }
}

#[test]
fn commands_see_the_variables_of_the_predecessor_without_the_password() {
    let text = format!("{SERVER}[host]\nhost_id=9\n[self_recovery]\nprecheck_command=true\n")
        .replace("user=pm", "user=pm\npassword=hunter2");
    let variables = environment(&load_text(&text).config.unwrap());
    for (name, value) in [
        ("DB_HOST", "db1"),
        ("DB_USER", "pm"),
        ("DB_NAME", "d"),
        ("CHECK_INTERVAL", "1"),
        ("LOG_FORMAT", "text"),
        ("HOST_ID", "9"),
        ("STALE_AFTER_SECONDS", "300"),
        ("SELF_RECOVERY_PRECHECK_CMD", "true"),
    ] {
        assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!variables.contains_key("DB_PASS") && !variables.values().any(|value| value.contains("hunter2")));
}

#[test]
fn nothing_of_the_database_reaches_the_settings_of_a_part_or_what_it_is_told_of_a_process() {
    // The check "tcp" has a key "host" of its own, and so has the section of the database.
    let text = format!(
        "{}[process.default]\nhealth_check=tcp\nport=80\n[process.web]\nrestart_strategy=docker\n\
         [plugin.docker]\nstop_timeout=3\n[notify.chat]\nnotifier=webhook\nurl=https://h/x\n\
         secret_header=${{PM_DATABASE_PASSWORD}}\n",
        SERVER.replace("user=pm", "user=pm\npassword=hunter2")
    );
    let file = Path::new("/etc/pm.ini");
    let mut environment = world(file, text.as_bytes(), 0o600, 0);
    environment.variables.insert("PM_DATABASE_PASSWORD".to_owned(), "hunter2".to_owned());
    let config = load(file, &environment, &catalogue()).config.unwrap();
    for name in ["web", "any other"] {
        let (_, spec) = look_up(&config, &catalogue().offers, &Name::new(name));
        let spec = spec.unwrap();
        let all = format!("{spec:?}");
        assert!(!all.contains("hunter2") && all.contains("stop_timeout"), "{name}: {all}");
        assert_eq!(spec.check.unwrap().settings.keys().map(String::as_str).collect::<Vec<_>>(), ["port"]);
    }
    let receiver = &config.notify[0];
    assert_eq!(receiver.part.settings.keys().map(String::as_str).collect::<Vec<_>>(), ["url"]);
}

#[test]
fn changed_processes_are_named_and_moved_lines_are_no_change() {
    let read = |text: &str| load_text(text).config.unwrap();
    let old = read("[process.default]\nmax_attempts=2\n[process.a]\nurl=x\n[process.b]\n");
    let moved = read("\n\n[process.b]\n[process.default]\nmax_attempts=2\n[process.a]\nurl=x\n");
    assert_eq!(old.changed_processes(&moved).len(), 0);
    let newer = read("[process.default]\nmax_attempts=2\n[process.a]\nmax_attempts=3\n[process.c]\n");
    assert_eq!(old.changed_processes(&newer).into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    let adopted = old.with_processes_of(&Config { host_id: Some(1), ..newer.clone() });
    assert_eq!((adopted.host_id, adopted.processes), (None, newer.processes));
}

#[test]
fn each_number_comes_from_the_nearest_place_that_says_it() {
    let failures = |text: &str, name: &str| {
        let config = load_text(text).config.unwrap();
        config.process(name).unwrap().control.max_restart_failures
    };
    let key = "max_restart_failures";
    let monitor = format!("[monitor]\n{key}=11\n");
    let levels = format!("[criticality.normal]\n{key}=12\n[criticality.low]\n{key}=13\n");
    let default = format!("[process.default]\n{key}=14\n");
    let plain = "[process.default]\n[process.a]\n[process.l]\ncriticality=low\n";
    let own = format!("[process.a]\n{key}=15\n[process.l]\ncriticality=low\n");
    for (text, expected) in [
        (plain.to_owned(), [3, 2, 3]),
        (format!("{monitor}{plain}"), [11, 2, 11]),
        (format!("{monitor}{levels}{plain}"), [12, 13, 12]),
        (format!("{monitor}{levels}{default}{own}"), [15, 14, 14]),
    ] {
        assert_eq!(["a", "l", "rest"].map(|name| failures(&text, name)), expected, "{text}");
    }
}

#[test]
fn a_longest_time_is_never_less_than_the_first_one() {
    let config = load_text(
        "[monitor]\ncircuit_reset_time=3h\n[process.default]\n[process.a]\ncircuit_reset_time=1m\nbackoff=20m\n\
         [process.b]\ncircuit_reset_max=4h\n",
    );
    let config = config.config.unwrap();
    let open = |name: &str| {
        let control = config.process(name).unwrap().control.clone();
        (control.circuit_reset_time.as_secs() / 60, control.circuit_reset_max.as_secs() / 60)
    };
    assert_eq!((open("a"), open("b"), open("rest")), ((1, 60), (180, 240), (180, 180)));
    assert_eq!(config.process("a").unwrap().control.backoff_max.as_secs(), 20 * 60);
    assert_eq!(config.levels.of(Criticality::Normal).circuit_reset_max.as_secs(), 3 * 3600);
}

#[test]
fn an_alarm_after_a_restart_is_doubted_for_the_doubt_time_or_the_stable_time_if_that_is_shorter() {
    let doubt = |text: &str| load_text(text).config.unwrap().process("a").unwrap().control.doubt().as_secs();
    assert_eq!(doubt("[process.default]\n"), 60);
    assert_eq!(doubt("[monitor]\nstable_time=20\n[process.default]\n"), 20);
    assert_eq!(doubt("[process.default]\nstable_time=0\n"), 0);
    assert_eq!(doubt("[criticality.normal]\ndoubt_time=90\n[process.default]\n"), 90);
    assert_eq!(doubt("[criticality.normal]\ndoubt_time=90\n[process.default]\ndoubt_time=0\n"), 0);
}

#[test]
fn a_list_of_dependencies_has_an_end() {
    let names = |count: usize| (0..count).map(|number| format!("n{number}")).collect::<Vec<_>>().join(",");
    let load = |count| load_text(&format!("[process.default]\n[process.a]\ndepends_on={}\n", names(count)));
    assert!(load(100).usable());
    let long = load(101);
    assert_eq!(long.errors().map(|problem| problem.line).collect::<Vec<_>>(), [Some(3)]);
    let declared = long.config.unwrap().declared();
    assert_eq!(declared.depends_on(&Name::new("a")).len(), 100);
}

#[test]
fn groups_change_together_with_the_processes() {
    let read = |text: &str| load_text(&format!("[process.default]\ngroup=g\n{text}")).config.unwrap();
    let (old, new) = (read("[group.g]\nbudget=1\n[group.h]\n"), read("[group.g]\nbudget=2\n"));
    assert!(old.changed_processes(&new).is_empty());
    assert_eq!(old.changed_groups(&new).into_iter().collect::<Vec<_>>(), ["g", "h"]);
    let adopted = old.with_processes_of(&new);
    assert_eq!((adopted.group("g").budget, adopted.group("unheard-of").budget), (2, 5));
    assert!(new.changed_groups(&new).is_empty());
}

const NIGHTLY: &str = "[process.default]\n[maintenance.night]\ncron=0 22 * * *\nduration=2h\n";

#[test]
fn changed_windows_are_named_and_taken_over_with_the_processes() {
    let read = |text: &str| load_text(text).config.unwrap();
    let old =
        read(&format!("{NIGHTLY}all=yes\n[maintenance.b]\nall=yes\nfrom=2026-12-01 22:00\nduration=1h\n"));
    let moved = read(&format!(
        "\n\n{NIGHTLY}\nall=on\n[maintenance.b]\nall=yes\nfrom=2026-12-01 22:00\nduration=60m\n"
    ));
    assert_eq!(old.changed_maintenance(&moved).len(), 0);
    let newer = read(&format!("{NIGHTLY}process=web\n[maintenance.c]\nall=yes\ncron=@daily\nduration=1h\n"));
    assert_eq!(old.changed_maintenance(&newer), ["b", "c", "night"].map(Name::new).into());
    let adopted = old.with_processes_of(&newer);
    assert_eq!(
        (&adopted.maintenance, &adopted.maintenance_lines),
        (&newer.maintenance, &newer.maintenance_lines)
    );
    assert_eq!(adopted.maintenance_lines[&Name::new("c")], 6);
}

#[test]
fn a_window_may_name_every_group_that_a_process_is_in() {
    let told = |member: &str| {
        let loaded = load_text(&format!("{NIGHTLY}group=front, back\n[process.a]\n{member}\n"));
        let told = loaded.problems.iter().filter(|problem| problem.section == "maintenance.night");
        (
            loaded.config.unwrap().maintenance.len(),
            told.map(|problem| problem.message.clone()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(told("group=front").1, ["no process section is in a group \"back\""]);
    assert_eq!(told("group=").1.len(), 2);
    assert_eq!(told("").0, 1, "it is a warning: a table may know them");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let loaded = load_bytes("config.ini", &bytes);
        prop_assert!(effective::to_json(&loaded).is_object());
    }

    #[test]
    fn arbitrary_values_of_known_keys_never_panic(
        section in "database|monitor|logging|host|self_recovery|process\\.default|process\\.a|plugin\\.docker|\
                   group\\.a|maintenance\\.a|criticality\\.(high|normal|x)|x{0,9}",
        key in "engine|host|password|port|check_interval|max_log_size|host_id|restart_strategy|restart_delay|\
                restart_delay_factor|restart_block_b64|restart_command|health_check|socket|path|group|depends_on|criticality|\
                backoff|backoff_factor|circuit_reset_max|circuit_jitter|restart_window|stable_time|doubt_time|budget|\
                driver_failures|driver_pause|driver_open_time|driver_jitter|mass_alarm_recheck|\
                correlation_share|storm_refill|from|until|cron|duration|time_zone|process|all|[a-z_]{1,9}",
        value in "\\PC{0,20}|[0-9a-z.<>=;# ${}\\\\\"'-]{0,20}",
    ) {
        let loaded = load_text(&format!("[process.default]\n[{section}]\n{key} = {value}\n"));
        let json = effective::to_json(&loaded).to_string();
        prop_assert!(loaded.config.is_some() || !loaded.usable());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }
}
