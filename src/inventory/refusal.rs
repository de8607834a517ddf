//! Why a pipeline has no commit for a link, and what to do about it.

use crate::pipeline::{BranchHistory, Missing, Refusal};
use crate::plan::{Hold, HoldReason, HoldScope, LinkInput};

/// The hold of a link for which a pipeline has no commit.
pub(super) fn hold(input: &LinkInput, refusal: Refusal, branch: &BranchHistory) -> Hold {
    let (link, name) = (&input.id, branch.name.clone());
    let promote = || format!("`katkit promote {link} --apply` runs it here");
    let (reason, hint) = match refusal {
        Refusal::FirstPromotion(sha) => (HoldReason::FirstPromotion { sha }, Some(promote())),
        Refusal::NothingVerified(missing) => {
            let hint = skipped(&missing);
            (HoldReason::NotVerified { sha: None, missing }, hint)
        }
        Refusal::LeftBranch { live, next } => {
            let hint = match next {
                Some(_) => promote(),
                // The branch was moved back.
                None if branch.not_in(&live).is_empty() => {
                    format!("push a commit, or go back as well: `katkit rollback {link}`")
                }
                None => "wait until the stages before have verified a commit of the branch".to_owned(),
            };
            (HoldReason::LeftBranch { live, next, branch: name }, Some(hint))
        }
        Refusal::NotOnBranch(sha) => {
            let hint = format!("name a commit of `git log --first-parent {name}`");
            (HoldReason::NotOnBranch { sha, branch: name }, Some(hint))
        }
        Refusal::Older { sha, live } => {
            let is_target = input.head.rollback_targets().any(|(evidence, _)| evidence.sha == sha);
            let hint = match is_target {
                true => format!(
                    "`katkit rollback {link} --to {}` goes back to it, and quarantines {}",
                    sha.short(),
                    live.short()
                ),
                false => "it was not verified there, so the link cannot go back to it; take the `pin` out"
                    .to_owned(),
            };
            (HoldReason::OlderThanLive { sha, live }, Some(hint))
        }
        Refusal::NotVerified { sha, missing } => {
            let hint = skipped(&missing);
            (HoldReason::NotVerified { sha: Some(sha), missing }, hint)
        }
    };
    Hold { scope: HoldScope::Link, reason, hint, until: None }
}

/// How to verify a commit whose run skipped a phase.
fn skipped(missing: &[Missing]) -> Option<String> {
    let (link, phase) = missing.iter().flat_map(|missing| &missing.skipped).next()?;
    Some(format!(
        "`katkit retry {link} --phase {phase}` runs the skipped phase; `katkit waive {link} {phase}` lets it count"
    ))
}
