//! Tenants and links that are renamed in the manifest.

use insta::assert_snapshot;

use crate::world::{TELLS, World};

/// `dev/shop` and `dev/web` were deployed, to a directory not named after the tenant; `dev/web` failed before.
fn world() -> World {
    World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(MANIFEST)
        .applied()
}

const MANIFEST: &str = r#"version = 1

[repos.shop]
url = "repos/shop"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "test ! -e @OUT@/broken" },
]

[tenants.dev]
platform = { kind = "file", path = "live" }
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
links.web = { repo = "shop", workflow = "standard", branch = "main" }
"#;

/// Renames the tenant, with or without an entry in `moved`.
fn rename(world: &World, moved: &str) {
    world.edit("[tenants.dev]", "[tenants.development]");
    world.edit("version = 1\n", &format!("version = 1\nmoved = [{moved}]\n"));
}

#[test]
fn a_renamed_tenant_keeps_its_deployments_and_history() {
    let mut world = world();
    world.change("shop", |repo| repo.file("ci.sh", "exit 0\n").commit("second"));
    world.release("broken");
    assert_eq!(world.run(["apply"]).code, 1);
    rename(&world, r#"{ from = "dev", to = "development" }"#);

    assert_snapshot!(world.run(["plan", "--target", "development/shop"]), @r"
    development/shop  at <second>
      ~ move  `dev/shop` is now `development/shop`; its record moves along
      ! held: `verify` failed for <second>: exit code 1
          hint: `katkit why development/shop` shows the log; `katkit retry development/shop` tries again from `verify`

    Plan: 1 link to change (1 to record), 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["status"]), @r"
    LINK              DEPLOYED    STATE             SINCE
    development/shop  <second>  failed at verify  just now
        renamed from `dev/shop`; the next `katkit apply` moves its record here
    development/web   <second>  failed at verify  just now
        renamed from `dev/web`; the next `katkit apply` moves its record here

    2 links: 2 failed.
    ----- exit 0
    ");
    let logs = world.run(["logs", "development/shop"]);
    assert!(logs.stderr.contains("until then use `dev/shop`"), "{logs}");
    let old = world.run(["why", "dev/shop"]);
    assert!(old.stderr.contains("`dev/shop` is called `development/shop` in the manifest"), "{old}");
    let ran = world.ran();

    let apply = world.run(["apply"]);
    assert!(
        apply.stderr.contains("`dev/shop` is now `development/shop`: its record continues here"),
        "{apply}"
    );
    assert_eq!(world.ran(), ran, "nothing was run again");
    assert_eq!(
        world.run(["plan", "--detailed-exitcode"]).code,
        1,
        "what failed has failed under its new name"
    );
    assert_snapshot!(world.run(["status"]), @r"
    LINK              DEPLOYED    STATE             SINCE
    development/shop  <second>  failed at verify  just now
    development/web   <second>  failed at verify  just now

    2 links: 2 failed.
    ----- exit 0
    ");
    // Earlier runs are shown under the new name, and the old name leads there.
    let why = world.run(["why", "development/shop"]);
    assert!(why.stdout.contains("failed at") || why.stdout.contains("`verify` failed"), "{why}");
    let logs = world.run(["logs", "development/shop", "-p", "build", "--sha", &world.sha("first")[..12]]);
    assert_eq!((logs.code, logs.stdout.contains("build in DEV")), (0, true), "{logs}");
    let old = world.run(["logs", "dev/shop"]);
    assert!(old.stderr.contains("`dev/shop` is now called `development/shop`"), "{old}");
    let history = world.run(["history", "development/shop"]);
    assert!(history.stdout.contains("run for <first>"), "{history}");
    assert!(history.stdout.contains("renamed from `dev/shop`"), "{history}");
    let doctor = world.run(["doctor"]);
    assert!(!doctor.stdout.contains("its record"), "{doctor}");

    // The rollback target is known, and run numbers continue.
    assert_eq!(world.run(["rollback", "development/shop"]).code, 0);
    assert_eq!(world.run(["apply"]).code, 1, "the tip of the branch is held");
    assert!(world.read("live/shop.json").contains(world.sha("first")));
    let record = world.run(["status", "--format", "json", "development/shop"]);
    assert!(record.stdout.contains(r#""formerly": ["#) && record.stdout.contains("dev/shop"), "{record}");
    assert_eq!(
        world.read("live/.shop.link"),
        "development/shop",
        "the mark follows with the next deployment"
    );
    world.nothing_is_left();
}

#[test]
fn a_renamed_link_with_another_file_is_deployed_there_without_running_again() {
    let world = world();
    let ran = world.ran();
    world.edit("links.web", "links.store");
    world.edit("version = 1\n", "version = 1\nmoved = [{ from = \"dev/web\", to = \"dev/store\" }]\n");
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/store  at <first>
      ~ move    `dev/web` is now `dev/store`; its record moves along
      ~ repair  <first> was deployed, but something else is running
          @@ -0,0 +1,6 @@
          + {
          +   // What runs.
          +   "Roles": [
          +     { "Name": "web", "DockerImage": "acme/web:<first>", "Replicas": 2 },
          +   ],
          + }
      · note: under its new name it is deployed to the file `<world>/live/store.json`; the file `<world>/live/web.json` is left as it is

    Plan: 1 link to change (1 deployment), 1 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert_eq!(world.ran(), ran);
    assert_eq!(world.read("live/store.json"), world.read("live/web.json"));
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_renamed_link_without_an_entry_starts_over_and_a_later_entry_is_too_late() {
    let world = world();
    world.edit("links.web", "links.store");
    world.apply();
    let first = world.sha("first").to_owned();
    assert!(world.read("live/store.json").contains(&first));
    world.edit("version = 1\n", "version = 1\nmoved = [{ from = \"dev/web\", to = \"dev/store\" }]\n");
    assert_snapshot!(world.run(["plan"]), @"
    dev/store  at <first>
      ! error: the record of `dev/web` cannot be moved here, since `dev/store` has one of its own
          hint: remove the entry from `moved` in the manifest, or give what was `dev/web` another name

    Plan: nothing to change, 1 could not be planned, 1 up to date.
    ----- exit 1
    ");
}

#[test]
fn a_rename_is_applied_once_and_can_be_undone() {
    let world = world();
    rename(&world, r#"{ from = "dev", to = "development" }"#);
    world.apply();
    // The entry may stay.
    world.apply();
    world.edit("[tenants.development]", "[tenants.dev]");
    world.edit(r#"{ from = "dev", to = "development" }"#, r#"{ from = "development", to = "dev" }"#);
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    let history = world.run(["history", "dev/shop", "--format", "json"]);
    assert_eq!(history.stdout.matches("moved_from").count(), 2, "{history}");
    assert_eq!(world.ran().lines().count(), 2, "each of the two links was built once: {}", world.ran());
}

#[test]
fn a_saved_plan_moves_what_was_reviewed_and_nothing_that_changed_since() {
    let world = world();
    rename(&world, r#"{ from = "dev", to = "development" }"#);
    assert_eq!(world.run(["plan", "--out", "reviewed"]).code, 0);
    let apply = world.run(["apply", "reviewed"]);
    assert_eq!(apply.code, 0, "{apply}");
    let again = world.run(["apply", "reviewed"]);
    assert!(again.stderr.contains("out of date"), "{again}");
}

#[test]
fn a_pull_request_that_renames_shows_the_move_without_moving() {
    let world = world();
    world.shell("git init -q -b main . && git add katkit.toml && git -c user.name=a -c user.email=a@b commit -qm base");
    rename(&world, r#"{ from = "dev", to = "development" }"#);
    let plan = world.run(["plan", "--against", "HEAD", "--format", "markdown"]);
    assert!(plan.stdout.contains("<code>dev/shop</code> is now <code>development/shop</code>"), "{plan}");
    world.edit("[tenants.development]", "[tenants.dev]");
    world.edit("moved = [{ from = \"dev\", to = \"development\" }]\n", "");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_request_before_the_move_names_what_to_do_first() {
    let world = world();
    rename(&world, r#"{ from = "dev", to = "development" }"#);
    assert_snapshot!(world.run(["rollback", "development/shop", "--apply"]).stderr, @r"
    error: `development/shop` is still recorded as `dev/shop`
     hint: `katkit apply` moves the record; until then use `dev/shop`
    ");
    assert_snapshot!(world.run(["cancel", "dev/shop"]).stderr, @r"
    error: `dev/shop` is called `development/shop` in the manifest
     hint: `katkit apply development/shop` moves its record; then use `development/shop`
    ");
    assert_snapshot!(world.run(["apply", "--target", "dev/shop"]), @r"
    ----- stderr -----
    error: `dev/shop` is called `development/shop` in the manifest
     hint: use `development/shop`
    ----- exit 1
    ");
}

#[test]
fn an_unreadable_record_prevents_a_new_deployment_under_the_new_name() {
    let world = world();
    let damaged = "UPDATE link SET head = '{}' WHERE tenant = 'dev' AND link = 'shop'";
    assert_eq!(world.state().execute(damaged, []).unwrap(), 1);
    rename(&world, r#"{ from = "dev", to = "development" }"#);
    let plan = world.run(["plan", "--target", "development/shop"]);
    assert_eq!(plan.code, 1, "{plan}");
    assert!(plan.stdout.contains("the record of `dev/shop`, which is moved here, cannot be read"), "{plan}");
    let ran = world.ran();
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.ran(), ran, "nothing ran again");
    let status = world.run(["status"]);
    assert!(status.code == 1 && status.stdout.contains("development/shop"), "{status}");
    assert!(status.stdout.contains("damaged"), "{status}");
}
