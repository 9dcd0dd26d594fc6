//! Could people be told? What can be seen without telling anybody anything: who is configured, and whether the files of
//! receivers can be read.

use super::finding::{Finding, Fix, quoted};
use crate::config::Config;
use crate::policy::model::printable;
use crate::spec::Receiver;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const SUBJECT: &str = "notices";

/// One finding for each file that is not as it should be, or one for all receivers.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    if config.notify.is_empty() {
        return vec![Finding::none(SUBJECT, "nobody is told anything: there is no section [notify.NAME]")];
    }
    let found: Vec<Finding> = config.notify.iter().flat_map(files).collect();
    if !found.is_empty() {
        return found;
    }
    let one = |receiver: &Receiver| format!("{} by {}", printable(&receiver.name), receiver.part.name);
    let all: Vec<_> = config.notify.iter().map(one).collect();
    vec![Finding::ok(SUBJECT, format!("told are {}; whether they answer: pm notify test", all.join(", ")))]
}

/// Files with secrets are named by keys that end in `_file`.
fn files(receiver: &Receiver) -> Vec<Finding> {
    let named = receiver.part.settings.iter().filter(|(key, _)| key.ends_with("_file"));
    named.filter_map(|(key, path)| file(&receiver.name, key, Path::new(path))).collect()
}

fn file(receiver: &str, key: &str, path: &Path) -> Option<Finding> {
    let begin = format!("[notify.{}] {key}: {}", printable(receiver), path.display());
    let mode = match File::open(path).and_then(|file| file.metadata()) {
        Ok(about) => about.permissions().mode(),
        Err(error) => {
            let fix = Fix::Do("make it, readable by the user that pm runs as and by nobody else".to_owned());
            return Some(Finding::problem(SUBJECT, format!("{begin} cannot be read: {error}"), fix));
        }
    };
    // Certificates of authorities are for everybody.
    if mode & 0o004 == 0 || key == "ca_file" {
        return None;
    }
    let fix = Fix::Run(format!("chmod 600 {}", quoted(path)));
    Some(Finding::warning(SUBJECT, format!("{begin} can be read by every user of this host"), fix))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    #[test]
    fn a_file_of_a_receiver_that_is_missing_or_open_to_all_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        let verdict = |key: &str| file("chat", key, &path).map(|finding| finding.verdict);
        assert_eq!(verdict("url_file"), Some(Verdict::Problem));
        write(&path, "https://hooks.example.org/x").unwrap();
        for (mode, key, expected) in
            [(0o600, "url_file", None), (0o644, "url_file", Some(Verdict::Warning)), (0o644, "ca_file", None)]
        {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(verdict(key), expected, "{mode:o} {key}");
        }
    }
}
