//! Why something is held, and how it reads.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::input::Problem;
use crate::domain::{CommitSha, ConsentId, GateName, ImageDigest, LinkId, PhaseName, PolicyName};
use crate::pipeline::Missing;
use crate::policy::{MissingApprovals, Moment};

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

impl HoldReason {
    /// One lowercase fragment for display.
    pub fn describe(&self) -> String {
        match self {
            Self::PhaseFailed { phase, sha, outcome } => {
                format!("`{phase}` failed for {}: {outcome}", sha.short())
            }
            Self::Cancelled { sha, at: None, by: _ } => format!("the run for {} is cancelled", sha.short()),
            Self::Cancelled { sha, at: Some(at), by } => {
                let by = by.as_ref().map(|by| format!("{by} ")).unwrap_or_default();
                format!("the run for {} was cancelled {by}at {}", sha.short(), minute(*at))
            }
            Self::LeaseHeld { owner } => format!("{owner} is working on it"),
            Self::Quarantined { sha, since, why } => {
                format!("{} has been quarantined since {}: {why}", sha.short(), minute(*since))
            }
            Self::Tainted { sha, by, suspect, through, since, why, at: link } => {
                let at = minute(*since);
                let link = link.as_ref().map(|link| format!(" in `{link}`")).unwrap_or_default();
                let what = containing(sha, through, suspect);
                let with = if suspect == by { String::new() } else { format!(" with {}", by.short()) };
                format!("{what} was rolled back{with}{link} at {at}: {why}")
            }
            Self::Rejected { sha, rejected, through, by, since, why, at, consent: _ } => {
                let (what, since) = (containing(sha, through, rejected), minute(*since));
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("{what} was rejected by {by} for `{at}` at {since}{why}")
            }
            Self::Owed { live, owes, by, consent } => format!(
                "{} is live by override {consent} of {by}, and still owes {}",
                live.short(),
                GateName::list(owes)
            ),
            Self::NotVerified { sha, missing } => {
                let missing: Vec<_> = missing.iter().map(Missing::describe).collect();
                match sha {
                    Some(sha) => format!("{} {}", sha.short(), missing.join(", and ")),
                    None => format!("no commit may run here yet: the newest {}", missing.join(", and ")),
                }
            }
            Self::Soaking { policy, sha, missing } => {
                let missing: Vec<_> = missing.iter().map(Missing::describe).collect();
                format!("{} {}, as the policy `{policy}` requires", sha.short(), missing.join(", and "))
            }
            Self::Unapproved { policy, sha, missing, lapsed } => {
                format!("{} {}", sha.short(), MissingApprovals::describe_all(missing, policy, lapsed))
            }
            Self::Train { policy, sha, waits } => format!(
                "{} is soaking here for `{waits}`, whose policy `{policy}` lets this stage take nothing new meanwhile",
                sha.short()
            ),
            Self::FirstPromotion { sha } => {
                format!(
                    "nothing is live yet, and the first commit is promoted by hand; {} may run",
                    sha.short()
                )
            }
            Self::LeftBranch { live, next, branch } => {
                let next = next.as_ref().map(|next| format!("; {} may replace it", next.short()));
                let next = next.unwrap_or_default();
                format!("{}, which is live, is no longer on the branch `{branch}`{next}", live.short())
            }
            Self::NotOnBranch { sha, branch } => {
                format!("{} is not in the first-parent history of `{branch}`", sha.short())
            }
            Self::Ancestry { policy, sha, branch, live: None } => {
                format!("{} is not on the branch `{branch}`, as the policy `{policy}` requires", sha.short())
            }
            Self::Ancestry { policy, sha, branch: _, live: Some(live) } => format!(
                "{} is older than {}, which is live, and the policy `{policy}` allows older commits only by a rollback",
                sha.short(),
                live.short()
            ),
            Self::OlderThanLive { sha, live } => {
                format!("the link is pinned to {}, but {} is live, which is newer", sha.short(), live.short())
            }
            Self::MoveWaits { from, because } => {
                format!("the record of `{from}`, which is moved here, is in use: {because}")
            }
            Self::Frozen { policy, why, until } => {
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("the policy `{policy}` freezes deployments until {until}{why}")
            }
            Self::FrozenByHand { freeze, by, why, until } => {
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("{by} froze deployments until {until} (freeze {freeze}){why}")
            }
            Self::DailyLimit { policy, count, why } => {
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                let begun = match count {
                    1 => "deployment a day, and today's has begun".to_owned(),
                    _ => format!("deployments a day, and {count} have begun today"),
                };
                format!("the policy `{policy}` allows {count} {begun}{why}")
            }
            Self::OutsideWindows { policy, opens: Some(_) } => {
                format!("no deployment window of the policy `{policy}` is open")
            }
            Self::OutsideWindows { policy, opens: None } => {
                format!("the last deployment window of the policy `{policy}` has passed")
            }
            Self::ImageMoved { policy, image, recorded, found } => format!(
                "`{image}` points to {} now, but {} was recorded, and the policy `{policy}` pins digests",
                found.short(),
                recorded.short()
            ),
            Self::ImageMissing { policy, image } => {
                format!("`{image}` is not in its registry, and the policy `{policy}` pins digests")
            }
            Self::TipStopped { sha, branch } => {
                format!("{}, the tip of `{branch}`, ran here, but was not verified", sha.short())
            }
            Self::Unavailable(problem) => problem.what.clone(),
        }
    }

    /// The command that releases a commit which is held because it, or a commit that it contains, was rejected or rolled
    /// back. `link` is where it is held.
    pub fn release(&self, link: &LinkId) -> Option<String> {
        let (at, sha) = match self {
            Self::Quarantined { sha, .. } => (link, sha),
            Self::Tainted { by, at, .. } => (at.as_deref().unwrap_or(link), by),
            Self::Rejected { rejected, at, .. } => (&**at, rejected),
            _ => return None,
        };
        Some(format!("katkit release {at} {}", sha.short()))
    }
}

/// The subject of a sentence about a commit that contains `of`, through a commit with the same change or itself.
fn containing(sha: &CommitSha, through: &CommitSha, of: &CommitSha) -> String {
    let (short, of_short) = (sha.short(), of.short());
    match (through == sha, through == of) {
        (true, true) => short.to_owned(),
        (true, false) => format!("{short} makes the same change as {of_short}, which"),
        (false, true) => format!("{short} contains {of_short}, which"),
        (false, false) => {
            format!("{short} contains {}, the same change as {of_short}, which", through.short())
        }
    }
}

/// A time for display, to the minute, in UTC.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
