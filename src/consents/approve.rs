//! Approvals.

use std::collections::BTreeSet;

use super::expired;
use crate::domain::{Actor, Consent, ConsentId, ConsentKind, Head, LinkId, PersonName};
use crate::estate::Estate;
use crate::inventory::{Scope, Targets};
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
            let missing = missing.unwrap_or_default();
            Ok(Candidate { basis: *basis, missing, other_holds, standing: input.consents })
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
        let Candidate { missing, other_holds, .. } = &candidate;
        let (missing, other_holds) = (missing.clone(), other_holds.clone());
        return Ok(Approved { consent: consent.clone(), is_old: true, missing, other_holds });
    }
    let expires = counting.iter().map(|rule| rule.expires).min().unwrap_or_default();
    let until = now.checked_add(expires).unwrap_or(jiff::Timestamp::MAX);
    let changes = Box::new(candidate.basis.changes.clone());
    let what = ConsentKind::Approval { link: link.clone(), changes, rules: digests, until };
    let mut ends: BTreeSet<ConsentId> = expired(&candidate.standing, now).collect();
    ends.extend(candidate.standing.iter().filter(own).map(|consent| consent.id));
    ends.extend(spent(&candidate, link));
    let new = NewConsent { at: now, by: by.clone(), why, what, ends: ends.into_iter().collect() };
    let consent = estate.state.consent(new).await?;
    let Candidate { mut basis, other_holds, .. } = candidate;
    basis.covering.push(consent.id);
    let standing = estate.state.consents().await?.standing;
    let missing = match basis.lacking(manifest, link, &standing, now).map(|lacking| lacking.reason) {
        Some(HoldReason::Unapproved { missing, .. }) => missing,
        _ => Vec::new(),
    };
    Ok(Approved { consent, is_old: false, missing, other_holds })
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

/// The approvals for the link of what is live already.
fn spent<'c>(candidate: &'c Candidate, link: &'c LinkId) -> impl Iterator<Item = ConsentId> + 'c {
    let live = candidate.basis.changes.from.as_ref();
    let is_spent = move |consent: &&Consent| matches!(&consent.what, ConsentKind::Approval { link: of, changes, .. } if of == link && Some(&changes.to) == live);
    candidate.standing.iter().filter(is_spent).map(|consent| consent.id)
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
