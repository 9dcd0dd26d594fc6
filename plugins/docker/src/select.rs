//! Which containers a call is about: one by name or id, or all that carry a label.
//!
//! What it lets through is safe as a part of the daemon's paths and means one container only; a name may come from
//! the database, so it is checked at each call.

use pm_plugin_api::{Error, Result, Target};

const LONGEST_NAME: usize = 255;
/// Shorter beginnings of an id are refused: "d" would mean whichever container's id begins with d.
const SHORTEST_ID: usize = 12;

/// What the settings say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// Neither `container` nor `label`: the target's system name.
    SystemName,
    /// `container = …`
    Container(String),
    /// `label = …`
    Label(String),
}

/// What one call is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// The container of this name or id.
    Container(&'a str),
    /// All containers with this label.
    Label(&'a str),
}

impl Selector {
    /// Checks the settings.
    pub(crate) fn new(container: Option<String>, label: Option<String>) -> Result<Self> {
        match (container, label) {
            (Some(_), Some(_)) => {
                Err(Error::config("container and label exclude each other: keep one of them"))
            }
            (Some(name), None) => {
                valid_name(&name).map_err(|why| Error::config(format!("container: {why}")))?;
                Ok(Self::Container(name))
            }
            (None, Some(label)) => {
                valid_label(&label).map_err(|why| Error::config(format!("label: {why}")))?;
                Ok(Self::Label(label))
            }
            (None, None) => Ok(Self::SystemName),
        }
    }

    /// What a call for `target` is about.
    pub(crate) fn wanted<'a>(&'a self, target: &'a Target) -> Result<Wanted<'a>> {
        match self {
            Self::Container(name) => Ok(Wanted::Container(name)),
            Self::Label(label) => Ok(Wanted::Label(label)),
            Self::SystemName => {
                let name = target.system_name.as_str();
                valid_name(name).map_err(|why| {
                    Error::not_found(format!("{why}; set system_name or container to the container's name"))
                })?;
                Ok(Wanted::Container(name))
            }
        }
    }
}

/// Whether a container called `name` with the id `id` is the one meant by `wanted`; the daemon itself takes any
/// beginning of an id.
pub(crate) fn means(wanted: &str, name: &str, id: &str) -> bool {
    wanted == name || (wanted.len() >= SHORTEST_ID && id.starts_with(wanted))
}

fn valid_name(name: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let valid = name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(inner);
    if valid {
        return Ok(());
    }
    let shown: String = name.chars().take(40).collect();
    Err(format!(
        "{shown:?} cannot be a container's name (a letter or digit, then letters, digits, _ . -, at most \
         {LONGEST_NAME} in all)"
    ))
}

fn valid_label(label: &str) -> Result<(), String> {
    let key = label.split('=').next().unwrap_or_default();
    if !key.is_empty() && !key.contains(char::is_whitespace) && !label.contains(char::is_control) {
        return Ok(());
    }
    Err(format!("{label:?} is not a label; write key=value or key: com.example.service=web"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::ErrorKind;

    #[test]
    fn hostile_names_never_become_a_container() {
        let long = "a".repeat(LONGEST_NAME + 1);
        let hostile = [
            "",
            ".",
            "..",
            "../../x",
            "a/../b",
            "a/b",
            "-v",
            "_a",
            ".hidden",
            "*",
            "[a-z]*",
            "a b",
            "a\nb",
            "a\0b",
            "$(id)",
            "`id`",
            "x;y",
            "a?all=1",
            "a#b",
            "a%2e",
            "a%2Fb",
            "ünïcode",
            "a\u{202e}b",
            "a\u{1b}[2J",
            "a:b",
            "a@b",
            "--help",
            "a\\b",
            "a'b",
            "a\"b",
            &long,
        ];
        for name in hostile {
            let target = Target::named(name);
            let error = Selector::SystemName.wanted(&target).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotFound, "{name:?}");
            assert!(!error.message.contains(char::is_control), "{name:?} must be escaped: {}", error.message);
            let error = Selector::new(Some(name.to_owned()), None).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config, "{name:?}");
        }
        for name in ["web", "Web_1.a-b", "0", &"a".repeat(LONGEST_NAME)] {
            assert_eq!(Selector::SystemName.wanted(&Target::named(name)), Ok(Wanted::Container(name)));
        }
    }

    #[test]
    fn a_label_needs_a_key_and_excludes_a_container() {
        for label in ["app=web", "app", "com.example/x=a b", "app="] {
            assert_eq!(Selector::new(None, Some(label.into())), Ok(Selector::Label(label.into())));
        }
        for label in ["", "=web", "a b=c", "a=\u{7}"] {
            let error = Selector::new(None, Some(label.into())).unwrap_err();
            assert!(error.message.starts_with("label: ") && error.message.contains("key=value"), "{error}");
        }
        let both = Selector::new(Some("web".into()), Some("app=web".into())).unwrap_err();
        assert_eq!(both.message, "container and label exclude each other: keep one of them");
    }

    #[test]
    fn only_a_full_name_or_a_long_beginning_of_the_id_means_a_container() {
        let id = "c1d28a34baed456d9b470e73a234076f282248499b739ed950c61345d8bc07cc";
        for (wanted, expected) in [
            ("web", true),
            ("we", false),
            ("c", false),
            ("c1d28a34bae", false),
            ("c1d28a34baed", true),
            (id, true),
            ("c1d28a34baee", false),
        ] {
            assert_eq!(means(wanted, "web", id), expected, "{wanted}");
        }
    }
}
