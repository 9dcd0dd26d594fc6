//! `pm plugins verify FILE`: is this library what pm expects of a plugin? One line for each thing that is looked at, with
//! what to do where something does not hold.
//!
//! It loads the library and calls it. What it calls is about a process that cannot exist, nothing is restarted unless that
//! is asked for, and every call has a limit. A part that needs settings gets those of the command line, and made-up ones
//! for keys that have no default.

mod part;
mod report;

use super::hand::Hand;
use crate::cli::arguments::{Format, Global, VerifyOptions};
use crate::cli::{Failure, compose, json};
use crate::plugins::{Entry, State};
use part::Examiner;
use pm_plugin_api::manifest::Manifest;
use report::{Report, in_words};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How long loading may take before it is no use to wait on.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is slower than this would be noticed.
const QUICK: Duration = Duration::from_millis(200);

pub(super) fn verify(global: &Global, options: &VerifyOptions, out: &mut dyn Write) -> Result<(), Failure> {
    let mut report = Report::default();
    let hand = Hand::of_file(&options.file)?;
    if let Some(manifest) = loadable(&hand, &options.file, &mut report) {
        elsewhere(global, &manifest, &options.file, &mut report);
        for offer in &manifest.offers {
            report.section(&format!("{} \"{}\"", offer.kind, offer.name));
            Examiner { hand: &hand, offer, options }.examine(&mut report);
            if hand.deaths() > 0 {
                report.warn("the rest", "is not looked at; put that right first");
                break;
            }
        }
    }
    match options.format {
        Format::Json => json::write(&report.in_json(&options.file), out)?,
        Format::Text => report.write(out)?,
    }
    if report.failed() == 0 { Ok(()) } else { Err(Failure::Said(4)) }
}

/// The library as a file, and whether it can be loaded. None when there is nothing to ask.
fn loadable(hand: &Hand, file: &Path, report: &mut Report) -> Option<Manifest> {
    report.section(&file.display().to_string());
    match &hand.objection {
        None => report.ok("file", "belongs to root or to you, and nobody else can change it"),
        Some(objection) => {
            report.warn(
                "file",
                &format!("pm would not load it from here: {objection}. A private copy is looked at"),
            );
        }
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if !name.ends_with(".so") || name.starts_with('.') {
        report.warn("name", "pm looks for files called NAME.so; install it under such a name");
    }
    let entry = hand.registry.entries().into_iter().next();
    let Some(Entry { manifest: Some(manifest), state, .. }) = entry else {
        let refusal = hand.registry.refusal().map(|refusal| refusal.to_string());
        let reason = match entry.map(|entry| entry.state) {
            Some(State::Refused(reason)) => reason.to_string(),
            _ => refusal.unwrap_or_else(|| "cannot be read".to_owned()),
        };
        report.fail("manifest", &reason);
        return None;
    };
    if let State::Refused(reason) = state {
        report.fail("manifest", &reason.to_string());
        return None;
    }
    let parts: Vec<_> =
        manifest.offers.iter().map(|offer| format!("{}:{}", offer.kind, offer.name)).collect();
    let Manifest { name, version, interface, api_minor, .. } = &manifest;
    report.ok(
        "manifest",
        &format!(
            "\"{name}\" {version}, interface {interface}, API level {api_minor}, offers {}",
            parts.join(", ")
        ),
    );
    loads(hand, report).then_some(manifest)
}

fn loads(hand: &Hand, report: &mut Report) -> bool {
    let (late, took) = hand.timed(|| hand.registry.load_all(PATIENCE));
    let took_long = took > QUICK;
    let refused = hand.registry.refused().into_iter().next().map(|refusal| refusal.reason.to_string());
    if let Some(reason) = late.into_iter().next().or(refused) {
        report.fail("loads", &reason);
        return false;
    }
    let took = in_words(took);
    if took_long {
        report
            .warn("loads", &format!("in {took}; keep constructors and statics cheap, connect on first use"));
    } else {
        report.ok("loads", &format!("in {took}"));
    }
    true
}

/// Whether what pm has installed offers the same.
fn elsewhere(global: &Global, manifest: &Manifest, file: &Path, report: &mut Report) {
    let installed = compose::registry(global, None);
    let same = |entry: &Entry| {
        entry.manifest.as_ref().is_some_and(|other| other.name == manifest.name)
            || std::fs::canonicalize(&entry.file).ok() == std::fs::canonicalize(file).ok()
    };
    for entry in installed.entries().iter().filter(|entry| !same(entry)) {
        let offers = entry.manifest.iter().flat_map(|other| &other.offers);
        for other in offers {
            let ours = |offer: &&pm_plugin_api::manifest::Offer| {
                offer.kind == other.kind && offer.name == other.name
            };
            if manifest.offers.iter().any(|offer| ours(&offer)) {
                report.warn(
                    "names",
                    &format!(
                        "{} \"{}\" is already provided by {}; beside it this one is refused: choose another name",
                        other.kind,
                        other.name,
                        entry.file.display()
                    ),
                );
            }
        }
    }
}
