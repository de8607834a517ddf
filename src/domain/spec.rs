//! The messages between the controller and the agent, which share only the blob store.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CommitSha, ImageDigests, LinkId, Outcome, PhaseName, seconds};

/// `phase.json`: what a phase checks out and runs. Written by the controller, read by the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSpec {
    /// [`PhaseSpec::VERSION`] or [`PhaseSpec::WITH_INPUTS`]; the agent refuses any other.
    pub version: u32,
    /// The link that runs.
    pub link: LinkId,
    /// The phase to run.
    pub phase: PhaseName,
    /// The commit to check out.
    pub sha: CommitSha,
    /// Where the commit comes from.
    pub source: Source,
    /// The folder to enter; empty for the root.
    pub folder: String,
    /// A shell command to run in the folder; `None` for its `ci.sh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Every variable of the phase except `REPLICA_ID` and those that hold a local path, which the agent knows.
    pub variables: BTreeMap<String, String>,
    /// Variables whose values are secrets and reach the agent another way: the name, and where the value comes from.
    pub secrets: BTreeMap<String, String>,
    /// Time until the code is stopped and counts as timed out.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    #[serde(with = "seconds")]
    pub grace: Duration,
    /// Globs of files to keep, relative to the folder.
    pub artifacts: Vec<String>,
    /// The earlier phases whose artifacts it gets; [`InputList`] says where they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PhaseName>,
    /// The content of the file that `KATKIT_PEERS` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<String>,
}

/// `inputs.json`, beside the spec of a phase that has inputs: the artifacts that it gets. Written by the controller for
/// the agent, which may not be allowed to list blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputList {
    /// One for each of [`PhaseSpec::inputs`].
    pub inputs: Vec<PhaseInput>,
}

/// The artifacts of one earlier phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseInput {
    /// The phase that stored them.
    pub phase: PhaseName,
    /// The key of its attempt.
    pub attempt: String,
    /// The paths of the artifacts of each of its replicas.
    pub replicas: Vec<Vec<String>>,
}

/// Where a phase gets its commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A pack in the blob store.
    Pack {
        /// The pack's key.
        key: String,
        /// Commits whose parents are not in the pack.
        shallow: Vec<CommitSha>,
        /// The tags of commits in the pack.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<Tag>,
    },
    /// A clone made inside the phase.
    Clone {
        /// The repository's URL.
        url: String,
        /// Commits of history; `u32::MAX` for all.
        depth: u32,
    },
}

/// A tag of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// The id it points to: of a commit, or of an annotated tag.
    pub target: CommitSha,
    /// The annotated tag object, as git stores it; `None` for a lightweight tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// `status.json`: the status of one replica. Written by the agent, read by everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// The version of this format.
    pub version: u32,
    /// The agent that wrote it. An agent claims a replica by writing this first, only if nothing exists yet; a second
    /// agent for the same replica finds the claim and exits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// When the agent started.
    pub started: Timestamp,
    /// The agent's last heartbeat.
    pub heartbeat: Timestamp,
    /// The number of log chunks.
    pub chunks: u32,
    /// When it ended. Set together with `outcome`: the status is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How it ended; `None` while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The number of files kept.
    #[serde(default)]
    pub artifacts: u32,
    /// The names of some kept files that contain the value of a secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<String>,
    /// The images that the phase built.
    #[serde(default, skip_serializing_if = "ImageDigests::is_empty")]
    pub images: ImageDigests,
}

impl PhaseSpec {
    /// The version of a spec without inputs.
    pub const VERSION: u32 = 1;

    /// The version of a spec with inputs: an older agent would run the phase without them.
    pub const WITH_INPUTS: u32 = 2;

    /// The most bytes of a variable, with its name and the `=`. Linux limits variables and arguments alike, and counts
    /// the trailing NUL (`MAX_ARG_STRLEN`, execve(2)).
    pub const LONGEST_VARIABLE: usize = 128 * 1024 - 1;
}

impl InputList {
    /// The largest list in bytes.
    pub const LARGEST: usize = 32 * 1024 * 1024;
}

impl ReplicaStatus {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 1;
}
