//! Local repositories that libgit2 alone cannot read.

use std::fs;
use std::path::Path;

use katkit::domain::CommitSha;
use katkit::git::{self, GitError, Mirrors, RemoteProblem, Repositories, Revision, WorkTree};
use tempfile::TempDir;

use super::{hint, mirrors, setup};
use crate::git_servers::{Repo, clone, git as run_git};

/// With `git`, but without any user's configuration.
pub(super) fn with_git(cache: &TempDir) -> Mirrors {
    let environment = [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    Mirrors::new(cache.path().join("cache")).with_environment(environment)
}

/// Settings that would make `git` run programs if it used the repository's configuration.
fn set_traps(repository: &Path, trap: &Path) {
    let program = format!("touch {} && false", trap.display());
    for name in [
        "core.sshCommand",
        "core.fsmonitor",
        "core.alternateRefsCommand",
        "core.gitProxy",
        "uploadpack.packObjectsHook",
        "remote.origin.uploadpack",
    ] {
        run_git(repository, &["config", name, &program]);
    }
    for name in ["post-checkout", "pre-auto-gc", "reference-transaction"] {
        let hook = repository.join(".git/hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\n{program}\n")).unwrap();
        fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
}

/// Every operation on a repository whose three commits have 1, 2 and 3 in the file `a`.
async fn every_operation(mirrors: &Mirrors, url: &str, shas: &[CommitSha; 3], cache: &TempDir, name: &str) {
    let [first, second, third] = shas;
    assert_eq!(mirrors.tip(url, "main").await.unwrap(), *third);
    assert_eq!(mirrors.resolve(url, "main").await.unwrap(), *third);
    for sha in shas {
        mirrors.ensure(url, sha).await.unwrap();
    }
    for (sha, content) in [(first, "1"), (second, "2"), (third, "3")] {
        let files = mirrors.files(url, sha, &["a".into(), "b".into()]).await.unwrap();
        assert_eq!(files, [Some(content.as_bytes().to_vec()), None], "{name}");
    }
    assert!(mirrors.is_ancestor(url, first, third).await.unwrap());
    let commits = mirrors.commits(url, Some(first), third, &[], 5).await.unwrap();
    assert_eq!(commits.listed.len(), 2);
    assert!(mirrors.unsupported(url, third).await.unwrap().is_empty());
    let at = cache.path().join(name);
    fs::create_dir_all(at.join("pack")).unwrap();
    let packed = mirrors.pack(url, third, u32::MAX, &at.join("pack")).await.unwrap();
    git::checkout(fs::File::open(&packed.pack).unwrap(), &packed.shallow, third, &at.join("work")).unwrap();
    run_git(&at.join("work"), &["fsck", "--full", "--strict"]);
    assert_eq!(run_git(&at.join("work"), &["show", "HEAD~2:a"]), "1");
    let unknown = CommitSha::new("1".repeat(40)).unwrap();
    let error = mirrors.ensure(url, &unknown).await.unwrap_err();
    assert!(matches!(error, GitError::Missing { .. }), "{error:?}");
    let error = mirrors.tip(url, "mian").await.unwrap_err();
    assert_eq!(hint(&error), "did you mean `main`?");
}

/// Stores the references in reftable format, the default of git 3.
pub(super) fn to_reftable(repo: &Repo) {
    // `git` before 2.49 does not migrate these. An empty repository has none.
    let _ = fs::remove_dir_all(repo.path().join(".git/logs"));
    repo.git(&["refs", "migrate", "--ref-format=reftable"]);
}

fn three_commits(repo: &Repo) -> [CommitSha; 3] {
    ["1", "2", "3"].map(|content| repo.commit(content, &[("a", content)]))
}

#[tokio::test]
async fn a_reftable_repository_is_read_through_git_without_running_its_programs() {
    let (repo, cache) = setup();
    let shas = three_commits(&repo);
    to_reftable(&repo);
    let trap = cache.path().join("trap");
    set_traps(repo.path(), &trap);
    every_operation(&with_git(&cache), &repo.url(), &shas, &cache, "reftable").await;
    assert!(!trap.exists());
    let error = mirrors(&cache).tip(&repo.url(), "main").await.unwrap_err();
    assert!(matches!(error, GitError::NoGit { .. }), "{error:?}");
}

#[tokio::test]
async fn objects_missing_from_a_partial_clone_are_fetched_from_its_origin() {
    let (repo, cache) = setup();
    let [first, second, _] = three_commits(&repo);
    repo.git(&["reset", "--quiet", "--hard", second.as_str()]);
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let file = format!("file://{}", repo.url());
    let trap = cache.path().join("trap");
    for filter in ["blob:none", "tree:0"] {
        let name = filter.replace(':', "-");
        let part = cache.path().join(&name);
        run_git(
            cache.path(),
            &["clone", "--quiet", &format!("--filter={filter}"), &file, part.to_str().unwrap()],
        );
        // A commit that exists only in this clone.
        fs::write(part.join("a"), "3").unwrap();
        run_git(&part, &["commit", "--quiet", "--all", "-m", "three"]);
        let third = CommitSha::new(run_git(&part, &["rev-parse", "HEAD"])).unwrap();
        set_traps(&part, &trap);
        let shas = [first.clone(), second.clone(), third];
        every_operation(&with_git(&cache), part.to_str().unwrap(), &shas, &cache, &format!("{name}-out"))
            .await;
    }
    assert!(!trap.exists());
}

#[tokio::test]
async fn a_partial_clone_without_its_origin_is_not_suggested_for_removal() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("a", "1")]);
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let (file, part) = (format!("file://{}", repo.url()), cache.path().join("part"));
    let to = part.to_str().unwrap();
    run_git(cache.path(), &["clone", "--quiet", "--no-checkout", "--filter=blob:none", &file, to]);
    for url in ["/nowhere/shop", "ext::touch /tmp/trap", "--upload-pack=touch"] {
        run_git(&part, &["config", "remote.origin.url", url]);
        let error = with_git(&cache).ensure(to, &sha).await.unwrap_err();
        assert!(matches!(error, GitError::Remote { .. } | GitError::Url { .. }), "{error:?}");
        assert!(!hint(&error).contains("remove"), "{}", hint(&error));
    }
}

#[tokio::test]
async fn a_users_damaged_repository_is_not_suggested_for_removal() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("a", "1")]);
    let blob = repo.git(&["rev-parse", "HEAD:a"]);
    fs::remove_file(repo.path().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let error = mirrors(&cache).files(&repo.url(), &sha, &["a".into()]).await.unwrap_err();
    assert!(matches!(error, GitError::Damaged { .. }), "{error:?}");
    assert_eq!(
        hint(&error),
        format!(
            "`git fsck` in {} lists what else is missing; `git fetch` or a fresh clone restores it",
            repo.url()
        )
    );
}

#[tokio::test]
async fn a_sha_256_repository_is_refused_however_it_is_read() {
    let (_, cache) = setup();
    for format in ["files", "reftable"] {
        let at = cache.path().join(format);
        let to = at.to_str().unwrap();
        let references = format!("--ref-format={format}");
        run_git(cache.path(), &["init", "--quiet", "--object-format=sha256", &references, to]);
        run_git(&at, &["commit", "--quiet", "--allow-empty", "-m", "one"]);
        let mirrors = with_git(&cache);
        for error in [
            mirrors.tip(to, "main").await.unwrap_err(),
            mirrors.ensure(to, &CommitSha::new("1".repeat(40)).unwrap()).await.unwrap_err(),
        ] {
            let said = format!("the repository {to} uses SHA-256 object ids, which are not supported");
            assert_eq!(error.to_string(), said);
            assert!(hint(&error).contains("--object-format=sha1"), "{}", hint(&error));
        }
    }
}

#[tokio::test]
async fn a_work_tree_linked_by_relative_paths_is_read_in_place() {
    let (repo, cache) = setup();
    let shas = three_commits(&repo);
    let linked = cache.path().join("linked");
    repo.git(&["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
    // As created by `git worktree add --relative-paths` (git 2.48).
    let relative = |from: &Path, to: &Path| {
        let up = "../".repeat(from.components().count() - 1);
        format!("{up}{}", to.strip_prefix("/").unwrap().display())
    };
    let (linked, own) =
        (linked.canonicalize().unwrap(), repo.path().canonicalize().unwrap().join(".git/worktrees/linked"));
    fs::write(linked.join(".git"), format!("gitdir: {}\n", relative(&linked, &own))).unwrap();
    fs::write(own.join("gitdir"), format!("{}\n", relative(&own, &linked.join(".git")))).unwrap();
    repo.git(&["config", "core.repositoryFormatVersion", "1"]);
    repo.git(&["config", "extensions.relativeWorktrees", "true"]);
    for at in [&linked, &repo.path().to_owned()] {
        let name = at.file_name().unwrap().to_str().unwrap();
        every_operation(&mirrors(&cache), at.to_str().unwrap(), &shas, &cache, &format!("{name}-out")).await;
    }
}

#[tokio::test]
async fn a_refused_submodule_at_a_local_path_names_the_setting_that_allows_it() {
    let (repo, cache) = setup();
    let library = Repo::new();
    library.commit("one", &[("x", "1")]);
    repo.git(&["submodule", "--quiet", "add", &library.url(), "lib"]);
    let sha = repo.commit_all("one");
    let environment = [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")];
    let environment = environment.map(|(name, value)| (name.into(), value.into()));
    let error = clone(&repo.url(), &sha, 1, &cache.path().join("clone"), &environment).unwrap_err();
    assert!(matches!(error, GitError::Remote { problem: RemoteProblem::Forbidden, .. }), "{error:?}");
    assert!(error.to_string().contains("protocol.file.allow"), "{error}");
    assert!(hint(&error).contains("GIT_CONFIG_KEY_0=protocol.file.allow"), "{}", hint(&error));
    let allow = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "protocol.file.allow"),
        ("GIT_CONFIG_VALUE_0", "always"),
    ];
    let allow = allow.map(|(name, value)| (name.into(), value.into()));
    let into = cache.path().join("allowed");
    clone(&repo.url(), &sha, 1, &into, &[&environment[..], &allow].concat()).unwrap();
    assert_eq!(fs::read_to_string(into.join("lib/x")).unwrap(), "1");
}

#[test]
fn revisions_of_a_reftable_work_tree_are_read() {
    let repo = Repo::new();
    repo.commit("one", &[("katkit.toml", "1"), ("x/a.toml", "2")]);
    repo.commit("two", &[("katkit.toml", "3")]);
    to_reftable(&repo);
    let root = repo.path().canonicalize().unwrap();
    let revision = Revision::open(&root, "main~1").unwrap();
    assert_eq!(revision.read(&root.join("katkit.toml"), |_| Ok(())).unwrap(), b"1");
    assert_eq!(revision.files(&root.join("x")).unwrap(), [root.join("x/a.toml")]);
    for unknown in ["mian", "--help"] {
        let error = Revision::open(&root, unknown).unwrap_err();
        assert!(matches!(error, GitError::Unknown { .. }), "{error:?}");
    }
    let around = WorkTree::around(&root.join("x")).unwrap();
    assert_eq!((around.root.as_str(), around.folder.as_str()), ("..", "x"));
}
