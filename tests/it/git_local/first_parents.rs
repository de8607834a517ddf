//! The first-parent history of a branch.

use std::collections::BTreeMap;

use katkit::domain::{CommitSha, TreeId};
use katkit::git::{BesideBranch, FirstParents, GitError, Mirrors, Repositories};

use super::{mirrors, setup};
use crate::git_servers::Repo;

async fn read(mirrors: &Mirrors, repo: &Repo, until: &[&CommitSha]) -> FirstParents {
    let until: Vec<_> = until.iter().map(|&sha| sha.clone()).collect();
    mirrors.first_parents(&repo.url(), &repo.head(), &until).await.unwrap()
}

fn beside(merged_by: Option<usize>, forked_from: Option<usize>) -> BesideBranch {
    BesideBranch { merged_by, forked_from }
}

/// Merges `other` into the current branch, in a commit of its own.
fn merge(repo: &Repo, other: &str) -> CommitSha {
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", other]);
    repo.head()
}

#[tokio::test]
async fn it_reaches_from_the_tip_to_the_oldest_commit_of_interest() {
    let (repo, cache) = setup();
    let mirrors = mirrors(&cache);
    let [first, second, third] = ["1", "2", "3"].map(|content| repo.commit(content, &[("a", content)]));
    let found = read(&mirrors, &repo, &[&second, &third]).await;
    assert_eq!(found.commits, [third.clone(), second.clone()]);
    let tree = |sha: &CommitSha| TreeId::new(repo.git(&["rev-parse", &format!("{sha}^{{tree}}")])).unwrap();
    assert_eq!((found.trees, found.others), (vec![tree(&third), tree(&second)], BTreeMap::new()));
    let everything = read(&mirrors, &repo, &[&first]).await;
    assert_eq!(everything.commits, [third, second, first]);
}

#[tokio::test]
async fn a_merged_commit_is_as_old_as_the_merge_that_brought_it_in() {
    let (repo, cache) = setup();
    let mirrors = mirrors(&cache);
    let first = repo.commit("first", &[("a", "1")]);
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    let topic = repo.commit("topic", &[("b", "1")]);
    repo.git(&["switch", "--quiet", "main"]);
    let second = repo.commit("second", &[("a", "2")]);
    let merged = merge(&repo, "topic");
    let last = repo.commit("last", &[("a", "3")]);
    let found = read(&mirrors, &repo, &[&topic, &first]).await;
    assert_eq!(found.commits, [last, merged, second, first]);
    assert_eq!(found.others, BTreeMap::from([(topic, beside(Some(1), Some(3)))]));
}

#[tokio::test]
async fn a_tip_that_became_a_second_parent_is_older_than_the_merge() {
    let (repo, cache) = setup();
    let mirrors = mirrors(&cache);
    let first = repo.commit("first", &[("a", "1")]);
    let tip = repo.commit("tip", &[("a", "2")]);
    // As `git pull` of a colleague does who pushes the result.
    repo.git(&["switch", "--quiet", "--create", "colleague", first.as_str()]);
    let other = repo.commit("other", &[("b", "1")]);
    let pulled = merge(&repo, "main");
    let found = read(&mirrors, &repo, &[&tip]).await;
    assert_eq!(found.commits, [pulled, other, first]);
    assert_eq!(found.others, BTreeMap::from([(tip, beside(Some(0), Some(2)))]));
}

#[tokio::test]
async fn commits_that_the_branch_or_the_repository_lacks_are_left_out() {
    let (repo, cache) = setup();
    let mirrors = mirrors(&cache);
    let first = repo.commit("first", &[("a", "1")]);
    let rewritten = repo.commit("second", &[("a", "2")]);
    repo.git(&["reset", "--quiet", "--hard", first.as_str()]);
    let second = repo.commit("another second", &[("a", "3")]);
    let unknown = CommitSha::new("1".repeat(40)).unwrap();
    let found = read(&mirrors, &repo, &[&rewritten, &unknown]).await;
    assert_eq!(found.commits, [second, first]);
    assert_eq!(found.others, BTreeMap::from([(rewritten, beside(None, Some(1)))]));
    let error = mirrors.first_parents(&repo.url(), &unknown, &[]).await.unwrap_err();
    assert!(matches!(error, GitError::Missing { .. }), "{error:?}");
}
