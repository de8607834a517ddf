//! Stops new deployments after too many have failed.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use crate::domain::{DeployPurpose, LinkId, TenantName};
use crate::manifest::Manifest;
use crate::plan::{HoldScope, LinkPlan, Step, StepReason};
use crate::report::{FailedStep, LinkResult};

/// Counts failed deployments and holds back later ones. Never holds back repairs and rollbacks.
#[derive(Debug, Default)]
pub struct FailureLimit {
    /// The limit over all tenants; `None`: one failure in a protected tenant stops the others there.
    most: Option<NonZeroUsize>,
    protected: BTreeSet<TenantName>,
    failed: Mutex<Vec<LinkId>>,
}

impl FailureLimit {
    /// The limit `most`, or the protected tenants of the manifest.
    pub fn new(manifest: &Manifest, most: Option<NonZeroUsize>) -> Self {
        let protected = manifest.tenants.iter().filter(|(_, tenant)| tenant.protected);
        Self { most, protected: protected.map(|(name, _)| name.clone()).collect(), failed: Mutex::default() }
    }

    /// Counts the result of a link if its deployment failed.
    pub(super) fn note(&self, plan: &LinkPlan, result: &LinkResult) {
        if let LinkResult::Failed(failure) = result
            && is_of_deployment(plan, &failure.step)
        {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(plan.link.clone());
        }
    }

    /// The failed links that hold back deployments of this one; empty if none do.
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

/// Whether the steps only start a new run that deploys: they finish nothing of an earlier run, and answer no request.
pub(super) fn only_begins(steps: &[Step]) -> bool {
    let begins = |step: &Step| match step {
        Step::Run { because, .. } => !matches!(because, StepReason::InFlight { .. }),
        Step::StartRun { .. } | Step::Deploy(_) | Step::Skip { .. } => true,
        _ => false,
    };
    deploys(steps) && steps.iter().all(begins)
}

/// Whether the steps deploy a new commit.
pub(super) fn deploys(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Deploy(step) if step.purpose == DeployPurpose::Upgrade))
}

/// Whether what failed is the deployment of a commit, or a later phase of its run.
fn is_of_deployment(plan: &LinkPlan, failed: &FailedStep) -> bool {
    let failed = match failed {
        FailedStep::Phase(name) => name.as_str(),
        FailedStep::Deployment(purpose) => return *purpose == DeployPurpose::Upgrade,
    };
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
    if let Some(HoldScope::Phase { name }) = plan.held_deployment().map(|hold| &hold.scope) {
        // The held deployment may have been in flight, and failed.
        return name.as_str() == failed;
    }
    let Some(deployment) = deployment else {
        // A run that continues after its deployment.
        return plan.want.is_some() && plan.deployed == plan.want && orders.contains_key(failed);
    };
    orders.get(failed).is_some_and(|order| *order >= deployment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CommitSha, Execution, Phase, PhaseKind};
    use crate::manifest::one_file;
    use crate::plan::{Hold, HoldReason};
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

    /// A run of `verify` for `want`, while `deployed` is live.
    fn verifying(link: &str, deployed: &str, want: &str) -> LinkPlan {
        let kind = PhaseKind::Execution(Execution::default());
        let phase = Box::new(Phase { name: "verify".parse().unwrap(), order: 2, kind });
        LinkPlan {
            deployed: Some(sha(deployed)),
            want: Some(sha(want)),
            ..LinkPlan::with_steps(link, vec![Step::Run { phase, because: StepReason::Interrupted }])
        }
    }

    fn failed() -> LinkResult {
        LinkResult::Failed(Box::new(Failure {
            step: FailedStep::Phase("verify".parse().unwrap()),
            sha: sha("a"),
            attempt: None,
            outcome: None,
            reason: "exit code 1".to_owned(),
            log: Vec::new(),
            also: Vec::new(),
            rolled_back_to: None,
        }))
    }

    /// How many failures hold back `prod/web`.
    fn kept_back(most: usize, failures: &[LinkPlan]) -> usize {
        let limit = FailureLimit::new(&one_file::loaded(MANIFEST).manifest, NonZeroUsize::new(most));
        for plan in failures {
            limit.note(plan, &failed());
        }
        limit.keeps_back(&"prod/web".parse().unwrap()).len()
    }

    #[test]
    fn a_run_that_continues_after_its_deployment_counts_too() {
        assert_eq!(kept_back(0, &[verifying("prod/shop", "a", "a")]), 1);
        assert_eq!(kept_back(0, &[verifying("prod/shop", "b", "a")]), 0, "nothing of it was deployed");
    }

    #[test]
    fn a_failure_before_a_held_deployment_does_not_count() {
        let held = |name: &str| {
            let scope = HoldScope::Phase { name: name.parse().unwrap() };
            let reason = HoldReason::LeaseHeld { owner: String::new() };
            LinkPlan {
                holds: vec![Hold { scope, reason, hint: None, until: None }],
                ..verifying("prod/shop", "a", "a")
            }
        };
        assert_eq!(kept_back(0, &[held("deploy")]), 0);
        assert_eq!(kept_back(0, &[held("verify")]), 1, "it was in flight, and failed");
    }

    #[test]
    fn a_limit_counts_all_tenants_and_a_protected_tenant_only_its_own_failures() {
        let failures = [verifying("dev/shop", "a", "a"), verifying("dev/web", "a", "a")];
        assert_eq!(kept_back(0, &failures), 0);
        assert_eq!(kept_back(2, &failures), 2);
        assert_eq!(kept_back(3, &failures), 0);
    }

    #[test]
    fn a_failed_deployment_outside_of_a_run_counts_only_if_it_was_to_deploy_a_commit() {
        let plan = verifying("prod/a", "b", "b");
        let counts = |purpose| is_of_deployment(&plan, &FailedStep::Deployment(purpose));
        assert!(counts(DeployPurpose::Upgrade));
        assert!(!counts(DeployPurpose::Repair) && !counts(DeployPurpose::Rollback));
    }
}
