//! Chooses what a link that tests pull requests runs next, and merges it.

use super::candidates::Search;
use super::problem::problem;
use super::taint;
use super::untestable::{Untestable, UntestableReason, listed};
use crate::causes;
use crate::domain::{CommitSha, Request, RequestKind, StartedTest, TestMerge};
use crate::git::{GitError, Landing, Merged};
use crate::pipeline::{self, Records, TestChoice, TestQuestion};
use crate::plan::{self, Hold, HoldReason, HoldScope, PlannedTest, Problem, Taint};

/// With how many of the last tests a landed commit is compared.
const COMPARED: usize = 10;

/// What was decided for such a link.
#[derive(Debug)]
pub(super) struct Tested {
    pub(super) want: Result<CommitSha, Box<Hold>>,
    /// The test that `want` is the merge of.
    pub(super) test: Option<PlannedTest>,
    /// Why the test in progress cannot go on.
    pub(super) stops: Option<String>,
    /// Requests that are impossible, each with the reason.
    pub(super) refused: Vec<(Request, String)>,
    /// What keeps the tip of the branch from being verified here, while nothing else is wanted.
    pub(super) waits: Option<Hold>,
    /// How `want` differs from what was tested before it landed.
    pub(super) landing: Option<String>,
}

impl Tested {
    fn new(want: Result<CommitSha, Box<Hold>>) -> Self {
        Self { want, test: None, stops: None, refused: Vec::new(), waits: None, landing: None }
    }

    fn failed(problem: Problem) -> Self {
        Self::new(Err(Box::new(problem.into())))
    }
}

/// Decides what the link of `search` runs next.
pub(super) async fn decide(search: Search<'_>, records: &Records) -> Tested {
    let (input, branch) = (search.input, &*search.found.branch);
    let (link, head) = (&input.id, &*input.head);
    let Some(tip) = branch.tip() else {
        return Tested::failed(Problem { what: "its branch has no commit".to_owned(), hint: None });
    };
    let held = match search.held_tip(records, tip).await {
        Ok(held) => held,
        Err(problem) => return Tested::failed(problem),
    };
    let last = head.run.as_ref().map(|run| &run.sha);
    let is_retry = |request: &&Request| match &request.ask {
        RequestKind::Retry { sha, .. } | RequestKind::Skip { sha, .. } | RequestKind::Release { sha } => {
            Some(sha) == last
        }
        _ => false,
    };
    let mut question = TestQuestion {
        link,
        head,
        records,
        branch,
        retries: input.requests.iter().any(|request| is_retry(&request)),
        tip_is_held: held.is_some() && !pipeline::has_stopped(head, tip),
        stops: false,
    };
    let (mut stops, mut refused) = (None, Vec::new());
    let mut choice = pipeline::choose_test(&question);
    if let TestChoice::Running(sha, test) = &choice {
        match search.obstacle_to_running(sha, &test.merge).await {
            Ok(None) => {
                let test = Some(PlannedTest { test: StartedTest::clone(test), request: None });
                return Tested { test, ..Tested::new(Ok(sha.clone())) };
            }
            Ok(Some(why)) => {
                let retries = input.requests.iter().filter(is_retry);
                refused.extend(retries.map(|request| (request.clone(), why.clone())));
                (question.retries, question.stops, stops) = (false, true, Some(why));
                choice = pipeline::choose_test(&question);
            }
            Err(problem) => return Tested::failed(problem),
        }
    }
    let decided = match choice {
        TestChoice::Landed(sha) => {
            let landing = search.landing(&sha).await;
            Tested { landing, ..Tested::new(Ok(sha)) }
        }
        TestChoice::Running(sha, _) => Tested::new(Ok(sha)),
        TestChoice::Waiting(stays) => search.next(records, tip, held, stays, &mut refused).await,
    };
    Tested { stops, refused, ..decided }
}

impl Search<'_> {
    /// What keeps the tip of the branch from running here, if it was not verified.
    async fn held_tip(self, records: &Records, tip: &CommitSha) -> Result<Option<Hold>, Problem> {
        let (link, head) = (&self.input.id, &*self.input.head);
        if records.has_verified(link, tip) {
            return Ok(None);
        }
        if let Some(held) = self.input.held_tip.as_deref().filter(|_| !pipeline::has_stopped(head, tip)) {
            return Ok(Some(held.clone()));
        }
        let hold = |reason: HoldReason| {
            let hint = reason.release(link).map(|release| format!("`{release}` releases it"));
            Hold { scope: HoldScope::Link, reason, hint, until: None }
        };
        Ok(self.obstacle(tip).await?.map(hold))
    }

    /// The first requested test that is possible. Otherwise what stays, and what the tip of the branch waits for.
    async fn next(
        self,
        records: &Records,
        tip: &CommitSha,
        held: Option<Hold>,
        stays: Option<CommitSha>,
        refused: &mut Vec<(Request, String)>,
    ) -> Tested {
        let (link, head, branch) = (&self.input.id, &*self.input.head, &self.found.branch.name);
        for (request, sha) in self.input.requested_tests() {
            match self.test_of(sha, tip).await {
                Ok(Ok((sha, merge))) => {
                    let test = StartedTest { merge, from: request.by.clone(), why: request.why.clone() };
                    let test = Some(PlannedTest { test, request: Some(request.clone()) });
                    return Tested { test, ..Tested::new(Ok(sha)) };
                }
                Ok(Err(why)) => refused.push((request.clone(), why.describe())),
                Err(problem) => return Tested::failed(problem),
            }
        }
        let is_stopped = pipeline::has_stopped(head, tip) && stays.as_ref() != Some(tip);
        let stopped = || {
            let hint = format!("push a fix; `katkit test {link} {}` runs it again", tip.short());
            let reason = HoldReason::TipStopped { sha: tip.clone(), branch: branch.clone() };
            Hold { scope: HoldScope::Link, reason, hint: Some(hint), until: None }
        };
        let waits = held.or_else(|| (is_stopped && !records.has_verified(link, tip)).then(stopped));
        match (stays, waits) {
            (Some(sha), waits) => Tested { waits, ..Tested::new(Ok(sha)) },
            (None, Some(hold)) => Tested::new(Err(Box::new(hold))),
            (None, None) => {
                Tested::failed(Problem { what: "there is nothing to run".to_owned(), hint: None })
            }
        }
    }

    /// Why a test that has started cannot go on, as a lowercase fragment.
    async fn obstacle_to_running(
        self,
        sha: &CommitSha,
        merge: &TestMerge,
    ) -> Result<Option<String>, Problem> {
        if let Some(reason) = self.obstacle_to_test(sha, merge).await? {
            return Ok(Some(reason.describe()));
        }
        if merge.is_of_tip() {
            return Ok(None);
        }
        // Another machine may have made the merge.
        let again = self.sources.git.merge(self.url, &merge.base, &merge.head).await;
        let (base, head) = (merge.base.short(), merge.head.short());
        Ok(match again {
            Ok(Merged::Commit { sha: again, .. }) if again == *sha => None,
            Ok(_) => Some(format!(
                "another version of `git` merged {head} into {base} for it, with another result than here"
            )),
            Err(error) if is_gone(&error) => Some(causes::in_one_line(&error)),
            Err(error) => {
                let hint = Some(format!("`katkit cancel {}` ends the test", self.input.id));
                return Err(Problem { what: problem(&error).what, hint });
            }
        })
    }

    /// Why a merge for a test must not run here: it or its head was rejected, or a commit that only the head contains.
    /// What is wrong with the base as well may be what the head fixes.
    async fn obstacle_to_test(
        self,
        sha: &CommitSha,
        merge: &TestMerge,
    ) -> Result<Option<HoldReason>, Problem> {
        let TestMerge { head, base, tree: _ } = merge;
        if merge.is_of_tip() {
            return self.obstacle(base).await;
        }
        let itself =
            [sha, head].into_iter().find_map(|sha| plan::rejected(self.rejections, sha, &Taint::of(sha)));
        if itself.is_some() {
            return Ok(itself);
        }
        let bad: Vec<_> = self.rejections.iter().map(taint::rejection).collect();
        if bad.is_empty() {
            return Ok(None);
        }
        let git = self.sources.git;
        for sha in [head, base] {
            git.ensure(self.url, sha).await.map_err(|error| problem(&error))?;
        }
        let (mut taints, _) = taint::find(git, self.url, head, &bad).await?;
        let (below, _) = taint::find(git, self.url, base, &bad).await?;
        taints.retain(|taint| !below.iter().any(|other| other.sha == taint.sha));
        Ok(taints.iter().find_map(|taint| plan::rejected(self.rejections, head, taint)))
    }

    /// The commit to run for a test of `sha`, and what it merges; or why that is impossible.
    pub(super) async fn test_of(
        self,
        sha: &CommitSha,
        tip: &CommitSha,
    ) -> Result<Result<(CommitSha, TestMerge), Untestable>, Problem> {
        let head = &*self.input.head;
        let untestable = |reason| {
            let (sha, branch, tip) = (sha.clone(), self.found.branch.name.clone(), tip.clone());
            Ok(Err(Untestable { sha, branch, tip, reason }))
        };
        let test = match self.sources.git.merge(self.url, tip, sha).await {
            Ok(Merged::Commit { sha: merged, tree }) => {
                if let Some(passed) = head.passed_tests().find(|passed| passed.merge.tree == tree) {
                    return untestable(UntestableReason::Passed { head: passed.merge.head.clone() });
                }
                (merged, TestMerge { head: sha.clone(), base: tip.clone(), tree })
            }
            // The tip itself, once more.
            Ok(Merged::Contained { tree }) if sha == tip && pipeline::has_stopped(head, tip) => {
                (sha.clone(), TestMerge { head: sha.clone(), base: sha.clone(), tree })
            }
            Ok(Merged::Contained { .. }) => return untestable(UntestableReason::Contained),
            Ok(Merged::Conflict { paths, more }) => {
                return untestable(UntestableReason::Conflict { paths, more });
            }
            Ok(Merged::Unrelated) => return untestable(UntestableReason::Unrelated),
            // Others must not wait for it.
            Err(error) if is_gone(&error) || matches!(error, GitError::LargeMerge { .. }) => {
                return untestable(UntestableReason::Unreadable { what: causes::in_one_line(&error) });
            }
            Err(error) => return Err(problem(&error)),
        };
        match self.obstacle_to_test(&test.0, &test.1).await? {
            None => Ok(Ok(test)),
            Some(reason) => {
                let release = reason.release(&self.input.id);
                untestable(UntestableReason::Held { what: reason.describe(), release })
            }
        }
    }

    /// How a landed commit differs from what was tested, if one of the last tests was of it.
    async fn landing(self, landed: &CommitSha) -> Option<String> {
        let git = self.sources.git;
        let tests: Vec<_> = self.input.head.passed_tests().rev().take(COMPARED).collect();
        if tests.is_empty() {
            return None;
        }
        git.ensure(self.url, landed).await.ok()?;
        let merges: Vec<_> = tests.iter().map(|test| (test.sha.clone(), test.merge.head.clone())).collect();
        // Only a note depends on it.
        let Landing { number, paths, more } = git.landing(self.url, landed, &merges).await.ok()??;
        let (head, sha, paths) =
            (tests.get(number)?.merge.head.short(), landed.short(), listed(&paths, more));
        Some(format!("{head} was tested, but what landed as {sha} differs in {paths}"))
    }
}

/// Whether a commit was removed, never existed or cannot be read by anyone, so that trying again is useless.
fn is_gone(error: &GitError) -> bool {
    matches!(error, GitError::Missing { .. } | GitError::NotACommit { .. }) || error.is_of_the_commit()
}
