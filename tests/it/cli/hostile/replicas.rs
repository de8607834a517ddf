//! Code that tampers with katkit's own files: its status, and the commit packs.

use crate::world::{Output, World};

/// A phase whose first attempt runs `act`; later ones succeed. `$at` is the location of the replica's files.
fn at_the_first_attempt(act: &str) -> World {
    let mut world = World::shop_with(r#"  { name = "build", order = 0, retries = 0 },"#);
    let script = format!("at=${{LOG_PATH#file://}}\nif [ $KATKIT_ATTEMPT != 1 ]; then exit 0; fi\n{act}\n");
    world.change("shop", |repo| repo.ci(&script).commit("second"));
    world
}

/// Lost once, with this evidence, and successful at the second attempt.
fn lost_once(world: &World, evidence: &str) -> Output {
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    let history = world.run(["history", "dev/shop"]);
    let said = history.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(evidence), "{history}");
    world.nothing_is_left();
    history
}

/// The status that a phase may forge after killing its agent.
fn forged(rest: &str) -> String {
    format!(
        r#"printf '{{"started":"2026-01-01T00:00:00Z","heartbeat":"2026-01-01T00:00:00Z","chunks":0,"ended":"2026-01-01T00:00:00Z",{rest}}}' > $at/status.json
kill -KILL $PPID; sleep 60"#
    )
}

#[test]
fn a_replica_whose_directory_became_a_symlink_is_lost_and_retried() {
    let world = at_the_first_attempt("mv $at $at.moved; ln -s $at.moved $at");
    lost_once(
        &world,
        "its status cannot be read: `replica-0` is a symbolic link, which katkit does not follow",
    );
}

#[test]
fn a_status_that_became_a_symlink_is_lost_and_retried() {
    let world = at_the_first_attempt(
        "rm $at/status.json; ln -s /etc/passwd $at/status.json; kill -KILL $PPID; sleep 60",
    );
    lost_once(
        &world,
        "its status cannot be read: `status.json` is a symbolic link, which katkit does not follow",
    );
}

#[test]
fn a_status_of_another_version_is_rejected() {
    let world = at_the_first_attempt(&forged(r#""version":99,"outcome":{"kind":"succeeded"}"#));
    lost_once(&world, "its status was written by an agent of another version (99; this build reads 1)");
}

#[test]
fn a_status_of_gigabytes_is_not_read() {
    let world = at_the_first_attempt("truncate -s 3G $at/status.json; kill -KILL $PPID; sleep 60");
    lost_once(&world, "its status is larger than 65536 bytes");
}

#[test]
fn an_endless_reason_is_truncated() {
    let reason = "x".repeat(20_000);
    let outcome = format!(r#""version":1,"outcome":{{"kind":"failed","reason":"{reason}"}}"#);
    let world = at_the_first_attempt(&forged(&outcome));
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    let longest = applied.stdout.split_whitespace().map(str::len).max().unwrap();
    assert!((4096..4200).contains(&longest) && applied.stdout.contains("x…"), "{longest}: {applied}");
}

#[test]
fn a_commit_whose_pack_disappears_during_an_apply_is_packed_again() {
    let mut world = World::shop_with(
        r#"  { name = "clean", order = 0 },
  { name = "build", order = 1 },"#,
    );
    let packs = world.path(".katkit/blobs/commits").display().to_string();
    let script = format!("if [ $KATKIT_PHASE = clean ]; then rm -r {packs}; fi\n");
    world.change("shop", |repo| repo.ci(&script).commit("second"));
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(!applied.stdout.contains("lost"), "{applied}");
}
