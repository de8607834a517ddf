//! What the policies would have done with past deployments.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::history::{deployments, history};
use super::journal_pages::EventRange;
use crate::domain::{DeployPurpose, LinkId};
use crate::estate::Estate;
use crate::plan::{self, HoldScope, PendingDeployment};
use crate::state::StateError;
use crate::views::{HeldRelease, Replay};

/// Judges every deployment of `links` since `since` by the policies of the manifest, at the time that it began.
pub async fn replay(estate: &Estate, links: &[LinkId], since: Timestamp) -> Result<Replay, StateError> {
    // What began earlier on the first day counts for its limit.
    let counts = estate.manifest().policies.values().any(|policy| policy.per_day.is_some());
    let earlier = since.checked_sub(SignedDuration::from_hours(48)).unwrap_or(Timestamp::MIN);
    let range = EventRange {
        before: None,
        since: Some(if counts { earlier } else { since }),
        until: None,
        limit: usize::MAX - 1,
        deployments: true,
    };
    let (releases, _) = deployments(history(estate, links, range).await?.events, usize::MAX);
    let (mut judged, mut held) = (0, Vec::new());
    let mut began: BTreeMap<LinkId, Vec<Timestamp>> = BTreeMap::new();
    for (link, release) in releases {
        // Adopting a service deploys nothing.
        let Some(purpose) = release.purpose else { continue };
        let upgrades = began.entry(link.clone()).or_default();
        let (now, unattended) = (release.started, !release.by.is_person());
        let pending = PendingDeployment { link: &link, purpose, sha: None, upgrades, now, unattended };
        let gate = plan::gate(estate.manifest(), &[], pending);
        if purpose == DeployPurpose::Upgrade && (release.issued || release.ended.is_none()) {
            upgrades.push(now);
        }
        if now < since {
            continue;
        }
        judged += 1;
        if let Some(gate) = gate {
            let holds = gate.holds(&link, &HoldScope::Link);
            held.push(HeldRelease { link, release, holds });
        }
    }
    Ok(Replay { since, judged, held })
}
