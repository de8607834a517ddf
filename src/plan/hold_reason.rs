//! Why something is held.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::input::Problem;
use crate::domain::{CommitSha, ConsentId, GateName, ImageDigest, LinkId, PhaseName, PolicyName};
use crate::pipeline::Missing;
use crate::policy::{MissingApprovals, MissingReview, Moment};

/// Why something is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HoldReason {
    /// A phase of the run failed.
    PhaseFailed {
        /// The failed phase.
        phase: PhaseName,
        /// The commit of the run.
        sha: CommitSha,
        /// Its outcome, as text.
        outcome: String,
    },
    /// The run was cancelled.
    Cancelled {
        /// The commit of the run.
        sha: CommitSha,
        /// The time of the cancellation; `None` if this plan cancels the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        /// The actor and the reason: `by ana (wrong branch)`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Another process is working on the link.
    LeaseHeld {
        /// The lease holder, as text.
        owner: String,
    },
    /// The wanted sha must not be deployed here.
    Quarantined {
        /// The quarantined commit.
        sha: CommitSha,
        /// The start of the quarantine.
        since: Timestamp,
        /// The reason for the quarantine.
        why: String,
    },
    /// The wanted commit contains a rolled-back commit.
    Tainted {
        /// The wanted commit.
        sha: CommitSha,
        /// The commit that was rolled back.
        by: CommitSha,
        /// That commit, or a commit that was rolled back with it.
        suspect: CommitSha,
        /// The suspect, or an ancestor with the same change.
        through: CommitSha,
        /// When it was rolled back.
        since: Timestamp,
        /// The reason for the rollback.
        why: String,
        /// The link of the pipeline where it was rolled back; `None`: this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Box<LinkId>>,
    },
    /// The wanted commit, or a commit that it contains, was rejected.
    Rejected {
        /// The wanted commit.
        sha: CommitSha,
        /// The rejected commit.
        rejected: CommitSha,
        /// The rejected commit, or an ancestor with the same change.
        through: CommitSha,
        /// Who rejected it.
        by: String,
        /// When it was rejected.
        since: Timestamp,
        /// The reason they gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// The link that it was rejected for.
        at: Box<LinkId>,
        /// The rejection.
        consent: ConsentId,
    },
    /// The live commit runs by an override, and still owes what that waived.
    Owed {
        /// The live commit.
        live: CommitSha,
        /// The conditions that are not met.
        owes: Vec<GateName>,
        /// Who overrode them.
        by: String,
        /// The override.
        consent: ConsentId,
    },
    /// No commit has passed the stages before this one in the pipeline.
    NotVerified {
        /// The pinned or promoted commit; `None` if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha: Option<CommitSha>,
        /// What it lacks, or what the tip of the branch lacks.
        missing: Vec<Missing>,
    },
    /// The next commit has not soaked for long enough in the stages before.
    Soaking {
        /// The policy that requires it.
        policy: PolicyName,
        /// The commit.
        sha: CommitSha,
        /// Where it is soaking.
        missing: Vec<Missing>,
    },
    /// The commit lacks approvals.
    Unapproved {
        /// The policy that requires them.
        policy: PolicyName,
        /// The commit.
        sha: CommitSha,
        /// The rules that are not met.
        missing: Vec<MissingApprovals>,
        /// Who approved other commits than those that would be deployed now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lapsed: Vec<String>,
    },
    /// Commits that it would add to what is live lack the review that the policy requires.
    Unreviewed {
        /// The policy.
        policy: PolicyName,
        /// The commit.
        sha: CommitSha,
        /// What it or commits before it lack, as far as that was read; the oldest first. Not empty.
        missing: Vec<MissingReview>,
    },
    /// The link takes nothing new while a commit is soaking there.
    Train {
        /// The policy of the link that waits for the commit.
        policy: PolicyName,
        /// The commit.
        sha: CommitSha,
        /// The link that waits for it.
        waits: Box<LinkId>,
    },
    /// Nothing is live, and the first commit of a pipeline is promoted by an actor.
    FirstPromotion {
        /// The commit that may run.
        sha: CommitSha,
    },
    /// The branch of the pipeline does not contain what is live.
    LeftBranch {
        /// The live commit.
        live: CommitSha,
        /// The commit that may run once an actor promotes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<CommitSha>,
        /// The branch.
        branch: String,
    },
    /// The pinned or promoted commit is none of the branch's first-parent commits.
    NotOnBranch {
        /// The commit.
        sha: CommitSha,
        /// The branch.
        branch: String,
    },
    /// The commit that the manifest wants is not on the branch of its repository, or older than what is live, although
    /// the policy of the tenant asks for more.
    Ancestry {
        /// The policy.
        policy: PolicyName,
        /// The commit.
        sha: CommitSha,
        /// The branch.
        branch: String,
        /// What is live, if the commit is older than that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        live: Option<CommitSha>,
    },
    /// The pinned commit is older than the live one.
    OlderThanLive {
        /// The pinned commit.
        sha: CommitSha,
        /// The live commit.
        live: CommitSha,
    },
    /// The record of the link's old name cannot be moved yet.
    MoveWaits {
        /// Its old name.
        from: LinkId,
        /// The reason, as a lowercase fragment.
        because: String,
    },
    /// A freeze of the tenant's policy is in force.
    Frozen {
        /// The policy.
        policy: PolicyName,
        /// The reason of the freeze.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// When the freeze ends.
        until: Moment,
    },
    /// A freeze by hand is in force.
    FrozenByHand {
        /// The consent that is the freeze.
        freeze: ConsentId,
        /// Who gave it.
        by: String,
        /// The reason of the freeze.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// When the freeze ends.
        until: Moment,
    },
    /// As many deployments of the link began today as the tenant's policy allows.
    DailyLimit {
        /// The policy.
        policy: PolicyName,
        /// How many it allows a day.
        count: u32,
        /// The reason of the limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The tenant's policy has windows for deployments, and none is open.
    OutsideWindows {
        /// The policy.
        policy: PolicyName,
        /// When the next one opens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opens: Option<Moment>,
    },
    /// The policy demands deployment by digest, and the tag of an image no longer stands for the recorded digest.
    ImageMoved {
        /// The policy.
        policy: PolicyName,
        /// The image with its tag.
        image: String,
        /// The digest that was recorded.
        recorded: ImageDigest,
        /// The digest that the tag stands for now.
        found: ImageDigest,
    },
    /// The policy demands deployment by digest, and the registry does not have the image.
    ImageMissing {
        /// The policy.
        policy: PolicyName,
        /// The image with its tag.
        image: String,
    },
    /// The tip of the branch ran here without being verified, and pull requests were tested since.
    TipStopped {
        /// The tip.
        sha: CommitSha,
        /// The branch.
        branch: String,
    },
    /// Information that the plan needs is unavailable.
    Unavailable(Problem),
}
