//! Registries say what the tag of an image points to: the digest of its contents.
//!
//! Never asked for an image that is deployed by its digest already, since a digest stands for the same contents forever.

#[cfg(feature = "aws")]
mod ecr;
mod memory;
#[cfg(feature = "docker")]
mod oci;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;

#[cfg(feature = "aws")]
pub use ecr::EcrRegistry;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
pub use memory::MemoryRegistry;
#[cfg(feature = "docker")]
pub use oci::OciRegistry;

use crate::domain::ImageDigest;
use crate::hints;

/// Why a registry could not say what it has.
#[derive(Debug, thiserror::Error)]
#[error("its registry did not say what `{image}` points to")]
pub struct RegistryError {
    /// The image in question.
    pub image: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// Underlying error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl RegistryError {
    fn new(image: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self { image: image.to_owned(), hint: hints::of(&*source), source }
    }
}

/// The digest in a registry's answer about an image.
#[cfg(any(feature = "aws", feature = "docker"))]
fn digest_in(image: &str, answer: String) -> Result<ImageDigest, RegistryError> {
    answer.try_into().map_err(|why| RegistryError::new(image, format!("its answer is no digest: {why}")))
}

/// Knows the digests of images.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync {
    /// The digest that the tag of an image points to now; `None` if there is no image with the tag. For an image of
    /// several platforms, that of the index of their manifests.
    async fn digest(&self, image: &str) -> Result<Option<ImageDigest>, RegistryError>;
}

/// How many images registries are asked for concurrently.
const CONCURRENTLY: usize = 8;

/// What the tags of images point to now, each asked for once.
pub async fn digests(
    registry: &dyn Registry,
    images: BTreeSet<String>,
) -> BTreeMap<String, Result<Option<ImageDigest>, RegistryError>> {
    let ask = |image: String| -> BoxFuture<'_, _> {
        Box::pin(async move {
            let answer = registry.digest(&image).await;
            (image, answer)
        })
    };
    let asking: Vec<_> = images.into_iter().map(ask).collect();
    stream::iter(asking).buffer_unordered(CONCURRENTLY).collect().await
}

/// Every registry that this build can ask, by the host in an image's name.
#[derive(Debug, Default)]
pub struct Registries {
    /// For hosts of ECR.
    #[cfg(feature = "aws")]
    pub ecr: EcrRegistry,
    /// For all other hosts.
    #[cfg(feature = "docker")]
    pub oci: OciRegistry,
}

#[async_trait]
impl Registry for Registries {
    async fn digest(&self, image: &str) -> Result<Option<ImageDigest>, RegistryError> {
        #[cfg(feature = "aws")]
        if EcrRegistry::has(image) {
            return self.ecr.digest(image).await;
        }
        #[cfg(feature = "docker")]
        return self.oci.digest(image).await;
        #[cfg(not(feature = "docker"))]
        Err(RegistryError::new(
            image,
            "this build of katkit asks only ECR; build it with the feature `docker`",
        ))
    }
}
