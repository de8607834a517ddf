//! Deploys services as containers on one Docker engine: one container per role, identified by its labels.
//!
//! ```text
//! katkit.tenant=dev  katkit.link=shop  katkit.role=web     identify a service; set them to hand a container to katkit
//! katkit.owner=…     katkit.token=…    katkit.image=…      added by katkit to containers it creates
//! ```
//!
//! A container cannot change its image, so a role is rolled by creating a successor: a copy of what runs, with only the
//! image changed (`successor`). Nothing old is removed until every role's successor is healthy; until then everything
//! can be undone (`roll`). Progress is read from the containers themselves, so after a crash another process finishes
//! or undoes the work.

mod containers;
mod health;
mod planned;
mod prepare;
mod roll;
mod successor;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::containers::Service;
use self::health::RollProblem;
use self::roll::{Roll, RollStopped};
use super::{
    FencingCheck, InFlight, LONGEST_TIMEOUT, Observation, Platform, PlatformError, RollEnd, Running, Target,
    Upgrade,
};
use crate::causes;
use crate::docker::{Engine, EngineError};
use crate::domain::{Check, DeployOutcome, DeploymentName, FormerName, LinkId, Strategy, TenantName};

/// How long the engine may be unreachable in the middle of a deployment.
const MAX_OUTAGE: Duration = Duration::from_mins(5);

/// An unreachable engine fails faster than this.
const ANSWERS: Duration = Duration::from_secs(5);

/// Retries while the engine is unreachable. Every step skips what is already done.
macro_rules! retry_if_unreachable {
    ($work:expr) => {{
        let mut away = Instant::now();
        loop {
            let tried = Instant::now();
            let done = $work.await;
            if tried.elapsed() > ANSWERS {
                // The engine was reachable for a while.
                away = Instant::now();
            }
            match done {
                Err(RollStopped::Engine(error @ EngineError::Unreachable { .. })) if away.elapsed() < MAX_OUTAGE => {
                    tracing::debug!(error = %error, "waiting for the docker engine to come back");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                other => break other,
            }
        }
    }};
}

/// Settings of a tenant's platform, from the manifest.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Identifies the katkit that owns the containers it creates.
    pub owner: String,
    /// Location of that katkit's logs, shown to users who inspect a container.
    pub store: String,
    /// Tenant of the services.
    pub tenant: TenantName,
    /// Network of containers without a predecessor; `None` for the engine's default.
    pub network: Option<String>,
    /// How long a container without a health check must run to count as healthy.
    pub settle: Duration,
}

/// Deploys services as containers.
#[derive(Clone, Debug)]
pub struct DockerPlatform {
    engine: Arc<Engine>,
    settings: Settings,
}

impl DockerPlatform {
    /// The services of one tenant on `engine`.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self { engine, settings }
    }

    fn halted(&self, action: &'static str) -> impl Fn(RollStopped) -> PlatformError {
        let place = format!("the Docker Engine at {}", self.engine.host());
        move |halted| match halted {
            RollStopped::Engine(error) => {
                PlatformError::Unavailable { place: place.clone(), action, source: error.into() }
            }
            RollStopped::FencingCheck(error) => error,
        }
    }

    /// The revision of what the link is running.
    async fn revision(&self, link: &LinkId, formerly: &[FormerName]) -> String {
        let services = containers::of_link(&self.engine, &self.settings, link, formerly).await;
        containers::revision(&services.unwrap_or_default())
    }

    /// Every container of the tenant, under its current and former names.
    async fn all(&self, targets: &[Target<'_>]) -> Result<Vec<Service>, EngineError> {
        let former = targets.iter().flat_map(|target| FormerName::names(target.formerly));
        let former = former.map(|former| &former.tenant);
        let tenants: BTreeSet<_> = former.chain([&self.settings.tenant]).collect();
        let mut found = Vec::new();
        for tenant in tenants {
            found.extend(containers::of_tenant(&self.engine, &self.settings, tenant).await?);
        }
        Ok(found)
    }

    /// Rolls until the outcome is decided, waiting whenever the engine is unreachable.
    async fn roll(&self, roll: &Roll<'_>, strategy: Strategy) -> Result<DeployOutcome, PlatformError> {
        let halted = self.halted("rolled");
        let problem = match retry_if_unreachable!(roll.forward(strategy)).map_err(&halted)? {
            Ok(()) => {
                retry_if_unreachable!(roll.commit()).map_err(&halted)?;
                return Ok(DeployOutcome::Deployed);
            }
            Err(problem) => problem,
        };
        let replaced = roll.replaces_something();
        let undone = retry_if_unreachable!(roll.undo()).map_err(&halted)?;
        let and = undone.err().map_or_else(String::new, |why| format!("; {why}"));
        Ok(match problem {
            RollProblem::Failed(reason) if replaced && and.is_empty() => DeployOutcome::RolledBack { reason },
            RollProblem::Failed(reason) => DeployOutcome::Failed { reason: format!("{reason}{and}") },
            RollProblem::Stuck(waiting) => DeployOutcome::Stuck { waiting_for: format!("{waiting}{and}") },
            RollProblem::Superseded(by) => DeployOutcome::Superseded { by },
        })
    }
}

#[async_trait]
impl Platform for DockerPlatform {
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>> {
        let listed = match self.all(targets).await {
            Ok(listed) => listed,
            Err(error) => {
                // One error for all targets; each gets a copy.
                let text = causes::in_one_line(&error);
                let place = || format!("the Docker Engine at {}", self.engine.host());
                let each = |_| {
                    let source = text.clone().into();
                    Err(PlatformError::Unavailable { place: place(), action: "queried", source })
                };
                return targets.iter().map(each).collect();
            }
        };
        let mut by_link: BTreeMap<&LinkId, Vec<Service>> = BTreeMap::new();
        for service in &listed {
            by_link.entry(&service.link).or_default().push(service.clone());
        }
        let observe = |target: &Target<'_>| {
            let names: BTreeSet<_> = FormerName::names(target.formerly).chain([target.link]).collect();
            let services = names.into_iter().filter_map(|name| by_link.get(name)).flatten().cloned();
            let services: Vec<_> = services.collect();
            let mut images = containers::images(&services);
            for (role, image) in &mut images {
                // Uses the recorded name, or the one in the description.
                if let Some(known) = target.images.get(role).filter(|known| self.engine.shows(image, known)) {
                    image.clone_from(known);
                }
            }
            let revision = containers::revision(&services);
            if images.is_empty() {
                Observation::Absent
            } else if target.known == Some(revision.as_str()) {
                Observation::AsKnown
            } else {
                Observation::Running(Running { revision, images, description: None, left: Vec::new() })
            }
        };
        targets.iter().map(|target| Ok(observe(target))).collect()
    }

    /// Creates the new containers. [`Platform::watch`] starts them.
    async fn upgrade(
        &self,
        upgrade: &Upgrade,
        fencing: &dyn FencingCheck,
    ) -> Result<DeploymentName, PlatformError> {
        fencing.check().await?;
        let wanted = planned::PlannedRoll {
            link: &upgrade.link,
            formerly: &upgrade.formerly,
            token: &upgrade.token,
            images: &upgrade.images,
            deadline: Instant::now() + upgrade.timeout.min(LONGEST_TIMEOUT),
        };
        prepare::prepare(&self.engine, &self.settings, wanted, fencing).await?;
        Ok(DeploymentName(upgrade.token.to_string()))
    }

    fn goes_on_alone(&self) -> bool {
        false
    }

    async fn watch(
        &self,
        upgrade: &Upgrade,
        _deployment: &DeploymentName,
        fencing: &dyn FencingCheck,
    ) -> Result<RollEnd, PlatformError> {
        let wanted = planned::PlannedRoll {
            link: &upgrade.link,
            formerly: &upgrade.formerly,
            token: &upgrade.token,
            images: &upgrade.images,
            deadline: Instant::now() + upgrade.timeout.min(LONGEST_TIMEOUT),
        };
        let roll = Roll::new(&self.engine, &self.settings, wanted, fencing);
        let outcome = self.roll(&roll, upgrade.strategy).await?;
        Ok(RollEnd { outcome, revision: self.revision(&upgrade.link, &upgrade.formerly).await })
    }

    async fn resume(
        &self,
        left: InFlight<'_>,
        fencing: &dyn FencingCheck,
    ) -> Result<Option<RollEnd>, PlatformError> {
        let images: Vec<_> = left.images.iter().map(|(role, image)| (role.clone(), image.clone())).collect();
        let wanted = planned::PlannedRoll {
            link: left.link,
            formerly: left.formerly,
            token: left.token,
            images: &images,
            deadline: Instant::now() + left.timeout.min(LONGEST_TIMEOUT),
        };
        let roll = Roll::new(&self.engine, &self.settings, wanted, fencing);
        let halted = self.halted("queried");
        if retry_if_unreachable!(roll.all_run()).map_err(&halted)? {
            let outcome = self.roll(&roll, Strategy::Together).await?;
            return Ok(Some(RollEnd { outcome, revision: self.revision(left.link, left.formerly).await }));
        }
        // It would not progress on its own. The old containers run again, so issuing it again is harmless.
        if let Err(why) = retry_if_unreachable!(roll.undo()).map_err(&halted)? {
            tracing::warn!(link = %left.link, why, "could not fully undo a deployment whose process died");
        }
        Ok(None)
    }

    async fn verify(&self, target: &Target<'_>) -> Vec<Check> {
        let engine = self.engine.verify().await;
        if engine.is_bad() {
            return vec![engine];
        }
        let what = format!("services of `{}`", target.link);
        let services = match self.observe(std::slice::from_ref(target)).await.into_iter().next() {
            Some(Err(error)) => Check::bad(what, error.to_string(), None),
            Some(Ok(Observation::Running(running))) => {
                Check::good(what, format!("{} running", running.images.len()))
            }
            _ => Check::unknown(what, "none running yet: the first deployment creates them"),
        };
        let mut checks = vec![engine, services];
        let found = containers::of_link(&self.engine, &self.settings, target.link, target.formerly)
            .await
            .unwrap_or_default();
        for service in found.iter().filter(|service| service.runs) {
            if let Ok(Some((what, fix))) = prepare::unlike(&self.engine, service).await {
                checks.push(Check::bad(format!("container of `{}`", service.role), what, fix));
            }
        }
        checks
    }
}
