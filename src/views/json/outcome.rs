//! How things end.

use schemars::JsonSchema;
use serde::Serialize;

use super::{DeployOutcomeKindJson, OutcomeKindJson};
use crate::domain::{DeployOutcome, Outcome};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeJson {
    /// How it ended, in a word.
    pub kind: OutcomeKindJson,
    /// How it ended, in words: a lowercase fragment.
    pub message: String,
    /// The exit code of the code that ran, if it had one.
    pub exit_code: Option<i32>,
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeployOutcomeJson {
    /// How it ended, in a word.
    pub kind: DeployOutcomeKindJson,
    /// How it ended, in words: a lowercase fragment.
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
