//! The gate for deployments: what the policy of a link's tenant, or a freeze by hand, holds back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Hold, HoldReason, HoldScope, Lacking};
use crate::domain::{CommitSha, Consent, ConsentId, DeployPurpose, GateName, Head, LinkId, PolicyName};
use crate::manifest::Manifest;
use crate::policy::{self, ByHand, Closed, Condition, FreezeCause, Moment, Policy};

/// Conditions that a deployment must meet, and that are not met now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedGate {
    /// What is not met; never empty.
    reasons: Vec<HoldReason>,
    /// The earliest time at which everything is met, if it can be computed.
    until: Option<Moment>,
    /// What to do about what the commit lacks.
    hint: Option<String>,
}

/// The gates of all links at one time, so that a plan judges each policy once and not once per link.
#[derive(Debug, Default)]
pub struct Gates {
    by_policy: BTreeMap<PolicyName, Arc<Gate>>,
    /// The links that freezes by hand apply to.
    by_link: BTreeMap<LinkId, Arc<Gate>>,
    /// The links that have had as many deployments today as their policies allow.
    limited: BTreeMap<LinkId, ClosedGate>,
    unattended: bool,
}

#[derive(Debug)]
struct Gate {
    deployment: Option<ClosedGate>,
    rollback: Option<ClosedGate>,
}

/// A deployment that has not begun.
#[derive(Clone, Copy, Debug)]
pub struct PendingDeployment<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// Why it is deployed.
    pub purpose: DeployPurpose,
    /// The commit; `None` if it does not matter, since there are no consents.
    pub sha: Option<&'a CommitSha>,
    /// When upgrades of the link began that count: [`Head::settled_upgrades`].
    pub upgrades: &'a [Timestamp],
    /// When it would begin.
    pub now: Timestamp,
    /// Whether a job or a schedule runs katkit.
    pub unattended: bool,
}

impl<'a> PendingDeployment<'a> {
    /// An upgrade of a link to this commit.
    pub fn upgrade(
        (link, head): (&'a LinkId, &'a Head),
        sha: Option<&'a CommitSha>,
        (now, unattended): (Timestamp, bool),
    ) -> Self {
        let (purpose, upgrades) = (DeployPurpose::Upgrade, head.settled_upgrades());
        Self { link, purpose, sha, upgrades, now, unattended }
    }
}

/// Whether a deployment may begin; if not, why. The planner decides by the same judgement.
///
/// A repair waits at freezes and windows if it is unattended, and passes if a user runs katkit. An override counts for
/// the upgrade to its commit.
pub fn gate(manifest: &Manifest, consents: &[Consent], pending: PendingDeployment<'_>) -> Option<ClosedGate> {
    let PendingDeployment { link, purpose, sha, upgrades, now, unattended } = pending;
    let named = manifest.policy_of(link);
    let (name, policy) = (named.map(|(name, _)| name), named.map(|(_, policy)| policy));
    let policy = match policy.unwrap_or(&Policy::default()).with_freezes(consents, link) {
        Some(frozen) => Cow::Owned(frozen),
        None => Cow::Borrowed(policy?),
    };
    let waived = |at| {
        let waived = sha.map(|sha| policy::waived(&manifest.access, consents, (link, sha), at));
        waived.unwrap_or_default()
    };
    let without = |waived: &[GateName]| policy.without(waived).counting(upgrades, now).deployment(now);
    let closed = match purpose {
        DeployPurpose::Upgrade => without(&waived(now)).map(|mut closed| {
            let mut counted = waived(now);
            // An override may have ended by then.
            while let Some(then) = closed.opens.as_ref().map(|opens| waived(opens.timestamp()))
                && then != counted
            {
                closed.opens = without(&then).and_then(|closed| closed.opens);
                counted = then;
            }
            closed
        }),
        DeployPurpose::Repair if unattended => policy.deployment(now),
        DeployPurpose::Repair => None,
        DeployPurpose::Rollback => policy.rollback(now),
    };
    closed.map(|closed| ClosedGate::of(name, closed))
}

impl Gates {
    /// The gates of `links` at `now`, each with its [`Head::settled_upgrades`].
    pub fn at<'a>(
        manifest: &Manifest,
        consents: &[Consent],
        links: impl IntoIterator<Item = (&'a LinkId, &'a [Timestamp])>,
        (now, unattended): (Timestamp, bool),
    ) -> Self {
        let judged = manifest
            .policies
            .iter()
            .map(|(name, policy)| (name.clone(), Arc::new(Gate::of(Some(name), policy, now))));
        let mut gates = Self { by_policy: judged.collect(), unattended, ..Self::default() };
        if !consents.is_empty() {
            gates.freeze(manifest, consents, now);
        }
        if manifest.policies.values().any(|policy| policy.per_day.is_some()) {
            gates.count(manifest, consents, links, now);
        }
        gates
    }

    fn freeze(&mut self, manifest: &Manifest, consents: &[Consent], now: Timestamp) {
        let mut known: BTreeMap<(Option<&PolicyName>, Vec<ConsentId>), Arc<Gate>> = BTreeMap::new();
        for (link, _, _) in manifest.links() {
            let freezes: Vec<ConsentId> =
                policy::freezes_of(consents, &link).map(|consent| consent.id).collect();
            if freezes.is_empty() {
                continue;
            }
            let named = manifest.policy_of(&link);
            let gate = known.entry((named.map(|(name, _)| name), freezes)).or_insert_with(|| {
                let policy = named.map(|(_, policy)| policy.clone()).unwrap_or_default();
                let frozen = policy.with_freezes(consents, &link).unwrap_or(policy);
                Arc::new(Gate::of(named.map(|(name, _)| name), &frozen, now))
            });
            self.by_link.insert(link, Arc::clone(gate));
        }
    }

    fn count<'a>(
        &mut self,
        manifest: &Manifest,
        consents: &[Consent],
        links: impl IntoIterator<Item = (&'a LinkId, &'a [Timestamp])>,
        now: Timestamp,
    ) {
        for (link, upgrades) in links {
            let Some((name, policy)) = manifest.policy_of(link).filter(|_| !upgrades.is_empty()) else {
                continue;
            };
            let frozen = policy.with_freezes(consents, link);
            let limited = frozen.as_ref().unwrap_or(policy).with_daily_limit(upgrades, now);
            let closed = limited.and_then(|limited| limited.deployment(now));
            self.limited.extend(closed.map(|closed| (link.clone(), ClosedGate::of(Some(name), closed))));
        }
    }

    /// The gate that is closed for deployments of the link, if it is.
    pub fn closed(&self, manifest: &Manifest, link: &LinkId, purpose: DeployPurpose) -> Option<&ClosedGate> {
        let of_policy = || self.by_policy.get(manifest.policy_of(link)?.0);
        let gate = self.by_link.get(link).or_else(of_policy)?;
        match purpose {
            DeployPurpose::Upgrade => self.limited.get(link).or(gate.deployment.as_ref()),
            DeployPurpose::Repair => gate.deployment.as_ref().filter(|_| self.unattended),
            DeployPurpose::Rollback => gate.rollback.as_ref(),
        }
    }
}

/// Whether an override lets the open run of a link begin its deployment now.
pub fn is_overridden(
    manifest: &Manifest,
    consents: &[Consent],
    (link, head): (&LinkId, &Head),
    when: (Timestamp, bool),
) -> bool {
    let Some(sha) = head.open_run().map(|run| &run.sha) else { return false };
    let is_waived = !policy::waived(&manifest.access, consents, (link, sha), when.0).is_empty();
    let pending = PendingDeployment::upgrade((link, head), Some(sha), when);
    is_waived && gate(manifest, consents, pending).is_none()
}

impl Gate {
    fn of(name: Option<&PolicyName>, policy: &Policy, now: Timestamp) -> Self {
        let closed = |closed: Closed| ClosedGate::of(name, closed);
        Self { deployment: policy.deployment(now).map(closed), rollback: policy.rollback(now).map(closed) }
    }
}

impl ClosedGate {
    fn of(policy: Option<&PolicyName>, closed: Closed) -> Self {
        let Closed { first, others, opens } = closed;
        // Without a policy, there are only freezes by hand.
        let reason = |condition| {
            Some(match condition {
                Condition::Frozen { why, until, cause: FreezeCause::ByHand(ByHand { id, by }) } => {
                    HoldReason::FrozenByHand { freeze: id, by: by.name, why, until }
                }
                Condition::Frozen { why, until, cause: FreezeCause::Rule } => {
                    HoldReason::Frozen { policy: policy?.clone(), why, until }
                }
                Condition::Frozen { why, until: _, cause: FreezeCause::DailyLimit { count } } => {
                    HoldReason::DailyLimit { policy: policy?.clone(), count, why }
                }
                Condition::OutsideWindows { opens } => {
                    HoldReason::OutsideWindows { policy: policy?.clone(), opens }
                }
            })
        };
        let mut reasons: Vec<_> = std::iter::once(first).chain(others).filter_map(reason).collect();
        // Two windows that say the same.
        reasons.dedup();
        Self { reasons, until: opens, hint: None }
    }

    /// A gate, and what the commit lacks besides.
    pub fn and_lacking(gate: Option<Self>, lacking: Option<Lacking>) -> Option<Self> {
        let Some(Lacking { reason, hint, holds_run: _ }) = lacking else { return gate };
        let (others, until) = gate.map(|gate| (gate.reasons, gate.until)).unwrap_or_default();
        let reasons = std::iter::once(reason).chain(others).collect();
        Some(Self { reasons, until, hint })
    }

    /// The first condition that is not met, and the time at which all of them are: a lowercase fragment.
    pub fn describe(&self, link: &LinkId) -> String {
        self.holds(link, &HoldScope::Link).first().map(Hold::describe).unwrap_or_default()
    }

    /// One hold for each condition that is not met; each has the time at which all of them are. The first says what to
    /// do.
    pub fn holds(&self, link: &LinkId, scope: &HoldScope) -> Vec<Hold> {
        let by_hand = self.reasons.iter().find_map(|reason| match reason {
            HoldReason::FrozenByHand { freeze, .. } => Some(freeze),
            _ => None,
        });
        let is_limit = |reason: &HoldReason| matches!(reason, HoldReason::DailyLimit { .. });
        let hint = match (by_hand, &self.until) {
            (Some(freeze), Some(_)) => {
                format!("run `katkit apply {link}` then; `katkit thaw {freeze}` ends the freeze")
            }
            (Some(freeze), None) => format!("`katkit thaw {freeze}` ends the freeze"),
            (None, Some(_)) if self.reasons.iter().all(is_limit) => format!(
                "run `katkit apply {link}` then; `katkit override {link} COMMIT --gate max-per-day` lets it begin today"
            ),
            (None, Some(_)) => {
                format!("run `katkit apply {link}` then; `katkit calendar {link}` lists the windows")
            }
            (None, None) => format!("`katkit calendar {link}` lists the windows"),
        };
        let mut hint = Some(self.hint.clone().unwrap_or(hint));
        let hold = |reason: &HoldReason| Hold {
            scope: scope.clone(),
            reason: reason.clone(),
            hint: hint.take(),
            until: self.until.clone(),
        };
        self.reasons.iter().map(hold).collect()
    }
}
