//! The right to go on with a deployment: the lease under which it was begun.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::domain::{Epoch, LinkId};
use crate::platform::{self, PlatformError};
use crate::state::{State, StateError};

/// How old the record's answer may be when it is acted upon. A lease that was renewed cannot be taken for
/// [`super::LEASE_SECONDS`] after that, of which the change itself may need the rest.
const FRESH: Duration = Duration::from_secs(5);

/// How often the record is asked, where its answers come too late.
const ASKED: u32 = 3;

/// Holds as long as the lease does.
#[derive(Clone, Debug)]
pub(super) struct Mandate {
    pub(super) state: Arc<dyn State>,
    pub(super) link: LinkId,
    pub(super) epoch: Epoch,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl platform::Mandate for Mandate {
    async fn check(&self) -> Result<(), PlatformError> {
        for _ in 0..ASKED {
            let asked = self.clock.elapsed();
            // A renewal is answered by the record itself, whatever this process believes of the time.
            match self.state.renew(&self.link, self.epoch).await {
                Err(StateError::LeaseLost { link, .. }) => return Err(PlatformError::Overtaken { link }),
                Err(error) => return Err(self.unknown(error.into())),
                Ok(()) => {}
            }
            // A process that slept over the answer (stopped, suspended, swapped out) may have lost it since.
            if self.clock.elapsed().saturating_sub(asked) < FRESH {
                return Ok(());
            }
        }
        Err(self.unknown(format!("the record takes longer than {} s to answer", FRESH.as_secs()).into()))
    }
}

impl Mandate {
    fn unknown(&self, source: Box<dyn std::error::Error + Send + Sync>) -> PlatformError {
        let place = format!("the lease of `{}`", self.link);
        PlatformError::Unavailable { place, action: "renewed", source }
    }
}
