//! What happens to a mirror that is damaged, or only seems to be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use katkit::domain::CommitSha;
use katkit::git::Repositories;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use super::{mirror, mirrors, problem};
use crate::git_servers::{Environment, Repo, Sshd};
use crate::phase::only;

/// A mirror that holds the only copy of a commit.
struct Kept {
    repo: Repo,
    sshd: Sshd,
    cache: TempDir,
    url: String,
    gone: CommitSha,
}

impl Kept {
    async fn new() -> Self {
        let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
        repo.commit("one", &[("a", "1")]);
        let gone = repo.commit("two", &[("a", "2")]);
        let url = sshd.url(repo.path());
        mirrors(&cache, sshd.environment()).ensure(&url, &gone).await.unwrap();
        repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        repo.git(&["reflog", "expire", "--expire=now", "--all"]);
        repo.git(&["gc", "--quiet", "--prune=now"]);
        Self { repo, sshd, cache, url, gone }
    }

    async fn ensure(&self, sha: &CommitSha) {
        mirrors(&self.cache, self.sshd.environment()).ensure(&self.url, sha).await.unwrap();
    }

    /// Fails unless the commit is still readable without its repository.
    async fn is_kept(&self) {
        let nowhere = mirrors(&self.cache, unreachable());
        nowhere.ensure(&self.url, &self.gone).await.unwrap();
        let files = nowhere.files(&self.url, &self.gone, &["a".into()]).await.unwrap();
        assert_eq!(files, [Some(b"2".to_vec())]);
    }

    /// Everything beside the mirror and its lock.
    fn beside(&self) -> Vec<String> {
        let entries = fs::read_dir(self.cache.path().join("mirrors")).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| Path::new(name).extension().is_some_and(|kind| kind != "lock")).collect()
    }
}

fn unreachable() -> Environment {
    vec![("GIT_SSH_COMMAND".into(), "false".into())]
}

#[tokio::test]
async fn commits_in_a_damaged_mirror_are_recovered() {
    let kept = Kept::new().await;
    let at = mirror(&kept.cache);
    let packs = || fs::read_dir(at.join("objects/pack")).unwrap().flatten().map(|entry| entry.path());
    let before: Vec<_> = packs().collect();
    kept.ensure(&kept.repo.commit("three", &[("a", "3")])).await;
    // A bad disk truncates the newest writes.
    for path in packs().filter(|path| !before.contains(path)) {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(40).unwrap();
    }
    kept.ensure(&kept.repo.commit("four", &[("a", "4")])).await;
    kept.is_kept().await;
    assert_eq!(kept.beside(), Vec::<String>::new());
}

#[tokio::test]
async fn a_mirror_that_cannot_be_repaired_is_kept_for_a_user() {
    let kept = Kept::new().await;
    let at = mirror(&kept.cache);
    fs::remove_dir_all(at.join("objects")).unwrap();
    let next = kept.repo.commit("three", &[("a", "3")]);
    kept.ensure(&next).await;
    let lost = kept.beside();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(Path::new(&lost[0]).extension().unwrap(), "lost");
    // It is inspected once and blocks nothing.
    kept.ensure(&kept.repo.commit("four", &[("a", "4")])).await;
    assert_eq!(kept.beside(), lost);
}

#[tokio::test]
async fn a_transient_git_error_costs_no_commit() {
    let kept = Kept::new().await;
    let fake = TempDir::new().unwrap();
    let script = "#!/bin/sh\necho 'error: unable to open objects/pack/pack-1.pack: Too many open files' >&2\n\
                  echo 'fatal: bad object HEAD' >&2\nexit 128\n";
    fs::write(fake.path().join("git"), script).unwrap();
    fs::set_permissions(fake.path().join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut environment = kept.sshd.environment();
    environment.push(("PATH".into(), fake.path().into()));
    let next = kept.repo.commit("three", &[("a", "3")]);
    let error = mirrors(&kept.cache, environment).ensure(&kept.url, &next).await.unwrap_err();
    assert_eq!(problem(&error), katkit::git::RemoteProblem::Other);
    kept.is_kept().await;
    assert_eq!(kept.beside(), Vec::<String>::new());
    kept.ensure(&next).await;
}

#[tokio::test]
async fn too_many_open_files_cost_no_commit() {
    let kept = Kept::new().await;
    let status = only("git_remote::damaged::a_process_with_a_low_open_file_limit", &[])
        .env("KATKIT_TEST_CACHE", kept.cache.path())
        .env("KATKIT_TEST_URL", &kept.url)
        .status()
        .unwrap();
    assert!(status.success());
    kept.is_kept().await;
    assert_eq!(kept.beside(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "run by `too_many_open_files_cost_no_commit`, in a process of its own"]
async fn a_process_with_a_low_open_file_limit() {
    let (cache, url) =
        (std::env::var_os("KATKIT_TEST_CACHE").unwrap(), std::env::var("KATKIT_TEST_URL").unwrap());
    let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = getrlimit(Resource::Nofile);
    let missing = CommitSha::new("1".repeat(40)).unwrap();
    // Wherever it hits the limit.
    for more in 0..24 {
        let few = Rlimit { current: Some(open + more), ..limit };
        setrlimit(Resource::Nofile, few).unwrap();
        let mirrors = katkit::git::Mirrors::new(cache.clone().into()).with_environment(unreachable());
        mirrors.ensure(&url, &missing).await.unwrap_err();
    }
    setrlimit(Resource::Nofile, limit).unwrap();
}
