//! The approvals that a commit lacks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HoldReason, LinkInput, LinkPlan};
use crate::domain::{
    Authorization, Changes, CommitSha, Consent, ConsentId, ConsentKind, GateName, GivenConsent, LinkId,
};
use crate::manifest::Manifest;
use crate::pipeline::BranchHistory;
use crate::policy::{self, ApprovalRule, Gated, MissingApprovals};

/// What a plan knows of the approvals of a commit, so that the executor can judge them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalBasis {
    /// The changes that need approvals.
    pub changes: Changes,
    /// The approvals for these changes, if they still stand. Later approvals count for the next plan.
    pub covering: Vec<ConsentId>,
}

impl ApprovalBasis {
    /// The basis for a link, if its policy needs approvals for what it is to run next.
    pub(super) fn of(manifest: &Manifest, consents: &[Consent], input: &LinkInput) -> Option<Self> {
        let Some(Ok(changes)) = input.changes.as_deref() else { return None };
        manifest.policy_of(&input.id).filter(|(_, policy)| !policy.approvals.is_empty())?;
        Some(Self::for_changes(changes, consents, input))
    }

    /// The basis for these changes.
    pub(super) fn for_changes(changes: &Changes, consents: &[Consent], input: &LinkInput) -> Self {
        let branch = input.pipeline.as_ref().map(|pipeline| &*pipeline.branch);
        let of_link = approvals(consents, &input.id);
        let covering = of_link.filter(|(_, approved)| covers(approved, changes, branch));
        let covering = covering.map(|(consent, _)| consent.id);
        Self { covering: covering.collect(), changes: changes.clone() }
    }

    /// Why the run, or only its deployment, must wait; `None` if nothing is lacking.
    pub fn lacking(
        &self,
        manifest: &Manifest,
        link: &LinkId,
        consents: &[Consent],
        now: Timestamp,
    ) -> Option<Lacking> {
        let (policy, _) = manifest.policy_of(link)?;
        let waived = policy::waived(&manifest.access, consents, (link, &self.changes.to), now);
        let (gated, missing): (Vec<Gated>, Vec<MissingApprovals>) =
            self.gated(manifest, link, consents, now).into_iter().unzip();
        if missing.is_empty() || waived.contains(&GateName::Approvals) {
            return None;
        }
        let covers = |consent: &Consent| self.covering.contains(&consent.id);
        let lapsed: BTreeSet<String> = approvals(consents, link)
            .filter(|(consent, approved)| !covers(consent) && approved.from == self.changes.from)
            .map(|(consent, _)| consent.by.name.clone())
            .collect();
        let reason = HoldReason::Unapproved {
            policy: policy.clone(),
            sha: self.changes.to.clone(),
            missing,
            lapsed: lapsed.into_iter().collect(),
        };
        Some(Lacking { hint: hint(&reason, link), reason, holds_run: gated.contains(&Gated::Run) })
    }

    /// The rules of the policy that are not met, whether or not they are overridden.
    pub fn missing(
        &self,
        manifest: &Manifest,
        link: &LinkId,
        consents: &[Consent],
        now: Timestamp,
    ) -> Vec<MissingApprovals> {
        self.gated(manifest, link, consents, now).into_iter().map(|(_, missing)| missing).collect()
    }

    /// The approvals that count for what is to begin: a run, or the deployment.
    fn counting<'c>(
        &self,
        manifest: &Manifest,
        link: &LinkId,
        (consents, now): (&'c [Consent], Timestamp),
        begins: Gated,
    ) -> BTreeMap<ConsentId, &'c Consent> {
        let rules = manifest.policy_of(link).map(|(_, policy)| policy.approvals.as_slice());
        let rules = rules.unwrap_or_default().iter();
        let rules = rules.filter(|rule| begins == Gated::Deployment || rule.gates == begins);
        let covers = |consent: &Consent| self.covering.contains(&consent.id);
        let counting =
            |rule: &ApprovalRule| rule.counting(&manifest.access, &self.changes, (consents, now), &covers);
        rules.flat_map(counting).map(|consent| (consent.id, consent)).collect()
    }

    fn gated(
        &self,
        manifest: &Manifest,
        link: &LinkId,
        consents: &[Consent],
        now: Timestamp,
    ) -> Vec<(Gated, MissingApprovals)> {
        let rules = manifest.policy_of(link).map(|(_, policy)| policy.approvals.as_slice());
        let covers = |consent: &Consent| self.covering.contains(&consent.id);
        let missing = |rule: &ApprovalRule| {
            let missing = rule.missing(&manifest.access, &self.changes, (consents, now), &covers)?;
            Some((rule.gates, missing))
        };
        rules.unwrap_or_default().iter().filter_map(missing).collect()
    }
}

impl LinkPlan {
    /// Who lets through what the plan begins at this time: a run, or the deployment. `None` if nobody has to.
    pub fn authorization(
        &self,
        manifest: &Manifest,
        (consents, at): (&[Consent], Timestamp),
        begins: Gated,
    ) -> Option<Box<Authorization>> {
        let (link, want) = (&self.link, self.want.as_ref()?);
        let approvals = self.approval.iter().flat_map(|basis| {
            basis.counting(manifest, link, (consents, at), begins).into_values().map(GivenConsent::from)
        });
        let overrides = policy::overrides(&manifest.access, consents, link);
        let overrides = overrides.filter(|it| it.until > at && it.sha == want);
        let overrides = overrides.map(|it| GivenConsent::from(it.consent)).collect();
        let authorization = Authorization { approvals: approvals.collect(), overrides };
        (!authorization.is_empty()).then(|| Box::new(authorization))
    }
}

/// What a commit lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// What is lacking.
    pub reason: HoldReason,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the run must not start either.
    pub holds_run: bool,
}

/// What to do about the approvals that a commit lacks.
fn hint(reason: &HoldReason, link: &LinkId) -> Option<String> {
    let HoldReason::Unapproved { sha, missing, .. } = reason else { return None };
    let short = sha.short();
    let unknown = missing.iter().flat_map(|rule| &rule.unknown).next();
    if let Some(email) = unknown {
        return Some(format!("add {email} to the `emails` of its owner in `[people]`"));
    }
    let stuck = missing.iter().find(|rule| rule.given.len() + rule.may.len() < rule.need);
    Some(match stuck {
        Some(rule) => format!(
            "too few people are independent of this change: add some to {}; `katkit who-can approve {link}` shows why",
            rule.from.join(" or ")
        ),
        None => {
            format!(
                "`katkit approve {link} {short}` approves it; `katkit who-can approve {link}` shows who can"
            )
        }
    })
}

/// The approvals for a link.
fn approvals<'c>(consents: &'c [Consent], link: &LinkId) -> impl Iterator<Item = (&'c Consent, &'c Changes)> {
    consents.iter().filter_map(move |consent| match &consent.what {
        ConsentKind::Approval { link: of, changes, .. } if of == link => Some((consent, &**changes)),
        _ => None,
    })
}

/// Whether everything in `changes` was approved: it is a part of what was, or the same content by the same people under
/// another id.
fn covers(approved: &Changes, changes: &Changes, branch: Option<&BranchHistory>) -> bool {
    let starts_as_late = approved.from == changes.from || approved.from.is_none() || {
        let at = |sha: &Option<CommitSha>| branch?.number(sha.as_ref()?);
        at(&changes.from).zip(at(&approved.from)).is_some_and(|(live, from)| live <= from)
    };
    let is_within = approved.to == changes.to || {
        let at = |sha: &CommitSha| branch?.number(sha);
        at(&changes.to).zip(at(&approved.to)).is_some_and(|(to, approved)| to >= approved)
    };
    let is_same = approved.tree == changes.tree
        && approved.from == changes.from
        && changes.contributors.are_among(&approved.contributors);
    starts_as_late && is_within || is_same
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::Contributors;

    fn sha(letter: char) -> CommitSha {
        CommitSha::new(letter.to_string().repeat(40)).unwrap()
    }

    /// The changes between two of the commits, by `author`, with a tree of their own.
    fn changes(from: Option<char>, to: char, author: &str) -> Changes {
        Changes {
            from: from.map(sha),
            to: sha(to),
            tree: format!("tree of {to}"),
            contributors: Contributors { authors: [author.to_owned()].into(), ..Contributors::default() },
            initiator: None,
        }
    }

    /// `a` is the oldest commit of the branch, `e` the tip.
    fn branch() -> BranchHistory {
        BranchHistory::new("main".to_owned(), ['e', 'd', 'c', 'b', 'a'].map(sha).into(), BTreeMap::new())
    }

    #[test]
    fn an_approval_covers_the_same_changes_and_fewer_but_not_more() {
        let order = ['a', 'b', 'c', 'd', 'e'];
        let branch = branch();
        for (from, to) in [(0, 3), (1, 2), (0, 4), (3, 4)] {
            let approved = changes(Some(order[from]), order[to], "ana");
            for (live, candidate) in (0..5).flat_map(|live| (live + 1..5).map(move |to| (live, to))) {
                let wanted = changes(Some(order[live]), order[candidate], "ana");
                let is_within = (live..candidate).all(|at| (from..to).contains(&at));
                assert_eq!(
                    covers(&approved, &wanted, Some(&branch)),
                    is_within,
                    "{from}..{to} {live}..{candidate}"
                );
            }
        }
    }

    #[test]
    fn without_the_order_of_commits_an_approval_covers_only_the_same_changes() {
        let approved = changes(Some('a'), 'c', "ana");
        assert!(covers(&approved, &approved, None));
        assert!(!covers(&approved, &changes(Some('b'), 'c', "ana"), None));
        assert!(!covers(&approved, &changes(Some('a'), 'b', "ana"), None));
        // These two are not on the branch.
        assert!(!covers(&changes(Some('f'), '0', "ana"), &changes(Some('a'), 'b', "ana"), Some(&branch())));
        assert!(!covers(&approved, &changes(Some('f'), 'c', "ana"), Some(&branch())));
    }

    #[test]
    fn what_was_rebased_without_a_change_is_still_approved_unless_somebody_joined() {
        let approved = changes(Some('a'), 'f', "ana");
        let rebased = |author| Changes { tree: approved.tree.clone(), ..changes(Some('a'), 'c', author) };
        assert!(covers(&approved, &rebased("ana"), Some(&branch())));
        assert!(!covers(&approved, &rebased("ben"), Some(&branch())));
        let from_elsewhere = Changes { from: Some(sha('b')), ..rebased("ana") };
        assert!(!covers(&approved, &from_elsewhere, Some(&branch())));
    }
}
