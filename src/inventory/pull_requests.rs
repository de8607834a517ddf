//! What a link runs next that tests pull requests: the merge of the first of them that can be merged.

use super::candidates::Search;
use super::problem::problem;
use crate::causes;
use crate::domain::{CommitSha, Head, Request, RequestKind, StartedTest, TestMerge};
use crate::git::{GitError, Landing, Merged, Repositories};
use crate::pipeline::{self, Records, TestChoice, TestQuestion};
use crate::plan::{Hold, HoldReason, HoldScope, PlannedTest, Problem};

/// With how many of the last tests a landed commit is compared.
const COMPARED: usize = 10;

/// How many paths a note names.
const NAMED: usize = 5;

/// What was decided for such a link.
#[derive(Debug)]
pub(super) struct Tested {
    pub(super) want: Result<CommitSha, Box<Hold>>,
    /// The test that `want` is the merge of.
    pub(super) test: Option<PlannedTest>,
    /// Requests for tests that are impossible, each with the reason.
    pub(super) refused: Vec<(Request, String)>,
    /// What keeps the tip of the branch from being verified here, while nothing else is wanted.
    pub(super) waits: Option<Hold>,
    /// How `want` differs from what was tested before it landed.
    pub(super) landing: Option<String>,
}

impl Tested {
    fn new(want: Result<CommitSha, Box<Hold>>) -> Self {
        Self { want, test: None, refused: Vec::new(), waits: None, landing: None }
    }
}

/// Decides what the link of `search` runs next.
pub(super) async fn decide(search: Search<'_>, records: &Records) -> Tested {
    let failed = |problem: Problem| Tested::new(Err(Box::new(problem.into())));
    let (input, branch) = (search.input, &*search.found.branch);
    let (link, head) = (&input.id, &*input.head);
    let Some(tip) = branch.tip() else {
        return failed(Problem { what: "its branch has no commit".to_owned(), hint: None });
    };
    let is_open = !records.has_verified(link, tip) && !pipeline::has_stopped(head, tip);
    let hold = |reason, hint: Option<String>| Hold { scope: HoldScope::Link, reason, hint, until: None };
    let held = match (is_open, &input.held_tip) {
        (true, Some(held)) => Some(Hold::clone(held)),
        (true, None) => match search.obstacle(tip).await {
            Ok(Some(reason)) => {
                let hint = reason.release(link).map(|release| format!("`{release}` releases it"));
                Some(hold(reason, hint))
            }
            Ok(None) => None,
            Err(problem) => return failed(problem),
        },
        (false, _) => None,
    };
    let last = head.run.as_ref().map(|run| &run.sha);
    let is_retry = |request: &Request| {
        let (RequestKind::Retry { sha, .. } | RequestKind::Release { sha }) = &request.ask else {
            return false;
        };
        Some(sha) == last
    };
    let question = TestQuestion {
        link,
        head,
        records,
        branch,
        retries: input.requests.iter().any(is_retry),
        tip_is_held: held.is_some(),
    };
    let landed = |sha| Tested::new(Ok(sha));
    let stays = match pipeline::choose_test(&question) {
        TestChoice::Landed(sha) => {
            let landing = landing(search, &sha).await;
            return Tested { landing, ..landed(sha) };
        }
        TestChoice::Running(sha, test) => {
            // Another machine may have made the merge.
            let TestMerge { head, base, tree: _ } = &test.merge;
            if let Err(error) = search.sources.git.merge(search.url, base, head).await {
                return failed(problem(&error));
            }
            return Tested { test: Some(PlannedTest { test: *test, request: None }), ..landed(sha) };
        }
        TestChoice::Waiting(stays) => stays,
    };
    let mut refused = Vec::new();
    for (request, sha) in input.requested_tests() {
        match test_of((search.sources.git, search.url), head, (&branch.name, tip), sha).await {
            Ok(Ok((sha, merge))) => {
                let test = StartedTest { merge, from: request.by.clone(), why: request.why.clone() };
                let test = Some(PlannedTest { test, request: Some(request.clone()) });
                return Tested { test, refused, ..landed(sha) };
            }
            Ok(Err(why)) => refused.push((request.clone(), why)),
            Err(error) => return Tested { refused, ..failed(problem(&error)) },
        }
    }
    let is_stopped = pipeline::has_stopped(head, tip) && stays.as_ref() != Some(tip);
    let waits = match held {
        Some(held) => Some(held),
        None if is_stopped && !records.has_verified(link, tip) => {
            let (sha, branch) = (tip.clone(), branch.name.clone());
            let hint = format!("push a fix; `katkit test {link} {}` runs it again", sha.short());
            Some(hold(HoldReason::TipStopped { sha, branch }, Some(hint)))
        }
        None => None,
    };
    match (stays, waits) {
        (Some(sha), waits) => Tested { refused, waits, ..landed(sha) },
        (None, Some(hold)) => Tested { refused, ..Tested::new(Err(Box::new(hold))) },
        (None, None) => {
            Tested { refused, ..failed(Problem { what: "there is nothing to run".to_owned(), hint: None }) }
        }
    }
}

/// How a landed commit differs from what was tested, if one of the last tests was of it.
async fn landing(search: Search<'_>, landed: &CommitSha) -> Option<String> {
    let git = search.sources.git;
    let tests: Vec<_> = search.input.head.passed_tests().rev().take(COMPARED).collect();
    if tests.is_empty() {
        return None;
    }
    git.ensure(search.url, landed).await.ok()?;
    let merges: Vec<_> = tests.iter().map(|test| (test.sha.clone(), test.merge.head.clone())).collect();
    // Only a note depends on it.
    let Landing { number, paths, more } = git.landing(search.url, landed, &merges).await.ok()??;
    let head = &tests.get(number)?.merge.head;
    let mut names: Vec<_> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
    match more + paths.len() - names.len() {
        0 if names.is_empty() => names.push("many files".to_owned()),
        0 => {}
        more => names.push(format!("{more} more")),
    }
    let (sha, head) = (landed.short(), head.short());
    Some(format!("{head} was tested, but what landed as {sha} differs in {}", names.join(", ")))
}

/// The commit to run for a test of `sha`, and what it merges; or why that is impossible, as a lowercase fragment.
///
/// `head` is the record of the link, and `tip` that of the home branch.
pub async fn test_of(
    (git, url): (&dyn Repositories, &str),
    head: &Head,
    (branch, tip): (&str, &CommitSha),
    sha: &CommitSha,
) -> Result<Result<(CommitSha, TestMerge), String>, GitError> {
    let why = match git.merge(url, tip, sha).await {
        Ok(Merged::Commit { sha: merged, tree }) => {
            let Some(passed) = head.passed_tests().find(|passed| passed.merge.tree == tree) else {
                return Ok(Ok((merged, TestMerge { head: sha.clone(), base: tip.clone(), tree })));
            };
            match passed.merge.head == *sha {
                true => format!("its test has passed, and `{branch}` has not changed since"),
                false => {
                    format!("the test of {}, with the same content, has passed", passed.merge.head.short())
                }
            }
        }
        // The tip itself, once more.
        Ok(Merged::Contained { tree }) if sha == tip && pipeline::has_stopped(head, tip) => {
            return Ok(Ok((sha.clone(), TestMerge { head: sha.clone(), base: sha.clone(), tree })));
        }
        Ok(Merged::Contained { .. }) => format!("`{branch}` contains {} already", sha.short()),
        Ok(Merged::Conflict { paths }) => {
            let paths: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
            let paths = paths.join(", ");
            format!("{} conflicts with {}, the tip of `{branch}`, in {paths}", sha.short(), tip.short())
        }
        Ok(Merged::Unrelated) => format!("{} has no history in common with `{branch}`", sha.short()),
        // It was removed or never existed, or is larger than anything that can be merged. Others must not wait for it.
        Err(
            error @ (GitError::Missing { .. } | GitError::NotACommit { .. } | GitError::NotMerged { .. }),
        ) => causes::in_one_line(&error),
        Err(error) if error.is_of_the_commit() => causes::in_one_line(&error),
        Err(error) => return Err(error),
    };
    Ok(Err(why))
}
