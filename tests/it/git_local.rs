//! Repositories on this machine: read in place, and copied into phases.

mod barrier;
mod contributors;
mod first_parents;
mod formats;
mod merge;
mod phases;
mod repack;
mod taint;

use std::fs;
use std::os::unix::fs::symlink;

use katkit::domain::CommitSha;
use katkit::git::{GitError, Mirrors, Repositories};
use tempfile::TempDir;

use crate::git_servers::{Repo, git as run_git};

fn mirrors(cache: &TempDir) -> Mirrors {
    // No `git` in the path: nothing local may need it.
    Mirrors::new(cache.path().join("cache")).with_environment(vec![("PATH".into(), "/nonexistent".into())])
}

fn setup() -> (Repo, TempDir) {
    (Repo::new(), TempDir::new().unwrap())
}

fn hint(error: &GitError) -> String {
    error.hint().unwrap_or_default()
}

#[tokio::test]
async fn tips_are_read_by_path_and_file_url_from_work_trees_and_bare_repositories() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("a", "1")]);
    repo.git(&["branch", "release/1"]);
    let second = repo.commit("two", &[("a", "2")]);
    let bare = cache.path().join("bare one.git");
    run_git(cache.path(), &["clone", "--quiet", "--bare", &repo.url(), bare.to_str().unwrap()]);
    let encoded = format!("file://{}", bare.display()).replace(' ', "%20");
    for url in [repo.url(), format!("file://{}", repo.url()), bare.display().to_string(), encoded] {
        let tips = mirrors(&cache).tips(&url, &["main".into(), "release/1".into()]).await.unwrap();
        assert_eq!(*tips["main"].as_ref().unwrap(), second);
        assert_eq!(*tips["release/1"].as_ref().unwrap(), first);
    }
    assert!(!cache.path().join("cache").exists(), "a local repository needs no mirror");
}

#[tokio::test]
async fn a_missing_branch_does_not_affect_others() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("a", "1")]);
    // A branch name that resolves to something else.
    fs::write(repo.path().join(".git/refs/heads/file"), format!("{}\n", repo.blob(b"x"))).unwrap();
    let tips =
        mirrors(&cache).tips(&repo.url(), &["file".into(), "main".into(), "mian".into()]).await.unwrap();
    assert_eq!(*tips["main"].as_ref().unwrap(), sha);
    assert!(matches!(tips["mian"], Err(GitError::NoBranch { .. })));
    assert!(matches!(tips["file"], Err(GitError::NotACommit { .. })), "{tips:?}");
}

#[tokio::test]
async fn a_missing_branch_is_answered_with_similar_names() {
    let (repo, cache) = setup();
    repo.commit("one", &[("a", "1")]);
    for wrong in ["mian", "a..b", "nothing-alike"] {
        let error = mirrors(&cache).tip(&repo.url(), wrong).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{} has no branch `{wrong}`", repo.url()));
        assert_eq!(hint(&error), if wrong == "mian" { "did you mean `main`?" } else { "" });
    }
}

#[tokio::test]
async fn a_path_without_a_repository_is_an_error() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("sub/a", "1")]);
    let mirrors = mirrors(&cache);

    let gone = format!("{}-gone", repo.url());
    let error = mirrors.ensure(&gone, &sha).await.unwrap_err();
    assert_eq!(error.to_string(), format!("there is no repository at {gone}: the path does not exist"));

    let inside = format!("{}/sub", repo.url());
    let error = mirrors.ensure(&inside, &sha).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{inside} is not a git repository"));
    assert!(hint(&error).contains(&repo.url()), "{}", hint(&error));

    let other = cache.path().join("empty");
    fs::create_dir(&other).unwrap();
    let error = mirrors.ensure(other.to_str().unwrap(), &sha).await.unwrap_err();
    assert!(matches!(error, GitError::NotARepository { inside: None, .. }), "{error:?}");
}

#[tokio::test]
async fn a_repository_that_disappears_while_in_use_is_an_error() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("a", "1")]);
    let mirrors = mirrors(&cache);
    mirrors.ensure(&repo.url(), &sha).await.unwrap();
    fs::rename(repo.path(), cache.path().join("elsewhere")).unwrap();
    let error = mirrors.files(&repo.url(), &sha, &["a".into()]).await.unwrap_err();
    assert!(matches!(error, GitError::Vanished { .. }), "{error:?}");
}

#[tokio::test]
async fn another_users_repository_is_refused_with_a_hint_how_to_trust_it() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("a", "1")]);
    // Only root can change the owner of a repository; other users can only check the message.
    let error = if rustix::process::geteuid().is_root() {
        let chown =
            std::process::Command::new("chown").args(["-R", "65534"]).arg(repo.path()).status().unwrap();
        assert!(chown.success());
        mirrors(&cache).ensure(&repo.url(), &sha).await.unwrap_err()
    } else {
        eprintln!("not root: that libgit2 refuses another user's repository is not checked");
        GitError::NotOwned { place: repo.url() }
    };
    assert!(matches!(error, GitError::NotOwned { .. }), "{error:?}");
    assert!(hint(&error).contains("safe.directory"), "{}", hint(&error));
}

#[tokio::test]
async fn files_are_read_without_a_checkout() {
    let (repo, cache) = setup();
    repo.write("binary", b"\0\xff\r\n");
    let sha = repo.commit("one", &[("a/b/c.txt", "deep"), ("empty", "")]);
    repo.commit("two", &[("a/b/c.txt", "later")]);
    let paths = ["a/b/c.txt", "missing", "a/missing/x", "empty", "binary", "empty/x"].map(String::from);
    let files = mirrors(&cache).files(&repo.url(), &sha, &paths).await.unwrap();
    let expected: [Option<&[u8]>; 6] = [Some(b"deep"), None, None, Some(b""), Some(b"\0\xff\r\n"), None];
    assert_eq!(files.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_path_that_is_not_a_plain_file_is_an_error_that_says_what_it_is() {
    let (repo, cache) = setup();
    let module = Repo::new();
    module.commit("m", &[("x", "x")]);
    repo.write("real/a", b"1");
    repo.write("huge", &vec![b'x'; (1 << 20) + 1]);
    repo.write("largest", &vec![b'x'; 1 << 20]);
    symlink("real", repo.path().join("folder")).unwrap();
    symlink("/etc/passwd", repo.path().join("file")).unwrap();
    repo.git(&["submodule", "--quiet", "add", &module.url(), "module"]);
    let sha = repo.commit_all("one");
    let (mirrors, url) = (mirrors(&cache), repo.url());
    let short = sha.short();
    for (path, sentence) in [
        ("folder/a", format!("`folder` at {short} is a symbolic link, which is not followed")),
        ("file", format!("`file` at {short} is a symbolic link, which is not followed")),
        ("module/x", format!("`module` at {short} is a submodule, whose files are not in this repository")),
        ("real", format!("`real` at {short} is a folder, not a file")),
        ("huge", format!("`huge` at {short} has 1048577 bytes; the limit is 1048576")),
    ] {
        let error = mirrors.files(&url, &sha, &[path.into()]).await.unwrap_err();
        assert_eq!(error.to_string(), sentence);
    }
    assert!(mirrors.files(&url, &sha, &["largest".into()]).await.unwrap()[0].is_some());
    let unsupported = mirrors.unsupported(&url, &sha).await.unwrap();
    assert_eq!(unsupported.submodules, ["module"]);
    for (folder, exists) in [("", true), ("real", true), ("real/a", false), ("nothing", false)] {
        assert_eq!(mirrors.folder_exists(&url, &sha, folder).await.unwrap(), exists, "{folder}");
    }
    assert!(mirrors.folder_exists(&url, &sha, "folder").await.is_err());
}

#[tokio::test]
async fn lfs_is_reported_only_for_files_stored_in_lfs() {
    let (repo, cache) = setup();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let none = repo.commit("one", &[("a/.gitattributes", "*.psd filter=lfs -text\n"), ("b/x.psd", pointer)]);
    let some = repo.commit("two", &[("a/deep/x.psd", pointer)]);
    let mirrors = mirrors(&cache);
    assert!(mirrors.unsupported(&repo.url(), &none).await.unwrap().is_empty());
    assert_eq!(mirrors.unsupported(&repo.url(), &some).await.unwrap().lfs, ["a/deep/x.psd"]);
}

#[tokio::test]
async fn commits_between_two_are_listed_newest_first_with_the_number_left_out() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("web/a", "1")]);
    let second = repo.commit("two\n\nbody", &[("api/a", "1")]);
    let third = repo.commit("thr\x1b[31mee", &[("web/a", "2")]);
    let (mirrors, url) = (mirrors(&cache), repo.url());
    let listed = mirrors.commits(&url, Some(&first), &third, &[], 10).await.unwrap();
    let lines: Vec<_> = listed.listed.iter().map(|line| (&line.sha, line.subject.as_str())).collect();
    assert_eq!(lines, [(&third, "thr[31mee"), (&second, "two")]);
    assert_eq!((listed.listed[0].author.as_str(), listed.more), ("Ada", 0));

    let listed = mirrors.commits(&url, None, &third, &[], 1).await.unwrap();
    assert_eq!((listed.listed.len(), listed.more), (1, 2));
    let listed = mirrors.commits(&url, None, &third, &["web".into()], 10).await.unwrap();
    assert_eq!(listed.listed.iter().map(|line| &line.sha).collect::<Vec<_>>(), [&third, &first]);
    assert!(mirrors.commits(&url, Some(&third), &first, &[], 10).await.unwrap().listed.is_empty());

    assert!(mirrors.is_ancestor(&url, &first, &third).await.unwrap());
    assert!(mirrors.is_ancestor(&url, &third, &third).await.unwrap());
    assert!(!mirrors.is_ancestor(&url, &third, &first).await.unwrap());
}

#[tokio::test]
async fn every_kind_of_revision_resolves_to_a_commit() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("a", "1")]);
    repo.git(&["tag", "light"]);
    repo.git(&["tag", "-a", "v1", "-m", "annotated"]);
    let second = repo.commit("two", &[("a", "2")]);
    let tag = repo.git(&["rev-parse", "refs/tags/v1"]);
    let (mirrors, url) = (mirrors(&cache), repo.url());
    for (text, sha) in [
        (second.as_str(), &second),
        (&second.as_str()[..7], &second),
        (&first.as_str().to_uppercase(), &first),
        ("main", &second),
        ("HEAD", &second),
        ("light", &first),
        ("v1", &first),
        (&tag, &first),
        (&tag[..8], &first),
    ] {
        assert_eq!(&mirrors.resolve(&url, text).await.unwrap(), sha, "{text}");
    }
    let error = mirrors.resolve(&url, "mian").await.unwrap_err();
    assert_eq!(error.to_string(), format!("`mian` is not a commit, branch or tag in {url}"));
    assert_eq!(hint(&error), "did you mean `main`?");
    for nonsense in ["", "a b", "main~1", "-x", "main:a", "@{upstream}"] {
        assert!(matches!(mirrors.resolve(&url, nonsense).await, Err(GitError::Unknown { .. })), "{nonsense}");
    }
}

#[tokio::test]
async fn a_branch_named_like_a_prefix_of_another_commit_is_ambiguous() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("a", "1")]);
    let second = repo.commit("two", &[("a", "2")]);
    let (mirrors, url) = (mirrors(&cache), repo.url());
    let prefix = &first.as_str()[..8];
    repo.git(&["branch", prefix, second.as_str()]);
    let error = mirrors.resolve(&url, prefix).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{prefix}` is ambiguous in {url}: the branch `{prefix}`, the commit {first}")
    );
    repo.git(&["branch", "-f", prefix, first.as_str()]);
    assert_eq!(mirrors.resolve(&url, prefix).await.unwrap(), first, "both name the same commit");
    repo.git(&["branch", "deadbeef", second.as_str()]);
    assert_eq!(mirrors.resolve(&url, "deadbeef").await.unwrap(), second);
}

#[tokio::test]
async fn a_sha_of_another_object_is_an_error_that_names_its_kind() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("a", "1")]);
    repo.git(&["tag", "-a", "v1", "-m", "annotated"]);
    let (mirrors, url) = (mirrors(&cache), repo.url());
    let sha = |text: String| CommitSha::new(text).unwrap();

    let tag = sha(repo.git(&["rev-parse", "refs/tags/v1"]));
    let error = mirrors.ensure(&url, &tag).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{tag}` is the id of an annotated tag, not a commit"));
    assert_eq!(hint(&error), format!("the commit it names is {first}"));

    let tree = sha(repo.git(&["rev-parse", "HEAD^{tree}"]));
    let error = mirrors.ensure(&url, &tree).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{tree}` is a folder (a tree object), not a commit"));

    let missing = sha("1".repeat(40));
    let error = mirrors.ensure(&url, &missing).await.unwrap_err();
    assert_eq!(error.to_string(), format!("commit {missing} is not in {url}"));
}

#[tokio::test]
async fn a_commit_or_tag_larger_than_a_megabyte_is_not_read() {
    let (repo, cache) = setup();
    let text = repo.write("../message", &vec![b'x'; 1_100_000]);
    let text = text.to_str().unwrap();
    let first = repo.commit("one", &[("a", "1")]);
    repo.git(&["tag", "-a", "large", "-F", text]);
    repo.git(&["commit", "--quiet", "--allow-empty", "-F", text]);
    let large = repo.head();
    repo.git(&["branch", "large-one"]);
    let third = repo.commit("three", &[("a", "3")]);
    let (mirrors, url) = (mirrors(&cache), repo.url());
    let size = repo.git(&["cat-file", "-s", large.as_str()]);
    let sentence = format!("commit {large} has {size} bytes; the limit is 1048576");

    let pack = cache.path().join("pack");
    fs::create_dir(&pack).unwrap();
    for error in [
        mirrors.ensure(&url, &large).await.unwrap_err(),
        mirrors.files(&url, &large, &["a".into()]).await.unwrap_err(),
        mirrors.folder_exists(&url, &large, "").await.unwrap_err(),
        mirrors.unsupported(&url, &large).await.unwrap_err(),
        mirrors.pack(&url, &large, 1, &pack).await.unwrap_err(),
        mirrors.resolve(&url, large.as_str()).await.unwrap_err(),
        // As part of the history of another.
        mirrors.commits(&url, Some(&first), &third, &[], 5).await.unwrap_err(),
        mirrors.is_ancestor(&url, &first, &third).await.unwrap_err(),
        mirrors.pack(&url, &third, 2, &pack).await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), sentence);
        assert!(hint(&error).contains("request another commit"), "{error:?}");
    }
    // Its name and its descendants are usable.
    assert_eq!(mirrors.tip(&url, "large-one").await.unwrap(), large);
    mirrors.pack(&url, &third, 1, &pack).await.unwrap();

    let tag = repo.git(&["rev-parse", "refs/tags/large"]);
    for text in ["large", &tag[..9]] {
        let error = mirrors.resolve(&url, text).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("tag {tag} has 11")), "{error}");
    }
}
