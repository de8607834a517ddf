//! Who holds a link, and since which epoch.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Epoch, seconds};

/// One process that may hold leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Unique to this process, forever.
    pub id: String,
    /// The machine's name.
    pub host: String,
    /// The process table that lists it: the machine's boot and the process namespace, if the system tells. Two
    /// containers on one machine have different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Process id on that machine.
    pub pid: u32,
    /// When that process started, in the system's clock ticks since boot: detects a reused pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ticks: Option<u64>,
    /// The user or job it works for.
    pub actor: String,
}

/// For display: who it works for, and where to find it.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, host, boot: _, pid, started_ticks: _, actor } = self;
        write!(f, "{actor} (process {pid} on {host})")
    }
}

/// The lease of one link.
///
/// Expiry never depends on a time in this record. An observer that saw the same `epoch` and `beat` for the whole
/// `duration` on its own monotonic clock may take it over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Rises with every takeover, and never falls.
    pub epoch: Epoch,
    /// Rises with every renewal.
    pub beat: u64,
    /// Who holds it; `None` once released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Time without a renewal until an observer may take it over, in whole seconds.
    #[serde(with = "seconds")]
    pub duration: Duration,
}

impl Lease {
    /// Whether `now` shows neither a renewal nor a takeover since `self`, so that an observer may take the lease over.
    pub fn unchanged_in(&self, now: &Self) -> bool {
        self.epoch == now.epoch && self.beat == now.beat
    }
}
