//! `sha256`: holds a library to the content that the operator has written down.
//!
//! The sum is taken of the descriptor that everything else was checked on and that is loaded later, never of a path. It is
//! taken only where somebody asks for it: reading a library costs more than everything else that is done with it.

use super::directory::in_words;
use super::examine::{Examined, Rejected};
use super::refusal::Reason;
use super::rules::Rules;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Refuses a library that is not what its rule says it is.
pub(super) fn hold(new: Examined, rules: &Rules) -> Result<Examined, Box<Rejected>> {
    let name = &new.manifest.name;
    let pinned = rules.of(name).sha256.as_deref();
    if pinned.is_none() && !rules.only_pinned {
        return Ok(new);
    }
    let reason = match (sum(&new.file), pinned) {
        (Ok(found), Some(pinned)) if found == pinned => return Ok(new),
        (Ok(found), Some(pinned)) => {
            Reason::OtherContent { library: name.clone(), found, pinned: pinned.to_owned() }
        }
        (Ok(found), None) => Reason::NotPinned { library: name.clone(), found },
        (Err(why), _) => Reason::Unreadable { why },
    };
    Err(Box::new(Rejected { print: Some(new.print), manifest: Some(new.manifest), reason }))
}

/// The SHA-256 sum of a whole file, from its first byte on wherever the descriptor stands, in 64 lower-case digits.
///
/// # Errors
/// The system's words.
pub(super) fn sum(file: &File) -> Result<String, String> {
    let mut digest = Sha256::new();
    let (mut buffer, mut at) = (vec![0; 128 << 10], 0);
    loop {
        match file.read_at(&mut buffer, at) {
            Ok(0) => break,
            Ok(count) => {
                digest.update(&buffer[..count]);
                at += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(in_words(Errno::from_io_error(&error).unwrap_or(Errno::IO))),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in digest.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _};

    #[test]
    fn the_sum_is_of_the_whole_file_wherever_its_reader_stands() {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(sum(&file).unwrap(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        std::io::Write::write_all(&mut file, b"abc").unwrap();
        file.rewind().unwrap();
        file.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(sum(&file).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(file.stream_position().unwrap(), 2);
    }
}
