//! The fuzzer of `checks::frames`.

#![no_main]

#[path = "../src/checks.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::frames(bytes));
