//! Starts a replica's container in steps: create it, add the agent, start it. Steps done by an earlier process are
//! skipped.

use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::program::Program;
use super::{DockerFleet, body, labels, unavailable, volume};
use crate::docker::EngineError;
use crate::domain::{Handle, LostCause, Token};
use crate::fleet::{FleetError, Launch, Secrets};

/// Attempts to create a container: its name may not be free yet, or the image may vanish in between.
const TRIES: u32 = 20;
/// How long the agent may take to read its secrets.
const READING: Duration = Duration::from_secs(30);

impl DockerFleet {
    /// See [`crate::fleet::Fleet::launch`].
    pub(super) async fn launch_one(&self, launch: &Launch) -> Result<Handle, FleetError> {
        let image = launch.image.as_ref().or(self.settings.image.as_ref()).ok_or_else(|| {
            let what = "neither the phase nor its fleet names an image; set `image = \"…\"` on one of them";
            FleetError::Refused { what: what.to_owned() }
        })?;
        let refused = |what| FleetError::Refused { what };
        let program = Program::load(self.settings.agent.as_deref()).await.map_err(refused)?;
        let engine = self.engine.architecture().await.map_err(unavailable("launch"))?;
        if engine != program.architecture {
            return Err(refused(format!(
                "the Docker Engine at {} runs programs for {engine}, but the agent is for {}; set `agent` in \
                 the fleet to a static build for {engine}",
                self.engine.host(),
                program.architecture
            )));
        }
        let Created::New(container) = self.create(launch, &program, image).await? else {
            return Ok(self.handle(launch));
        };
        volume::ensure(&self.engine, &program, &container, image).await.map_err(not_started)?;
        self.start(&container, &launch.secrets).await?;
        Ok(self.handle(launch))
    }

    /// The container's name. It includes the owner, so that equal tokens of two katkits do not collide.
    pub(super) fn name(&self, token: &Token) -> String {
        format!("katkit-{}-{token}", self.settings.owner)
    }

    fn handle(&self, launch: &Launch) -> Handle {
        Handle(self.name(&launch.token))
    }

    async fn create(&self, launch: &Launch, program: &Program, image: &str) -> Result<Created, FleetError> {
        let refused = |what| FleetError::Refused { what };
        let body = body::of(&self.settings, self.engine.socket(), program, launch, image).map_err(refused)?;
        let name = self.handle(launch);
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.engine.create(name.as_str(), body.clone()).await {
                Ok(created) => return Ok(Created::New(created)),
                Err(error) => error,
            };
            if tries > TRIES {
                return Err(not_started(error));
            }
            if error.is_missing() && error.to_string().to_lowercase().contains("no such image") {
                self.engine.ensure_image(image).await.map_err(|error| not_pulled(image, error))?;
            } else if error.is_conflict() {
                let there = self.engine.inspect(name.as_str()).await.map_err(unavailable("launch"))?;
                match there.map(|there| self.found(launch, there)).transpose()? {
                    Some(Some(created)) => return Ok(created),
                    // It is being removed, or already gone.
                    Some(None) | None => sleep(Duration::from_millis(50)).await,
                }
            } else {
                return Err(not_started(error));
            }
        }
    }

    /// Classifies the container that has the name; `None` if it is about to disappear.
    fn found(&self, launch: &Launch, there: ContainerInspectResponse) -> Result<Option<Created>, FleetError> {
        use ContainerStateStatusEnum::{CREATED, DEAD, REMOVING};
        let labels = there.config.and_then(|config| config.labels).unwrap_or_default();
        if !labels::are_of(&labels, &self.settings, &launch.token) {
            let what = format!(
                "the name `{}` is used by a container that is not katkit's; remove or rename it",
                self.handle(launch)
            );
            return Err(FleetError::Refused { what });
        }
        Ok(match there.state.and_then(|state| state.status) {
            Some(CREATED) => Some(Created::New(there.id.unwrap_or_default())),
            Some(REMOVING | DEAD) => None,
            _ => Some(Created::Started),
        })
    }

    async fn start(&self, container: &str, secrets: &Secrets) -> Result<(), FleetError> {
        let mut input = None;
        if !secrets.0.is_empty() {
            input = Some(self.engine.input(container).await.map_err(not_started)?);
        }
        self.engine.start(container).await.map_err(not_started)?;
        if let Some(mut input) = input {
            let line = secrets.to_line();
            // An agent that cannot claim its service reads nothing. If it dies, it leaves its own evidence.
            let _ = timeout(READING, async {
                input.write_all(&line).await?;
                input.flush().await?;
                input.shutdown().await
            })
            .await;
        }
        Ok(())
    }
}

/// The container with the replica's name.
enum Created {
    /// Not started yet; its id.
    New(String),
    /// Started by an earlier process.
    Started,
}

fn not_pulled(image: &str, error: EngineError) -> FleetError {
    match error {
        EngineError::Refused { message, .. } => {
            let what = format!("the image `{image}` could not be pulled: {message}");
            FleetError::NotNow { cause: LostCause::ImagePull, what }
        }
        error => unavailable("launch")(error),
    }
}

/// The fleet error for a refusal by the engine.
fn not_started(error: EngineError) -> FleetError {
    let EngineError::Refused { status, message } = error else { return unavailable("launch")(error) };
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["no space left on device", "cannot allocate memory", "Cannot allocate memory"]) {
        return FleetError::NotNow { cause: LostCause::NoCapacity, what: message };
    }
    // A wrong request stays wrong; a failure of the engine may pass.
    let wrong = says(&["exec format error", "invalid mount config", "not found"]);
    if wrong || (400..500).contains(&status) {
        return FleetError::Refused { what: message };
    }
    FleetError::NotNow { cause: LostCause::NeverStarted, what: message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_refusal_decides_whether_to_retry() {
        let refused =
            |status, message: &str| not_started(EngineError::Refused { status, message: message.into() });
        assert!(matches!(
            refused(500, "write /x: no space left on device"),
            FleetError::NotNow { cause: LostCause::NoCapacity, .. }
        ));
        assert!(matches!(refused(404, "network nowhere not found"), FleetError::Refused { .. }));
        assert!(matches!(refused(400, "invalid mount config for type \"bind\""), FleetError::Refused { .. }));
        assert!(matches!(
            refused(500, "OCI runtime create failed: container init was OOM-killed"),
            FleetError::NotNow { cause: LostCause::NeverStarted, .. }
        ));
    }
}
