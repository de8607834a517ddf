//! Whether a commit still has what another was rolled back for.

use katkit::domain::CommitSha;
use katkit::git::{Bad, Mirrors, Repositories, Tainted};

use super::{mirrors, setup};
use crate::git_servers::Repo;

/// A repository with a good commit, a bad one, and one after that.
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

    /// Changes the beginning of the same file.
    fn moves_lines(&self) -> CommitSha {
        let code = std::fs::read_to_string(self.repo.path().join("code")).unwrap();
        self.repo.commit("move", &[("code", &format!("one more\n{code}"))])
    }

    fn revert(&self, what: &str) -> CommitSha {
        self.repo.git(&["revert", "--no-edit", what]);
        self.repo.head()
    }

    async fn tainted(&self, sha: &CommitSha, cleared: &[&CommitSha]) -> Tainted {
        self.tainted_by(sha, &self.bad, cleared).await
    }

    async fn tainted_by(&self, sha: &CommitSha, bad: &CommitSha, cleared: &[&CommitSha]) -> Tainted {
        let mirrors: Mirrors = mirrors(&self.cache);
        let bad = Bad { sha: bad.clone(), cleared: cleared.iter().map(|&sha| sha.clone()).collect() };
        mirrors.tainted(&self.repo.url(), sha, &bad).await.unwrap()
    }
}

fn by(sha: &CommitSha) -> Tainted {
    Tainted::By { through: sha.clone() }
}

#[tokio::test]
async fn a_commit_has_what_is_wrong_with_an_earlier_one_until_that_is_reverted() {
    let history = History::new();
    let later = history.moves_lines();
    assert_eq!(history.tainted(&history.good, &[]).await, Tainted::No);
    assert_eq!(history.tainted(&later, &[]).await, by(&history.bad));
    let reverted = history.revert(history.bad.as_str());
    assert_eq!(history.tainted(&reverted, &[]).await, Tainted::No);
    // The revert is reverted: there it is again.
    let again = history.revert("HEAD");
    assert_eq!(history.tainted(&again, &[]).await, by(&again));
    assert_eq!(history.tainted(&history.revert("HEAD"), &[]).await, Tainted::No);
}

#[tokio::test]
async fn a_revert_of_something_else_or_of_a_part_mends_nothing() {
    let history = History::new();
    let later = history.moves_lines();
    history.revert(later.as_str());
    let part = history.repo.commit("part", &[("new", "")]);
    history.repo.git(&["rm", "--quiet", "new"]);
    let removed = history.repo.commit_all("remove");
    for sha in [part, removed] {
        assert_eq!(history.tainted(&sha, &[]).await, by(&history.bad));
    }
}

#[tokio::test]
async fn a_commit_that_says_it_fixes_the_bad_one_mends_it() {
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
        let expected = if mends { Tainted::No } else { by(&history.bad) };
        assert_eq!(history.tainted(&sha, &[]).await, expected, "{message}");
    }
}

#[tokio::test]
async fn a_branch_beside_the_one_that_mends_is_not_mended() {
    let history = History::new();
    let reverted = history.revert("HEAD");
    history.repo.git(&["checkout", "--quiet", "-b", "other", history.bad.as_str()]);
    let beside = history.moves_lines();
    assert_eq!(history.tainted(&beside, &[]).await, by(&history.bad));
    history.repo.git(&["merge", "--quiet", "--no-edit", reverted.as_str()]);
    assert_eq!(history.tainted(&history.repo.head(), &[]).await, Tainted::No);
}

#[tokio::test]
async fn the_same_change_is_found_rebased_squashed_and_in_a_merge() {
    let history = History::new();
    let repo = &history.repo;
    let start = |branch: &str| {
        repo.git(&["checkout", "--quiet", "-B", branch, history.good.as_str()]);
        history.moves_lines();
    };
    start("rebased");
    repo.git(&["cherry-pick", history.bad.as_str()]);
    let (picked, after) = (repo.head(), repo.commit("after", &[("README", "after\n")]));
    assert_eq!(history.tainted(&after, &[]).await, by(&picked));
    assert_eq!(history.tainted(&history.revert(picked.as_str()), &[]).await, Tainted::No);
    repo.git(&["reset", "--quiet", "--hard", after.as_str()]);
    // It may name the one that was rolled back, or the one that is here.
    for named in [&history.bad, &picked] {
        repo.git(&["reset", "--quiet", "--hard", after.as_str()]);
        let mended = repo.commit(&format!("mend\n\nFixes: {named}\n"), &[("README", "mended\n")]);
        assert_eq!(history.tainted(&mended, &[]).await, Tainted::No);
    }

    // A branch of two commits: merged it was bad, and squashed it comes back.
    repo.git(&["checkout", "--quiet", "-B", "topic", history.good.as_str()]);
    repo.commit("one", &[("a", "1\n")]);
    repo.commit("two", &[("b", "2\n")]);
    repo.git(&["checkout", "--quiet", "-B", "merged", history.good.as_str()]);
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "topic"]);
    let merge = repo.head();
    start("squashed");
    repo.git(&["merge", "--quiet", "--squash", "topic"]);
    let squashed = repo.commit_all("squashed");
    assert_eq!(history.tainted_by(&squashed, &merge, &[]).await, by(&squashed));
    repo.git(&["checkout", "--quiet", "merged"]);
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(history.tainted_by(&repo.head(), &merge, &[]).await, Tainted::No);
}

#[tokio::test]
async fn binary_files_and_whitespace_are_told_apart() {
    let history = History::new();
    let repo = &history.repo;
    repo.write("logo", b"\0one");
    let bad = repo.commit_all("logo");
    repo.write("logo", b"\0two");
    let other = repo.commit_all("another logo");
    repo.git(&["rm", "--quiet", "logo"]);
    // Another file is removed than was added.
    let removed = repo.commit_all("no logo");
    assert_eq!(history.tainted_by(&removed, &bad, &[]).await, by(&bad));
    repo.git(&["reset", "--quiet", "--hard", other.as_str()]);
    history.revert("HEAD");
    assert_eq!(history.tainted_by(&history.revert(bad.as_str()), &bad, &[]).await, Tainted::No);

    let indented = repo.commit("indent", &[("README", "  shop\n")]);
    let other = repo.commit("indent otherwise", &[("README", "\tshop\n")]);
    let back = repo.commit("no indent", &[("README", "shop\n")]);
    assert_eq!(history.tainted_by(&back, &indented, &[]).await, by(&indented));
    assert_eq!(history.tainted_by(&back, &other, &[]).await, by(&other));
}

#[tokio::test]
async fn what_was_cleared_stays_so_and_what_brings_it_back_does_not() {
    let history = History::new();
    let released = history.moves_lines();
    let later = history.repo.commit("later", &[("README", "later\n")]);
    for sha in [&released, &later] {
        assert_eq!(history.tainted(sha, &[&released]).await, Tainted::No);
    }
    // On a branch beside it nothing is cleared.
    assert_eq!(history.tainted(&released, &[&later]).await, by(&history.bad));
    history.revert(history.bad.as_str());
    let again = history.revert("HEAD");
    assert_eq!(history.tainted(&again, &[&released]).await, by(&again));
}

#[tokio::test]
async fn a_commit_that_the_repository_lost_is_not_known() {
    let history = History::new();
    let lost = CommitSha::new("1".repeat(40)).unwrap();
    assert_eq!(history.tainted_by(&history.bad, &lost, &[]).await, Tainted::Unknown);
    assert_eq!(history.tainted(&history.bad, &[&lost]).await, by(&history.bad));
}
