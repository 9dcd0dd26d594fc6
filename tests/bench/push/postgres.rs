//! The same on PostgreSQL: pm listens to what the trigger of `pm db migrate` notifies of, and so does the bare reader.
//!
//! Both reach the server over its socket; whoever raises the alarm comes over the port.

use super::{Bare, by_least, by_pm, figure, listening, react};
use crate::Figure;
use crate::world::World;
use pm_tests::components;
use pm_tests::postgres::Admin;
use std::cell::RefCell;
use std::future::poll_fn;
use std::path::Path;
use tokio::runtime::Builder;
use tokio::sync::mpsc::unbounded_channel;
use tokio_postgres::{AsyncMessage, Config, NoTls};

const DATABASE: &str = "bench_push";

pub(super) fn measure(world: &World, stamp: &Path, process: &str) -> Figure {
    let server = components::postgres().expect("bench needs PostgreSQL");
    let mut root = Admin::of(&server, "postgres");
    root.run(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"));
    root.run(&format!("CREATE DATABASE {DATABASE}"));
    let keys = format!(
        "engine = postgresql\nsocket = {}\nuser = {}\npassword = {}\ndatabase = {DATABASE}\npush = yes",
        server.socket.display(),
        server.user,
        server.password
    );
    let dir = world.dir().join("bench_notice");
    let daemon = listening(&dir, &keys, process, &[&["db", "migrate"], &["alarm", "add", "p1"]]);
    let admin = RefCell::new(Admin::of(&server, DATABASE));
    let set = |alarm: i64| {
        admin.borrow_mut().run(&format!("UPDATE status_process SET alarma = {alarm}, notes = NULL"));
    };
    let cleared = || admin.borrow_mut().column("SELECT alarma FROM status_process") == ["0"];
    let took = by_pm(stamp, &set, &cleared);
    drop(daemon);
    let folder = server.socket.parent().unwrap().display();
    let address = format!("{folder}\t{}\t{}\t{}", server.port, server.user, server.password);
    let bare = Bare::start(&["hear-notice", &address, &stamp.to_string_lossy()]);
    let least = by_least(stamp, &set);
    drop(bare);
    figure("PostgreSQL, notices of a trigger", took, least)
}

/// Hears what a server notifies of and asks for alarms each time.
pub(crate) fn hear_notice(address: &str, stamp: &str) {
    let parts: Vec<_> = address.split('\t').collect();
    let mut config = Config::new();
    config.host_path(parts[0]).port(parts[1].parse().unwrap()).user(parts[2]).password(parts[3]);
    config.dbname(DATABASE);
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let (listening, mut told) = config.connect(NoTls).await.unwrap();
        let (asking, answers) = config.connect(NoTls).await.unwrap();
        tokio::spawn(answers);
        let (heard, mut notices) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(message) = poll_fn(|cx| told.poll_message(cx)).await {
                if matches!(message.unwrap(), AsyncMessage::Notification(_)) {
                    heard.send(()).unwrap();
                }
            }
        });
        let query = asking.prepare("SELECT process_id FROM status_process WHERE alarma = 1").await.unwrap();
        listening.batch_execute("LISTEN pm_alarm").await.unwrap();
        while notices.recv().await.is_some() {
            if !asking.query(&query, &[]).await.unwrap().is_empty() {
                react(stamp);
            }
        }
    });
}
