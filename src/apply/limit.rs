//! After how many failed deployments no further one begins.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use crate::domain::{DeployPurpose, LinkId, TenantName};
use crate::manifest::Manifest;
use crate::plan::{Because, LinkPlan, Step};
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

/// Whether steps do nothing but begin a run that deploys: nothing of an earlier one is left to be finished, and nothing was
/// asked for.
pub(super) fn only_begins(steps: &[Step]) -> bool {
    let begins = |step: &Step| match step {
        Step::Run { because, .. } => !matches!(because, Because::InFlight { .. }),
        Step::StartRun { .. } | Step::Deploy(_) | Step::Skip { .. } => true,
        _ => false,
    };
    deploys(steps) && steps.iter().all(begins)
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
    let Some(deployment) = deployment else {
        // A run that goes on after its deployment.
        return plan.want.is_some() && plan.deployed == plan.want && orders.contains_key(failed);
    };
    orders.get(failed).is_some_and(|order| *order >= deployment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CommitSha, Execution, Generation, Phase, PhaseKind};
    use crate::manifest::one_file;
    use crate::report::Failure;

    const MANIFEST: &str = r#"
        version = 1
        repos.shop.url = "shop"
        [tenants.dev.links]
        [tenants.prod]
        protected = true
    "#;

    fn sha(digit: &str) -> CommitSha {
        CommitSha::new(digit.repeat(40)).unwrap()
    }

    /// A run of `verify` for `want`, where `deployed` is live.
    fn verifying(link: &str, deployed: &str, want: &str) -> LinkPlan {
        let kind = PhaseKind::Execution(Execution::default());
        let phase = Box::new(Phase { name: "verify".parse().unwrap(), order: 2, kind });
        LinkPlan {
            link: link.parse().unwrap(),
            base: Generation(0),
            concern: String::new(),
            takes_over: None,
            deployed: Some(sha(deployed)),
            want: Some(sha(want)),
            steps: vec![Step::Run { phase, because: Because::Interrupted }],
            on_failure: None,
            holds: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn failed() -> LinkResult {
        LinkResult::Failed(Box::new(Failure {
            phase: "verify".to_owned(),
            sha: sha("a"),
            attempt: None,
            outcome: None,
            reason: "exit code 1".to_owned(),
            log: Vec::new(),
            also: Vec::new(),
            rolled_back_to: None,
        }))
    }

    /// How many failures keep `prod/web` back.
    fn kept_back(most: usize, failures: &[LinkPlan]) -> usize {
        let limit = FailureLimit::new(&one_file::loaded(MANIFEST).manifest, NonZeroUsize::new(most));
        for plan in failures {
            limit.note(plan, &failed());
        }
        limit.keeps_back(&"prod/web".parse().unwrap()).len()
    }

    #[test]
    fn a_run_that_goes_on_after_its_deployment_counts_too() {
        assert_eq!(kept_back(0, &[verifying("prod/shop", "a", "a")]), 1);
        assert_eq!(kept_back(0, &[verifying("prod/shop", "b", "a")]), 0, "nothing of it was deployed");
    }

    #[test]
    fn a_limit_counts_everywhere_and_a_protected_tenant_its_own() {
        let failures = [verifying("dev/shop", "a", "a"), verifying("dev/web", "a", "a")];
        assert_eq!(kept_back(0, &failures), 0);
        assert_eq!(kept_back(2, &failures), 2);
        assert_eq!(kept_back(3, &failures), 0);
    }
}
