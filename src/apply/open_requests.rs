//! Polls for requests while links are applied. One query covers all links: it costs the same for one link and for a
//! thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::access::Access;
use crate::causes;
use crate::domain::{CommitSha, LinkId, Request, RequestId, RequestKind};
use crate::plan::{LinkPlan, Step};
use crate::state::State;
use crate::telemetry::RateLimited;

/// The interval between reads.
const EVERY: Duration = Duration::from_secs(1);

/// Shared by all links: the record is unreachable for all of them at the same time.
static READ_FAILED: RateLimited = RateLimited::new();

/// The open requests of the links that are being applied. Nothing is read while there are none.
#[derive(Debug)]
pub(super) struct OpenRequests {
    state: Arc<dyn State>,
    access: Access,
    watched: Mutex<Watched>,
    last: watch::Sender<LastRead>,
}

#[derive(Debug, Default)]
struct Watched {
    /// How many watches each link has.
    links: BTreeMap<LinkId, usize>,
    is_polled: bool,
    /// How many reads have begun.
    reads: u64,
}

#[derive(Debug, Default)]
struct LastRead {
    number: u64,
    requests: Vec<Request>,
}

/// Watches the requests of one link until it is dropped.
#[derive(Debug)]
pub(super) struct LinkRequests {
    all: Arc<OpenRequests>,
    link: LinkId,
    /// Earlier reads may show requests that were decided before this watch began.
    first: u64,
    /// The requests that the plan decides. They are on record until its first event is.
    decided: BTreeSet<RequestId>,
}

impl OpenRequests {
    pub(super) fn new(state: Arc<dyn State>, access: Access) -> Self {
        Self { state, access, watched: Mutex::default(), last: watch::Sender::default() }
    }

    /// Starts to watch the link of a plan, for requests that the plan does not decide.
    pub(super) fn watch(self: &Arc<Self>, plan: &LinkPlan) -> LinkRequests {
        let link = plan.link.clone();
        let mut watched = self.watched();
        *watched.links.entry(link.clone()).or_default() += 1;
        if !std::mem::replace(&mut watched.is_polled, true) {
            tokio::spawn(Arc::clone(self).poll());
        }
        let decided = plan.steps.iter().flat_map(decided_by).map(|request| request.id.clone()).collect();
        LinkRequests { all: Arc::clone(self), link, first: watched.reads + 1, decided }
    }

    /// Reads requests until no link is watched.
    async fn poll(self: Arc<Self>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let (number, links) = {
                let mut watched = self.watched();
                watched.is_polled = !watched.links.is_empty();
                if !watched.is_polled {
                    break;
                }
                watched.reads += 1;
                (watched.reads, watched.links.keys().cloned().collect::<Vec<_>>())
            };
            match self.state.requests(Some(&links)).await {
                Ok(requests) => drop(self.last.send_replace(LastRead { number, requests })),
                Err(error) if READ_FAILED.is_time() => {
                    let error = causes::in_one_line(&error);
                    tracing::warn!(%error, "open requests could not be read; retrying");
                }
                Err(_) => {}
            }
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The requests that a step takes off the record.
fn decided_by(step: &Step) -> Vec<&Request> {
    match step {
        Step::Accept { request } | Step::Refuse { request, .. } => vec![request],
        Step::StartRun { grants: Some(request), .. } => vec![request],
        Step::Withdraw { request, by } => vec![request, by],
        _ => Vec::new(),
    }
}

impl LinkRequests {
    /// Waits until a cancel of the link's run for that commit is pending.
    pub(super) async fn cancelled(&self, sha: &CommitSha) -> Request {
        let mut last = self.all.last.subscribe();
        loop {
            let found = self.cancel_of(&last.borrow_and_update(), sha);
            if let Some(request) = found {
                return request;
            }
            // Never fails: the sender is part of `all`.
            let _ = last.changed().await;
        }
    }

    fn cancel_of(&self, last: &LastRead, sha: &CommitSha) -> Option<Request> {
        let permitted = last
            .requests
            .iter()
            .filter(|request| self.all.access.refusal_of(&self.link, request, &last.requests).is_none());
        let withdrawn = |id: &RequestId| permitted.clone().any(|other| other.withdraws(id));
        let cancels = |request: &&Request| {
            request.link == self.link
                && matches!(&request.ask, RequestKind::Cancel { sha: of } if of == sha)
                && !withdrawn(&request.id)
                && !self.decided.contains(&request.id)
        };
        permitted.clone().find(cancels).filter(|_| last.number >= self.first).cloned()
    }
}

impl Drop for LinkRequests {
    fn drop(&mut self) {
        let mut watched = self.all.watched();
        if let Some(watches) = watched.links.get_mut(&self.link) {
            *watches -= 1;
            if *watches == 0 {
                watched.links.remove(&self.link);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::MemoryState;

    fn sha(digit: &str) -> CommitSha {
        CommitSha::new(digit.repeat(40)).unwrap()
    }

    fn request(id: &str, kind: RequestKind) -> Request {
        Request {
            id: RequestId(id.to_owned()),
            link: "dev/shop".parse().unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: "ana".into(),
            why: None,
            ask: kind,
        }
    }

    fn cancel(id: &str) -> Request {
        request(id, RequestKind::Cancel { sha: sha("a") })
    }

    /// The id of the cancel that a watch of `plan` sees when these requests are read.
    fn seen(plan: &LinkPlan, number: u64, requests: Vec<Request>) -> Option<String> {
        let all = Arc::new(OpenRequests::new(Arc::new(MemoryState::new()), Access::default()));
        let found = all.watch(plan).cancel_of(&LastRead { number, requests }, &sha("a"));
        found.map(|request| request.id.0)
    }

    #[tokio::test]
    async fn a_cancel_is_seen_unless_it_is_withdrawn_or_was_read_before_the_watch_began() {
        let nothing = LinkPlan::with_steps("dev/shop", Vec::new());
        assert_eq!(seen(&nothing, 1, vec![cancel("1")]).as_deref(), Some("1"));
        assert_eq!(seen(&nothing, 0, vec![cancel("1")]), None);
        let other = request("1", RequestKind::Cancel { sha: sha("b") });
        assert_eq!(seen(&nothing, 1, vec![other]), None);
        let withdrawal = request("2", RequestKind::Withdraw { id: RequestId("1".to_owned()) });
        assert_eq!(seen(&nothing, 1, vec![cancel("1"), withdrawal]), None);
    }

    #[tokio::test]
    async fn a_cancel_that_the_plan_refuses_does_not_end_the_run_that_the_plan_starts() {
        let refuses = LinkPlan::with_steps(
            "dev/shop",
            vec![Step::Refuse { request: cancel("1"), why: "it has ended".to_owned() }],
        );
        assert_eq!(seen(&refuses, 1, vec![cancel("1")]), None);
        assert_eq!(seen(&refuses, 1, vec![cancel("1"), cancel("2")]).as_deref(), Some("2"));
    }
}
