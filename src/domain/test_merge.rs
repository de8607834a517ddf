//! Tests of pull requests, before they land: of the commit that merges one into the branch.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, CommitSha, Head, RunId, RunState, TreeId};

/// A pull request's head, merged into the branch as it was then. katkit makes the merge commit, and pushes it nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestMerge {
    /// The last commit of the pull request.
    pub head: CommitSha,
    /// The tip of the branch that it was merged into.
    pub base: CommitSha,
    /// What the merge contains. If what lands is equal to it, that was tested.
    pub tree: TreeId,
}

impl TestMerge {
    /// Whether nothing is merged: the tip of the branch is tested once more.
    pub fn is_of_tip(&self) -> bool {
        self.head == self.base
    }
}

/// A granted test of a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartedTest {
    /// What is tested: the commit of the run merges this.
    pub merge: TestMerge,
    /// Who requested it.
    pub from: Actor,
    /// The reason they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a link that tests pull requests remembers of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequestTests {
    /// Those that passed, oldest first; at most [`PullRequestTests::PASSED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<PassedTest>,
    /// The merge commits that the rest of the head names: what they merge. They are on no branch, and what is recorded
    /// for them says nothing about a landed commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub merges: BTreeMap<CommitSha, TestMerge>,
    /// The landed commit that ran here before the last test started, without being verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<CommitSha>,
}

/// A test that passed: evidence for every commit with the same content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassedTest {
    /// The merge commit.
    pub sha: CommitSha,
    /// What it merges.
    pub merge: TestMerge,
    /// The run that verified it.
    pub run: RunId,
    /// When that was.
    pub at: Timestamp,
}

impl PullRequestTests {
    /// How many passed tests a link remembers: a pull request may land long after its test.
    pub const PASSED: usize = 50;

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.passed.is_empty() && self.merges.is_empty() && self.stopped.is_none()
    }

    /// Adds a test that passed, and drops the oldest if there are too many.
    pub fn pass(&mut self, test: PassedTest) {
        self.passed.retain(|other| other.merge.tree != test.merge.tree);
        self.passed.push(test);
        let surplus = self.passed.len().saturating_sub(Self::PASSED);
        self.passed.drain(..surplus);
    }
}

impl Head {
    /// What `sha` merges, if it is the merge commit of a test here and the head names it.
    pub fn test_merge(&self, sha: &CommitSha) -> Option<&TestMerge> {
        self.tests.as_ref()?.merges.get(sha)
    }

    /// The commit of the branch that `sha` is, or was merged into to test a pull request.
    pub fn on_branch<'a>(&'a self, sha: &'a CommitSha) -> &'a CommitSha {
        self.test_merge(sha).map_or(sha, |merge| &merge.base)
    }

    /// The tests that passed here, oldest first.
    pub fn passed_tests(&self) -> impl DoubleEndedIterator<Item = &PassedTest> {
        self.tests.iter().flat_map(|tests| &tests.passed)
    }
}

impl RunState {
    /// What it merges to test a pull request; `None` for the run of a landed commit, also if that is tested once more.
    pub fn merges(&self) -> Option<&TestMerge> {
        self.test.as_ref().map(|test| &test.merge).filter(|merge| !merge.is_of_tip())
    }
}
