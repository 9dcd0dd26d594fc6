//! A restart through the strategy "service" beside the bare job: one call of `RestartUnit`, and its `JobRemoved`.
//!
//! Both run inside the systemd of the tests, in one process, by turns, on the same unit.

use crate::{Figure, compared, median};
use futures_core::Stream as _;
use pm_host::plugins::Registry;
use pm_host::ports::Strategies as _;
use pm_host::spec::PartRef;
use pm_plugin_api::Target;
use pm_tests::components;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::time::{Duration, Instant};
use zbus::{Connection, MessageStream, ObjectPath};

const ROUNDS: usize = 60;
const UNIT: &str = "pm-bench.service";

/// The cheapest unit there can be, and one as services are: it prepares something and tells when it is ready.
const UNITS: [(&str, &str); 2] = [
    ("does nothing at all", "ExecStart=/bin/sleep infinity"),
    (
        "prepares, and tells when it is ready",
        "Type=notify\nNotifyAccess=all\nExecStartPre=/bin/true\n\
         ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep infinity'",
    ),
];

pub(crate) fn measure() -> Vec<Figure> {
    let systemd = components::systemd().expect("bench needs systemd");
    let file = format!("/proc/{}/root/etc/systemd/system/{UNIT}", systemd.pid);
    let inside = |words: &[&str]| {
        let output = Command::new(&systemd.enter).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let this = std::env::current_exe().unwrap();
    let plugins = this.parent().unwrap().to_str().unwrap();
    let figure = |(what, text): (&str, &str)| {
        std::fs::write(&file, format!("[Unit]\nStartLimitBurst=0\n[Service]\n{text}\n")).unwrap();
        inside(&["systemctl", "daemon-reload"]);
        inside(&["systemctl", "start", UNIT]);
        let told = inside(&[this.to_str().unwrap(), "units", plugins]);
        inside(&["systemctl", "stop", UNIT]);
        let column = |index: usize| {
            let nanos = told.lines().map(|line| line.split(' ').nth(index).unwrap().parse().unwrap());
            median(nanos.map(Duration::from_nanos).collect())
        };
        compared(format!("restart of a unit that {what}; floor: the bare D-Bus job"), column(1), column(0))
    };
    let figures = UNITS.map(figure);
    std::fs::remove_file(file).unwrap();
    figures.into()
}

/// Inside: prints how long the bare job and the strategy took, a pair of nanoseconds per line.
pub(crate) fn rounds(plugins: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut bare = runtime.block_on(Bare::connect());
    let registry = Registry::scan(plugins, crate::plugins::rules(plugins));
    let part =
        PartRef { name: "service".to_owned(), settings: [("unit".to_owned(), UNIT.to_owned())].into() };
    let target = Target::named("bench");
    for _ in 0..ROUNDS {
        let began = Instant::now();
        runtime.block_on(bare.restart());
        let floor = began.elapsed();
        let began = Instant::now();
        // As pm does it: what runs is noted before it is restarted.
        registry.identity(&part, &target).unwrap();
        registry.restart(&part, &target).unwrap();
        println!("{} {}", floor.as_nanos(), began.elapsed().as_nanos());
    }
}

/// The least that a client of systemd can do.
struct Bare {
    connection: Connection,
    incoming: MessageStream,
}

impl Bare {
    async fn connect() -> Self {
        let connection = Connection::system().await.unwrap();
        let incoming = MessageStream::from(&connection);
        let rule = format!(
            "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',\
             member='JobRemoved',arg2='{UNIT}'"
        );
        let bus = "org.freedesktop.DBus";
        connection
            .call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), "AddMatch", &rule)
            .await
            .unwrap();
        Self { connection, incoming }
    }

    async fn restart(&mut self) {
        let manager = Some("org.freedesktop.systemd1.Manager");
        let (to, path) = (Some("org.freedesktop.systemd1"), "/org/freedesktop/systemd1");
        let answer =
            self.connection.call_method(to, path, manager, "RestartUnit", &(UNIT, "replace")).await.unwrap();
        let body = answer.body();
        let job: ObjectPath<'_> = body.deserialize().unwrap();
        loop {
            let message = poll_fn(|cx| Pin::new(&mut self.incoming).poll_next(cx)).await.unwrap().unwrap();
            let body = message.body();
            match body.deserialize::<(u32, ObjectPath<'_>, &str, &str)>() {
                Ok((_, ended, _, result)) if ended == job => return assert_eq!(result, "done"),
                _ => {}
            }
        }
    }
}
