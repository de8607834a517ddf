//! The fleet: services with one agent each, and every late, wrong or missing answer a fleet may give about them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use katkit::domain::{Check, Handle, LostCause};
use katkit::fleet::{Fleet, FleetError, Launch, ListedService, ServiceState};
use tokio::time::{Instant, sleep};

use crate::agent;
use crate::dice;
use crate::gate::Gate;
use crate::invariants;
use crate::world::{Service, World};

/// The fleet through a gate.
#[derive(Debug)]
pub struct GatedFleet(pub Gate);

/// Polling interval for a service.
const EVERY: Duration = Duration::from_millis(500);

fn lost(action: &'static str) -> FleetError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::TimedOut));
    FleetError::Unavailable { fleet: "simulated", action, source }
}

/// What a fleet believes about a service; not always true.
enum Belief {
    /// The truth.
    Truth,
    /// That it is gone while it still runs.
    GoneTooEarly,
    /// That it still runs long after it ended.
    RunsForLong,
}

fn belief(world: &World, token: &str) -> Belief {
    match dice::named(world.seed, &format!("belief {token}")) % 40 {
        0 if !world.is_calm() => Belief::GoneTooEarly,
        1 if !world.is_calm() => Belief::RunsForLong,
        _ => Belief::Truth,
    }
}

fn start(world: &Arc<World>, launch: &Launch) -> Result<Handle, FleetError> {
    let mut facts = world.facts();
    if let Some((handle, _)) = facts.services.iter().find(|(_, service)| service.token == launch.token) {
        return Ok(handle.clone());
    }
    let made = facts.launches.entry(launch.token.clone()).or_default();
    *made += 1;
    let handle = Handle(format!("{}#{made}", launch.token));
    match dice::named(world.seed, handle.as_str()) % 50 {
        0 => return Err(FleetError::Refused { what: "no such image".to_owned() }),
        1 => {
            let (cause, what) = (LostCause::NoCapacity, "no room".to_owned());
            return Err(FleetError::NotNow { cause, what });
        }
        _ => {}
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(agent::run(Arc::clone(world), handle.clone(), launch.clone(), stopped));
    let service = Service {
        token: launch.token.clone(),
        link: launch.link.clone(),
        agent: running.abort_handle(),
        stop,
        ended: None,
    };
    facts.services.insert(handle.clone(), service);
    drop(facts);
    world.tell(|| format!("   service {handle} for {} {} of {}", launch.phase, launch.replica, launch.link));
    Ok(handle)
}

/// The fleet's current answer about the service.
fn look(world: &World, handle: &Handle) -> ServiceState {
    let facts = world.facts();
    let Some(service) = facts.services.get(handle) else {
        return ServiceState::Gone { cause: None, evidence: "it is not known".to_owned() };
    };
    let (token, ended) = (service.token.clone(), service.ended);
    drop(facts);
    let gone = match belief(world, token.as_str()) {
        Belief::Truth => ended.is_some(),
        Belief::GoneTooEarly => true,
        Belief::RunsForLong => ended.is_some_and(|at| Instant::now() > at + Duration::from_secs(90)),
    };
    if gone { ServiceState::Gone { cause: None, evidence: String::new() } } else { ServiceState::Running }
}

#[async_trait]
impl Fleet for GatedFleet {
    async fn launch(&self, launch: &Launch) -> Result<Handle, FleetError> {
        let launch = Arc::new(launch.clone());
        let start = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let launch = Arc::clone(&launch);
            Box::pin(async move { start(&world, &launch) })
        };
        self.0.call("fleet.launch", start, || lost("launch")).await
    }

    async fn observe(&self, handles: &[Handle]) -> Result<Vec<ServiceState>, FleetError> {
        Ok(handles.iter().map(|handle| look(&self.0.world, handle)).collect())
    }

    async fn gone(&self, handle: &Handle) -> Result<ServiceState, FleetError> {
        let asked = |_: Arc<World>| -> BoxFuture<'static, _> { Box::pin(async { Ok(()) }) };
        self.0.call("fleet.gone", asked, || lost("observe")).await?;
        loop {
            match look(&self.0.world, handle) {
                ServiceState::Running => sleep(EVERY).await,
                gone @ ServiceState::Gone { .. } => break Ok(gone),
            }
        }
    }

    async fn stop(&self, handle: &Handle) -> Result<(), FleetError> {
        let handle = handle.clone();
        let stop = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let handle = handle.clone();
            Box::pin(async move {
                if let Some(service) = world.facts().services.get(&handle) {
                    service.stop.send_replace(true);
                }
                Ok(())
            })
        };
        self.0.call("fleet.stop", stop, || lost("stop")).await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), FleetError> {
        let (process, handle) = (self.0.process, handle.clone());
        let remove = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let handle = handle.clone();
            Box::pin(async move {
                let removed = world.facts().services.remove(&handle);
                if let Some(service) = removed {
                    if service.ended.is_none() {
                        invariants::service_goes(&world, process, &service.link, &service.token).await;
                    }
                    service.agent.abort();
                    world.tell(|| format!("   service {handle} removed"));
                }
                Ok(())
            })
        };
        self.0.call("fleet.remove", remove, || lost("remove")).await
    }

    async fn list(&self) -> Result<Vec<ListedService>, FleetError> {
        let list = |world: Arc<World>| -> BoxFuture<'static, _> {
            Box::pin(async move {
                let facts = world.facts();
                let found = facts.services.iter().map(|(handle, service)| ListedService {
                    handle: handle.clone(),
                    token: service.token.clone(),
                    link: Some(service.link.clone()),
                });
                Ok(found.collect())
            })
        };
        self.0.call("fleet.list", list, || lost("list")).await
    }

    async fn verify(&self) -> Vec<Check> {
        Vec::new()
    }

    async fn verify_launch(&self, _: &Launch) -> Option<Check> {
        None
    }
}
