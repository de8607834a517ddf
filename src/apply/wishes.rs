//! What people ask for while links are worked on, read for all of them at once: a table that is asked costs the same for
//! one link and for a thousand.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::causes;
use crate::domain::{Ask, CommitSha, LinkId, Request, RequestId};
use crate::state::State;
use crate::telemetry::Seldom;

/// How often the state is asked.
const EVERY: Duration = Duration::from_secs(1);

/// The record is away for all links at the same time.
static TROUBLE: Seldom = Seldom::new();

/// The open requests, as they were when they were last read.
#[derive(Clone, Debug)]
pub(super) struct Wishes(watch::Receiver<Vec<Request>>);

/// Reads them, until it is dropped.
#[derive(Debug)]
pub(super) struct Reading(JoinHandle<()>);

impl Wishes {
    /// Begins to read those of `links`.
    pub(super) fn read(state: Arc<dyn State>, links: Vec<LinkId>) -> (Reading, Self) {
        let (sender, receiver) = watch::channel(Vec::new());
        let reading = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                match state.requests(Some(&links)).await {
                    Ok(requests) => drop(sender.send_replace(requests)),
                    Err(error) if TROUBLE.is_time() => {
                        let error = causes::in_one_line(&error);
                        tracing::warn!(%error, "what people ask for could not be read; trying again");
                    }
                    Err(_) => {}
                }
            }
        });
        (Reading(reading), Self(receiver))
    }

    /// Returns once a cancel of the link's run for that commit is pending.
    pub(super) async fn cancelled(&self, link: &LinkId, sha: &CommitSha) -> Request {
        let find = |requests: &[Request]| {
            let taken_back = |id: &RequestId| {
                requests.iter().any(|it| matches!(&it.ask, Ask::Withdraw { id: of } if of == id))
            };
            let asked = |request: &&Request| {
                request.link == *link
                    && matches!(&request.ask, Ask::Cancel { sha: of } if of == sha)
                    && !taken_back(&request.id)
            };
            requests.iter().find(asked).cloned()
        };
        let mut receiver = self.0.clone();
        let seen = receiver.wait_for(|requests| find(requests).is_some()).await;
        let found = seen.ok().and_then(|requests| find(&requests));
        match found {
            Some(request) => request,
            // Nobody reads any more.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}
