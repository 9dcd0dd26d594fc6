//! The configuration file: text to entries with lines, entries to a typed [`Config`] with **all**
//! [problems](Problem), and the effective settings for people and programs.
//!
//! It promises that files of the predecessor mean what they always meant, that no input makes it fail other than by
//! a problem with file and line, and that no secret leaves it in a message. It opens no database, loads no plugin
//! and reads no clock: what it must know of plugins comes as a [`Catalogue`], of the world as an [`Environment`].

mod compile;
pub mod control;
pub mod database;
pub mod effective;
pub mod environment;
pub mod group;
mod ini;
pub mod library;
pub mod loaded;
pub mod model;
pub mod problem;
pub mod process;
pub mod secret;
mod sections;
mod specs;
#[cfg(test)]
mod tests;
mod variables;

pub use compile::load;
pub use control::{Control, Criticality, Levels};
pub use database::Database;
pub use environment::{Catalogue, Environment, Files, Installed, Refused, Users};
pub use group::Group;
pub use library::{Isolation, Library};
pub use loaded::Loaded;
pub use model::{Config, Dialect, History, LogFormat, LogLevel, Logging, Monitor, Plugins, SelfRecovery};
pub use problem::{Problem, Severity};
pub use process::{Process, Setting};
pub use secret::Secret;
pub use specs::look_up;
pub use variables::environment;
