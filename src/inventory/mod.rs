//! Gathers all that a plan is made from; never decides.
//!
//! The record is read in three batches whatever the number of links, each platform is asked once, each repository at
//! most once for all of its branches. What a commit holds is read only for the links of which
//! [`crate::plan::needs_commit`] says that it matters, so that a converged link costs its repository nothing.

mod commit;
mod contained;
mod holder;
mod observe;
mod taint;
mod target;
mod want;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use contained::contained;
use futures::future::join_all;
pub use taint::taints;
pub use target::{BadPattern, Targets};

use crate::causes;
use crate::domain::{Head, LinkId, Request, TenantName};
use crate::fleet::{Fleet, FleetError, Found};
use crate::git::Repositories;
use crate::manifest::Manifest;
use crate::plan::{self, LinkInput, PlanInput, Problem, Stray};
use crate::platform::Platform;
use crate::state::{State, StateError, Survey};

/// Where everything is found out.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// What should be.
    pub manifest: &'a Manifest,
    /// The record.
    pub state: &'a dyn State,
    /// The repositories.
    pub git: &'a dyn Repositories,
    /// The fleets that this katkit has, by their name in the manifest.
    pub fleets: &'a BTreeMap<String, Arc<dyn Fleet>>,
    /// The platforms that this katkit has, by tenant.
    pub platforms: &'a BTreeMap<TenantName, Arc<dyn Platform>>,
}

/// What is to be found out.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Of which links.
    pub targets: Targets,
    /// Only what runs.
    pub refresh_only: bool,
    /// Wait for the leases of processes on other machines to expire or to be renewed, those of these links alone. Takes up to
    /// a lease's duration.
    pub patient: bool,
    /// Requests that nobody has recorded yet, as if they were.
    pub proposed: Vec<Request>,
}

/// Finds out what `scope` asks for.
pub async fn gather<'a>(sources: Sources<'a>, scope: &Scope) -> Result<PlanInput<'a>, StateError> {
    let mut found = Vec::new();
    // Where only some links are looked at, others may own what is found.
    if scope.targets.is_everything() && !scope.refresh_only {
        // Before the record: a service launched since has its intent in the record by then.
        for (name, services) in services(sources.fleets).await {
            match services {
                Ok(services) => found.extend(services),
                Err(error) => {
                    let error = causes::in_one_line(&error);
                    tracing::warn!(fleet = %name, %error, "the fleet could not be listed");
                }
            }
        }
    }
    gather_beside(sources, scope, found).await
}

/// The same, for whoever has listed the services before, and says which of them are to be accounted for.
pub async fn gather_beside<'a>(
    sources: Sources<'a>,
    scope: &Scope,
    strays: Vec<Stray>,
) -> Result<PlanInput<'a>, StateError> {
    let mut links = record(sources, scope).await?;
    want::resolve(sources, &mut links).await;
    contained::find(sources, &mut links).await;
    observe::observe(sources, &mut links, None).await;
    commit::gather(sources, &mut links).await;
    let digests = sources.manifest.workflows.iter().map(|(name, workflow)| (name.clone(), workflow.digest()));
    Ok(PlanInput {
        manifest: sources.manifest,
        links,
        strays,
        workflow_digests: digests.collect(),
        refresh_only: scope.refresh_only,
    })
}

/// What is recorded of every link in scope, whether it is in the manifest or only in the record.
async fn record(sources: Sources<'_>, scope: &Scope) -> Result<Vec<LinkInput>, StateError> {
    let state = sources.state;
    let Survey { heads, leases, requests, mut damaged } = state.survey().await?;
    let recorded = heads.iter().map(|(id, head)| (id, !head.is_blank()));
    let renames = plan::renames(sources.manifest, recorded.chain(damaged.keys().map(|id| (id, true))));
    // Of a link that is moved, both names matter.
    let is_meant = |id: &LinkId| {
        scope.targets.contain(id) || renames.get(id).is_some_and(|to| scope.targets.contain(to))
    };
    let mut holders = holder::judge(state, leases, &is_meant, scope.patient).await?;
    let mut wishes: BTreeMap<LinkId, Vec<Request>> = BTreeMap::new();
    for request in requests.into_iter().chain(scope.proposed.iter().cloned()) {
        wishes.entry(request.link.clone()).or_default().push(request);
    }
    // Of what was forgotten, only a lease can be left, or a person's wish.
    let tell = |id: &LinkId| holders.contains_key(id) || wishes.contains_key(id) || damaged.contains_key(id);
    let is_left = |id: &LinkId, head: &Head| !head.forgotten || renames.contains_key(id) || tell(id);
    let mut links = with_heads(sources.manifest, heads, is_left);
    // Whoever held it may have died before anything was recorded, and its link left the manifest since; so may the link of
    // a wish.
    let known: BTreeSet<LinkId> = links.iter().map(|(id, _)| id.clone()).collect();
    let left: BTreeSet<&LinkId> = holders.keys().chain(wishes.keys()).chain(damaged.keys()).collect();
    let left = left.into_iter().filter(|id| !known.contains(id));
    links.extend(left.map(|id| (id.clone(), Box::default())).collect::<Vec<_>>());
    links.sort_by(|(a, _), (b, _)| a.cmp(b));
    let input = |(id, head): (LinkId, Box<Head>)| {
        let (holder, lease) = holders
            .remove(&id)
            .map_or((plan::Holder::Nobody, None), |(holder, lease)| (holder, Some(Box::new(lease))));
        LinkInput {
            holder,
            lease,
            requests: wishes.remove(&id).unwrap_or_default(),
            want: None,
            observed: plan::Observed::Absent,
            facts: None,
            damage: damaged
                .remove(&id)
                .map(|error| Problem { what: causes::in_one_line(&error), hint: error.hint() }),
            id,
            head,
            renamed: None,
            watched: None,
        }
    };
    let links = plan::relocate(sources.manifest, links.into_iter().map(input).collect());
    Ok(links.into_iter().filter(|link| scope.targets.contain(&link.id)).collect())
}

/// The links of the manifest, each with what is recorded of it, and those that only the record has and `is_left` lets through.
fn with_heads(
    manifest: &Manifest,
    mut heads: Vec<(LinkId, Box<Head>)>,
    is_left: impl Fn(&LinkId, &Head) -> bool,
) -> Vec<(LinkId, Box<Head>)> {
    // Most links are in both, in the same order: they are put side by side, and no head is moved more than once.
    heads.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut heads = heads.into_iter().peekable();
    let mut links = Vec::with_capacity(heads.len());
    for (id, _, _) in manifest.links() {
        while let Some((left, head)) = heads.next_if(|(recorded, _)| *recorded < id) {
            if is_left(&left, &head) {
                links.push((left, head));
            }
        }
        let head = heads.next_if(|(recorded, _)| *recorded == id).map(|(_, head)| head);
        links.push((id, head.unwrap_or_default()));
    }
    links.extend(heads.filter(|(id, head)| is_left(id, head)));
    links
}

/// The services in each fleet, or why it could not be listed. All fleets are asked at the same time.
pub async fn services(
    fleets: &BTreeMap<String, Arc<dyn Fleet>>,
) -> BTreeMap<String, Result<Vec<Stray>, FleetError>> {
    let asked = fleets.iter().map(|(name, fleet)| async move {
        let stray = |found: Found| Stray {
            fleet: name.clone(),
            handle: found.handle,
            token: found.token,
            link: found.link,
        };
        let listed = fleet.list().await;
        (name.clone(), listed.map(|services| services.into_iter().map(stray).collect()))
    });
    join_all(asked).await.into_iter().collect()
}
