//! The checks "http" and "tcp": does the service answer, and does it answer what it should.
//!
//! Each look makes a new connection within one deadline that covers name, connection, TLS and answer, and reads a
//! bounded amount. An unhealthy answer says at which of these it went wrong.
//!
//! It must not print what may be secret (credentials and queries of addresses, header values, what was sent), must not
//! use a proxy, and must not hand credentials on to another host.

#![forbid(unsafe_code)]

mod body;
mod bytes;
mod http;
mod status;
mod tcp;

#[cfg(test)]
mod tests;

use http::Http;
use tcp::Tcp;

pm_plugin_api::export! {
    check "http" => Http,
    check "tcp" => Tcp,
}
