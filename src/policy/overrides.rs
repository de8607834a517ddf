//! Overrides: the conditions that an actor waived for one commit, for a while.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::verdict::Policy;
use crate::access::{Access, Right};
use crate::domain::{CommitSha, Consent, ConsentKind, GateName, LinkId};

/// A standing override.
#[derive(Clone, Copy, Debug)]
pub struct Override<'c> {
    /// The consent.
    pub consent: &'c Consent,
    /// The commit.
    pub sha: &'c CommitSha,
    /// The conditions that it waives.
    pub gates: &'c [GateName],
    /// When it ends.
    pub until: Timestamp,
}

/// The standing overrides for a link, oldest first, whether or not they have ended. The right is asked for again: an
/// override by an actor who lost it since does not count.
pub fn overrides<'c>(
    access: &'c Access,
    consents: &'c [Consent],
    link: &'c LinkId,
) -> impl Iterator<Item = Override<'c>> {
    consents.iter().filter_map(move |consent| match &consent.what {
        ConsentKind::Override { link: of, sha, gates, until, .. } if of == link => access
            .may(&consent.by, Right::BreakGlass, link)
            .then_some(Override { consent, sha, gates, until: *until }),
        _ => None,
    })
}

/// The override that chooses the next commit of a link: the newest that has not ended.
pub fn override_in_force<'c>(
    access: &'c Access,
    consents: &'c [Consent],
    link: &'c LinkId,
    now: Timestamp,
) -> Option<Override<'c>> {
    overrides(access, consents, link).filter(|it| it.until > now).last()
}

/// The conditions that are waived for a commit of a link now, by any override for it.
pub fn waived(
    access: &Access,
    consents: &[Consent],
    (link, sha): (&LinkId, &CommitSha),
    now: Timestamp,
) -> Vec<GateName> {
    let in_force = overrides(access, consents, link).filter(|it| it.until > now && it.sha == sha);
    let gates: BTreeSet<GateName> = in_force.flat_map(|it| it.gates).copied().collect();
    gates.into_iter().collect()
}

impl Policy {
    /// This policy without the conditions among `gates` that hold the deployment at certain times.
    pub fn without(&self, gates: &[GateName]) -> Cow<'_, Self> {
        let waives = |gate| gates.contains(&gate);
        if ![GateName::Freeze, GateName::Windows, GateName::MaxPerDay].into_iter().any(waives) {
            return Cow::Borrowed(self);
        }
        let mut rest = self.clone();
        if waives(GateName::Freeze) {
            rest.freezes.clear();
        }
        if waives(GateName::Windows) {
            rest.allow.clear();
        }
        if waives(GateName::MaxPerDay) {
            rest.per_day = None;
        }
        Cow::Owned(rest)
    }
}
