//! What can be seen of the processes before they are stopped: which there are, and the end of their output.
//!
//! It gives numbers and states only. Arguments and environments are never read for it, because they hold secrets.

use crate::find::Finder;
use pm_plugin_api::command::lines;
use pm_plugin_api::{Evidence, Result};
use rustix::fs::OFlags;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// So many lines of the end of the output, out of so many bytes.
const LINES: usize = 20;
const BYTES: u64 = 16 * 1024;
/// More pids than pm looks at help nobody.
const MOST: usize = 64;

/// Looks; `output` is the file that the output is appended to, if there is one.
pub(crate) fn look(finder: &Finder, output: Option<&Path>, system_name: &str) -> Result<Evidence> {
    let found = finder.find(system_name)?;
    let what = finder.describe(system_name);
    let mut evidence = Evidence::default().fact(
        "running",
        match (found.main(), found.running.len()) {
            (None, _) => format!("no process {what}"),
            (Some(main), 1) => format!("process {} {what}", main.shown()),
            (Some(main), count) => format!("process {} and {} more: each {what}", main.shown(), count - 1),
        },
    );
    let main = found.main().map(|main| main.pid);
    let others = found.running.iter().chain(&found.zombies).map(|process| process.pid);
    evidence.pids = main.into_iter().chain(others.filter(|pid| Some(*pid) != main)).take(MOST).collect();
    if let Some(zombie) = found.zombies.first() {
        let text =
            format!("process {} has ended, and process {} takes no notice", zombie.shown(), zombie.parent);
        evidence = evidence.fact("zombie", text);
    }
    let Some(file) = output else { return Ok(evidence) };
    Ok(match tail(file) {
        Ok(last) => evidence.fact("output", file.display().to_string()).lines(last),
        Err(error) => evidence.fact("output", format!("not available: reading {}: {error}", file.display())),
    })
}

fn tail(file: &Path) -> io::Result<Vec<String>> {
    // A fifo must not hold us up.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut opened = OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    let meta = opened.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let skipped = meta.len().saturating_sub(BYTES);
    opened.seek(SeekFrom::Start(skipped))?;
    let mut text = Vec::new();
    opened.take(BYTES).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    // The first line is cut somewhere when it is not the file's first.
    let whole = if skipped == 0 { &text } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
    let mut last: Vec<String> = lines(whole).rev().take(LINES).collect();
    last.reverse();
    Ok(last)
}

#[cfg(test)]
mod tests {
    use crate::restart::Restart;
    use crate::sample::{Sample, unique};
    use pm_plugin_api::{Evidence, Target, testing};

    fn evidence(section: &[(&str, &str)], name: &str) -> Evidence {
        testing::strategy::<Restart>(section).unwrap().evidence(&Target::named(name)).unwrap()
    }

    #[test]
    fn what_runs_is_told_with_the_main_process_first() {
        let name = unique("web");
        let first = Sample::called(&name);
        let alone = evidence(&[], &name);
        assert_eq!(alone.pids, [first.pid()]);
        let text = format!("process {} ({name}) is called {name:?}", first.pid());
        assert_eq!(alone.facts, [("running".to_owned(), text)]);
        assert!(alone.log.is_empty() && alone.ask.is_empty());

        let second = Sample::called(&name);
        let both = evidence(&[], &name);
        assert_eq!(both.pids, [first.pid(), second.pid()]);
        assert!(both.facts[0].1.contains(" and 1 more: each is called "), "{both:?}");
    }

    #[test]
    fn what_is_gone_is_evidence_too() {
        let name = unique("gone");
        let text = format!("no process is called {name:?}");
        assert_eq!(evidence(&[], &name), Evidence::default().fact("running", text));
        let mut sample = Sample::called(&name);
        sample.kill_without_reaping();
        let zombie = evidence(&[], &name);
        assert_eq!(zombie.pids, [sample.pid()]);
        assert!(zombie.facts[1].1.contains("has ended, and process"), "{zombie:?}");
    }

    #[test]
    fn the_end_of_the_output_is_given_and_a_fifo_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out.log");
        let output = file.to_str().unwrap();
        let name = unique("out");
        let missing = evidence(&[("output", output)], &name);
        assert!(missing.facts[1].1.starts_with("not available: reading "), "{missing:?}");

        std::fs::write(&file, (0..5000).map(|i| format!("line {i}\n")).collect::<String>()).unwrap();
        let full = evidence(&[("output", output)], &name);
        assert_eq!(
            (full.log.len(), full.log[0].as_str(), full.log[19].as_str()),
            (20, "line 4980", "line 4999")
        );
        std::fs::write(&file, "red \u{1b}[31m\n").unwrap();
        assert_eq!(evidence(&[("output", output)], &name).log, ["red \\u{1b}[31m"]);

        std::fs::remove_file(&file).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let fifo = evidence(&[("output", output)], &name);
        assert!(fifo.facts[1].1.ends_with("it is not a regular file"), "{fifo:?}");
    }
}
