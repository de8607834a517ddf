//! A registry in memory, for tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{Registry, RegistryError};
use crate::domain::ImageDigest;

/// What every tag points to.
#[derive(Debug, Default)]
pub struct MemoryRegistry(Mutex<BTreeMap<String, ImageDigest>>);

impl MemoryRegistry {
    /// Lets a tag point to other contents.
    pub fn push(&self, image: &str, digest: ImageDigest) {
        self.tags().insert(image.to_owned(), digest);
    }

    fn tags(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ImageDigest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn digest(&self, image: &str) -> Result<Option<ImageDigest>, RegistryError> {
        Ok(self.tags().get(image).cloned())
    }
}
