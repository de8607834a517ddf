//! Gathers everything that a plan is made from; never decides.
//!
//! Reads the record in three batches whatever the number of links, queries each platform once, and each repository at
//! most once for all of its branches. Reads a commit only for links where [`crate::plan::needs_commit`] says that it
//! matters, so that a converged link costs its repository nothing.

mod ancestry;
mod approvals;
mod candidates;
mod commit;
mod commit_query;
mod contained;
mod evidence;
mod images;
mod lease_observer;
mod observe;
mod pipelines;
mod problem;
mod pull_requests;
mod refusal;
mod reviews;
mod taint;
mod target;
mod untestable;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use candidates::obstacle;
pub use contained::contained;
use futures::future::join_all;
use jiff::Timestamp;
pub use lease_observer::{LeaseObserver, ObservedLease};
pub use pipelines::branch_history;
pub use reviews::unreviewed;
pub use taint::taints;
pub use target::Targets;
pub use untestable::{Untestable, UntestableReason};

use candidates::Search;
use evidence::EvidenceReader;
use pipelines::Known;

use crate::causes;
use crate::clock::Clock;
use crate::domain::{
    CommitSha, Consent, FleetName, FormerName, Head, LinkId, Request, RequestKind, TenantName,
};
use crate::fleet::{Fleet, FleetError, ListedService};
use crate::git::Repositories;
use crate::manifest::Manifest;
use crate::pipeline::Records;
use crate::plan::{self, Hold, LinkInput, OrphanedService, PlanInput, Problem};
use crate::platform::Platform;
use crate::policy::Reviews;
use crate::registry::Registry;
use crate::state::{State, StateError, Survey};

/// The sources of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The wanted state.
    pub manifest: &'a Manifest,
    /// The recorded state.
    pub state: &'a dyn State,
    /// The repositories with the commits.
    pub git: &'a dyn Repositories,
    /// The fleets that this build supports, by name in the manifest.
    pub fleets: &'a BTreeMap<FleetName, Arc<dyn Fleet>>,
    /// The platforms that this build supports, by tenant.
    pub platforms: &'a BTreeMap<TenantName, Arc<dyn Platform>>,
    /// The registries of images.
    pub registry: &'a dyn Registry,
    /// What earlier passes saw of the leases.
    pub leases: &'a LeaseObserver,
    /// The time to plan at, and the clock that leases are judged by.
    pub clock: &'a dyn Clock,
}

/// What to gather.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The links to gather for.
    pub targets: Targets,
    /// Gather only what runs.
    pub refresh_only: bool,
    /// Wait for leases on these links that processes on other machines hold to expire or be renewed. Takes up to a
    /// lease's duration.
    pub patient: bool,
    /// Plan for a job or a schedule, which no user attends.
    pub unattended: bool,
    /// Plan as if it were this time.
    pub at: Option<Timestamp>,
    /// Requests to treat as recorded although they are not.
    pub proposed: Vec<Request>,
}

/// Gathers what `scope` asks for.
pub async fn gather<'a>(sources: Sources<'a>, scope: &Scope) -> Result<PlanInput<'a>, StateError> {
    let mut found = Vec::new();
    // With only some links in scope, the services found may belong to others.
    if scope.targets.is_everything() && !scope.refresh_only {
        // Before the record: the intent of a service is recorded before its launch.
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

/// Like [`gather`], for callers that already listed the services and know which of them may be orphans.
pub async fn gather_beside<'a>(
    sources: Sources<'a>,
    scope: &Scope,
    orphans: Vec<OrphanedService>,
) -> Result<PlanInput<'a>, StateError> {
    // Read first, so that the age of what is recorded is never overstated.
    let now = scope.at.unwrap_or_else(|| sources.clock.now());
    let Recorded { mut links, records, consents } = record(sources, scope, now).await?;
    let records = Arc::new(records);
    let mut evidence = EvidenceReader::new(sources.state);
    let known = Known { records: &records, consents: &consents, now };
    complete(sources, &mut links, known, &mut evidence).await?;
    let digests = sources.manifest.workflows.iter().map(|(name, workflow)| (name.clone(), workflow.digest()));
    let mut input = PlanInput {
        manifest: sources.manifest,
        now,
        links,
        orphans,
        workflow_digests: digests.collect(),
        consents,
        reviews: Reviews::default(),
        unattended: scope.unattended,
        refresh_only: scope.refresh_only,
    };
    pass_over_held_tips(sources, &mut input, &records, &mut evidence).await?;
    input.reviews = evidence.reviews;
    Ok(input)
}

/// Decides again for links whose tip is held, if tests wait there.
async fn pass_over_held_tips(
    sources: Sources<'_>,
    input: &mut PlanInput<'_>,
    records: &Arc<Records>,
    evidence: &mut EvidenceReader<'_>,
) -> Result<(), StateError> {
    let mut held = plan::held_tips(input);
    let (mut again, others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut input.links).into_iter().partition(|link| held.contains_key(&link.id));
    for link in &mut again {
        link.held_tip = held.remove(&link.id).map(Box::new);
        (link.facts, link.registry, link.changes) = (None, None, None);
    }
    if !again.is_empty() {
        let known = Known { records, consents: &input.consents, now: input.now };
        complete(sources, &mut again, known, evidence).await?;
    }
    input.links = others;
    input.links.extend(again);
    input.links.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(())
}

/// Fills in everything of these links that the record does not say.
async fn complete(
    sources: Sources<'_>,
    links: &mut [LinkInput],
    known: Known<'_>,
    evidence: &mut EvidenceReader<'_>,
) -> Result<(), StateError> {
    wanted::resolve(sources, links, known, evidence).await?;
    contained::find(sources, links).await;
    reviews::find(sources, links, evidence).await?;
    approvals::find(sources, links).await;
    observe::observe(sources, links, None).await;
    commit::gather(sources, links, known.consents).await;
    images::ask(sources, links).await;
    Ok(())
}

/// The commit that a link should run, or what holds it without one. Asks neither its platform nor what the commit
/// holds.
///
/// Without `promotions`, as if no actor had promoted a commit.
pub async fn wanted(
    sources: Sources<'_>,
    scope: &Scope,
    id: &LinkId,
    promotions: bool,
) -> Result<Result<CommitSha, Box<Hold>>, StateError> {
    let (found, _) = resolved(sources, scope, id, promotions).await?;
    let none = || {
        let problem = Problem { what: format!("`{id}` is not in the manifest"), hint: None };
        Err(Box::new(problem.into()))
    };
    Ok(found.and_then(|link| link.want).unwrap_or_else(none))
}

/// Why a link that tests pull requests could not test a commit now, if it could not.
pub async fn untestable(
    sources: Sources<'_>,
    id: &LinkId,
    sha: &CommitSha,
) -> Result<Result<Option<Untestable>, Box<Hold>>, StateError> {
    let scope = Scope { targets: Targets::default().and_only([id.clone()].into()), ..Scope::default() };
    let (found, consents) = resolved(sources, &scope, id, true).await?;
    let Some(input) = found else { return Ok(Ok(None)) };
    let repo = sources.manifest.link(id).and_then(|(_, link)| sources.manifest.repos.get(&link.repo));
    let place = input.pipeline.as_deref().and_then(|found| Some((found, found.branch.tip()?)));
    let (Some(repo), Some((found, tip))) = (repo, place) else {
        // Its branch cannot be read.
        return Ok(input.want.map_or(Ok(None), |want| want.map(|_| None)));
    };
    let rejections = plan::rejections(sources.manifest, &consents, id);
    let search = Search { sources, url: &repo.url, input: &input, found, rejections: &rejections };
    Ok(search.test_of(sha, tip).await.map(Result::err).map_err(|problem| Box::new(problem.into())))
}

/// What decides on the commit of one link, and the consents that stand.
async fn resolved(
    sources: Sources<'_>,
    scope: &Scope,
    id: &LinkId,
    promotions: bool,
) -> Result<(Option<LinkInput>, Vec<Consent>), StateError> {
    let now = sources.clock.now();
    let Recorded { mut links, records, consents } = record(sources, scope, now).await?;
    for link in links.iter_mut().filter(|_| !promotions) {
        link.head.promoted = None;
        link.requests.retain(|request| !matches!(request.ask, RequestKind::Promote { .. }));
    }
    let known = Known { records: &Arc::new(records), consents: &consents, now };
    wanted::resolve(sources, &mut links, known, &mut EvidenceReader::new(sources.state)).await?;
    contained::find(sources, &mut links).await;
    Ok((links.into_iter().find(|link| link.id == *id), consents))
}

/// The consents that stand, under the present names of their links.
pub async fn consents(sources: Sources<'_>) -> Result<Vec<Consent>, StateError> {
    let Survey { heads, consents, .. } = sources.state.survey().await?;
    Ok(under_present_names(sources.manifest, &heads, consents.standing))
}

/// A consent keeps the name of its link, which may have been renamed since.
fn under_present_names(
    manifest: &Manifest,
    heads: &[(LinkId, Box<Head>)],
    mut consents: Vec<Consent>,
) -> Vec<Consent> {
    if consents.is_empty() {
        return consents;
    }
    let former = heads.iter().filter(|(_, head)| head.moved_to.is_none());
    let names = |(id, head): &'_ (LinkId, Box<Head>)| {
        let former = FormerName::names(&head.formerly);
        former.map(|former| (former.clone(), id.clone())).collect::<Vec<_>>()
    };
    let former: BTreeMap<LinkId, LinkId> = former.flat_map(names).collect();
    for link in consents.iter_mut().filter_map(|consent| consent.what.link_mut()) {
        let renamed = former.get(link).cloned().or_else(|| manifest.moved.target(link));
        if let Some(to) = renamed.filter(|_| manifest.link(link).is_none()) {
            *link = to;
        }
    }
    consents
}

/// What is recorded.
struct Recorded {
    /// Every link in scope, whether it is in the manifest or only in the record.
    links: Vec<LinkInput>,
    /// What the record says of all links of pipelines.
    records: Records,
    /// The consents that stand.
    consents: Vec<Consent>,
}

async fn record(sources: Sources<'_>, scope: &Scope, now: Timestamp) -> Result<Recorded, StateError> {
    let (state, asked) = (sources.state, sources.clock.elapsed());
    let Survey { heads, leases, requests, consents, mut damaged } = state.survey().await?;
    let consents = under_present_names(sources.manifest, &heads, consents.standing);
    let recorded = heads.iter().map(|(id, head)| (id, !head.is_blank()));
    let renames = plan::renames(sources.manifest, recorded.chain(damaged.keys().map(|id| (id, true))));
    // A renamed link is in scope under both names.
    let in_scope = |id: &LinkId| {
        scope.targets.contain(id) || renames.get(id).is_some_and(|to| scope.targets.contain(to))
    };
    let leases = leases.into_iter().filter(|(id, _)| in_scope(id)).collect();
    let mut holders = match scope.patient {
        true => sources.leases.observe_patiently(state, sources.clock, (leases, asked)).await?,
        false => sources.leases.observe(leases, asked, sources.clock.elapsed()),
    };
    let mut pending: BTreeMap<LinkId, Vec<Request>> = BTreeMap::new();
    for request in requests.into_iter().chain(scope.proposed.iter().cloned()) {
        pending.entry(request.link.clone()).or_default().push(request);
    }
    // A forgotten link matters only if it has a lease, a request or a damaged record left.
    let has_rest =
        |id: &LinkId| holders.contains_key(id) || pending.contains_key(id) || damaged.contains_key(id);
    let is_left = |id: &LinkId, head: &Head| !head.forgotten || renames.contains_key(id) || has_rest(id);
    let mut links = with_heads(sources.manifest, heads, is_left);
    // A lease or request may exist for a link without a head: its holder died before recording anything, and the link
    // has left the manifest since.
    let known: BTreeSet<LinkId> = links.iter().map(|(id, _)| id.clone()).collect();
    let left: BTreeSet<&LinkId> = holders.keys().chain(pending.keys()).chain(damaged.keys()).collect();
    let left = left.into_iter().filter(|id| !known.contains(id));
    links.extend(left.map(|id| (id.clone(), Box::default())).collect::<Vec<_>>());
    links.sort_by(|(a, _), (b, _)| a.cmp(b));
    let input = |(id, head): (LinkId, Box<Head>)| {
        let (holder, lease) = holders
            .remove(&id)
            .map_or((plan::Holder::Nobody, None), |held| (held.holder, Some(Box::new(held.lease))));
        LinkInput {
            holder,
            lease,
            requests: pending.remove(&id).unwrap_or_default(),
            refused: Vec::new(),
            want: None,
            observed: plan::Observed::Absent,
            facts: None,
            registry: None,
            damage: damaged.remove(&id).map(|error| problem::problem_of(&error, error.hint())),
            id,
            head,
            renamed: None,
            watched: None,
            pipeline: None,
            test: None,
            stops: None,
            held_tip: None,
            landing: None,
            waits: None,
            changes: None,
            added: None,
            owed_reviews: Vec::new(),
        }
    };
    let mut links = plan::relocate(sources.manifest, links.into_iter().map(input).collect(), now);
    let access = &sources.manifest.access;
    for LinkInput { id, requests, refused, .. } in links.iter_mut().filter(|it| !it.requests.is_empty()) {
        let all = std::mem::take(requests);
        for request in &all {
            match access.refusal_of(id, request, &all) {
                None => requests.push(request.clone()),
                Some(why) => refused.push((request.clone(), why)),
            }
        }
    }
    let records = pipelines::records(sources.manifest, &links);
    let links = links.into_iter().filter(|link| scope.targets.contain(&link.id)).collect();
    Ok(Recorded { links, records, consents })
}

/// The manifest's links with their heads, and those only in the record if `is_left` accepts them.
fn with_heads(
    manifest: &Manifest,
    mut heads: Vec<(LinkId, Box<Head>)>,
    is_left: impl Fn(&LinkId, &Head) -> bool,
) -> Vec<(LinkId, Box<Head>)> {
    // Most links are in both, in the same order: merging them moves each head only once.
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

/// The services in each fleet, or why it could not be listed. Queries all fleets concurrently.
pub async fn services(
    fleets: &BTreeMap<FleetName, Arc<dyn Fleet>>,
) -> BTreeMap<FleetName, Result<Vec<OrphanedService>, FleetError>> {
    let asked = fleets.iter().map(|(name, fleet)| async move {
        let orphan = |found: ListedService| OrphanedService {
            fleet: name.clone(),
            handle: found.handle,
            token: found.token,
            link: found.link,
        };
        let listed = fleet.list().await;
        (name.clone(), listed.map(|services| services.into_iter().map(orphan).collect()))
    });
    join_all(asked).await.into_iter().collect()
}
