//! Approvals.

use std::collections::BTreeSet;

use super::expired;
use crate::domain::{Actor, CommitSha, Consent, ConsentId, ConsentKind, Head, LinkId, PersonName};
use crate::estate::Estate;
use crate::inventory::{Scope, Targets};
use crate::pipeline;
use crate::plan::{self, ApprovalBasis, HoldReason};
use crate::policy::{ApprovalRule, ApproverState, MissingApprovals};
use crate::requests::{RequestError, find_commit};
use crate::state::NewConsent;

/// A commit that needs approvals for a link.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The changes, and the approvals that are for them.
    pub basis: ApprovalBasis,
    /// The rules that are not met, at the time of asking.
    pub missing: Vec<MissingApprovals>,
    /// What else holds the link.
    pub other_holds: Vec<String>,
    /// Whether the commit is live already, by an override, and owes the approvals.
    pub is_owed: bool,
    live: Option<CommitSha>,
    standing: Vec<Consent>,
}

/// A recorded approval.
#[derive(Clone, Debug)]
pub struct Approved {
    /// The consent, or the earlier one if the actor had approved the same before.
    pub consent: Consent,
    /// Whether it was recorded before.
    pub is_old: bool,
    /// What is still lacking.
    pub missing: Vec<MissingApprovals>,
    /// What else the deployment waits for.
    pub other_holds: Vec<String>,
    /// Whether the commit is live already, by an override, and owed the approvals.
    pub is_owed: bool,
}

/// The commit that needs approvals for the link now.
pub async fn candidate(estate: &Estate, link: &LinkId) -> Result<Candidate, RequestError> {
    let manifest = estate.manifest();
    let Some((policy, rules)) = manifest.policy_of(link).map(|(name, policy)| (name, &policy.approvals))
    else {
        return Err(RequestError::refused(format!("`{link}` has no policy, so it needs no approvals"), None));
    };
    if rules.is_empty() {
        let what = format!("the policy `{policy}` of `{link}` requires no approvals");
        return Err(RequestError::refused(what, None));
    }
    let targets = Targets::default().and_only(BTreeSet::from([link.clone()]));
    let input = estate.inventory(&Scope { targets, ..Scope::default() }).await?;
    let gathered = input.links.iter().find(|gathered| gathered.id == *link);
    let live = gathered.and_then(|it| pipeline::base(&it.head)).cloned();
    let debt = gathered.and_then(|it| plan::debt(manifest, &input.consents, it, input.now));
    if let Some((basis, missing)) = debt.and_then(|debt| debt.approval) {
        let (other_holds, standing) = (Vec::new(), input.consents);
        return Ok(Candidate { basis, missing, other_holds, is_owed: true, live, standing });
    }
    let planned = plan::plan(&input).links.into_iter().find(|planned| planned.link == *link);
    let (basis, holds) = planned.map(|planned| (planned.approval, planned.holds)).unwrap_or_default();
    let missing = holds.iter().find_map(|hold| match &hold.reason {
        HoldReason::Unapproved { missing, .. } => Some(missing.clone()),
        _ => None,
    });
    let others = holds.iter().filter(|hold| !matches!(hold.reason, HoldReason::Unapproved { .. }));
    let other_holds: Vec<_> = others.map(plan::Hold::describe).collect();
    match (basis, missing) {
        (Some(basis), missing) if missing.is_some() || other_holds.is_empty() => {
            let missing =
                missing.unwrap_or_else(|| basis.missing(manifest, link, &input.consents, input.now));
            let (basis, standing) = (*basis, input.consents);
            Ok(Candidate { basis, missing, other_holds, is_owed: false, live, standing })
        }
        // An approver's time is not asked for while something else holds the commit.
        _ => {
            let what = match other_holds.first() {
                Some(hold) => format!("no commit of `{link}` needs approvals yet: {hold}"),
                None => format!("no commit of `{link}` needs approvals: it runs what it should"),
            };
            Err(RequestError::refused(what, format!("`katkit why {link}` shows where it stands")))
        }
    }
}

/// Records the approval of the candidate by an actor. `sha` is what they believe that to be.
pub async fn approve(
    estate: &Estate,
    by: &Actor,
    why: Option<String>,
    link: &LinkId,
    sha: &str,
) -> Result<Approved, RequestError> {
    let candidate = candidate(estate, link).await?;
    let to = &candidate.basis.changes.to;
    if find_commit(sha, &Head::default(), [to])?.as_ref() != Some(to) {
        let what = format!("`{sha}` is not the commit that needs approvals for `{link}`: {} is", to.short());
        return Err(RequestError::refused(
            what,
            format!("look at it, and approve it: `katkit approve {link} {}`", to.short()),
        ));
    }
    let manifest = estate.manifest();
    let rules = manifest.policy_of(link).map(|(_, policy)| policy.approvals.as_slice()).unwrap_or_default();
    let counting: Vec<_> = rules.iter().filter(|rule| counts(estate, rule, by, &candidate)).collect();
    if counting.is_empty() {
        return Err(refusal(estate, rules, by, link, &candidate));
    }
    let digests: Vec<_> = counting.iter().map(|rule| rule.digest()).collect();
    let now = estate.clock.now();
    let own = |consent: &&Consent| match &consent.what {
        ConsentKind::Approval { link: of, .. } => {
            of == link && manifest.access.actor(&consent.by) == manifest.access.actor(by)
        }
        _ => false,
    };
    let is_same = |consent: &&Consent| match &consent.what {
        ConsentKind::Approval { changes, rules, until, .. } => {
            **changes == candidate.basis.changes && *rules == digests && *until > now
        }
        _ => false,
    };
    if let Some(consent) = candidate.standing.iter().filter(own).find(is_same) {
        let (consent, is_old) = (consent.clone(), true);
        let Candidate { missing, other_holds, is_owed, .. } = candidate;
        return Ok(Approved { consent, is_old, missing, other_holds, is_owed });
    }
    let expires = counting.iter().map(|rule| rule.expires).min().unwrap_or_default();
    let until = now.checked_add(expires).unwrap_or(jiff::Timestamp::MAX);
    let changes = Box::new(candidate.basis.changes.clone());
    let what = ConsentKind::Approval { link: link.clone(), changes, rules: digests, until };
    let mut ends: BTreeSet<ConsentId> = expired(&candidate.standing, now).collect();
    let replaced = candidate.standing.iter().filter(own).filter(|consent| !candidate.is_payment(consent));
    ends.extend(replaced.map(|consent| consent.id));
    ends.extend(candidate.spent(link));
    let new = NewConsent { at: now, by: by.clone(), why, what, ends: ends.into_iter().collect() };
    let consent = estate.state.consent(new).await?;
    let Candidate { mut basis, other_holds, is_owed, .. } = candidate;
    basis.covering.push(consent.id);
    let standing = estate.state.consents().await?.standing;
    let missing = basis.missing(manifest, link, &standing, now);
    Ok(Approved { consent, is_old: false, missing, other_holds, is_owed })
}

/// Ends the approvals that an actor gave for the link. Returns those that it ended.
pub async fn withdraw(
    estate: &Estate,
    by: &Actor,
    why: Option<String>,
    link: &LinkId,
) -> Result<Vec<Consent>, RequestError> {
    let (standing, now) = (estate.state.consents().await?.standing, estate.clock.now());
    let access = &estate.manifest().access;
    let is_own = |consent: &&Consent| {
        matches!(&consent.what, ConsentKind::Approval { link: of, until, .. } if of == link && *until > now)
            && access.actor(&consent.by).is_some_and(|person| access.actor(by) == Some(person))
    };
    let own: Vec<Consent> = standing.iter().filter(is_own).cloned().collect();
    if own.is_empty() {
        let what = format!("{by} has given no approval for `{link}` that still counts");
        return Err(RequestError::refused(what, None));
    }
    let ends = own.iter().map(|consent| consent.id).chain(expired(&standing, now)).collect();
    let new = NewConsent { at: now, by: by.clone(), why, what: ConsentKind::Withdrawal, ends };
    estate.state.consent(new).await?;
    Ok(own)
}

impl Candidate {
    /// Whether it is an approval of what is live, for which an override stands: it pays what that owes.
    fn is_payment(&self, approval: &Consent) -> bool {
        let ConsentKind::Approval { link, changes, .. } = &approval.what else { return false };
        let is_live = |consent: &Consent| {
            matches!(&consent.what, ConsentKind::Override { link: of, sha, .. }
                if of == link && *sha == changes.to && Some(sha) == self.live.as_ref())
        };
        self.standing.iter().any(is_live)
    }

    /// The approvals for the link of what is live already.
    fn spent<'c>(&'c self, link: &'c LinkId) -> impl Iterator<Item = ConsentId> + 'c {
        let is_spent = move |consent: &&Consent| match &consent.what {
            ConsentKind::Approval { link: of, changes, .. } => {
                of == link && Some(&changes.to) == self.live.as_ref() && !self.is_payment(consent)
            }
            _ => false,
        };
        self.standing.iter().filter(is_spent).map(|consent| consent.id)
    }

    /// How everyone whom a rule names stands to it, and the addresses of contributors because of whom nobody is known to
    /// be independent.
    pub fn standings<'a>(
        &'a self,
        estate: &'a Estate,
        rule: &'a ApprovalRule,
    ) -> (Vec<(&'a PersonName, ApproverState)>, Vec<String>) {
        let access = &estate.manifest().access;
        let (dependent, unknown) = rule.dependent(access, &self.basis.changes);
        let covers = |consent: &Consent| self.basis.covering.contains(&consent.id);
        let given = rule.given(access, (&self.standing, estate.clock.now()), &covers);
        let standing = |name: &'a PersonName| {
            let standing = match (dependent.contains(name), given.contains(name)) {
                (true, _) => ApproverState::Dependent,
                (false, true) => ApproverState::Approved,
                (false, false) => ApproverState::Able,
            };
            (name, standing)
        };
        (rule.members(access).into_iter().map(standing).collect(), unknown)
    }
}

fn counts(estate: &Estate, rule: &ApprovalRule, by: &Actor, candidate: &Candidate) -> bool {
    let access = &estate.manifest().access;
    let (dependent, _) = rule.dependent(access, &candidate.basis.changes);
    rule.approver(access, by).is_some_and(|name| !dependent.contains(name))
}

fn refusal(
    estate: &Estate,
    rules: &[ApprovalRule],
    by: &Actor,
    link: &LinkId,
    candidate: &Candidate,
) -> RequestError {
    let access = &estate.manifest().access;
    let hint = format!("`katkit who-can approve {link}` shows who can");
    let who = by.subject.as_deref().unwrap_or(&by.name);
    let Some(name) = access.actor(by) else {
        let what = format!("`[people]` has nobody with the identity {who}, so the approval would not count");
        return RequestError::refused(what, hint);
    };
    let short = candidate.basis.changes.to.short();
    let takes = rules.iter().any(|rule| rule.approver(access, by).is_some());
    let is_member = rules.iter().any(|rule| rule.members(access).contains(name));
    let what = match (takes, is_member) {
        (true, _) => format!("{name} took part in {short}, so the approval would not count"),
        (false, true) => {
            format!("the identity {who} is not verified as the policy requires, or is that of a job")
        }
        (false, false) => format!("the policy of `{link}` does not name {name} as an approver"),
    };
    RequestError::refused(what, hint)
}
