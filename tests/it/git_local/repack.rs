//! The packs of a mirror are merged, while others read from it. The repositories are mirrored because libgit2 cannot
//! read reftable.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git2::{Oid, Repository};
use katkit::domain::CommitSha;
use katkit::git::{GitError, Mirrors, RepackSchedule, Repositories};
use tempfile::TempDir;

use super::formats::{to_reftable, with_git};
use super::mirrors as without_git;
use crate::git_servers::{Environment, Repo, git as run_git};
use crate::phase::only;

/// Repacks after nearly every fetch: only for tests in which no one lists packs meanwhile.
const EAGER: RepackSchedule = RepackSchedule { packs: 2, interval: Duration::ZERO };

/// A repository without commits, and a cache.
fn setup() -> (Repo, TempDir) {
    let repo = Repo::new();
    to_reftable(&repo);
    (repo, TempDir::new().unwrap())
}

/// The only mirror in a cache.
fn mirror(cache: &TempDir) -> PathBuf {
    let mirrors =
        fs::read_dir(cache.path().join("cache/mirrors")).unwrap().flatten().map(|entry| entry.path());
    let all: Vec<_> = mirrors.filter(|path| path.is_dir()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

/// The number of packs in a mirror.
fn packs(mirror: &Path) -> usize {
    let names = fs::read_dir(mirror.join("objects/pack")).unwrap().flatten().map(|entry| entry.path());
    names.filter(|path| path.extension().is_some_and(|kind| kind == "pack")).count()
}

/// Reads a commit, its file and its history.
async fn read(mirrors: &Mirrors, url: &str, number: usize, sha: &CommitSha) -> Result<(), GitError> {
    mirrors.ensure(url, sha).await?;
    let files = mirrors.files(url, sha, &["a".into()]).await?;
    assert_eq!(files, [Some(number.to_string().into_bytes())]);
    mirrors.commits(url, None, sha, &[], 100).await?;
    Ok(())
}

#[tokio::test]
async fn many_fetches_leave_few_packs_and_every_requested_commit() {
    const FETCHES: usize = 20;
    let (repo, cache) = setup();
    let url = repo.url();
    let fetching = with_git(&cache).with_repacks(EAGER);
    let mut requested = Vec::new();
    for number in 0..FETCHES {
        if number % 3 == 2 {
            // A force push: the last requested commit is no longer on any branch.
            repo.write("a", number.to_string().as_bytes());
            repo.git(&["commit", "--quiet", "--all", "--amend", "-m", "instead"]);
        } else {
            repo.commit("next", &[("a", &number.to_string())]);
        }
        let sha = repo.head();
        fetching.ensure(&url, &sha).await.unwrap();
        requested.push(sha);
    }
    let at = mirror(&cache);
    assert!(packs(&at) <= 6, "{} packs after {FETCHES} fetches", packs(&at));
    run_git(&at, &["fsck", "--full", "--strict"]);
    let reading = without_git(&cache);
    for (number, sha) in requested.iter().enumerate() {
        read(&reading, &url, number, sha).await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_opened_a_mirror_before_a_repack_reads_all_of_it() {
    let oid = |sha: &CommitSha| Oid::from_str(sha.as_str()).unwrap();
    let steps: [fn(&Repository, Oid); 3] = [
        // libgit2 lists the packs,
        |repository, _| drop(repository.odb().unwrap()),
        // opens the index of each one to find that none has this object,
        |repository, _| drop(repository.find_commit(Oid::from_str(&"1".repeat(40)).unwrap()).unwrap_err()),
        // and opens a pack to read from it.
        |repository, id| drop(repository.find_commit(id).unwrap()),
    ];
    for begin in steps {
        // Open packs are shared within a process, so each reader gets its own mirror.
        let (repo, cache) = setup();
        let url = repo.url();
        let never = RepackSchedule { packs: usize::MAX, interval: Duration::ZERO };
        let mut commits = Vec::new();
        for number in 0..5 {
            commits.push(repo.commit("next", &[("a", &number.to_string())]));
            with_git(&cache).with_repacks(never).ensure(&url, &commits[number]).await.unwrap();
        }
        let at = mirror(&cache);
        assert_eq!(packs(&at), 5);
        let reader = Repository::open_bare(&at).unwrap();
        begin(&reader, oid(&commits[2]));

        commits.push(repo.commit("last", &[("a", "last")]));
        with_git(&cache).with_repacks(EAGER).ensure(&url, &commits[5]).await.unwrap();
        assert_eq!(packs(&at), 1);
        for sha in &commits {
            let tree = reader.find_commit(oid(sha)).unwrap().tree().unwrap();
            reader.find_blob(tree.get_name("a").unwrap().id()).unwrap();
        }
    }
}

/// Reads the commits that are listed in `CACHE/fetched`, until `CACHE/done` exists.
async fn read_until_done(cache: &Path, url: &str) {
    let mirrors =
        Mirrors::new(cache.join("cache")).with_environment(vec![("PATH".into(), "/nonexistent".into())]);
    let [fetched, done] = ["fetched", "done"].map(|name| cache.join(name));
    while !done.exists() {
        let fetched = fs::read_to_string(&fetched).unwrap();
        for (number, sha) in fetched.lines().enumerate() {
            read(&mirrors, url, number, &CommitSha::new(sha).unwrap()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_find_every_commit_while_packs_are_merged() {
    const REPACKS: usize = 4;
    let (repo, cache) = setup();
    let (url, cache) = (repo.url(), Arc::new(cache));
    // Longer than a reader takes to list the packs, also on a busy machine.
    let schedule = RepackSchedule { packs: 2, interval: Duration::from_millis(500) };
    let fetching = with_git(&cache).with_repacks(schedule);
    let (mut readers, mut processes) = (Vec::new(), Vec::new());
    let mut fetched = String::new();
    let (mut before, mut repacks) = (0, 0);
    for number in 0..300 {
        if repacks == REPACKS {
            break;
        }
        let sha = repo.commit("next", &[("a", &number.to_string())]);
        fetching.ensure(&url, &sha).await.unwrap();
        fetched += &format!("{sha}\n");
        let new = cache.path().join("new");
        fs::write(&new, &fetched).unwrap();
        fs::rename(&new, cache.path().join("fetched")).unwrap();
        let now = packs(&mirror(&cache));
        // Each fetch adds one.
        repacks += usize::from(now <= before);
        before = now;
        if number < 2 {
            let (cache, url) = (Arc::clone(&cache), url.clone());
            let mut process = only("git_local::repack::a_reader_in_another_process", &[]);
            process.env("KATKIT_TEST_CACHE", cache.path()).env("KATKIT_TEST_URL", &url);
            processes.push(process.spawn().unwrap());
            readers.push(tokio::spawn(async move { read_until_done(cache.path(), &url).await }));
        }
    }
    fs::write(cache.path().join("done"), "").unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(repacks, REPACKS);
}

#[tokio::test]
#[ignore = "run by `readers_find_every_commit_while_packs_are_merged`, in a process of its own"]
async fn a_reader_in_another_process() {
    let cache = std::env::var_os("KATKIT_TEST_CACHE").unwrap();
    read_until_done(Path::new(&cache), &std::env::var("KATKIT_TEST_URL").unwrap()).await;
}

#[tokio::test]
async fn a_failed_repack_is_no_failed_fetch_and_is_not_repeated_at_once() {
    let (repo, cache) = setup();
    let url = repo.url();
    let bin = TempDir::new().unwrap();
    let repacks = bin.path().join("repacks");
    let path = std::env::var("PATH").unwrap();
    // Killed while it writes, as if memory had run out.
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *' repack '*) echo one >> {}; touch \"$GIT_DIR/objects/pack/.tmp-1-pack-2.pack\"; \
         kill -9 $$;; esac\nPATH={path} exec git \"$@\"\n",
        repacks.display()
    );
    fs::write(bin.path().join("git"), script).unwrap();
    fs::set_permissions(bin.path().join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let environment: Environment = vec![
        ("PATH".into(), format!("{}:{path}", bin.path().display()).into()),
        ("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()),
    ];
    let schedule = RepackSchedule { packs: 2, interval: Duration::from_hours(1) };
    for number in 0..6 {
        let sha = repo.commit("next", &[("a", &number.to_string())]);
        // Another process each time.
        let fetching = Mirrors::new(cache.path().join("cache"))
            .with_environment(environment.clone())
            .with_repacks(schedule);
        fetching.ensure(&url, &sha).await.unwrap();
    }
    assert_eq!(fs::read_to_string(&repacks).unwrap(), "one\n");
    let at = mirror(&cache);
    assert_eq!(packs(&at), 6);
    assert!(!at.join("objects/pack/.tmp-1-pack-2.pack").exists(), "the next fetch removes what it left");
    with_git(&cache).with_repacks(EAGER).ensure(&url, &repo.commit("last", &[])).await.unwrap();
    assert_eq!(packs(&at), 1);
}
