//! Leases left by dead processes, on this machine and on others.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::world::World;

/// Records the lease of `dev/shop` as its owner left it, on the machine with that boot id.
fn left(world: &World, boot: &str, duration: u32) {
    let owner = format!(
        r#"{{ "id": "o", "host": "builder", "boot": "{boot}", "pid": 7, "started_ticks": 1, "actor": "ana" }}"#
    );
    let state = world.state();
    let changed = state.execute(
        "UPDATE lease SET epoch = epoch + 1, beat = 3, owner = ?1, duration = ?2 \
         WHERE tenant = 'dev' AND link = 'shop'",
        rusqlite::params![owner, duration],
    );
    assert_eq!(changed.unwrap(), 1);
}

fn this_boot() -> String {
    katkit::liveness::process_table().unwrap()
}

#[test]
fn the_lease_of_a_process_that_died_after_its_last_event_is_released() {
    let world = World::shop().applied();
    left(&world, &this_boot(), 30);
    assert_snapshot!(world.run(["plan"]).stdout, @r"
    dev/shop  at <first>
      - release  the lease left by ana (process 7 on builder)

    Plan: 1 link to change (1 to recover), 0 up to date.
    ");
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  at <first>
      - release  the lease left by ana (process 7 on builder)

    Plan: 1 link to change (1 to recover), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  released the lease of ana (process 7 on builder), which is gone
    ----- exit 0
    ");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0, "nothing is left to do");
    assert!(world.run(["unlock", "dev/shop"]).stdout.contains("No process holds"));
}

#[test]
fn the_lease_of_a_machine_that_is_gone_is_taken_over_after_its_duration() {
    let world = World::shop().applied();
    left(&world, "another", 1);
    world.edit("branch = \"main\"", "sha = \"@first@\"");
    assert_snapshot!(world.run(["plan"]).stdout, @r"
    dev/shop  at <first>
      ! held: ana (process 7 on builder) is working on it
          hint: wait for it; `katkit apply` takes over if its process is gone

    Plan: nothing to change, 1 held, 0 up to date.
    ");
    let mut world = world;
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.edit(world.sha("first"), world.sha("second"));
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(world.deployed("dev/shop").contains("acme/web:<second>"), "{applied}");
    assert!(world.run(["unlock", "dev/shop"]).stdout.contains("No process holds"));
}

#[test]
fn a_lease_on_another_machine_delays_only_commands_about_its_link() {
    let world = World::shop();
    world.edit(
        "[tenants.dev]\n",
        "[tenants.dev]\nlinks.api = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n",
    );
    let mut world = world.applied();
    left(&world, "another", 30);
    world.change("shop", |repo| repo.commit("second"));
    let began = Instant::now();
    let applied = world.run(["apply", "--target", "dev/api"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(world.deployed("dev/api").contains("acme/web:<second>"), "{applied}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(!applied.stderr.contains("waiting"), "{applied}");
}
