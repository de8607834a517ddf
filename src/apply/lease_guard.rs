//! The fencing check of a deployment: whether the lease it began under is still held.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::domain::{Epoch, LinkId};
use crate::platform::{self, PlatformError};
use crate::state::{State, StateError};

/// The greatest age of a response to act upon. A renewed lease cannot be taken over for [`super::lease::LEASE`]; the
/// change itself may need the rest of it.
const FRESH: Duration = Duration::from_secs(5);

/// How often to ask if responses come too late.
const ASKED: u32 = 3;

/// Passes while the lease is held.
#[derive(Clone, Debug)]
pub(super) struct LeaseGuard {
    pub(super) state: Arc<dyn State>,
    pub(super) link: LinkId,
    pub(super) epoch: Epoch,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl platform::FencingCheck for LeaseGuard {
    async fn check(&self) -> Result<(), PlatformError> {
        for _ in 0..ASKED {
            let asked = self.clock.elapsed();
            // The record itself decides on a renewal, regardless of the time on this machine.
            match self.state.renew(&self.link, self.epoch).await {
                Err(StateError::LeaseLost { link, .. }) => return Err(PlatformError::Overtaken { link }),
                Err(error) => return Err(self.unknown(error.into())),
                Ok(()) => {}
            }
            // A process that was paused meanwhile (stopped, suspended, swapped out) may have lost the lease since.
            if self.clock.elapsed().saturating_sub(asked) < FRESH {
                return Ok(());
            }
        }
        Err(self.unknown(format!("the state took longer than {} s to answer", FRESH.as_secs()).into()))
    }
}

impl LeaseGuard {
    fn unknown(&self, source: Box<dyn std::error::Error + Send + Sync>) -> PlatformError {
        let place = format!("the lease of `{}`", self.link);
        PlatformError::Unavailable { place, action: "renewed", source }
    }
}
