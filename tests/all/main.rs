//! All tests that need more than one crate, in one binary: one link, shared doubles, one list.

// Tests from top to bottom; the lint itself excuses only functions that are marked as tests.
#![allow(clippy::unwrap_used)]

mod cli;
mod daemon;
mod demo;
mod docker;
mod engine;
mod inputs;
mod mariadb;
mod notify;
mod plugins;
mod postgres;
mod store_contract;
mod systemd;
mod tidy;
