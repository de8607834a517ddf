//! Whether links have reached a goal: the wanted commit is live, or verified, or a named commit is live.

use std::collections::{BTreeMap, BTreeSet};

use super::active_phase::ActivePhase;
use crate::causes;
use crate::domain::{Epoch, Generation, LinkId, Request, RequestId, RequestKind};
use crate::estate::Estate;
use crate::git::GitError;
use crate::inventory::{ObservedLease, Scope, Targets};
use crate::plan::{self, Arrival, Goal, LinkInput, LinkPlan, Step};
use crate::state::StateError;

/// Changes whenever an event or a request is recorded for the links, a lease is taken or released, or its owner is
/// found dead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    heads: BTreeMap<LinkId, Generation>,
    /// The pending requests.
    requests: BTreeSet<RequestId>,
    /// Each held lease, and whether its owner is alive.
    leases: BTreeMap<LinkId, (Epoch, bool)>,
}

impl Fingerprint {
    /// Whether nothing is recorded, and no lease is held.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens on some links right now, according to the record alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// As long as it stays the same, the progress of the links changes only through repositories and platforms.
    pub fingerprint: Fingerprint,
    /// The phases that a live process is working on.
    pub running: Vec<ActivePhase>,
}

/// The progress of links towards a goal.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// What was recorded just before the links were inspected.
    pub activity: Activity,
    /// The progress of each link in the manifest.
    pub links: BTreeMap<LinkId, Arrival>,
}

/// Reads what happens on the links. Queries only the record.
pub async fn activity(estate: &Estate, targets: &Targets) -> Result<Activity, StateError> {
    let (mut survey, mut held) = estate.survey().await?;
    survey.heads.retain(|(id, _)| targets.contain(id));
    survey.requests.retain(|request| targets.contain(&request.link));
    held.retain(|id, _| targets.contain(id));
    let heads = survey.heads.iter().map(|(id, head)| (id.clone(), head.generation)).collect();
    let requests = survey.requests.into_iter().map(|request| request.id).collect();
    let leases = held.iter().map(|(id, held)| (id.clone(), (held.lease.epoch, held.is_alive()))).collect();
    let is_held = |id: &LinkId| held.get(id).is_some_and(ObservedLease::is_alive);
    let worked_on = survey.heads.iter().filter(|(id, _)| is_held(id));
    let running = worked_on.flat_map(|(id, head)| ActivePhase::of(id, head)).collect();
    Ok(Activity { fingerprint: Fingerprint { heads, requests, leases }, running })
}

/// The progress of every link in the manifest that `targets` contain. Queries repositories and platforms.
pub async fn arrivals(estate: &Estate, targets: &Targets, goal: &Goal) -> Result<Arrivals, StateError> {
    let activity = activity(estate, targets).await?;
    let input = estate.inventory(&Scope { targets: targets.clone(), ..Scope::default() }).await?;
    let plan = plan::plan(&input);
    let mut links = BTreeMap::new();
    for link in input.links.iter().filter(|link| link.want.is_some()) {
        let planned = plan.links.binary_search_by(|planned| planned.link.cmp(&link.id)).ok();
        let planned = planned.map(|at| &plan.links[at]);
        let mut arrival = plan::arrival(link, planned, goal);
        if let (Goal::Commit(digits), Arrival::OnTheWay(_) | Arrival::Stopped(_)) = (goal, &arrival)
            && !planned.is_some_and(plan::is_repair)
            && let Some(other) = by_history(estate, link, planned, digits).await
            && (other.is_there() || matches!(arrival, Arrival::OnTheWay(_)))
        {
            arrival = other;
        }
        links.insert(link.id.clone(), arrival);
    }
    Ok(Arrivals { activity, links })
}

/// Asks the repository whether the deployed commit contains the named one.
///
/// `None` if the named commit is about to be deployed: during a rollback it is an ancestor of what is still live.
async fn by_history(
    estate: &Estate,
    link: &LinkInput,
    planned: Option<&LinkPlan>,
    digits: &str,
) -> Option<Arrival> {
    let (_, asks) = estate.manifest().link(&link.id)?;
    let url = &estate.manifest().repos.get(&asks.repo)?.url;
    let commit = match estate.git.resolve(url, digits).await {
        Ok(commit) => commit,
        Err(error) => {
            let what = causes::in_one_line(&error);
            let is_unreachable = error.is_retryable() || matches!(error, GitError::Vanished { .. });
            let problem = || plan::Problem { what: what.clone(), hint: None };
            return Some(if is_unreachable {
                Arrival::Held(problem().into())
            } else {
                Arrival::OnTheWay(what)
            });
        }
    };
    let to = |step: &Step| matches!(step, Step::Deploy(deploy) if deploy.to == commit);
    let back = |request: &Request| matches!(&request.ask, RequestKind::Rollback { to, .. } if *to == commit);
    let goes_there = matches!(&link.want, Some(Ok(want)) if *want == commit)
        || planned.is_some_and(|planned| planned.steps.iter().any(to))
        || link.head.deploying.as_ref().is_some_and(|deploying| deploying.sha == commit)
        || link.requests.iter().any(back);
    if goes_there {
        return None;
    }
    let live = link.head.deployed.as_ref()?.sha.clone();
    let beyond = estate.git.commits(url, Some(&live), &commit, &[], 1).await.ok()?;
    (beyond.listed.is_empty() && beyond.more == 0).then_some(Arrival::Contained { live, commit })
}
