//! The judgement of pm: from what is seen to what is done, and from what came of it to what is remembered.
//!
//! **Pure.** No I/O, no clock, no threads, no serialisation: `now` is an argument, everything else is data.
//! A simulated day runs in a millisecond, and every rule can be asked about (`pm why`).

pub mod backoff;
pub mod breaker;
pub mod decide;
pub mod graph;
pub mod hold;
pub mod model;
pub mod name;
pub mod relations;
pub mod settle;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod time;
pub mod window;
