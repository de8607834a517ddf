//! Pulls images, one pull per image at a time, and logs progress.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::query_parameters::CreateImageOptionsBuilder;
use tokio::time::timeout;

use super::call::Limits;
use super::{Engine, EngineError};

/// Maximum time between two messages of a pull.
const STALLED: Duration = Duration::from_mins(5);
/// For a whole pull, and for each message of it.
const PULL: Limits = Limits { time: Duration::from_hours(2), bytes: 256 << 10 };
/// Maximum layers to count. Images have at most 127.
const LAYERS: usize = 1000;
/// How often to log the progress of a long pull.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

impl Engine {
    /// Pulls `image` if the engine does not have it.
    pub async fn ensure_image(&self, image: &str) -> Result<(), EngineError> {
        let turn = {
            let mut pulls = self.pulls.lock().await;
            // Only images that a caller waits for.
            pulls.retain(|_, turn| Arc::strong_count(turn) > 1);
            pulls.entry(image.to_owned()).or_default().clone()
        };
        let _turn = turn.lock().await;
        if self.has_image(image).await? {
            return Ok(());
        }
        self.pull(image).await
    }

    pub(super) async fn pull(&self, image: &str) -> Result<(), EngineError> {
        let began = Instant::now();
        tracing::info!(image, host = self.host, "pulling an image");
        let credentials = self.credentials.of(registry_of(image)).await;
        let options = CreateImageOptionsBuilder::new().from_image(&with_tag(image)).build();
        let call = self.begin_within("pull an image", PULL).await?;
        let mut answers = std::pin::pin!(call.docker.create_image(Some(options), None, credentials));
        let (mut layers, mut logged) = (BTreeMap::new(), Instant::now());
        loop {
            let Ok(answer) = timeout(STALLED, call.next(&mut answers)).await else {
                let message = format!(
                    "`{image}` could not be pulled: the registry sent nothing for {} s",
                    STALLED.as_secs()
                );
                return Err(EngineError::Refused { status: 504, message });
            };
            let Some(answer) = answer? else { break };
            if let (Some(layer), Some(status)) = (answer.id, answer.status)
                && layers.len() < LAYERS
            {
                let is_there = match status.as_str() {
                    "Pull complete" | "Already exists" => true,
                    // The last status that Podman reports for a layer.
                    "Download complete" => self.is_podman(),
                    _ => false,
                };
                layers.insert(layer, is_there);
            }
            if logged.elapsed() > PROGRESS_INTERVAL {
                let done = layers.values().filter(|done| **done).count();
                tracing::info!(image, done, layers = layers.len(), "pulling an image");
                logged = Instant::now();
            }
        }
        tracing::info!(image, seconds = began.elapsed().as_secs_f32(), "pulled an image");
        Ok(())
    }
}

/// Without a tag, an engine would pull all tags.
fn with_tag(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

/// The registry of an image, as named in Docker's configuration.
pub fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "https://index.docker.io/v1/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_found_as_docker_does() {
        let hub = "https://index.docker.io/v1/";
        for (image, expected) in [
            ("redis", hub),
            ("acme/web:1", hub),
            ("localhost/web", "localhost"),
            ("ghcr.io/acme/web@sha256:00", "ghcr.io"),
            ("registry:5000/web", "registry:5000"),
        ] {
            assert_eq!(registry_of(image), expected, "{image}");
        }
    }

    #[test]
    fn an_image_without_a_tag_is_pulled_as_latest() {
        assert_eq!(with_tag("registry:5000/web"), "registry:5000/web:latest");
        assert_eq!(with_tag("web:1"), "web:1");
        assert_eq!(with_tag("web@sha256:00"), "web@sha256:00");
    }
}
