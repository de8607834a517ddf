//! Outcomes of attempts and deployments in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{DeployOutcomeKindJson, OutcomeKindJson};
use crate::domain::{DeployOutcome, Outcome};

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeJson {
    /// The outcome.
    pub kind: OutcomeKindJson,
    /// The outcome as text: a lowercase fragment.
    pub message: String,
    /// The exit code of the phase's code; null if there is none.
    pub exit_code: Option<i32>,
}

/// The outcome of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeployOutcomeJson {
    /// The outcome.
    pub kind: DeployOutcomeKindJson,
    /// The outcome as text: a lowercase fragment.
    pub message: String,
}

impl From<&Outcome> for OutcomeJson {
    fn from(outcome: &Outcome) -> Self {
        let exit_code = match outcome {
            Outcome::Succeeded => Some(0),
            Outcome::Failed { exit_code, reason: _ } => *exit_code,
            Outcome::TimedOut { after: _ } | Outcome::Cancelled | Outcome::Lost { cause: _, evidence: _ } => {
                None
            }
        };
        Self { kind: outcome.into(), message: outcome.describe(), exit_code }
    }
}

impl From<&DeployOutcome> for DeployOutcomeJson {
    fn from(outcome: &DeployOutcome) -> Self {
        Self { kind: outcome.into(), message: outcome.describe() }
    }
}
