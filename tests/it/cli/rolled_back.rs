//! Commits after a rolled-back one: they still contain its fault.

use insta::assert_snapshot;

use crate::world::World;

const TWO: &str = r#"version = 1
repos.shop.url = "repos/shop"
workflows.standard.phases = [{ name = "build", order = 0 }, { name = "deploy", order = 1, kind = "deployment" }]
tenants.dev.links.shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

/// The second commit was live, and was rolled back.
fn rolled_back() -> World {
    let mut world = World::new()
        .repo("shop", |repo| repo.ci("true\n").description("acme/web:<hubtag>").commit("first"))
        .manifest(TWO)
        .applied();
    world.change("shop", |repo| repo.file("code", "it loses orders\n").commit("second"));
    world.apply();
    let back = world.run(["rollback", "dev/shop", "--why", "it loses orders", "--apply"]);
    assert_eq!(back.code, 0, "{back}");
    world
}

#[test]
fn a_commit_on_top_of_a_rolled_back_one_is_held_until_it_is_released() {
    let mut world = rolled_back();
    world.change("shop", |repo| repo.file("more", "").commit("third"));
    let plan = world.run(["plan"]);
    let twelve = format!("`Fixes: <second>{}`", &world.sha("second")[10..12]);
    assert_snapshot!(plan.stdout.replace(&twelve, "`Fixes: <second>..`"), @r"
    dev/shop  <first> → <third>
      ! held: <third> contains <second>, which was rolled back at <date> <hour> UTC: it loses orders
          hint: revert it, say `Fixes: <second>..` in the commit that fixes it, or release this one with `katkit retry dev/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ");
    assert_eq!(world.run(["apply"]).code, 1);
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));

    let json: serde_json::Value =
        serde_json::from_str(&world.run(["plan", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["links"][0]["holds"][0]["kind"], "tainted");
    assert_snapshot!(world.run(["retry", "dev/shop", "--phase", "build"]), @r"
    ----- stderr -----
    error: <third> contains <second>, which was rolled back
     hint: leave out `--phase`: katkit retry dev/shop
    ----- exit 1
    ");
    assert_snapshot!(world.run(["retry", "dev/shop", "--why", "it is another bug"]), @r"
    dev/shop: recorded: <third> may be deployed, even though <second> was rolled back.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<third>"));

    // Its descendants need no release, and the rolled-back commit stays quarantined.
    world.change("shop", |repo| repo.file("still more", "").commit("fourth"));
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<fourth>"));
    world.edit("branch = \"main\"", &format!("sha = \"{}\"", world.sha("second")));
    assert!(world.run(["plan"]).stdout.contains("<second> has been quarantined since"));
    assert!(
        world
            .run(["history", "dev/shop"])
            .stdout
            .contains("ana asked to allow deploying <third> (it is another bug)")
    );
}

#[test]
fn a_revert_of_the_rolled_back_commit_and_its_descendants_are_deployed() {
    let mut world = rolled_back();
    world.change("shop", |repo| {
        repo.file("more", "")
            .commit("third")
            .git(&["revert", "--no-edit", "HEAD~"])
            .file("other", "")
            .commit("fourth")
    });
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<fourth>"));
    // It was verified, so its descendants are not checked from the beginning again.
    world.change("shop", |repo| repo.git(&["revert", "--no-edit", "HEAD~"]).file("last", "").commit("fifth"));
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("the same change as <second>, which was rolled back at"), "{plan}");
}

#[test]
fn a_commit_that_says_what_it_fixes_is_deployed() {
    let mut world = rolled_back();
    let message = format!("third\n\nFixes: {}", world.sha("second"));
    world.change("shop", |repo| repo.file("code", "it loses nothing\n").commit(&message));
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}
