//! Everything a plugin of the process monitor *pm* needs.
//!
//! A plugin is a dynamic library (`crate-type = ["cdylib"]`) with one or more *parts*: [strategies](Strategy)
//! that restart something, [checks](HealthCheck) that find out whether it works, and [notifiers](Notifier) that tell
//! people what happened. Write a type, implement the trait, export it:
//!
//! ```
//! use pm_plugin_api::{Error, NoSettings, Outcome, Result, Strategy, Target};
//! use std::process::Command;
//!
//! struct Runit;
//!
//! impl Strategy for Runit {
//!     type Settings = NoSettings;
//!
//!     fn new(_: NoSettings) -> Result<Self> {
//!         Ok(Self)
//!     }
//!     fn restart(&self, target: &Target) -> Result<Outcome> {
//!         let out = Command::new("sv").args(["restart", &target.system_name]).output()?;
//!         tracing::info!(status = %out.status, "sv restart");
//!         if out.status.success() { Ok(Outcome::restarted("sv")) } else { Err(Error::failed("sv restart failed")) }
//!     }
//! }
//!
//! pm_plugin_api::export! { strategy "runit" => Runit }
//! ```
//!
//! Copy the library into pm's plugin directory by rename (`install`, or `cp` beside it and `mv`), and the section
//! of a process can say `restart_strategy = runit`.
//!
//! * Settings: declare them with [`settings!`]; pm checks the operator's keys against them with line numbers.
//! * Logging: use `tracing`; the events appear in pm's log. Printing is not needed and goes nowhere useful.
//! * Errors: `?` works on every error; the [kind](ErrorKind) decides what pm does next.
//! * Asynchronous libraries: own a current-thread runtime and block on it.
//! * Commands: [`command`] runs one with a limit; [`detach`] starts a program that outlives pm.
//! * Never build with `panic = "abort"`: a panic would take the process down that loaded the library. `export!` refuses it.
//!
//! The version of this crate is the version of the interface: 1.x loads in every pm that speaks interface 1.

pub mod abi;
mod allowed;
mod bridge;
pub mod c;
pub mod command;
pub mod detach;
mod error;
#[doc(hidden)]
pub mod export;
pub mod manifest;
mod notice;
mod part;
pub mod settings;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tutorial;
mod types;
pub mod value;

pub use error::{Error, ErrorKind, Result};
pub use notice::{Notice, Severity};
pub use part::{HealthCheck, Notifier, Strategy};
pub use settings::{NoSettings, Settings};
#[doc(hidden)]
pub use types::Request;
pub use types::{Action, Evidence, Fallback, Health, Outcome, Target};
