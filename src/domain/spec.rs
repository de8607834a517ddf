//! What the controller and the agent tell each other, through the blob store alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CommitSha, LinkId, Outcome, PhaseName};

/// `phase.json`: what a phase is to check out and to run. Written by the controller, read by the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSpec {
    /// The version of this format; the agent refuses any other than [`PhaseSpec::VERSION`].
    pub version: u32,
    /// Which link.
    pub link: LinkId,
    /// Which phase.
    pub phase: PhaseName,
    /// Which commit.
    pub sha: CommitSha,
    /// Where the commit comes from.
    pub source: Source,
    /// The folder to enter; empty for the root.
    pub folder: String,
    /// A shell command to run in the folder; `None`: its `ci.sh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Every variable of the phase but `REPLICA_ID` and those that hold a local path, which the agent knows.
    pub variables: BTreeMap<String, String>,
    /// The variables whose values are secrets and reach the agent by another way: name to where it comes from.
    pub secrets: BTreeMap<String, String>,
    /// Seconds until the code is ended and counted as timed out.
    pub timeout: u64,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace: u64,
    /// Globs, relative to the folder, of files to keep.
    pub artifacts: Vec<String>,
}

/// Where a phase gets its commit from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A pack in the blob store.
    Pack {
        /// The key of the pack.
        key: String,
        /// Commits whose parents are not in the pack.
        shallow: Vec<CommitSha>,
        /// The tags of commits that are in the pack.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<Tag>,
    },
    /// A clone made inside the phase.
    Clone {
        /// The repository.
        url: String,
        /// How many commits of history; `u32::MAX` is all.
        depth: u32,
    },
}

/// A tag of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// The id that it stands for: of a commit, or of an annotated tag.
    pub target: CommitSha,
    /// The annotated tag as git keeps it; without one, the tag is a name alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// `status.json`: how one replica is doing. Written by the agent, read by everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// The version of this format.
    pub version: u32,
    /// Which agent wrote it. Whoever begins a replica writes this first, where nothing is yet; another agent that was started
    /// for it finds that it was begun, and leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// When the agent began.
    pub started: Timestamp,
    /// When it last showed that it is alive.
    pub heartbeat: Timestamp,
    /// How many chunks of the log there are.
    pub chunks: u32,
    /// When it ended. Together with `outcome`: the status is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How it ended; `None` while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How many files were kept.
    #[serde(default)]
    pub artifacts: u32,
    /// The names of some of these files in which the value of a secret stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<String>,
}

impl PhaseSpec {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 1;

    /// How long a variable may be, in bytes, with its name and the `=`: Linux takes no longer one, nor a longer argument,
    /// and counts the NUL behind it (`MAX_ARG_STRLEN`, execve(2)).
    pub const LONGEST_VARIABLE: usize = 128 * 1024 - 1;
}

impl ReplicaStatus {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 1;
}
