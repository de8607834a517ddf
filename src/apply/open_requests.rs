//! Polls for requests while an apply runs. One query covers all links: it costs the same for one link and for a
//! thousand.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::causes;
use crate::domain::{CommitSha, LinkId, Request, RequestId, RequestKind};
use crate::state::State;
use crate::telemetry::RateLimited;

/// The interval between reads.
const EVERY: Duration = Duration::from_secs(1);

/// Shared by all links: the record is unreachable for all of them at the same time.
static READ_FAILED: RateLimited = RateLimited::new();

/// The open requests, as last read.
#[derive(Clone, Debug)]
pub(super) struct OpenRequests(watch::Receiver<Vec<Request>>);

/// The task that reads open requests. Dropping it stops the task.
#[derive(Debug)]
pub(super) struct RequestPoll(JoinHandle<()>);

impl OpenRequests {
    /// Starts reading the requests for `links`.
    pub(super) fn read(state: Arc<dyn State>, links: Vec<LinkId>) -> (RequestPoll, Self) {
        let (sender, receiver) = watch::channel(Vec::new());
        let reading = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                match state.requests(Some(&links)).await {
                    Ok(requests) => drop(sender.send_replace(requests)),
                    Err(error) if READ_FAILED.is_time() => {
                        let error = causes::in_one_line(&error);
                        tracing::warn!(%error, "open requests could not be read; retrying");
                    }
                    Err(_) => {}
                }
            }
        });
        (RequestPoll(reading), Self(receiver))
    }

    /// Waits until a cancel of the link's run for that commit is pending.
    pub(super) async fn cancelled(&self, link: &LinkId, sha: &CommitSha) -> Request {
        let find = |requests: &[Request]| {
            let taken_back = |id: &RequestId| {
                requests.iter().any(|it| matches!(&it.ask, RequestKind::Withdraw { id: of } if of == id))
            };
            let asked = |request: &&Request| {
                request.link == *link
                    && matches!(&request.ask, RequestKind::Cancel { sha: of } if of == sha)
                    && !taken_back(&request.id)
            };
            requests.iter().find(asked).cloned()
        };
        let mut receiver = self.0.clone();
        let seen = receiver.wait_for(|requests| find(requests).is_some()).await;
        let found = seen.ok().and_then(|requests| find(&requests));
        match found {
            Some(request) => request,
            // The reading task has stopped.
            None => std::future::pending().await,
        }
    }
}

impl Drop for RequestPoll {
    fn drop(&mut self) {
        self.0.abort();
    }
}
