//! Rights: what actors may do to links, and who has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Access;
use crate::domain::{Actor, GroupName, LinkId, LinkPatterns, PersonName, Request, RequestKind, RoleName};

/// Something that an actor may do to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Request a retry, a skip, a cancellation, or a test of a pull request.
    Request,
    /// Choose the next commit of a link in a pipeline.
    Promote,
    /// Reject a commit, release a held commit, waive a skipped phase, and forgive the debt of an override.
    Approve,
    /// Go back to an earlier commit, and pin commits that nothing goes back past.
    Rollback,
    /// Freeze deployments, and end a freeze.
    Freeze,
    /// Override the conditions that a commit must meet. No other right includes it.
    BreakGlass,
    /// Hand in evidence of reviews and checks.
    Evidence,
}

/// Rights that are given to actors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role that has the rights.
    pub role: RoleName,
    /// Its rights.
    pub rights: BTreeSet<Right>,
    /// Who gets them.
    pub to: BTreeSet<Grantee>,
    /// The links that they are for; `None`: all.
    pub on: Option<LinkPatterns>,
}

/// Who gets rights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// Every actor, known or not.
    Everyone,
    /// The members of a group. A job counts only if it is named itself.
    Group(GroupName),
    /// One of the people.
    Person(PersonName),
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::Promote,
        Self::Approve,
        Self::Rollback,
        Self::Freeze,
        Self::BreakGlass,
        Self::Evidence,
    ];

    /// Its name in the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Promote => "promote",
            Self::Approve => "approve",
            Self::Rollback => "rollback",
            Self::Freeze => "freeze",
            Self::BreakGlass => "break-glass",
            Self::Evidence => "evidence",
        }
    }

    /// A command that takes it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Request => "retry",
            Self::Promote => "promote",
            Self::Approve => "reject",
            Self::Rollback => "rollback",
            Self::Freeze => "freeze",
            Self::BreakGlass => "override",
            Self::Evidence => "evidence",
        }
    }

    /// The right that a request takes. A withdrawal takes that of the request which it withdraws, unless that is the
    /// actor's own.
    pub fn of(ask: &RequestKind) -> Self {
        match ask {
            RequestKind::Retry { .. }
            | RequestKind::Skip { .. }
            | RequestKind::Cancel { .. }
            | RequestKind::Test { .. }
            | RequestKind::Withdraw { .. } => Self::Request,
            RequestKind::Promote { .. } => Self::Promote,
            RequestKind::Rollback { .. } | RequestKind::Pin { .. } | RequestKind::Unpin { .. } => {
                Self::Rollback
            }
            RequestKind::Release { .. } | RequestKind::Waive { .. } => Self::Approve,
        }
    }
}

impl Access {
    /// Whether an actor may do something to a link. If the manifest grants no rights at all, every actor may do
    /// everything.
    pub fn may(&self, actor: &Actor, right: Right, link: &LinkId) -> bool {
        self.grants.is_none() || self.granted(right, link).any(|grant| self.is_for(grant, actor))
    }

    /// Why an actor may not do something to a link, as a lowercase fragment; `None` if they may.
    pub fn refusal(&self, actor: &Actor, right: Right, link: &LinkId) -> Option<String> {
        let job = if actor.is_person() { "" } else { ", a job," };
        (!self.may(actor, right, link))
            .then(|| format!("{}{job} does not have the right `{right}` on `{link}`", actor.name))
    }

    /// Why the actor who made a request may not; `None` if they may. `link` is its present name, and `all` are the
    /// requests for it.
    pub fn refusal_of(&self, link: &LinkId, request: &Request, all: &[Request]) -> Option<String> {
        let Request { by, ask, .. } = request;
        let right = match ask {
            RequestKind::Withdraw { id } => match all.iter().find(|other| other.id == *id) {
                Some(own) if self.is_same(&own.by, by) => return None,
                Some(other) => Right::of(&other.ask),
                None => return None,
            },
            ask => Right::of(ask),
        };
        self.refusal(by, right, link)
    }

    /// Whether two actors are the same: one person, or the same identity.
    pub fn is_same(&self, one: &Actor, other: &Actor) -> bool {
        let identity = |actor: &Actor| match &actor.subject {
            Some(subject) => (actor.assurance, subject.clone()),
            None => (actor.assurance, actor.name.clone()),
        };
        self.actor(one).is_some_and(|person| self.actor(other) == Some(person))
            || identity(one) == identity(other)
    }

    /// The people who have a right on a link, and the roles that they have it by. Everyone who is granted it without
    /// being named is not among them; see [`Access::everyone_has`].
    pub fn people_with(&self, right: Right, link: &LinkId) -> BTreeMap<&PersonName, BTreeSet<&RoleName>> {
        let mut found: BTreeMap<&PersonName, BTreeSet<&RoleName>> = BTreeMap::new();
        for grant in self.granted(right, link) {
            for person in grant.to.iter().flat_map(|to| self.named(to)) {
                found.entry(person).or_default().insert(&grant.role);
            }
        }
        found
    }

    /// Whether every actor has a right on a link.
    pub fn everyone_has(&self, right: Right, link: &LinkId) -> bool {
        self.grants.is_none() || self.granted(right, link).any(|grant| grant.to.contains(&Grantee::Everyone))
    }

    fn granted(&self, right: Right, link: &LinkId) -> impl Iterator<Item = &Grant> {
        let applies = move |grant: &&Grant| {
            grant.rights.contains(&right) && grant.on.as_ref().is_none_or(|on| on.match_link(link))
        };
        self.grants.iter().flatten().filter(applies)
    }

    fn is_for(&self, grant: &Grant, actor: &Actor) -> bool {
        let person = self.actor(actor);
        grant.to.iter().any(|to| match to {
            Grantee::Everyone => true,
            Grantee::Group(_) => {
                actor.is_person() && person.is_some_and(|person| self.named(to).any(|it| it == person))
            }
            Grantee::Person(name) => person == Some(name),
        })
    }

    fn named<'a>(&'a self, grantee: &'a Grantee) -> impl Iterator<Item = &'a PersonName> {
        let (group, person) = match grantee {
            Grantee::Everyone => (None, None),
            Grantee::Group(group) => (self.groups.get(group), None),
            Grantee::Person(person) => (None, Some(person)),
        };
        group.into_iter().flatten().chain(person)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
