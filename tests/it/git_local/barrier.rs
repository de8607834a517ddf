//! Commits that must not be undone, by their trailer.

use katkit::domain::CommitSha;
use katkit::git::Repositories;

use super::{mirrors, setup};

#[tokio::test]
async fn the_newest_commit_that_must_not_be_undone_is_found_by_its_trailer() {
    let (repo, cache) = setup();
    let mirrors = mirrors(&cache);
    let commit = |text: &str| repo.commit(text, &[("a", text)]);
    let first = commit("first\n\nKatkit-Rollback: no");
    let body = commit("said\n\nthat it is not `Katkit-Rollback: no`");
    let yes = commit("yes\n\nKatkit-Rollback: yes");
    let schema = commit("schema\n\nSigned-off-by: Ana <ana@example.com>\nkatkit-rollback:  No ");
    let last = commit("last");
    let squash =
        commit("squash\n\n* schema\n\n* Katkit-Rollback: no (new table).\n\n* more\n\n---\n\nFixes: nothing");
    let of = async |from: &CommitSha, to: &CommitSha| mirrors.barrier(&repo.url(), from, to).await.unwrap();
    assert_eq!(of(&first, &last).await, Some(schema.clone()));
    assert_eq!(of(&first, &yes).await, None, "{body}");
    assert_eq!(of(&last, &squash).await, Some(squash.clone()));
    assert_eq!(of(&schema, &last).await, None);
    assert_eq!(of(&last, &first).await, None);
}
