//! What is asked of an engine about images, networks and volumes.

use std::collections::HashMap;

use bollard::models::{ImageInspect, NetworkConnectRequest, Volume};
use bollard::query_parameters::{InspectNetworkOptions, ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::{Engine, EngineError, absent_if_missing, names};
use crate::causes;

impl Engine {
    /// An image by its name or its id; `None` if the engine does not have it.
    pub async fn image(&self, image: &str) -> Result<Option<ImageInspect>, EngineError> {
        if !names::is_image(image) {
            return Err(bad("an image", image));
        }
        let call = self.begin("inspect an image").await?;
        absent_if_missing(call.run(call.docker.inspect_image(image)).await)
    }

    /// Whether it has a network of that name.
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

    /// Removes a volume, unless it is used.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        if !names::is_part(name) {
            return Err(bad("a volume", name));
        }
        let call = self.begin("remove a volume").await?;
        call.run(call.docker.remove_volume(name, None::<RemoveVolumeOptions>)).await
    }
}

fn bad(what: &str, name: &str) -> EngineError {
    let message = format!("`{}` cannot be the name of {what}", causes::cut(name));
    EngineError::Refused { status: 400, message }
}
