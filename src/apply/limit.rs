//! After how many failed deployments no further one begins.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use crate::domain::{DeployPurpose, LinkId, TenantName};
use crate::manifest::Manifest;
use crate::plan::{LinkPlan, Step};
use crate::report::LinkResult;

/// Counts failed deployments, and keeps later ones back. Repairs and rollbacks are never kept back.
#[derive(Debug, Default)]
pub struct FailureLimit {
    /// After so many, wherever they were; `None`: after the first in a protected tenant, no other there.
    most: Option<NonZeroUsize>,
    protected: BTreeSet<TenantName>,
    failed: Mutex<Vec<LinkId>>,
}

impl FailureLimit {
    /// For the tenants of a manifest.
    pub fn new(manifest: &Manifest, most: Option<NonZeroUsize>) -> Self {
        let protected = manifest.tenants.iter().filter(|(_, tenant)| tenant.protected);
        Self { most, protected: protected.map(|(name, _)| name.clone()).collect(), failed: Mutex::default() }
    }

    /// Takes into account how the work on a link ended.
    pub(super) fn note(&self, plan: &LinkPlan, result: &LinkResult) {
        if let LinkResult::Failed(failure) = result
            && is_of_deployment(plan, &failure.phase)
        {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(plan.link.clone());
        }
    }

    /// The links whose failures keep deployments of this one back; empty if they do not.
    pub(super) fn keeps_back(&self, id: &LinkId) -> Vec<LinkId> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match self.most {
            Some(most) if failed.len() >= most.get() => failed.clone(),
            Some(_) => Vec::new(),
            None if self.protected.contains(&id.tenant) => {
                failed.iter().filter(|failed| failed.tenant == id.tenant).cloned().collect()
            }
            None => Vec::new(),
        }
    }
}

/// Whether steps contain the deployment of a commit that was not there before.
pub(super) fn deploys(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Deploy(step) if step.purpose == DeployPurpose::Upgrade))
}

/// Whether a phase that failed is the deployment of its run, or a later one.
fn is_of_deployment(plan: &LinkPlan, failed: &str) -> bool {
    let mut orders = BTreeMap::new();
    let mut deployment = None;
    for step in &plan.steps {
        match step {
            Step::Run { phase, .. } => drop(orders.insert(phase.name.as_str(), phase.order)),
            Step::Deploy(step) if step.purpose == DeployPurpose::Upgrade => {
                deployment = Some(step.order);
                orders.extend(step.phase.as_ref().map(|phase| (phase.as_str(), step.order)));
            }
            _ => {}
        }
    }
    let Some(deployment) = deployment else { return false };
    orders.get(failed).is_some_and(|order| *order >= deployment)
}
