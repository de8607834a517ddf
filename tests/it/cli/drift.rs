//! Changes to deployments by users and other tools.

use std::fs;

use insta::assert_snapshot;

use crate::world::World;

const FILE: &str = ".katkit/platform/dev/shop.json";

#[test]
fn an_image_changed_by_hand_is_put_back() {
    let world = World::shop().applied();
    let deployed = world.read(FILE);
    world.write(FILE, &deployed.replace(world.sha("first"), "hotfix"));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  at <first>
      ~ repair  <first> was deployed, but something else is running
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-hotfix-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert_eq!(world.read(FILE), deployed);
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(world.ran().lines().count(), 1, "repairing runs no phase");
}

#[test]
fn a_removed_deployment_is_restored() {
    let world = World::shop().applied();
    let deployed = world.read(FILE);
    fs::remove_file(world.path(FILE)).unwrap();
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  at <first>
      ~ repair  <first> was deployed, but something else is running
          @@ -0,0 +1,6 @@
          + {
          +   // What runs.
          +   "Roles": [
          +     { "Name": "web", "DockerImage": "acme/web:<first>", "Replicas": 2 },
          +   ],
          + }

    Plan: 1 link to change (1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert_eq!(world.read(FILE), deployed);
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn manual_changes_besides_the_image_are_kept_and_are_no_drift() {
    let mut world = World::shop().applied();
    let edited =
        world.read(FILE).replace("\"Replicas\": 2", "\"Replicas\": 7").replace("// What runs.", "// Ours.");
    world.write(FILE, &edited);
    let plan = world.run(["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{plan}");
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  <first> → <second>, 1 commit
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 7 },
          <second> second (Ada)

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    let expected = edited.replace(world.sha("first"), world.sha("second"));
    assert_eq!(world.read(FILE), expected);
}

#[test]
fn a_deployment_from_before_the_first_plan_is_adopted() {
    let mut world = World::shop();
    world.write(
        FILE,
        r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:@first@", "Replicas": 9 } ] }"#,
    );
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  → <first>
      ~ adopt  <first> as is, not deployed by katkit: `web` runs `acme/web:<first>`

    Plan: 1 link to change (1 to adopt), 0 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <first>
      ~ adopt  <first> as is, not deployed by katkit: `web` runs `acme/web:<first>`

    Plan: 1 link to change (1 to adopt), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  adopted <first>, which is already running
    ----- exit 0
    ");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    assert_snapshot!(world.deployed("dev/shop"), @r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:<second>", "Replicas": 9 } ] }"#);
}

#[test]
fn a_running_image_without_a_commit_in_its_tag_is_replaced_and_the_plan_says_so() {
    let world = World::shop();
    world.write(
        FILE,
        r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:latest", "Replicas": 9 } ] }"#,
    );
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -1 +1 @@
          ~ { "Roles": [ { "Name": "web", "DockerImage": "acme/web:[-latest-]{+<first>+}", "Replicas": 9 } ] }
      · note: the running images have no commit sha in their tags, so they are not adopted

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert_snapshot!(world.deployed("dev/shop"), @r#"{ "Roles": [ { "Name": "web", "DockerImage": "acme/web:<first>", "Replicas": 9 } ] }"#);
}

#[test]
fn a_link_removed_from_the_manifest_is_forgotten_and_its_deployment_stays() {
    let world = World::shop().applied();
    let deployed = world.read(FILE);
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  at <first>
      - forget  the link left the manifest; running services are left alone

    Plan: 1 link to change (1 to forget), 0 up to date.
    ----- exit 0
    ");
    world.apply();
    assert_eq!(world.read(FILE), deployed);
    assert_snapshot!(world.run(["plan"]), @r"
    Nothing to do: no links affected.
    ----- exit 0
    ");
}

#[test]
fn a_link_that_is_added_back_continues_where_it_was() {
    let world = World::shop().applied();
    let line = "links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n";
    world.edit(line, "# gone\n");
    world.apply();
    world.edit("# gone\n", line);
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.nothing_is_left();
}

#[test]
fn refresh_only_updates_the_record_to_what_runs() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.write(FILE, &world.read(FILE).replace(world.sha("first"), world.sha("second")));
    assert_snapshot!(world.run(["plan", "--refresh-only"]), @r"
    dev/shop  <first> → <second>
      ~ adopt  <second> as is, not deployed by katkit: `web` runs `acme/web:<second>`

    Plan: 1 link to change (1 to adopt), 0 up to date.
    ----- exit 0
    ");
    let applied = world.run(["apply", "--refresh-only"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.ran().lines().count(), 1, "refreshing runs nothing");
    assert_snapshot!(world.run(["plan", "--refresh-only"]), @r"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
}

#[test]
fn an_unreadable_deployment_is_replaced_once_it_is_moved_away() {
    let world = World::shop().applied();
    let path = world.path(".katkit/platform/dev/shop.json");
    let deployed = world.deployed("dev/shop");
    for garbage in ["", "{", "\u{0}"] {
        fs::write(&path, garbage).unwrap();
        let plan = world.run(["plan"]);
        assert_eq!(plan.code, 1, "{plan}");
        assert!(plan.stdout.contains("move it away: `katkit apply` restores what was deployed"), "{plan}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  at <first>
      ! error: the deployment of `dev/shop` at <world>/.katkit/platform/dev/shop.json cannot be read: it is not a file
          hint: fix it, or move it away: `katkit apply` restores what was deployed

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    fs::remove_dir(&path).unwrap();
    world.apply();
    assert_eq!(world.deployed("dev/shop"), deployed);
}
