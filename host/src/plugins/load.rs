//! Brings a checked library into this process, through one of two doors: that of Rust, here, and that of C, in `load/c.rs`.
//! These two are the only files of the host with `unsafe` code.
//!
//! What is loaded is the descriptor that was checked, through `/proc/self/fd`, so nothing can be put in its place
//! between check and load. A loaded library is never unloaded (its thread-local destructors and its statics live
//! on in this process), and its descriptor stays open: the dynamic linker takes a name it has seen before for the
//! same library, and a closed number would be given to another file.
//!
//! What this file cannot do: protect the process from the library's code. Whoever may write into the plugin
//! directory may run code as pm, which is why the directory is judged first.

// Three calls of the dynamic linker, each with its argument; everything after them is checked by abi_stable.
#![allow(unsafe_code)]

mod c;

use super::log;
use super::refusal::{Maker, Reason};
use abi_stable::library::{AbiHeader, AbiHeaderRef, LibHeader, LibraryError};
use abi_stable::std_types::{RResult, RSlice, RStr};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use pm_plugin_api::abi::{InstanceBox, ROOT_SYMBOL, RootRef};
use pm_plugin_api::settings::Texts;
use pm_plugin_api::{Error, ErrorKind};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

/// A loaded library.
#[derive(Clone, Copy)]
pub(super) enum Root {
    Rust(RootRef),
    C(c::Root),
}

/// A live part with its settings.
pub(super) enum Instance {
    Rust(InstanceBox),
    C(c::Instance),
}

/// Loads the library that was checked on `file`. Runs its static constructors and its entry point, on this thread.
pub(super) fn load(file: File, maker: &Maker) -> Result<Root, Reason> {
    let plugin: Arc<str> = maker.name.as_str().into();
    log::speaking(&plugin, None, || {
        let library = open(&file)?;
        // From here on the library is in the process for good, and with it the number of its descriptor.
        let _stays_open = ManuallyDrop::new(file);
        let library = ManuallyDrop::new(library);
        let Some(header) = entry_point(&library)? else { return c::root(&library, maker).map(Root::C) };
        let header = header.upgrade().map_err(|error| reason(&error, maker))?;
        let root = root_module(header, maker)?;
        (root.attach())(log::host());
        Ok(Root::Rust(root))
    })
}

fn open(file: &File) -> Result<Library, Reason> {
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: loading runs the library's constructors, which may do anything. The file was judged on this very
    // descriptor: only root or our own user can have written it, it is whole, for this machine, and it carries a
    // manifest, so it was built to be loaded by this program. The library is never unloaded.
    unsafe { Library::open(Some(&name), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
        let text = chain_of(&error);
        let why = text.strip_prefix(&format!("{name}: ")).unwrap_or(&text);
        Reason::Linking { why: why.to_owned() }
    })
}

/// The door of Rust, when the library has it.
fn entry_point(library: &Library) -> Result<Option<AbiHeaderRef>, Reason> {
    // SAFETY: a symbol is only an address here; nothing is read through it yet.
    let Ok(address) = (unsafe { library.get::<*const AbiHeader>(ROOT_SYMBOL) }) else { return Ok(None) };
    if address.is_null() {
        return Err(Reason::NoEntryPoint);
    }
    // SAFETY: `AbiHeaderRef` is transparent over the address of an `AbiHeader`. The address is not null and points
    // into a library that is never unloaded; a library with our manifest exports a `LibHeader` under this name
    // (both are written by the same macro), which begins with its `AbiHeader`. `upgrade` compares the header's
    // magic and version before anything beyond it is read.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL) }.map_err(|_| Reason::NoEntryPoint)?;
    Ok(Some(*header))
}

/// Compares the types of the boundary and runs the entry point.
fn root_module(header: &'static LibHeader, maker: &Maker) -> Result<RootRef, Reason> {
    header.init_root_module::<RootRef>().map_err(|error| reason(&error, maker))
}

/// abi_stable explains itself in up to thousands of lines; one is for the operator.
fn reason(error: &LibraryError, maker: &Maker) -> Reason {
    tracing::debug!(target: "plugin", plugin = %maker.name, %error, "the library does not fit this pm");
    match error {
        LibraryError::InvalidAbiHeader(found) if found.magic_string == AbiHeader::VALUE.magic_string => {
            Reason::AbiStable { found: version(found), ours: version(&AbiHeader::VALUE) }
        }
        LibraryError::InvalidAbiHeader(_) => Reason::NoEntryPoint,
        LibraryError::RootModule { err, .. } => {
            let text = err.to_string();
            let why = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Reason::EntryPoint { maker: maker.clone(), why }
        }
        _ => Reason::Layout { maker: maker.clone() },
    }
}

fn version(header: &AbiHeader) -> String {
    format!("{}.{}", header.abi_major, header.abi_minor)
}

fn chain_of(error: &dyn std::error::Error) -> String {
    // The outer text says only that the call failed; the reason is in the innermost one.
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

impl Root {
    /// Makes a part. Runs the library's code.
    pub(super) fn create(&self, kind: &str, name: &str, settings: &Texts) -> Result<Instance, Error> {
        let settings = serde_json::to_vec(settings)?;
        match self {
            Self::Rust(root) => {
                let (kind, name) = (RStr::from_str(kind), RStr::from_str(name));
                match (root.create())(kind, name, RSlice::from_slice(&settings)) {
                    RResult::ROk(instance) => Ok(Instance::Rust(instance)),
                    RResult::RErr(error) => Err(read_error(&error)),
                }
            }
            Self::C(root) => root.create(kind, name, &settings).map(Instance::C),
        }
    }
}

impl Instance {
    /// Runs an operation. Runs the library's code.
    pub(super) fn call(&self, op: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Rust(instance) => match instance.call(RStr::from_str(op), RSlice::from_slice(body)) {
                RResult::ROk(answer) => Ok(answer.into_vec()),
                RResult::RErr(error) => Err(read_error(&error)),
            },
            Self::C(instance) => instance.call(op, body),
        }
    }
}

fn read_error(bytes: &[u8]) -> Error {
    serde_json::from_slice(bytes).unwrap_or_else(|_| {
        Error::new(ErrorKind::Failed, "failed with an error that this pm cannot read; rebuild the plugin")
    })
}
