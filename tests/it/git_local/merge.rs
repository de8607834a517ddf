//! Merges that only katkit has.

use std::path::Path;
use std::time::Duration;

use katkit::domain::CommitSha;
use katkit::git::{GitError, Merged, Mirrors, Repositories};
use tempfile::TempDir;

use super::setup;
use crate::git_servers::{Repo, git as run_git};

/// Merges need `git`.
fn mirrors(cache: &Path) -> Mirrors {
    Mirrors::new(cache.join("cache"))
}

fn sha(repo: &Repo, name: &str) -> CommitSha {
    repo.git(&["rev-parse", name]).parse().unwrap()
}

/// A repository whose `topic` has one commit that `main` lacks.
fn diverged() -> (Repo, TempDir) {
    let (repo, cache) = setup();
    repo.commit("first", &[("lib/a", "1\n2\n3\n4\n"), ("b", "1\n")]);
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    repo.commit("topic", &[("lib/a", "1\n2\n3\nfour\n")]);
    repo.git(&["switch", "--quiet", "main"]);
    (repo, cache)
}

#[tokio::test]
async fn every_machine_makes_the_same_merge_and_the_repository_does_not_get_it() {
    let (repo, cache) = diverged();
    let main = repo.commit("second", &[("lib/a", "one\n2\n3\n4\n")]);
    let topic = sha(&repo, "topic");
    let before = repo.git(&["count-objects", "-v"]);
    let git = mirrors(cache.path());
    let Merged::Commit { sha: merged, tree } = git.merge(&repo.url(), &main, &topic).await.unwrap() else {
        panic!()
    };
    let paths = ["lib/a".to_owned()];
    let files = git.files(&repo.url(), &merged, &paths).await.unwrap();
    assert_eq!(files, [Some(b"one\n2\n3\nfour\n".to_vec())]);
    assert_eq!(repo.git(&["count-objects", "-v"]), before);
    let into = TempDir::new().unwrap();
    let pack = git.pack(&repo.url(), &merged, u32::MAX, into.path()).await.unwrap();
    assert!(pack.pack.is_file() && pack.shallow.is_empty());

    let other = TempDir::new().unwrap();
    let file = format!("file://{}", repo.url());
    let again = mirrors(other.path()).merge(&file, &main, &topic).await.unwrap();
    assert_eq!(again, Merged::Commit { sha: merged.clone(), tree: tree.clone() });
    // A host that merges it has the same content.
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "topic"]);
    assert_eq!(repo.git(&["rev-parse", "HEAD^{tree}"]), tree.as_str());
    // What the cache lost is made again.
    std::fs::remove_dir_all(cache.path().join("cache/merges")).unwrap();
    assert!(matches!(git.files(&repo.url(), &merged, &paths).await, Err(GitError::Missing { .. })));
    git.merge(&repo.url(), &main, &topic).await.unwrap();
    git.files(&repo.url(), &merged, &paths).await.unwrap();
}

/// As `git merge` does it; libgit2 would leave the file in a folder that is gone otherwise.
#[tokio::test]
async fn a_new_file_in_a_renamed_folder_is_a_conflict() {
    let (repo, cache) = diverged();
    repo.git(&["switch", "--quiet", "topic"]);
    let topic = repo.commit("new file", &[("lib/new", "x\n")]);
    repo.git(&["switch", "--quiet", "main"]);
    repo.git(&["mv", "lib", "library"]);
    let main = repo.commit("renamed", &[]);
    let merged = mirrors(cache.path()).merge(&repo.url(), &main, &topic).await.unwrap();
    assert_eq!(merged, Merged::Conflict { paths: vec!["library/new".to_owned()], more: 0 });
}

#[tokio::test]
async fn what_cannot_be_merged_is_told_apart() {
    let (repo, cache) = diverged();
    let (main, topic) = (repo.commit("second", &[("lib/a", "1\n2\n3\nIV\n")]), sha(&repo, "topic"));
    repo.git(&["switch", "--quiet", "--orphan", "stranger"]);
    let stranger = repo.commit("stranger", &[("c", "1\n")]);
    let git = mirrors(cache.path());
    let merge = async |head| git.merge(&repo.url(), &main, head).await.unwrap();
    assert_eq!(merge(&topic).await, Merged::Conflict { paths: vec!["lib/a".to_owned()], more: 0 });
    assert_eq!(merge(&stranger).await, Merged::Unrelated);
    let first = sha(&repo, "main~1");
    assert!(matches!(merge(&first).await, Merged::Contained { .. }));
    assert!(matches!(merge(&main).await, Merged::Contained { .. }));
    let error = git.merge(&repo.url(), &main, &"1".repeat(40).parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, GitError::Missing { .. }), "{error}");
}

#[tokio::test]
async fn settings_and_attributes_of_the_repository_run_nothing() {
    let (repo, cache) = diverged();
    let ran = cache.path().join("ran");
    let driver = format!("touch {} && false", ran.display());
    repo.git(&["config", "merge.mine.driver", &driver]);
    let main =
        repo.commit("attributes", &[(".gitattributes", "* merge=mine\n"), ("lib/a", "one\n2\n3\n4\n")]);
    let merged = mirrors(cache.path()).merge(&repo.url(), &main, &sha(&repo, "topic")).await.unwrap();
    assert!(matches!(merged, Merged::Commit { .. }) && !ran.exists(), "{merged:?}");
}

#[tokio::test]
async fn a_merge_obeys_the_attributes_of_the_branch_and_nothing_of_this_machine() {
    let (repo, cache) = diverged();
    let main = repo.commit("union", &[(".gitattributes", "lib/a merge=union\n"), ("lib/a", "1\n2\n3\nIV\n")]);
    let topic = sha(&repo, "topic");
    let merged = mirrors(cache.path()).merge(&repo.url(), &main, &topic).await.unwrap();
    let Merged::Commit { tree, .. } = &merged else { panic!("{merged:?}") };
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "topic"]);
    assert_eq!(repo.git(&["rev-parse", "HEAD^{tree}"]), tree.as_str());
    // Attributes and settings for all repositories.
    let home = cache.path().join("home");
    std::fs::create_dir_all(home.join("git")).unwrap();
    std::fs::write(home.join("git/attributes"), "* -merge\n").unwrap();
    std::fs::write(home.join("git/config"), "[merge]\n  renames = false\n  default = binary\n").unwrap();
    let config = home.join("git/config").to_str().unwrap().to_owned();
    let environment = [
        ("XDG_CONFIG_HOME", home.to_str().unwrap()),
        ("GIT_CONFIG_GLOBAL", &config),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "merge.default"),
        ("GIT_CONFIG_VALUE_0", "binary"),
        ("GIT_CONFIG_PARAMETERS", "'merge.default'='binary'"),
    ];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    let other = Mirrors::new(cache.path().join("other")).with_environment(environment);
    assert_eq!(other.merge(&repo.url(), &main, &topic).await.unwrap(), merged);
    // Nor do settings of the environment decide what becomes of a renamed folder.
    repo.git(&["switch", "--quiet", "topic"]);
    let topic = repo.commit("new file", &[("lib/new", "x\n")]);
    repo.git(&["switch", "--quiet", "main"]);
    repo.git(&["mv", "lib", "library"]);
    let main = repo.commit("renamed", &[]);
    let environment = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "merge.directoryRenames"),
        ("GIT_CONFIG_VALUE_0", "false"),
    ];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    let other = Mirrors::new(cache.path().join("third")).with_environment(environment);
    let merged = other.merge(&repo.url(), &main, &topic).await.unwrap();
    assert!(matches!(merged, Merged::Conflict { .. }), "{merged:?}");
}

#[tokio::test]
async fn old_merges_are_removed_when_there_are_many() {
    let (repo, cache) = diverged();
    let main = repo.commit("second", &[("lib/a", "one\n2\n3\n4\n")]);
    let topic = sha(&repo, "topic");
    let merged = mirrors(cache.path()).merge(&repo.url(), &main, &topic).await.unwrap();
    let objects = std::fs::read_dir(cache.path().join("cache/merges")).unwrap().next().unwrap().unwrap();
    let folder = objects.path().join("objects/17");
    std::fs::create_dir_all(&folder).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_hours(31 * 24);
    for number in 0..30 {
        let object = std::fs::File::create(folder.join(format!("{number:038x}"))).unwrap();
        object.set_modified(old).unwrap();
    }
    let again = mirrors(cache.path());
    assert_eq!(again.merge(&repo.url(), &main, &topic).await.unwrap(), merged);
    assert!(!folder.exists());
    let Merged::Commit { sha, .. } = merged else { panic!() };
    again.files(&repo.url(), &sha, &["lib/a".to_owned()]).await.unwrap();
}

#[tokio::test]
async fn copies_that_lack_history_or_content_are_merged_as_well() {
    let (repo, cache) = diverged();
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let (main, topic) = (repo.commit("second", &[("lib/a", "one\n2\n3\n4\n")]), sha(&repo, "topic"));
    let expected = mirrors(cache.path()).merge(&repo.url(), &main, &topic).await.unwrap();
    let url = format!("file://{}", repo.url());
    for (name, arguments) in [("shallow", "--depth=2"), ("partial", "--filter=blob:none")] {
        let at = cache.path().join(name);
        let at = at.to_str().unwrap();
        run_git(cache.path(), &["clone", "--quiet", "--no-single-branch", arguments, &url, at]);
        let merged = mirrors(&cache.path().join(format!("{name}-cache"))).merge(at, &main, &topic).await;
        assert_eq!(merged.unwrap(), expected, "{name}");
    }
}
