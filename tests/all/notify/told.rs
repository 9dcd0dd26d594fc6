//! What arrives, where, and in which words.

use super::{body, failing, is_there, raise, slept, threads, webhook};
use pm_tests::sandbox::Sandbox;
use pm_wire::fake::{Hook, MailServer, Manner};
use rustix::process::Signal;

#[test]
fn a_failed_restart_and_its_breaker_reach_a_webhook_and_a_mailbox_each_in_its_language() {
    let (hook, mail) = (Hook::willing(), MailServer::start(Manner::Plain, None));
    let letters = format!(
        "[notify.mail]\nnotifier = email\nsmtp_host = 127.0.0.1\nsmtp_port = {}\nsmtp_security = none\n\
         smtp_user = ops\nsmtp_password_file = @DIR@/password\nfrom = pm@example.org\nto = ops@example.org\n\
         language = ro\nevents = breaker_opened\n",
        mail.port
    );
    let sections =
        failing(["web".to_owned()]) + &webhook("chat", hook.port, "min_severity = warning\n") + &letters;
    let mut sandbox = Sandbox::sqlite(&sections);
    sandbox.write("password", "hunter2\n", 0o600);
    sandbox.start();
    raise(&sandbox, &["web"]);
    let posted = hook.until("the breaker", |posted| is_there(posted, "breaker_opened", "web"));
    let first = body(&posted[0]);
    assert_eq!(
        (first["event"].as_str(), first["severity"].as_str()),
        (Some("restart_failed"), Some("warning"))
    );
    let host = first["host"].as_str().unwrap().to_owned();
    assert_eq!(first["summary"], format!("web could not be restarted on {host}"));
    let detail = first["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("It was tried once: ") && detail.ends_with("exited with status 3"),
        "{detail}"
    );

    let letter = mail.until(1).remove(0);
    assert_eq!(
        (letter.user.as_str(), letter.to.as_slice()),
        ("ops", ["ops@example.org".to_owned()].as_slice())
    );
    assert!(letter.text.contains("Subject: [critical] pm nu mai"), "{}", letter.text);
    assert!(letter.text.contains(&format!("pm: breaker_opened ({host})")), "{}", letter.text);
    sandbox.stop();
    assert!(!sandbox.log().contains("hunter2"), "{}", sandbox.log());
}

#[test]
fn the_command_of_an_operator_finds_everything_in_its_environment() {
    let line =
        "printf '%s|%s|%s|%s\\n' \"$PM_EVENT\" \"$PM_NAME\" \"$PM_SEVERITY\" \"$PM_SUMMARY\" >> @DIR@/told";
    let command = format!("[notify.page]\nnotifier = command\nnotify_command = {line}\nlanguage = ro\n");
    let mut sandbox = Sandbox::sqlite(&(failing(["web".to_owned()]) + &command));
    sandbox.start();
    raise(&sandbox, &["web"]);
    sandbox.until("the command to be run", |sandbox| {
        sandbox.read("told").contains("breaker_opened|web|critical|pm nu mai")
    });
    assert!(sandbox.read("told").starts_with("restart_failed|web|warning|web nu a putut fi repornit pe "));
}

#[test]
fn a_receiver_that_comes_with_a_reload_is_told_of_a_window_and_one_that_goes_is_not() {
    let (first, second) = (Hook::willing(), Hook::willing());
    let process = failing(["web".to_owned()]);
    let mut sandbox = Sandbox::sqlite(&process);
    let pid = sandbox.start();
    sandbox.until("it to poll", |_| slept(pid, "pm-store") > Some(10));
    assert!(!threads(pid).iter().any(|(name, _)| name == "pm-notify"), "{:?}", threads(pid));
    sandbox.configure(&Sandbox::on_sqlite(&(process.clone() + &webhook("a", first.port, ""))));
    sandbox.signal(Signal::HUP);
    sandbox.until_log("Configuration read again");
    sandbox.ok(&["maintenance", "add", "patches", "--for", "1h", "--all", "--reason", "disk swap"]);
    let posted = first.until("the window", |posted| is_there(posted, "window_started", "patches"));
    let detail = body(&posted[0])["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("disk swap. No restarts in it for "), "{detail}");
    assert!(detail.ends_with(". It covers all processes."), "{detail}");

    sandbox.configure(&Sandbox::on_sqlite(&(process + &webhook("b", second.port, ""))));
    sandbox.signal(Signal::HUP);
    sandbox
        .until("the second reload", |sandbox| sandbox.log().matches("Configuration read again").count() == 2);
    sandbox.ok(&["maintenance", "remove", "patches", "--by", "bob"]);
    let posted = second.until("the end of the window", |posted| is_there(posted, "window_ended", "patches"));
    assert_eq!(
        body(&posted[0])["detail"],
        "bob removed it before its time. What is still in alarm is looked at again. It covered all processes."
    );
    assert_eq!(first.posted().len(), 1, "{:?}", first.posted());
}

#[test]
fn a_receiver_of_some_processes_is_told_of_the_windows_that_touch_them() {
    let hook = Hook::willing();
    let sections = failing(["web".to_owned()]) + &failing(["db".to_owned()]);
    let sections = sections.replace("[process.web]\n", "[process.web]\ngroup = front\n");
    let mut sandbox = Sandbox::sqlite(&(sections + &webhook("web", hook.port, "processes = web\n")));
    sandbox.start();
    for (window, whom) in
        [("others", ["--process", "db"]), ("own", ["--process", "web"]), ("group", ["--group", "front"])]
    {
        sandbox.ok(&[&["maintenance", "add", window, "--for", "1h"], &whom[..]].concat());
        sandbox.until_log(&format!("Maintenance window {window} has begun"));
    }
    let posted = hook.until("the last window", |posted| is_there(posted, "window_started", "group"));
    assert!(
        is_there(&posted, "window_started", "own") && !is_there(&posted, "window_started", "others"),
        "{posted:?}"
    );
}

#[test]
fn a_thread_with_nothing_to_send_sleeps() {
    let hook = Hook::willing();
    let mut sandbox =
        Sandbox::sqlite(&(failing(["web".to_owned()]) + &webhook("chat", hook.port, "deduplicate = 0\n")));
    let pid = sandbox.start();
    raise(&sandbox, &["web"]);
    hook.until("the breaker", |posted| is_there(posted, "breaker_opened", "web"));
    let polls = || slept(pid, "pm-store").unwrap();
    let before = polls();
    sandbox.until("it to come to rest", |_| polls() > before + 5);
    let (before, at_rest) = (polls(), slept(pid, "pm-notify"));
    sandbox.until("twenty polls", |_| polls() > before + 20);
    assert_eq!(slept(pid, "pm-notify"), at_rest);
}

#[test]
fn a_strategy_whose_library_crashes_again_and_again_is_told_of() {
    let hook = Hook::willing();
    let names: Vec<String> = (0..4).map(|number| format!("p{number}")).collect();
    let section = |name: &String| {
        format!(
            "[process.{name}]\nrestart_strategy = wreck-00\nhow = abort\nmax_attempts = 1\nevidence = no\n\n"
        )
    };
    let sections: String = names.iter().map(section).collect();
    let chat = webhook("chat", hook.port, "events = driver_paused\n");
    let mut sandbox = Sandbox::sqlite(&(sections + &chat));
    sandbox.start();
    raise(&sandbox, &names);
    let posted = hook.until("the strategy", |posted| is_there(posted, "driver_paused", "wreck-00"));
    let detail = body(&posted[0])["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("No process is blamed"), "{detail}");
}
