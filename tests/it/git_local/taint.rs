//! Whether a commit still contains the change another was rolled back for.

use katkit::domain::CommitSha;
use katkit::git::{Mirrors, Repositories, Rollback, Tainted};

use super::{mirrors, setup};
use crate::git_servers::Repo;

/// A repository with a good commit, a bad commit, and one after that.
struct History {
    repo: Repo,
    cache: tempfile::TempDir,
    good: CommitSha,
    bad: CommitSha,
}

impl History {
    fn new() -> Self {
        let (repo, cache) = setup();
        let lines: String = (0..40).map(|line| format!("line {line}\n")).collect();
        let good = repo.commit("good", &[("code", &lines), ("README", "shop\n")]);
        let bad =
            repo.commit("bad", &[("code", &lines.replace("line 20\n", "line 20\n  lost\n")), ("new", "n\n")]);
        Self { repo, cache, good, bad }
    }

    /// Edits the beginning of the same file, which moves the bad lines.
    fn moves_lines(&self) -> CommitSha {
        let code = std::fs::read_to_string(self.repo.path().join("code")).unwrap();
        self.repo.commit("move", &[("code", &format!("one more\n{code}"))])
    }

    fn revert(&self, what: &str) -> CommitSha {
        self.repo.git(&["revert", "--no-edit", what]);
        self.repo.head()
    }

    async fn tainted(&self, sha: &CommitSha, cleared: &[&CommitSha]) -> Option<CommitSha> {
        self.tainted_by(sha, &self.bad, cleared).await
    }

    /// The commit that introduces the bad change.
    async fn tainted_by(
        &self,
        sha: &CommitSha,
        bad: &CommitSha,
        cleared: &[&CommitSha],
    ) -> Option<CommitSha> {
        let cleared = cleared.iter().map(|&sha| sha.clone()).collect();
        match self.judge(sha, Rollback { sha: bad.clone(), good: None, cleared }).await {
            Tainted::No => None,
            Tainted::By { suspect, through, others } => {
                assert_eq!((&suspect, others), (bad, 0));
                Some(through)
            }
            Tainted::Unknown => panic!("the commits are there"),
        }
    }

    async fn judge(&self, sha: &CommitSha, bad: Rollback) -> Tainted {
        let mirrors: Mirrors = mirrors(&self.cache);
        mirrors.tainted(&self.repo.url(), sha, &bad).await.unwrap()
    }
}

#[tokio::test]
async fn a_commit_stays_tainted_until_the_bad_change_is_reverted() {
    let history = History::new();
    let later = history.moves_lines();
    assert_eq!(history.tainted(&history.good, &[]).await, None);
    assert_eq!(history.tainted(&later, &[]).await, Some(history.bad.clone()));
    let reverted = history.revert(history.bad.as_str());
    assert_eq!(history.tainted(&reverted, &[]).await, None);
    // Reverting the revert brings the change back.
    let again = history.revert("HEAD");
    assert_eq!(history.tainted(&again, &[]).await, Some(again.clone()));
    assert_eq!(history.tainted(&history.revert("HEAD"), &[]).await, None);
}

#[tokio::test]
async fn a_revert_of_something_else_or_of_a_part_fixes_nothing() {
    let history = History::new();
    let later = history.moves_lines();
    history.revert(later.as_str());
    let part = history.repo.commit("part", &[("new", "")]);
    history.repo.git(&["rm", "--quiet", "new"]);
    let removed = history.repo.commit_all("remove");
    for sha in [part, removed] {
        assert_eq!(history.tainted(&sha, &[]).await, Some(history.bad.clone()));
    }
}

#[tokio::test]
async fn a_fixes_trailer_clears_the_taint() {
    let history = History::new();
    let bad = history.bad.as_str();
    let messages = [
        (format!("mend\n\nFixes: {} (\"bad\")\n", &bad[..12]), true),
        (format!("mend\n\nSigned-off-by: Ada <ada@example.com>\nfixes: {bad}\n"), true),
        (format!("mend\n\nFixes: {}\n", &bad[..11]), false),
        (format!("mend\n\nFixes: {bad}\n\nMore is to come.\n"), false),
        ("mend\n\nFixes: #12\n".to_owned(), false),
        (format!("mend\n\nFixes: {}\n", history.good), false),
        (format!("Fixes: {bad}\n"), false),
    ];
    for (message, mends) in messages {
        history.repo.git(&["checkout", "--quiet", "-B", "main", bad]);
        let sha = history.repo.commit(&message, &[("README", &message)]);
        let expected = if mends { None } else { Some(history.bad.clone()) };
        assert_eq!(history.tainted(&sha, &[]).await, expected, "{message}");
    }
}

#[tokio::test]
async fn a_fix_on_one_branch_does_not_clear_another() {
    let history = History::new();
    let reverted = history.revert("HEAD");
    history.repo.git(&["checkout", "--quiet", "-b", "other", history.bad.as_str()]);
    let beside = history.moves_lines();
    assert_eq!(history.tainted(&beside, &[]).await, Some(history.bad.clone()));
    history.repo.git(&["merge", "--quiet", "--no-edit", reverted.as_str()]);
    assert_eq!(history.tainted(&history.repo.head(), &[]).await, None);
}

#[tokio::test]
async fn the_same_change_is_recognized_rebased_squashed_and_merged() {
    let history = History::new();
    let repo = &history.repo;
    let start = |branch: &str| {
        repo.git(&["checkout", "--quiet", "-B", branch, history.good.as_str()]);
        history.moves_lines();
    };
    start("rebased");
    repo.git(&["cherry-pick", history.bad.as_str()]);
    let (picked, after) = (repo.head(), repo.commit("after", &[("README", "after\n")]));
    assert_eq!(history.tainted(&after, &[]).await, Some(picked.clone()));
    assert_eq!(history.tainted(&history.revert(picked.as_str()), &[]).await, None);
    repo.git(&["reset", "--quiet", "--hard", after.as_str()]);
    // It may name the rolled-back commit or the one in this history.
    for named in [&history.bad, &picked] {
        repo.git(&["reset", "--quiet", "--hard", after.as_str()]);
        let mended = repo.commit(&format!("mend\n\nFixes: {named}\n"), &[("README", "mended\n")]);
        assert_eq!(history.tainted(&mended, &[]).await, None);
    }

    // A branch of two commits: bad when merged, and brought back squashed.
    repo.git(&["checkout", "--quiet", "-B", "topic", history.good.as_str()]);
    repo.commit("one", &[("a", "1\n")]);
    repo.commit("two", &[("b", "2\n")]);
    repo.git(&["checkout", "--quiet", "-B", "merged", history.good.as_str()]);
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "topic"]);
    let merge = repo.head();
    start("squashed");
    repo.git(&["merge", "--quiet", "--squash", "topic"]);
    let squashed = repo.commit_all("squashed");
    assert_eq!(history.tainted_by(&squashed, &merge, &[]).await, Some(squashed.clone()));
    repo.git(&["checkout", "--quiet", "merged"]);
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(history.tainted_by(&repo.head(), &merge, &[]).await, None);
}

#[tokio::test]
async fn binary_files_and_whitespace_changes_are_distinguished() {
    let history = History::new();
    let repo = &history.repo;
    repo.write("logo", b"\0one");
    let bad = repo.commit_all("logo");
    repo.write("logo", b"\0two");
    let other = repo.commit_all("another logo");
    repo.git(&["rm", "--quiet", "logo"]);
    // Removes a different file than was added.
    let removed = repo.commit_all("no logo");
    assert_eq!(history.tainted_by(&removed, &bad, &[]).await, Some(bad.clone()));
    repo.git(&["reset", "--quiet", "--hard", other.as_str()]);
    history.revert("HEAD");
    assert_eq!(history.tainted_by(&history.revert(bad.as_str()), &bad, &[]).await, None);

    let indented = repo.commit("indent", &[("README", "  shop\n")]);
    let other = repo.commit("indent otherwise", &[("README", "\tshop\n")]);
    let back = repo.commit("no indent", &[("README", "shop\n")]);
    assert_eq!(history.tainted_by(&back, &indented, &[]).await, Some(indented.clone()));
    assert_eq!(history.tainted_by(&back, &other, &[]).await, Some(other.clone()));
}

#[tokio::test]
async fn a_released_commit_stays_clear_until_the_change_comes_back() {
    let history = History::new();
    let released = history.moves_lines();
    let later = history.repo.commit("later", &[("README", "later\n")]);
    for sha in [&released, &later] {
        assert_eq!(history.tainted(sha, &[&released]).await, None);
    }
    // A release does not apply to a branch beside it.
    assert_eq!(history.tainted(&released, &[&later]).await, Some(history.bad.clone()));
    history.revert(history.bad.as_str());
    let again = history.revert("HEAD");
    assert_eq!(history.tainted(&again, &[&released]).await, Some(again.clone()));
}

#[tokio::test]
async fn a_commit_missing_from_the_repository_gives_an_unknown_taint() {
    let history = History::new();
    let lost = CommitSha::new("1".repeat(40)).unwrap();
    let bad = Rollback { sha: lost.clone(), good: None, cleared: Vec::new() };
    assert_eq!(history.judge(&history.bad, bad).await, Tainted::Unknown);
    assert_eq!(history.tainted(&history.bad, &[&lost]).await, Some(history.bad.clone()));
}

/// Two commits that went live together and were rolled back together: either may be at fault.
struct Batch {
    history: History,
    first: CommitSha,
    last: CommitSha,
}

impl Batch {
    fn new() -> Self {
        let history = History::new();
        let last = history.repo.commit("last", &[("other", "1\n")]);
        Self { first: history.bad.clone(), last, history }
    }

    /// The suspect contained in a commit, and the commit that brings it.
    async fn suspect(&self, sha: &CommitSha) -> Option<(CommitSha, CommitSha)> {
        let bad =
            Rollback { sha: self.last.clone(), good: Some(self.history.good.clone()), cleared: Vec::new() };
        match self.history.judge(sha, bad).await {
            Tainted::By { suspect, through, others: 1 } => Some((suspect, through)),
            Tainted::No => None,
            other => panic!("{other:?}"),
        }
    }

    fn back_to(&self, sha: &CommitSha) {
        self.history.repo.git(&["reset", "--quiet", "--hard", sha.as_str()]);
    }
}

#[tokio::test]
async fn commits_rolled_back_together_are_each_held_until_reverted() {
    let batch = Batch::new();
    let (history, first, last) = (&batch.history, &batch.first, &batch.last);
    let itself = |sha: &CommitSha| Some((sha.clone(), sha.clone()));
    let later = history.moves_lines();
    assert_eq!(batch.suspect(&later).await, itself(last));
    // The branch was moved back to the first of the two.
    assert_eq!(batch.suspect(first).await, itself(first));
    assert_eq!(batch.suspect(&history.good).await, None);

    assert_eq!(batch.suspect(&history.revert(first.as_str())).await, itself(last));
    let both = history.revert(last.as_str());
    assert_eq!(batch.suspect(&both).await, None);
    batch.back_to(&later);
    assert_eq!(batch.suspect(&history.revert(last.as_str())).await, itself(first));

    // Both reverted in one commit.
    batch.back_to(last);
    history.repo.git(&["revert", "--no-commit", last.as_str(), first.as_str()]);
    let at_once = history.repo.commit_all("take both back");
    assert_eq!(batch.suspect(&at_once).await, None);
}

#[tokio::test]
async fn a_fix_that_names_the_rolled_back_commit_clears_the_whole_batch() {
    let batch = Batch::new();
    let (repo, last) = (&batch.history.repo, &batch.last);
    let fixes = |sha: &CommitSha| {
        batch.back_to(last);
        repo.commit(&format!("fix\n\nFixes: {sha}\n"), &[("README", "fixed\n")])
    };
    assert_eq!(batch.suspect(&fixes(last)).await, None);
    assert_eq!(batch.suspect(&fixes(&batch.first)).await, Some((last.clone(), last.clone())));
}

#[tokio::test]
async fn commits_rolled_back_together_are_recognized_squashed() {
    let batch = Batch::new();
    let repo = &batch.history.repo;
    repo.git(&["checkout", "--quiet", "-B", "squashed", batch.history.good.as_str()]);
    repo.git(&["merge", "--quiet", "--squash", batch.last.as_str()]);
    let squashed = repo.commit_all("squashed");
    assert_eq!(batch.suspect(&squashed).await, Some((batch.last.clone(), squashed.clone())));
    assert_eq!(batch.suspect(&batch.history.revert("HEAD")).await, None);
}

#[tokio::test]
async fn an_empty_commit_is_no_suspect_and_a_merge_stands_for_its_branch() {
    let history = History::new();
    let repo = &history.repo;
    repo.git(&["commit", "--quiet", "--allow-empty", "-m", "deploy it"]);
    let judge = async |sha: &CommitSha, bad: &CommitSha| {
        history
            .judge(sha, Rollback { sha: bad.clone(), good: Some(history.good.clone()), cleared: Vec::new() })
            .await
    };
    let empty = repo.head();
    assert!(
        matches!(judge(&empty, &empty).await, Tainted::By { suspect, others: 0, .. } if suspect == history.bad)
    );
    assert_eq!(judge(&history.revert(history.bad.as_str()), &empty).await, Tainted::No);

    repo.git(&["checkout", "--quiet", "-B", "topic", history.good.as_str()]);
    repo.commit("one", &[("a", "1\n")]);
    repo.commit("two", &[("b", "2\n")]);
    repo.git(&["checkout", "--quiet", "-B", "merged", history.good.as_str()]);
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "topic"]);
    let merge = repo.head();
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(judge(&repo.head(), &merge).await, Tainted::No);
}
