//! Images in ECR, by the API of AWS, so that the credentials of everything else suffice.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Registry, RegistryError, digest_in};
use crate::aws::{Aws, AwsLocation, ecr};
use crate::domain::ImageDigest;

/// ECR, in the account and region of an image's name.
#[derive(Debug, Default)]
pub struct EcrRegistry {
    /// The AWS clients.
    pub aws: Aws,
}

impl EcrRegistry {
    /// Whether the image is in ECR, by its host.
    pub fn has(image: &str) -> bool {
        ecr::is_in_ecr(image)
    }
}

#[async_trait]
impl Registry for EcrRegistry {
    async fn digest(&self, image: &str) -> Result<Option<ImageDigest>, RegistryError> {
        let found = ecr::digest(&self.aws, &AwsLocation::default(), image).await;
        let found = found.map_err(|error| RegistryError::new(image, Arc::new(error)))?;
        found.map(|answer| digest_in(image, answer)).transpose()
    }
}
