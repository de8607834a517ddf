//! The right to go on with a deployment: the lease under which it was begun.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{Epoch, LinkId};
use crate::platform::{self, PlatformError};
use crate::state::{State, StateError};

/// Holds as long as the lease does.
#[derive(Clone, Debug)]
pub(super) struct Mandate {
    pub(super) state: Arc<dyn State>,
    pub(super) link: LinkId,
    pub(super) epoch: Epoch,
}

#[async_trait]
impl platform::Mandate for Mandate {
    async fn check(&self) -> Result<(), PlatformError> {
        // A renewal is answered by the record itself, whatever this process believes of the time.
        self.state.renew(&self.link, self.epoch).await.map_err(|error| match error {
            StateError::LeaseLost { link, .. } => PlatformError::Overtaken { link },
            error => PlatformError::Unavailable {
                place: format!("the lease of `{}`", self.link),
                action: "renewed",
                source: error.into(),
            },
        })
    }
}
