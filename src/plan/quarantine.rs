//! Holds rolled-back and rejected commits, and commits that contain one.

use super::draft::PlanDraft;
use super::recover::end_leftovers;
use super::{HoldReason, InPipeline, Rejection, Taint, deploy, rejections, requests};
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
        let (by, at) = match &reason {
            HoldReason::Tainted { by, at, .. } => (short(by), at),
            HoldReason::Rejected { rejected, at, .. } => (short(rejected), &Some(at.clone())),
            _ => return false,
        };
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
        let is_tainted = matches!(reason, HoldReason::Tainted { .. });
        let mut requested = rolled_back
            .filter(|it| is_tainted && it.is_requested && it.quarantine.sha.as_str().starts_with(&by));
        let release = match (at.as_deref(), requested.next(), reason.release(id)) {
            (Some(at), Some(_), _) => format!("withdraw the request, with `katkit withdraw {at}`"),
            (Some(_), None, Some(release)) => format!("release it with `{release}`"),
            _ => format!("release this one with `katkit retry {id}`"),
        };
        let hint = format!("{revert}, or {release}");
        (reason, hint)
    } else {
        return false;
    };
    requests::refuse_waiting(draft, want, &reason.describe());
    end_leftovers(draft);
    deploy::restore(draft);
    draft.hold(reason, hint);
    true
}

fn tainted(draft: &PlanDraft<'_>, want: &CommitSha) -> Option<(HoldReason, usize)> {
    let facts = draft.input.facts.as_ref()?.as_ref().ok()?;
    // A request in this plan may have released it.
    let rejections = rejections(draft.manifest, draft.consents, &draft.input.id);
    tainted_by(&draft.head, (draft.input.pipeline.as_deref(), &rejections), want, &facts.taints)
}

/// Why `want` is held: the first rolled-back commit that it contains and that is not cleared for it, or rejected commit,
/// and how many others were rolled back with it.
pub fn tainted_by(
    head: &Head,
    (pipeline, rejections): (Option<&InPipeline>, &[Rejection<'_>]),
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
            None => match elsewhere() {
                Some(it) => (&it.quarantine, Some(Box::new(it.at.clone()))),
                None => return rejected(rejections, want, taint).map(|reason| (reason, taint.others)),
            },
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

/// The hold of `want` if the commit of this taint, which it contains, was rejected.
pub fn rejected(rejections: &[Rejection<'_>], want: &CommitSha, taint: &Taint) -> Option<HoldReason> {
    let Rejection { at, sha, consent } = rejections.iter().find(|rejection| *rejection.sha == taint.sha)?;
    Some(HoldReason::Rejected {
        sha: want.clone(),
        rejected: (*sha).clone(),
        through: taint.through.clone(),
        by: consent.by.name.clone(),
        since: consent.at,
        why: consent.why.clone(),
        at: Box::new((*at).clone()),
        consent: consent.id,
    })
}
