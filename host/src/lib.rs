//! pm turns an alarm in a database table into a verified restart.
//!
//! > The poller reads a **View**; `decide` turns it into a **Plan**; each **Job** of the plan is *responded to*
//! > (claim, evidence, pre-restart, restart, verify) and yields an **Outcome**; `settle` turns the outcome into a
//! > **Settlement**; the journal and the store commit it.
//!
//! The modules in the order of that sentence: `policy` judges (pure), `ports` are its seams to the world,
//! `respond` carries out one job, `daemon` is the loop, and the rest are edges that never import each other:
//! `config`, `calendar`, `store`, `journal`, `notify`, `plugins`, `exec`, `evidence`, `clock`, `telemetry`. `cli` puts them together.

pub mod calendar;
pub mod chronicle;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod daemon;
mod discreet;
pub mod evidence;
pub mod exec;
pub mod failpoint;
pub mod intercom;
pub mod journal;
pub mod notify;
pub mod plugins;
pub mod ports;
pub mod presence;
pub mod respond;
pub mod spec;
pub mod store;
pub mod telemetry;
mod wording;
mod write_ahead;

pub use pm_policy as policy;
