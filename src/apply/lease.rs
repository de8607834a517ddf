//! Holding a link: taken before anything is done, renewed while working, given back at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::causes;
use crate::domain::{Epoch, Lease, LinkId, Owner};
use crate::liveness;
use crate::state::{State, StateError};
use crate::telemetry::Seldom;

/// Seconds without a renewal after which another process may take a lease over.
pub const LEASE_SECONDS: u64 = 30;

/// How often it is renewed, how long one answer is waited for, and the pause after one that did not come: an answer that
/// is lost costs the lease nothing.
const EVERY: Duration = Duration::from_secs(LEASE_SECONDS / 3);
const ANSWER: Duration = Duration::from_secs(LEASE_SECONDS / 6);
const AGAIN: Duration = Duration::from_secs(1);

/// The record is away for all links at the same time. Each trouble has its own: that answers are late does not hide why.
static REFUSED: Seldom = Seldom::new();
static LATE: Seldom = Seldom::new();

/// A lease that is being renewed.
#[derive(Debug)]
pub struct Held {
    /// The epoch that writes under it carry.
    pub epoch: Epoch,
    /// The dead process that held it before, if there was one.
    pub from: Option<Owner>,
    state: Arc<dyn State>,
    link: LinkId,
    lost: watch::Receiver<bool>,
    renewal: JoinHandle<()>,
}

impl Held {
    /// Takes the lease: from an owner that is certainly dead as well, and as long as it is unchanged from one of which
    /// that was found out when `takes_over` was seen.
    pub async fn acquire(
        state: &Arc<dyn State>,
        link: &LinkId,
        owner: &Owner,
        takes_over: Option<&Lease>,
    ) -> Result<Self, StateError> {
        let unchanged = |lease: &Lease| takes_over.is_some_and(|seen| seen.unchanged_in(lease));
        let (lease, from) = match state.acquire(link, owner, LEASE_SECONDS, None).await {
            Err(StateError::LeaseHeld { lease, .. })
                if unchanged(&lease) || lease.owner.as_ref().is_some_and(liveness::is_dead) =>
            {
                let taken = state.acquire(link, owner, LEASE_SECONDS, Some(&lease)).await?;
                (taken, lease.owner)
            }
            other => (other?, None),
        };
        let (lose, lost) = watch::channel(false);
        let renewal = tokio::spawn(renew(Arc::clone(state), link.clone(), lease.epoch, lose));
        Ok(Self { epoch: lease.epoch, from, state: Arc::clone(state), link: link.clone(), lost, renewal })
    }

    /// Returns when the lease was taken over.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Gives the lease back. That it cannot be given back is no failure of what was done under it: it expires.
    pub async fn release(self) {
        self.renewal.abort();
        if let Err(error) = self.state.release(&self.link, self.epoch).await {
            tracing::warn!(link = %self.link, error = %error, "the lease was not given back; it expires by itself");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(state: Arc<dyn State>, link: LinkId, epoch: Epoch, lose: watch::Sender<bool>) {
    let mut pause = EVERY;
    loop {
        sleep(pause).await;
        pause = match timeout(ANSWER, state.renew(&link, epoch)).await {
            Ok(Ok(())) => EVERY,
            Ok(Err(StateError::LeaseLost { .. })) => {
                lose.send_replace(true);
                return;
            }
            // The store refuses every write of an owner that was overtaken, so trouble here needs no other care.
            Ok(Err(error)) => {
                if REFUSED.is_time() {
                    let error = causes::in_one_line(&error);
                    tracing::warn!(%error, "leases could not be renewed, that of {link} among them; trying again");
                }
                AGAIN
            }
            Err(_) => {
                if LATE.is_time() {
                    tracing::warn!(
                        "leases were not renewed in time, that of {link} among them; trying again"
                    );
                }
                AGAIN
            }
        };
    }
}
