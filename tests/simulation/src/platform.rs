//! The platform: what is deployed, with deployments that take time and may fail.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use katkit::domain::{Check, DeployOutcome, DeploymentName, Images, LinkId, Token};
use katkit::platform::{
    FencingCheck, InFlight, Observation, Platform, PlatformError, RollEnd, Running, Target, Upgrade,
};
use tokio::time::{Instant, sleep_until};

use crate::dice;
use crate::gate::{Gate, ON_ITS_WAY};
use crate::invariants;
use crate::world::{Live, Rollout, World};

/// The platform through a gate.
#[derive(Debug)]
pub struct GatedPlatform(pub Gate);

fn lost(action: &'static str) -> PlatformError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::TimedOut));
    PlatformError::Unavailable { place: "simulation".to_owned(), action, source }
}

/// Starts a deployment, or finds the one already started under this token.
async fn begin(world: &Arc<World>, process: u32, upgrade: &Upgrade) -> String {
    let name = format!("deployment-{}", upgrade.token);
    if world.facts().rollouts.iter().any(|rollout| rollout.token == upgrade.token) {
        return name;
    }
    invariants::deployment_begins(world, process, upgrade).await;
    let dice = dice::named(world.seed, upgrade.token.as_str());
    let outcome = match dice % 14 {
        0 => DeployOutcome::RolledBack { reason: "tasks did not start".to_owned() },
        1 => DeployOutcome::Failed { reason: "not healthy in time".to_owned() },
        _ => DeployOutcome::Deployed,
    };
    let mut facts = world.facts();
    let before = facts.deployed.get(&upgrade.link).cloned().unwrap_or_default();
    let images: Images = upgrade.images.iter().cloned().collect();
    let mut live = Live { description: upgrade.description.clone(), ..before.clone() };
    live.images.extend(images.clone());
    live.revision += 1;
    let rollout = Rollout {
        token: upgrade.token.clone(),
        link: upgrade.link.clone(),
        images,
        before,
        revision: live.revision,
        began: Instant::now(),
        ends: Instant::now() + Duration::from_millis(500 + (dice >> 16) % 30_000),
        outcome,
    };
    facts.deployed.insert(upgrade.link.clone(), live);
    if matches!(rollout.outcome, DeployOutcome::RolledBack { .. }) {
        tokio::spawn(go_back(Arc::clone(world), rollout.clone()));
    }
    facts.rollouts.push(rollout);
    drop(facts);
    world.tell(|| format!("   deployment {} of {} takes effect", upgrade.token, upgrade.link));
    name
}

/// Rolls back to the previous state if that is the deployment's outcome; needs no watcher.
async fn go_back(world: Arc<World>, rollout: Rollout) {
    sleep_until(rollout.ends).await;
    let mut facts = world.facts();
    let Some(live) = facts.deployed.get_mut(&rollout.link) else { return };
    if live.revision == rollout.revision {
        *live = Live { revision: live.revision + 1, ..rollout.before.clone() };
        drop(facts);
        world.tell(|| format!("   deployment {} of {} goes back", rollout.token, rollout.link));
    }
}

/// The outcome of a deployment whose time is over.
fn end(world: &World, token: &Token) -> RollEnd {
    let facts = world.facts();
    let Some(at) = facts.rollouts.iter().position(|rollout| rollout.token == *token) else {
        let outcome = DeployOutcome::Lost { evidence: "it is not known".to_owned() };
        return RollEnd { outcome, revision: String::new() };
    };
    let rollout = &facts.rollouts[at];
    let overtakes = |other: &&Rollout| other.link == rollout.link && other.began < rollout.ends;
    let outcome = match facts.rollouts[at + 1..].iter().find(overtakes) {
        Some(other) => DeployOutcome::Superseded { by: other.token.to_string() },
        None => rollout.outcome.clone(),
    };
    // A rollback created another revision.
    let live = facts.deployed.get(&rollout.link).map_or(rollout.revision, |live| live.revision);
    let revision = if outcome == DeployOutcome::Deployed { rollout.revision } else { live };
    RollEnd { outcome, revision: revision.to_string() }
}

async fn ended(world: &World, token: &Token) -> RollEnd {
    let ends = world.facts().rollouts.iter().find(|rollout| rollout.token == *token).map(|it| it.ends);
    if let Some(ends) = ends {
        sleep_until(ends).await;
    }
    end(world, token)
}

#[async_trait]
impl Platform for GatedPlatform {
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>> {
        let asked: Vec<(LinkId, Option<String>)> =
            targets.iter().map(|target| (target.link.clone(), target.known.map(str::to_owned))).collect();
        let count = asked.len();
        let observe = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let asked = asked.clone();
            Box::pin(async move {
                let seen = asked.iter().map(|(link, known)| seen(&world, link, known.as_deref()));
                Ok::<Vec<Observation>, PlatformError>(seen.collect())
            })
        };
        match self.0.call("platform.observe", observe, || lost("read")).await {
            Ok(seen) => seen.into_iter().map(Ok).collect(),
            Err(_) => (0..count).map(|_| Err(lost("read"))).collect(),
        }
    }

    async fn upgrade(
        &self,
        upgrade: &Upgrade,
        fencing: &dyn FencingCheck,
    ) -> Result<DeploymentName, PlatformError> {
        fencing.check().await?;
        let (process, upgrade) = (self.0.process, Arc::new(upgrade.clone()));
        let begin = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let upgrade = Arc::clone(&upgrade);
            Box::pin(async move { Ok(DeploymentName(begin(&world, process, &upgrade).await)) })
        };
        self.0.send("platform.upgrade", begin, || lost("written")).await
    }

    fn goes_on_alone(&self) -> bool {
        true
    }

    fn lands_within(&self) -> Duration {
        ON_ITS_WAY
    }

    async fn watch(
        &self,
        upgrade: &Upgrade,
        _: &DeploymentName,
        _: &dyn FencingCheck,
    ) -> Result<RollEnd, PlatformError> {
        let token = upgrade.token.clone();
        let watch = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let token = token.clone();
            Box::pin(async move { Ok(ended(&world, &token).await) })
        };
        self.0.call("platform.watch", watch, || lost("read")).await
    }

    async fn resume(
        &self,
        left: InFlight<'_>,
        _: &dyn FencingCheck,
    ) -> Result<Option<RollEnd>, PlatformError> {
        let token = left.token.clone();
        let resume = move |world: Arc<World>| -> BoxFuture<'static, _> {
            let token = token.clone();
            Box::pin(async move {
                let known = world.facts().rollouts.iter().any(|rollout| rollout.token == token);
                Ok(if known { Some(ended(&world, &token).await) } else { None })
            })
        };
        self.0.call("platform.resume", resume, || lost("read")).await
    }

    async fn verify(&self, _: &Target<'_>) -> Vec<Check> {
        Vec::new()
    }
}

fn seen(world: &World, link: &LinkId, known: Option<&str>) -> Observation {
    let facts = world.facts();
    match facts.deployed.get(link) {
        None => Observation::Absent,
        Some(live) if live.images.is_empty() => Observation::Absent,
        Some(live) if known == Some(live.revision.to_string().as_str()) => Observation::AsKnown,
        Some(live) => Observation::Running(Running {
            revision: live.revision.to_string(),
            images: live.images.clone(),
            description: Some(live.description.clone()),
            left: Vec::new(),
        }),
    }
}
