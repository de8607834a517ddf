//! Starts to roll one service: finds or registers the task definition with the image, and updates the service to it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::types::{DeploymentRolloutState, Service};

use super::containers::{self, RoleContainers};
use super::definition::{self, Described, family_of};
use super::services::{self, Services, live, primary};
use crate::aws::AwsError;
use crate::aws::backoff::Backoff;
use crate::domain::{FormerName, LinkId};
use crate::platform::{FencingCheck, PlatformError, is_own};

/// Timeout of an update. One that arrives after the lease has expired could interfere with the next lease holder.
pub const LANDS: Duration = Duration::from_secs(15);

/// Sends a request only once, with the timeout [`LANDS`].
fn once() -> Builder {
    let within = TimeoutConfig::builder().operation_timeout(LANDS).build();
    Builder::default().timeout_config(within).retry_config(RetryConfig::disabled())
}

/// A request to roll one role.
#[derive(Clone, Debug)]
pub struct Order {
    /// Name of the role.
    pub role: String,
    /// Name of its service.
    pub service: String,
    /// Image to deploy.
    pub image: String,
}

/// A role that can be rolled: its service exists and its containers are known.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The request.
    pub order: Order,
    service: Arc<Service>,
    live: Arc<Described>,
    /// Newest revision of the same family, if it differs from the live one.
    newest: Option<Arc<Described>>,
    /// Indexes of the containers to roll.
    containers: Vec<usize>,
}

/// A role that is rolling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Name of the role.
    pub role: String,
    /// Name of its service.
    pub service: String,
    /// Id of the deployment.
    pub deployment: String,
    /// Task definition being deployed, if known.
    pub to: Option<String>,
    /// Task definition that ran before, if known.
    pub from: Option<String>,
}

/// The link to roll, and its services.
#[derive(Clone, Copy, Debug)]
pub struct RollTarget<'a> {
    /// Services of the cluster.
    pub services: &'a Services,
    /// Link that is rolled.
    pub link: &'a LinkId,
    /// Former names of the link.
    pub formerly: &'a [FormerName],
}

impl RollTarget<'_> {
    /// Checks everything that could prevent the deployment, before anything is changed.
    pub async fn prepare(&self, orders: Vec<Order>) -> Result<Vec<Ready>, PlatformError> {
        let names: Vec<String> = orders.iter().map(|order| order.service.clone()).collect();
        names.iter().try_for_each(|name| services::nameable(self.link, name))?;
        let found = self.services.get_all(&names).await;
        let each = orders.into_iter().zip(found).map(|(order, found)| self.prepare_one(order, found));
        futures::future::try_join_all(each).await
    }

    async fn prepare_one(
        &self,
        order: Order,
        found: Result<Option<Arc<Service>>, Arc<AwsError>>,
    ) -> Result<Ready, PlatformError> {
        let cluster = self.services.cluster().name();
        let found = found.map_err(|error| self.unavailable("read", error))?;
        let service = services::fit(self.link, cluster, &order.service, found)?;
        let arn = live(&service);
        // The newest revision is the live one unless someone registered another by hand, so this usually saves a call.
        let newest = match family_of(arn) {
            Some((family, _)) => {
                self.services.newest(family).await.map_err(|error| self.unavailable("read", error))?
            }
            None => None,
        };
        let (live, newest) = match newest {
            Some(newest) if newest.arn() == arn => (newest, None),
            newest => {
                let live = self.services.definition(arn).await;
                (live.map_err(|error| self.unavailable("read", error))?, newest)
            }
        };
        own(self.services, (self.link, self.formerly), &order.service, &live)?;
        let RoleContainers { rolled, .. } = containers(self.link, &live, &order.role, Some(&order.image))?;
        Ok(Ready { order, service, live, newest, containers: rolled })
    }

    /// Rolls the service to `target`.
    pub async fn issue(
        &self,
        ready: &Ready,
        target: &Described,
        fencing: &dyn FencingCheck,
    ) -> Result<Issued, PlatformError> {
        let Ready { order, service, live, .. } = ready;
        let issued = |deployment: &str, to: &str| Issued {
            role: order.role.clone(),
            service: order.service.clone(),
            deployment: deployment.to_owned(),
            to: Some(to.to_owned()),
            from: Some(live.arn().to_owned()),
        };
        let mut again = false;
        if target.arn() == live.arn() {
            let primary = primary(service);
            again = primary.and_then(|it| it.rollout_state()) == Some(&DeploymentRolloutState::Failed);
            if let (false, Some(id)) = (again, primary.and_then(|it| it.id())) {
                return Ok(issued(id, target.arn()));
            }
        }
        let cluster = self.services.cluster();
        let client = cluster.client().await.map_err(|error| self.unavailable("updated", error))?;
        let update = client.update_service().cluster(cluster.name()).service(&order.service);
        let mut update = update.task_definition(target.arn());
        if again {
            // ECS only retries a failed deployment if forced to.
            update = update.force_new_deployment(true);
        }
        let mut backoff = Backoff::new();
        let updated = loop {
            fencing.check().await?;
            let sent = update.clone().customize().config_override(once()).send().await;
            match sent.map_err(|error| cluster.error("ecs:UpdateService", error)) {
                // Each attempt has its own fencing check.
                Err(error) if error.is_retryable() && backoff.wait().await => {}
                sent => break sent.map_err(|error| self.not_done(error))?,
            }
        };
        let deployment = updated.service().and_then(primary).and_then(|it| it.id());
        let deployment = deployment.ok_or_else(|| PlatformError::Unfit {
            link: self.link.clone(),
            what: format!("ECS reported no deployment of the service `{}`", order.service),
            hint: None,
        })?;
        Ok(issued(deployment, target.arn()))
    }

    /// The task definition to roll to: an existing one if possible, otherwise a new revision. `known` may name the
    /// revision under which the image ran before.
    pub async fn target(&self, ready: &Ready, known: Option<&str>) -> Result<Arc<Described>, PlatformError> {
        let wanted = ready.live.with_image(&ready.containers, &ready.order.image);
        if ready.live.copy() == wanted {
            return Ok(Arc::clone(&ready.live));
        }
        let place = definition::place(self.services.cluster().name(), &ready.order.service);
        // With another link's mark, the service would be mistaken for the other link's.
        let same = |it: &Described| it.copy() == wanted && it.is_free_for(self.link, &place);
        if let Some(newest) = ready.newest.as_ref().filter(|newest| same(newest)) {
            return Ok(Arc::clone(newest));
        }
        let family = family_of(ready.live.arn()).map(|(family, _)| family);
        let recorded = known.into_iter().flat_map(|known| known.split(' '));
        for arn in recorded.filter(|arn| family_of(arn).map(|(family, _)| family) == family) {
            // A deregistered revision is registered again.
            if let Ok(recorded) = self.services.definition(arn).await
                && recorded.is_active()
                && same(&recorded)
            {
                return Ok(recorded);
            }
        }
        let cluster = self.services.cluster();
        let registered =
            cluster.register(wanted.set_tags(Some(ready.live.tags_for(self.link, &place)))).await;
        let registered = registered.map_err(|error| self.not_done(error))?;
        let definition = registered.task_definition.ok_or_else(|| PlatformError::Unfit {
            link: self.link.clone(),
            what: "ECS did not return the registered task definition".to_owned(),
            hint: None,
        })?;
        Ok(self.services.learn(Described { definition, tags: registered.tags.unwrap_or_default() }))
    }

    /// The error for an update that AWS refused or did not answer.
    fn not_done(&self, error: Arc<AwsError>) -> PlatformError {
        if !error.is_refusal() {
            return self.unavailable("updated", error);
        }
        PlatformError::Refused { place: place(self.services), action: "updated", source: Box::new(error) }
    }

    /// The error for a failed AWS call.
    pub fn unavailable(&self, action: &'static str, error: Arc<AwsError>) -> PlatformError {
        unavailable(self.services, action, error)
    }
}

/// The error for a failed AWS call.
pub fn unavailable(services: &Services, action: &'static str, error: Arc<AwsError>) -> PlatformError {
    PlatformError::Unavailable { place: place(services), action, source: Box::new(error) }
}

fn place(services: &Services) -> String {
    format!("the cluster `{}`", services.cluster().name())
}

/// Fails if another link deployed the service's live task definition.
pub fn own(
    services: &Services,
    (link, formerly): (&LinkId, &[FormerName]),
    service: &str,
    live: &Described,
) -> Result<(), PlatformError> {
    let cluster = services.cluster().name();
    let by = live.deployed_by(&definition::place(cluster, service));
    let Some(by) = by.filter(|by| !is_own(by, link, formerly)) else { return Ok(()) };
    Err(PlatformError::Taken {
        link: link.clone(),
        place: format!("the service `{service}` in the cluster `{cluster}`"),
        by: by.to_owned(),
        hint: format!(
            "give one of them another `service-name`; or, if `{by}` is gone or renamed, hand the service over: `aws ecs \
             untag-resource --resource-arn {} --tag-keys {}`",
            live.arn(),
            definition::PLACE
        ),
    })
}

/// The containers of a role.
pub fn containers(
    link: &LinkId,
    described: &Described,
    role: &str,
    image: Option<&str>,
) -> Result<RoleContainers, PlatformError> {
    let all = described.definition.container_definitions();
    containers::of_role(all, role, image).map_err(|what| PlatformError::Unfit {
        link: link.clone(),
        what: format!(
            "cannot tell which container of the task definition `{}` is the role `{role}`: {what}",
            definition::short(described.arn())
        ),
        hint: Some("name the container after the role".to_owned()),
    })
}
