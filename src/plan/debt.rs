//! Debts: what the live commit of a link still owes, because an override let it run. Until that is met or forgiven, no
//! other commit runs there.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ApprovalBasis, Hold, HoldReason, HoldScope, LinkInput};
use crate::domain::{CommitSha, Consent, ConsentId, ConsentKind, GateName, LinkId};
use crate::manifest::Manifest;
use crate::pipeline::{self, Requirement, Soak};
use crate::policy::{self, MissingApprovals, MissingReview};

/// What the live commit of a link owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// The live commit.
    pub sha: CommitSha,
    /// The conditions that are still not met. Not empty.
    pub owes: Vec<GateName>,
    /// The override; the last, if there are several.
    pub consent: Consent,
    /// All overrides of the commit, and those whose debts they took over.
    pub overrides: Vec<ConsentId>,
    /// The approvals that it lacks, if that is a part of what it owes.
    pub approval: Option<(ApprovalBasis, Vec<MissingApprovals>)>,
    /// The reviews that it and the commits before it lack, if that is a part of what it owes.
    pub reviews: Vec<MissingReview>,
}

/// The debt of a link, if it has one.
///
/// A later commit of the branch that meets a condition of the pipeline pays for the live one, which it contains. Approvals
/// count even if they have expired since. Freezes and windows leave no debt: they hold the next commit by themselves. A
/// debt remains when the actor of the override loses the right.
pub fn debt(manifest: &Manifest, consents: &[Consent], input: &LinkInput, now: Timestamp) -> Option<Debt> {
    let live = pipeline::base(&input.head)?;
    let overrides: Vec<&Consent> =
        consents.iter().filter(|consent| is_for(consent, &input.id, live)).collect();
    let last = *overrides.last()?;
    let waived: BTreeSet<GateName> = overrides.iter().flat_map(|consent| owed(consent)).copied().collect();
    let approval = waived
        .contains(&GateName::Approvals)
        .then(|| lacking_approvals(manifest, consents, input, &overrides))
        .flatten();
    let soak = manifest.soak_of(&input.id).map(|rule| Soak { rule, now });
    let is_owed = |gate: &GateName| match gate {
        // Without it, nothing had to soak either.
        GateName::Verified | GateName::Soak => !passed(manifest, input, live, soak),
        GateName::Approvals => approval.is_some(),
        GateName::Review => !input.owed_reviews.is_empty(),
        GateName::Freeze | GateName::Windows | GateName::MaxPerDay => false,
    };
    let owes: Vec<_> = waived.into_iter().filter(is_owed).collect();
    let all = overrides.iter().flat_map(|consent| taken_over(consent).chain([consent.id]));
    let (overrides, reviews) = (all.collect(), input.owed_reviews.clone());
    (!owes.is_empty()).then(|| Debt {
        sha: live.clone(),
        owes,
        consent: last.clone(),
        overrides,
        approval,
        reviews,
    })
}

impl Debt {
    /// What to do about it.
    pub fn hint(&self, link: &LinkId) -> String {
        let forgive = format!("someone else can forgive it with `katkit forgive {link}`");
        match (self.owes.contains(&GateName::Approvals), self.reviews.first()) {
            (true, _) => format!("`katkit approve {link} {}` approves it; {forgive}", self.sha.short()),
            (false, Some(review)) => format!("{}; {forgive}", review.hint()),
            (false, None) => forgive,
        }
    }

    /// Whether an override that is in force for another commit takes the debt over, with the conditions and the range of
    /// commits that are owed.
    pub fn is_taken_over(
        &self,
        manifest: &Manifest,
        consents: &[Consent],
        input: &LinkInput,
        want: &CommitSha,
        now: Timestamp,
    ) -> bool {
        let from = self.approval.as_ref().map(|(basis, _)| basis.changes.from.as_ref());
        let mut of_want = policy::overrides(&manifest.access, consents, &input.id)
            .filter(|it| it.sha == want && it.until > now);
        of_want.any(|it| {
            let covers_range = match (&it.consent.what, from) {
                (ConsentKind::Override { changes: Some(changes), .. }, Some(from)) => {
                    changes.from.as_ref() == from
                }
                (_, from) => from.is_none(),
            };
            let unreviewed = unreviewed(it.consent);
            let covers_reviews = self.reviews.iter().all(|review| unreviewed.contains(&review.sha));
            covers_range
                && covers_reviews
                && self.owes.iter().all(|gate| owed(it.consent).any(|owed| owed == gate))
        })
    }

    /// What holds other commits.
    pub fn hold(&self, link: &LinkId) -> Hold {
        Hold { scope: HoldScope::Link, reason: self.reason(), hint: Some(self.hint(link)), until: None }
    }

    /// The reason for which another commit is held.
    pub fn reason(&self) -> HoldReason {
        HoldReason::Owed {
            live: self.sha.clone(),
            owes: self.owes.clone(),
            by: self.consent.by.name.clone(),
            consent: self.consent.id,
        }
    }
}

/// The conditions that an override waives, and those of earlier debts that it took over.
fn owed(consent: &Consent) -> impl Iterator<Item = &GateName> {
    let (gates, owes) = match &consent.what {
        ConsentKind::Override { gates, owes, .. } => (gates.as_slice(), owes.as_slice()),
        _ => (&[][..], &[][..]),
    };
    gates.iter().chain(owes)
}

/// The commits that an override lets run without a review.
fn unreviewed(consent: &Consent) -> &[CommitSha] {
    match &consent.what {
        ConsentKind::Override { unreviewed, .. } => unreviewed,
        _ => &[],
    }
}

/// The commits that are live in a link although overrides waived their review, each once, the oldest first.
pub fn unreviewed_in<'c>(consents: &'c [Consent], link: &LinkId, live: &CommitSha) -> Vec<&'c CommitSha> {
    let mut seen = BTreeSet::new();
    let of_live = consents.iter().filter(|consent| is_for(consent, link, live));
    of_live.flat_map(unreviewed).filter(|sha| seen.insert(*sha)).collect()
}

/// Whether it is an override for a commit of a link.
fn is_for(consent: &Consent, link: &LinkId, commit: &CommitSha) -> bool {
    matches!(&consent.what, ConsentKind::Override { link: of, sha, .. } if of == link && sha == commit)
}

/// The overrides whose debts one took over.
fn taken_over(consent: &Consent) -> impl Iterator<Item = ConsentId> {
    let takes_over = match &consent.what {
        ConsentKind::Override { takes_over, .. } => takes_over.as_slice(),
        _ => &[],
    };
    takes_over.iter().copied()
}

/// Whether the live commit, or a later one of the branch, has passed the stages before.
fn passed(manifest: &Manifest, input: &LinkInput, live: &CommitSha, soak: Option<Soak<'_>>) -> bool {
    let (Some((_, pipeline, _)), Some(found)) = (manifest.pipeline_of(&input.id), input.pipeline.as_deref())
    else {
        return true;
    };
    let requirements = pipeline.requirements(&input.id, soak);
    let meets = |sha: &CommitSha| {
        requirements
            .iter()
            .all(|requirement: &Requirement<'_>| requirement.missing(sha, &found.records).is_none())
    };
    let newer = found.branch.newer_than(live).unwrap_or_default();
    std::iter::once(live).chain(newer).any(meets)
}

/// The approvals that one of the overrides waived and that are not given yet.
fn lacking_approvals(
    manifest: &Manifest,
    consents: &[Consent],
    input: &LinkInput,
    overrides: &[&Consent],
) -> Option<(ApprovalBasis, Vec<MissingApprovals>)> {
    let changes = overrides.iter().filter_map(|consent| match &consent.what {
        ConsentKind::Override { changes, .. } => changes.as_deref(),
        _ => None,
    });
    let mut lacking = changes.map(|changes| {
        let basis = ApprovalBasis::for_changes(changes, consents, input);
        let missing = basis.missing(manifest, &input.id, consents, Timestamp::MIN);
        (basis, missing)
    });
    lacking.find(|(_, missing)| !missing.is_empty())
}
