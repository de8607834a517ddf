//! Runs phases as containers on one Docker engine.
//!
//! A service is a container named after its token, so creating it twice finds the first. Labels record its owner: a
//! later process finds it by them, and two katkits that share an engine leave each other's containers alone. The owner
//! is a digest of the record's location (see `app`), so it is the same for all processes that share one record.
//!
//! Any image works, even an empty one: the agent and the libraries it needs come on a volume that is filled once per
//! engine (`program`, `volume`). The container's configuration holds no secrets, because anyone may inspect it; they
//! are passed on standard input. If the blob store is a directory, the container sees only its own part of it
//! (`mounts`).
//!
//! Containers that a phase starts through a mounted socket are ordinary containers, unknown to this fleet.

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

use super::{Fleet, FleetError, Launch, ListedService, ServiceState};
use crate::causes;
use crate::docker::{Engine, EngineError};
use crate::domain::{Check, Handle};

/// How long the engine may be unreachable while waiting for a service: longer than an upgrade takes.
const MAX_OUTAGE: Duration = Duration::from_mins(5);
/// Interval between attempts to reach it.
const POLL: Duration = Duration::from_millis(500);

/// Settings of a fleet of containers, from the manifest.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Identifies this katkit: hex digits, the same for all processes that share one record.
    pub owner: String,
    /// Location of this katkit's logs, shown to users who inspect a container.
    pub store: String,
    /// Name of the fleet in the manifest.
    pub name: String,
    /// Default image of phases.
    pub image: Option<String>,
    /// Whether phases may access the engine.
    pub docker_socket: bool,
    /// Container paths that are kept between phases of a tenant.
    pub caches: Vec<String>,
    /// Network of the containers; `None` for the engine's default.
    pub network: Option<String>,
    /// Static build of katkit for the engine's architecture; `None` for the running program.
    pub agent: Option<PathBuf>,
    /// Default CPU of phases, in thousandths of a core.
    pub cpu: Option<u32>,
    /// Default memory of phases, in MiB.
    pub memory: Option<u32>,
    /// Environment variables of every container.
    pub variables: BTreeMap<String, String>,
}

/// Runs services as containers.
#[derive(Debug)]
pub struct DockerFleet {
    engine: Arc<Engine>,
    settings: Settings,
}

impl DockerFleet {
    /// A fleet on `engine`.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self { engine, settings }
    }

    /// The state of one container.
    async fn look(&self, container: &str) -> Result<ServiceState, EngineError> {
        state::of_inspected(&self.engine, container).await
    }
}

#[async_trait]
impl Fleet for DockerFleet {
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError> {
        launch.no_arns("a Docker fleet")?;
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
                // Ended in a way that the list does not explain.
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
                // A restarted engine still knows its containers once it is back.
                Err(error) if seen.elapsed() > MAX_OUTAGE => return Err(unavailable("observe")(error)),
                Err(error) if !away => {
                    away = true;
                    let (minutes, error) = (MAX_OUTAGE.as_secs() / 60, causes::in_one_line(&error));
                    tracing::warn!(%error, "lost the engine while a phase was running there; waiting up to {minutes} minutes");
                }
                Err(error) => tracing::debug!(error = %error, "waiting for the docker engine to come back"),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn stop(&self, handle: &Handle) -> Result<(), FleetError> {
        self.engine.signal(handle.as_str(), "SIGTERM").await.map_err(unavailable("stop"))
    }

    async fn remove(&self, handle: &Handle) -> Result<(), FleetError> {
        let labels = labels::of_owner(&self.settings);
        self.engine.remove(handle.as_str(), &labels, true).await.map_err(unavailable("remove"))
    }

    async fn list(&self) -> Result<Vec<ListedService>, FleetError> {
        let listed = self.engine.containers(labels::filter(&self.settings)).await;
        let listed = listed.map_err(unavailable("list"))?.into_iter();
        let mut found: Vec<_> = listed
            .filter_map(|container| {
                let (token, link) = labels::read(&container)?;
                let name = self.name(&token);
                let has_it = container.names.iter().flatten().any(|it| it.trim_start_matches('/') == name);
                // Renamed by someone, but still katkit's.
                let handle = if has_it { name } else { container.id? };
                Some(ListedService { handle: Handle(handle), token, link })
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
        if let Err(bad) = launch.unless_arns("a Docker fleet") {
            return Some(bad);
        }
        let what = launch.subject();
        let Some(image) = launch.image.as_ref().or(self.settings.image.as_ref()) else {
            let fix = "set `image` on the phase or on the fleet".to_owned();
            return Some(Check::bad(what, "neither the phase nor its fleet names an image", fix));
        };
        Some(match self.engine.has_image(image).await {
            Ok(true) => Check::good(what, format!("image `{image}` is present")),
            Ok(false) => Check::unknown(
                what,
                format!(
                    "image `{image}` is not present; only a running phase shows whether it can be pulled"
                ),
            ),
            // The check of the engine itself reports that it is unreachable.
            Err(_) => return None,
        })
    }
}

fn unavailable(action: &'static str) -> impl Fn(EngineError) -> FleetError {
    move |error| FleetError::Unavailable { fleet: "docker", action, source: error.into() }
}
