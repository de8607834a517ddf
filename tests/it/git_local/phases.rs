//! Commits of a local repository on their way into a phase: packed, checked out, cloned.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use katkit::domain::{CommitSha, Tag};
use katkit::git::{self, GitError, Mirrors, Packed, Repositories};

use super::{hint, mirrors, setup};
use crate::git_servers::{Repo, clone, git as run_git};

async fn packed(mirrors: &Mirrors, repo: &Repo, sha: &CommitSha, depth: u32, into: &Path) -> Packed {
    fs::create_dir_all(into).unwrap();
    mirrors.pack(&repo.url(), sha, depth, into).await.unwrap()
}

fn checked_out(packed: &Packed, sha: &CommitSha, into: &Path) -> Result<(), GitError> {
    git::checkout(fs::File::open(&packed.pack).unwrap(), &packed.shallow, sha, into)
}

#[tokio::test]
async fn three_thousand_files_are_checked_out_clean() {
    let (repo, cache) = setup();
    for at in 0..3000 {
        repo.write(&format!("d{}/e{}/f{at}", at % 30, at % 7), format!("content {at}\r\n").as_bytes());
    }
    repo.write("binary", &(0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    let script = repo.write("ci.sh", b"#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../outside", repo.path().join("link")).unwrap();
    symlink("d0", repo.path().join("dirlink")).unwrap();
    repo.write("odd/aux.txt", b"x");
    repo.write("odd/a\\b", b"x");
    repo.write("odd/tr\u{e4}iling ", b"x");
    repo.write("odd/con", b"x");
    let sha = repo.commit_all("many");
    let packed = packed(&mirrors(&cache), &repo, &sha, 1, &cache.path().join("pack")).await;
    let into = cache.path().join("work");
    checked_out(&packed, &sha, &into).unwrap();
    assert_eq!(run_git(&into, &["status", "--porcelain"]), "");
    assert_eq!(run_git(&into, &["rev-parse", "HEAD"]), sha.as_str());
    assert_eq!(run_git(&into, &["symbolic-ref", "--quiet", "HEAD"].map(|_| "remote")[..1]), "");
    let differ = std::process::Command::new("diff")
        .args(["--recursive", "--no-dereference", "--exclude=.git"])
        .args([repo.path(), &into])
        .output()
        .unwrap();
    assert!(differ.status.success(), "{}", String::from_utf8_lossy(&differ.stdout));
    assert_eq!(fs::metadata(into.join("ci.sh")).unwrap().permissions().mode() & 0o111, 0o111);
    assert!(fs::symlink_metadata(into.join("link")).unwrap().is_symlink());
}

#[tokio::test]
async fn attributes_convert_files_as_git_does() {
    let (repo, cache) = setup();
    repo.write("deep/.gitattributes", b"*.bat text eol=crlf\n");
    repo.write("deep/run.bat", b"echo\r\n");
    let sha = repo.commit("attributes", &[("deep/plain", "a\n")]);
    let packed = packed(&mirrors(&cache), &repo, &sha, 1, &cache.path().join("pack")).await;
    let into = cache.path().join("work");
    checked_out(&packed, &sha, &into).unwrap();
    assert_eq!(fs::read(into.join("deep/run.bat")).unwrap(), b"echo\r\n");
    assert_eq!(fs::read(into.join("deep/plain")).unwrap(), b"a\n");
    assert_eq!(run_git(&into, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn work_tree_encodings_match_git() {
    let (repo, cache) = setup();
    let mut attributes = "*.mark.16le working-tree-encoding=UTF-16LE-BOM\n*.crlf text eol=crlf working-tree-encoding=UTF-16BE\n".to_owned();
    for (encoding, ending) in [("UTF-16", "16"), ("UTF-32", "32"), ("utf-16le", "16le"), ("SHIFT-JIS", "jis")]
    {
        attributes.push_str(&format!("plain.{ending} working-tree-encoding={encoding}\n"));
    }
    repo.write(".gitattributes", attributes.as_bytes());
    let wide = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    };
    repo.write("a.mark.16le", &wide("\u{feff}größe\n", false));
    repo.write("a.crlf", &wide("one\r\ntwo\r\n", true));
    repo.write("plain.16", &wide("\u{feff}größe\n", false));
    repo.write("plain.16le", &wide("größe\n", false));
    repo.write("plain.32", b"\xff\xfe\0\0a\0\0\0");
    repo.write("deep/plain", "größe\n".as_bytes());
    let sha = repo.commit_all("one");
    let packed = packed(&mirrors(&cache), &repo, &sha, 1, &cache.path().join("pack")).await;
    let into = cache.path().join("work");
    checked_out(&packed, &sha, &into).unwrap();
    for name in ["a.mark.16le", "a.crlf", "plain.16", "plain.16le", "plain.32", "deep/plain"] {
        assert_eq!(fs::read(into.join(name)).unwrap(), fs::read(repo.path().join(name)).unwrap(), "{name}");
    }
    run_git(&into, &["diff-index", "--quiet", "HEAD", "--"]);
    assert_eq!(run_git(&into, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn tags_are_found_within_the_depth_nearest_first() {
    let (repo, cache) = setup();
    repo.commit("one", &[("a", "1")]);
    repo.git(&["tag", "v1"]);
    repo.commit("two", &[("a", "2")]);
    repo.git(&["tag", "-a", "-m", "the second", "v2"]);
    repo.git(&["tag", "-a", "-m", "of a tag", "nested", "v2"]);
    repo.git(&["tag", "tree", "HEAD^{tree}"]);
    let sha = repo.commit("three", &[("a", "3")]);
    let mirrors = mirrors(&cache);
    for (depth, expected) in [(0, ""), (1, ""), (2, "v2"), (3, "v2 v1"), (u32::MAX, "v2 v1")] {
        let tags = mirrors.tags(&repo.url(), &sha, depth).await.unwrap();
        let names: Vec<_> = tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names.join(" "), expected, "depth {depth}");
    }
    let mut tags = mirrors.tags(&repo.url(), &sha, 2).await.unwrap();
    // Forged tags are dropped: one with another tag's object, one outside `refs/tags`.
    let other = Tag { name: "other".into(), object: tags[0].object.clone(), target: sha.clone() };
    let outside = Tag { name: "../../hooks/x".into(), object: None, target: sha.clone() };
    tags.extend([other, outside]);
    let packed = packed(&mirrors, &repo, &sha, 2, &cache.path().join("pack")).await;
    let into = cache.path().join("work");
    checked_out(&packed, &sha, &into).unwrap();
    git::add_tags(&into, &tags).unwrap();
    assert_eq!(run_git(&into, &["tag"]), "v2");
    assert_eq!(run_git(&into, &["describe", "--abbrev=0"]), "v2");
    run_git(&into, &["fsck", "--full", "--strict"]);
}

#[tokio::test]
async fn a_pack_has_the_requested_depth_of_history() {
    let (repo, cache) = setup();
    repo.commit("one", &[("a", "1")]);
    repo.git(&["branch", "side"]);
    repo.commit("two", &[("a", "2")]);
    repo.git(&["checkout", "--quiet", "side"]);
    repo.commit("three", &[("b", "1")]);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.git(&["merge", "--quiet", "--no-edit", "side"]);
    let sha = repo.commit("five", &[("a", "5")]);
    let mirrors = mirrors(&cache);
    for (depth, commits) in [(1, 1), (2, 2), (3, 4), (4, 5), (u32::MAX, 5)] {
        let at = cache.path().join(depth.to_string());
        let packed = packed(&mirrors, &repo, &sha, depth, &at.join("pack")).await;
        let into = at.join("work");
        checked_out(&packed, &sha, &into).unwrap();
        assert_eq!(run_git(&into, &["rev-list", "--count", "HEAD"]), commits.to_string(), "depth {depth}");
        assert_eq!(packed.shallow.is_empty(), commits == 5, "depth {depth}");
        run_git(&into, &["fsck", "--full", "--strict"]);
        assert_eq!(run_git(&into, &["status", "--porcelain"]), "");
    }
}

#[tokio::test]
async fn shallow_linked_and_borrowing_repositories_can_be_packed() {
    let (repo, cache) = setup();
    for at in 0..4 {
        repo.commit(&format!("c{at}"), &[("a", &at.to_string())]);
    }
    repo.git(&["gc", "--quiet"]);
    let sha = repo.head();
    let at = |name: &str| cache.path().join(name).to_str().unwrap().to_owned();
    let file = format!("file://{}", repo.url());
    run_git(cache.path(), &["clone", "--quiet", "--depth=2", &file, &at("shallow")]);
    run_git(cache.path(), &["clone", "--quiet", "--shared", &repo.url(), &at("shared")]);
    repo.git(&["worktree", "add", "--quiet", "--detach", &at("linked")]);
    for (name, commits) in [("shallow", "2"), ("shared", "4"), ("linked", "4")] {
        let pack = cache.path().join(format!("{name}-pack"));
        fs::create_dir(&pack).unwrap();
        let packed = mirrors(&cache).pack(&at(name), &sha, u32::MAX, &pack).await.unwrap();
        let into = cache.path().join(format!("{name}-work"));
        checked_out(&packed, &sha, &into).unwrap();
        assert_eq!(run_git(&into, &["rev-list", "--count", "HEAD"]), commits, "{name}");
        run_git(&into, &["fsck", "--full"]);
    }
    let first = CommitSha::new(repo.git(&["rev-parse", "HEAD~3"])).unwrap();
    let error = mirrors(&cache).ensure(&at("shallow"), &first).await.unwrap_err();
    assert!(hint(&error).contains("--unshallow"), "{}", hint(&error));
}

#[tokio::test]
async fn packing_a_commit_twice_gives_the_same_bytes_even_after_new_tags() {
    let (repo, cache) = setup();
    for at in 0..20 {
        repo.commit("c", &[("a", &format!("{at}").repeat(500)), (&format!("f{at}"), "x")]);
    }
    let sha = repo.head();
    let mirrors = mirrors(&cache);
    let one = packed(&mirrors, &repo, &sha, u32::MAX, &cache.path().join("1")).await;
    repo.git(&["tag", "-a", "v1", "-m", "x", "HEAD~3"]);
    repo.git(&["gc", "--quiet"]);
    let two = packed(&mirrors, &repo, &sha, u32::MAX, &cache.path().join("2")).await;
    assert_eq!(fs::read(&one.pack).unwrap(), fs::read(&two.pack).unwrap());
}

#[tokio::test]
async fn a_truncated_pack_is_an_error_and_a_work_tree_is_never_overwritten() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("a", "1")]);
    let whole = packed(&mirrors(&cache), &repo, &sha, 1, &cache.path().join("1")).await;
    let bytes = fs::read(&whole.pack).unwrap();
    let half = cache.path().join("half.pack");
    fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    let error =
        git::checkout(fs::File::open(&half).unwrap(), &[], &sha, &cache.path().join("h")).unwrap_err();
    assert!(matches!(error, GitError::Damaged { .. }), "{error:?}");

    let into = cache.path().join("work");
    checked_out(&whole, &sha, &into).unwrap();
    fs::write(&half, &bytes).unwrap();
    let error = git::checkout(fs::File::open(&half).unwrap(), &[], &sha, &into).unwrap_err();
    assert!(matches!(error, GitError::Io { action: "created", .. }), "{error:?}");
}

#[tokio::test]
async fn a_commit_missing_from_the_pack_is_an_error() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("a", "1")]);
    let second = repo.commit("two", &[("a", "2")]);
    let packed = packed(&mirrors(&cache), &repo, &first, 1, &cache.path().join("1")).await;
    let error = checked_out(&packed, &second, &cache.path().join("work")).unwrap_err();
    assert!(matches!(error, GitError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_malicious_tree_writes_nothing_outside_the_checkout() {
    let (repo, cache) = setup();
    let mirrors = mirrors(&cache);
    let blob = repo.blob(b"evil");
    let hook = repo.raw_tree(&[("100755", b"post-checkout", blob)]);
    let outside = cache.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let link = repo.blob(outside.to_str().unwrap().as_bytes());
    let into_link = repo.raw_tree(&[("100644", b"pwned", blob)]);
    let refused: [&[(&str, &[u8], git2::Oid)]; 9] = [
        &[("40000", b".git", hook)],
        &[("40000", b".GIT", hook)],
        &[("40000", b"git~1", hook)],
        &[("40000", ".g\u{200c}it".as_bytes(), hook)],
        &[("40000", b"..", into_link)],
        &[("40000", b".", into_link)],
        &[("100644", b"../pwned", blob)],
        &[("100644", b"a/../../pwned", blob)],
        &[("100644", b".git", blob)],
    ];
    for (at, entries) in refused.into_iter().enumerate() {
        let sha = repo.commit_of_raw_tree(entries);
        let base = cache.path().join(format!("refused{at}"));
        let packed = packed(&mirrors, &repo, &sha, 1, &base.join("pack")).await;
        let into = base.join("work");
        let error = checked_out(&packed, &sha, &into).unwrap_err();
        assert!(matches!(error, GitError::Hostile { .. }), "{at}: {error:?}");
        assert!(!base.join("pwned").exists() && !into.join(".git/post-checkout").exists(), "{at}");
        assert!(!into.join(".git/hooks").exists(), "{at}");
    }
    // A symbolic link and a folder of the same name: the second must not be written through the first.
    for entries in [
        [("120000", b"a".as_slice(), link), ("40000", b"a".as_slice(), into_link)],
        [("40000", b"a".as_slice(), into_link), ("120000", b"a".as_slice(), link)],
    ] {
        let sha = repo.commit_of_raw_tree(&entries);
        let base = cache.path().join(sha.as_str());
        let packed = packed(&mirrors, &repo, &sha, 1, &base.join("pack")).await;
        let _ = checked_out(&packed, &sha, &base.join("work"));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something was written through a link");
    }
}

#[tokio::test]
async fn a_clone_has_the_requested_depth_of_history() {
    let (repo, cache) = setup();
    let first = repo.commit("one", &[("a", "1")]);
    let second = repo.commit("two", &[("a", "2")]);
    repo.commit("three", &[("a", "3")]);
    for (name, sha, depth, commits) in
        [("all", &second, u32::MAX, "2"), ("one", &second, 1, "1"), ("first", &first, 5, "1")]
    {
        let into = cache.path().join(name);
        clone(&format!("file://{}", repo.url()), sha, depth, &into, &[]).unwrap();
        assert_eq!(run_git(&into, &["rev-list", "--count", "HEAD"]), commits, "{name}");
        assert_eq!(run_git(&into, &["rev-parse", "HEAD"]), sha.as_str());
        assert_eq!(run_git(&into, &["status", "--porcelain"]), "");
    }
    let missing = CommitSha::new("1".repeat(40)).unwrap();
    let error = clone(&repo.url(), &missing, u32::MAX, &cache.path().join("missing"), &[]).unwrap_err();
    assert!(matches!(error, GitError::Missing { .. }), "{error:?}");
    let error = clone(&repo.url(), &missing, 1, &cache.path().join("missing1"), &[]).unwrap_err();
    assert!(matches!(error, GitError::Missing { .. }), "{error:?}");
}

#[tokio::test]
async fn a_clone_includes_submodules_and_lfs_files() {
    let (repo, cache) = setup();
    let (middle, inner) = (Repo::new(), Repo::new());
    inner.commit("inner", &[("deep", "inner")]);
    middle.git(&["submodule", "--quiet", "add", &inner.url(), "inner"]);
    middle.commit_all("middle");
    repo.git(&["submodule", "--quiet", "add", &middle.url(), "libs/middle"]);
    // The filter is configured here, so the test does not depend on how git-lfs was installed.
    repo.git(&["config", "filter.lfs.clean", "git-lfs clean -- %f"]);
    repo.commit("one", &[(".gitattributes", "*.psd filter=lfs -text\n"), ("x.psd", "large")]);
    let pointer = repo.git(&["show", "HEAD:x.psd"]);
    assert!(
        pointer.starts_with("version https://git-lfs"),
        "git-lfs is needed for this test: apt-get install git-lfs"
    );

    let into = cache.path().join("clone");
    let allowed =
        [("GIT_ALLOW_PROTOCOL".into(), "file".into()), ("GIT_CONFIG_GLOBAL".into(), "/dev/null".into())];
    clone(&format!("file://{}", repo.url()), &repo.head(), 1, &into, &allowed).unwrap();
    assert_eq!(fs::read_to_string(into.join("libs/middle/inner/deep")).unwrap(), "inner");
    assert_eq!(fs::read_to_string(into.join("x.psd")).unwrap(), "large");
    assert_eq!(run_git(&into, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_clone_without_git_or_git_lfs_says_what_to_install() {
    let (repo, cache) = setup();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let sha = repo.commit("one", &[(".gitattributes", "*.psd filter=lfs\n"), ("x.psd", pointer)]);
    let path = |path: &Path| vec![("PATH".into(), path.as_os_str().to_owned())];
    let error = clone(&repo.url(), &sha, 1, &cache.path().join("1"), &path(Path::new("/nonexistent")));
    assert!(hint(&error.unwrap_err()).contains("apt-get install git"));

    // Everything git needs, without git-lfs.
    let bin = cache.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["git", "sh"] {
        symlink(Path::new("/usr/bin").join(program), bin.join(program)).unwrap();
    }
    let error = clone(&repo.url(), &sha, 1, &cache.path().join("2"), &path(&bin)).unwrap_err();
    assert!(matches!(error, GitError::NoLfs { .. }), "{error:?}");
}

#[tokio::test]
async fn a_url_that_is_a_command_is_refused() {
    let (repo, cache) = setup();
    let sha = repo.commit("one", &[("a", "1")]);
    let trap = cache.path().join("trap");
    for url in [format!("ext::touch {}", trap.display()), format!("--upload-pack=touch {}", trap.display())] {
        for error in [
            mirrors(&cache).ensure(&url, &sha).await.unwrap_err(),
            mirrors(&cache).tip(&url, "main").await.unwrap_err(),
            clone(&url, &sha, 1, &cache.path().join("c"), &[]).unwrap_err(),
        ] {
            assert!(matches!(error, GitError::Url { .. }), "{error:?}");
        }
    }
    assert!(!trap.exists());
}
