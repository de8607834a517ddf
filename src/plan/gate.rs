//! The gate for deployments: what the policy of a link's tenant holds back.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Hold, HoldReason, HoldScope};
use crate::domain::{DeployPurpose, LinkId, PolicyName};
use crate::manifest::Manifest;
use crate::policy::{Closed, Condition, Moment, Policy};

/// Conditions that a deployment must meet, and that are not met now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedGate {
    /// What is not met; never empty.
    reasons: Vec<HoldReason>,
    /// The earliest time at which everything is met, if it can be computed.
    until: Option<Moment>,
}

/// The gates of every policy at one time, so that a plan judges each policy once and not once per link.
#[derive(Debug, Default)]
pub(super) struct Gates<'m> {
    by_policy: BTreeMap<&'m PolicyName, Gate>,
    unattended: bool,
}

#[derive(Debug)]
struct Gate {
    deployment: Option<ClosedGate>,
    rollback: Option<ClosedGate>,
}

/// Whether a deployment of the link may begin at `now`; if not, why. The planner decides by the same judgement.
///
/// A repair waits like an upgrade if it is `unattended`, and passes if a user runs katkit.
pub fn gate(
    manifest: &Manifest,
    link: &LinkId,
    purpose: DeployPurpose,
    now: Timestamp,
    unattended: bool,
) -> Option<ClosedGate> {
    let (name, policy) = manifest.policy_of(link)?;
    let closed = match purpose {
        DeployPurpose::Upgrade => policy.deployment(now),
        DeployPurpose::Repair if unattended => policy.deployment(now),
        DeployPurpose::Repair => None,
        DeployPurpose::Rollback => policy.rollback(now),
    };
    closed.map(|closed| ClosedGate::of(name, closed))
}

/// The policies that hold deployments at `now`, and why.
pub fn closed_gates(manifest: &Manifest, now: Timestamp) -> BTreeMap<PolicyName, ClosedGate> {
    let gate = |(name, policy): (&PolicyName, &Arc<Policy>)| {
        Some((name.clone(), ClosedGate::of(name, policy.deployment(now)?)))
    };
    manifest.policies.iter().filter_map(gate).collect()
}

impl<'m> Gates<'m> {
    pub(super) fn at(manifest: &'m Manifest, now: Timestamp, unattended: bool) -> Self {
        let judged = manifest.policies.iter().map(|(name, policy)| (name, Gate::of(name, policy, now)));
        Self { by_policy: judged.collect(), unattended }
    }

    /// The gate that is closed for deployments of the link, if it is.
    pub(super) fn closed(
        &self,
        manifest: &Manifest,
        link: &LinkId,
        purpose: DeployPurpose,
    ) -> Option<&ClosedGate> {
        let (name, _) = manifest.policy_of(link)?;
        self.by_policy.get(name)?.by_purpose(purpose, self.unattended)
    }
}

impl Gate {
    fn of(name: &PolicyName, policy: &Policy, now: Timestamp) -> Self {
        let closed = |closed: Closed| ClosedGate::of(name, closed);
        Self { deployment: policy.deployment(now).map(closed), rollback: policy.rollback(now).map(closed) }
    }

    fn by_purpose(&self, purpose: DeployPurpose, unattended: bool) -> Option<&ClosedGate> {
        match purpose {
            DeployPurpose::Upgrade => self.deployment.as_ref(),
            DeployPurpose::Repair => self.deployment.as_ref().filter(|_| unattended),
            DeployPurpose::Rollback => self.rollback.as_ref(),
        }
    }
}

impl ClosedGate {
    fn of(policy: &PolicyName, closed: Closed) -> Self {
        let Closed { first, others, opens } = closed;
        let reason = |condition| match condition {
            Condition::Frozen { why, until } => HoldReason::Frozen { policy: policy.clone(), why, until },
            Condition::OutsideWindows { opens } => {
                HoldReason::OutsideWindows { policy: policy.clone(), opens }
            }
        };
        let mut reasons: Vec<_> = std::iter::once(first).chain(others).map(reason).collect();
        // Two windows that say the same.
        reasons.dedup();
        Self { reasons, until: opens }
    }

    /// The first condition that is not met, and the time at which all of them are: a lowercase fragment.
    pub fn describe(&self, link: &LinkId) -> String {
        self.holds(link, &HoldScope::Link).first().map(Hold::describe).unwrap_or_default()
    }

    /// One hold for each condition that is not met; each has the time at which all of them are. The first says what to
    /// do.
    pub fn holds(&self, link: &LinkId, scope: &HoldScope) -> Vec<Hold> {
        let hint = match &self.until {
            Some(_) => {
                format!("run `katkit apply {link}` then; `katkit calendar {link}` lists the windows")
            }
            None => format!("`katkit calendar {link}` lists the windows"),
        };
        let mut hint = Some(hint);
        let hold = |reason: &HoldReason| Hold {
            scope: scope.clone(),
            reason: reason.clone(),
            hint: hint.take(),
            until: self.until.clone(),
        };
        self.reasons.iter().map(hold).collect()
    }
}
