//! What a library says of itself in two ELF sections, readable without running one instruction of it.
//!
//! `.pm_plugin` holds 512 bytes of frozen layout; `.pm_settings` holds the schemas of the parts as text and may
//! grow. Both survive `strip`. Nothing here touches a file: the loader hands in the bytes of the sections.

use crate::settings::{Key, PART, RECORD, keys};

/// Name of the section with the fixed part.
pub const MANIFEST_SECTION: &str = ".pm_plugin";
/// Name of the section with the schemas.
pub const SETTINGS_SECTION: &str = ".pm_settings";
/// The binary interface that this crate speaks; the number in [`crate::abi::ROOT_SYMBOL`].
pub const INTERFACE: u16 = 1;
/// Which operations and fields this crate knows; informative, never a reason to refuse. 1: `evidence` of strategies. 2: the
/// kind `notifier` with its operation `notify`; unit, allowed values and `required` in the schemas.
pub const API_MINOR: u16 = 2;

const MAGIC: [u8; 8] = *b"PMPLUGIN";
const SIZE: usize = 512;
const NAME: usize = 48;
const VERSION: usize = 32;
const OFFERS: usize = 416;

/// The fixed part as it lies in the library.
#[doc(hidden)]
#[repr(C)]
pub struct Raw {
    magic: [u8; 8],
    size: u16,
    interface: u16,
    api_minor: u16,
    reserved: u16,
    name: [u8; NAME],
    version: [u8; VERSION],
    offers: [u8; OFFERS],
}

const _: () = assert!(std::mem::size_of::<Raw>() == SIZE);

impl Raw {
    /// Built by `export!`; a text that is too long is a compile error.
    #[must_use]
    pub const fn new(name: &str, version: &str, offers: &str) -> Self {
        assert!(name.len() <= NAME, "the package name is too long for the plugin manifest (48 bytes)");
        assert!(
            version.len() <= VERSION,
            "the package version is too long for the plugin manifest (32 bytes)"
        );
        assert!(offers.len() <= OFFERS, "too many parts for the plugin manifest (416 bytes)");
        Self {
            magic: MAGIC,
            size: SIZE as u16,
            interface: INTERFACE,
            api_minor: API_MINOR,
            reserved: 0,
            name: padded(name),
            version: padded(version),
            offers: padded(offers),
        }
    }
}

const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < bytes.len() {
        out[i] = bytes[i];
        i += 1;
    }
    out
}

/// A part that a library offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// `strategy`, `check`, `notifier`, or a kind from a newer interface.
    pub kind: String,
    /// The name that the operator writes.
    pub name: String,
    /// Its settings.
    pub keys: Vec<Key>,
}

/// What a library says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The package name, without the prefix `pm-plugin-`.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// The binary interface it speaks.
    pub interface: u16,
    /// The API level it was built with.
    pub api_minor: u16,
    /// Its parts.
    pub offers: Vec<Offer>,
}

/// Why the bytes are no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAManifest {
    /// The section does not start with the magic.
    Magic,
    /// The section is of another version of the manifest.
    Size,
    /// A text in it is not UTF-8.
    Text,
}

impl Manifest {
    /// Reads the two sections; `settings` may be empty.
    ///
    /// # Errors
    /// [`NotAManifest`]; an unknown [interface](Self::interface) is not an error here, so that the caller can name it.
    pub fn parse(fixed: &[u8], settings: &[u8]) -> Result<Self, NotAManifest> {
        let body = fixed.strip_prefix(&MAGIC).ok_or(NotAManifest::Magic)?;
        let number = |at: usize| body.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        if fixed.len() < SIZE || number(0) != Some(SIZE as u16) {
            return Err(NotAManifest::Size);
        }
        let text = |at: usize, len: usize| {
            let bytes = &body[at..at + len];
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(len);
            std::str::from_utf8(&bytes[..end]).map_err(|_| NotAManifest::Text)
        };
        let (name, version) = (text(8, NAME)?, text(8 + NAME, VERSION)?);
        let offers = text(8 + NAME + VERSION, OFFERS)?;
        let schemas = std::str::from_utf8(settings).map_err(|_| NotAManifest::Text)?;
        Ok(Self {
            name: name.strip_prefix("pm-plugin-").unwrap_or(name).to_owned(),
            version: version.to_owned(),
            interface: number(2).unwrap_or_default(),
            api_minor: number(4).unwrap_or_default(),
            offers: offers.split_ascii_whitespace().filter_map(|offer| parse_offer(offer, schemas)).collect(),
        })
    }
}

fn parse_offer(offer: &str, schemas: &str) -> Option<Offer> {
    let (kind, name) = offer.split_once(':')?;
    let keys = schemas
        .split(PART)
        .filter_map(|part| part.split_once(RECORD))
        .find(|(head, _)| *head == offer)
        .map_or_else(Vec::new, |(_, records)| keys(records));
    Some(Offer { kind: kind.to_owned(), name: name.to_owned(), keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(raw: &Raw) -> Vec<u8> {
        let mut out = raw.magic.to_vec();
        for number in [raw.size, raw.interface, raw.api_minor, raw.reserved] {
            out.extend(number.to_le_bytes());
        }
        out.extend(raw.name);
        out.extend(raw.version);
        out.extend(raw.offers);
        out
    }

    #[test]
    fn what_export_writes_is_what_the_loader_reads() {
        let raw = bytes(&Raw::new("pm-plugin-net", "1.2.3", "check:http check:tcp "));
        let settings = "check:http\u{1e}url\u{1f}text\u{1f}\u{1f}Where.\u{1e}\u{1d}check:tcp\u{1e}\u{1d}";
        let manifest = Manifest::parse(&raw, settings.as_bytes()).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("net", "1.2.3"));
        assert_eq!(manifest.interface, INTERFACE);
        assert_eq!(manifest.offers[0].keys[0].name, "url");
        assert_eq!((manifest.offers[1].name.as_str(), manifest.offers[1].keys.len()), ("tcp", 0));
    }

    #[test]
    fn damaged_manifests_are_told_apart() {
        let good = bytes(&Raw::new("x", "1", "strategy:x "));
        let mut bad = good.clone();
        bad[0] = b'X';
        assert_eq!(Manifest::parse(&bad, &[]), Err(NotAManifest::Magic));
        assert_eq!(Manifest::parse(&good[..100], &[]), Err(NotAManifest::Size));
        let mut bad = good.clone();
        bad[8] = 1;
        assert_eq!(Manifest::parse(&bad, &[]), Err(NotAManifest::Size));
        let mut bad = good;
        bad[16] = 0xff;
        assert_eq!(Manifest::parse(&bad, &[]), Err(NotAManifest::Text));
    }
}
