//! Engine calls about images, networks and volumes.

use std::collections::HashMap;

use bollard::models::{ImageInspect, NetworkConnectRequest, Volume, VolumeCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::{Engine, EngineError, absent_if_missing, names, podman};
use crate::causes;

impl Engine {
    /// An image by name or id; `None` if the engine does not have it.
    pub async fn image(&self, image: &str) -> Result<Option<ImageInspect>, EngineError> {
        if !names::is_image(image) {
            return Err(bad("an image", image));
        }
        let call = self.begin("inspect an image").await?;
        let asked = self.repeated(panicked, || call.run(call.docker.inspect_image(image))).await;
        let Some(found) = absent_if_missing(asked)? else { return Ok(None) };
        let Some(podman) = self.podman() else { return Ok(Some(found)) };
        let path = format!("{}/images/{image}/json", podman.own);
        let own = self.repeated(panicked, || call.get(&path)).await?;
        let own = serde_json::from_slice(&own).map_err(|error| self.error(error.into()))?;
        Ok(Some(podman::image(found, podman::health_check_of_image(&own))))
    }

    /// Whether the engine has a network of that name.
    pub async fn has_network(&self, name: &str) -> Result<bool, EngineError> {
        if !names::is_part(name) {
            return Err(bad("a network", name));
        }
        let call = self.begin("inspect a network").await?;
        let found = call.run(call.docker.inspect_network(name, None::<InspectNetworkOptions>)).await;
        Ok(absent_if_missing(found)?.is_some())
    }

    /// Connects a container to a network.
    pub async fn join(&self, network: &str, request: NetworkConnectRequest) -> Result<(), EngineError> {
        if !names::is_part(network) {
            return Err(bad("a network", network));
        }
        let call = self.begin("connect a container to a network").await?;
        call.run(call.docker.connect_network(network, request)).await
    }

    /// The volumes with a label.
    pub async fn volumes(&self, label: &str) -> Result<Vec<Volume>, EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let call = self.begin("list volumes").await?;
        let mut found = call.run(call.docker.list_volumes(Some(options))).await?.volumes.unwrap_or_default();
        found.retain(|volume| volume.labels.contains_key(label));
        Ok(found)
    }

    /// Creates a volume. Does nothing if it exists.
    pub(super) async fn create_volume(&self, volume: VolumeCreateRequest) -> Result<(), EngineError> {
        let call = self.begin("create a volume").await?;
        match call.run(call.docker.create_volume(volume)).await {
            // Podman refuses the second of two concurrent creations. Docker lets both succeed.
            Err(error) if self.is_podman() && error.is_conflict() => Ok(()),
            created => created.map(drop),
        }
    }

    /// Removes a volume. Fails if it is in use.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        if !names::is_part(name) {
            return Err(bad("a volume", name));
        }
        let call = self.begin("remove a volume").await?;
        call.run(call.docker.remove_volume(name, None::<RemoveVolumeOptions>)).await
    }
}

/// Whether Podman panicked, as 4.3 does in inspecting an image if another one is removed at that moment.
fn panicked(error: &EngineError) -> bool {
    matches!(error, EngineError::Refused { status: 500, message } if message.contains("runtime error"))
}

fn bad(what: &str, name: &str) -> EngineError {
    let message = format!("`{}` is not a valid name for {what}", causes::cut(name));
    EngineError::Refused { status: 400, message }
}
