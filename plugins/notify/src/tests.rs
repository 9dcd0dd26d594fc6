//! The notifiers against servers that take, refuse, want to be asked later, or never answer.

use crate::email::Email;
use crate::webhook::Webhook;
use pm_plugin_api::testing::{logged, notifier};
use pm_plugin_api::{Error, ErrorKind, Notice, Result, Severity};
use pm_wire::fake::{Hook, Identity, MailServer, Manner, Server};
use std::io::Read as _;
use std::time::{Duration, Instant};

fn notice() -> Notice {
    let mut notice = Notice::of("restart_failed", "Repornirea lui „web” a eșuat");
    notice.severity = Severity::Warning;
    notice.subject = "web".to_owned();
    notice.host = "node-1".to_owned();
    notice.detail = ".o linie cu punct".to_owned();
    notice.time_ms = 1_700_000_000_000;
    notice.language = "ro".to_owned();
    notice.id = "node-1-7".to_owned();
    notice.timeout_ms = 5_000;
    notice
}

fn hook(section: &[(&str, &str)]) -> Result<()> {
    notifier::<Webhook>(section)?.notify(&notice())
}

fn mail(section: &[(&str, &str)]) -> Result<()> {
    notifier::<Email>(section)?.notify(&notice())
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/services/hunter2?key=hunter2")
}

#[test]
fn a_webhook_gets_every_field_as_json_with_the_headers_of_the_operator() {
    let (server, dir) = (Hook::willing(), tempfile::tempdir().unwrap());
    let file = dir.path().join("header");
    std::fs::write(&file, "Authorization: Bearer hunter2\n").unwrap();
    hook(&[
        ("url", &url(server.port)),
        ("header", "X-From: pm"),
        ("secret_header_file", file.to_str().unwrap()),
    ])
    .unwrap();
    let posted = server.until("a post", |posted| !posted.is_empty()).remove(0);
    let head = posted.head.to_lowercase();
    for part in [
        "post /services/hunter2?key=hunter2 http/1.1",
        "x-from: pm",
        "authorization: bearer hunter2",
        "content-type: application/json",
    ] {
        assert!(head.contains(part), "{part}: {head}");
    }
    let body = r#"{"detail":".o linie cu punct","event":"restart_failed","host":"node-1","id":"node-1-7","language":"ro","repeated":1,"severity":"warning","subject":"web","summary":"Repornirea lui „web” a eșuat","time_ms":1700000000000}"#;
    assert_eq!(posted.body, body);
}

#[test]
fn slack_gets_one_text() {
    let server = Hook::willing();
    hook(&[("url", &url(server.port)), ("webhook_format", "slack")]).unwrap();
    let posted = server.until("a post", |posted| !posted.is_empty()).remove(0);
    let text = "{\"text\":\":large_orange_circle: Repornirea lui „web” a eșuat\\n.o linie cu punct\"}";
    assert_eq!(posted.body, text);
}

#[test]
fn a_webhook_that_refuses_is_told_apart_from_one_that_is_away_and_its_path_is_never_shown() {
    let refused = |status: u16| {
        let server = Hook::start(move |_| status);
        hook(&[("url", &url(server.port))]).unwrap_err()
    };
    assert_eq!(refused(403).kind, ErrorKind::Permission);
    assert_eq!(refused(301).kind, ErrorKind::Config);
    assert_eq!(refused(500).kind, ErrorKind::Unavailable);
    let away = hook(&[("url", &url(Hook::nobody()))]).unwrap_err();
    assert_eq!(away.kind, ErrorKind::Unavailable);
    assert!(away.message.contains("refused the connection"), "{away}");
    for error in [refused(403), refused(301), refused(500), away] {
        assert!(!error.message.contains("hunter2"), "{error}");
        assert!(error.message.starts_with("POST http://127.0.0.1:"), "{error}");
    }
}

#[test]
fn a_receiver_that_never_answers_costs_its_time_and_no_more() {
    let server = Server::raw(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let port = server.port.to_string();
    let begun = Instant::now();
    let error = hook(&[("url", &url(server.port)), ("webhook_timeout", "200ms")]).unwrap_err();
    assert!(error.message.ends_with("no answer within 200.0ms"), "{error}");
    let letter = [
        ("smtp_host", "127.0.0.1"),
        ("smtp_port", &port),
        ("from", "a@b.c"),
        ("to", "d@e.f"),
        ("smtp_timeout", "200ms"),
    ];
    let error = mail(&letter).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn mistakes_in_the_settings_of_a_webhook_are_told_without_secrets() {
    let refused = |section: &[(&str, &str)]| notifier::<Webhook>(section).err().map(|error| error.message);
    let told = |section: &[(&str, &str)], part: &str| {
        let message = refused(section).unwrap();
        assert!(message.contains(part) && !message.contains("hunter2"), "{message}");
    };
    told(&[], "url: is required");
    told(&[("url", "hunter2.example/x")], "url: ");
    told(&[("url", "http://h/hunter2"), ("webhook_format", "teams")], "webhook_format: ");
    told(&[("url", "http://h/"), ("secret_header", "hunter2")], "secret_header: line 1: there is no colon");
    told(&[("url", "http://h/hunter2"), ("url_file", "/x")], "url: is there twice");
    told(&[("url", "http://h/"), ("tls_verify", "no")], "tls_verify: ");
}

fn letters<'a>(port: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut section = vec![
        ("smtp_host", "127.0.0.1"),
        ("smtp_port", port),
        ("from", "pm on node-1 <pm@example.org>"),
        ("to", "ops@example.org, Șef <boss@example.org>"),
    ];
    section.extend(more);
    section
}

#[test]
fn a_letter_is_complete_in_ascii_and_no_line_of_it_is_lost() {
    let server = MailServer::start(Manner::Plain, None);
    let port = server.port.to_string();
    mail(&letters(&port, &[("smtp_security", "none"), ("smtp_user", "ops"), ("smtp_password", "hunter2")]))
        .unwrap();
    let letter = server.until(1).remove(0);
    assert_eq!((letter.from.as_str(), letter.user.as_str()), ("pm@example.org", "ops"));
    assert_eq!(letter.to, ["ops@example.org", "boss@example.org"]);
    assert!(letter.text.is_ascii(), "{}", letter.text);
    for part in [
        "From: \"pm on node-1\" <pm@example.org>",
        "Message-ID: <node-1-7@example.org>",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000",
        "Auto-Submitted: auto-generated",
        "Subject: [warning] Repornirea lui =?utf-8?b?4oCed2Vi4oCd?= a",
        "a e=C8=99uat",
        ".o linie cu punct",
        "pm: restart_failed (node-1)",
    ] {
        assert!(letter.text.contains(part), "{part}: {}", letter.text);
    }
}

#[test]
fn letters_are_encrypted_as_told_and_logins_follow_what_the_server_offers() {
    let identity = Identity::new("Test CA", "127.0.0.1", 2090);
    let ca = identity.ca_file();
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, "hunter2\n").unwrap();
    for (manner, security) in [(Manner::StartTls, "starttls"), (Manner::Tls, "tls")] {
        let server = MailServer::start(manner, Some(&identity));
        let port = server.port.to_string();
        let more = [
            ("smtp_security", security),
            ("ca_file", ca.to_str().unwrap()),
            ("smtp_user", "ops"),
            ("smtp_password_file", password.to_str().unwrap()),
        ];
        mail(&letters(&port, &more)).unwrap();
        let letter = server.until(1).remove(0);
        assert_eq!((letter.encrypted, letter.user.as_str()), (true, "ops"), "{security}");
    }
    let stranger = Identity::new("Another CA", "127.0.0.1", 2090);
    let server = MailServer::start(Manner::StartTls, Some(&identity));
    let port = server.port.to_string();
    let error = mail(&letters(&port, &[("ca_file", stranger.ca_file().to_str().unwrap())])).unwrap_err();
    assert!(error.message.contains("unknown CA"), "{error}");
}

#[test]
fn refusals_of_a_mail_server_are_told_with_its_words_and_without_the_password() {
    let server = MailServer::start(Manner::Plain, None);
    let port = server.port.to_string();
    let refused = |more: &[(&str, &str)]| -> Error {
        let mut section = letters(&port, &[("smtp_security", "none")]);
        section.retain(|(key, _)| !more.iter().any(|(other, _)| key == other));
        section.extend(more);
        mail(&section).unwrap_err()
    };
    let error = refused(&[("smtp_user", "ops"), ("smtp_password", "hunter3")]);
    let expected =
        format!("mail by 127.0.0.1:{port}: the server refuses smtp_user and its password (535 5.7.8 no)");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Permission, expected.as_str()));
    let error = refused(&[("to", "nobody@example.org")]);
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(
        error.message.ends_with(
            r"the server refuses the receiver nobody@example.org: 550 5.1.1 there is no such \u{1b}[31muser"
        ),
        "{error}"
    );
    let error = refused(&[("to", "nobody@example.org, later@example.org")]);
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let error = refused(&[("smtp_security", "starttls")]);
    assert!(error.message.contains("offers no STARTTLS"), "{error}");
    let error = refused(&[("smtp_port", &Hook::nobody().to_string())]);
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

#[test]
fn a_receiver_that_is_refused_does_not_keep_the_letter_from_the_others() {
    let server = MailServer::start(Manner::Plain, None);
    let port = server.port.to_string();
    let mut section = letters(&port, &[("smtp_security", "none")]);
    section[3] = ("to", "nobody@example.org, ops@example.org");
    let (sent, log) = logged(|| mail(&section));
    assert_eq!(sent, Ok(()));
    assert_eq!(server.until(1)[0].to, ["ops@example.org"]);
    assert!(log[0].starts_with("WARN the server refuses the receiver nobody@example.org: 550"), "{log:?}");
}

#[test]
fn mistakes_in_the_settings_of_email_are_told_at_once() {
    let told = |more: &[(&str, &str)], part: &str| {
        let mut section = letters("25", &[]);
        section.retain(|(key, _)| !more.iter().any(|(other, _)| key == other));
        section.extend(more);
        let message = notifier::<Email>(&section).err().unwrap().message;
        assert!(message.contains(part), "{message}");
    };
    told(&[("from", "pm")], "from: \"pm\" is no address; write name@domain");
    told(&[("to", " , ")], "to: is required");
    told(&[("smtp_user", "ops")], "smtp_password: is required");
    told(&[("smtp_password", "x")], "smtp_user: is required");
    told(&[("smtp_security", "ssl")], "smtp_security: ");
    let readable = [
        ("smtp_host", "mail.example.org"),
        ("smtp_security", "none"),
        ("smtp_user", "o"),
        ("smtp_password", "x"),
    ];
    told(&readable, "anybody on the way could read the password");
}
