//! Holds rolled-back commits, and commits that contain one.

use super::draft::PlanDraft;
use super::recover::end_leftovers;
use super::{HoldReason, InPipeline, Taint, deploy};
use crate::domain::{CommitSha, Head};

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
        let HoldReason::Tainted { by, at, .. } = &reason else { return false };
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
        let rolled_back = draft.input.pipeline.iter().flat_map(|pipeline| &pipeline.rolled_back);
        let mut requested =
            rolled_back.filter(|it| it.is_requested && it.quarantine.sha.as_str().starts_with(&by));
        let release = match (at.as_deref(), requested.next()) {
            (Some(at), Some(_)) => format!("withdraw the request, with `katkit withdraw {at}`"),
            (Some(at), None) => format!("release it where it was rolled back, with `katkit retry {at}`"),
            (None, _) => format!("release this one with `katkit retry {id}`"),
        };
        let hint = format!("{revert}, or {release}");
        (reason, hint)
    } else {
        return false;
    };
    end_leftovers(draft);
    deploy::restore(draft);
    draft.hold(reason, hint);
    true
}

fn tainted(draft: &PlanDraft<'_>, want: &CommitSha) -> Option<(HoldReason, usize)> {
    let facts = draft.input.facts.as_ref()?.as_ref().ok()?;
    // A request in this plan may have released it.
    tainted_by(&draft.head, draft.input.pipeline.as_deref(), want, &facts.taints)
}

/// The first rolled-back commit that `want` contains and that is not cleared for `want`, and how many others were
/// rolled back with it.
pub fn tainted_by(
    head: &Head,
    pipeline: Option<&InPipeline>,
    want: &CommitSha,
    taints: &[Taint],
) -> Option<(HoldReason, usize)> {
    taints.iter().find_map(|taint| {
        let here = head.quarantine(&taint.sha).filter(|it| !it.cleared.contains(want));
        let elsewhere = || {
            let rolled_back = pipeline.into_iter().flat_map(|pipeline| &pipeline.rolled_back);
            let mut rolled_back = rolled_back.filter(|it| it.quarantine.sha == taint.sha);
            rolled_back.find(|it| !it.quarantine.cleared.contains(want))
        };
        let (quarantine, at) = match here {
            Some(here) => (here, None),
            None => elsewhere().map(|it| (&it.quarantine, Some(Box::new(it.at.clone()))))?,
        };
        let reason = HoldReason::Tainted {
            sha: want.clone(),
            by: taint.sha.clone(),
            suspect: taint.suspect.clone(),
            through: taint.through.clone(),
            since: quarantine.since,
            why: quarantine.why.clone(),
            at,
        };
        Some((reason, taint.others))
    })
}
