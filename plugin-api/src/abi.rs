//! The frozen binary surface between pm and a plugin library: one method, one root table, one host table.
//!
//! This file is frozen: abi_stable refuses an *older* plugin in a *newer* host as soon as a method or a field is
//! added, and that is the upgrade every operator makes. Growth happens inside the JSON bodies (new optional
//! fields, new operations); another surface would be another symbol beside [`ROOT_SYMBOL`].
//!
//! Nothing outside this crate and pm's loader may name these types; authors write against the traits.

// `#[sabi_trait]` and the derives expand to unsafe impls and to items clippy dislikes; abi_stable checks the
// layouts they promise at load time, which is the argument for every `unsafe` generated in this file.
#![allow(unsafe_code, non_local_definitions, missing_docs, unreachable_pub)]
#![allow(clippy::used_underscore_binding, clippy::expl_impl_clone_on_copy, clippy::needless_pass_by_value)]

use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, RResult, RSlice, RStr, RVec};
use abi_stable::{StableAbi, sabi_trait};

/// The symbol under which a library exports its `LibHeader`.
pub const ROOT_SYMBOL: &str = "pm_plugin_root_v1";

/// One live part of a plugin: a strategy, a check or a notifier with its settings.
#[sabi_trait]
pub trait Instance: Send + Sync {
    /// Runs operation `op` on the JSON `body`; answers JSON, in the error case that of [`crate::Error`].
    #[sabi(last_prefix_field)]
    fn call(&self, op: RStr<'_>, body: RSlice<'_, u8>) -> RResult<RVec<u8>, RVec<u8>>;
}

/// An owned [`Instance`].
pub type InstanceBox = Instance_TO<'static, RBox<()>>;

/// What the host lends to a library for its whole life.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostRef)))]
#[sabi(missing_field(panic))]
pub struct Host {
    /// Takes a log line: level (1 error … 5 trace), target, text.
    pub log: extern "C" fn(u8, RStr<'_>, RStr<'_>),
    /// The most verbose level somebody listens to (0 none … 5 trace).
    #[sabi(last_prefix_field)]
    pub max_level: extern "C" fn() -> u8,
}

/// What a library offers to the host.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RootRef)))]
#[sabi(missing_field(panic))]
pub struct Root {
    /// Called once, before anything else.
    pub attach: extern "C" fn(HostRef),
    /// Makes the part `kind`:`name` from a JSON object of settings.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(RStr<'_>, RStr<'_>, RSlice<'_, u8>) -> RResult<InstanceBox, RVec<u8>>,
}

impl RootModule for RootRef {
    abi_stable::declare_root_module_statics! {RootRef}

    const BASE_NAME: &'static str = "pm_plugin";
    const NAME: &'static str = "pm_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
