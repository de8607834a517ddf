//! Why the work on one link must not go on: Ctrl-C, a person's `cancel`, or the loss of the lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::lease::Held;
use super::{ApplyError, Interrupt};
use crate::domain::{Ask, LinkId, Request};
use crate::state::{State, StateError};

/// How often the state is asked whether someone wants the run to end.
const EVERY: Duration = Duration::from_secs(1);

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
    pub(super) fn over(
        state: Arc<dyn State>,
        held: &Arc<Held>,
        interrupt: Interrupt,
        link: LinkId,
    ) -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        let held = Arc::clone(held);
        let task = tokio::spawn(async move {
            let why = tokio::select! {
                () = interrupt.wait() => Why::Interrupted,
                () = held.lost() => Why::LeaseLost,
                request = cancelled(&*state, &link) => Why::Cancelled(Box::new(request)),
            };
            sender.send_replace(Some(why));
            // The reason must outlive this task.
            sender.closed().await;
        });
        (Self(task), Stop(receiver))
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

async fn cancelled(state: &dyn State, link: &LinkId) -> Request {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        // A state that cannot be read now shows itself at the next write.
        let requests = state.requests(Some(std::slice::from_ref(link))).await.unwrap_or_default();
        if let Some(request) = requests.into_iter().find(|request| matches!(request.ask, Ask::Cancel { .. }))
        {
            return request;
        }
    }
}
