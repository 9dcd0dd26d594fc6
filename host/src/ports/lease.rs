//! Who speaks for a host towards a database that many hosts share: one lease a host, and its number (epoch) is checked by
//! the database with every write.

use std::time::Duration;

/// What one pm calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The same for every start on one boot of one machine with one state directory, and for nobody else; of
    /// hexadecimal digits.
    pub instance: String,
    /// The machine, for people.
    pub name: String,
    /// How long a lease lasts without being renewed.
    pub lasts: Duration,
}

/// What became of asking for the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// It is this pm's; writes carry this number.
    Mine {
        /// Counts who has spoken for the host; greater than that of everybody before.
        epoch: i64,
    },
    /// Another pm speaks for this host.
    Theirs {
        /// Its machine, for people; may hold anything.
        name: String,
        /// When its lease ends without a renewal.
        left: Duration,
    },
    /// There are no leases here, so that nobody is kept away.
    None {
        /// Why.
        why: String,
    },
}

/// A host of the fleet, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `host_id`, or `default` without one; may hold anything.
    pub host: String,
    /// Its machine, for people; may hold anything.
    pub name: String,
    /// The version of its pm; may hold anything.
    pub version: String,
    /// How often the lease has changed hands.
    pub epoch: i64,
    /// How long ago it was heard of last.
    pub heard: Duration,
    /// Whether its lease holds.
    pub holds: bool,
    /// Whether it ended its lease in good order.
    pub left: bool,
}
