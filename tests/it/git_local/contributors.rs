//! Whose work commits are.

use katkit::git::Repositories;

use super::{mirrors, setup};

#[tokio::test]
async fn authors_co_authors_committers_and_mergers_are_found_between_two_commits() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("a", "1")]);
    repo.git(&["checkout", "--quiet", "-b", "side"]);
    repo.git(&[
        "commit",
        "--quiet",
        "--allow-empty",
        "--author",
        "Ben <Ben@Example.com>",
        "-m",
        "two\n\nBecause.\n\n---\n\nCo-Authored-By: Cleo <cleo@example.com>\nco-authored-by: nobody\nCo-authored-by: Someone With A Very Long Name\n <eve@example.com>\n",
    ]);
    let second = repo.git(&["rev-parse", "HEAD"]).parse().unwrap();
    repo.git(&["checkout", "--quiet", "main"]);
    repo.commit("three", &[("a", "3")]);
    repo.git(&[
        "merge",
        "--quiet",
        "--no-ff",
        "-m",
        "merge\n\nCo-authored-by: Dan <dan@example.com>",
        "side",
    ]);
    let merge = repo.git(&["rev-parse", "HEAD"]).parse().unwrap();
    let mirrors = mirrors(&cache);
    let of = async |from, to| {
        let (_, found) = mirrors.contributors(&repo.url(), from, to).await.unwrap();
        [found.authors, found.committers, found.mergers]
            .map(|part| part.into_iter().collect::<Vec<_>>().join(" "))
    };
    let all = [
        "ada@example.com ben@example.com cleo@example.com eve@example.com",
        "ada@example.com",
        "ada@example.com",
    ];
    assert_eq!(of(Some(&first), &merge).await, all);
    // Without a start, what the commit adds to its first parent.
    assert_eq!(
        of(None, &merge).await,
        ["ben@example.com cleo@example.com eve@example.com", "ada@example.com", "ada@example.com"]
    );
    assert_eq!(
        of(None, &second).await,
        ["ben@example.com cleo@example.com eve@example.com", "ada@example.com", ""]
    );
    assert_eq!(of(None, &first).await, ["ada@example.com", "ada@example.com", ""]);
    assert_eq!(of(Some(&merge), &second).await, ["", "", ""]);
    let (tree, _) = mirrors.contributors(&repo.url(), None, &merge).await.unwrap();
    assert_eq!(tree, repo.git(&["rev-parse", "HEAD^{tree}"]));
}
