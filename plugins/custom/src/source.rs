//! Which of the three keys of the original says what to run, and what it says.
//!
//! Precedence is the original's: an encoded script, then a script with arguments, then a command. A script that does not
//! decode is a mistake in the file: it is reported, and nothing is run in its place.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pm_plugin_api::command::{PercentS, substitute};
use pm_plugin_api::{Error, Result, Target};
use std::borrow::Cow;

/// The original cut values at the second `=`, so padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The kernel's limit for one argument.
const LONGEST_SCRIPT: usize = 128 * 1024 - 1;

/// What the operator wants to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `restart_block_b64`, decoded; nothing is replaced in it.
    Block(String),
    /// The key and its command line, with placeholders.
    Line(&'static str, String),
}

impl Source {
    /// The first key that is set and not empty.
    pub(crate) fn choose(
        block: Option<&str>,
        script: Option<&str>,
        command: Option<&str>,
    ) -> Result<Option<Self>> {
        let set = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        if let Some(block) = set(block) {
            return decode(&block).map(|script| Some(Self::Block(script)));
        }
        let script = set(script).map(|line| Self::Line("restart_script_path", line));
        Ok(script.or_else(|| set(command).map(|line| Self::Line("restart_command", line))))
    }

    /// The key this came from.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Block(_) => "restart_block_b64",
            Self::Line(key, _) => key,
        }
    }

    /// For the log: the line as written, or how long the script is.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Block(script) => format!("restart_block_b64 ({} lines)", script.lines().count()),
            Self::Line(_, line) => line.replace('\n', "; "),
        }
    }

    /// What to give to the shell for this target.
    pub(crate) fn line(&self, target: &Target) -> Result<Cow<'_, str>> {
        match self {
            Self::Block(script) => Ok(Cow::Borrowed(script)),
            Self::Line(key, line) => {
                substitute(line, &target.name, &target.system_name, PercentS::SystemName)
                    .map(Cow::Owned)
                    .map_err(|error| error.context(key))
            }
        }
    }
}

fn decode(block: &str) -> Result<String> {
    let wrong = |why: String| {
        Error::config(format!(
            "restart_block_b64: {why}, so it is not run; encode the script with: base64 -w0 SCRIPT"
        ))
    };
    let packed: String = block.split_whitespace().collect();
    let bytes = BASE64.decode(packed).map_err(|error| wrong(format!("is not base64 ({error})")))?;
    let script = String::from_utf8(bytes).map_err(|_| wrong("does not decode to a text".to_owned()))?;
    if script.contains('\0') {
        return Err(wrong("does not decode to a text".to_owned()));
    }
    if script.trim().is_empty() {
        return Err(wrong("decodes to nothing".to_owned()));
    }
    if script.len() > LONGEST_SCRIPT {
        return Err(Error::config(format!(
            "restart_block_b64: the script has {} bytes, at most {LONGEST_SCRIPT} can be given to bash; put it into a \
             file and name that in restart_script_path",
            script.len()
        )));
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_wins_over_the_script_and_that_over_the_command() {
        let chosen = |block, script, command| Source::choose(block, script, command).unwrap();
        assert_eq!(chosen(Some("dHJ1ZQ=="), Some("s"), Some("c")), Some(Source::Block("true".to_owned())));
        assert_eq!(
            chosen(Some(" "), Some("s a"), Some("c")),
            Some(Source::Line("restart_script_path", "s a".to_owned()))
        );
        assert_eq!(chosen(None, Some(""), Some("c")), Some(Source::Line("restart_command", "c".to_owned())));
        assert_eq!(chosen(None, None, Some(" ")), None);
    }

    #[test]
    fn a_block_is_read_with_and_without_padding() {
        for block in ["ZWNobyBoaQo=", "ZWNobyBoaQo", "ZWNo\nbyBo aQo="] {
            assert_eq!(decode(block).unwrap(), "echo hi\n", "{block}");
        }
    }

    #[test]
    fn what_is_no_script_is_refused_with_the_remedy() {
        let long = BASE64.encode(vec![b'x'; LONGEST_SCRIPT + 1]);
        for (block, why) in [
            ("<BASE64 OF YOUR SCRIPT>", "is not base64"),
            ("a", "is not base64"),
            ("/////w==", "does not decode to a text"),
            ("YQBi", "does not decode to a text"),
            ("Cgo=", "decodes to nothing"),
            (&long, "at most 131071"),
        ] {
            let error = decode(block).unwrap_err();
            assert!(error.message.contains(why), "{block}: {}", error.message);
            assert_eq!(error.kind, pm_plugin_api::ErrorKind::Config);
        }
    }
}
