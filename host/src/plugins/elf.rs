//! Reads of a library what must be known before it is loaded, without running or mapping any of it.
//!
//! A truncated library kills the process that loads it (SIGBUS inside the dynamic linker), and a foreign one
//! gets a misleading message from it. So header, segments and section table are checked against the size of the
//! file first, and the two sections of the manifest are read. Only those bytes are read, by position.

use super::refusal::{Maker, Reason};
use crate::policy::model::printable;
use object::Endianness;
use object::elf::{
    ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, ELFMAG, EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH,
    EM_PPC64, EM_RISCV, EM_S390, EM_X86_64, ET_CORE, ET_DYN, ET_EXEC, ET_REL, FileHeader64, PT_LOAD,
    ProgramHeader64, SHT_NOBITS, SectionHeader64,
};
use object::pod::{Pod, from_bytes, slice_from_bytes};
use pm_plugin_api::manifest::{INTERFACE, MANIFEST_SECTION, Manifest, NotAManifest, SETTINGS_SECTION};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

type Header = FileHeader64<Endianness>;
type Segment = ProgramHeader64<Endianness>;
type Section = SectionHeader64<Endianness>;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("the plugin loader reads 64-bit libraries only");

const NATIVE: Endianness = if cfg!(target_endian = "big") { Endianness::Big } else { Endianness::Little };
const NATIVE_DATA: u8 = if cfg!(target_endian = "big") { ELFDATA2MSB } else { ELFDATA2LSB };
/// Offsets that are the same in every class.
const EI_CLASS: usize = 4;
const EI_DATA: usize = 5;
const MACHINE: usize = 18;
/// No library has a name table or a manifest near this size; a damaged length must not fill the memory.
const LARGEST: u64 = 1 << 20;

/// Checks the library and reads its manifest.
pub(super) fn manifest(file: &File, size: u64) -> Result<Manifest, Reason> {
    let library = Library { file, size };
    let header = library.header()?;
    library.segments(&header)?;
    let Found { fixed, settings } = library.sections(&header)?;
    let fixed = fixed.ok_or(Reason::NotAPlugin)?;
    let manifest = Manifest::parse(&fixed, &settings.unwrap_or_default()).map_err(|not| match not {
        NotAManifest::Size => Reason::ManifestVersion,
        NotAManifest::Text => Reason::DamagedManifest { what: "a text in it is not UTF-8" },
        _ => Reason::DamagedManifest { what: "it does not begin as one" },
    })?;
    plausible(&manifest)?;
    let manifest = without_escapes(manifest);
    Ok(manifest)
}

/// Whether this pm can speak with the library.
pub(super) fn speaks(manifest: &Manifest) -> Result<(), Reason> {
    if manifest.interface == INTERFACE {
        return Ok(());
    }
    Err(Reason::Interface { maker: Maker::of(manifest), found: manifest.interface, offered: INTERFACE })
}

impl Maker {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self { name: manifest.name.clone(), version: manifest.version.clone() }
    }
}

/// What a library says of its settings goes to terminals and pages, and nobody has looked at it yet.
fn without_escapes(mut manifest: Manifest) -> Manifest {
    for key in manifest.offers.iter_mut().flat_map(|offer| &mut offer.keys) {
        for text in [&mut key.name, &mut key.kind, &mut key.text] {
            *text = printable(text);
        }
        for text in [&mut key.default, &mut key.unit, &mut key.allowed].into_iter().flatten() {
            *text = printable(text);
        }
    }
    manifest
}

/// The names go to terminals and logs, so they have to be words.
fn plausible(manifest: &Manifest) -> Result<(), Reason> {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let texts = manifest.offers.iter().flat_map(|offer| [&offer.kind, &offer.name]);
    if ![&manifest.name, &manifest.version].into_iter().chain(texts).all(|text| word(text)) {
        return Err(Reason::DamagedManifest { what: "a name in it is no word" });
    }
    if manifest.offers.is_empty() {
        return Err(Reason::DamagedManifest { what: "it offers nothing" });
    }
    Ok(())
}

struct Library<'a> {
    file: &'a File,
    size: u64,
}

/// The sections of the manifest.
#[derive(Default)]
struct Found {
    fixed: Option<Vec<u8>>,
    settings: Option<Vec<u8>>,
}

impl Library<'_> {
    fn header(&self) -> Result<Header, Reason> {
        if self.size == 0 {
            return Err(Reason::Empty);
        }
        let length = self.size.min(size_of::<Header>() as u64);
        let bytes = self.read("the ELF header", 0, length)?;
        if !bytes.starts_with(&ELFMAG) {
            return Err(Reason::NotElf);
        }
        self.inside("the ELF header", 0, size_of::<Header>() as u64)?;
        let foreign = bytes[EI_CLASS] != ELFCLASS64 || bytes[EI_DATA] != NATIVE_DATA;
        let machine = machine(&bytes)?;
        if foreign || machine != host_machine() {
            return Err(Reason::Machine { built_for: platform(&bytes, machine), host: host() });
        }
        let header = *one::<Header>(&bytes)?;
        match header.e_type.get(NATIVE) {
            ET_DYN => Ok(header),
            ET_EXEC => Err(Reason::NotShared { what: "an executable" }),
            ET_REL => Err(Reason::NotShared { what: "an object file" }),
            ET_CORE => Err(Reason::NotShared { what: "a core dump" }),
            _ => Err(Reason::Damaged { what: "its ELF type is unknown" }),
        }
    }

    /// Every loaded segment has to lie inside the file.
    fn segments(&self, header: &Header) -> Result<(), Reason> {
        let what = "the program header table";
        let entry = u64::from(header.e_phentsize.get(NATIVE));
        let count = u64::from(header.e_phnum.get(NATIVE));
        if count == 0 || entry != size_of::<Segment>() as u64 {
            return Err(Reason::Damaged { what: "it has no usable program headers" });
        }
        let bytes = self.read(what, header.e_phoff.get(NATIVE), entry * count)?;
        for segment in many::<Segment>(&bytes, count)? {
            if segment.p_type.get(NATIVE) == PT_LOAD {
                self.inside("a segment", segment.p_offset.get(NATIVE), segment.p_filesz.get(NATIVE))?;
            }
        }
        Ok(())
    }

    fn sections(&self, header: &Header) -> Result<Found, Reason> {
        let entry = u64::from(header.e_shentsize.get(NATIVE));
        let count = u64::from(header.e_shnum.get(NATIVE));
        // A library without sections is a proper library, but cannot be a plugin.
        if count == 0 {
            return Ok(Found::default());
        }
        if entry != size_of::<Section>() as u64 {
            return Err(Reason::Damaged { what: "its section headers have an unknown size" });
        }
        let bytes = self.read("the section table", header.e_shoff.get(NATIVE), entry * count)?;
        let sections = many::<Section>(&bytes, count)?;
        let names = sections
            .get(usize::from(header.e_shstrndx.get(NATIVE)))
            .ok_or(Reason::Damaged { what: "its sections have no names" })?;
        let names = self.content("the section names", names)?;
        let mut found = Found::default();
        for section in sections {
            let name = names.get(section.sh_name.get(NATIVE) as usize..).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            if name == MANIFEST_SECTION.as_bytes() {
                found.fixed = Some(self.content("the manifest", section)?);
            } else if name == SETTINGS_SECTION.as_bytes() {
                found.settings = Some(self.content("the description of the settings", section)?);
            }
        }
        Ok(found)
    }

    fn content(&self, what: &'static str, section: &Section) -> Result<Vec<u8>, Reason> {
        if section.sh_type.get(NATIVE) == SHT_NOBITS {
            return Err(Reason::Damaged { what: "a section that must have bytes has none" });
        }
        self.read(what, section.sh_offset.get(NATIVE), section.sh_size.get(NATIVE))
    }

    fn inside(&self, what: &'static str, offset: u64, length: u64) -> Result<(), Reason> {
        let end = offset.saturating_add(length);
        if end > self.size {
            return Err(Reason::Truncated { what, end, size: self.size });
        }
        Ok(())
    }

    fn read(&self, what: &'static str, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        self.inside(what, offset, length)?;
        if length > LARGEST {
            return Err(Reason::Damaged { what: "a table in it is impossibly large" });
        }
        let mut bytes = vec![0; length as usize];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| Reason::Unreadable { why: error.to_string() })?;
        Ok(bytes)
    }
}

fn one<T: Pod>(bytes: &[u8]) -> Result<&T, Reason> {
    from_bytes(bytes).map(|(value, _)| value).map_err(|()| Reason::Damaged { what: "its header is cut" })
}

fn many<T: Pod>(bytes: &[u8], count: u64) -> Result<&[T], Reason> {
    slice_from_bytes(bytes, count as usize)
        .map(|(values, _)| values)
        .map_err(|()| Reason::Damaged { what: "a table in it is cut" })
}

/// `e_machine`, in the byte order of the file.
fn machine(bytes: &[u8]) -> Result<u16, Reason> {
    let two: [u8; 2] = bytes
        .get(MACHINE..MACHINE + 2)
        .and_then(|two| two.try_into().ok())
        .ok_or(Reason::Damaged { what: "its header is cut" })?;
    let big = bytes[EI_DATA] == ELFDATA2MSB;
    Ok(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
}

const fn host_machine() -> u16 {
    if cfg!(target_arch = "x86_64") {
        EM_X86_64
    } else if cfg!(target_arch = "aarch64") {
        EM_AARCH64
    } else if cfg!(target_arch = "riscv64") {
        EM_RISCV
    } else if cfg!(target_arch = "powerpc64") {
        EM_PPC64
    } else if cfg!(target_arch = "s390x") {
        EM_S390
    } else {
        EM_LOONGARCH
    }
}

const fn host() -> &'static str {
    if cfg!(target_arch = "x86_64") { "x86-64" } else { std::env::consts::ARCH }
}

fn platform(bytes: &[u8], machine: u16) -> String {
    let name = match machine {
        EM_X86_64 => "x86-64",
        EM_386 => "x86",
        EM_AARCH64 => "aarch64",
        EM_ARM => "arm",
        EM_RISCV => "riscv",
        EM_PPC64 => "powerpc64",
        EM_S390 => "s390x",
        EM_LOONGARCH => "loongarch",
        other => return format!("another processor (ELF machine {other})"),
    };
    match (bytes[EI_CLASS], bytes[EI_DATA]) {
        (ELFCLASS32, _) => format!("{name} (32 bit)"),
        (_, data) if data != NATIVE_DATA => format!("{name} (another byte order)"),
        _ => name.to_owned(),
    }
}
