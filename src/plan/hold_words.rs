//! How the reason of a hold reads.

use jiff::Timestamp;

use super::HoldReason;
use crate::domain::{CommitSha, GateName, LinkId};
use crate::pipeline::Missing;
use crate::policy::{MissingApprovals, MissingReview};

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
            Self::Unreviewed { policy, sha, missing } => {
                let lacks = MissingReview::describe_all(missing, sha);
                format!("the policy `{policy}` requires reviews, but {lacks}")
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
