//! Creates what katkit needs in an AWS account: the table, the bucket, the log groups.
//!
//! Creates only what the manifest names and what does not exist yet. On existing resources, it makes missing settings,
//! and reports settings that differ without changing them. So it is idempotent, and the next run completes an
//! interrupted one.

mod bucket;
mod lifecycle;
mod log_group;
mod names;
mod needs;
mod policy;
mod table;

use std::fmt;
use std::time::Duration;

use crate::aws::{Aws, AwsError};
use crate::state::StateError;

pub use names::Account;
pub use needs::{ClusterName, FleetNeeds, Needs, TaskNeeds};
pub use policy::document;

/// What bootstrap found or did, as text for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Did not exist and was created.
    Created(String),
    /// Exists with the expected settings.
    Present(String),
    /// Exists with other settings.
    Differs {
        /// The resource and the difference.
        what: String,
        /// How to change it.
        hint: String,
    },
}

/// Why bootstrap failed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The table could not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A definition that is compiled in is invalid.
    #[error("the definition of a resource is invalid")]
    Unsound(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A resource of that name exists and is not katkit's.
    #[error("{what}")]
    Foreign {
        /// The whole message.
        what: String,
    },
    /// A new resource did not become ready in time.
    #[error("{what} is not ready after {} minutes", after.as_secs() / 60)]
    Slow {
        /// The resource.
        what: String,
        /// The timeout.
        after: Duration,
    },
}

impl BootstrapError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.hint(),
            Self::State(error) => error.hint(),
            Self::Foreign { .. } => Some("name another one in the manifest".to_owned()),
            Self::Slow { .. } => Some("run `katkit bootstrap` again; it continues from here".to_owned()),
            Self::Unsound(_) => None,
        }
    }
}

/// Creates what is missing, and passes each finding to `tell` as soon as it is known.
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
