//! The lease of a link: acquired before any work, renewed during it, released at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::causes;
use crate::domain::{Epoch, Lease, LinkId, Owner};
use crate::liveness;
use crate::state::{State, StateError};
use crate::telemetry::RateLimited;

/// Time without renewal after which another process may take over a lease.
pub const LEASE: Duration = Duration::from_secs(30);

/// The interval between renewals, the timeout of one, and the pause after a failed one. A single lost response never
/// costs the lease.
const EVERY: Duration = Duration::from_secs(LEASE.as_secs() / 3);
const ANSWER: Duration = Duration::from_secs(LEASE.as_secs() / 6);
const AGAIN: Duration = Duration::from_secs(1);

/// Shared by all links: the record is unreachable for all at the same time. Separate limits, so that late responses do
/// not hide refused ones.
static REFUSED: RateLimited = RateLimited::new();
static LATE: RateLimited = RateLimited::new();

/// A lease that is being renewed.
#[derive(Debug)]
pub struct HeldLease {
    /// The epoch that writes under this lease carry.
    pub epoch: Epoch,
    /// The dead process it was taken over from; `None` if the lease was free.
    pub from: Option<Owner>,
    state: Arc<dyn State>,
    link: LinkId,
    lost: watch::Receiver<bool>,
    renewal: JoinHandle<()>,
}

impl HeldLease {
    /// Acquires the lease. Also takes it over from an owner that is certainly dead, or that was found dead when
    /// `takes_over` was read, if the lease has not changed since.
    pub async fn acquire(
        state: &Arc<dyn State>,
        link: &LinkId,
        owner: &Owner,
        takes_over: Option<&Lease>,
    ) -> Result<Self, StateError> {
        let unchanged = |lease: &Lease| takes_over.is_some_and(|seen| seen.unchanged_in(lease));
        let (lease, from) = match state.acquire(link, owner, LEASE, None).await {
            Err(StateError::LeaseHeld { lease, .. })
                if unchanged(&lease) || lease.owner.as_ref().is_some_and(liveness::is_dead) =>
            {
                let taken = state.acquire(link, owner, LEASE, Some(&lease)).await?;
                (taken, lease.owner)
            }
            other => (other?, None),
        };
        let (lose, lost) = watch::channel(false);
        let renewal = tokio::spawn(renew(Arc::clone(state), link.clone(), lease.epoch, lose));
        Ok(Self { epoch: lease.epoch, from, state: Arc::clone(state), link: link.clone(), lost, renewal })
    }

    /// Waits until another process takes over the lease.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Releases the lease. A failed release does not fail the work done under it: the lease expires.
    pub async fn release(self) {
        self.renewal.abort();
        if let Err(error) = self.state.release(&self.link, self.epoch).await {
            tracing::warn!(link = %self.link, error = %error, "the lease could not be released; it will expire");
        }
    }
}

impl Drop for HeldLease {
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
            // The store rejects every write of an owner that lost its lease, so retrying is enough here.
            Ok(Err(error)) => {
                if REFUSED.is_time() {
                    let error = causes::in_one_line(&error);
                    tracing::warn!(%error, "leases could not be renewed, including that of {link}; retrying");
                }
                AGAIN
            }
            Err(_) => {
                if LATE.is_time() {
                    tracing::warn!("leases were not renewed in time, including that of {link}; retrying");
                }
                AGAIN
            }
        };
    }
}
