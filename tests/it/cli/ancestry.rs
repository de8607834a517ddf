//! `ancestry = "branch"`: a link runs only commits of its repository's branch, and never an older one than what is live.

use insta::assert_snapshot;

use crate::world::World;

/// One link that follows `main`, whose tenant has this condition, and on which `second` is live.
fn strict() -> World {
    let mut world = World::shop();
    world.edit(
        "[tenants.dev]\n",
        "[policies.strict]\nancestry = \"branch\"\n\n[tenants.dev]\npolicy = \"strict\"\n",
    );
    world.apply();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    world
}

/// Lets the link name a commit instead.
fn name(world: &World, commit: &str) {
    world.edit("branch = \"main\"", &format!("sha = \"{}\"", world.sha(commit)));
}

#[test]
fn a_commit_of_another_branch_is_held_until_it_is_merged() {
    let mut world = strict();
    world.change("shop", |repo| {
        repo.git(&["checkout", "-q", "-b", "hotfix"])
            .file("fix", "1")
            .commit("hotfix")
            .git(&["checkout", "-q", "main"])
    });
    name(&world, "hotfix");
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop  at <second>
      ! held: <hotfix> is not on the branch `main`, as the policy `strict` requires
          hint: merge it into `main`, or name a commit of that branch

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert!(world.deployed("dev/shop").contains("<second>"));
    assert!(world.run(["why", "dev/shop"]).stdout.contains("<hotfix> is not on the branch `main`"));
    world.change("shop", |repo| repo.git(&["merge", "-q", "--no-ff", "-m", "merged", "hotfix"]));
    world.apply();
    assert!(world.deployed("dev/shop").contains("<hotfix>"));
}

#[test]
fn an_older_commit_is_held_and_a_rollback_to_it_is_not() {
    let world = strict();
    name(&world, "first");
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    dev/shop  at <second>
      ! held: <first> is older than <second>, which is live, and the policy `strict` allows older commits only by a rollback
          hint: name a newer commit, or go back: `katkit rollback dev/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 1
    ");
    assert_eq!(world.run(["rollback", "dev/shop", "--apply", "--why", "slow"]).code, 0);
    assert!(world.deployed("dev/shop").contains("<first>"));
}

#[test]
fn a_branch_that_was_moved_back_is_not_followed() {
    let mut world = strict();
    world.change("shop", |repo| repo.git(&["reset", "-q", "--hard", "HEAD~1"]));
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop  at <second>
      ! held: <first> is older than <second>, which is live, and the policy `strict` allows older commits only by a rollback
          hint: push a commit to `main` that contains <second>, or go back: `katkit rollback dev/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    world.change("shop", |repo| repo.file("other", "1").commit("third"));
    // It is not older than what is live: the branch was rewritten.
    world.apply();
    assert!(world.deployed("dev/shop").contains("<third>"));
}

#[test]
fn a_link_that_runs_the_commit_it_names_asks_nothing_of_its_repository() {
    let world = strict();
    name(&world, "second");
    std::fs::rename(world.path("repos/shop"), world.path("repos/gone")).unwrap();
    let plan = world.run(["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{plan}");
}

#[test]
fn without_the_condition_any_commit_runs() {
    let world = strict();
    world.edit("ancestry = \"branch\"\n", "");
    name(&world, "first");
    world.apply();
    assert!(world.deployed("dev/shop").contains("<first>"));
}
