//! The other door into a library: one function table of plain C, for plugins that are not written in Rust.
//!
//! `include/pm_plugin.h` is the same for authors, with the contract in prose; a test compiles that header and compares it
//! with this file. Both are frozen like [`crate::abi`]: what travels is the same JSON, so growth happens in there. The
//! field `size` at the head of both tables says how much of them there is, and is looked at before anything behind it.
//!
//! Nothing outside pm's loader may name these types.

use std::ffi::{c_char, c_int, c_void};

/// The symbol under which a library exports its [`Table`].
pub const C_SYMBOL: &str = "pm_plugin_c_v1";

/// A text that pm hands in: UTF-8, followed by a NUL that is not counted, with no other NUL in it. It is the host's, and
/// is gone when the call returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// Where it begins; never null.
    pub at: *const c_char,
    /// Its bytes.
    pub length: usize,
}

/// What a library answers; it stays the library's, which gets it back through [`Table::free`].
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Bytes {
    /// Where it begins; null when there is none.
    pub at: *mut c_char,
    /// How many there are.
    pub length: usize,
}

impl Bytes {
    /// What every call finds before it writes its answer.
    pub const NONE: Self = Self { at: std::ptr::null_mut(), length: 0 };
}

/// What the host lends to a library for its whole life.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Bytes of this table.
    pub size: usize,
    /// Takes a log line: level (1 error … 5 trace), who speaks, text; both end with a NUL. Any thread may call it.
    pub log: unsafe extern "C" fn(level: c_int, module: *const c_char, text: *const c_char),
    /// The most verbose level that somebody listens to (0 none … 5 trace). Any thread may call it.
    pub max_level: extern "C" fn() -> c_int,
}

/// Connects the library to its host; called once, before anything else.
pub type Attach = unsafe extern "C" fn(host: *const Host);
/// Makes the part `kind`:`name` from a JSON object of settings. Answers 0 and the part, or anything else and an error.
pub type Create = unsafe extern "C" fn(
    kind: Text,
    name: Text,
    settings: Text,
    instance: *mut *mut c_void,
    error: *mut Bytes,
) -> c_int;
/// Runs operation `op` on a JSON body. Answers 0 and JSON, or anything else and an error. Called from several threads
/// at once.
pub type Call =
    unsafe extern "C" fn(instance: *mut c_void, op: Text, body: Text, answer: *mut Bytes) -> c_int;
/// Ends a part; nothing calls it any more.
pub type Drop = unsafe extern "C" fn(instance: *mut c_void);
/// Takes an answer or an error back, which has been copied.
pub type Free = unsafe extern "C" fn(bytes: Bytes);

/// What a library offers to the host. A function that is missing is null, and then the library is refused.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Bytes of this table.
    pub size: usize,
    /// See [`Attach`].
    pub attach: Option<Attach>,
    /// See [`Create`].
    pub create: Option<Create>,
    /// See [`Call`].
    pub call: Option<Call>,
    /// See [`Drop`].
    pub drop: Option<Drop>,
    /// See [`Free`].
    pub free: Option<Free>,
}
