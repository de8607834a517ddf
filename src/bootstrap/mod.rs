//! Makes what katkit needs in an AWS account: the table, the bucket, the log groups.
//!
//! Only what the manifest names is made, and only what is not there. Of what is there, settings that were never made are
//! made; settings that a person made differently are reported and left alone. So running it again is harmless, and a
//! bootstrap that was cut short is completed by the next.

mod bucket;
mod lifecycle;
mod log_group;
mod names;
mod needs;
mod policy;
mod table;

use std::fmt;

use crate::aws::{Aws, AwsError};
use crate::state::StateError;

pub use needs::{ClusterName, FleetNeeds, Needs, TaskNeeds};
pub use policy::{Account, document};

/// What was found or done, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It was not there, and is now.
    Created(String),
    /// It was there, and as it should be.
    Present(String),
    /// It was there, and differs.
    Differs {
        /// What, and how.
        what: String,
        /// What changes it.
        hint: String,
    },
}

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The table could not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// What was compiled in is not sound.
    #[error("what is to be created is not sound")]
    Unsound(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something of that name is there, and is not katkit's.
    #[error("{what}")]
    Foreign {
        /// What.
        what: String,
    },
    /// It was asked for, and did not come up.
    #[error("{what} is not ready after {minutes} minutes")]
    Slow {
        /// What.
        what: String,
        /// How long it was waited for.
        minutes: u64,
    },
}

impl BootstrapError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.hint(),
            Self::State(error) => error.hint(),
            Self::Foreign { .. } => Some("name another one in the manifest".to_owned()),
            Self::Slow { .. } => Some("run `katkit bootstrap` again, which goes on from here".to_owned()),
            Self::Unsound(_) => None,
        }
    }
}

/// Makes what is missing, and tells each finding as soon as it is known.
pub async fn make(aws: &Aws, needs: &Needs, mut tell: impl FnMut(Finding)) -> Result<(), BootstrapError> {
    if let Some((name, place)) = &needs.table {
        table::make(aws, name, place, &mut tell).await?;
    }
    if let Some((name, prefix, place)) = &needs.bucket {
        bucket::make(aws, name, prefix, place, &mut tell).await?;
    }
    for (name, place) in needs.log_groups() {
        log_group::make(aws, name, place, &mut tell).await?;
    }
    Ok(())
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(what) => write!(f, "created  {what}"),
            Self::Present(what) => write!(f, "present  {what}"),
            Self::Differs { what, hint } => write!(f, "differs  {what}\n         {hint}"),
        }
    }
}
