//! Connections for the plugins that speak to a network: from a name to an answer, within one deadline.
//!
//! The deadline covers name, connection, TLS and every byte; each failure says at which of these it went wrong and what to
//! do. There is one TLS, rustls on ring, and one place that knows whom to trust. No proxy, no second try.
//!
//! It must not print what may be secret: credentials and queries of addresses, header values, what was sent.

#![forbid(unsafe_code)]

pub mod address;
pub mod connect;
pub mod deadline;
pub mod failure;
#[cfg(feature = "testing")]
#[allow(missing_docs, clippy::unwrap_used)]
pub mod fake;
pub mod header;
pub mod link;
pub mod tls;
pub mod transport;
