//! Notices: what happened becomes words in the language of each receiver, and goes out without delaying anything.
//!
//! Each receiver has a desk of its own (bounded queue, deduplication, limit, pauses, breaker; pure, see [`desk`]) and a
//! thread that works on it and blocks when there is nothing to send. So a receiver that is slow or away delays neither the
//! daemon nor another receiver. Nothing here restarts anything, and nothing of a queue outlives pm.

mod desk;
mod item;
mod office;
mod texts;

pub use office::{Office, deliver};
