//! Hosts of a test: network namespaces of this machine, each with a cable to it.
//!
//! Everything is gone when it is dropped. It needs root, as the components of the tests do.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A host with a network of its own.
pub struct Namespace {
    name: String,
    cable: String,
    number: u8,
}

impl Namespace {
    /// A host with its cable plugged in.
    ///
    /// # Panics
    /// When the system does not allow it; says what it answered.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let place = std::process::id().wrapping_mul(7).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let number = u8::try_from(place % 250).expect("below 250") + 1;
        let host = Self { name: format!("pmt{place}"), cable: format!("pmt{}", place % 1_000_000), number };
        let (name, cable) = (&host.name, &host.cable);
        ip(&format!("netns add {name}"));
        ip(&format!("link add {cable} type veth peer name eth0 netns {name}"));
        ip(&format!("addr add {}/30 dev {cable}", host.outside()));
        ip(&format!("link set {cable} up"));
        ip(&format!("-n {name} addr add 10.231.{number}.2/30 dev eth0"));
        ip(&format!("-n {name} link set lo up"));
        ip(&format!("-n {name} link set eth0 up"));
        host
    }

    /// This machine, as it is seen from there.
    #[must_use]
    pub fn outside(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 231, self.number, 1)
    }

    /// What runs a program there.
    #[must_use]
    pub fn launcher(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Pulls the cable out.
    pub fn unplug(&self) {
        ip(&format!("link set {} down", self.cable));
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
        let _ = Command::new("ip").args(["link", "del", &self.cable]).output();
    }
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).output();
    let done = done.unwrap_or_else(|error| panic!("ip {words}: {error}; iproute2 is needed"));
    assert!(done.status.success(), "ip {words}: {}", String::from_utf8_lossy(&done.stderr));
}
