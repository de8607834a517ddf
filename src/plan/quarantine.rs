//! Holds rolled-back commits, and commits that contain one.

use super::draft::PlanDraft;
use super::recover::end_leftovers;
use super::{HoldReason, deploy};
use crate::domain::CommitSha;

/// How many digits of the sha the hint shows after `Fixes:`.
const DIGITS: usize = 12;

/// Holds the link if `want` must not be deployed here; returns whether it does. No run starts either, because phases
/// get the tenant's role and secrets.
pub(super) fn hold(draft: &mut PlanDraft<'_>, want: &CommitSha) -> bool {
    let id = &draft.input.id;
    let short = |sha: &CommitSha| sha.as_str()[..DIGITS].to_owned();
    let (reason, hint) = if let Some(quarantine) = draft.head.quarantine(want) {
        let (sha, since, why) = (want.clone(), quarantine.since, quarantine.why.clone());
        let hint = format!(
            "push a commit that reverts it or says `Fixes: {}`, or release it with `katkit retry {id}`",
            short(want)
        );
        (HoldReason::Quarantined { sha, since, why }, hint)
    } else if let Some((reason, others)) = tainted(draft, want) {
        let HoldReason::Tainted { by, .. } = &reason else { return false };
        let by = short(by);
        let revert = match others {
            0 => format!("revert it, say `Fixes: {by}` in the commit that fixes it"),
            1 => format!(
                "it was rolled back with 1 other commit: say `Fixes: {by}` in the commit that fixes it"
            ),
            more => format!(
                "it was rolled back with {more} other commits: say `Fixes: {by}` in the commit that fixes it"
            ),
        };
        let hint = format!("{revert}, or release this one with `katkit retry {id}`");
        (reason, hint)
    } else {
        return false;
    };
    end_leftovers(draft);
    deploy::restore(draft);
    draft.hold(reason, hint);
    true
}

/// The first rolled-back commit that `want` contains and that is not cleared for `want`.
fn tainted(draft: &PlanDraft<'_>, want: &CommitSha) -> Option<(HoldReason, usize)> {
    let facts = draft.input.facts.as_ref()?.as_ref().ok()?;
    facts.taints.iter().find_map(|taint| {
        // A request in this plan may have released it.
        let quarantine = draft.head.quarantine(&taint.sha).filter(|it| !it.cleared.contains(want))?;
        let reason = HoldReason::Tainted {
            sha: want.clone(),
            by: taint.sha.clone(),
            suspect: taint.suspect.clone(),
            through: taint.through.clone(),
            since: quarantine.since,
            why: quarantine.why.clone(),
        };
        Some((reason, taint.others))
    })
}
