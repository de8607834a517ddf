//! A repository with several services, whose links watch parts of it.

use insta::assert_snapshot;

use crate::world::{TELLS, World};

/// Two services in one repository; `shop` watches a library beside its own folder, `billing` every commit.
fn world() -> World {
    World::new()
        .repo("mono", |repo| {
            let description =
                "{ \"Roles\": [ { \"Name\": \"web\", \"DockerImage\": \"acme/web:<hubtag>\" } ] }\n";
            repo.file("services/shop/ci.sh", TELLS)
                .file("services/shop/servicedescription/servicedescription.js", description)
                .file("services/billing/ci.sh", TELLS)
                .file("services/billing/servicedescription/servicedescription.js", description)
                .file("libs/common/code", "1\n")
                .file("docs/readme", "1\n")
                .commit("first")
        })
        .manifest(MANIFEST)
        .applied()
}

const MANIFEST: &str = r#"version = 1

[repos.mono]
url = "repos/mono"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
]

[tenants.dev.links]
shop = { repo = "mono", folder = "services/shop", watch = ["libs/common", "docs/readme"], workflow = "standard", branch = "main" }
billing = { repo = "mono", folder = "services/billing", workflow = "standard", branch = "main" }
"#;

#[test]
fn a_commit_that_changes_nothing_watched_runs_nothing() {
    let mut world = world();
    world.change("mono", |repo| repo.file("services/billing/more", "x\n").commit("second"));
    assert_snapshot!(world.run(["plan", "--target", "dev/shop"]), @r"
    dev/shop  at <first>
      · note: contained: <second> changes nothing in services/shop, libs/common, docs/readme since <first>, which is live

    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
    world.apply();
    let ran = |world: &World, link: &str, commit: &str| {
        world
            .ran()
            .lines()
            .filter(|line| line.contains(link) && line.contains(&format!("<{commit}>")))
            .count()
    };
    assert_eq!((ran(&world, "dev/shop", "second"), ran(&world, "dev/billing", "second")), (0, 1));
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    assert_snapshot!(world.run(["status"]), @r"
    LINK         DEPLOYED    STATE       SINCE
    dev/billing  <second>  up to date  just now
    dev/shop     <first>  contained   just now
        contained: <second> changes nothing in services/shop, libs/common, docs/readme since <first>, which is live

    2 links: 1 up to date, 1 contained.
    This is the recorded state; `katkit plan` shows new commits on branches.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["why", "dev/shop"]), @r"
    dev/shop
    <first> is live: every phase is done. <second> is contained in <first>: it changes nothing in services/shop, libs/common, docs/readme.

      wanted      <second>, the tip of `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
    ----- exit 0
    ");
    let second = world.sha("second").to_owned();
    assert_snapshot!(world.run(["why", "dev/shop", &second[..12]]), @r"
    dev/shop
    <second> is contained in <first>: it changes nothing in services/shop, libs/common, docs/readme.
    ----- exit 0
    ");
    let status = world.run(["status", "dev/shop", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let link = &status["links"][0];
    assert_eq!((&link["state"], &link["deployed"]["sha"]), (&"contained".into(), &"<first>".into()));
    assert_eq!(link["contained"]["sha"], "<second>");
    assert_eq!(
        link["contained"]["paths"],
        serde_json::json!(["services/shop", "libs/common", "docs/readme"])
    );

    // A commit that changes something watched runs, whatever lies between.
    world.change("mono", |repo| repo.file("libs/common/code", "2\n").commit("third"));
    world.apply();
    assert_eq!((ran(&world, "dev/shop", "third"), ran(&world, "dev/billing", "third")), (1, 1));
    let deployed = world.deployed("dev/shop");
    assert!(deployed.contains("<third>"), "{deployed}");
}

#[test]
fn drift_is_repaired_to_the_live_commit_and_not_to_the_tip() {
    let mut world = world();
    world.change("mono", |repo| repo.file("services/billing/more", "x\n").commit("second"));
    world.apply();
    let live = world.read(".katkit/platform/dev/shop.json");
    world.write(".katkit/platform/dev/shop.json", &live.replace(world.sha("first"), &"0".repeat(40)));
    world.apply();
    assert!(world.deployed("dev/shop").contains("<first>"));
}

#[test]
fn an_explicit_commit_or_changes_any_always_runs() {
    let mut world = world();
    world.change("mono", |repo| repo.file("services/billing/more", "x\n").commit("second"));
    world.edit(
        "workflow = \"standard\", branch = \"main\" }\nbilling",
        "workflow = \"standard\", sha = \"@second@\" }\nbilling",
    );
    let plan = world.run(["plan", "--target", "dev/shop"]);
    assert!(plan.stdout.contains("<first> → <second>"), "{plan}");
    world.edit("sha = \"", "changes = \"any\", sha = \"");
    world.edit(&format!("sha = \"{}\"", world.sha("second")), "branch = \"main\"");
    let plan = world.run(["plan", "--target", "dev/shop"]);
    assert!(plan.stdout.contains("<first> → <second>"), "{plan}");
    world.edit("changes = \"any\", ", "");
    let plan = world.run(["plan", "--target", "dev/shop"]);
    assert!(plan.stdout.contains("contained: <second>"), "{plan}");
}

#[test]
fn an_edited_workflow_runs_for_a_commit_that_changes_nothing_watched() {
    let mut world = world();
    world.change("mono", |repo| repo.file("services/billing/more", "x\n").commit("second"));
    world.edit("{ name = \"build\", order = 0 }", "{ name = \"build\", order = 0, retries = 1 }");
    let plan = world.run(["plan", "--target", "dev/shop"]);
    assert!(plan.stdout.contains("<first> → <second>"), "{plan}");
}

#[test]
fn a_watched_path_that_never_existed_holds_back_no_commit() {
    let mut world = world();
    world.edit("\"libs/common\"", "\"libs/comon\"");
    world.change("mono", |repo| repo.file("libs/common/code", "2\n").commit("second"));
    assert_snapshot!(world.run(["plan", "--target", "dev/shop"]), @r#"
    dev/shop  <first> → <second>
      + run build  not run yet
      ~ deploy     `web`
          @@ -1 +1 @@
          ~ { "Roles": [ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}" } ] }
      · note: `watch` names `libs/comon`, which is in neither <second> nor <first>, so the workflow runs for every commit

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
}

#[test]
fn the_workflow_at_the_repository_root_counts_as_watched() {
    let config = |replicas: u32| {
        format!(
            "[ {{ \"EnvName\": \"default\", \"LocalFleet\": \"true\", \"WorkFlow\": [\n\
             {{ \"Name\": \"BUILD\", \"PhaseType\": 4, \"Order\": 0, \"Parallelism\": {replicas} }},\n\
             {{ \"Name\": \"DEPLOY\", \"PhaseType\": 1, \"Order\": 1, \"Parallelism\": 1 }} ] }} ]\n"
        )
    };
    let mut world = world();
    world.change("mono", |repo| repo.file("katkitconfig.js", &config(1)).commit("second"));
    world.edit("watch = [\"libs/common\", \"docs/readme\"], workflow = \"standard\"", "watch = []");
    world.apply();
    world.change("mono", |repo| repo.file("docs/readme", "2\n").commit("third"));
    let plan = world.run(["plan", "--target", "dev/shop"]);
    assert!(
        plan.stdout.contains("contained: <third> changes nothing in services/shop since <second>"),
        "{plan}"
    );
    world.change("mono", |repo| repo.file("katkitconfig.js", &config(2)).commit("fourth"));
    let plan = world.run(["plan", "--target", "dev/shop"]);
    assert!(plan.stdout.contains("<second> → <fourth>"), "{plan}");
}

#[test]
fn a_live_commit_removed_by_a_force_push_contains_nothing() {
    let mut world = world();
    world.change("mono", |repo| {
        let repo = repo.git(&["commit", "-q", "--amend", "-m", "amended"]);
        repo.git(&["reflog", "expire", "--expire=now", "--all"]).git(&["gc", "-q", "--prune=now"])
    });
    world.change("mono", |repo| repo.file("services/billing/more", "x\n").commit("second"));
    let plan = world.run(["plan", "--target", "dev/shop"]);
    assert!(plan.stdout.contains("<first> → <second>"), "{plan}");
}

#[test]
fn a_plan_lists_only_commits_that_change_something_watched() {
    let mut world = world();
    world.change("mono", |repo| {
        let repo = repo.file("services/billing/more", "x\n").commit("second");
        repo.file("libs/common/code", "2\n").commit("third")
    });
    let plan = world.run(["plan", "--target", "dev/shop"]).stdout;
    assert!(plan.contains("<first> → <third>, 1 commit") && plan.contains("<third> third (Ada)"), "{plan}");
    assert!(!plan.contains("<second>"), "{plan}");
}
