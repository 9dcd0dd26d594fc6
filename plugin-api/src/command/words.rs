//! Puts names into a line that the operator wrote, so that no name can become anything but a name.
//!
//! A name that comes from the database is hostile until shown otherwise, and quoting alone is no answer: the line may
//! hand its words to a second shell (`ssh host`, `su -c`, `eval`). So such a name is put in only when it consists of
//! characters that no shell gives a meaning to, quoted or not; every other one is refused, never repaired. The safety of
//! it does not depend on how well the quotes of the line are understood here.
//!
//! What a line does with a harmless name is the operator's decision: `%s start` runs the program of that name.

use crate::error::{Error, Result};
use std::borrow::Cow;

/// Which name `%s` stands for: the original used the process name in health checks, the system name in restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PercentS {
    /// The logical name of the alarm table.
    Name,
    /// `system_name`.
    SystemName,
}

/// `text` as one word of a POSIX shell, in single quotes.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for a text with a NUL in it, which no argument can hold.
pub fn shell_word(text: &str) -> Result<String> {
    if text.contains('\0') {
        return Err(Error::config(format!(
            "{text:?} contains a NUL character and cannot be part of a command"
        )));
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// Replaces `%s`, `%{name}` and `%{system_name}` in `line`.
///
/// A `%s` directly after `+` stays (`date +%s`), and so does every other `%`. What is put in:
/// * letters, digits, `.`, `_`, `@`, `:`, `-` of ASCII: as they are, inside quotes or not, so that `pgrep %s`,
///   `"unit-%s"` and `$(pidof %s)` mean what they did;
/// * with letters and digits of other alphabets: one quoted word outside quotes, as it is inside of them; the same with
///   blanks, but a name that may come from the table is refused inside quotes, where a second shell may split it;
/// * anything else: refused in a name that may come from the table. A `system_name` of its own comes from the
///   operator: it may be anything, quoted outside quotes and refused inside of them.
///
/// A name must hold a letter or a digit, and no word of it may begin with `-`: it would be taken for an option.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the name, the reason and the remedy.
pub fn substitute(line: &str, name: &str, system_name: &str, percent_s: PercentS) -> Result<String> {
    let mut out = String::with_capacity(line.len() + 32);
    let mut quotes = Quotes::default();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let found = match percent_s {
            _ if rest.starts_with("%{name}") => Some(("%{name}", name)),
            _ if rest.starts_with("%{system_name}") => Some(("%{system_name}", system_name)),
            _ if !rest.starts_with("%s") || out.ends_with('+') => None,
            PercentS::Name => Some(("%s", name)),
            PercentS::SystemName => Some(("%s", system_name)),
        };
        if let Some((placeholder, value)) = found {
            if out.ends_with('$') || out.ends_with("${") {
                return Err(Error::config(format!(
                    "${placeholder} would make a name the name of a shell variable; write the variable itself"
                )));
            }
            let origin = if value == name { Origin::Table } else { Origin::Operator };
            out.push_str(&inserted(value, origin, quotes.place())?);
            quotes.pass('%');
            rest = &rest[placeholder.len()..];
        } else {
            quotes.pass(c);
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Table,
    Operator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Bare,
    Quoted,
}

/// The text that stands for `value` in that place.
fn inserted(value: &str, origin: Origin, place: Place) -> Result<Cow<'_, str>> {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || "._@:-".contains(c) || (c == '/' && origin == Origin::Operator)
    };
    let option = value.split(' ').any(|word| word.starts_with('-'));
    if option || !value.chars().any(char::is_alphanumeric) {
        let why = if option { "it would be taken for an option" } else { "it has no letter or digit" };
        return Err(refused(value, why));
    }
    if value.chars().all(plain) {
        return Ok(Cow::Borrowed(value));
    }
    match (value.chars().find(|&c| !plain(c) && !is_harmless(c)), origin, place) {
        (None, _, Place::Bare) | (Some(_), Origin::Operator, Place::Bare) => {
            shell_word(value).map(Cow::Owned)
        }
        // Inside quotes a second shell may stand (`bash -c "… %s"`, `$(…)`), which would make two words of it.
        (None, Origin::Table, Place::Quoted) if value.contains(' ') => Err(refused(
            value,
            "a blank inside quotes may become a second word; move the placeholder out of them",
        )),
        (None, _, Place::Quoted) => Ok(Cow::Borrowed(value)),
        (Some(c), Origin::Operator, Place::Quoted) => Err(refused(
            value,
            &format!("{c:?} cannot be put safely inside quotes; move the placeholder out of them"),
        )),
        (Some(c), Origin::Table, _) => Err(refused(value, &format!("{c:?} may have a meaning to a shell"))),
    }
}

/// Neither a shell nor a second one behind it gives a meaning to these.
fn is_harmless(c: char) -> bool {
    c == ' ' || (!c.is_ascii() && c.is_alphanumeric()) || ('\u{300}'..='\u{36f}').contains(&c)
}

fn refused(value: &str, why: &str) -> Error {
    Error::config(format!(
        "the name {value:?} is not put into a command: {why}; give the process a section with a system_name, or a \
         command without the placeholder"
    ))
}

/// Follows the quotes of a line, well enough to write a name the way that is expected there.
#[derive(Default)]
struct Quotes {
    open: Option<char>,
    escaped: bool,
    comment: bool,
    before: Option<char>,
}

impl Quotes {
    fn place(&self) -> Place {
        if self.open.is_some() || self.escaped { Place::Quoted } else { Place::Bare }
    }

    fn pass(&mut self, c: char) {
        let before = self.before.replace(c);
        if self.comment {
            self.comment = c != '\n';
        } else if self.escaped {
            self.escaped = false;
        } else {
            match (self.open, c) {
                (None | Some('"' | 'c'), '\\') => self.escaped = true,
                (Some('"'), '"') | (Some('\'' | 'c'), '\'') => self.open = None,
                // `$'…'` knows the backslash, unlike plain single quotes.
                (None, '\'') if before == Some('$') => self.open = Some('c'),
                (None, '\'' | '"') => self.open = Some(c),
                (None, '#') => self.comment = before.is_none_or(|before| " \t\n;&|(".contains(before)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(line: &str, name: &str) -> Result<String> {
        substitute(line, name, name, PercentS::Name)
    }

    #[test]
    fn plain_names_are_put_in_as_they_are() {
        for (line, expected) in [
            ("pgrep %s", "pgrep web@1.a_b:2-c"),
            (r#"pgrep "%s" '%s'"#, r#"pgrep "web@1.a_b:2-c" 'web@1.a_b:2-c'"#),
            ("x $(pidof %s) `pidof %s`", "x $(pidof web@1.a_b:2-c) `pidof web@1.a_b:2-c`"),
            ("touch /run/%s.pid", "touch /run/web@1.a_b:2-c.pid"),
            ("date +%s; date +%Y%s", "date +%s; date +%Yweb@1.a_b:2-c"),
            ("curl -w '%{http_code}' %d %", "curl -w '%{http_code}' %d %"),
        ] {
            assert_eq!(put(line, "web@1.a_b:2-c").unwrap(), expected);
        }
    }

    #[test]
    fn each_placeholder_has_its_name() {
        let line = "%s %{name} %{system_name}";
        let with = |percent_s| substitute(line, "web", "nginx", percent_s).unwrap();
        assert_eq!(with(PercentS::Name), "web web nginx");
        assert_eq!(with(PercentS::SystemName), "nginx web nginx");
    }

    #[test]
    fn blanks_and_letters_are_quoted_where_they_have_to_be() {
        assert_eq!(put("pgrep -f %s", "Serviciu rețea").unwrap(), "pgrep -f 'Serviciu rețea'");
        assert_eq!(put("pgrep -f \"%s\"", "rețea").unwrap(), "pgrep -f \"rețea\"");
        let error = put("bash -c \"systemctl restart %s\"", "web sshd").unwrap_err();
        assert!(
            error.message.contains("a blank inside quotes may become a second word"),
            "{}",
            error.message
        );
        assert_eq!(put("# it's\npgrep %s", "a b").unwrap(), "# it's\npgrep 'a b'");
        assert_eq!(put(r"echo it\'s %s", "a b").unwrap(), r"echo it\'s 'a b'");
        assert_eq!(put(r"echo $'it\'s %s' %s", "ăb").unwrap(), r"echo $'it\'s ăb' 'ăb'");
    }

    #[test]
    fn a_name_from_the_table_is_refused_when_it_could_mean_more() {
        for name in [
            "a;b",
            "a$(id)",
            "`id`",
            "a'b",
            "a\"b",
            "a\\b",
            "a|b",
            "a&b",
            "a\nb",
            "a\0b",
            "*",
            "[a-z]*",
            "../../x",
            "..",
            "--now",
            "-H host",
            "x -H host",
            "",
            " ",
            "~root",
            "a#b",
            "a!b",
            "a{b,c}",
            "a=b",
            "\u{1b}[31m",
            "a\u{202e}b",
            "a>b",
            "a<b",
            "a(b",
            "a%b",
            "a\u{a0}b",
        ] {
            let error = put("pgrep %s", name).unwrap_err();
            assert_eq!(error.kind, crate::ErrorKind::Config);
            assert!(error.message.contains(&format!("{name:?}")), "{}", error.message);
        }
    }

    #[test]
    fn the_operators_system_name_may_be_anything_outside_quotes() {
        let put = |line: &str, system: &str| substitute(line, "web", system, PercentS::SystemName);
        assert_eq!(put("nohup %s &", "/opt/app/run").unwrap(), "nohup /opt/app/run &");
        assert_eq!(put("pkill -f %s", "it's $5").unwrap(), r"pkill -f 'it'\''s $5'");
        let error = put("pkill -f \"%s\"", "it's $5").unwrap_err();
        assert!(error.message.contains("move the placeholder out"), "{}", error.message);
        assert!(put("%s", "-x").is_err() && put("%s", "a\0b").is_err());
    }

    #[test]
    fn a_name_never_becomes_the_name_of_a_variable() {
        assert!(put("echo ${%s}", "x@P").is_err());
        assert!(put("echo $%s", "x").is_err());
    }

    #[test]
    fn words_are_quoted_for_any_shell() {
        assert_eq!(shell_word("it's").unwrap(), r"'it'\''s'");
        assert_eq!(shell_word("").unwrap(), "''");
        assert!(shell_word("a\0b").is_err());
    }
}
