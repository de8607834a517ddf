//! Goes on with deployments whose process died.

use std::sync::PoisonError;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::Service;
use jiff::Timestamp;

use super::issue::{self, Issued};
use super::services::{self, primary};
use super::{EcsPlatform, Ended, InFlight, PlatformError, Seen};
use crate::domain::{DeployOutcome, LinkId};

/// Seconds by which the clock of a process that died may have differed from that of ECS.
const SKEW: i64 = 120;

impl EcsPlatform {
    /// The deployments that a recorded name names.
    pub(super) fn begun(&self, link: &LinkId, roles: &[&str], name: &str) -> Vec<Issued> {
        let of_role = |role: &&str| {
            let id = name.split(' ').find_map(|part| part.strip_prefix(role)?.strip_prefix('='))?;
            let own = self.issued.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
            Some(own.filter(|issued| issued.role == **role).unwrap_or_else(|| Issued {
                role: (*role).to_owned(),
                service: self.names.service(link, role),
                deployment: id.to_owned(),
                to: None,
                from: None,
            }))
        };
        roles.iter().filter_map(of_role).collect()
    }

    /// Waits for the end of what was begun. Whether it took effect is seen by what the services are meant to run, since the
    /// process may have died before it wrote down what ECS called the deployment.
    pub(super) async fn resume_deployment(&self, left: InFlight<'_>) -> Result<Option<Ended>, PlatformError> {
        let InFlight { link, images, started, issued, timeout, .. } = left;
        let roles: Vec<&str> = images.keys().map(String::as_str).collect();
        let known = self.begun(link, &roles, issued.unwrap_or_default());
        let found = self.services_of(link, &roles).await?;
        let mut begun = Vec::new();
        let mut complete = true;
        for ((role, image), service) in images.iter().zip(&found) {
            let to = services::live(service);
            let definition = self.services.definition(to).await;
            let definition = definition.map_err(|error| issue::unavailable(&self.services, "read", error))?;
            let at = issue::containers(link, &definition, role, Some(image))?.main;
            let runs = definition.definition.container_definitions()[at].image() == Some(image.as_str());
            let own = known.iter().find(|issued| issued.role == *role).cloned();
            let current = primary(service).and_then(|primary| primary.id()).filter(|_| runs);
            match (own, current) {
                // Its own id, also where something else runs now: that tells how it ended.
                (Some(own), _) => begun.push(Issued { to: runs.then(|| to.to_owned()), ..own }),
                (None, Some(id)) => begun.push(Issued {
                    role: role.clone(),
                    service: self.names.service(link, role),
                    deployment: id.to_owned(),
                    to: Some(to.to_owned()),
                    from: None,
                }),
                (None, None) => match self.given_up(link, role, image, service, started).await? {
                    Some(id) => begun.push(Issued {
                        role: role.clone(),
                        service: self.names.service(link, role),
                        deployment: id,
                        to: None,
                        from: None,
                    }),
                    None => complete = false,
                },
            }
        }
        if begun.is_empty() {
            return Ok(None);
        }
        let mut live = Seen::new();
        let outcome = self.together(link, &self.watch_until(timeout), begun, &mut live).await?;
        if !complete && outcome == DeployOutcome::Deployed {
            return Ok(None);
        }
        Ok(Some(Ended { outcome, revision: self.revision_of(link, &roles, live).await }))
    }

    /// The deployment of the image that took effect since it was intended, and from which ECS went back before anybody wrote
    /// down its id. It is one of the service's for as long as its tasks drain, and the last that ECS tells of after that.
    async fn given_up(
        &self,
        link: &LinkId,
        role: &str,
        image: &str,
        service: &Service,
        started: Timestamp,
    ) -> Result<Option<String>, PlatformError> {
        let since = started.as_second() - SKEW;
        let recent = |created: Option<&DateTime>| created.is_some_and(|created| created.secs() >= since);
        for deployment in service.deployments().iter().filter(|it| recent(it.created_at())) {
            let (Some(id), Some(to)) = (deployment.id(), deployment.task_definition()) else { continue };
            let definition = self.services.definition(to).await;
            let definition = definition.map_err(|error| issue::unavailable(&self.services, "read", error))?;
            let containers = definition.definition.container_definitions();
            let at = issue::containers(link, &definition, role, Some(image))?.main;
            if containers[at].image() == Some(image) {
                return Ok(Some(id.to_owned()));
            }
        }
        let last = self.services.last_deployment(&self.names.service(link, role)).await;
        let last = last.filter(|last| services::went_back(last) && recent(last.created_at()));
        Ok(last.and_then(|last| last.service_deployment_arn))
    }
}
