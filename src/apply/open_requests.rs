//! Polls for requests while links are applied. One query covers all links: it costs the same for one link and for a
//! thousand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::causes;
use crate::domain::{CommitSha, LinkId, Request, RequestId, RequestKind};
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
}

impl OpenRequests {
    pub(super) fn new(state: Arc<dyn State>) -> Self {
        Self { state, watched: Mutex::default(), last: watch::Sender::default() }
    }

    /// Starts to watch a link.
    pub(super) fn watch(self: &Arc<Self>, link: LinkId) -> LinkRequests {
        let mut watched = self.watched();
        *watched.links.entry(link.clone()).or_default() += 1;
        if !std::mem::replace(&mut watched.is_polled, true) {
            tokio::spawn(Arc::clone(self).poll());
        }
        LinkRequests { all: Arc::clone(self), link, first: watched.reads + 1 }
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
        let withdrawn = |id: &RequestId| {
            last.requests.iter().any(|it| matches!(&it.ask, RequestKind::Withdraw { id: of } if of == id))
        };
        let cancels = |request: &&Request| {
            request.link == self.link
                && matches!(&request.ask, RequestKind::Cancel { sha: of } if of == sha)
                && !withdrawn(&request.id)
        };
        last.requests.iter().find(cancels).filter(|_| last.number >= self.first).cloned()
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
