//! People: who an actor is, who wrote a commit, which groups they belong to, and what they may do.
//!
//! The manifest gives people names. An actor whose identity was verified is known only by that identity: the name that
//! it calls itself is no proof. An actor without a verified identity is who it says it is, so that a policy works on one
//! machine; a policy can require more.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod rights;

#[cfg(test)]
mod tests;

pub use rights::{Grant, Grantee, Right};

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Actor, Assurance, GroupName, PersonName};

/// The people, the groups and the grants of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The people.
    pub people: BTreeMap<PersonName, Person>,
    /// The members of each group.
    pub groups: BTreeMap<GroupName, BTreeSet<PersonName>>,
    /// Who may do what; `None`: every actor may do everything.
    pub grants: Option<Vec<Grant>>,
}

/// The identities of one of the people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Addresses in commits, in lowercase.
    pub emails: Vec<String>,
    /// The name at GitHub, in lowercase.
    pub github: Option<String>,
    /// ARNs of callers of AWS. For a role, that of the session: its name is the caller's choice, unless the role's trust
    /// policy or IAM Identity Center sets it.
    pub aws: Vec<String>,
    /// Subjects of OIDC tokens.
    pub oidc: Vec<String>,
}

impl Access {
    /// The person that an actor is, if the manifest knows.
    pub fn actor(&self, actor: &Actor) -> Option<&PersonName> {
        let is = |(name, person): &(&PersonName, &Person)| match (actor.assurance, &actor.subject) {
            (Assurance::Aws, Some(subject)) => person.aws.contains(subject),
            (Assurance::Oidc, Some(subject)) => person.oidc.contains(subject),
            (Assurance::Asserted, _) => name.as_str() == actor.name,
            (Assurance::Aws | Assurance::Oidc, None) => false,
        };
        self.people.iter().find(is).map(|(name, _)| name)
    }

    /// The person with this address in commits, if the manifest knows.
    pub fn author(&self, email: &str) -> Option<&PersonName> {
        let email = email.to_lowercase();
        let github = github_name(&email);
        let is = |(_, person): &(&PersonName, &Person)| {
            person.emails.contains(&email) || github.is_some() && person.github.as_deref() == github
        };
        self.people.iter().find(is).map(|(name, _)| name)
    }
}

/// The name in an address that GitHub gives to users who keep theirs private: `NAME@…`, or `NUMBER+NAME@…` since 2017.
/// Source: <https://docs.github.com/en/account-and-profile/reference/email-addresses-reference>
fn github_name(email: &str) -> Option<&str> {
    let name = email.strip_suffix("@users.noreply.github.com")?;
    Some(name.split_once('+').map_or(name, |(_, name)| name))
}
