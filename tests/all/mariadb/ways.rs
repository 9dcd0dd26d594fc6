//! The ways to the server and the files that lead there: socket, TCP, TLS, passwords with every character, the
//! original's own configuration, and the rows of one host.

use super::{Base, LEAST, PASSWORD, R6, R8, World, custom};
use pm_tests::sandbox::Sandbox;

const WEB: &str = "restart_command = echo x >> @DIR@/ran";

#[test]
fn socket_tcp_and_verified_tls_lead_to_the_same_row() {
    for way in ["socket", "tcp", "tls"] {
        let Some(base) = Base::new(R8) else { return };
        let user = base.account(LEAST);
        let (address, from) = match way {
            "socket" => (format!("socket = {}\n", base.server.socket.display()), "localhost"),
            "tcp" => (format!("host = 127.0.0.1\nport = {}\n", base.server.port), "127.0.0.1:"),
            _ => {
                base.sql(&format!("ALTER USER '{user}'@'127.0.0.1' REQUIRE SSL"));
                let ca = base.server.ca.display();
                let tls = format!("tls = verify-full\ntls_ca_file = {ca}\n");
                (format!("host = 127.0.0.1\nport = {}\n{tls}", base.server.port), "127.0.0.1:")
            }
        };
        let database = address + &base.login(&user);
        let mut world = World::on(base, &database, "", &custom("web", WEB));
        world.start();
        let id = world.handled("web");
        assert!(world.base.state(id).1.starts_with("down - Restarted at 20"), "{way}");
        let sessions = world.base.sessions();
        assert!(sessions.len() == 1 && sessions[0].1.starts_with(from), "{way}: {sessions:?}");
        let status = world.discreet(&["status"]);
        assert!(status.code == 0 && status.out.contains(&format!("/{}", world.base.name)), "{status:?}");
        world.stop();
        world.until("the connection to be closed", |_| world.base.sessions().is_empty());
        assert_eq!((world.complaints().len(), world.count("ran")), (0, 1), "{way}: {}", world.log());
    }
}

#[test]
fn a_password_is_read_as_the_client_read_it_and_else_as_it_stands() {
    for (password, written) in [
        (r"a#b c", r#"password = "a#b c""#),
        (r"a#b c", r"password = 'a#b c'"),
        (r"a#b c", r"password = a#b c"),
        (r"a=b;c", r"password = a=b;c"),
        (r#""q""#, r#"password = "q""#),
        (r"back\slash", r"password = back\\slash"),
        (r"back\slash", r"password = back\slash"),
        (r"ț' OR 1=1 -- ", r#"password = "ț' OR 1=1 -- ""#),
        (r##""#b c""##, "password_file = @DIR@/password"),
    ] {
        let Some(base) = Base::new(R8) else { return };
        let user = base.account_with(password, LEAST);
        let database = base.tcp(&user, base.server.port).replace(&format!("password = {PASSWORD}"), written);
        let mut world = World::on(base, &database, "", &custom("web", WEB));
        world.write("password", &format!("{password}\n"), 0o600);
        world.start();
        world.handled("web");
        assert_eq!((world.complaints(), world.count("ran")), (vec![], 1), "{written}: {}", world.log());
        assert!(!world.log().contains(password) && !world.read("out").contains(password), "{written}");
    }
}

/// The complete example of the original's documentation, but for the place of the server and of files.
#[test]
fn the_complete_example_of_the_original_handles_an_alarm() {
    let Some(base) = Base::new(include_str!("../../fixtures/sql/readme.sql")) else { return };
    let user = base.account(LEAST);
    let example = include_str!("../../fixtures/config/valid/complete_example.ini")
        .replace("host=localhost", &format!("host=127.0.0.1\nport={}", base.server.port))
        .replace("user=monitor_user", &format!("user={user}"))
        .replace("password=MySecurePassword123", &format!("password={PASSWORD}"))
        .replace("database=monitoring_db", &format!("database={}", base.name))
        .replace("[monitor]", "[monitor]\nstate_dir=@DIR@/state")
        .replace("[logging]", "[logging]\nfile=@DIR@/pm.log\nsyslog=no")
        .replace("/opt/custom_app", "@DIR@/custom_app");
    let mut world = World { sandbox: Sandbox::new(&example), base };
    std::fs::create_dir(world.dir().join("custom_app")).unwrap();
    for step in ["prepare_restart", "restart", "health_check"] {
        world.script(&format!("custom_app/{step}.sh"), &format!("echo {step} >> @DIR@/steps"));
    }
    // With this foreign key, the process comes first.
    for (id, name) in [(1, "apache2"), (7, "custom_app")] {
        world.base.sql(&format!("INSERT INTO PROCESE VALUES ({id}, '{name}')"));
        world.base.sql(&format!("INSERT INTO STATUS_PROCESS VALUES ({id}, {}, 0, NULL)", i64::from(id == 7)));
    }
    // Every 30 seconds it looks; the first time at once.
    world.start();
    assert!(world.cleared(7).starts_with(" - Restarted at 20"));
    assert_eq!(world.lines("steps"), ["prepare_restart", "restart", "health_check"]);
    world.until_log("DB UPDATE LOG: Successfully updated alarm status for process_id: 7");
    for line in [
        "Found process in alarm: custom_app (ID: 7)",
        "RESTART LOG: Beginning restart procedure for custom_app (strategy: custom, system_name: custom_app)",
        "RESTART LOG: Successfully started/restarted and verified service: custom_app",
    ] {
        assert_eq!(world.said(line), 1, "{line}: {}", world.log());
    }
    assert_eq!(world.complaints(), [""; 0]);
    let status = world.discreet(&["status"]).out;
    assert!(["apache2", "custom_app", "mysql"].iter().all(|name| status.contains(name)), "{status}");
}

#[test]
fn only_rows_of_its_host_are_handled_and_without_one_all() {
    for host in ["[host]\nhost_id = 7\n\n", ""] {
        let Some(base) = Base::new(R6) else { return };
        let database = base.tcp(&base.account(LEAST), base.server.port);
        let web = custom("web", "restart_command = echo $process_id/$HOST_ID >> @DIR@/ran");
        let mut world = World::on(base, &database, "", &(web + host));
        let rows = [world.base.alarm("web"), world.base.alarm("web")];
        world.base.sql(&format!("UPDATE STATUS_PROCESS SET host_id = 7 WHERE process_id = {}", rows[1]));
        world.start();
        world.cleared(rows[1]);
        if host.is_empty() {
            world.cleared(rows[0]);
            assert_eq!(world.lines("ran"), ["1/"], "rows of one name are one restart");
            continue;
        }
        // Another round of this host, so that the other row has been passed over for certain.
        world.base.again(rows[1], "again");
        world.cleared(rows[1]);
        assert_eq!(world.base.state(rows[0]), (1, "down".to_owned()));
        assert_eq!(world.lines("ran"), ["2/7", "2/7"]);
        let listed = world.discreet(&["alarm", "list"]).out;
        assert!(!listed.lines().any(|line| line.trim_start().starts_with("1 ")), "{listed}");
    }
}
