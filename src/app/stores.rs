//! Opens the stores that manifests name: the record and the blobs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::shared::Shared;
use super::{Access, OpenError};
#[cfg(feature = "aws")]
use crate::aws::{Aws, AwsLocation};
#[cfg(feature = "aws")]
use crate::blobs::S3Blobs;
use crate::blobs::{Blobs, DirectoryBlobs};
use crate::inventory::LeaseObserver;
use crate::manifest::{BlobsConfig, StateConfig};
#[cfg(feature = "aws")]
use crate::state::DynamodbState;
use crate::state::{AbsentState, SqliteState, State};

/// The stores in use, by their settings.
#[derive(Debug)]
pub(super) struct Stores {
    #[cfg(feature = "aws")]
    aws: Aws,
    states: Shared<StateConfig, dyn State>,
    /// By record. Kept when no estate uses the record, so that nothing that was seen of its leases is lost.
    observers: Mutex<BTreeMap<StateConfig, Arc<LeaseObserver>>>,
    blobs: Shared<BlobsConfig, dyn Blobs>,
}

impl Stores {
    pub(super) fn new(#[cfg(feature = "aws")] aws: Aws) -> Self {
        Self {
            #[cfg(feature = "aws")]
            aws,
            states: Shared::default(),
            observers: Mutex::default(),
            blobs: Shared::default(),
        }
    }

    /// The record. Reading creates no missing file.
    pub(super) fn state(
        &self,
        config: &StateConfig,
        access: Access<'_>,
    ) -> Result<Arc<dyn State>, OpenError> {
        if let StateConfig::Sqlite { path, .. } = config
            && access != Access::Write
            && is_absent(path)
        {
            return Ok(Arc::new(AbsentState::new(path.clone())));
        }
        self.states.get(config.clone(), || match config {
            StateConfig::Sqlite { path, patience } => {
                let patience = patience.unwrap_or(SqliteState::PATIENCE);
                Ok(Arc::new(SqliteState::open_with_patience(path, patience)?))
            }
            #[cfg(feature = "aws")]
            StateConfig::Dynamodb { table, region, endpoint } => {
                let at = AwsLocation::named(region.as_ref(), endpoint.as_ref());
                Ok(Arc::new(DynamodbState::new(self.aws.clone(), at, table.clone())))
            }
            #[cfg(not(feature = "aws"))]
            StateConfig::Dynamodb { .. } => {
                Err(OpenError::Absent { what: "DynamoDB state", instead: "use `backend = \"sqlite\"`" })
            }
        })
    }

    /// What this process has seen of the record's leases.
    pub(super) fn leases(&self, config: &StateConfig) -> Arc<LeaseObserver> {
        let record = match config {
            StateConfig::Sqlite { path, .. } => StateConfig::Sqlite { path: path.clone(), patience: None },
            dynamodb @ StateConfig::Dynamodb { .. } => dynamodb.clone(),
        };
        let mut observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(observers.entry(record).or_default())
    }

    /// The blob store.
    pub(super) fn blobs(&self, config: &BlobsConfig) -> Result<Arc<dyn Blobs>, OpenError> {
        self.blobs.get(config.clone(), || match config {
            BlobsConfig::Directory(path) => Ok(Arc::new(DirectoryBlobs::new(path.clone()))),
            #[cfg(feature = "aws")]
            BlobsConfig::S3 { bucket, prefix, region, endpoint } => {
                let at = AwsLocation::named(region.as_ref(), endpoint.as_ref());
                Ok(Arc::new(S3Blobs::new(self.aws.clone(), at, bucket.clone(), prefix.clone())))
            }
            #[cfg(not(feature = "aws"))]
            BlobsConfig::S3 { .. } => {
                Err(OpenError::Absent { what: "S3 blob store", instead: "set `blobs.url` to a directory" })
            }
        })
    }

    pub(super) fn forget_unused(&self) {
        self.states.forget_unused();
        self.blobs.forget_unused();
    }
}

/// Whether the file certainly does not exist. If it cannot be inspected, opening it gives the error.
pub(super) fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false)) && path.symlink_metadata().is_err()
}
