//! Approvals: who has approved a deployment, and who still can.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::access::Access;
use crate::domain::{Actor, Assurance, Changes, Consent, ConsentKind, GroupName, PersonName, PolicyName};

/// The approvals that a deployment needs by one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Who may approve. A job counts only if it is named itself.
    pub from: Vec<Approver>,
    /// How many of them must.
    pub count: usize,
    /// Those who took part in this way do not count.
    pub independent_of: Vec<Part>,
    /// How long an approval lasts.
    pub expires: Duration,
    /// What the approvals hold.
    pub gates: Gated,
    /// How an approver's identity must have been verified, at least.
    pub assurance: Assurance,
}

/// Who may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approver {
    /// The members of a group.
    Group(GroupName),
    /// One of the people.
    Person(PersonName),
}

/// A part in the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// An author or co-author of a commit that is no merge.
    Author,
    /// The committer of a commit.
    Committer,
    /// The author of a merge.
    Merger,
    /// Who promoted the commit.
    Initiator,
}

/// How someone whom a rule names stands to the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApproverState {
    /// Their approval counts.
    Approved,
    /// They can approve.
    Able,
    /// They took part in the changes.
    Dependent,
}

impl ApproverState {
    /// For people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Able => "can approve",
            Self::Dependent => "took part in the change",
        }
    }
}

impl Part {
    /// Its name in the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Committer => "committer",
            Self::Merger => "merger",
            Self::Initiator => "initiator",
        }
    }

    /// Those who took it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Author => "the authors",
            Self::Committer => "the committers",
            Self::Merger => "those who merged",
            Self::Initiator => "the initiator",
        }
    }
}

/// What approvals hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gated {
    /// The start of the run, and the deployment.
    #[default]
    Run,
    /// Only the deployment.
    Deployment,
}

/// A rule whose approvals are not complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MissingApprovals {
    /// Who may approve: groups and people.
    pub from: Vec<String>,
    /// How many approvals the rule needs.
    pub need: usize,
    /// The people whose approvals count.
    pub given: Vec<String>,
    /// Those who still can.
    pub may: Vec<String>,
    /// The addresses of contributors that no person in the manifest has, so that nobody is known to be independent of
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// The committer of everything that is merged or edited on GitHub's pages.
/// Source: <https://docs.github.com/en/authentication/managing-commit-signature-verification/about-commit-signature-verification>
const PLATFORM: &str = "noreply@github.com";

impl ApprovalRule {
    /// Changes with everything that decides which approvals count.
    pub fn digest(&self) -> String {
        let Self { from, count, independent_of, expires: _, gates: _, assurance } = self;
        let mut from: Vec<_> = from.iter().map(ToString::to_string).collect();
        from.sort_unstable();
        let mut parts = independent_of.clone();
        parts.sort_unstable();
        let text = format!("{from:?} {count} {parts:?} {assurance:?}");
        Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the rule lacks for these changes; `None` if it has all approvals. `covers` tells whether an approval is for
    /// them.
    pub fn missing(
        &self,
        access: &Access,
        changes: &Changes,
        (consents, now): (&[Consent], Timestamp),
        covers: &dyn Fn(&Consent) -> bool,
    ) -> Option<MissingApprovals> {
        let (dependent, unknown) = self.dependent(access, changes);
        let given = self.given(access, (consents, now), covers);
        let given: BTreeSet<_> = given.difference(&dependent).copied().collect();
        if given.len() >= self.count && unknown.is_empty() {
            return None;
        }
        let may = self.members(access).difference(&dependent).copied().collect::<BTreeSet<_>>();
        let names = |names: &mut dyn Iterator<Item = &PersonName>| names.map(ToString::to_string).collect();
        Some(MissingApprovals {
            from: self.from.iter().map(ToString::to_string).collect(),
            need: self.count,
            may: names(&mut may.difference(&given).copied()),
            given: names(&mut given.iter().copied()),
            unknown,
        })
    }

    /// Who approved by this rule, independent or not. `covers` tells whether an approval is for the changes in question.
    pub fn given<'a>(
        &self,
        access: &'a Access,
        (consents, now): (&[Consent], Timestamp),
        covers: &dyn Fn(&Consent) -> bool,
    ) -> BTreeSet<&'a PersonName> {
        let approvals = self.approvals(access, (consents, now), covers);
        approvals.map(|(person, _)| person).collect()
    }

    /// The approvals that count for these changes, in the order in which they were given. `covers` tells whether an approval
    /// is for them.
    pub fn counting<'a, 'c>(
        &self,
        access: &'a Access,
        changes: &Changes,
        (consents, now): (&'c [Consent], Timestamp),
        covers: &dyn Fn(&Consent) -> bool,
    ) -> Vec<&'c Consent> {
        let (dependent, _) = self.dependent(access, changes);
        let approvals = self.approvals(access, (consents, now), covers);
        approvals.filter(|(person, _)| !dependent.contains(person)).map(|(_, consent)| consent).collect()
    }

    fn approvals<'a, 'c>(
        &self,
        access: &'a Access,
        (consents, now): (&'c [Consent], Timestamp),
        covers: &dyn Fn(&Consent) -> bool,
    ) -> impl Iterator<Item = (&'a PersonName, &'c Consent)> {
        let digest = self.digest();
        let counts = move |consent: &&Consent| match &consent.what {
            ConsentKind::Approval { rules, until, .. } => {
                *until > now && rules.contains(&digest) && covers(consent)
            }
            _ => false,
        };
        let counting = consents.iter().filter(counts);
        counting.filter_map(move |consent| Some((self.approver(access, &consent.by)?, consent)))
    }

    /// The person that an actor is, if the rule accepts their approvals at all.
    pub fn approver<'a>(&self, access: &'a Access, actor: &Actor) -> Option<&'a PersonName> {
        let name = access.actor(actor)?;
        let is_named =
            self.from.iter().any(|from| matches!(from, Approver::Person(person) if person == name));
        let is_member = is_named || actor.is_person() && self.members(access).contains(name);
        (is_member && actor.assurance >= self.assurance).then_some(name)
    }

    /// Everyone who may approve, independent or not.
    pub fn members<'a>(&'a self, access: &'a Access) -> BTreeSet<&'a PersonName> {
        let members = self.from.iter().flat_map(|from| match from {
            Approver::Group(group) => access.groups.get(group).into_iter().flatten().collect::<Vec<_>>(),
            Approver::Person(person) => vec![person],
        });
        members.collect()
    }

    /// The people who are not independent, and the addresses of contributors whom the manifest does not know.
    pub fn dependent<'a>(
        &self,
        access: &'a Access,
        changes: &Changes,
    ) -> (BTreeSet<&'a PersonName>, Vec<String>) {
        let (mut people, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        let contributors = &changes.contributors;
        for part in &self.independent_of {
            let emails = match part {
                Part::Author => &contributors.authors,
                Part::Committer => &contributors.committers,
                Part::Merger => &contributors.mergers,
                Part::Initiator => {
                    people.extend(changes.initiator.as_ref().and_then(|actor| access.actor(actor)));
                    continue;
                }
            };
            for email in emails.iter().filter(|email| *part != Part::Committer || *email != PLATFORM) {
                match access.author(email) {
                    Some(person) => drop(people.insert(person)),
                    None => drop(unknown.insert(email.clone())),
                }
            }
        }
        (people, unknown.into_iter().collect())
    }
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => group.fmt(f),
            Self::Person(person) => person.fmt(f),
        }
    }
}

impl MissingApprovals {
    /// What a commit lacks, in one fragment that continues a sentence about it. `lapsed` have approved other commits.
    pub fn describe_all(missing: &[Self], policy: &PolicyName, lapsed: &[String]) -> String {
        let missing: Vec<_> = missing.iter().map(Self::describe).collect();
        let lapsed = match lapsed {
            [] => String::new(),
            lapsed => format!("; {} approved other commits", lapsed.join(" and ")),
        };
        format!("{}, as the policy `{policy}` requires{lapsed}", missing.join(", and "))
    }

    /// What a commit lacks: `needs 2 approvals from release, and has 1, by ana`.
    pub fn describe(&self) -> String {
        let Self { from, need, given, may: _, unknown } = self;
        let approvals = if *need == 1 { "approval" } else { "approvals" };
        let has = match given.as_slice() {
            [] => String::new(),
            given => format!(", and has {}, by {}", given.len(), given.join(" and ")),
        };
        let unknown = match unknown.as_slice() {
            [] => String::new(),
            unknown => format!("; `[people]` does not say who {} is", unknown.join(" and ")),
        };
        format!("needs {need} {approvals} from {}{has}{unknown}", from.join(" or "))
    }
}
