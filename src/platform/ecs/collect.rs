//! Deregisters old task definition revisions, so that they do not pile up over years of deployments.
//!
//! Only deregisters revisions that katkit registered for the same link, only those beyond the newest, and never the
//! live one or its predecessor. Services that run a deregistered revision keep running.

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionStatus};

use super::definition::family_of;
use super::issue::Issued;
use super::services::Services;
use crate::aws::AwsError;
use crate::domain::LinkId;
use std::sync::Arc;

/// Newest revisions that are always kept.
pub const KEPT: usize = 10;

/// Interval between collections, in revisions.
const EVERY: u64 = 10;

/// Maximum number of revisions deregistered at once.
const AT_ONCE: usize = 20;

/// Whether a collection is due. Rarely, because listing costs calls that a deployment should not need.
pub fn is_due(issued: &Issued) -> bool {
    let revision = issued.to.as_deref().and_then(family_of).map(|(_, revision)| revision);
    issued.from != issued.to && revision.is_some_and(|revision| revision % EVERY == 0)
}

/// Deregisters old revisions in the family of `issued`, and returns their ARNs.
pub async fn collect(
    services: &Services,
    link: &LinkId,
    issued: &Issued,
) -> Result<Vec<String>, Arc<AwsError>> {
    let Some((family, _)) = issued.to.as_deref().and_then(family_of) else { return Ok(Vec::new()) };
    let cluster = services.cluster();
    let client = cluster.client().await?;
    let list = client.list_task_definitions().family_prefix(family).status(TaskDefinitionStatus::Active);
    let listed = list.sort(SortOrder::Desc).send().await;
    let listed = listed.map_err(|error| cluster.error("ecs:ListTaskDefinitions", error))?;
    let arns = listed.task_definition_arns.unwrap_or_default();
    let old = old(&arns, family, &[issued.to.as_deref(), issued.from.as_deref()]);
    let mut gone = Vec::new();
    for arn in old.into_iter().take(AT_ONCE) {
        let described = services.definition(&arn).await?;
        if described.registered_for() == Some(link.to_string().as_str()) {
            let deregistered = client.deregister_task_definition().task_definition(&arn).send().await;
            deregistered.map_err(|error| cluster.error("ecs:DeregisterTaskDefinition", error))?;
            services.forget(&arn);
            gone.push(arn);
        }
    }
    Ok(gone)
}

/// The revisions of one family that are not among the newest, oldest first.
fn old(arns: &[String], family: &str, spared: &[Option<&str>]) -> Vec<String> {
    let revision =
        |arn: &String| family_of(arn).filter(|(of, _)| *of == family).map(|(_, revision)| revision);
    let mut all: Vec<_> = arns.iter().filter_map(|arn| Some((revision(arn)?, arn))).collect();
    all.sort_unstable();
    all.truncate(all.len().saturating_sub(KEPT));
    let old = all.into_iter().map(|(_, arn)| arn);
    old.filter(|arn| !spared.contains(&Some(arn.as_str()))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_the_live_and_the_previous_revision_are_spared() {
        let arn = |family: &str, revision: u32| format!("arn:task-definition/{family}:{revision}");
        let mut arns: Vec<String> = (1..=13).rev().map(|revision| arn("web", revision)).collect();
        arns.push(arn("web-two", 1));
        let (live, before) = (arn("web", 13), arn("web", 2));
        assert_eq!(old(&arns, "web", &[Some(&live), Some(&before)]), [arn("web", 1), arn("web", 3)]);
        assert_eq!(old(&arns[..10], "web", &[]), [""; 0]);
    }

    #[test]
    fn a_collection_is_due_after_every_tenth_new_revision() {
        let issued = |from: u32, to: u32| Issued {
            role: "web".into(),
            service: "web".into(),
            deployment: "1".into(),
            from: Some(format!("arn:task-definition/web:{from}")),
            to: Some(format!("arn:task-definition/web:{to}")),
        };
        assert!(is_due(&issued(19, 20)) && !is_due(&issued(20, 21)) && !is_due(&issued(20, 20)));
    }
}
