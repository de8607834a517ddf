//! Blobs that the store should have and does not.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::world::World;

use super::{bad, sound};

/// A build with two replicas that keeps a file, and a deployment.
fn built() -> World {
    World::shop_with(
        r#"  { name = "build", order = 0, parallelism = 2, artifacts = ["ci.sh"] },
  { name = "deploy", order = 1, kind = "deployment" },"#,
    )
    .applied()
}

/// Location of the build's attempt.
fn attempt(world: &World) -> PathBuf {
    world.attempt("first", "build")
}

/// Runs the suggested fix.
fn run_again(world: &World) {
    let again = world.run(["retry", "dev/shop", "--phase", "build", "--apply"]);
    assert_eq!(again.code, 0, "{again}");
    sound(world);
}

#[test]
fn the_results_of_a_success_are_checked_per_replica() {
    let world = built();
    fs::remove_dir_all(attempt(&world).join("replica-0/log")).unwrap();
    fs::remove_dir_all(attempt(&world).join("replica-0/artifacts")).unwrap();
    fs::remove_file(attempt(&world).join("replica-1/status.json")).unwrap();
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD attempt 1 of `build`, which succeeded: the blob store lacks 1 of 1 parts of the log of replica 0, 1 of 1 artifacts of replica 0, the status of replica 1
          fix: `katkit retry dev/shop --phase build --apply` reruns it and the phases after it
    1 problem
    ");
    run_again(&world);
}

#[test]
fn a_status_that_contradicts_the_record_is_no_evidence() {
    let world = built();
    let status = attempt(&world).join("replica-1/status.json");
    let text = fs::read_to_string(&status).unwrap();
    fs::write(&status, text.replace("succeeded", "cancelled")).unwrap();
    fs::remove_dir_all(attempt(&world).join("replica-0")).unwrap();
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD attempt 1 of `build`, which succeeded: the blob store lacks everything of replica 0, a successful status of replica 1
          fix: `katkit retry dev/shop --phase build --apply` reruns it and the phases after it
    1 problem
    ");
    fs::write(&status, "{").unwrap();
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD attempt 1 of `build`, which succeeded: the blob store lacks everything of replica 0, a successful status of replica 1
          fix: `katkit retry dev/shop --phase build --apply` reruns it and the phases after it
    1 problem
    ");
    run_again(&world);
}

/// The code of a phase can write its own status.
#[test]
fn forged_counts_of_chunks_and_artifacts_are_compared_with_the_store() {
    let world = built();
    let status = attempt(&world).join("replica-1/status.json");
    let text = fs::read_to_string(&status).unwrap();
    let forge = |chunks: &str, artifacts: &str| {
        let mut forged: serde_json::Value = serde_json::from_str(&text).unwrap();
        forged["chunks"] = chunks.parse::<serde_json::Value>().unwrap();
        forged["artifacts"] = artifacts.parse::<serde_json::Value>().unwrap();
        fs::write(&status, forged.to_string()).unwrap();
    };
    forge("4294967295", "4294967295");
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD attempt 1 of `build`, which succeeded: the blob store lacks 4294967294 of 4294967295 parts of the log of replica 1, 4294967294 of 4294967295 artifacts of replica 1
          fix: `katkit retry dev/shop --phase build --apply` reruns it and the phases after it
    1 problem
    ");
    for (chunks, artifacts) in [("4294967296", "1"), ("-1", "1"), ("1.5", "1"), ("\"1\"", "1"), ("1", "null")]
    {
        forge(chunks, artifacts);
        let said = bad(&world);
        assert!(said.contains("lacks a successful status of replica 1"), "{chunks} {artifacts}: {said}");
    }
    // An agent that dies between a chunk and its status also reports fewer than there are.
    forge("0", "0");
    sound(&world);
    forge("-1", "0");
    run_again(&world);
}

#[test]
fn completely_missing_evidence_is_reported_on_one_line() {
    let world = built();
    fs::remove_dir_all(world.path(".katkit/blobs/dev")).unwrap();
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD attempt 1 of `build`, which succeeded: the blob store lacks its status, log and artifacts
          fix: `katkit retry dev/shop --phase build --apply` reruns it and the phases after it
    1 problem
    ");
    run_again(&world);
}

#[test]
fn missing_evidence_of_an_unwanted_commit_disappears_with_the_next_run() {
    let mut world = built();
    fs::remove_dir_all(attempt(&world)).unwrap();
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD attempt 1 of `build`, which succeeded: the blob store lacks its status, log and artifacts
          fix: `katkit apply` moves on to <second>, after which nothing needs it
    1 problem
    ");
    world.apply();
    sound(&world);
}

#[test]
fn unrecoverable_evidence_is_not_reported_as_fixable() {
    let mut world = built();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    let second = world.path(".katkit/blobs/dev/shop").join(world.sha("second"));
    fs::remove_dir_all(second).unwrap();
    assert_snapshot!(world.run(["doctor"]), @r"
    dev/shop
      ?   attempt 1 of `build`, which succeeded: the blob store lacks its status, log and artifacts, and it cannot be rerun: <second> is quarantined
    no problems found
    ----- exit 0
    ");
}

/// The only file of that kind among the commit packs.
fn pack(world: &World, ending: &str) -> PathBuf {
    let files = |directory: &Path| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let repository = files(&world.path(".katkit/blobs/commits")).next().unwrap();
    let found: Vec<_> = files(&repository).filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    found.into_iter().next().unwrap()
}

#[test]
fn a_missing_pack_is_rebuilt_when_a_phase_needs_it() {
    let world = built();
    fs::remove_file(pack(&world, ".pack")).unwrap();
    let said = world.run(["doctor"]);
    assert!(said.stdout.contains("is gone; it is rebuilt when a phase needs it"), "{said}");
    assert_eq!(said.code, 0, "{said}");
    run_again(&world);
}

/// As after a power loss, including beside the marker of a katkit that did not record the size.
#[test]
fn a_truncated_pack_is_a_problem_and_is_rebuilt_when_a_phase_needs_it() {
    let world = built();
    let (file, marker) = (pack(&world, ".pack"), pack(&world, ".pack.json"));
    let whole = fs::metadata(&file).unwrap().len();
    let cut = |size| fs::File::options().write(true).open(&file).unwrap().set_len(size).unwrap();
    cut(whole / 2);
    let said = bad(&world);
    let has = format!("has {} of {whole} bytes, so no phase can check the commit out", whole / 2);
    assert!(said.contains(&has), "{said}");
    assert!(
        said.contains("fix: `katkit apply` rebuilds it when a phase needs it; otherwise remove"),
        "{said}"
    );
    run_again(&world);
    assert_eq!(fs::metadata(&file).unwrap().len(), whole);

    fs::write(&marker, r#"{"shallow":[]}"#).unwrap();
    sound(&world);
    cut(0);
    let said = bad(&world);
    assert!(said.contains("has 0 bytes, so no phase can check the commit out"), "{said}");
    run_again(&world);
    assert_eq!(fs::metadata(&file).unwrap().len(), whole);
}

#[test]
fn an_unreadable_store_is_reported_once() {
    let world = built();
    let commits = world.path(".katkit/blobs/commits");
    fs::remove_dir_all(&commits).unwrap();
    std::os::unix::fs::symlink("/nowhere", &commits).unwrap();
    assert_snapshot!(world.run(["doctor"]), @"
    blobs
      ?   blob store `file://<world>/.katkit/blobs`: `commits` could not be listed in <world>/.katkit/blobs: `commits` is a symbolic link, which katkit does not follow; the output of
          phases is not checked
    1 link is healthy
    no problems found
    ----- exit 0
    ");
}
