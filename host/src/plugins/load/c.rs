//! The door of C: a library's function table, and the parts behind it. With `load.rs` the only file of the host with
//! `unsafe` code.
//!
//! The table is judged once, when the library is loaded; nothing is called through a function that is missing. Whatever
//! the library answers is copied and handed back at once. What cannot be checked is what stands in `pm_plugin.h`: that the
//! functions have these types and keep their word. A library that lies may do anything to the process that it runs in,
//! as any library may; that is why libraries run in a process of their own.

// Calls of the library's functions and reads of what they answer, each with its argument.
#![allow(unsafe_code)]

use super::log;
use crate::plugins::refusal::{Maker, Reason};
use crate::policy::model::printable;
use libloading::os::unix::Library;
use pm_plugin_api::c::{self, Bytes, C_SYMBOL, Host, Table, Text};
use pm_plugin_api::{Error, ErrorKind};
use std::ffi::{CStr, CString, c_char, c_int, c_void};

/// No answer is longer: what is beyond is a wild length, and reading it would end the process.
const LONGEST: usize = 16 << 20;

/// A library that was loaded through its table.
#[derive(Clone, Copy)]
pub(in crate::plugins) struct Root {
    create: c::Create,
    call: c::Call,
    drop: c::Drop,
    free: c::Free,
}

/// A live part of it.
pub(in crate::plugins) struct Instance {
    root: Root,
    part: *mut c_void,
}

// SAFETY: the contract of the table: `call` comes from any thread and from several at once, `drop` from any thread and
// when no call is left, which ownership grants here. This program never reads through the address itself.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

/// Finds the table, judges it, and connects the library to this host.
pub(super) fn root(library: &Library, maker: &Maker) -> Result<Root, Reason> {
    // SAFETY: a symbol is only an address here; nothing is read through it yet.
    let symbol = unsafe { library.get::<*const Table>(C_SYMBOL) }.map_err(|_| Reason::NoEntryPoint)?;
    let wrong = |what: String| Reason::Table { maker: maker.clone(), what };
    let address: *const Table = *symbol;
    if address.is_null() || !address.is_aligned() {
        return Err(wrong("is at an impossible address".to_owned()));
    }
    // SAFETY: not null, aligned, and inside of a library that is never unloaded. A library with our manifest says with
    // this symbol that it has such a table, and every version of it begins with its size.
    let size = unsafe { (*address).size };
    if size < size_of::<Table>() {
        return Err(wrong(format!("has {size} bytes, and {} are needed", size_of::<Table>())));
    }
    // SAFETY: as above, and it says itself that all of it is there. It is constant, and any bytes are a valid `Table`
    // but for functions, which are null or what the header says.
    let table = unsafe { *address };
    let missing = |name: &str| wrong(format!("has no function {name}"));
    let attach = table.attach.ok_or_else(|| missing("attach"))?;
    let root = Root {
        create: table.create.ok_or_else(|| missing("create"))?,
        call: table.call.ok_or_else(|| missing("call"))?,
        drop: table.drop.ok_or_else(|| missing("drop"))?,
        free: table.free.ok_or_else(|| missing("free"))?,
    };
    // SAFETY: the first call of the library, with a table that lives as long as the program.
    unsafe { attach(&raw const HOST) };
    Ok(root)
}

impl Root {
    /// Makes a part. Runs the library's code.
    pub(super) fn create(&self, kind: &str, name: &str, settings: &[u8]) -> Result<Instance, Error> {
        let (kind, name, settings) = (text(kind)?, text(name)?, text(settings)?);
        let (mut part, mut error) = (std::ptr::null_mut(), Bytes::NONE);
        // SAFETY: the texts live until the call has returned and end with a NUL; both addresses to write to are valid.
        let status = unsafe {
            (self.create)(view(&kind), view(&name), view(&settings), &raw mut part, &raw mut error)
        };
        let error = self.taken(error);
        if status == 0 { Ok(Instance { root: *self, part }) } else { Err(read_error(&error?)) }
    }

    /// Copies what the library has answered and gives it back.
    fn taken(&self, bytes: Bytes) -> Result<Vec<u8>, Error> {
        let copy = match bytes {
            Bytes { at, length } if at.is_null() || length == 0 => Ok(Vec::new()),
            Bytes { length, .. } if length > LONGEST => {
                Err(Error::failed(format!("it answered {length} bytes; at most {LONGEST} are taken")))
            }
            // SAFETY: the contract of the table: so many bytes stand there until they are given back, which is below. The
            // length is bounded, and bytes are all that is read.
            Bytes { at, length } => {
                Ok(unsafe { std::slice::from_raw_parts(at.cast::<u8>(), length) }.to_vec())
            }
        };
        // SAFETY: exactly once, for what this library has just answered; also for nothing, as the contract says.
        unsafe { (self.free)(bytes) };
        copy
    }
}

impl Instance {
    /// Runs an operation. Runs the library's code.
    pub(super) fn call(&self, op: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let (op, body) = (text(op)?, text(body)?);
        let mut answer = Bytes::NONE;
        // SAFETY: the part is the library's own and was not dropped; the texts live until the call has returned and end
        // with a NUL; the address to write to is valid.
        let status = unsafe { (self.root.call)(self.part, view(&op), view(&body), &raw mut answer) };
        let answer = self.root.taken(answer)?;
        if status == 0 { Ok(answer) } else { Err(read_error(&answer)) }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: once, and nothing can call it any more: whoever calls borrows it.
        unsafe { (self.root.drop)(self.part) };
    }
}

/// JSON has no NUL in it and names are words, so only a request that is none gets lost here.
fn text(bytes: impl Into<Vec<u8>>) -> Result<CString, Error> {
    CString::new(bytes)
        .map_err(|_| Error::failed("a request with a NUL character in it cannot be handed over"))
}

fn view(text: &CStr) -> Text {
    Text { at: text.as_ptr(), length: text.count_bytes() }
}

/// The error as JSON, else what it says as a text.
fn read_error(bytes: &[u8]) -> Error {
    serde_json::from_slice(bytes).unwrap_or_else(|_| {
        let said = printable(String::from_utf8_lossy(bytes).trim());
        let said = if said.is_empty() { "failed and said nothing of it" } else { &said };
        Error::new(ErrorKind::Failed, said)
    })
}

/// What is lent to every library; one for the life of the program.
static HOST: Host = Host { size: size_of::<Host>(), log: said, max_level };

extern "C" fn max_level() -> c_int {
    c_int::from(log::wanted())
}

unsafe extern "C" fn said(level: c_int, module: *const c_char, text: *const c_char) {
    let words = |at: *const c_char| {
        if at.is_null() {
            return String::new();
        }
        // SAFETY: not null; the contract of the table: a text of the library that ends with a NUL and stays until this
        // function returns.
        unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
    };
    log::said(u8::try_from(level.clamp(1, 5)).unwrap_or(1), &words(module), &words(text));
}
