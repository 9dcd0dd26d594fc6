//! `make bench`: what pm costs, each figure beside a floor that is measured in the same run.
//!
//! Absolute times move with the machine, the ratios are what counts; nothing here fails because something is slow.
//! It needs the MariaDB, the PostgreSQL and the systemd of `tests/components` and a release build, and prints a Markdown table.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring program: what fails ends it, what it finds is printed"
)]

mod burst;
mod decide;
mod fleet;
mod floor;
mod idle;
mod journal;
mod plugins;
mod poll;
mod push;
mod reaction;
mod service;
mod table;
mod world;

use std::time::Duration;

/// One line of the result.
pub(crate) struct Figure {
    what: String,
    pm: String,
    floor: String,
    ratio: String,
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("stamp") => floor::stamp(&arguments[2]),
        Some("poll-for-ever") => floor::poll_for_ever(&arguments[2]),
        Some("hear-log") => push::hear_log(&arguments[2], &arguments[3]),
        Some("hear-file") => push::hear_file(&arguments[2], &arguments[3]),
        Some("hear-notice") => push::hear_notice(&arguments[2], &arguments[3]),
        Some("echo") => plugins::echo(),
        Some("units") => service::rounds(arguments[2].as_ref()),
        only => {
            let wanted = |name: &str| only.is_none_or(|only| only == name);
            let mut figures = Vec::new();
            if wanted("decide") {
                figures.extend(decide::measure());
            }
            if wanted("journal") {
                figures.extend(journal::measure());
            }
            if wanted("plugins") {
                figures.extend(plugins::measure());
            }
            if matches!(only, Some("decide" | "journal" | "plugins")) {
                return show(&figures);
            }
            let world = world::World::new();
            if wanted("reaction") {
                figures.extend(reaction::measure(&world));
            }
            if wanted("push") {
                figures.extend(push::measure(&world));
            }
            if wanted("burst") {
                figures.extend(burst::measure(&world));
            }
            if wanted("poll") {
                figures.extend(poll::measure(&world));
            }
            if wanted("fleet") {
                figures.extend(fleet::measure(&world));
            }
            if wanted("idle") {
                figures.extend(idle::measure(&world));
            }
            if wanted("service") {
                figures.extend(service::measure());
            }
            show(&figures);
        }
    }
}

fn show(figures: &[Figure]) {
    println!("\n| measured | pm | floor | ratio |\n|---|---|---|---|");
    for Figure { what, pm, floor, ratio } in figures {
        println!("| {what} | {pm} | {floor} | {ratio} |");
    }
}

/// The middle of some durations.
pub(crate) fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

/// What 99 of 100 durations do not exceed.
pub(crate) fn late(all: &[Duration]) -> Duration {
    let mut all = all.to_vec();
    all.sort_unstable();
    all[all.len() * 99 / 100]
}

/// A duration with three digits.
pub(crate) fn text(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.2} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// `pm` beside `floor`.
pub(crate) fn compared(what: impl Into<String>, pm: Duration, floor: Duration) -> Figure {
    let ratio = format!("{:.2}", pm.as_secs_f64() / floor.as_secs_f64());
    Figure { what: what.into(), pm: text(pm), floor: text(floor), ratio }
}
