//! Holds: what a plan does not do, and why.

use serde::{Deserialize, Serialize};

use super::{HoldReason, Problem};
use crate::domain::{CommitSha, PhaseName, PolicyName};
use crate::policy::Moment;

/// A link, or a part of it, that the plan leaves where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What is held.
    #[serde(default, skip_serializing_if = "HoldScope::is_link")]
    pub scope: HoldScope,
    /// The first condition that is not met.
    pub reason: HoldReason,
    /// How to resolve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The earliest time at which it can end, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// What a hold stops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HoldScope {
    /// The run of the wanted commit.
    #[default]
    Link,
    /// One phase of the run, and all phases after it. The phases before it run.
    Phase {
        /// The phase.
        name: PhaseName,
    },
    /// The repair of drift.
    Repair,
    /// A requested rollback.
    Rollback {
        /// The commit to go back to.
        to: Box<CommitSha>,
    },
}

impl From<Problem> for Hold {
    fn from(problem: Problem) -> Self {
        let (scope, hint) = (HoldScope::Link, problem.hint.clone());
        Self { scope, reason: HoldReason::Unavailable(problem), hint, until: None }
    }
}

impl Hold {
    /// One lowercase fragment for display.
    pub fn describe(&self) -> String {
        let mut reason = self.reason.describe();
        if let Some(until) = self.until.as_ref().filter(|until| Some(*until) != self.reason.ends()) {
            reason = format!("{reason}; not before {until}");
        }
        match &self.scope {
            HoldScope::Link => reason,
            HoldScope::Phase { name } => format!("`{name}` waits: {reason}"),
            HoldScope::Repair => format!("the repair waits: {reason}"),
            HoldScope::Rollback { to } => format!("the rollback to {} waits: {reason}", to.short()),
        }
    }

    /// Whether nothing is wrong: a deployment waits until its gate opens, or a commit until others have verified or
    /// approved it.
    pub fn is_at_gate(&self) -> bool {
        let is_of_commit = matches!(self.reason, HoldReason::NotVerified { .. });
        (!self.scope.is_link() || is_of_commit || self.reason.is_of_policy()) && !self.reason.is_error()
    }

    /// Whether a policy, or what an actor decided, lets it wait.
    pub fn is_of_policy(&self) -> bool {
        self.is_at_gate() && self.reason.is_of_policy()
    }

    /// Whether people have to approve the commit.
    pub fn needs_approval(&self) -> bool {
        matches!(self.reason, HoldReason::Unapproved { .. })
    }

    /// Whether a requested rollback waits.
    pub fn is_of_rollback(&self) -> bool {
        matches!(self.scope, HoldScope::Rollback { .. })
    }

    /// Whether someone has to act: neither the end of another process nor an open gate ends the hold.
    pub fn needs_action(&self) -> bool {
        !self.reason.is_elsewhere() && !self.is_at_gate()
    }
}

impl HoldScope {
    /// Whether the whole run is held.
    pub fn is_link(&self) -> bool {
        *self == Self::Link
    }
}

impl HoldReason {
    /// When the condition itself is met, if the text tells it.
    pub(super) fn ends(&self) -> Option<&Moment> {
        match self {
            Self::Frozen { until, .. } | Self::FrozenByHand { until, .. } => Some(until),
            _ => None,
        }
    }

    /// The policy whose condition is not met.
    pub fn policy(&self) -> Option<&PolicyName> {
        match self {
            Self::Frozen { policy, .. }
            | Self::OutsideWindows { policy, .. }
            | Self::DailyLimit { policy, .. }
            | Self::Soaking { policy, .. }
            | Self::Unapproved { policy, .. }
            | Self::Unreviewed { policy, .. }
            | Self::Ancestry { policy, .. }
            | Self::ImageMoved { policy, .. }
            | Self::ImageMissing { policy, .. }
            | Self::Train { policy, .. } => Some(policy),
            _ => None,
        }
    }

    /// Whether a policy, or what an actor decided, is the reason.
    pub(super) fn is_of_policy(&self) -> bool {
        let is_consent =
            matches!(self, Self::FrozenByHand { .. } | Self::Rejected { .. } | Self::Owed { .. });
        // Nobody waits for a commit to come onto the branch, or for an image: someone has to act.
        let needs_action =
            matches!(self, Self::Ancestry { .. } | Self::ImageMoved { .. } | Self::ImageMissing { .. });
        is_consent || self.policy().is_some() && !needs_action
    }

    /// Whether the hold ends once another process is done with the link.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::LeaseHeld { .. })
    }

    /// Whether this is an error, so that the command exits with 1.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
