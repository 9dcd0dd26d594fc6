//! A secret from the value of a key or from a file; the file is read at each use, so that a renewed one needs no restart.

use pm_plugin_api::{Error, ErrorKind, Result};
use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

/// No token or password is longer.
const LARGEST: u64 = 64 * 1024;

/// Where it is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Text(String),
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl Secret {
    /// Out of the two keys for it.
    ///
    /// # Errors
    /// When both are set.
    pub(crate) fn choose(key: &str, text: Option<String>, file: Option<PathBuf>) -> Result<Option<Self>> {
        match (text.filter(|text| !text.is_empty()), file) {
            (Some(_), Some(_)) => {
                Err(Error::config(format!("{key}: is there twice; delete it, or delete {key}_file")))
            }
            (Some(text), None) => Ok(Some(Self::Text(text))),
            (None, file) => Ok(file.map(Self::File)),
        }
    }

    /// The text itself, without the line's end of a file.
    ///
    /// # Errors
    /// When the file cannot be read, never with what is in it.
    pub(crate) fn reveal(&self) -> Result<String> {
        let path = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File(path) => path,
        };
        let failed = |kind, why: String| Error::new(kind, format!("{}: {why}", path.display()));
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
            .map_err(|error| failed(ErrorKind::Permission, format!("cannot be read: {error}")))?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(failed(ErrorKind::Config, "is empty".to_owned())),
            text => Ok(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_from_one_place_and_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "hunter2\n").unwrap();
        let chosen = |text: Option<&str>, file: Option<&PathBuf>| {
            Secret::choose("password", text.map(str::to_owned), file.cloned())
        };
        let from_file = chosen(Some(""), Some(&file)).unwrap().unwrap();
        assert_eq!(
            (from_file.reveal().unwrap().as_str(), format!("{from_file:?}")),
            ("hunter2", "********".to_owned())
        );
        assert_eq!(chosen(Some("a"), None).unwrap().unwrap().reveal().unwrap(), "a");
        assert_eq!(chosen(None, None), Ok(None));
        assert!(
            chosen(Some("hunter2"), Some(&file)).unwrap_err().message.starts_with("password: is there twice")
        );
        std::fs::write(&file, "\n").unwrap();
        assert_eq!(from_file.reveal().unwrap_err().message, format!("{}: is empty", file.display()));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(from_file.reveal().unwrap_err().kind, ErrorKind::Permission);
    }
}
