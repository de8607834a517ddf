//! Why the work on one link must not go on: Ctrl-C, a person's `cancel`, or the loss of the lease.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::lease::Held;
use super::wishes::Wishes;
use super::{ApplyError, Interrupt};
use crate::domain::{CommitSha, LinkId, Request};
use crate::state::StateError;

/// Why to stop.
#[derive(Clone, Debug)]
pub(super) enum Why {
    /// Ctrl-C.
    Interrupted,
    /// `katkit cancel`.
    Cancelled(Box<Request>),
    /// Another process took the lease over: not another write, and its services are no longer ours.
    LeaseLost,
}

/// Tells whether to stop, and why.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<Option<Why>>);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    pub(super) fn why(&self) -> Option<Why> {
        self.0.borrow().clone()
    }

    pub(super) fn lost_lease(&self) -> bool {
        matches!(*self.0.borrow(), Some(Why::LeaseLost))
    }

    /// What the loss of the lease is for whoever was working under it.
    pub(super) fn error(link: &LinkId, held: crate::domain::Epoch) -> ApplyError {
        StateError::LeaseLost { link: link.clone(), epoch: held }.into()
    }

    /// Returns when there was a Ctrl-C.
    pub(super) async fn interrupted(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|why| matches!(why, Some(Why::Interrupted))).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the work must stop.
    pub(super) async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Watches for every reason to stop, until it is dropped.
#[derive(Debug)]
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Watches for requests to stop the run for `sha` on `link`.
    pub(super) fn over(
        held: &Arc<Held>,
        interrupt: Interrupt,
        wishes: Wishes,
        link: LinkId,
        sha: Option<CommitSha>,
    ) -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        let held = Arc::clone(held);
        let task = tokio::spawn(async move {
            let why = tokio::select! {
                biased;
                () = interrupt.wait() => Why::Interrupted,
                () = held.lost() => Why::LeaseLost,
                request = cancelled(&wishes, &link, sha.as_ref()) => Why::Cancelled(Box::new(request)),
            };
            sender.send_replace(Some(why));
            // The reason must outlive this task.
            sender.closed().await;
        });
        (Self(task), Stop(receiver))
    }
}

async fn cancelled(wishes: &Wishes, link: &LinkId, sha: Option<&CommitSha>) -> Request {
    match sha {
        Some(sha) => wishes.cancelled(link, sha).await,
        // There is no run to cancel.
        None => std::future::pending().await,
    }
}

impl Watch {
    /// Stops watching; when this returns, the watch holds nothing any more.
    pub(super) async fn end(self) {
        self.0.abort();
        // Ends at once, and in no other way than by this abort.
        let _ = self.0.await;
    }
}
