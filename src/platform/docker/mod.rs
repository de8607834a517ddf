//! Deployed services as containers of one Docker Engine: one container per role, known by its labels.
//!
//! ```text
//! katkit.tenant=dev  katkit.link=shop  katkit.role=web     what it is; set these to have katkit take over a container
//! katkit.owner=…     katkit.token=…    katkit.image=…      added by katkit to those that it makes
//! ```
//!
//! A container cannot change its image, so a role is rolled by a successor: made from what runs, with nothing but the
//! image changed (`successor`). Nothing that ran is removed before every role's successor is healthy; until then all
//! can be undone (`roll`). What was done is seen from the containers themselves, so a process that died half-way is
//! followed by one that finishes or undoes its work.

mod containers;
mod health;
mod prepare;
mod roll;
mod successor;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::containers::Service;
use self::health::Trouble;
use self::roll::{Halted, Roll};
use super::{Ended, InFlight, Mandate, Observation, Platform, PlatformError, Running, Target, Upgrade};
use crate::causes;
use crate::docker::{Engine, EngineError};
use crate::domain::{Check, DeployOutcome, FormerName, LinkId, Strategy, TenantName};

/// How long an engine may be away in the middle of a deployment.
const AWAY: Duration = Duration::from_mins(5);

/// An engine that is away says so sooner than this.
const ANSWERS: Duration = Duration::from_secs(5);

/// Does it again as long as the engine is away: every step finds done what was done.
macro_rules! patiently {
    ($work:expr) => {{
        let mut away = Instant::now();
        loop {
            let tried = Instant::now();
            let done = $work.await;
            if tried.elapsed() > ANSWERS {
                // It was there for a while.
                away = Instant::now();
            }
            match done {
                Err(Halted::Engine(error @ EngineError::Unreachable { .. })) if away.elapsed() < AWAY => {
                    tracing::debug!(error = %error, "waiting for the docker engine to come back");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                other => break other,
            }
        }
    }};
}

/// What a manifest says of a tenant's platform.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which katkit the containers belong to that it makes.
    pub owner: String,
    /// Where that katkit keeps its logs, for people who look at a container.
    pub store: String,
    /// Whose services these are.
    pub tenant: TenantName,
    /// The network of containers that have no predecessor; `None`: the engine's default.
    pub network: Option<String>,
    /// How long a container without a health check must run before it counts as healthy.
    pub settle: Duration,
}

/// Services as containers.
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

    fn halted(&self, action: &'static str) -> impl Fn(Halted) -> PlatformError {
        let place = format!("the docker engine at {}", self.engine.host());
        move |halted| match halted {
            Halted::Engine(error) => {
                PlatformError::Unavailable { place: place.clone(), action, source: error.into() }
            }
            Halted::Mandate(error) => error,
        }
    }

    /// What runs for the link, as one name.
    async fn revision(&self, link: &LinkId, formerly: &[FormerName]) -> String {
        let services = containers::of_link(&self.engine, &self.settings, link, formerly).await;
        containers::revision(&services.unwrap_or_default())
    }

    /// Every container of the tenant, under its current and its former names.
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

    /// Rolls until it is decided how it ends, over whatever the engine does meanwhile.
    async fn roll(&self, roll: &Roll<'_>, strategy: Strategy) -> Result<DeployOutcome, PlatformError> {
        let halted = self.halted("rolled");
        let trouble = match patiently!(roll.forward(strategy)).map_err(&halted)? {
            Ok(()) => {
                patiently!(roll.commit()).map_err(&halted)?;
                return Ok(DeployOutcome::Deployed);
            }
            Err(trouble) => trouble,
        };
        let replaced = roll.replaces_something();
        let undone = patiently!(roll.undo()).map_err(&halted)?;
        let and = undone.err().map_or_else(String::new, |why| format!("; {why}"));
        Ok(match trouble {
            Trouble::Failed(reason) if replaced && and.is_empty() => DeployOutcome::RolledBack { reason },
            Trouble::Failed(reason) => DeployOutcome::Failed { reason: format!("{reason}{and}") },
            Trouble::Stuck(waiting) => DeployOutcome::Stuck { waiting_for: format!("{waiting}{and}") },
            Trouble::Superseded(by) => DeployOutcome::Superseded { by },
        })
    }
}

#[async_trait]
impl Platform for DockerPlatform {
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>> {
        let listed = match self.all(targets).await {
            Ok(listed) => listed,
            Err(error) => {
                // One answer for all; each target gets its own copy of it.
                let text = causes::in_one_line(&error);
                let place = || format!("the docker engine at {}", self.engine.host());
                let each = |_| {
                    let source = text.clone().into();
                    Err(PlatformError::Unavailable { place: place(), action: "asked", source })
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
                // By the name that it has on record, or in the description.
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

    /// Makes the new containers. None of them is started before [`Platform::watch`].
    async fn upgrade(&self, upgrade: &Upgrade, mandate: &dyn Mandate) -> Result<String, PlatformError> {
        mandate.check().await?;
        let wanted = prepare::Wanted {
            link: &upgrade.link,
            formerly: &upgrade.formerly,
            token: &upgrade.token,
            images: &upgrade.images,
            deadline: Instant::now() + Duration::from_secs(upgrade.timeout),
        };
        prepare::prepare(&self.engine, &self.settings, wanted, mandate).await?;
        Ok(upgrade.token.to_string())
    }

    fn goes_on_alone(&self) -> bool {
        false
    }

    async fn watch(
        &self,
        upgrade: &Upgrade,
        _deployment: &str,
        mandate: &dyn Mandate,
    ) -> Result<Ended, PlatformError> {
        let wanted = prepare::Wanted {
            link: &upgrade.link,
            formerly: &upgrade.formerly,
            token: &upgrade.token,
            images: &upgrade.images,
            deadline: Instant::now() + Duration::from_secs(upgrade.timeout),
        };
        let roll = Roll::new(&self.engine, &self.settings, wanted, mandate);
        let outcome = self.roll(&roll, upgrade.strategy).await?;
        Ok(Ended { outcome, revision: self.revision(&upgrade.link, &upgrade.formerly).await })
    }

    async fn resume(
        &self,
        left: InFlight<'_>,
        mandate: &dyn Mandate,
    ) -> Result<Option<Ended>, PlatformError> {
        let images: Vec<_> = left.images.iter().map(|(role, image)| (role.clone(), image.clone())).collect();
        let wanted = prepare::Wanted {
            link: left.link,
            formerly: left.formerly,
            token: left.token,
            images: &images,
            deadline: Instant::now() + Duration::from_secs(left.timeout),
        };
        let roll = Roll::new(&self.engine, &self.settings, wanted, mandate);
        let halted = self.halted("asked");
        if patiently!(roll.all_run()).map_err(&halted)? {
            let outcome = self.roll(&roll, Strategy::Together).await?;
            return Ok(Some(Ended { outcome, revision: self.revision(left.link, left.formerly).await }));
        }
        // It goes no further by itself: what ran before runs again, and issuing it anew is harmless.
        if let Err(why) = patiently!(roll.undo()).map_err(&halted)? {
            tracing::warn!(link = %left.link, why, "a deployment whose process died was not wholly undone");
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
                Check::good(what, format!("{} run", running.images.len()))
            }
            _ => Check::unknown(what, "none runs yet: the first deployment creates them"),
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
