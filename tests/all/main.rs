//! All tests that need more than one crate, in one binary: one link, shared doubles, one list.

mod plugins;
mod store_contract;
mod tidy;
