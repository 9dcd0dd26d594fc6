//! The program `pm`.
fn main() {}
