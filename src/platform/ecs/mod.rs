//! Deploys to ECS services.
//!
//! The live state is the base: a service is rolled to a copy of its live task definition with another image for one
//! role, and nothing else changes. Sidecars keep their images, and desired counts stay as set by people or autoscaling.
//! A copy is tagged with its link and service; by these marks two links notice that they would roll the same service.
//! An update starts a deployment with an id, and its outcome is that id's own: a service may be stable because ECS
//! rolled it back, or because someone else deployed.
//!
//! A revision consists of the task definition ARNs of all roles, so checking an unchanged link costs a tenth of one
//! call. The name of a deployment is `role=id` for each role.

mod collect;
mod containers;
mod definition;
mod issue;
mod progress;
mod resume;
mod services;
mod verify;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ecs::types::Service;
use futures::future::{join_all, try_join_all};
use tokio::time::Instant;

use self::containers::RoleContainers;
use self::definition::Described;
use self::issue::{Issued, Order, Ready, RollTarget};
use self::services::live;
use self::watch::Watch;
use super::{
    FencingCheck, InFlight, LONGEST_TIMEOUT, Observation, Platform, PlatformError, RollEnd, Running, Target,
    Upgrade,
};
use crate::aws::ecs::Tasks;
use crate::causes;
use crate::domain::{
    Check, DeployOutcome, DeploymentName, FormerName, Images, LinkId, NameTemplate, Strategy,
};

pub use services::Services;

/// Poll interval for a service that is rolling, unless there are many.
pub const POLL: Duration = Duration::from_secs(1);

/// Deploys the services of one tenant in a cluster.
#[derive(Debug)]
pub struct EcsPlatform {
    services: Arc<Services>,
    tasks: Arc<Tasks>,
    names: NameTemplate,
    /// Deployments issued by this process, by deployment id: they hold more than the recorded name.
    issued: Mutex<HashMap<String, Issued>>,
}

/// Task definition ARNs that the services are meant to run, by role, as far as known.
type IntendedImages = BTreeMap<String, String>;

/// The task definition that the service of a role is meant to run.
#[derive(Clone, Debug)]
struct Live {
    definition: Arc<Described>,
    /// The image of the role.
    image: String,
    /// One sentence for each thing that a deployment leaves unchanged.
    left: Vec<String>,
}

impl EcsPlatform {
    /// Services named by `names`; `tasks` are the tasks of the same cluster.
    pub fn new(services: Arc<Services>, tasks: Arc<Tasks>, names: NameTemplate) -> Self {
        Self { services, tasks, names, issued: Mutex::default() }
    }

    fn place<'a>(&'a self, upgrade: &'a Upgrade) -> RollTarget<'a> {
        RollTarget { services: &self.services, link: &upgrade.link, formerly: &upgrade.formerly }
    }

    fn watch_for(&self, timeout: Duration) -> Watch<'_> {
        let deadline = Instant::now() + timeout.min(LONGEST_TIMEOUT);
        Watch { services: &self.services, tasks: &self.tasks, deadline }
    }

    /// The services of the roles. Fails on the first one that katkit cannot roll.
    async fn services_of(&self, link: &LinkId, roles: &[&str]) -> Result<Vec<Arc<Service>>, PlatformError> {
        let names: Vec<String> = roles.iter().map(|role| self.names.service(link, role)).collect();
        names.iter().try_for_each(|name| services::nameable(link, name))?;
        let found = self.services.get_all(&names).await;
        let cluster = self.services.cluster().name();
        let fit = names.iter().zip(found).map(|(name, found)| {
            let found = found.map_err(|error| issue::unavailable(&self.services, "read", error))?;
            services::fit(link, cluster, name, found)
        });
        fit.collect()
    }

    async fn observe_one(&self, target: &Target<'_>) -> Result<Observation, PlatformError> {
        let Target { link, formerly, roles, images, known } = target;
        if roles.is_empty() {
            return Ok(Observation::Absent);
        }
        let services = self.services_of(link, roles).await?;
        let revision = revision(&services);
        if *known == Some(revision.as_str()) {
            return Ok(Observation::AsKnown);
        }
        let read = roles.iter().zip(&services).map(|(role, service)| async move {
            let image = images.get(*role).map(String::as_str);
            let Live { image, left, .. } = self.read((link, formerly), role, service, image).await?;
            Ok::<_, PlatformError>((((*role).to_owned(), image), left))
        });
        let (images, left): (Images, Vec<_>) = try_join_all(read).await?.into_iter().unzip();
        let left = left.into_iter().flatten().collect();
        Ok(Observation::Running(Running { revision, images, description: None, left }))
    }

    /// What a service is meant to run for a role; `image` identifies the role's repository. Fails if another link owns
    /// it.
    async fn read(
        &self,
        (link, formerly): (&LinkId, &[FormerName]),
        role: &str,
        service: &Service,
        image: Option<&str>,
    ) -> Result<Live, PlatformError> {
        let definition = self.services.definition(live(service)).await;
        let definition = definition.map_err(|error| issue::unavailable(&self.services, "read", error))?;
        let name = self.names.service(link, role);
        issue::own(&self.services, (link, formerly), &name, &definition)?;
        let RoleContainers { main, kept, .. } = issue::containers(link, &definition, role, image)?;
        let containers = definition.definition.container_definitions();
        let image_of = |at: usize| containers[at].image().unwrap_or_default();
        let kept = kept.into_iter().map(|at| {
            let (container, image) = (containers[at].name().unwrap_or_default(), image_of(at));
            format!("the container `{container}` of the service `{name}` keeps its own image, `{image}`")
        });
        let (left, image) = (kept.collect(), image_of(main).to_owned());
        Ok(Live { definition, image, left })
    }

    /// The revision that is running now.
    async fn revision_of(&self, link: &LinkId, roles: &[&str], live: IntendedImages) -> String {
        if roles.iter().all(|role| live.contains_key(*role)) {
            return joined(live.values().map(String::as_str).collect());
        }
        // Best effort: the revision only serves to recognize the state, and the next plan reads it again.
        self.services_of(link, roles).await.map(|services| revision(&services)).unwrap_or_default()
    }

    fn orders<'a>(
        &'a self,
        link: &'a LinkId,
        images: impl Iterator<Item = (&'a String, &'a String)> + 'a,
    ) -> Vec<Order> {
        let order = |(role, image): (&String, &String)| Order {
            role: role.clone(),
            service: self.names.service(link, role),
            image: image.clone(),
        };
        images.map(order).collect()
    }

    async fn issue_all(
        &self,
        upgrade: &Upgrade,
        ready: &[Ready],
        fencing: &dyn FencingCheck,
    ) -> Result<Vec<Issued>, PlatformError> {
        let place = self.place(upgrade);
        let target = ready.iter().map(|ready| place.target(ready, upgrade.known.as_deref()));
        // Roles rolled together: none is touched unless every one has a definition to roll to. Registered definitions
        // are found again later.
        let targets = join_all(target).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let issue = ready.iter().zip(&targets).map(|(ready, target)| place.issue(ready, target, fencing));
        // Awaits all of them even if one fails: an update that nobody waited for may still take effect.
        let issued = join_all(issue).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut known = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(issued.iter().map(|issued| (issued.deployment.clone(), issued.clone())));
        Ok(issued)
    }

    /// Rolls the roles in order, each after the previous one is deployed. Roles in `begun` are already rolling.
    async fn in_order(
        &self,
        upgrade: &Upgrade,
        begun: &[Issued],
        live: &mut IntendedImages,
        fencing: &dyn FencingCheck,
    ) -> Result<DeployOutcome, PlatformError> {
        let (watch, mut done) = (self.watch_for(upgrade.timeout), Vec::new());
        let orders = self.orders(&upgrade.link, upgrade.images.iter().map(|(role, image)| (role, image)));
        for order in orders {
            let issued = match begun.iter().find(|issued| issued.role == order.role) {
                Some(issued) => issued.clone(),
                None => match self.next(upgrade, order, fencing).await {
                    Ok(Some(issued)) => issued,
                    Ok(None) => continue,
                    // Unknown whether it took effect, or not for this process to decide.
                    Err(error @ (PlatformError::Unavailable { .. } | PlatformError::Overtaken { .. })) => {
                        return Err(error);
                    }
                    Err(error) => {
                        let reason = causes::in_one_line(&error);
                        return Ok(in_part(DeployOutcome::Failed { reason }, &done));
                    }
                },
            };
            let end = watch.end(issued.clone()).await?;
            self.forget(&issued);
            live.extend(end.live.map(|arn| (issued.role.clone(), arn)));
            match end.outcome {
                DeployOutcome::Deployed => {
                    self.collect(&upgrade.link, &issued).await;
                    done.push(issued.role);
                }
                other => return Ok(in_part(other, &done)),
            }
        }
        Ok(DeployOutcome::Deployed)
    }

    /// Starts to roll one role.
    async fn next(
        &self,
        upgrade: &Upgrade,
        order: Order,
        fencing: &dyn FencingCheck,
    ) -> Result<Option<Issued>, PlatformError> {
        let ready = self.place(upgrade).prepare(vec![order]).await?;
        Ok(self.issue_all(upgrade, &ready, fencing).await?.into_iter().next())
    }

    /// Waits for all deployments and returns the worst outcome.
    async fn together(
        &self,
        link: &LinkId,
        watch: &Watch<'_>,
        issued: Vec<Issued>,
        live: &mut IntendedImages,
    ) -> Result<DeployOutcome, PlatformError> {
        let ends = join_all(issued.iter().cloned().map(|issued| watch.end(issued))).await;
        let (mut outcome, mut done) = (DeployOutcome::Deployed, Vec::new());
        for (issued, ended) in issued.iter().zip(ends) {
            let end = ended?;
            self.forget(issued);
            live.extend(end.live.map(|arn| (issued.role.clone(), arn)));
            match end.outcome {
                DeployOutcome::Deployed => {
                    self.collect(link, issued).await;
                    done.push(issued.role.clone());
                }
                other if outcome == DeployOutcome::Deployed => outcome = other,
                _ => {}
            }
        }
        Ok(in_part(outcome, &done))
    }

    /// Forgets a deployment that has ended.
    fn forget(&self, issued: &Issued) {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).remove(&issued.deployment);
    }

    async fn collect(&self, link: &LinkId, issued: &Issued) {
        if !collect::is_due(issued) {
            return;
        }
        match collect::collect(&self.services, link, issued).await {
            Ok(gone) => tracing::debug!(count = gone.len(), "deregistered old task definitions"),
            Err(error) => tracing::warn!(error = %error, "could not deregister old task definitions"),
        }
    }
}

#[async_trait]
impl Platform for EcsPlatform {
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>> {
        join_all(targets.iter().map(|target| self.observe_one(target))).await
    }

    async fn upgrade(
        &self,
        upgrade: &Upgrade,
        fencing: &dyn FencingCheck,
    ) -> Result<DeploymentName, PlatformError> {
        let orders = self.orders(&upgrade.link, upgrade.images.iter().map(|(role, image)| (role, image)));
        // Checks all roles before touching the first.
        let mut ready = self.place(upgrade).prepare(orders).await?;
        if upgrade.strategy == Strategy::Ordered {
            ready.truncate(1);
        }
        Ok(DeploymentName(name(&self.issue_all(upgrade, &ready, fencing).await?)))
    }

    fn lands_within(&self) -> Duration {
        issue::LANDS
    }

    /// Except for roles still to follow: those are up to the process that finalizes the deployment.
    fn goes_on_alone(&self) -> bool {
        true
    }

    async fn watch(
        &self,
        upgrade: &Upgrade,
        deployment: &DeploymentName,
        fencing: &dyn FencingCheck,
    ) -> Result<RollEnd, PlatformError> {
        let roles: Vec<&str> = upgrade.images.iter().map(|(role, _)| role.as_str()).collect();
        let begun = self.begun(&upgrade.link, &roles, deployment.as_str());
        let mut live = IntendedImages::new();
        let outcome = match upgrade.strategy {
            Strategy::Ordered => self.in_order(upgrade, &begun, &mut live, fencing).await?,
            Strategy::Together => {
                self.together(&upgrade.link, &self.watch_for(upgrade.timeout), begun, &mut live).await?
            }
        };
        Ok(RollEnd { outcome, revision: self.revision_of(&upgrade.link, &roles, live).await })
    }

    async fn resume(
        &self,
        left: InFlight<'_>,
        _fencing: &dyn FencingCheck,
    ) -> Result<Option<RollEnd>, PlatformError> {
        // Only waits; changes nothing.
        self.resume_deployment(left).await
    }

    async fn verify(&self, target: &Target<'_>) -> Vec<Check> {
        verify::checks(self, target).await
    }

    async fn verify_image(&self, image: &str) -> Option<Check> {
        Some(self.services.cluster().check_image(image).await)
    }
}

/// The task definition ARNs that the services are meant to run.
fn revision(services: &[Arc<Service>]) -> String {
    joined(services.iter().map(|service| live(service)).collect())
}

fn joined(mut arns: Vec<&str>) -> String {
    arns.sort_unstable();
    arns.join(" ")
}

/// Adds the roles already `done` to the outcome of a deployment: readers of the outcome also see what has been running
/// since.
fn in_part(outcome: DeployOutcome, done: &[String]) -> DeployOutcome {
    let and = match done {
        [] => return outcome,
        [one] => format!("; the new image of `{one}` is running"),
        many => format!("; the new images of `{}` are running", many.join("`, `")),
    };
    match outcome {
        DeployOutcome::Failed { reason } => DeployOutcome::Failed { reason: reason + &and },
        DeployOutcome::RolledBack { reason } => DeployOutcome::RolledBack { reason: reason + &and },
        DeployOutcome::Stuck { waiting_for } => DeployOutcome::Stuck { waiting_for: waiting_for + &and },
        DeployOutcome::Superseded { by } => DeployOutcome::Superseded { by: by + &and },
        whole @ (DeployOutcome::Deployed | DeployOutcome::Lost { .. }) => whole,
    }
}

/// The recorded name of a set of deployments.
fn name(issued: &[Issued]) -> String {
    let each = issued.iter().map(|issued| format!("{}={}", issued.role, issued.deployment));
    each.collect::<Vec<_>>().join(" ")
}
