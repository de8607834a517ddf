//! Checks and records what actors decide about deployments that are yet to come. Never decides on a deployment.
//!
//! A consent takes effect when it is recorded: a process that has not yet recorded the intent of a deployment takes it
//! into account, and what has begun finishes. A consent ends the earlier ones that it replaces, and those that have
//! expired, so that what stands stays short; the journal keeps all of them.

mod approve;
mod evidence;
mod freeze;
mod overriding;
mod reject;

pub use approve::{Approved, Candidate, approve, candidate, withdraw};
pub use evidence::{hand_in, withdraw as withdraw_evidence};
pub use freeze::{Frozen, freeze, thaw};
pub use overriding::{LONGEST, Overridden, Waiver, forgive, override_gates, withdraw_override};
pub use reject::{Rejected, reject, release};

use jiff::Timestamp;

use crate::domain::{Actor, Changes, Consent, ConsentId, ConsentKind, LinkId, PolicyName};
use crate::manifest::Manifest;

/// Those of the consents that expired before `now`.
fn expired(standing: &[Consent], now: Timestamp) -> impl Iterator<Item = ConsentId> + '_ {
    // What an override owes may be paid by an approval that has expired since.
    let is_owed = |link: &LinkId| {
        let of =
            |consent: &Consent| matches!(&consent.what, ConsentKind::Override { link: of, .. } if of == link);
        standing.iter().any(of)
    };
    let is_over = move |consent: &&Consent| {
        let is_kept = matches!(&consent.what, ConsentKind::Approval { link, .. } if is_owed(link));
        consent.what.expires().is_some_and(|at| at <= now) && !is_kept
    };
    standing.iter().filter(is_over).map(|consent| consent.id)
}

/// Why an actor cannot decide about these changes where the policy wants those who took no part in them, and the policy.
fn took_part<'m>(
    manifest: &'m Manifest,
    by: &Actor,
    link: &LinkId,
    changes: &Changes,
) -> Option<(String, &'m PolicyName)> {
    let (name, policy) = manifest.policy_of(link)?;
    let person = manifest.access.actor(by);
    let reason = policy.approvals.iter().find_map(|rule| {
        let (dependent, unknown) = rule.dependent(&manifest.access, changes);
        match (person.filter(|person| dependent.contains(person)), unknown.first()) {
            (Some(person), _) => Some(format!("{person} took part in it")),
            (None, Some(email)) => {
                Some(format!("`[people]` does not say who {email} is, who took part in it"))
            }
            (None, None) => None,
        }
    });
    Some((reason?, name))
}
