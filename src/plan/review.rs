//! The reviews that commits lack.

use jiff::Timestamp;

use super::{HoldReason, Lacking, LinkInput, LinkPlan};
use crate::domain::{CommitSha, Consent, GateName};
use crate::manifest::Manifest;
use crate::policy::{self, MissingReview, Reviews};

/// The commits whose review the policy of a link requires, the oldest first.
pub(super) fn commits(input: &LinkInput) -> Vec<CommitSha> {
    match input.added.as_deref() {
        Some(Ok(commits)) => commits.clone(),
        Some(Err(_)) | None => Vec::new(),
    }
}

impl LinkPlan {
    /// What the commit lacks before it may run or be deployed; `None` if nothing. Approvals are asked for only once the
    /// reviews are complete.
    pub fn lacking(
        &self,
        manifest: &Manifest,
        (consents, reviews): (&[Consent], &Reviews),
        now: Timestamp,
    ) -> Option<Lacking> {
        self.unreviewed(manifest, (consents, reviews), now).or_else(|| {
            let basis = self.approval.as_deref()?;
            basis.lacking(manifest, &self.link, consents, now)
        })
    }

    fn unreviewed(
        &self,
        manifest: &Manifest,
        (consents, reviews): (&[Consent], &Reviews),
        now: Timestamp,
    ) -> Option<Lacking> {
        let (link, access) = (&self.link, &manifest.access);
        let (name, policy) = manifest.policy_of(link)?;
        let (rule, want) = (policy.review.as_ref()?, self.want.as_ref()?);
        let missing: Vec<_> = rule.missing(access, link, &self.reviewed, reviews).collect();
        if missing.is_empty()
            || policy::waived(access, consents, (link, want), now).contains(&GateName::Review)
        {
            return None;
        }
        let hint = missing.first().map(MissingReview::hint);
        let reason = HoldReason::Unreviewed { policy: name.clone(), sha: want.clone(), missing };
        Some(Lacking { hint, reason, holds_run: true })
    }
}
