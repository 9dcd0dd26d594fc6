//! The judgement of pm: from what is seen to what is done, and from what came of it to what is remembered.
//!
//! **Pure.** No I/O, no clock, no threads, no serialisation: `now` is an argument, everything else is data.
//! A simulated day runs in a millisecond, and every rule can be asked about (`pm why`).

pub mod advance;
pub mod backoff;
pub mod breaker;
pub mod bucket;
mod case;
pub mod decide;
pub mod dice;
pub mod driver;
mod fate;
pub mod graph;
pub mod group;
pub mod hold;
pub mod job;
pub mod mass;
pub mod model;
pub mod name;
pub mod notice;
pub mod relations;
mod round;
pub mod rules;
mod saw;
pub mod sentence;
pub mod settle;
mod sight;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod view;
pub mod window;
