//! Workflows kept in the repository, as the original Katkit kept them.

use insta::assert_snapshot;

use crate::world::{TELLS, World};

const CONFIG: &str = r#"[
  { "EnvName": "default", "LocalFleet": "true", "WorkFlow": [
    { "Name": "PRE_DEPLOY_BUILD", "PhaseType": 4, "BuildParams": "PHASE=BUILD, KIND=quick one", "Order": 0, "Parallelism": 1, "ContinerImage": null },
    { "Name": "DEPLOY", "PhaseType": 1, "BuildParams": "", "Order": 1, "Parallelism": 1 },
  ] },
  // Production verifies.
  { "EnvName": "PROD", "LocalFleet": false, "WorkFlow": [
    { "Name": "DEPLOY", "PhaseType": 1, "Order": 0 },
    { "Name": "VERIFY", "PhaseType": 4, "BuildParams": "PHASE=VERIFY", "Order": 1, "Parallelism": 2 },
  ] },
]
"#;

const MANIFEST: &str = r#"version = 1
repos.shop.url = "repos/shop"
fleets.local.kind = "process"
fleets.shared.kind = "process"

[tenants.dev]
fleet = "local"
links.shop = { repo = "shop", branch = "main" }

[tenants.prod]
fleet = "local"
build-fleet = "shared"
links.shop = { repo = "shop", branch = "main" }
"#;

fn world(config: &str) -> World {
    let says = format!(
        "{TELLS}echo \"$ENV $PHASE $KIND $REPLICA_ID $(dirname $KATKIT_SERVICE | xargs basename)\" >> @OUT@/said\n"
    );
    World::new()
        .repo("shop", |repo| {
            repo.ci(&says).description("acme/web:<hubtag>").file("katkitconfig.js", config).commit("first")
        })
        .manifest(MANIFEST)
}

#[test]
fn the_workflow_of_the_environment_or_else_the_default_is_used() {
    let world = world(CONFIG);
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <first>
      + run PRE_DEPLOY_BUILD  not run yet
      ~ deploy                `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      · note: the workflow is `default` of `katkitconfig.js`, which has none for `DEV`

    prod/shop  → <first>
      ~ deploy         `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      + run VERIFY ×2  not run yet
      · note: the workflow is `PROD` of `katkitconfig.js`

    Plan: 2 links to change (2 phases, 2 deployments), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    let said = world.read("out/said");
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["DEV BUILD quick one 0 local", "PROD VERIFY  0 shared", "PROD VERIFY  1 shared"]);
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.nothing_is_left();
}

#[test]
fn environment_names_match_regardless_of_case() {
    let world = world(&CONFIG.replace("\"PROD\"", "\"Prod\""));
    let plan = world.run(["plan", "--target", "prod"]).stdout;
    assert!(plan.contains("+ run VERIFY ×2"), "{plan}");
    assert!(plan.contains("note: the workflow is `Prod` of `katkitconfig.js`\n"), "{plan}");
    let plan: serde_json::Value =
        serde_json::from_str(&world.run(["plan", "--target", "prod", "--format", "json"]).stdout).unwrap();
    assert_eq!(plan["links"][0]["notes"][0], "the workflow is `Prod` of `katkitconfig.js`");
}

#[test]
fn tags_outside_images_and_roles_without_tags_are_left_as_they_are() {
    let mut world = world(CONFIG);
    let description = r#"{ "Roles": [
  { "Name": "web", "DockerImage": "acme/web:<hubtag>", "ExtraConfig": "RELEASE=<hubtag>" },
  { "Name": "db", "DockerImage": "redis" },
  { "Name": "agent" } ] }
"#;
    world.change("shop", |repo| {
        repo.file("servicedescription/servicedescription.js", description).commit("second")
    });
    assert_snapshot!(world.run(["plan", "--target", "dev"]), @r#"
    dev/shop  → <second>
      + run PRE_DEPLOY_BUILD  not run yet
      ~ deploy                `web`
          @@ -2 +2 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<second>+}", "ExtraConfig": "RELEASE=<hubtag>" },
      · note: the workflow is `default` of `katkitconfig.js`, which has none for `DEV`
      · note: `servicedescription/servicedescription.js`: `<hubtag>` is left as is in `Roles[0].ExtraConfig` (line 2, column 71); a deployment replaces it only in the `DockerImage` of a role

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    let expected = description.replacen("<hubtag>", "<second>", 1);
    assert_eq!(world.deployed("dev/shop"), expected);
}

#[test]
fn a_repository_beside_the_manifest_is_named_by_owner_and_name() {
    let world = World::new()
        .repo("acme/shop", |repo| repo.ci("echo \"$GIT_REPO\" > @OUT@/said\n").commit("first"))
        .manifest("");
    let manifest = MANIFEST.replace("repos/shop", "../shop");
    let manifest = manifest.replace("repo = \"shop\", ", "repo = \"shop\", workflow = \"one\", ");
    world.write(
        "repos/acme/control/katkit.toml",
        &format!("{manifest}\n[workflows.one]\nphases = [{{ name = \"build\", order = 0 }}]\n"),
    );
    let applied = world.shell("cd repos/acme/control && katkit apply dev");
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.read("out/said"), "acme/shop\n");
}

#[test]
fn an_environment_without_a_workflow_is_reported() {
    assert_snapshot!(world(&CONFIG.replace("\"default\"", "\"BETA\"")).run(["plan", "--target", "dev"]), @r"
    dev/shop  → <first>
      ! error: `katkitconfig.js`: there is no workflow for environment `DEV`, and none for `default`; the file has `BETA`, `PROD`
          hint: add an element whose `EnvName` is the tenant's environment

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

#[test]
fn an_unknown_kind_of_phase_is_named() {
    assert_snapshot!(world(&CONFIG.replace("\"PhaseType\": 4", "\"PhaseType\": 9")).run(["plan", "--target", "dev"]), @r"
    dev/shop  → <first>
      ! error: `katkitconfig.js`: `PhaseType` of phase `PRE_DEPLOY_BUILD` of environment `default` is 9 (line 3, column 48)
          hint: 4 runs `ci.sh`, 1 deploys; there are no others

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

#[test]
fn two_deployments_are_refused() {
    assert_snapshot!(world(&CONFIG.replace("\"PhaseType\": 4", "\"PhaseType\": 1")).run(["plan", "--target", "dev"]), @r#"
    dev/shop  → <first>
      ! error: `katkitconfig.js`: in environment `default`, `PRE_DEPLOY_BUILD` and `DEPLOY` are both deployment phases; a workflow has at most one (line 4, column 5)
          hint: remove one of the two, or make it a phase that runs code: `"PhaseType": 4`

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    "#);
}

#[test]
fn a_file_that_is_code_is_not_run() {
    let world = world("module.exports = require('child_process').execSync('touch @OUT@/ran-code');\n");
    let plan = world.run(["plan", "--target", "dev"]);
    assert!(plan.stdout.contains("is code, not data (line 1, column 1)"), "{plan}");
    assert_eq!(plan.code, 1);
    assert!(!world.path("out/ran-code").exists());
}

#[test]
fn a_repository_without_the_file_is_reported() {
    let mut world = world(CONFIG);
    world.change("shop", |repo| repo.without("katkitconfig.js").commit("second"));
    assert_snapshot!(world.run(["plan", "--target", "dev"]), @r"
    dev/shop  → <second>
      ! error: the link names no workflow, and there is no `katkitconfig.js` at <second>
          hint: set `workflow` to one of the manifest, or add the file to the repository

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}
