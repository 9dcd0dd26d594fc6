//! What can be said of a configured command line without running it.
//!
//! Only mistakes that the predecessor's files are known to hold are looked for; a command is never changed.

use crate::config::environment::Environment;

/// Reports what will not work in a command as `report(message, hint)`.
pub(in crate::config) fn judge(key: &str, command: &str, report: &mut dyn FnMut(String, String)) {
    for line in command.lines().filter(|line| has_word(line, "initctl")) {
        let message = "runs initctl, which exists only with Upstart".to_owned();
        report(message, systemctl_instead(line));
    }
    if key == "restart_block_b64" {
        return;
    }
    if command.lines().any(is_placeholder) {
        report(
            format!("{command:?} is a placeholder of the sample"),
            "put the real command in its place".to_owned(),
        );
    }
}

/// Whether a value is a sample's `<put something here>`.
pub(in crate::config) fn is_placeholder(value: &str) -> bool {
    value.starts_with('<') && value.ends_with('>')
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// What to write for an Upstart command.
fn systemctl_instead(line: &str) -> String {
    let mut words = line.split_whitespace().skip_while(|word| !has_word(word, "initctl")).skip(1);
    let verb = words.next().unwrap_or_default();
    let job = words.next().unwrap_or("NAME").trim_matches(['\'', '"', ';', '&', '|', ')']);
    match verb {
        "status" if line.contains("start/running") => format!("write: systemctl is-active --quiet {job}"),
        "status" | "start" | "stop" | "restart" | "reload" => format!("write: systemctl {verb} {job}"),
        _ => "write the systemctl command that does the same".to_owned(),
    }
}

/// Why a text is no base64; `None` when it is. Padding may be missing: the predecessor cut it off at the `=`.
pub(in crate::config) fn not_base64(text: &str) -> Option<String> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let body = digits.iter().rposition(|c| *c != '=').map_or(&digits[..0], |last| &digits[..=last]);
    if let Some(wrong) = body.iter().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))) {
        return Some(format!("it is not base64: {wrong:?} is not in that alphabet"));
    }
    match (body.len() % 4, digits.len() - body.len()) {
        _ if body.is_empty() => Some("it is not base64: it holds nothing".to_owned()),
        (1, _) | (_, 3..) => {
            Some("it is not base64: its length is impossible, so a piece is missing".to_owned())
        }
        _ => None,
    }
}

/// `${NAME}` as a whole value: the name.
pub(in crate::config) fn variable_reference(value: &str) -> Option<&str> {
    let name = value.strip_prefix("${")?.strip_suffix('}')?;
    let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    valid.then_some(name)
}

/// The directory that systemd made for pm's state, the first of several.
pub(in crate::config) fn state_directory(environment: &Environment) -> Option<&str> {
    environment.variable("STATE_DIRECTORY")?.split(':').next().filter(|dir| dir.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(command: &str) -> Vec<String> {
        let mut all = Vec::new();
        judge("restart_command", command, &mut |message, hint| all.push(format!("{message}; {hint}")));
        all
    }

    #[test]
    fn upstart_commands_are_named_with_what_to_write_instead() {
        for (command, hint) in [
            ("initctl status crond | grep -q start/running", "systemctl is-active --quiet crond"),
            ("/sbin/initctl restart httpd", "systemctl restart httpd"),
            ("initctl stop a || initctl start a", "systemctl stop a"),
            ("sudo initctl emit x", "the systemctl command that does the same"),
        ] {
            let found = findings(command);
            assert_eq!(found.len(), 1, "{command}");
            assert!(found[0].ends_with(hint), "{found:?}");
        }
        assert_eq!(findings("my-initctl-wrapper restart x"), Vec::<String>::new());
    }

    #[test]
    fn base64_may_lack_its_padding_but_not_its_letters() {
        for good in ["ZWNobyBoaQo=", "ZWNobyBoaQo", "ZWNo\nbyBoaQ==", "YQ"] {
            assert_eq!(not_base64(good), None, "{good}");
        }
        for bad in ["<BASE64>", "ZWNob", "====", "YQ===", "a-b_", "YQ=a"] {
            assert!(not_base64(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn only_a_whole_value_refers_to_a_variable() {
        assert_eq!(variable_reference("${DB_PASS}"), Some("DB_PASS"));
        for literal in ["$DB_PASS", "x${DB_PASS}", "${}", "${a b}"] {
            assert_eq!(variable_reference(literal), None, "{literal}");
        }
    }
}
