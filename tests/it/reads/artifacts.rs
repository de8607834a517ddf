//! `artifacts`: lists and copies, and never overwrites.

use std::fs;
use std::os::unix::fs::symlink;

use super::{assert_shown, shop_running};
use crate::world::World;

fn world(replicas: u32) -> World {
    let script = "mkdir -p reports/deep\necho \"of $REPLICA_ID\" > reports/one.txt\nprintf '%1500s' x > reports/deep/two.bin\n";
    let phase =
        format!("{{ name = \"build\", order = 0, parallelism = {replicas}, artifacts = [\"reports\"] }}");
    shop_running(script, &phase).applied()
}

#[test]
fn kept_artifacts_are_listed_and_copied() {
    let world = world(1);
    assert_shown!(world.run(["artifacts", "dev/shop"]), @r"
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
        1.5 kB  reports/deep/two.bin
           5 B  reports/one.txt
        1.5 kB  in 2 files
    ----- exit 0
    ");
    assert_shown!(world.run(["artifacts", "dev/shop", "--output", "kept"]), @r"
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
        1.5 kB  reports/deep/two.bin
           5 B  reports/one.txt
        1.5 kB  in 2 files
    Copied to kept.
    ----- exit 0
    ");
    assert_eq!(world.read("kept/reports/one.txt"), "of 0\n");
    assert_eq!(world.read("kept/reports/deep/two.bin").len(), 1500);
    let left: Vec<_> =
        fs::read_dir(world.path("kept")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["reports"], "nothing temporary is left");
}

#[test]
fn each_replica_has_its_own_directory() {
    let world = world(2);
    assert_shown!(world.run(["artifacts", "dev/shop", "-o", "kept"]), @r"
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
        1.5 kB  replica-0/reports/deep/two.bin
           5 B  replica-0/reports/one.txt
        1.5 kB  replica-1/reports/deep/two.bin
           5 B  replica-1/reports/one.txt
        3.0 kB  in 4 files
    Copied to kept.
    ----- exit 0
    ");
    assert_eq!(world.read("kept/replica-0/reports/one.txt"), "of 0\n");
    assert_eq!(world.read("kept/replica-1/reports/one.txt"), "of 1\n");
    let document = world.run(["artifacts", "dev/shop", "--replica", "1", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!(document["files"][0]["path"], "reports/deep/two.bin");
    assert_eq!(document["files"][0]["size"], 1500);
    assert_eq!(document["files"][0]["replica"], 1);
    assert_eq!(document["files"].as_array().unwrap().len(), 2);
}

#[test]
fn no_file_is_overwritten_and_no_symlink_is_followed() {
    let world = world(1);
    world.write("kept/reports/one.txt", "mine\n");
    assert_shown!(world.run(["artifacts", "dev/shop", "-o", "kept"]), @r"
    ----- stderr -----
    error: kept/reports/one.txt already exists
     hint: nothing was copied; choose another directory
    ----- exit 1
    ");
    assert_eq!(world.read("kept/reports/one.txt"), "mine\n");
    assert!(!world.path("kept/reports/deep").exists(), "nothing was copied");

    fs::create_dir_all(world.path("elsewhere")).unwrap();
    fs::create_dir_all(world.path("linked")).unwrap();
    symlink(world.path("elsewhere"), world.path("linked/reports")).unwrap();
    assert_shown!(world.run(["artifacts", "dev/shop", "-o", "linked"]), @r"
    ----- stderr -----
    error: linked/reports is a symbolic link, which is not followed
     hint: nothing was copied; choose another directory
    ----- exit 1
    ");
    assert_eq!(fs::read_dir(world.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn a_phase_without_artifacts_says_so() {
    let world = World::shop().applied();
    assert_shown!(world.run(["artifacts", "dev/shop"]), @r"
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
    No files kept; `artifacts` of a phase in the manifest selects files to keep.
    ----- exit 0
    ");
    assert_shown!(World::shop().run(["artifacts", "dev/shop"]), @r"
    ----- stderr -----
    error: nothing has ever run for dev/shop
    ----- exit 1
    ");
}

#[test]
fn missing_files_are_not_reported_as_no_artifacts() {
    let world = world(1);
    let attempt = world.attempt("first", "build");
    fs::remove_file(attempt.join("replica-0/artifacts/reports/one.txt")).unwrap();
    assert_shown!(world.run(["artifacts", "dev/shop", "--output", "kept"]), @r"
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
        1.5 kB  reports/deep/two.bin
        1.5 kB  in 1 file
    Copied to kept.
    ----- stderr -----
    error: a part of the output of attempt 1 of `build` is missing from file://<world>/.katkit/blobs
     hint: `katkit doctor dev/shop` shows details
    ----- exit 1
    ");
    fs::remove_dir_all(attempt.join("replica-0/artifacts")).unwrap();
    let nothing = world.run(["artifacts", "dev/shop"]);
    assert_shown!(nothing, @r"
    ----- stderr -----
    error: the output of attempt 1 of `build` is missing from file://<world>/.katkit/blobs
     hint: `katkit doctor dev/shop` shows details
    ----- exit 1
    ");
    fs::remove_dir_all(&attempt).unwrap();
    assert_eq!(world.run(["artifacts", "dev/shop"]).to_string(), nothing.to_string());
    let document = world.run(["artifacts", "dev/shop", "--format", "json"]);
    assert_eq!(document.code, 1, "{document}");
    assert!(document.stdout.contains("\"files\": []"), "{document}");
}
