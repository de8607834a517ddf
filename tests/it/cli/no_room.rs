//! Full disks, simulated by a limit on file sizes (`ulimit -f`): any user may set it, and a write beyond it fails like
//! one on a full disk.

use std::fs;

use insta::assert_snapshot;

use crate::world::{Output, World};

/// Runs katkit with no file allowed to exceed `kibibytes`.
fn run_within(world: &World, kibibytes: u32, arguments: &str) -> Output {
    // Blocks of 512 bytes (POSIX, `ulimit`). Without the trap, the signal would end the process before it can report
    // the error.
    let blocks = kibibytes * 2;
    world.shell(&format!("trap '' XFSZ; ulimit -S -f {blocks}; exec katkit {arguments}"))
}

/// Incompressible bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 1_u64;
    let mut next = || {
        // Knuth's MMIX generator.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_le_bytes()[7]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_state_without_room_loses_nothing_on_record() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    let before = world.recorded();
    // Room for the log's index and a few of its pages: which event is the first without room depends on the schema.
    let said = run_within(&world, 32, "apply").to_string();
    let failed = "
dev/shop  the state at <world>/.katkit/state.db could not be written: disk I/O error (SQLite error 778)
  hint: check whether that disk is full or failing, and run the command again: nothing recorded is lost

Applied: 0 links done, 1 failed in <time>.
";
    assert!(said.contains(failed) && said.ends_with("----- exit 1"), "{said}");
    assert!(world.recorded() >= before);
    let status = world.run(["status"]).to_string();
    assert!(status.contains("dev/shop  <first>  interrupted at build  just now"), "{status}");
    world.apply();
    assert_snapshot!(world.ran(), @r"
    dev/shop build <first> 1 0
    dev/shop build <second> 1 0
    ");
    world.nothing_is_left();
    assert_snapshot!(world.run(["plan"]), @r"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
}

#[test]
fn a_state_that_cannot_be_created_for_lack_of_room_says_so() {
    let world = World::shop();
    assert_snapshot!(run_within(&world, 0, "apply"), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db could not be opened: disk I/O error (SQLite error 778)
     hint: check whether that disk is full or failing, and run the command again: nothing recorded is lost
    ----- exit 1
    ");
    world.apply();
}

#[test]
fn a_commit_that_does_not_fit_is_not_half_packed() {
    let mut world = World::shop().applied();
    fs::write(world.path("repos/shop/large"), noise(2 << 20)).unwrap();
    world.change("shop", |repo| repo.commit("second"));
    let applied = run_within(&world, 1024, "apply").unbroken();
    assert_eq!(applied.code, 1, "{applied}");
    // libgit2's message names a temporary file.
    let (said, rest) = applied.stdout.split_once(": cannot extend packfile").unwrap();
    assert_snapshot!(said.lines().last().unwrap(), @"dev/shop  commit <second> could not be packed in <world>/home/.cache/katkit/packs");
    assert_snapshot!(rest.split_once('\n').unwrap().1, @r"
      hint: make room there, or set another `cache.path` in the manifest

    Applied: 0 links done, 1 failed in <time>.
    ");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
    world.apply();
    assert_snapshot!(world.ran(), @r"
    dev/shop build <first> 1 0
    dev/shop build <second> 1 0
    ");
    world.nothing_is_left();
}

/// The output without the run ids in the keys of `build`, which are unpredictable.
fn without_the_run(output: &Output) -> String {
    let text = output.to_string();
    let run = text.split_once("/build/").and_then(|(_, rest)| rest.split_once('.')).map(|(run, _)| run);
    text.replace(&format!("/build/{}.", run.unwrap_or_default()), "/build/<run>.")
}

#[test]
fn an_artifact_that_does_not_fit_is_the_reason_of_a_failure() {
    let mut world = World::shop_with(
        r#"{ name = "build", order = 0, artifacts = ["large"], run = """
    ulimit -S -f unlimited
    head -c 4194304 /dev/zero > large
    echo built""" },"#,
    );
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(without_the_run(&run_within(&world, 1024, "apply").unbroken()), @r"
    dev/shop  → <second>
      + run build  not run yet

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  `build` failed for <second> (attempt 1): `large` could not be stored: `dev/shop/<second>/build/<run>.1/replica-0/artifacts/large` could not be written in <world>/.katkit/blobs: File too large (os error 27)
      | built
      log:   katkit logs dev/shop --phase build
      retry: katkit retry dev/shop --phase build --apply

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <second>
    dev/shop  build  started
    dev/shop  build  `large` could not be stored: `dev/shop/<second>/build/<run>.1/replica-0/artifacts/large` could not be written in <world>/.katkit/blobs: File too large (os error 27)  <time>
    ----- exit 1
    ");
    assert_snapshot!(without_the_run(&world.run(["logs", "dev/shop"])), @r"
    built
    ----- stderr -----
    dev/shop  build of <second>, ended just now after <time>: `large` could not be stored: `dev/shop/<second>/build/<run>.1/replica-0/artifacts/large` could not be written in <world>/.katkit/blobs: File too large (os error 27)
    ----- exit 0
    ");
    assert_snapshot!(world.run(["retry", "dev/shop", "--apply"]), @r"
    dev/shop  → <second>
      ~ grant      ana asked to retry <second> from `build`
      + run build  retry

    Plan: 1 link to change (1 phase), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  build  started (attempt 2)
    dev/shop  build  succeeded  <time>
    ----- exit 0
    ");
    world.nothing_is_left();
}

#[test]
fn artifacts_that_do_not_fit_at_their_destination_are_reported_there() {
    let world = World::shop_with(
        r#"{ name = "build", order = 0, artifacts = ["large"], run = "head -c 4194304 /dev/zero > large" },"#,
    )
    .applied();
    assert_snapshot!(run_within(&world, 1024, "artifacts dev/shop --output kept"), @r"
    ----- stderr -----
    error: kept/large could not be written: File too large (os error 27)
     hint: make room there, or choose another path
    ----- exit 1
    ");
    assert_eq!(fs::read_dir(world.path("kept")).unwrap().count(), 0);
    assert_eq!(world.run(["artifacts", "dev/shop", "--output", "kept"]).code, 0);
    assert_eq!(fs::metadata(world.path("kept/large")).unwrap().len(), 4 << 20);
}

#[test]
fn a_manifest_that_does_not_fit_is_not_half_written() {
    let world = World::new();
    fs::create_dir(world.path("new")).unwrap();
    assert_snapshot!(run_within(&world, 0, "init new"), @r"
    ----- stderr -----
    error: new/katkit.toml could not be written: File too large (os error 27)
     hint: make room there, or choose another path
    ----- exit 1
    ");
    assert_eq!(fs::read_dir(world.path("new")).unwrap().count(), 0);
    assert_eq!(world.run(["init", "new"]).code, 0);
    assert_eq!(world.run(["validate", "--manifest", "new/katkit.toml"]).code, 0);
}
