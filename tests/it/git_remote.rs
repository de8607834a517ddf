//! Repositories behind real servers on loopback: an sshd, and `git http-backend` behind a web server.

mod branches;
mod damaged;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use katkit::domain::CommitSha;
use katkit::git::{self, GitError, Merged, Mirrors, RemoteProblem, Repositories};
use tempfile::TempDir;

use crate::git_servers::{Environment, Https, Repo, Sshd, clone, git as run_git};
use crate::phase::eventually;

fn mirrors(cache: &TempDir, environment: Environment) -> Mirrors {
    Mirrors::new(cache.path().to_owned()).with_environment(environment)
}

fn https(repo: &Repo) -> (Https, String) {
    let server = Https::start(repo.path().parent().unwrap());
    let url = server.url("shop/.git");
    (server, url)
}

fn problem(error: &GitError) -> RemoteProblem {
    match error {
        GitError::Remote { problem, .. } => *problem,
        other => panic!("not an error of the remote side: {other:?}"),
    }
}

/// The error with its causes, as a user sees it.
fn whole(error: &GitError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}\n{}", error.hint().unwrap_or_default())
}

fn mirror(cache: &TempDir) -> PathBuf {
    let mirrors = fs::read_dir(cache.path().join("mirrors")).unwrap().flatten().map(|entry| entry.path());
    let mut all: Vec<_> = mirrors.filter(|path| path.is_dir()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Every git operation of katkit, over any transport.
async fn every_operation(repo: &Repo, url: &str, environment: Environment) {
    let cache = TempDir::new().unwrap();
    let first = repo.commit("one", &[("a", "1")]);
    repo.git(&["tag", "-a", "v1", "-m", "annotated"]);
    let second = repo.commit("two", &[("a", "2")]);
    let mirrors = mirrors(&cache, environment.clone());
    let tips = mirrors.tips(url, &["main".into()]).await.unwrap();
    assert_eq!(*tips["main"].as_ref().unwrap(), second);
    assert!(!cache.path().join("mirrors").exists(), "reading a branch tip needs no mirror");
    let error = mirrors.tip(url, "mian").await.unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("did you mean `main`?"));

    mirrors.ensure(url, &first).await.unwrap();
    let files = mirrors.files(url, &first, &["a".into(), "b".into()]).await.unwrap();
    assert_eq!(files, [Some(b"1".to_vec()), None]);
    let between = mirrors.commits(url, Some(&first), &second, &[], 5).await.unwrap();
    assert_eq!(between.listed.len(), 1);
    assert_eq!(mirrors.resolve(url, "v1").await.unwrap(), first);
    assert_eq!(mirrors.resolve(url, &second.as_str()[..9]).await.unwrap(), second);
    let tag = repo.git(&["rev-parse", "refs/tags/v1"]);
    assert_eq!(mirrors.resolve(url, &tag).await.unwrap(), first);
    let error = mirrors.ensure(url, &CommitSha::new(tag).unwrap()).await.unwrap_err();
    assert!(matches!(error, GitError::NotACommit { commit: Some(_), .. }), "{error:?}");

    let pack = cache.path().join("pack");
    fs::create_dir(&pack).unwrap();
    let packed = mirrors.pack(url, &second, 1, &pack).await.unwrap();
    let into = cache.path().join("work");
    git::checkout(fs::File::open(&packed.pack).unwrap(), &packed.shallow, &second, &into).unwrap();
    assert_eq!(run_git(&into, &["status", "--porcelain"]), "");

    let cloned = cache.path().join("clone");
    clone(url, &first, 1, &cloned, &environment).unwrap();
    assert_eq!(fs::read_to_string(cloned.join("a")).unwrap(), "1");

    let missing = CommitSha::new("1".repeat(40)).unwrap();
    let error = mirrors.ensure(url, &missing).await.unwrap_err();
    assert!(matches!(error, GitError::Missing { .. }), "{error:?}");
    let gone = url.replace("shop", "gone");
    assert_eq!(problem(&mirrors.tip(&gone, "main").await.unwrap_err()), RemoteProblem::NotFound);
    assert_eq!(problem(&mirrors.ensure(&gone, &first).await.unwrap_err()), RemoteProblem::NotFound);
}

#[tokio::test]
async fn every_operation_works_over_ssh() {
    let (repo, sshd) = (Repo::new(), Sshd::start());
    every_operation(&repo, &sshd.url(repo.path()), sshd.environment()).await;
}

#[tokio::test]
async fn every_operation_works_over_https() {
    let repo = Repo::new();
    let (server, url) = https(&repo);
    every_operation(&repo, &url, server.environment()).await;
}

#[tokio::test]
async fn ssh_errors_are_distinguished_and_nothing_prompts() {
    let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
    repo.commit("one", &[("a", "1")]);
    let url = sshd.url(repo.path());
    for (environment, expected, advice) in [
        (sshd.wrong_key(), RemoteProblem::Authentication, "git ls-remote"),
        (sshd.unknown_host(), RemoteProblem::UnknownHost, "ssh-keyscan"),
        (sshd.changed_host(), RemoteProblem::ChangedHost, "ssh-keygen -R"),
    ] {
        let error = mirrors(&cache, environment).tip(&url, "main").await.unwrap_err();
        assert_eq!(problem(&error), expected, "{}", whole(&error));
        assert!(whole(&error).contains(advice), "{}", whole(&error));
        assert!(!whole(&error).contains(char::is_control) || whole(&error).matches('\n').count() == 1);
    }
}

#[tokio::test]
async fn https_errors_are_distinguished_and_no_password_is_shown() {
    let repo = Repo::new();
    repo.commit("one", &[("a", "1")]);
    let (server, url) = https(&repo);
    let cache = TempDir::new().unwrap();
    let with_password = server.url_as("ada:s3cret-word", "shop/.git");
    for (environment, url, expected) in [
        (server.wrong_password(), &url, RemoteProblem::Authentication),
        (server.no_credentials(), &url, RemoteProblem::Authentication),
        (server.no_credentials(), &with_password, RemoteProblem::Authentication),
        (server.untrusting(), &url, RemoteProblem::Certificate),
        (server.untrusting(), &with_password, RemoteProblem::Certificate),
    ] {
        let mirrors = mirrors(&cache, environment);
        let sha = repo.head();
        for error in
            [mirrors.tip(url, "main").await.unwrap_err(), mirrors.ensure(url, &sha).await.unwrap_err()]
        {
            assert_eq!(problem(&error), expected, "{}", whole(&error));
            assert!(!format!("{}{error:?}", whole(&error)).contains("s3cret"), "{}", whole(&error));
        }
    }
    // The correct password in the URL works, and is stored nowhere.
    let right = server.url_as("ada:lovelace", "shop/.git");
    mirrors(&cache, server.no_credentials()).ensure(&right, &repo.head()).await.unwrap();
    let found = Command::new("grep").args(["-r", "lovelace"]).arg(cache.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[tokio::test]
async fn unreachable_hosts_and_a_missing_git_are_distinguished() {
    let cache = TempDir::new().unwrap();
    let none = vec![("GIT_CONFIG_GLOBAL".into(), "/dev/null".into())];
    for (url, expected) in [
        ("https://127.0.0.1:1/shop.git", RemoteProblem::Unreachable),
        ("ssh://127.0.0.1:1/shop.git", RemoteProblem::Unreachable),
        ("https://nowhere.invalid/shop.git", RemoteProblem::Resolve),
        ("git@nowhere.invalid:shop.git", RemoteProblem::Resolve),
    ] {
        let error = mirrors(&cache, none.clone()).tip(url, "main").await.unwrap_err();
        assert_eq!(problem(&error), expected, "{}", whole(&error));
        assert!(error.is_retryable());
    }
    let nothing = vec![("PATH".into(), "/nonexistent".into())];
    let error = mirrors(&cache, nothing).tip("https://h/x", "main").await.unwrap_err();
    assert!(matches!(error, GitError::NoGit { .. }), "{error:?}");
    assert!(whole(&error).contains("apt-get install git"));
}

#[tokio::test]
async fn commits_in_the_mirror_are_not_fetched_again() {
    let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
    let first = repo.commit("one", &[("a", "1")]);
    let second = repo.commit("two", &[("a", "2")]);
    let url = sshd.url(repo.path());
    mirrors(&cache, sshd.environment()).ensure(&url, &first).await.unwrap();
    assert_eq!(sshd.sessions(), 1);
    let later = mirrors(&cache, sshd.environment());
    later.ensure(&url, &second).await.unwrap();
    later.ensure(&url, &first).await.unwrap();
    assert_eq!(sshd.sessions(), 1, "another process reads the same mirror");
    let missing = CommitSha::new("1".repeat(40)).unwrap();
    later.ensure(&url, &missing).await.unwrap_err();
    let asked = sshd.sessions();
    later.ensure(&url, &missing).await.unwrap_err();
    assert_eq!(sshd.sessions(), asked, "a missing commit is not fetched again immediately");
}

#[tokio::test]
async fn a_commit_replaced_by_a_force_push_stays_readable() {
    let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
    repo.commit("one", &[("a", "1")]);
    let gone = repo.commit("two", &[("a", "2")]);
    let url = sshd.url(repo.path());
    let mirrors = mirrors(&cache, sshd.environment());
    mirrors.ensure(&url, &gone).await.unwrap();
    repo.git(&["commit", "--quiet", "--amend", "-m", "other"]);
    repo.git(&["branch", "-m", "main", "main/sub"]);
    let new = repo.commit("three", &[("a", "3")]);
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["gc", "--quiet", "--prune=now"]);
    mirrors.ensure(&url, &new).await.unwrap();
    let files = mirrors.files(&url, &gone, &["a".into()]).await.unwrap();
    assert_eq!(files, [Some(b"2".to_vec())]);
    run_git(&mirror(&cache), &["gc", "--quiet", "--prune=now"]);
    mirrors.ensure(&url, &gone).await.unwrap();
    assert!(mirrors.resolve(&url, "main").await.is_err(), "the branch is gone from the mirror as well");
}

#[tokio::test]
async fn a_commit_on_no_branch_is_fetched_by_id_and_merged() {
    let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
    repo.commit("one", &[("a", "1")]);
    let hidden = repo.commit("pull request", &[("a", "2")]);
    repo.git(&["update-ref", "refs/pull/1/head", "HEAD"]);
    repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let url = sshd.url(repo.path());
    let mirrors = mirrors(&cache, sshd.environment());
    mirrors.ensure(&url, &hidden).await.unwrap();
    assert!(mirrors.folder_exists(&url, &hidden, "").await.unwrap());
    let main = repo.commit("main moved", &[("b", "1")]);
    let Merged::Commit { sha, .. } = mirrors.merge(&url, &main, &hidden).await.unwrap() else { panic!() };
    let files = mirrors.files(&url, &sha, &["a".into(), "b".into()]).await.unwrap();
    assert_eq!(files, [Some(b"2".to_vec()), Some(b"1".to_vec())]);
}

#[tokio::test]
async fn concurrent_requests_for_one_commit_share_one_fetch() {
    let repo = Repo::new();
    let sha = repo.commit("one", &[("a", "1")]);
    let (server, url) = https(&repo);
    let cache = TempDir::new().unwrap();
    let mirrors = Arc::new(mirrors(&cache, server.environment()));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (mirrors, url, sha) = (Arc::clone(&mirrors), url.clone(), sha.clone());
            tokio::spawn(async move { mirrors.ensure(&url, &sha).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    // One fetch posts twice: for the references and for the objects.
    assert_eq!(server.requests("POST /git/shop/.git/git-upload-pack"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_racing_for_one_mirror_do_not_damage_it() {
    let repo = Repo::new();
    let (server, url) = https(&repo);
    let cache = TempDir::new().unwrap();
    let environment = server.environment();
    // Each `Mirrors` has its own locks and, as between processes, shares only the mirror's file lock with the others.
    for round in 0..3 {
        let sha = repo.commit("c", &[("a", &round.to_string())]);
        repo.git(&["branch", &format!("b{round}/x")]);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let mirrors = mirrors(&cache, environment.clone());
                let (url, sha) = (url.clone(), sha.clone());
                tokio::spawn(async move {
                    mirrors.ensure(&url, &sha).await?;
                    mirrors.files(&url, &sha, &["a".into()]).await
                })
            })
            .collect();
        for task in tasks {
            let files = task.await.unwrap().unwrap();
            assert_eq!(files, [Some(round.to_string().into_bytes())]);
        }
    }
    run_git(&mirror(&cache), &["fsck", "--full", "--strict"]);
    let left: Vec<_> = fs::read_dir(cache.path().join("mirrors")).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "a mirror and its lock, nothing else: {left:?}");
}

#[tokio::test]
async fn leftovers_of_a_dead_process_are_repaired() {
    let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
    let first = repo.commit("one", &[("a", "1")]);
    let url = sshd.url(repo.path());
    mirrors(&cache, sshd.environment()).ensure(&url, &first).await.unwrap();
    let at = mirror(&cache);

    // A git killed while writing.
    for name in ["packed-refs.lock", "HEAD.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x"] {
        fs::write(at.join(name), "").unwrap();
    }
    let second = repo.commit("two", &[("a", "2")]);
    mirrors(&cache, sshd.environment()).ensure(&url, &second).await.unwrap();
    assert!(!at.join("packed-refs.lock").exists() && !at.join("objects/pack/tmp_pack_x").exists());

    // Half a mirror: no HEAD, no objects.
    fs::remove_file(at.join("HEAD")).unwrap();
    mirrors(&cache, sshd.environment()).ensure(&url, &second).await.unwrap();
    fs::remove_dir_all(at.join("objects")).unwrap();
    mirrors(&cache, sshd.environment()).ensure(&url, &second).await.unwrap();

    // A power loss before git's writes reached the disk.
    fs::write(at.join("HEAD"), "").unwrap();
    let after = repo.commit("after", &[("a", "2.5")]);
    mirrors(&cache, sshd.environment()).ensure(&url, &after).await.unwrap();

    // Packs truncated by a bad disk.
    let third = repo.commit("three", &[("a", "3")]);
    for entry in fs::read_dir(at.join("objects/pack")).unwrap().flatten() {
        let mut permissions = entry.metadata().unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        fs::set_permissions(entry.path(), permissions).unwrap();
        fs::File::options().write(true).open(entry.path()).unwrap().set_len(40).unwrap();
    }
    mirrors(&cache, sshd.environment()).ensure(&url, &third).await.unwrap();
    let files = mirrors(&cache, sshd.environment()).files(&url, &third, &["a".into()]).await.unwrap();
    assert_eq!(files, [Some(b"3".to_vec())]);
}

#[tokio::test]
async fn a_lock_is_waited_for_only_while_its_holder_lives() {
    let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
    let first = repo.commit("one", &[("a", "1")]);
    let url = sshd.url(repo.path());
    mirrors(&cache, sshd.environment()).ensure(&url, &first).await.unwrap();
    let second = repo.commit("two", &[("a", "2")]);
    let lock = PathBuf::from(format!("{}.lock", mirror(&cache).display()));
    let mut holder = hold(&lock);
    let before = sshd.sessions();
    let waiting = {
        let (mirrors, url, second) = (mirrors(&cache, sshd.environment()), url.clone(), second.clone());
        tokio::spawn(async move { mirrors.ensure(&url, &second).await })
    };
    let opened = || {
        fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == lock))
    };
    eventually("the lock is opened", async || opened().then_some(())).await;
    // Without a fetch there is no wait.
    mirrors(&cache, sshd.environment()).ensure(&url, &first).await.unwrap();
    assert!(!waiting.is_finished());
    assert_eq!(sshd.sessions(), before, "nobody fetches while another holds the lock");
    holder.kill().unwrap();
    holder.wait().unwrap();
    waiting.await.unwrap().unwrap();
}

/// A process that holds a file lock until it is killed.
fn hold(lock: &Path) -> std::process::Child {
    let mut holder = Command::new("flock")
        .arg("--no-fork")
        .arg(lock)
        .args(["sh", "-c", "echo held; exec sleep 1000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("`flock` is needed for this test: apt-get install util-linux");
    let mut said = String::new();
    let mut out = std::io::BufReader::new(holder.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut said).unwrap();
    assert_eq!(said, "held\n");
    holder
}

#[tokio::test]
async fn an_aborted_request_ends_git_and_its_ssh() {
    let cache = TempDir::new().unwrap();
    let bin = TempDir::new().unwrap();
    let pid = bin.path().join("pid");
    let script = format!("#!/bin/sh\necho $$ > {0}.new && mv {0}.new {0}\nexec sleep 1000\n", pid.display());
    fs::write(bin.path().join("ssh"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bin.path().join("ssh"), mode).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let mirrors = mirrors(&cache, vec![("PATH".into(), path.into())]);
    let asking = tokio::spawn(async move { mirrors.tip("h:x", "main").await });
    let ssh = eventually("ssh is started", async || fs::read_to_string(&pid).ok()).await;
    asking.abort();
    let process = format!("/proc/{}/cmdline", ssh.trim());
    eventually("ssh is gone", async || fs::read(&process).map_or(true, |line| line.is_empty()).then_some(()))
        .await;
}

#[tokio::test]
async fn a_clone_whose_host_sends_endless_output_is_stopped() {
    let bin = TempDir::new().unwrap();
    fs::write(bin.path().join("ssh"), "#!/bin/sh\nexec yes 'remote: words, words' >&2\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bin.path().join("ssh"), mode).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let sha = CommitSha::new("1".repeat(40)).unwrap();
    let into = bin.path().join("clone");
    let error = clone("h:x", &sha, 1, &into, &[("PATH".into(), path.into())]).unwrap_err();
    assert_eq!(problem(&error), RemoteProblem::TooMuch, "{}", whole(&error));
}
