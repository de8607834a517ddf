//! From a manifest to a deployed commit, until nothing is left to do.

use insta::assert_snapshot;

use crate::world::{ONE_LINK, TELLS, World};

const STANDARD: &str = r#"
[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, variables = { WHAT = "it works" } },
]
"#;

fn standard() -> World {
    World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(&format!("{ONE_LINK}{STANDARD}"))
}

#[test]
fn the_first_plan_lists_what_will_run_and_changes_nothing() {
    let world = standard();
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <first>
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    assert_eq!(world.ran(), "");
    assert!(!world.path(".katkit/platform").exists());
}

#[test]
fn apply_runs_the_phases_and_deploys_and_leaves_nothing_to_plan() {
    let world = standard();
    assert_snapshot!(world.run(["apply"]), @r#"
    dev/shop  → <first>
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <first>
    dev/shop  <first> deployed  <time>
    dev/shop  verify  started
    dev/shop  verify  succeeded  <time>
    ----- exit 0
    "#);
    assert_snapshot!(world.run(["plan"]), @r"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.ran(), @r"
    dev/shop build <first> 1 0
    dev/shop verify <first> 1 0
    ");
    assert_snapshot!(world.deployed("dev/shop"), @r#"
    {
      // What runs.
      "Roles": [
        { "Name": "web", "DockerImage": "acme/web:<first>", "Replicas": 2 },
      ],
    }
    "#);
    assert_snapshot!(world.run(["apply"]), @r"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
    world.nothing_is_left();
}

#[test]
fn a_valid_manifest_validates() {
    assert_snapshot!(standard().run(["validate"]), @r"
    The manifest is valid: 1 tenant, 1 link, 1 repository, 1 file.
    ----- exit 0
    ");
}

#[test]
fn all_mistakes_are_reported_at_once_and_nothing_is_touched() {
    let world = standard();
    world.edit("branch = \"main\"", "brnch = \"main\"");
    world.edit("order = 1, kind", "order = \"1\", kind");
    assert_snapshot!(world.run(["plan"]), @r#"
    ----- stderr -----
      × neither `sha` nor `branch` nor `pipeline`
        ╭─[katkit.toml:10:7]
      9 │ [tenants.dev]
     10 │ links.shop = { repo = "shop", workflow = "standard", brnch = "main" }
        ·       ──┬─
        ·         ╰── what should run here?
        ╰────
      help: write `sha = "…"` for one commit, `branch = "…"` to follow a branch,
            or `pipeline = "…"` for what a pipeline chooses

      × unknown key `brnch`, did you mean `branch`?
        ╭─[katkit.toml:10:54]
      9 │ [tenants.dev]
     10 │ links.shop = { repo = "shop", workflow = "standard", brnch = "main" }
        ·                                                      ──┬──
        ·                                                        ╰── not a key of a link
        ╰────

      × expected an integer, found a string
        ╭─[katkit.toml:15:30]
     14 │   { name = "build", order = 0 },
     15 │   { name = "deploy", order = "1", kind = "deployment" },
        ·                              ─┬─
        ·                               ╰── not an integer
     16 │   { name = "verify", order = 2, variables = { WHAT = "it works" } },
        ╰────
      help: remove the quotes: `1`

    3 errors
    ----- exit 1
    "#);
    assert!(!world.path(".katkit").exists());
}

#[test]
fn without_a_manifest_katkit_says_where_it_looked() {
    let said = World::new().run(["plan"]);
    assert_eq!((said.stdout.as_str(), said.code), ("", 1));
    assert!(
        said.stderr.contains("`<world>/katkit.toml` cannot be read: No such file or directory"),
        "{said}"
    );
    assert!(said.stderr.contains("help: `katkit init` writes a manifest to start with"), "{said}");
}

#[test]
fn tenants_are_independent() {
    let world = standard().manifest(&format!(
        "{}{STANDARD}",
        ONE_LINK.replace(
            "[tenants.dev]",
            "[tenants.beta]\nenvironment = \"BETA\"\nlinks.shop = { repo = \"shop\", workflow = \"standard\", sha = \"@first@\" }\n\n[tenants.dev]"
        )
    ));
    assert_snapshot!(world.run(["plan"]), @r#"
    2 links  → <first>
        beta/shop dev/shop
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      + run verify  not run yet

    Plan: 2 links to change (4 phases, 2 deployments), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert_eq!(world.deployed("dev/shop"), world.deployed("beta/shop"));
    let mut world = world;
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  <first> → <second>, 1 commit
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 1 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert_snapshot!(world.ran(), @r"
    beta/shop build <first> 1 0
    beta/shop verify <first> 1 0
    dev/shop build <first> 1 0
    dev/shop build <second> 1 0
    dev/shop verify <first> 1 0
    dev/shop verify <second> 1 0
    ");
    world.nothing_is_left();
}

#[test]
fn when_the_branch_moves_the_plan_shows_the_changed_line() {
    let mut world = standard().applied();
    world.change("shop", |repo| {
        repo.ci(&format!("{TELLS}# faster\n")).commit("second").file("README", "about").commit("third")
    });
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  <first> → <third>, 2 commits
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<third>+}", "Replicas": 2 },
          <third> third (Ada)
          <second> second (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    assert_snapshot!(world.run(["plan", "--format", "markdown"]), @r#"
    ### katkit plan

    **Plan: 1 link to change (2 phases, 1 deployment), 0 up to date.**

    | Link | Commit | Phases | Deployment | Held |
    | --- | --- | --- | --- | --- |
    | <code>dev/shop</code> | <first> → <third> | <code>build</code>, <code>verify</code> | deploy |  |

    <details><summary><code>dev/shop</code></summary>

    <first> → <third>

    - **run** <code>build</code>: not run yet
    - **deploy**: <code>web</code>
      - <code>web</code>: <code>acme/web&#58;<first></code> → <code>acme/web&#58;<third></code>

    ```diff
    @@ -4 +4 @@
    ! { "Name": "web", "DockerImage": "acme/web:
          [-<first>-]
          {+<third>+}", "Replicas": 2 },
    ```

    - `<third>` <code>third</code> by <code>Ada</code>
    - `<second>` <code>second</code> by <code>Ada</code>
    - **run** <code>verify</code>: not run yet

    </details>
    ----- exit 0
    "#);
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<third>"));
}

#[test]
fn without_a_variable_the_actor_is_taken_from_the_system() {
    let world = World::shop();
    let applied = world.command().arg("apply").env_remove("KATKIT_ACTOR").output().unwrap();
    assert!(applied.status.success(), "{applied:?}");
    let user = std::process::Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let history = world.run(["history", "dev/shop", "--format", "json"]);
    let history: serde_json::Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history["events"][0]["by"], user.trim(), "{history:#}");
    let mut expected = serde_json::json!({
        "name": user.trim(), "kind": "person", "door": "cli", "delivery": null, "subject": null,
        "assurance": "asserted",
    });
    assert_eq!(history["events"][0]["actor"], expected);

    // CI systems set `CI`.
    let mut job = world.command();
    job.args(["retry", "dev/shop", "--phase", "build"]).envs([("CI", "true"), ("KATKIT_ACTOR", "nightly")]);
    assert!(job.output().unwrap().status.success());
    let status: serde_json::Value =
        serde_json::from_str(&world.run(["status", "--format", "json"]).stdout).unwrap();
    (expected["name"], expected["kind"]) = ("nightly".into(), "job".into());
    assert_eq!(status["links"][0]["requests"][0]["actor"], expected, "{status:#}");
    world.apply();
    let history = world.run(["history", "dev/shop", "--format", "json"]);
    let history: serde_json::Value = serde_json::from_str(&history.stdout).unwrap();
    let requested = |event: &&serde_json::Value| event["event"]["kind"] == "requested";
    let requested = history["events"].as_array().unwrap().iter().find(requested).unwrap();
    assert_eq!(requested["event"]["requester"], expected);
    assert_eq!((&requested["actor"]["name"], &requested["by"]), (&"ana".into(), &"ana".into()));
}

#[test]
fn phases_see_the_documented_variables_and_none_of_katkits_own() {
    let world = World::shop_with(r#"{ name = "build", order = 0, run = "env | sort > @OUT@/env" }"#)
        .variable("AWS_SECRET_ACCESS_KEY", "mine")
        .applied();
    let seen = world.read("out/env");
    for expected in
        ["ENV=DEV\n", "GIT_REPO=repos/shop\n", "REPLICA_ID=0\n", "KATKIT_PHASE=build\n", "CODE_PATH=\n"]
    {
        assert!(seen.contains(expected), "{expected} is not in\n{seen}");
    }
    assert!(seen.contains(&format!("GIT_SHA={}\n", world.sha("first"))));
    assert!(!seen.contains("mine") && !seen.contains("KATKIT_ACTOR"), "{seen}");
}
