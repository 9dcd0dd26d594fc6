//! `export!`: turns types that implement the traits into a library that pm loads.
//!
//! Everything that enters the library passes [`guarded`]: a panic becomes an error of kind "panicked" that
//! names the operation and the place. The payload of a panic is forgotten, not dropped, because its drop may
//! panic again.

use crate::abi::{HostRef, Instance_TO, InstanceBox, Root, RootRef};
use crate::bridge;
use crate::error::{Error, ErrorKind, Result};
use crate::part::{HealthCheck, Notifier, Strategy};
use crate::settings::{Settings, Texts};
use crate::types::Request;
use abi_stable::erased_types::TD_Opaque;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RErr, ROk, RResult, RSlice, RStr, RVec};
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A part behind the one method of the binary interface.
pub trait Part: Send + Sync + 'static {
    /// Answers operation `op` on a JSON body with a JSON value.
    ///
    /// # Errors
    /// Those of the part; [`ErrorKind::Unsupported`] for an operation it does not know.
    fn call(&self, op: &str, request: &Request) -> Result<Vec<u8>>;
}

/// A strategy as a [`Part`].
pub struct StrategyPart<S>(S);
/// A check as a [`Part`].
pub struct CheckPart<C>(C);
/// A notifier as a [`Part`].
pub struct NotifierPart<N>(N);

/// Makes a part from its settings.
pub type Maker = fn(&Texts) -> Result<Box<dyn Part>>;

impl<S: Strategy> StrategyPart<S> {
    /// The schema of its settings.
    pub const SCHEMA: &'static str = S::Settings::SCHEMA;
    /// See [`Maker`].
    ///
    /// # Errors
    /// Those of the settings and of [`Strategy::new`].
    pub fn make(texts: &Texts) -> Result<Box<dyn Part>> {
        Ok(Box::new(Self(S::new(S::Settings::read(texts)?)?)))
    }
}

impl<C: HealthCheck> CheckPart<C> {
    /// The schema of its settings.
    pub const SCHEMA: &'static str = C::Settings::SCHEMA;
    /// See [`Maker`].
    ///
    /// # Errors
    /// Those of the settings and of [`HealthCheck::new`].
    pub fn make(texts: &Texts) -> Result<Box<dyn Part>> {
        Ok(Box::new(Self(C::new(C::Settings::read(texts)?)?)))
    }
}

impl<N: Notifier> NotifierPart<N> {
    /// The schema of its settings.
    pub const SCHEMA: &'static str = N::Settings::SCHEMA;
    /// See [`Maker`].
    ///
    /// # Errors
    /// Those of the settings and of [`Notifier::new`].
    pub fn make(texts: &Texts) -> Result<Box<dyn Part>> {
        Ok(Box::new(Self(N::new(N::Settings::read(texts)?)?)))
    }
}

impl<S: Strategy> Part for StrategyPart<S> {
    fn call(&self, op: &str, request: &Request) -> Result<Vec<u8>> {
        match op {
            "restart" => encode(&self.0.restart(&request.target)?),
            "identity" => encode(&self.0.identity(&request.target)?),
            "evidence" => encode(&self.0.evidence(&request.target)?),
            _ => Err(unknown_operation(op)),
        }
    }
}

impl<C: HealthCheck> Part for CheckPart<C> {
    fn call(&self, op: &str, request: &Request) -> Result<Vec<u8>> {
        match op {
            "check" => encode(&self.0.check(&request.target)?),
            _ => Err(unknown_operation(op)),
        }
    }
}

impl<N: Notifier> Part for NotifierPart<N> {
    fn call(&self, op: &str, request: &Request) -> Result<Vec<u8>> {
        match op {
            "notify" => encode(&self.0.notify(&request.notice)?),
            _ => Err(unknown_operation(op)),
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::from(error).context("encoding the answer"))
}

fn unknown_operation(op: &str) -> Error {
    Error::unsupported(format!("this plugin was built before the operation {op:?} existed"))
}

/// Runs `body`; a panic in it becomes an error.
pub(crate) fn guarded<T>(op: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            std::mem::forget(payload);
            let place = bridge::last_panic().unwrap_or_else(|| "an unknown place".to_owned());
            Err(Error::new(ErrorKind::Panicked, format!("panicked in {op} at {place}")))
        }
    }
}

fn answer(result: Result<Vec<u8>>) -> RResult<RVec<u8>, RVec<u8>> {
    match result {
        Ok(bytes) => ROk(bytes.into()),
        Err(error) => RErr(error_bytes(&error)),
    }
}

fn error_bytes(error: &Error) -> RVec<u8> {
    serde_json::to_vec(error).unwrap_or_default().into()
}

/// A part on the other side of the boundary; it holds one until it is dropped.
struct Instance(Option<Box<dyn Part>>);

impl crate::abi::Instance for Instance {
    fn call(&self, op: RStr<'_>, body: RSlice<'_, u8>) -> RResult<RVec<u8>, RVec<u8>> {
        answer(guarded(op.as_str(), || {
            let request: Request = serde_json::from_slice(body.as_slice())
                .map_err(|error| Error::from(error).context("reading the request"))?;
            let part = self.0.as_ref().ok_or_else(|| Error::failed("the part was dropped"))?;
            part.call(op.as_str(), &request)
        }))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let part = self.0.take();
        // Unguarded, a panic in the author's `drop` would end the process. The hook has logged it.
        let _ = guarded("drop", || {
            drop(part);
            Ok(())
        });
    }
}

/// Body of the library's `create`.
#[doc(hidden)]
pub fn create(
    parts: &[(&str, &str, Maker)],
    kind: RStr<'_>,
    name: RStr<'_>,
    settings: RSlice<'_, u8>,
) -> RResult<InstanceBox, RVec<u8>> {
    let made = guarded("create", || {
        let texts: Texts = serde_json::from_slice(settings.as_slice())
            .map_err(|error| Error::from(error).context("reading the settings"))?;
        let (_, _, make) = parts
            .iter()
            .find(|(its_kind, its_name, _)| *its_kind == kind.as_str() && *its_name == name.as_str())
            .ok_or_else(|| Error::not_found(format!("this library offers no {kind} {name:?}")))?;
        make(&texts)
    });
    match made {
        Ok(part) => ROk(Instance_TO::from_value(Instance(Some(part)), TD_Opaque)),
        Err(error) => RErr(error_bytes(&error)),
    }
}

/// Body of the library's root loader.
#[doc(hidden)]
#[must_use]
pub fn root(
    create: extern "C" fn(RStr<'_>, RStr<'_>, RSlice<'_, u8>) -> RResult<InstanceBox, RVec<u8>>,
) -> RootRef {
    extern "C" fn attach(host: HostRef) {
        bridge::attach(host);
    }
    Root { attach, create }.leak_into_prefix()
}

/// What the macro needs of abi_stable, so that authors do not depend on it.
#[doc(hidden)]
pub mod reexport {
    pub use abi_stable::library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult};
    pub use abi_stable::std_types::{RResult, RSlice, RStr, RVec};
}

/// Exports parts from a library; once per crate, of crate type `cdylib`.
///
/// ```ignore
/// pm_plugin_api::export! {
///     strategy "runit" => Runit,
///     check "runit" => RunitCheck,
///     notifier "pager" => Pager,
/// }
/// ```
#[macro_export]
macro_rules! export {
    ($($kind:ident $name:literal => $part:ty),+ $(,)?) => {
        #[cfg(panic = "abort")]
        compile_error!(
            "a plugin of pm cannot be built with panic = \"abort\": a panic would end the process that loads it; \
             remove it from the profile"
        );

        /// What this library says of itself, in a section that is read before the library is loaded.
        #[used]
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".pm_plugin")]
        #[allow(non_upper_case_globals)]
        pub static pm_plugin_manifest: $crate::manifest::Raw = $crate::manifest::Raw::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            concat!($(stringify!($kind), ":", $name, " "),+),
        );

        const _: () = {
            const PARTS: &[&str] = &[$(
                stringify!($kind), ":", $name, "\u{1e}", <$crate::__part!($kind, $part)>::SCHEMA, "\u{1d}",
            )+];
            const LEN: usize = $crate::settings::joined_len(PARTS);

            #[used]
            #[unsafe(link_section = ".pm_settings")]
            static SETTINGS: [u8; LEN] = $crate::settings::join(PARTS);

            extern "C" fn create(
                kind: $crate::export::reexport::RStr<'_>,
                name: $crate::export::reexport::RStr<'_>,
                settings: $crate::export::reexport::RSlice<'_, u8>,
            ) -> $crate::export::reexport::RResult<
                $crate::abi::InstanceBox,
                $crate::export::reexport::RVec<u8>,
            > {
                const MAKERS: &[(&str, &str, $crate::export::Maker)] =
                    &[$((stringify!($kind), $name, <$crate::__part!($kind, $part)>::make)),+];
                $crate::export::create(MAKERS, kind, name, settings)
            }

            fn root() -> $crate::abi::RootRef {
                $crate::export::root(create)
            }

            extern "C" fn load() -> $crate::export::reexport::RootModuleResult {
                $crate::export::reexport::__call_root_module_loader(root)
            }

            // The loader returns a `RootRef`, the type that is named here; abi_stable checks its layout at load.
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals)]
            pub static pm_plugin_root_v1: $crate::export::reexport::LibHeader = unsafe {
                $crate::export::reexport::LibHeader::from_constructor::<$crate::abi::RootRef>(
                    load,
                    $crate::export::reexport::CheckTypeLayout::Yes,
                )
            };
        };
    };
}

/// The wrapper for a kind of part.
#[doc(hidden)]
#[macro_export]
macro_rules! __part {
    (strategy, $part:ty) => { $crate::export::StrategyPart<$part> };
    (check, $part:ty) => { $crate::export::CheckPart<$part> };
    (notifier, $part:ty) => { $crate::export::NotifierPart<$part> };
    ($other:ident, $part:ty) => { compile_error!("the kinds of parts are: strategy, check, notifier") };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::NoSettings;
    use crate::types::{Evidence, Outcome, Target};

    struct Plain;

    impl Strategy for Plain {
        type Settings = NoSettings;
        fn new(_: NoSettings) -> Result<Self> {
            Ok(Self)
        }
        fn restart(&self, _: &Target) -> Result<Outcome> {
            Ok(Outcome::ran("plain"))
        }
    }

    struct Witnessed;

    impl Strategy for Witnessed {
        type Settings = NoSettings;
        fn new(_: NoSettings) -> Result<Self> {
            Ok(Self)
        }
        fn restart(&self, _: &Target) -> Result<Outcome> {
            Ok(Outcome::ran("witnessed"))
        }
        fn evidence(&self, target: &Target) -> Result<Evidence> {
            Ok(Evidence::default().fact("name", &target.name).pid(7).lines(["a", "b"]))
        }
    }

    fn asked<S: Strategy>(op: &str) -> Result<String> {
        let part = StrategyPart::<S>::make(&Texts::new())?;
        let answer = part.call(op, &Request { target: Target::named("web"), ..Request::default() })?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    #[test]
    fn an_operation_that_the_library_does_not_know_is_unsupported() {
        for op in ["evidence", "levitate"] {
            let error = asked::<Plain>(op).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported, "{op}: {error}");
        }
        assert!(asked::<Plain>("restart").is_ok());
    }

    #[test]
    fn evidence_has_a_shape_that_stays() {
        let expected = r#"{"facts":[["name","web"]],"pids":[7],"log":["a","b"],"ask":[]}"#;
        assert_eq!(asked::<Witnessed>("evidence").as_deref(), Ok(expected));
    }

    struct Loud;

    impl Notifier for Loud {
        type Settings = NoSettings;
        fn new(_: NoSettings) -> Result<Self> {
            Ok(Self)
        }
        fn notify(&self, notice: &crate::Notice) -> Result<()> {
            if notice.summary.is_empty() { Err(Error::failed("nothing to say")) } else { Ok(()) }
        }
    }

    #[test]
    fn a_notifier_answers_to_the_operation_notify_alone() {
        let part = NotifierPart::<Loud>::make(&Texts::new()).unwrap();
        let request = Request { notice: crate::Notice::of("test", "hello"), ..Request::default() };
        assert_eq!(part.call("notify", &request), Ok(b"null".to_vec()));
        assert_eq!(part.call("notify", &Request::default()).unwrap_err().message, "nothing to say");
        assert_eq!(part.call("restart", &request).unwrap_err().kind, ErrorKind::Unsupported);
        let tested = crate::testing::notifier::<Loud>(&[]).unwrap();
        assert_eq!(tested.notify(&request.notice), Ok(()));
    }
}
