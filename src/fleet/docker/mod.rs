//! The fleet of containers of one Docker Engine.
//!
//! A service is a container whose name is its token's: making it twice finds it made. Its labels say whose it is, so
//! that a process that comes later finds it, and so that two katkits that share an engine leave each other's alone: the
//! owner is a digest of where the record is kept (see `app`), which is the same for all who work on one record.
//!
//! Any image will do, also one that holds nothing: the agent is brought along, with the libraries that it needs, on a
//! volume that is filled once per engine (`program`, `volume`). The container gets no secret in its configuration, which
//! everyone may inspect: secrets go through its standard input. Of a blob store in a directory it sees what is its own
//! (`mounts`).
//!
//! What a phase starts through a mounted socket is a container like any other, and not known here.

mod body;
mod elf;
mod labels;
mod launch;
mod mounts;
mod program;
mod state;
mod tar;
mod volume;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Fleet, FleetError, Found, Launch, ServiceState};
use crate::causes;
use crate::docker::{Engine, EngineError};
use crate::domain::{Check, Handle};

/// How long an engine may be away while a service's end is waited for: longer than it takes to be upgraded.
const AWAY: Duration = Duration::from_mins(5);
/// How often it is then looked for.
const LOOK: Duration = Duration::from_millis(500);

/// What a manifest says of a fleet of containers.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which katkit it belongs to: hex digits, the same for all processes that work on one record.
    pub owner: String,
    /// Where that katkit keeps its logs, for people who look at a container.
    pub store: String,
    /// The fleet's name in the manifest.
    pub name: String,
    /// The image of phases that name none.
    pub image: Option<String>,
    /// Whether phases may speak to the engine.
    pub docker_socket: bool,
    /// Paths that are kept between the phases of one tenant.
    pub caches: Vec<String>,
    /// The network that containers are in; `None`: the engine's default.
    pub network: Option<String>,
    /// A static build of katkit for the engine's processor; `None`: this program.
    pub agent: Option<PathBuf>,
    /// Processor time of phases that name none, in thousandths of a core.
    pub cpu: Option<u32>,
    /// Memory of phases that name none, in MiB.
    pub memory: Option<u32>,
    /// Variables of every container.
    pub variables: BTreeMap<String, String>,
}

/// Services as containers.
#[derive(Debug)]
pub struct DockerFleet {
    engine: Arc<Engine>,
    settings: Settings,
}

impl DockerFleet {
    /// Containers of `engine`.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self { engine, settings }
    }

    /// How it is with one container.
    async fn look(&self, container: &str) -> Result<ServiceState, EngineError> {
        state::of_inspected(&self.engine, container).await
    }
}

#[async_trait]
impl Fleet for DockerFleet {
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError> {
        launch.no_arns("one of Docker")?;
        self.launch_one(launch).await
    }

    async fn observe(&self, handles: &[Handle]) -> Result<Vec<ServiceState>, FleetError> {
        let listed = self.engine.containers(labels::filter(&self.settings)).await;
        let listed = listed.map_err(unavailable("observe"))?;
        let by_name: HashMap<&str, _> = listed
            .iter()
            .flat_map(|container| {
                container.names.iter().flatten().map(move |name| (name.as_str(), container))
            })
            .map(|(name, container)| (name.trim_start_matches('/'), container))
            .collect();
        let mut states = Vec::with_capacity(handles.len());
        for handle in handles {
            let known = by_name.get(handle.as_str()).map(|container| state::of_listed(container));
            states.push(match known {
                None => state::absent(),
                Some(Some(state)) => state,
                // It ended in a way that the list says too little about.
                Some(None) => self.look(handle.as_str()).await.map_err(unavailable("observe"))?,
            });
        }
        Ok(states)
    }

    async fn gone(&self, handle: &Handle) -> Result<ServiceState, FleetError> {
        let (mut seen, mut away) = (Instant::now(), false);
        loop {
            let state = match self.engine.wait(handle.as_str()).await {
                Ok(()) => self.look(handle.as_str()).await,
                Err(error) => Err(error),
            };
            match state {
                Ok(ServiceState::Running) => (seen, away) = (Instant::now(), false),
                Ok(gone) => return Ok(gone),
                // An engine that was restarted knows its containers again when it is back.
                Err(error) if seen.elapsed() > AWAY => return Err(unavailable("observe")(error)),
                Err(error) if !away => {
                    away = true;
                    let (minutes, error) = (AWAY.as_secs() / 60, causes::in_one_line(&error));
                    tracing::warn!(%error, "a phase runs there; the engine is waited for, up to {minutes} minutes");
                }
                Err(error) => tracing::debug!(error = %error, "waiting for the docker engine to come back"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn stop(&self, handle: &Handle) -> Result<(), FleetError> {
        self.engine.signal(handle.as_str(), "SIGTERM").await.map_err(unavailable("stop"))
    }

    async fn remove(&self, handle: &Handle) -> Result<(), FleetError> {
        let labels = labels::of_owner(&self.settings);
        self.engine.remove(handle.as_str(), &labels, true).await.map_err(unavailable("remove"))
    }

    async fn list(&self) -> Result<Vec<Found>, FleetError> {
        let listed = self.engine.containers(labels::filter(&self.settings)).await;
        let listed = listed.map_err(unavailable("list"))?.into_iter();
        let mut found: Vec<_> = listed
            .filter_map(|container| {
                let (token, link) = labels::read(&container)?;
                let name = self.name(&token);
                let has_it = container.names.iter().flatten().any(|it| it.trim_start_matches('/') == name);
                // Somebody gave it another name, and it is as much katkit's as before.
                let handle = if has_it { name } else { container.id? };
                Some(Found { handle: Handle(handle), token, link })
            })
            .collect();
        found.sort_by(|one, other| one.token.cmp(&other.token));
        Ok(found)
    }

    async fn verify(&self) -> Vec<Check> {
        let mut checks = vec![self.engine.verify().await];
        if let Some(network) = self.settings.network.as_ref().filter(|_| !checks[0].is_bad()) {
            checks.push(self.engine.verify_network(network).await);
        }
        checks
    }

    async fn verify_launch(&self, launch: &Launch) -> Option<Check> {
        if let Err(bad) = launch.unless_arns("one of Docker") {
            return Some(bad);
        }
        let what = launch.subject();
        let Some(image) = launch.image.as_ref().or(self.settings.image.as_ref()) else {
            let fix = "set `image` on the phase or on the fleet".to_owned();
            return Some(Check::bad(what, "neither the phase nor its fleet names an image", fix));
        };
        Some(match self.engine.has_image(image).await {
            Ok(true) => Check::good(what, format!("the image `{image}` is there")),
            Ok(false) => {
                Check::unknown(what, format!("that the image `{image}` can be pulled shows when it is"))
            }
            // That the engine is away is said of the engine.
            Err(_) => return None,
        })
    }
}

fn unavailable(action: &'static str) -> impl Fn(EngineError) -> FleetError {
    move |error| FleetError::Unavailable { fleet: "docker", action, source: error.into() }
}
