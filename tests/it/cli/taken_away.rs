//! What users, tools and phases remove or replace while katkit works.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::world::{Running, World};

/// A world with one phase that runs this.
fn of(code: &str) -> World {
    World::shop_with(&format!("  {{ name = \"build\", order = 0, run = \"\"\"\n{code}\"\"\" }},"))
}

/// Announces itself, and waits for the test.
const WAITS: &str = r#"
    echo "$KATKIT_ATTEMPT" >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done
    echo done"#;

/// A phase that succeeds once its dependency is fixed.
const UNTIL_MENDED: &str = "echo >> @OUT@/began; test -e @OUT@/mended";

/// A world in which that phase waits.
fn running(code: &str) -> (World, Running) {
    let world = of(code);
    let apply = world.start(["apply"]);
    world.appears("began");
    (world, apply)
}

fn remove(world: &World, name: &str) {
    fs::remove_dir_all(world.path(name)).unwrap();
}

/// Nothing is left to do, nothing is left behind, and the phase's code began this many times.
fn is_over(world: &World, began: usize) {
    let plan = world.run(["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{plan}");
    assert_eq!(world.read("out/began").lines().count(), began);
    world.nothing_is_left();
}

#[test]
fn a_phase_whose_directory_is_removed_is_not_run_twice() {
    let (world, apply) = running(WAITS);
    apply.kill();
    remove(&world, ".katkit/services");
    let next = world.start(["apply"]);
    world.release("go");
    let next = next.wait();
    assert_eq!(next.code, 0, "{next}");
    is_over(&world, 1);
}

#[test]
fn a_phase_whose_directory_is_removed_is_ended_by_ctrl_c() {
    let (world, apply) = running(WAITS);
    remove(&world, ".katkit/services");
    apply.signal(Signal::INT);
    let apply = apply.wait();
    assert_eq!(apply.code, 130, "{apply}");
    world.nothing_is_left();
    world.release("go");
    world.apply();
    is_over(&world, 2);
}

#[test]
fn processes_left_by_a_phase_are_ended_though_it_removed_its_directory_and_its_agent() {
    let world = of(r#"
    echo >> @OUT@/began
    test -e @OUT@/second && exit 0
    touch @OUT@/second
    setsid sleep 1000 &
    rm -rf "$KATKIT_SERVICE"
    kill -9 $PPID"#);
    world.apply();
    is_over(&world, 2);
}

#[test]
fn a_pipe_in_place_of_a_services_lock_does_not_block() {
    let world = of(r#"
    echo >> @OUT@/began
    for name in service.lock service.json agent.log; do
      rm -f "$KATKIT_SERVICE/$name"; mkfifo "$KATKIT_SERVICE/$name"
    done"#);
    world.apply();
    is_over(&world, 1);
}

#[test]
fn files_of_another_user_do_not_block_the_record() {
    let world = of(r"
    mkdir -p there/deep; touch there/deep/file; pwd >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done");
    let mut apply = Command::new("/bin/sh");
    // Permissions do not bind root until it drops the capabilities to override them (capabilities(7)).
    let without = "if test \"$(id -u)\" = 0; then exec setpriv --bounding-set=-dac_override,-fowner,-chown katkit apply; fi; exec katkit apply";
    apply.args(["-c", without]);
    let apply = world.start_command(apply);
    let place = world.appears("began").trim().to_owned();
    let chown = |owner: &str| {
        let mut chown = if rustix::process::getuid().is_root() {
            Command::new("chown")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.arg("chown");
            sudo
        };
        assert!(chown.args(["-R", owner, &format!("{place}/there")]).status().unwrap().success());
    };
    chown("65534");
    world.release("go");
    let apply = apply.wait();
    assert_eq!(apply.code, 0, "{apply}");
    assert!(apply.stderr.contains("files left by a phase could not be removed"), "{apply}");
    assert!(apply.stderr.contains("; remove <world>/.katkit/services/local/.left-"), "{apply}");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    let told = world.run(["doctor"]);
    assert!(told.code == 1 && told.stdout.contains("fix: as root, `rm -rf "), "{told}");
    // A user who may remove it does so with the next apply.
    if rustix::process::getuid().is_root() {
        world.apply();
        assert_eq!(world.run(["doctor"]).code, 0);
        is_over(&world, 1);
    }
}

#[test]
fn an_apply_whose_state_is_removed_says_so_and_fails() {
    let (world, apply) = running(WAITS);
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.path(".katkit").join(name));
    }
    world.release("go");
    let apply = apply.wait();
    assert_eq!(apply.code, 1, "{apply}");
    let said = "it was removed or replaced while katkit had it open";
    assert!(apply.stdout.contains(said) && apply.stdout.contains("hint: put it back"), "{apply}");
}

#[test]
fn a_new_record_claims_nothing_that_an_earlier_one_left() {
    let world = of(UNTIL_MENDED);
    assert_eq!(world.run(["apply"]).code, 1);
    fs::write(world.path("out/mended"), "").unwrap();
    for entry in fs::read_dir(world.path(".katkit")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("state.db") {
            fs::remove_file(path).unwrap();
        }
    }
    world.apply();
    is_over(&world, 2);
}

#[test]
fn a_temporarily_unreachable_blob_store_is_waited_for_and_not_created_again() {
    let (world, apply) = running(&format!("{WAITS}\n    sleep 1; echo over > @OUT@/over"));
    fs::rename(world.path(".katkit/blobs"), world.path(".katkit/away")).unwrap();
    world.release("go");
    // The phase's output was due a second ago; a newly created store would now be in the way.
    world.appears("over");
    fs::rename(world.path(".katkit/away"), world.path(".katkit/blobs")).unwrap();
    let apply = apply.wait();
    assert_eq!(apply.code, 0, "{apply}");
    assert!(world.run(["logs", "dev/shop"]).stdout.contains("done"));
    assert_eq!(world.run(["doctor"]).code, 0);
    is_over(&world, 1);
}

#[test]
fn a_reader_that_closes_the_pipe_changes_neither_the_work_nor_its_exit_code() {
    let world = of(UNTIL_MENDED);
    let left = |command: &str| {
        let piped = world.shell(&format!("{{ katkit {command}; echo $? >&2; }} | true"));
        piped.stderr.lines().last().unwrap().to_owned()
    };
    assert_eq!(left("plan --detailed-exitcode"), "2");
    assert_eq!(left("apply"), "1");
    fs::write(world.path("out/mended"), "").unwrap();
    assert_eq!(left("retry dev/shop --apply"), "0");
    assert_eq!(left("apply --format json"), "0");
    assert_eq!(left("logs dev/shop"), "0");
    is_over(&world, 2);
}
