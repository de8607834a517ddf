//! Who holds a link, and since which epoch.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Epoch;

/// One process that may hold leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Unique for this process in all of time.
    pub id: String,
    /// The machine's name.
    pub host: String,
    /// The process table that shows it: the boot of that machine and the namespace of its processes, where the system tells.
    /// Two containers of one machine have different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Process id on that machine.
    pub pid: u32,
    /// When that process started, in the system's clock ticks since boot: tells a reused pid apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ticks: Option<u64>,
    /// The person or job on whose behalf it works.
    pub actor: String,
}

/// For a person: on whose behalf, and where to find it.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, host, boot: _, pid, started_ticks: _, actor } = self;
        write!(f, "{actor} (process {pid} on {host})")
    }
}

/// The lease of one link.
///
/// Expiry is never judged by a time in this record. An observer that saw the same `epoch` and `beat` for the whole
/// `duration` on its own monotonic clock may take it over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Rises at every take-over, and never falls.
    pub epoch: Epoch,
    /// Rises at every renewal.
    pub beat: u64,
    /// Who holds it; `None` once released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Seconds without a renewal after which an observer may take it over.
    pub duration: u64,
}

impl Lease {
    /// Whether an observer that saw `self` may still take it over as unchanged now that it sees `now`.
    pub fn unchanged_in(&self, now: &Self) -> bool {
        self.epoch == now.epoch && self.beat == now.beat
    }
}
