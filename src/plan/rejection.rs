//! Rejected commits: they and the commits that contain them are held, like rolled-back ones, until they are released or
//! fixed.

use jiff::Timestamp;

use super::LinkPlan;
use crate::domain::{CommitSha, Consent, ConsentId, ConsentKind, GateName, LinkId};
use crate::manifest::Manifest;
use crate::policy;

/// A rejection that holds a link.
#[derive(Clone, Copy, Debug)]
pub struct Rejection<'c> {
    /// The link that it was given for.
    pub at: &'c LinkId,
    /// The rejected commit.
    pub sha: &'c CommitSha,
    /// The consent.
    pub consent: &'c Consent,
}

/// The rejections that hold a link: those given for it and, in a pipeline, for the other links of its stage and of the
/// stages before.
pub fn rejections<'c>(manifest: &Manifest, consents: &'c [Consent], link: &LinkId) -> Vec<Rejection<'c>> {
    let rejection = |consent: &'c Consent| match &consent.what {
        ConsentKind::Rejection { link: at, sha } => Some(Rejection { at, sha, consent }),
        _ => None,
    };
    let mut all = consents.iter().filter_map(rejection).peekable();
    if all.peek().is_none() {
        return Vec::new();
    }
    let pipeline = manifest.pipeline_of(link).map(|(_, pipeline, _)| pipeline);
    let is_upstream = |at: &LinkId| pipeline.is_some_and(|pipeline| pipeline.is_upstream(at, link));
    all.filter(|rejection| rejection.at == link || is_upstream(rejection.at)).collect()
}

impl LinkPlan {
    /// Whether the consents still allow what the plan begins at this time: no commit was rejected since, and the conditions
    /// of the pipeline that were waived still are. The others are judged for themselves.
    pub fn still_allowed(&self, manifest: &Manifest, consents: &[Consent], at: Timestamp) -> bool {
        self.still_waived(manifest, consents, at) && self.new_rejection(manifest, consents).is_none()
    }

    /// Whether the conditions of the pipeline that an override waived when the plan was made still are.
    pub fn still_waived(&self, manifest: &Manifest, consents: &[Consent], at: Timestamp) -> bool {
        let is_of_pipeline = |gate: &&GateName| matches!(gate, GateName::Verified | GateName::Soak);
        let mut needed = self.waived.iter().filter(is_of_pipeline).peekable();
        let waived = match (&self.want, needed.peek()) {
            (Some(want), Some(_)) => policy::waived(&manifest.access, consents, (&self.link, want), at),
            _ => Vec::new(),
        };
        needed.all(|gate| waived.contains(gate))
    }

    /// A rejection that holds the link and that the plan did not take into account.
    pub fn new_rejection<'c>(&self, manifest: &Manifest, consents: &'c [Consent]) -> Option<Rejection<'c>> {
        let is_new = |rejection: &Rejection<'_>| !self.rejections.contains(&rejection.consent.id);
        rejections(manifest, consents, &self.link).into_iter().find(is_new)
    }
}

/// The ids of the rejections that a plan takes into account.
pub(super) fn known(manifest: &Manifest, consents: &[Consent], link: &LinkId) -> Vec<ConsentId> {
    rejections(manifest, consents, link).iter().map(|rejection| rejection.consent.id).collect()
}
