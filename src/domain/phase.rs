//! A workflow: the ordered phases that a commit runs through in one environment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{PhaseName, seconds};

/// The phases of a link, ascending by `order`; phases of the same order run at the same time.
///
/// Holds at most one deployment, and no two phases with the same name: [`Workflow::new`] refuses anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    phases: Vec<Phase>,
}

/// One phase of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Unique in its workflow.
    pub name: PhaseName,
    /// Ascending; phases of the same order run at the same time.
    pub order: i64,
    /// What it does.
    pub kind: PhaseKind,
}

/// What a phase does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseKind {
    /// Runs code as a short-lived service.
    Execution(Execution),
    /// Edits the service description and rolls the services.
    Deployment(Deploy),
}

/// How an execution phase runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// The builder image; `None` for the fleet's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The phase's own variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// A shell command to run in the folder; `None` for its `ci.sh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Time until it is stopped and counts as timed out.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// The number of replicas, at least 1; the phase succeeds when all do.
    pub parallelism: u32,
    /// How often a failed attempt is retried automatically.
    pub retries: u32,
    /// Globs of files to keep, relative to the folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The earlier phases whose artifacts it gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PhaseName>,
    /// How the commit gets into the phase.
    pub checkout: Checkout,
    /// Which of the tenant's fleets it runs in.
    pub placement: Placement,
    /// CPU time, in thousandths of a core; `None` for the fleet's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// The memory limit in MiB; `None` for the fleet's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
}

/// How the commit gets into a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checkout {
    /// From the pack in the blob store.
    Pack {
        /// Commits of history, at least 1; `u32::MAX` for all.
        depth: u32,
    },
    /// By `git clone` inside the phase, which needs git and access to the source host.
    Clone {
        /// Commits of history, at least 1; `u32::MAX` for all.
        depth: u32,
    },
}

/// Which fleet a phase runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// The tenant's own fleet: the one under test.
    #[default]
    Tenant,
    /// The tenant's build fleet, shared with others (`LocalFleet = false` in a `katkitconfig.js`).
    Build,
}

/// How a deployment phase rolls the services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// The order in which roles are rolled.
    pub strategy: Strategy,
    /// Time until it counts as stuck.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// What happens when a later phase fails.
    pub on_failure: OnFailure,
}

/// The order in which the roles of a service description are rolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// In the file's order, each after the previous one is done.
    #[default]
    Ordered,
    /// All at once.
    Together,
}

/// What happens to a deployment when a later phase of the same run fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It stays, and the run waits for a request.
    #[default]
    Hold,
    /// The last verified commit is deployed again, and the sha is quarantined in this tenant.
    Rollback,
}

/// Why a list of phases is not a workflow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    /// Two phases with the same name.
    #[error("two phases are named `{0}`")]
    Twice(PhaseName),
    /// More than one deployment.
    #[error("`{first}` and `{second}` are both deployment phases; a workflow has at most one")]
    TwoDeployments {
        /// The first in order.
        first: PhaseName,
        /// The next.
        second: PhaseName,
    },
}

impl Workflow {
    /// Sorts `phases` by order, keeping the given order among equals.
    pub fn new(mut phases: Vec<Phase>) -> Result<Self, WorkflowError> {
        phases.sort_by_key(|phase| phase.order);
        for (at, phase) in phases.iter().enumerate() {
            if phases[..at].iter().any(|other| other.name == phase.name) {
                return Err(WorkflowError::Twice(phase.name.clone()));
            }
        }
        let mut deployments = phases.iter().filter(|phase| phase.is_deployment());
        if let (Some(first), Some(second)) = (deployments.next(), deployments.next()) {
            return Err(WorkflowError::TwoDeployments {
                first: first.name.clone(),
                second: second.name.clone(),
            });
        }
        Ok(Self { phases })
    }

    /// The phases, ascending by order.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The phase with this name.
    pub fn phase(&self, name: &PhaseName) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == *name)
    }

    /// The deployment phase, if there is one.
    pub fn deployment(&self) -> Option<(&Phase, &Deploy)> {
        self.phases.iter().find_map(|phase| match &phase.kind {
            PhaseKind::Deployment(deploy) => Some((phase, deploy)),
            PhaseKind::Execution(_) => None,
        })
    }

    /// Sixteen hex digits that change whenever the workflow does.
    pub fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        let text = serde_json::to_vec(&self.phases).unwrap_or_default();
        Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Phase {
    /// Whether this is the deployment.
    pub fn is_deployment(&self) -> bool {
        matches!(self.kind, PhaseKind::Deployment(_))
    }
}

impl Default for Execution {
    /// One replica of `ci.sh` for at most an hour, from the pack, in the tenant's own fleet.
    fn default() -> Self {
        Self {
            image: None,
            variables: BTreeMap::new(),
            run: None,
            timeout: Duration::from_hours(1),
            parallelism: 1,
            retries: 0,
            artifacts: Vec::new(),
            inputs: Vec::new(),
            checkout: Checkout::Pack { depth: 1 },
            placement: Placement::Tenant,
            cpu: None,
            memory: None,
        }
    }
}

impl Default for Deploy {
    /// In the file's order, stuck after 30 minutes, held when a later phase fails.
    fn default() -> Self {
        Self { strategy: Strategy::Ordered, timeout: Duration::from_mins(30), on_failure: OnFailure::Hold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &str, order: i64, kind: PhaseKind) -> Phase {
        Phase { name: PhaseName::new(name).unwrap(), order, kind }
    }

    #[test]
    fn phases_are_sorted_and_equals_keep_their_order() {
        let run = || PhaseKind::Execution(Execution::default());
        let workflow =
            Workflow::new(vec![phase("c", 2, run()), phase("b", 1, run()), phase("a", 1, run())]).unwrap();
        let names: Vec<_> = workflow.phases().iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"]);
    }

    #[test]
    fn the_digest_of_a_workflow_without_inputs_is_the_recorded_one() {
        let digest = |inputs: &[&str]| {
            let inputs = inputs.iter().map(|name| PhaseName::new(*name).unwrap()).collect();
            let test = Execution { inputs, ..Execution::default() };
            let build = phase("build", 0, PhaseKind::Execution(Execution::default()));
            Workflow::new(vec![build, phase("test", 1, PhaseKind::Execution(test))]).unwrap().digest()
        };
        assert_eq!(digest(&[]), "73b850632ae54c51");
        assert_ne!(digest(&["build"]), digest(&[]));
    }

    #[test]
    fn a_workflow_with_two_deployments_is_refused() {
        let deploy = || PhaseKind::Deployment(Deploy::default());
        let error = Workflow::new(vec![phase("a", 0, deploy()), phase("b", 1, deploy())]).unwrap_err();
        assert_eq!(error.to_string(), "`a` and `b` are both deployment phases; a workflow has at most one");
    }
}
