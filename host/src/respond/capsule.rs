//! The text of a capsule: facts, processes, log lines and a command's output, within bounds and fit to be shown.
//!
//! Pure. Whatever comes in (names of processes, lines of logs) is hostile as far as a terminal is concerned. Facts and
//! headings begin in the first column and everything else is indented, so that no line can pass for a heading. Each
//! section has a bound of its own: a flood in one never costs the others anything.

use crate::policy::name::is_printable;
use crate::ports::{Seen, Sight};
use std::time::Duration;

/// No capsule is longer, in bytes.
const MOST: usize = 64 * 1024;
/// The bounds of the sections.
const FACTS: usize = 8 * 1024;
const PROCESSES: usize = 16 * 1024;
const LOG: usize = 19 * 1024;
const OUTPUT: usize = 18 * 1024;
/// The longest line that is kept, in characters.
const LONGEST_LINE: usize = 400;
/// The longest name of a fact, and the longest path of a program.
const LONGEST_NAME: usize = 60;
const LONGEST_PATH: usize = 160;
/// One heading may hold a line of its own, of characters of four bytes; the others, and what tells of lines that were left
/// out, are short.
const _: () = assert!(FACTS + PROCESSES + LOG + OUTPUT + 4 * LONGEST_LINE + 8 * 64 <= MOST);

/// Which part of too many lines is kept.
#[derive(Clone, Copy)]
enum Keep {
    Beginning,
    End,
    BothEnds,
}

/// A capsule that is being filled.
#[derive(Default)]
pub(super) struct Capsule {
    facts: Vec<String>,
    sections: String,
}

impl Capsule {
    /// A line `WHAT: TEXT`.
    pub(super) fn fact(&mut self, what: &str, text: &str) {
        self.facts.push(format!("{}: {}", shown(what, LONGEST_NAME), shown(text, LONGEST_LINE)));
    }

    /// What was seen of processes.
    pub(super) fn processes(&mut self, sight: &Sight) {
        let seen = sight.processes.iter().map(process);
        let remarks = sight.remarks.iter().map(|remark| format!("[{}]", shown(remark, LONGEST_LINE)));
        self.section("processes", &seen.chain(remarks).collect::<Vec<_>>(), PROCESSES, Keep::Beginning);
    }

    /// The last lines of a log.
    pub(super) fn log(&mut self, lines: &[String]) {
        let lines: Vec<_> = lines.iter().map(|line| shown(line, LONGEST_LINE)).collect();
        self.section("log", &lines, LOG, Keep::End);
    }

    /// What a command said; `end` is how it ended.
    pub(super) fn output(&mut self, end: &str, output: &str) {
        let lines = output.split(['\n', '\r']).filter(|line| !line.trim().is_empty());
        let lines: Vec<_> = lines.map(|line| shown(line, LONGEST_LINE)).collect();
        let title = format!("evidence_command, {}", shown(end, LONGEST_LINE));
        self.section(&title, &lines, OUTPUT, Keep::BothEnds);
    }

    /// The whole text.
    pub(super) fn text(self) -> String {
        let facts = within(&self.facts, "", FACTS, Keep::Beginning);
        facts + &self.sections
    }

    fn section(&mut self, title: &str, lines: &[String], most: usize, keep: Keep) {
        self.sections.push_str(title);
        self.sections.push_str(if lines.is_empty() { ": nothing\n" } else { ":\n" });
        self.sections.push_str(&within(lines, "  ", most, keep));
    }
}

/// The lines, each behind `indent`, as far as they are within `most` bytes; one in place of others says how many.
fn within(lines: &[String], indent: &str, most: usize, keep: Keep) -> String {
    let cost = |line: &String| indent.len() + line.len() + 1;
    let fitting = |lines: &mut dyn Iterator<Item = &String>, most: usize| {
        let mut used = 0;
        lines
            .take_while(|line| {
                used += cost(line);
                used <= most
            })
            .count()
    };
    let (front, back) = match keep {
        Keep::Beginning => (most, 0),
        Keep::End => (0, most),
        Keep::BothEnds => (most / 2, most / 2),
    };
    let (first, rest) = if lines.iter().map(cost).sum::<usize>() <= most {
        (lines, &lines[..0])
    } else {
        lines.split_at(fitting(&mut lines.iter(), front))
    };
    let (left_out, last) = rest.split_at(rest.len() - fitting(&mut rest.iter().rev(), back));
    let note = (!left_out.is_empty()).then(|| format!("[{} lines left out]", left_out.len()));
    first.iter().chain(&note).chain(last).map(|line| format!("{indent}{line}\n")).collect()
}

/// One line, at most so many characters of it, with nothing that a terminal would act on.
fn shown(text: &str, longest: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    for c in text.trim_end().chars() {
        if count >= longest {
            out.push('…');
            break;
        }
        let before = out.len();
        match c {
            '\t' => out.push(' '),
            _ if is_printable(c) => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
        // An escape is plain ASCII, a character that is shown counts as one.
        count += if is_printable(c) { 1 } else { out.len() - before };
    }
    out
}

/// `4711 nginx (/usr/sbin/nginx): parent 1, sleeping in ep_poll, 4 threads, 12.3 MiB, 37 of 1024 files, up 3 h`
fn process(seen: &Seen) -> String {
    let indent = "  ".repeat(seen.depth);
    let program = seen.program.as_deref().map(|path| format!(" ({})", shown(path, LONGEST_PATH)));
    let waits = seen.waits_in.as_deref().map(|name| format!(" in {}", shown(name, LONGEST_NAME)));
    let memory = seen.memory.map(|kib| format!(", {:.1} MiB", kib as f64 / 1024.0));
    let files = seen.files.map(|open| match seen.most_files {
        Some(most) => format!(", {open} of {most} files"),
        None => format!(", {open} files"),
    });
    format!(
        "{indent}{} {}{}: parent {}, {}{}, {} {}{}{}, up {}",
        seen.pid,
        shown(&seen.comm, LONGEST_NAME),
        program.unwrap_or_default(),
        seen.parent,
        state(seen.state),
        waits.unwrap_or_default(),
        seen.threads,
        if seen.threads == 1 { "thread" } else { "threads" },
        memory.unwrap_or_default(),
        files.unwrap_or_default(),
        in_words(seen.age),
    )
}

fn state(letter: char) -> &'static str {
    match letter {
        'R' => "running",
        'S' => "sleeping",
        'D' => "in uninterruptible sleep",
        'T' => "stopped",
        't' => "stopped by a debugger",
        'Z' => "zombie",
        'X' | 'x' => "dead",
        'I' => "idle",
        _ => "in a state that pm does not know",
    }
}

/// A duration in its largest unit.
fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            depth: 0,
            pid: 4711,
            parent: 1,
            comm: "nginx".to_owned(),
            program: Some("/usr/sbin/nginx".to_owned()),
            state: 'S',
            threads: 4,
            memory: Some(12_595),
            files: Some(37),
            most_files: Some(1024),
            age: Duration::from_secs(3 * 3600 + 5),
            waits_in: Some("ep_poll".to_owned()),
        }
    }

    #[test]
    fn a_capsule_is_read_from_top_to_bottom() {
        let mut capsule = Capsule::default();
        capsule.fact("unit state", "active (running)");
        let zombie = Seen {
            depth: 1,
            pid: 4712,
            parent: 4711,
            program: None,
            state: 'Z',
            threads: 1,
            memory: None,
            files: None,
            age: Duration::from_secs(9),
            waits_in: None,
            ..seen()
        };
        let remarks = vec!["process 5 is not there".to_owned()];
        capsule.processes(&Sight { processes: vec![seen(), zombie], remarks });
        capsule.log(&["one".to_owned(), "  two".to_owned()]);
        capsule.output("done", "a\n\n\tb\r\n");
        capsule.output("exited with status 3", "");
        let expected = "unit state: active (running)\n\
            processes:\n  \
              4711 nginx (/usr/sbin/nginx): parent 1, sleeping in ep_poll, 4 threads, 12.3 MiB, 37 of 1024 files, up 3 h\n    \
                4712 nginx: parent 4711, zombie, 1 thread, up 9 s\n  \
              [process 5 is not there]\n\
            log:\n  one\n    two\n\
            evidence_command, done:\n  a\n   b\n\
            evidence_command, exited with status 3: nothing\n";
        assert_eq!(capsule.text(), expected);
    }

    #[test]
    fn hostile_names_and_lines_are_escaped_and_pass_for_no_heading() {
        let mut capsule = Capsule::default();
        capsule.fact("a\nb", "c\u{1b}[2J\nlog:");
        let hostile = Seen { comm: "x\u{1b}]0;y\u{7}\nlog:".to_owned(), program: None, ..seen() };
        capsule.processes(&Sight { processes: vec![hostile], remarks: Vec::new() });
        capsule.log(&["processes:".to_owned(), "\u{202e}txt".to_owned()]);
        let text = capsule.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "a\\u{a}b: c\\u{1b}[2J\\u{a}log:");
        assert!(lines[2].starts_with("  4711 x\\u{1b}]0;y\\u{7}\\u{a}log:: parent 1"), "{}", lines[2]);
        assert_eq!(lines[3..], ["log:", "  processes:", "  \\u{202e}txt"]);
        assert!(text.chars().all(|c| c == '\n' || is_printable(c)));
    }

    #[test]
    fn floods_in_every_section_stay_within_the_bound_and_cost_the_others_nothing() {
        for fill in ["x", "\u{1b}", "ț", "🐘", "\u{e007f}"] {
            let long = fill.repeat(2_000);
            let mut capsule = Capsule::default();
            (0..500).for_each(|_| capsule.fact(&long, &long));
            let one = Seen {
                comm: long.clone(),
                program: Some(long.clone()),
                waits_in: Some(long.clone()),
                ..seen()
            };
            let remarks = vec![long.clone(); 100];
            capsule.processes(&Sight { processes: vec![one; 200], remarks });
            capsule.log(&vec![long.clone(); 500]);
            capsule.output(&long, &format!("{long}\n").repeat(100));
            let text = capsule.text();
            assert!(text.len() <= MOST, "{fill:?}: {}", text.len());
            assert!(text.len() > MOST / 2, "{fill:?}: {}", text.len());
            assert_eq!(text.matches(" lines left out]").count(), 4, "{fill:?}");
            for title in ["\nprocesses:\n", "\nlog:\n", "\nevidence_command, "] {
                assert!(text.contains(title), "{fill:?} {title}");
            }
        }
    }

    #[test]
    fn of_too_many_lines_those_that_matter_are_kept() {
        let lines: Vec<String> = (0..100).map(|number| format!("{number:02}")).collect();
        let kept = |keep| within(&lines, "", 12, keep).replace('\n', " ");
        assert_eq!(kept(Keep::Beginning), "00 01 02 03 [96 lines left out] ");
        assert_eq!(kept(Keep::End), "[96 lines left out] 96 97 98 99 ");
        assert_eq!(kept(Keep::BothEnds), "00 01 [96 lines left out] 98 99 ");
        assert_eq!(within(&lines[..4], "", 12, Keep::BothEnds), "00\n01\n02\n03\n");
    }

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        for (seconds, words) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")]
        {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
