//! Whether the last prune of a link removed everything it recorded.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Sources;
use crate::causes;
use crate::domain::{Check, LinkId};
use crate::plan::LinkInput;
use crate::prune::{self, LinkPlan, PruneError, Scope};

/// Checks pruned links. Uses the plan of a prune that removes nothing new, so that doctor and `prune` never disagree.
pub(super) async fn examine(sources: Sources<'_>, links: &[LinkInput]) -> BTreeMap<LinkId, Check> {
    let what = "its last prune";
    let is_pruned = |link: &&LinkInput| link.head.pruned.is_some() && link.damage.is_none();
    let pruned: BTreeSet<_> = links.iter().filter(is_pruned).map(|link| link.id.clone()).collect();
    if pruned.is_empty() {
        return BTreeMap::new();
    }
    match unfinished(sources, pruned.clone()).await {
        Err(error) => {
            let unknown = Check::unknown(what, causes::in_one_line(&error));
            pruned.into_iter().map(|link| (link, unknown.clone())).collect()
        }
        Ok(plans) => {
            let bounds = links.iter().filter_map(|link| {
                let pruned = link.head.pruned.as_ref()?;
                Some((&link.id, pruned.blobs_before))
            });
            let bounds: BTreeMap<_, _> = bounds.collect();
            let check = |plan: LinkPlan| {
                let before = bounds.get(&plan.link).copied().unwrap_or_default();
                let fix = format!("`katkit prune {} --older-than {}` finishes it", plan.link, day(before));
                let check = Check::bad(what, left(&plan), fix);
                (plan.link, check)
            };
            plans.into_iter().map(check).collect()
        }
    }
}

/// Recorded but unfinished prunes of links that no process is working on.
async fn unfinished(sources: Sources<'_>, links: BTreeSet<LinkId>) -> Result<Vec<LinkPlan>, PruneError> {
    let survey = sources.state.survey().await?;
    let before = Timestamp::MIN;
    let scope = Scope { before, history: false, links: Some(links) };
    let sources = prune::Sources { state: sources.state, blobs: sources.blobs };
    Ok(prune::plan(prune::gather(sources, survey, &scope).await?, before).links)
}

/// What the prune did not remove, as text.
fn left(plan: &LinkPlan) -> String {
    let blobs = plan.unfinished.blobs.len();
    let events = plan.uncut.map_or(0, |(_, events)| events);
    let number = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let mut left = Vec::new();
    left.extend((blobs > 0).then(|| number(blobs, "blob")));
    left.extend((events > 0).then(|| number(usize::try_from(events).unwrap_or(usize::MAX), "event")));
    format!("left {} that it should have removed", left.join(" and "))
}

/// The date of a time in UTC, rounded down so that `--older-than` removes nothing newer.
fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}
