//! Begins to roll one service: finds or registers the task definition with the image, and updates the service to it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::types::{DeploymentRolloutState, Service};

use super::containers::{self, OfRole};
use super::definition::{self, Described, family_of};
use super::services::{self, Services, live, primary};
use crate::aws::AwsError;
use crate::aws::patience::Patience;
use crate::domain::{FormerName, LinkId};
use crate::platform::{Mandate, PlatformError, is_own};

/// How long an update is waited for. What arrives later than a lease lasts could be the update of an owner whose lease is
/// another's by then.
pub const LANDS: Duration = Duration::from_secs(15);

/// Sends a request one time, and no longer than [`LANDS`].
fn once() -> Builder {
    let within = TimeoutConfig::builder().operation_timeout(LANDS).build();
    Builder::default().timeout_config(within).retry_config(RetryConfig::disabled())
}

/// One role to roll.
#[derive(Clone, Debug)]
pub struct Order {
    /// The role.
    pub role: String,
    /// Its service.
    pub service: String,
    /// The image it is to run.
    pub image: String,
}

/// A role that can be rolled: its service is there, and which of its containers is meant.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What was asked for.
    pub order: Order,
    service: Arc<Service>,
    live: Arc<Described>,
    /// The newest revision of the same family, if it is another than the live one.
    newest: Option<Arc<Described>>,
    /// The containers that are rolled.
    containers: Vec<usize>,
}

/// A role that rolls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The role.
    pub role: String,
    /// Its service.
    pub service: String,
    /// The id of the deployment.
    pub deployment: String,
    /// The task definition that it rolls to, where that is known.
    pub to: Option<String>,
    /// What ran before, where that is known.
    pub from: Option<String>,
}

/// Whose services are rolled, and where.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The services of the cluster.
    pub services: &'a Services,
    /// Whose.
    pub link: &'a LinkId,
    /// The names that it had before.
    pub formerly: &'a [FormerName],
}

impl Place<'_> {
    /// Looks at everything that could stand in the way, before anything is changed.
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
        // The newest of the family is the live one but for people's doing, so this is one question in place of two.
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
        let OfRole { rolled, .. } = containers(self.link, &live, &order.role, Some(&order.image))?;
        Ok(Ready { order, service, live, newest, containers: rolled })
    }

    /// Rolls the service to `target`.
    pub async fn issue(
        &self,
        ready: &Ready,
        target: &Described,
        mandate: &dyn Mandate,
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
            // What ECS gave up is begun anew only if it is told so.
            update = update.force_new_deployment(true);
        }
        let mut patience = Patience::new();
        let updated = loop {
            mandate.check().await?;
            let sent = update.clone().customize().config_override(once()).send().await;
            match sent.map_err(|error| cluster.error("ecs:UpdateService", error)) {
                // Each time under a mandate that was asked for again.
                Err(error) if error.is_retryable() && patience.wait().await => {}
                sent => break sent.map_err(|error| self.not_done(error))?,
            }
        };
        let deployment = updated.service().and_then(primary).and_then(|it| it.id());
        let deployment = deployment.ok_or_else(|| PlatformError::Unfit {
            link: self.link.clone(),
            what: format!("ECS named no deployment of the service `{}`", order.service),
            hint: None,
        })?;
        Ok(issued(deployment, target.arn()))
    }

    /// The task definition to roll to: one that is there, or else a new revision. `known` may name the revision under which
    /// the image ran before.
    pub async fn target(&self, ready: &Ready, known: Option<&str>) -> Result<Arc<Described>, PlatformError> {
        let wanted = ready.live.with_image(&ready.containers, &ready.order.image);
        if ready.live.copy() == wanted {
            return Ok(Arc::clone(&ready.live));
        }
        let place = definition::place(self.services.cluster().name(), &ready.order.service);
        // Under the mark of another the service would be taken for the other's.
        let same = |it: &Described| it.copy() == wanted && it.is_free_for(self.link, &place);
        if let Some(newest) = ready.newest.as_ref().filter(|newest| same(newest)) {
            return Ok(Arc::clone(newest));
        }
        let family = family_of(ready.live.arn()).map(|(family, _)| family);
        let recorded = known.into_iter().flat_map(|known| known.split(' '));
        for arn in recorded.filter(|arn| family_of(arn).map(|(family, _)| family) == family) {
            // One that is gone is registered again.
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
            what: "ECS did not say what it registered".to_owned(),
            hint: None,
        })?;
        Ok(self.services.learn(Described { definition, tags: registered.tags.unwrap_or_default() }))
    }

    /// An update that AWS did not make, or about which it did not answer.
    fn not_done(&self, error: Arc<AwsError>) -> PlatformError {
        if !error.is_refusal() {
            return self.unavailable("updated", error);
        }
        PlatformError::Refused { place: place(self.services), action: "updated", source: Box::new(error) }
    }

    /// The trouble that AWS made.
    pub fn unavailable(&self, action: &'static str, error: Arc<AwsError>) -> PlatformError {
        unavailable(self.services, action, error)
    }
}

/// The trouble that AWS made.
pub fn unavailable(services: &Services, action: &'static str, error: Arc<AwsError>) -> PlatformError {
    PlatformError::Unavailable { place: place(services), action, source: Box::new(error) }
}

fn place(services: &Services) -> String {
    format!("the cluster `{}`", services.cluster().name())
}

/// Refuses a service whose live task definition another link deployed.
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
) -> Result<OfRole, PlatformError> {
    let all = described.definition.container_definitions();
    containers::of_role(all, role, image).map_err(|what| PlatformError::Unfit {
        link: link.clone(),
        what: format!(
            "which container of the task definition `{}` is the role `{role}` cannot be told: {what}",
            definition::short(described.arn())
        ),
        hint: Some("name the container as the role is named".to_owned()),
    })
}
