//! Starts a replica's container: made, given the agent, started, each step found done if a process before did it.

use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::program::Program;
use super::{DockerFleet, body, labels, unavailable, volume};
use crate::docker::EngineError;
use crate::domain::{Handle, LostCause, Token};
use crate::fleet::{FleetError, Launch, Secrets};

/// How often creating is tried: against a name that is being freed, and an image that vanishes while it is used.
const TRIES: u32 = 20;
/// How long the secrets may take to be read.
const READING: Duration = Duration::from_secs(30);

impl DockerFleet {
    /// See [`crate::fleet::Fleet::launch`].
    pub(super) async fn launch_one(&self, launch: &Launch) -> Result<Handle, FleetError> {
        let image = launch.image.as_ref().or(self.settings.image.as_ref()).ok_or_else(|| {
            let what =
                "neither the phase nor its fleet names an image; write `image = \"…\"` for one of them";
            FleetError::Refused { what: what.to_owned() }
        })?;
        let refused = |what| FleetError::Refused { what };
        let program = Program::load(self.settings.agent.as_deref()).await.map_err(refused)?;
        let engine = self.engine.architecture().await.map_err(unavailable("launch"))?;
        if engine != program.architecture {
            return Err(refused(format!(
                "the docker engine at {} runs programs for {engine}, and this katkit is one for {}; name a static \
                 build for {engine} as `agent` of the fleet",
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

    /// The container's name: that of its katkit, so that equal tokens of two of them are not in each other's way.
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
                    // It is going away, or gone.
                    Some(None) | None => sleep(Duration::from_millis(50)).await,
                }
            } else {
                return Err(not_started(error));
            }
        }
    }

    /// What the container is that has the name; `None` if it will not have it for long.
    fn found(&self, launch: &Launch, there: ContainerInspectResponse) -> Result<Option<Created>, FleetError> {
        use ContainerStateStatusEnum::{CREATED, DEAD, REMOVING};
        let labels = there.config.and_then(|config| config.labels).unwrap_or_default();
        if !labels::are_of(&labels, &self.settings, &launch.token) {
            let what = format!(
                "the name `{}` is taken by a container that is not katkit's; remove or rename it",
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
            // An agent that finds its service taken reads nothing; one that dies has its own evidence.
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

/// A container with the replica's name.
enum Created {
    /// Not started yet.
    New(String),
    /// By a process before this one.
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

/// What the engine's refusal means for the attempt.
fn not_started(error: EngineError) -> FleetError {
    let EngineError::Refused { status, message } = error else { return unavailable("launch")(error) };
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["no space left on device", "cannot allocate memory", "Cannot allocate memory"]) {
        return FleetError::NotNow { cause: LostCause::NoCapacity, what: message };
    }
    // What is wrong with the order stays wrong; what the engine could not do, it may do the next time.
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
    fn what_the_engine_says_decides_whether_it_is_tried_again() {
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
