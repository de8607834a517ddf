//! How a commit came onto its branch, as its code host knows: who approved its pull request, and which checks passed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{CheckName, ReviewerName};

/// What is known of the review and the checks of a commit. At least one field is filled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitReview {
    /// The pull request that it came with: a number or a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<String>,
    /// Who approved the pull request.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approved_by: BTreeSet<ReviewerName>,
    /// How its checks ended. Those in progress are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<CheckName, CheckOutcome>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// It passed.
    Success,
    /// It did not.
    Failure,
}

impl CommitReview {
    /// The most approvals, and the most checks.
    pub const MOST: usize = 50;

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl CheckOutcome {
    /// Its name on the command line and in output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}
