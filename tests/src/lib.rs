//! What the tests share: where the built program is, the real components, a fault proxy.

pub mod c;
pub mod commands;
pub mod components;
pub mod evidence;
pub mod findings;
pub mod netns;
pub mod postgres;
pub mod proxy;
pub mod sandbox;
