//! Reviews: whether the commits of a deployment came onto their branch as the policy requires.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::access::{Access, Right};
use crate::domain::{
    CheckName, CheckOutcome, CommitSha, Consent, ConsentKind, LinkId, ReviewerName, enumerated,
};

/// The review that every commit needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewRule {
    /// How many people must have approved its pull request.
    pub approvals: usize,
    /// The checks that must have passed.
    pub checks: BTreeSet<CheckName>,
}

/// What a commit lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MissingReview {
    /// The commit.
    pub sha: CommitSha,
    /// How many approvals its pull request needs.
    pub need: usize,
    /// How many it has.
    pub given: usize,
    /// The required checks that did not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<CheckName>,
    /// The required checks without a result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<CheckName>,
}

/// The evidence that was handed in, by commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviews {
    of: BTreeMap<CommitSha, Vec<Consent>>,
}

impl Reviews {
    /// The evidence among these consents, which are in the order in which they were given.
    pub fn among(consents: impl IntoIterator<Item = Consent>) -> Self {
        let mut found = Self::default();
        found.extend(consents);
        found
    }

    /// Adds the evidence among these consents.
    pub fn extend(&mut self, consents: impl IntoIterator<Item = Consent>) {
        for consent in consents {
            if let ConsentKind::Evidence { sha, .. } = &consent.what {
                self.of.entry(sha.clone()).or_default().push(consent);
            }
        }
    }

    fn of(&self, sha: &CommitSha) -> &[Consent] {
        self.of.get(sha).map_or(&[], Vec::as_slice)
    }
}

impl ReviewRule {
    /// What these commits lack, in their order. Evidence counts if its actor has the right on the link.
    pub fn missing<'a>(
        &'a self,
        access: &'a Access,
        link: &'a LinkId,
        commits: impl IntoIterator<Item = &'a CommitSha>,
        reviews: &'a Reviews,
    ) -> impl Iterator<Item = MissingReview> {
        commits.into_iter().filter_map(|sha| self.missing_of(access, link, sha, reviews))
    }

    fn missing_of(
        &self,
        access: &Access,
        link: &LinkId,
        sha: &CommitSha,
        reviews: &Reviews,
    ) -> Option<MissingReview> {
        let (mut people, mut checks) = (BTreeSet::new(), BTreeMap::new());
        for consent in reviews.of(sha) {
            let ConsentKind::Evidence { review, .. } = &consent.what else { continue };
            if access.may(&consent.by, Right::Evidence, link) {
                people.extend(review.approved_by.iter().map(|name| person(access, name)));
                // A check that ran again counts as it ended last.
                checks.extend(review.checks.iter().map(|(name, outcome)| (name, *outcome)));
            }
        }
        let given = people.len();
        let ended = |outcome: Option<CheckOutcome>| {
            let so = self.checks.iter().filter(|check| checks.get(check).copied() == outcome);
            so.cloned().collect::<Vec<_>>()
        };
        let (failed, absent) = (ended(Some(CheckOutcome::Failure)), ended(None));
        let is_met = given >= self.approvals && failed.is_empty() && absent.is_empty();
        (!is_met).then(|| MissingReview { sha: sha.clone(), need: self.approvals, given, failed, absent })
    }
}

/// A reviewer under one name: names at GitHub have no letter case, and the manifest may know whose they are.
fn person(access: &Access, name: &ReviewerName) -> String {
    let name = name.as_str().to_lowercase();
    let known = access.people.iter().find(|(_, person)| person.github.as_deref() == Some(&name));
    known.map_or(name, |(person, _)| person.as_str().to_lowercase())
}

impl MissingReview {
    /// What the candidate `to` lacks, or the commits before it: `3f2a9c1 contains 1b2c3d4, which has 0 of 1 approvals`.
    pub fn describe_all(missing: &[Self], to: &CommitSha) -> String {
        let Some(first) = missing.first() else { return to.short().to_owned() };
        let which = match first.sha == *to {
            true => String::new(),
            false => format!(" contains {}, which", first.sha.short()),
        };
        let others = match missing.len() {
            1 => String::new(),
            2 => "; another commit lacks its review, too".to_owned(),
            all => format!("; {} other commits lack theirs, too", all - 1),
        };
        format!("{}{which} {}{others}", to.short(), first.describe())
    }

    /// How to hand in what the commit lacks.
    pub fn hint(&self) -> String {
        let approvals = if self.given < self.need { " --approved-by NAME" } else { "" };
        let checks = self.failed.iter().chain(&self.absent);
        let checks: String = checks.map(|check| format!(" --check \"{check}=success\"")).collect();
        format!("hand in its evidence: `katkit evidence {}{approvals}{checks}`", self.sha)
    }

    /// What the commit lacks: `has 1 of 2 approvals`, and the checks that failed or have no result.
    pub fn describe(&self) -> String {
        let Self { sha: _, need, given, failed, absent } = self;
        let approvals = (given < need).then(|| format!("{given} of {need} approvals"));
        let checks = |words: &str, checks: &[CheckName]| {
            let names: Vec<_> = checks.iter().map(|check| format!("`{check}`")).collect();
            let checks = if names.len() == 1 { "check" } else { "checks" };
            (!names.is_empty()).then(|| format!("{words} the {checks} {}", enumerated(&names)))
        };
        let (failed, absent) = (checks("a failure of", failed), checks("no result of", absent));
        let lacks: Vec<_> = approvals.into_iter().chain(failed).chain(absent).collect();
        format!("has {}", enumerated(&lacks))
    }
}
