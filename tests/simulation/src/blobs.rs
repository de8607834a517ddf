//! The blob store as one process reaches it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use katkit::blobs::{BlobError, BlobKey, Blobs, Listed};

use crate::gate::Gate;
use crate::world::World;

/// The blobs through a gate.
#[derive(Debug)]
pub struct GatedBlobs(pub Gate);

fn lost(key: &BlobKey, action: &'static str) -> BlobError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::TimedOut));
    BlobError::Unavailable { key: key.to_string(), place: "simulation".to_owned(), action, source }
}

#[async_trait]
impl Blobs for GatedBlobs {
    async fn put(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        let (at, bytes): (_, Arc<[u8]>) = (key.clone(), bytes.into());
        let put = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let (key, bytes) = (at.clone(), Arc::clone(&bytes));
            Box::pin(async move { world.blobs.put(&key, &bytes).await })
        };
        self.0.call("blobs.put", put, || lost(key, "written")).await
    }

    async fn create(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.0.world.blobs.create(key, bytes).await
    }

    async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let bytes = std::fs::read(file);
        let unreadable = |source: std::io::Error| BlobError::Unavailable {
            key: key.to_string(),
            place: file.display().to_string(),
            action: "read",
            source: Box::new(source),
        };
        self.put(key, &bytes.map_err(unreadable)?).await
    }

    async fn get(&self, key: &BlobKey) -> Result<Option<Vec<u8>>, BlobError> {
        let at = key.clone();
        let get = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let key = at.clone();
            Box::pin(async move { world.blobs.get(&key).await })
        };
        self.0.call("blobs.get", get, || lost(key, "read")).await
    }

    async fn get_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        self.0.world.blobs.get_file(key, file).await
    }

    async fn list(&self, prefix: &BlobKey, after: Option<&BlobKey>) -> Result<Vec<Listed>, BlobError> {
        let (at, after) = (prefix.clone(), after.cloned());
        let list = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let (prefix, after) = (at.clone(), after.clone());
            Box::pin(async move { world.blobs.list(&prefix, after.as_ref()).await })
        };
        self.0.call("blobs.list", list, || lost(prefix, "listed")).await
    }

    async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        self.0.world.blobs.remove(key).await
    }

    fn url(&self) -> String {
        self.0.world.blobs.url()
    }
}
