//! Makes what katkit needs in an AWS account: the table, the bucket, the log group.
//!
//! Only what the manifest names is made, and only what is not there. Of what is there, settings that were never made are
//! made; settings that a person made differently are reported and left alone. So running it again is harmless, and a
//! bootstrap that was cut short is completed by the next.

mod bucket;
mod log_group;
mod policy;
mod table;

use std::fmt;

use crate::aws::{Aws, AwsError, Place};
use crate::manifest::{BlobsConfig, FleetKind, Manifest, PlatformConfig, StateConfig};
use crate::state::StateError;

pub use policy::document;

/// Where agents of ECS tasks write what they say themselves.
pub const LOG_GROUP: &str = "/katkit/agents";

/// What a manifest needs in AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The table of the state, and where.
    pub table: Option<(String, Place)>,
    /// The bucket of the blobs, the prefix in it, and where.
    pub bucket: Option<(String, String, Place)>,
    /// The clusters that phases or services run in; with any, a log group is needed.
    pub clusters: Vec<String>,
    /// Whether phases run as ECS tasks.
    pub tasks: bool,
}

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

impl Needs {
    /// What the manifest names.
    pub fn of(manifest: &Manifest) -> Self {
        let place = |region: &Option<String>, endpoint: &Option<String>| Place {
            region: region.clone(),
            endpoint: endpoint.clone(),
            yields: false,
        };
        let table = match &manifest.state {
            StateConfig::Dynamodb { table, region, endpoint } => {
                Some((table.clone(), place(region, endpoint)))
            }
            StateConfig::Sqlite { .. } => None,
        };
        let bucket = match &manifest.blobs {
            BlobsConfig::S3 { bucket, prefix, region, endpoint } => {
                Some((bucket.clone(), prefix.clone(), place(region, endpoint)))
            }
            BlobsConfig::Directory(_) => None,
        };
        let clusters = manifest.tenants.values().filter_map(|tenant| match &tenant.platform {
            PlatformConfig::Ecs { cluster, .. } => Some(cluster.name.clone()),
            PlatformConfig::File { .. } | PlatformConfig::Docker { .. } => None,
        });
        let mut clusters: Vec<_> = clusters.collect();
        clusters.sort();
        clusters.dedup();
        let tasks = manifest.fleets.values().any(|fleet| fleet.kind == FleetKind::Ecs);
        Self { table, bucket, clusters, tasks }
    }

    /// Whether there is nothing to make.
    pub fn is_nothing(&self) -> bool {
        self.table.is_none() && self.bucket.is_none() && !self.tasks
    }

    /// The region and endpoint that stand for all of it.
    pub fn place(&self) -> Place {
        let table = self.table.as_ref().map(|(_, place)| place);
        table.or(self.bucket.as_ref().map(|(_, _, place)| place)).cloned().unwrap_or_default()
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
    if needs.tasks {
        log_group::make(aws, &needs.place(), &mut tell).await?;
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
