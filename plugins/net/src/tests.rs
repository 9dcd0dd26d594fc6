//! The checks against servers that answer, refuse, hang, flood and lie.

use crate::http::Http;
use crate::tcp::Tcp;
use pm_plugin_api::{ErrorKind, Health, Result, Target, testing};
use pm_wire::fake::{Identity, Server, answer};
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn look(settings: &[(&str, &str)]) -> Result<Health> {
    testing::check::<Http>(settings)?.check(&Target::named("web"))
}

fn http(port: u16, more: &[(&str, &str)]) -> Health {
    let url = format!("http://127.0.0.1:{port}/health");
    let mut settings = vec![("url", url.as_str())];
    settings.extend_from_slice(more);
    look(&settings).unwrap()
}

fn https(port: u16, host: &str, identity: &Identity, more: &[(&str, &str)]) -> Health {
    let (url, ca_file) = (format!("https://{host}:{port}/"), identity.ca_file());
    let mut settings = vec![("url", url.as_str()), ("ca_file", ca_file.to_str().unwrap())];
    settings.extend_from_slice(more);
    look(&settings).unwrap()
}

fn tcp(port: u16, more: &[(&str, &str)]) -> Health {
    let port = port.to_string();
    let mut settings = vec![("tcp_port", port.as_str())];
    settings.extend_from_slice(more);
    testing::check::<Tcp>(&settings).unwrap().check(&Target::named("web")).unwrap()
}

#[track_caller]
fn healthy(health: Health, begins: &str) {
    match health {
        Health::Healthy { detail } => assert!(detail.starts_with(begins), "{detail}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn unhealthy(health: Health, parts: &[&str]) -> String {
    match health {
        Health::Unhealthy { why } => {
            assert!(parts.iter().all(|part| why.contains(part)), "{why}\nlacks one of {parts:?}");
            why
        }
        other => panic!("{other:?}"),
    }
}

fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn hold(stream: impl Sized) {
    std::thread::sleep(Duration::from_secs(60));
    drop(stream);
}

#[test]
fn the_status_decides() {
    let server = Server::saying(answer("200 OK", "", "fine"));
    healthy(http(server.port, &[]), "200 OK in ");
    let head = &server.requests()[0];
    assert!(head.starts_with("GET /health HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains(&format!("\r\nhost: 127.0.0.1:{}\r\n", server.port)), "{head}");

    let server = Server::saying(answer("503 Busy", "", ""));
    let why = unhealthy(http(server.port, &[]), &[]);
    let url = format!("http://127.0.0.1:{}/health", server.port);
    assert_eq!(why, format!("GET {url}: got 503 Service Unavailable, expected 200-299"));
    healthy(http(server.port, &[("expected_status", "200, 500-503")]), "503 Service Unavailable");
}

#[test]
fn methods_and_headers_arrive() {
    let server = Server::saying(answer("204 No Content", "", ""));
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        let more =
            [("method", method), ("header", r"X-One: 1\nX-Two: 2"), ("secret_header", "X-Key: hunter2")];
        healthy(http(server.port, &more), "204 No Content");
        let head = server.requests().pop().unwrap().to_lowercase();
        assert!(head.starts_with(&format!("{} /health", method.to_lowercase())), "{head}");
        for line in ["x-one: 1", "x-two: 2", "x-key: hunter2"] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
        }
    }
}

#[test]
fn credentials_of_the_url_are_sent_and_never_shown() {
    let server = Server::saying(answer("401 No", "", ""));
    let url = format!("http://me:hunter2@127.0.0.1:{}/a?token=hunter2", server.port);
    let why = unhealthy(look(&[("url", &url)]).unwrap(), &["got 401"]);
    assert!(!why.contains("hunter2") && !why.contains("me:"), "{why}");
    let head = server.requests().remove(0);
    assert!(head.starts_with("GET /a?token=hunter2 HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: basic bwu6ahvudgvymg=="), "{head}");
}

#[test]
fn the_body_is_searched() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall s\r\n9\r\nystems OK\r\n0\r\n\r\n";
    let until_closed = "HTTP/1.0 200 OK\r\n\r\nall systems OK";
    for text in [answer("200 OK", "", "all systems OK"), chunked.to_owned(), until_closed.to_owned()] {
        let server = Server::saying(text);
        healthy(http(server.port, &[("body_match", "systems OK")]), "200 OK");
        healthy(http(server.port, &[("body_regex", "^all .* OK$")]), "200 OK");
        let why = unhealthy(
            http(server.port, &[("body_match", "degraded")]),
            &["got 200 OK, but body_match \"degraded\" is not in the body"],
        );
        assert!(why.contains("beginning \"all systems OK\""), "{why}");
    }
}

#[test]
fn a_flood_is_cut() {
    let begun = Instant::now();
    let headers = format!("X-Large: {}\r\n", "x".repeat(40_000));
    healthy(http(Server::saying(answer("200 OK", &headers, "OK")).port, &[("body_match", "OK")]), "200 OK");
    let endless = Server::http(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
    });
    unhealthy(
        http(endless.port, &[("body_match", "OK")]),
        &["is not in the first 1048576 bytes of the body"],
    );
    healthy(http(endless.port, &[]), "200 OK");
    let headers = Server::http(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream
            .write_all(b"X-Endless: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n")
            .is_ok()
        {}
    });
    unhealthy(http(headers.port, &[]), &["connected to 127.0.0.1:"]);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_drip_does_not_stretch_the_time() {
    let begun = Instant::now();
    let dripping = Server::http(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let more = [("body_match", "OK"), ("http_timeout", "400ms")];
    unhealthy(http(dripping.port, &more), &["is not in what came of the body before it broke off"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn each_way_of_not_answering_has_its_own_words() {
    let port = closed_port();
    unhealthy(http(port, &[]), &[&format!("127.0.0.1:{port} refused the connection, nobody listens there")]);
    let mute = Server::raw(hold);
    unhealthy(
        http(mute.port, &[("http_timeout", "300ms")]),
        &["connected to 127.0.0.1:", "no answer within 300.0ms"],
    );
    let closing = Server::http(|_, _| {});
    unhealthy(http(closing.port, &[]), &["it closed the connection without an answer"]);
    let ssh = Server::saying("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    unhealthy(http(ssh.port, &[]), &["its answer is not plain HTTP/1"]);
    let cut = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    unhealthy(
        http(cut.port, &[("body_match", "OK")]),
        &["is not in what came of the body before it broke off", "5 bytes, beginning \"short\""],
    );
    let why = match look(&[("url", "http://no-such-host.invalid/"), ("http_timeout", "25s")]).unwrap() {
        Health::Unknown { why } => why,
        other => panic!("{other:?}"),
    };
    assert!(why.contains("the name \"no-such-host.invalid\" cannot be resolved: "), "{why}");
}

#[test]
fn pms_own_limit_is_never_exceeded() {
    let mute = Server::raw(hold);
    let begun = Instant::now();
    let mut target = Target::named("web");
    target.timeout_ms = 400;
    let url = format!("http://127.0.0.1:{}/", mute.port);
    let check = testing::check::<Http>(&[("url", &url), ("http_timeout", "1h")]).unwrap();
    unhealthy(check.check(&target).unwrap(), &["no answer within 360.0ms"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn redirects_are_followed_up_to_the_limit() {
    let server = Server::http(|head, stream| {
        let count: u32 = head.split(['/', ' ']).filter_map(|part| part.parse().ok()).next().unwrap_or(4);
        let text = match count {
            0 => answer("200 OK", "", "arrived"),
            _ => answer("302 Found", &format!("Location: /{}\r\n", count - 1), "moved"),
        };
        stream.write_all(text.as_bytes()).unwrap();
    });
    healthy(http(server.port, &[("body_match", "arrived")]), "200 OK");
    assert_eq!(server.requests().len(), 5);
    let why = unhealthy(
        http(server.port, &[("redirects", "3")]),
        &["more than 3 redirects, the last one with status 302"],
    );
    assert!(why.contains("/health, redirected to http://127.0.0.1:"), "{why}");
    unhealthy(http(server.port, &[("redirects", "0")]), &["got 302 Found, expected 200-299"]);
    unhealthy(http(server.port, &[("method", "POST")]), &["got 302 Found"]);
    healthy(http(server.port, &[("expected_status", "300-399")]), "302 Found");

    let to_itself = Server::saying(answer("301 Moved", "Location: /health\r\n", ""));
    unhealthy(http(to_itself.port, &[]), &["more than 5 redirects"]);
    let to_nonsense = Server::saying(answer("301 Moved", "Location: gopher://x/\r\n", ""));
    unhealthy(http(to_nonsense.port, &[]), &["status 301 with a Location that gopher:// is not known"]);
    let nowhere = Server::saying(answer("301 Moved", "", ""));
    unhealthy(http(nowhere.port, &[]), &["got 301 Moved Permanently"]);
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    let other = Server::saying(answer("200 OK", "", ""));
    let location = format!("Location: http://127.0.0.1:{}/other\r\n", other.port);
    let first = Server::saying(answer("307 Away", &location, ""));
    let url = format!("http://me:hunter2@127.0.0.1:{}/", first.port);
    healthy(look(&[("url", &url), ("secret_header", "X-Key: hunter2")]).unwrap(), "200 OK");
    assert!(first.requests()[0].contains("hunter2"));
    let head = other.requests().remove(0).to_lowercase();
    assert!(!head.contains("hunter2") && !head.contains("authorization"), "{head}");
}

#[test]
fn a_certificate_is_verified_as_demanded() {
    let good = Identity::new("one", "127.0.0.1", 2099);
    let server = Server::https(&good, answer("200 OK", "", "safe"));
    healthy(https(server.port, "127.0.0.1", &good, &[("body_match", "safe")]), "200 OK");

    let stranger = Identity::new("other", "127.0.0.1", 2099);
    unhealthy(
        https(server.port, "127.0.0.1", &stranger, &[]),
        &["TLS failed: its certificate comes from an unknown CA"],
    );
    unhealthy(
        https(server.port, "127.0.0.1", &stranger, &[("tls_verify", "ca-without-name")]),
        &["unknown CA"],
    );
    healthy(https(server.port, "127.0.0.1", &stranger, &[("tls_verify", "none")]), "200 OK");

    let renewed = Identity::new("one", "127.0.0.1", 2099);
    unhealthy(
        https(server.port, "127.0.0.1", &renewed, &[]),
        &["a CA with the name of a trusted one but another key"],
    );

    let named = Identity::new("one", "web.example", 2099);
    let server = Server::https(&named, answer("200 OK", "", ""));
    unhealthy(
        https(server.port, "localhost", &named, &[]),
        &["TLS failed: its certificate is for another name", "web.example", "tls_verify = ca-without-name"],
    );
    healthy(https(server.port, "localhost", &named, &[("tls_verify", "ca-without-name")]), "200 OK");

    let old = Identity::new("one", "127.0.0.1", 2002);
    let server = Server::https(&old, answer("200 OK", "", ""));
    for verify in ["ca", "ca-without-name"] {
        unhealthy(
            https(server.port, "127.0.0.1", &old, &[("tls_verify", verify)]),
            &["its certificate expired "],
        );
    }

    let own = Identity::ca_as_server("127.0.0.1");
    let server = Server::https(&own, answer("200 OK", "", ""));
    unhealthy(https(server.port, "127.0.0.1", &own, &[]), &["TLS failed: its certificate is that of a CA"]);
}

#[test]
fn tls_that_is_none_or_hangs_is_told() {
    let identity = Identity::new("one", "127.0.0.1", 2099);
    let plain = Server::raw(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        hold(stream);
    });
    unhealthy(
        https(plain.port, "127.0.0.1", &identity, &[]),
        &["TLS failed: the server does not speak TLS on this port"],
    );
    let mute = Server::raw(hold);
    let more = [("http_timeout", "300ms")];
    unhealthy(
        https(mute.port, "127.0.0.1", &identity, &more),
        &["TLS failed: the handshake was not finished in time"],
    );
    let closing = Server::raw(drop);
    unhealthy(https(closing.port, "127.0.0.1", &identity, &[]), &["TLS failed: "]);
    let encrypted = Server::https(&identity, answer("200 OK", "", ""));
    unhealthy(http(encrypted.port, &[]), &["connected to 127.0.0.1:"]);
}

#[test]
fn a_missing_ca_file_is_the_settings_fault() {
    let error = look(&[("url", "https://127.0.0.1:1/"), ("ca_file", "/no/such/ca.pem")]);
    // Nobody listens on port 1, so that the connection fails first; a server is needed to come so far.
    assert!(matches!(error, Ok(Health::Unhealthy { .. })));
    let mute = Server::raw(hold);
    let url = format!("https://127.0.0.1:{}/", mute.port);
    let error = look(&[("url", &url), ("ca_file", "/no/such/ca.pem")]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("/no/such/ca.pem: No such file"), "{error}");
}

#[test]
fn wrong_settings_are_refused_by_key() {
    let url = ("url", "http://host/");
    for (more, begins) in [
        (vec![("url", "hostonly")], "url: "),
        (vec![url, ("method", "get")], "method: \"get\" is none of: GET"),
        (vec![url, ("method", "HEAD"), ("body_match", "x")], "method: an answer to HEAD has no body"),
        (vec![url, ("expected_status", "ok")], "expected_status: "),
        (vec![url, ("body_regex", "(")], "body_regex: "),
        (vec![url, ("header", "no colon")], "header: line 1: "),
        (vec![url, ("secret_header", "no colon")], "secret_header: line 1: "),
        (
            vec![("url", "http://u:p@h/"), ("header", "Authorization: x")],
            "header: Authorization is there more than once",
        ),
        (vec![url, ("redirects", "21")], "redirects: \"21\" is not from 0 to 20"),
        (vec![url, ("tls_verify", "no")], "tls_verify: "),
    ] {
        let error = testing::check::<Http>(&more).err().unwrap();
        assert!(error.message.starts_with(begins), "{error}");
        assert_eq!(error.kind, ErrorKind::Config);
    }
    for (more, begins) in [
        (vec![], "tcp_port: is required"),
        (vec![("tcp_port", "0")], "tcp_port: \"0\" is less than 1"),
        (vec![("tcp_port", "80"), ("tcp_host", "a/b")], "tcp_host: \"a/b\" is neither"),
        (vec![("tcp_port", "80"), ("tcp_host", "[]")], "tcp_host: \"\" is neither"),
        (vec![("tcp_port", "80"), ("tcp_send", r"\q")], "tcp_send: "),
        (vec![("tcp_port", "80"), ("tcp_expect", r"\q")], "tcp_expect: "),
    ] {
        let error = testing::check::<Tcp>(&more).err().unwrap();
        assert!(error.message.starts_with(begins), "{error}");
    }
}

#[test]
fn tcp_connects_and_compares_the_first_answer() {
    let greeting = Server::raw(|mut stream| {
        for piece in ["SSH-", "2.0", "-OpenSSH\r\n"] {
            let _ = stream.write_all(piece.as_bytes());
            std::thread::sleep(Duration::from_millis(20));
        }
        hold(stream);
    });
    healthy(tcp(greeting.port, &[]), "connected to 127.0.0.1:");
    healthy(tcp(greeting.port, &[("tcp_expect", "SSH-2.0-")]), "127.0.0.1:");
    let why = unhealthy(tcp(greeting.port, &[("tcp_expect", "SSH-1")]), &[", expected \"SSH-1\""]);
    assert!(why.contains("its answer begins \"SSH-2\""), "{why}");
    healthy(tcp(greeting.port, &[("tcp_host", "localhost")]), "connected to 127.0.0.1:");
}

#[test]
fn tcp_sends_what_it_is_told() {
    let echo = Server::raw(|stream| {
        let _ = std::io::copy(&mut &stream, &mut &stream);
    });
    let more = [("tcp_send", r"PING\r\n\x00"), ("tcp_expect", r"PING\r\n\0")];
    healthy(tcp(echo.port, &more), "127.0.0.1:");
}

#[test]
fn tcp_tells_how_it_went_wrong() {
    let port = closed_port();
    unhealthy(tcp(port, &[]), &["refused the connection"]);
    let expect = [("tcp_expect", "OK"), ("tcp_timeout", "300ms")];
    unhealthy(tcp(Server::raw(hold).port, &expect), &["no answer within 300.0ms, expected \"OK\""]);
    unhealthy(tcp(Server::raw(drop).port, &expect), &["it closed the connection without an answer"]);
    let half = Server::raw(|mut stream| drop(stream.write_all(b"O")));
    unhealthy(tcp(half.port, &expect), &["it closed the connection after \"O\", expected \"OK\""]);
    let deaf = Server::raw(hold);
    let flood = "x".repeat(16 * 1024 * 1024);
    let more = [("tcp_send", flood.as_str()), ("tcp_timeout", "300ms")];
    unhealthy(tcp(deaf.port, &more), &["it did not take tcp_send within 300.0ms"]);
    let unknown = tcp(80, &[("tcp_host", "no-such-host.invalid"), ("tcp_timeout", "25s")]);
    assert!(matches!(unknown, Health::Unknown { .. }), "{unknown:?}");
}
