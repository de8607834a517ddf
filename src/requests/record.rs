//! Records checked requests, except those that are already pending.

use std::collections::BTreeSet;

use super::CheckedRequest;
use super::pending::pending;
use crate::domain::{Actor, LinkId, Request, RequestId, RequestKind};
use crate::estate::Estate;
use crate::plan::Step;
use crate::state::{NewRequest, StateError};

/// A checked request, compared with those that are pending. Not recorded yet.
#[derive(Clone, Debug)]
#[must_use = "nothing is recorded yet"]
pub struct PreparedRequest {
    link: LinkId,
    confirmation: String,
    submission: Submission,
}

#[derive(Clone, Debug)]
enum Submission {
    New(NewRequest),
    /// The same request is pending already.
    Pending(Request),
}

/// A request that is on record and pending.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The link it is for.
    pub link: LinkId,
    /// Its id; that of the earlier request if the same one was already pending.
    pub id: RequestId,
    /// The sentence that tells the actor what was recorded, or that it was already pending.
    pub confirmation: String,
}

/// Compares requests with those that are pending, and adds their actor, reason and time.
pub async fn prepare(
    estate: &Estate,
    checked: Vec<(LinkId, CheckedRequest)>,
    by: &Actor,
    why: Option<&str>,
) -> Result<Vec<PreparedRequest>, StateError> {
    let links: BTreeSet<_> = checked.iter().map(|(link, _)| link.clone()).collect();
    let links: Vec<_> = links.into_iter().collect();
    let all = estate.state.requests(Some(&links)).await?;
    let access = &estate.manifest().access;
    // A request that will be refused must not keep another from being recorded.
    let is_permitted = |it: &Request| access.refusal_of(&it.link, it, &all).is_none();
    let permitted = all.iter().filter(|request| is_permitted(request)).cloned().collect();
    let pending = pending(permitted);
    let at = estate.clock.now();
    let mut prepared = Vec::new();
    for (link, CheckedRequest { kind, confirmation }) in checked {
        // A new reason makes it a new request.
        let is_same = |request: &&Request| {
            let is_same_reason = why.is_none() || request.why.as_deref() == why;
            request.link == link && request.ask == kind && is_same_reason
        };
        // A duplicate would be refused later anyway.
        prepared.push(if let Some(same) = pending.iter().find(is_same) {
            let confirmation = format!("{} already requested this; that request is still pending.", same.by);
            PreparedRequest { link, confirmation, submission: Submission::Pending(same.clone()) }
        } else {
            let (by, why) = (by.clone(), why.map(str::to_owned));
            let new = NewRequest { link: link.clone(), at, by, why, ask: kind };
            PreparedRequest { link, confirmation, submission: Submission::New(new) }
        });
    }
    Ok(prepared)
}

impl PreparedRequest {
    /// Records the request, unless the same one is already pending.
    pub async fn record(self, estate: &Estate) -> Result<RecordedRequest, StateError> {
        let Self { link, confirmation, submission } = self;
        let id = match submission {
            Submission::New(new) => estate.state.submit(new).await?.id,
            Submission::Pending(same) => same.id,
        };
        Ok(RecordedRequest { link, id, confirmation })
    }
}

/// The requests that are not on record yet, as if they were: a plan with them (`inventory::Scope::proposed`) shows
/// where they would lead.
pub fn proposed(prepared: &[PreparedRequest]) -> Vec<Request> {
    let new = prepared.iter().filter_map(|prepared| match &prepared.submission {
        Submission::New(new) => Some(new.clone()),
        Submission::Pending(_) => None,
    });
    let proposed = new.enumerate().map(|(number, NewRequest { link, at, by, why, ask })| {
        // Sorts after the recorded requests, whose ids are digits.
        Request { id: RequestId(format!("proposed-{number:06}")), link, at, by, why, ask }
    });
    proposed.collect()
}

/// The requests that these steps of a link decide: granted, refused or withdrawn.
pub fn decided(steps: &[Step]) -> impl Iterator<Item = &RequestId> {
    steps.iter().filter_map(|step| match step {
        Step::Accept { request } | Step::Refuse { request, .. } | Step::Withdraw { request, .. } => {
            Some(&request.id)
        }
        Step::StartRun { grants: Some(request), .. } => Some(&request.id),
        _ => None,
    })
}

/// Whether these steps of a link refuse one of the submitted requests, and grant no other that asks for the same.
pub fn refuses(steps: &[Step], submitted: &BTreeSet<RequestId>) -> bool {
    let is_granted = |ask: &RequestKind| {
        steps.iter().any(|step| match step {
            Step::Accept { request } => request.ask == *ask,
            Step::StartRun { grants: Some(request), .. } => request.ask == *ask,
            _ => false,
        })
    };
    steps.iter().any(|step| match step {
        Step::Refuse { request, .. } => submitted.contains(&request.id) && !is_granted(&request.ask),
        _ => false,
    })
}
