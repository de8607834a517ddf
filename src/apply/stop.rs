//! The reasons to stop working on a link: Ctrl-C, `katkit cancel`, or the loss of the lease.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ApplyError;
use super::lease::HeldLease;
use super::open_requests::LinkRequests;
use crate::domain::{CommitSha, LinkId, Request};
use crate::state::StateError;

/// The reason to stop.
#[derive(Clone, Debug)]
pub(super) enum Why {
    /// Ctrl-C.
    Interrupted,
    /// `katkit cancel`.
    Cancelled(Box<Request>),
    /// Another process took over the lease: write nothing more, and leave the services to it.
    LeaseLost,
}

/// The signal to stop, with its reason.
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

    /// The error for losing the lease of epoch `held`.
    pub(super) fn error(link: &LinkId, held: crate::domain::Epoch) -> ApplyError {
        StateError::LeaseLost { link: link.clone(), epoch: held }.into()
    }

    /// Waits for a Ctrl-C.
    pub(super) async fn interrupted(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|why| matches!(why, Some(Why::Interrupted))).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the work must stop.
    pub(super) async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The task that watches for every reason to stop. It holds the lease too, and ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Starts watching: for Ctrl-C, for the loss of the lease, and for a cancel of the run for `sha`.
    pub(super) fn over(
        held: &Arc<HeldLease>,
        interrupt: CancellationToken,
        requests: LinkRequests,
        sha: Option<CommitSha>,
    ) -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        let held = Arc::clone(held);
        let task = tokio::spawn(async move {
            let why = tokio::select! {
                biased;
                () = interrupt.cancelled() => Why::Interrupted,
                () = held.lost() => Why::LeaseLost,
                request = cancelled(&requests, sha.as_ref()) => Why::Cancelled(Box::new(request)),
            };
            drop(requests);
            sender.send_replace(Some(why));
            // The reason must outlive this task.
            sender.closed().await;
        });
        (Self(task), Stop(receiver))
    }

    /// Stops watching, and waits until the task has dropped the lease.
    pub(super) async fn end(mut self) {
        self.0.abort();
        // Returns at once; the only possible error is this abort.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn cancelled(requests: &LinkRequests, sha: Option<&CommitSha>) -> Request {
    match sha {
        Some(sha) => requests.cancelled(sha).await,
        // There is no run to cancel.
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Access;
    use crate::apply::open_requests::OpenRequests;
    use crate::liveness;
    use crate::plan::LinkPlan;
    use crate::state::{MemoryState, State};

    #[tokio::test]
    async fn a_session_that_is_dropped_no_longer_renews_its_lease() {
        let plan = LinkPlan::with_steps("dev/shop", Vec::new());
        let state: Arc<dyn State> = Arc::new(MemoryState::new());
        let owner = liveness::this_process("ana".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let held = Arc::new(HeldLease::acquire(&state, &plan.link, &owner, None).await.unwrap());
        let requests = Arc::new(OpenRequests::new(state, Access::default())).watch(&plan);
        let (watch, _stop) = Watch::over(&held, CancellationToken::new(), requests, None);
        drop(watch);
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
