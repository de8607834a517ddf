//! What the policies would have done with past deployments.

use jiff::Timestamp;

use super::history::{deployments, history};
use super::journal_pages::EventRange;
use crate::domain::LinkId;
use crate::estate::Estate;
use crate::plan::{self, HoldScope};
use crate::state::StateError;
use crate::views::{HeldRelease, Replay};

/// Judges every deployment of `links` since `since` by the policies of the manifest, at the time that it began.
pub async fn replay(estate: &Estate, links: &[LinkId], since: Timestamp) -> Result<Replay, StateError> {
    let range = EventRange {
        before: None,
        since: Some(since),
        until: None,
        limit: usize::MAX - 1,
        deployments: true,
    };
    let (releases, _) = deployments(history(estate, links, range).await?.events, usize::MAX);
    let (mut judged, mut held) = (0, Vec::new());
    for (link, release) in releases {
        // Adopting a service deploys nothing.
        let Some(purpose) = release.purpose else { continue };
        judged += 1;
        let at = (release.started, !release.by.is_person());
        let gate = plan::gate(estate.manifest(), &[], (&link, None), purpose, at);
        if let Some(gate) = gate {
            let holds = gate.holds(&link, &HoldScope::Link);
            held.push(HeldRelease { link, release, holds });
        }
    }
    Ok(Replay { since, judged, held })
}
