//! Tests of pull requests in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::ActorJson;
use crate::domain::{StartedTest, TestMerge};

/// A pull request's head, merged into the branch as it was then.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TestMergeJson<'a> {
    /// The last commit of the pull request.
    pub head: &'a str,
    /// The tip of the branch that it was merged into.
    pub base: &'a str,
    /// The id of the tree of the merge. Commits with the same tree have the same content.
    pub tree: &'a str,
}

/// A granted request for a test of a pull request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StartedTestJson<'a> {
    /// What is tested.
    #[serde(flatten)]
    pub merge: TestMergeJson<'a>,
    /// The name of the requester.
    pub from: &'a str,
    /// The requester, and how their identity was verified.
    pub requester: ActorJson<'a>,
    /// The reason the requester gave; null if none.
    pub why: Option<&'a str>,
}

impl<'a> From<&'a TestMerge> for TestMergeJson<'a> {
    fn from(TestMerge { head, base, tree }: &'a TestMerge) -> Self {
        Self { head: head.as_str(), base: base.as_str(), tree: tree.as_str() }
    }
}

impl<'a> From<&'a StartedTest> for StartedTestJson<'a> {
    fn from(StartedTest { merge, from, why }: &'a StartedTest) -> Self {
        Self { merge: merge.into(), from: &from.name, requester: from.into(), why: why.as_deref() }
    }
}
