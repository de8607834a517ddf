//! Repositories with very many branches.

use std::fs;
use std::process::Command;

use katkit::git::Repositories;
use tempfile::TempDir;

use super::{mirror, mirrors};
use crate::git_servers::{Repo, Sshd};

#[tokio::test]
async fn thousands_of_branches_take_one_file_in_a_mirror() {
    let (repo, sshd, cache) = (Repo::new(), Sshd::start(), TempDir::new().unwrap());
    let first = repo.commit("one", &[("a", "1")]);
    let branches = |number: usize| {
        let lines = (0..number).map(|at| format!("{first} refs/heads/many/b{at:04}\n"));
        let text = format!("# pack-refs with: peeled fully-peeled sorted \n{}", lines.collect::<String>());
        fs::write(repo.path().join(".git/packed-refs"), text).unwrap();
    };
    branches(3000);
    let url = sshd.url(repo.path());
    let mirrors = mirrors(&cache, sshd.environment());
    mirrors.ensure(&url, &first).await.unwrap();
    let found = Command::new("find").arg(mirror(&cache).join("refs")).args(["-type", "f"]).output().unwrap();
    let loose = String::from_utf8(found.stdout).unwrap();
    assert!(loose.lines().count() < 10, "{loose}");
    assert_eq!(mirrors.resolve(&url, "many/b2999").await.unwrap(), first);

    // A branch deleted there is deleted here too, even from the packed file.
    branches(10);
    let second = repo.commit("two", &[("a", "2")]);
    mirrors.ensure(&url, &second).await.unwrap();
    assert_eq!(mirrors.resolve(&url, "many/b0009").await.unwrap(), first);
    assert!(mirrors.resolve(&url, "many/b2999").await.is_err());
}
