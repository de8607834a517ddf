//! Resumes deployments whose process died.

use std::sync::PoisonError;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::Service;
use jiff::Timestamp;

use super::issue::{self, Issued};
use super::services::{self, primary};
use super::{EcsPlatform, InFlight, IntendedImages, PlatformError, RollEnd};
use crate::domain::{DeployOutcome, DeploymentName, LinkId};

/// Tolerated clock difference in seconds between a dead process and ECS.
const SKEW: i64 = 120;

impl EcsPlatform {
    /// The deployments in a recorded name.
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

    /// Waits for the end of every deployment that was started. Derives whether it took effect from what the services
    /// are meant to run, since the process may have died before it recorded the deployment's id.
    pub(super) async fn resume_deployment(
        &self,
        left: InFlight<'_>,
    ) -> Result<Option<RollEnd>, PlatformError> {
        let InFlight { link, images, started, issued, timeout, .. } = left;
        let roles: Vec<&str> = images.keys().map(String::as_str).collect();
        let known = self.begun(link, &roles, issued.map_or("", DeploymentName::as_str));
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
                // The recorded id, even if something else runs now: it identifies the outcome.
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
        let mut live = IntendedImages::new();
        let outcome = self.together(link, &self.watch_for(timeout), begun, &mut live).await?;
        if !complete && outcome == DeployOutcome::Deployed {
            return Ok(None);
        }
        Ok(Some(RollEnd { outcome, revision: self.revision_of(link, &roles, live).await }))
    }

    /// The id of a deployment of this image that took effect after its intent, and that ECS rolled back before the id
    /// was recorded. ECS lists it with the service while its tasks drain, and afterwards as the last deployment.
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
