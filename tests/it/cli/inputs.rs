//! What a phase gets besides its commit: the artifacts of earlier phases, and what else is live in its tenant.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::pinning;
use crate::image_registry::ImageRegistry;
use crate::world::World;

const BUILD: &str = r#"{ name = "build", order = 0, artifacts = ["out/**"], run = """
    mkdir -p out/deep; echo $KATKIT_ATTEMPT > out/deep/app; echo $REPLICA_ID > $KATKIT_ARTIFACTS/number""" },"#;

/// Shows every file that it gets with its content, and fails until `passes` exists.
const TEST: &str = r#"{ name = "test", order = 1, inputs = ["build"], run = """
    cd $KATKIT_INPUTS; grep -r . | sort > @OUT@/got; find -type l >> @OUT@/got; test -e @OUT@/passes""" },"#;

fn shop(build: &str, test: &str) -> World {
    World::shop_with(&format!("{build}\n{test}"))
}

#[test]
fn a_phase_gets_the_artifacts_of_each_replica_of_an_earlier_phase() {
    for lies_alone in [false, true] {
        let world = shop(&BUILD.replace("order = 0,", "order = 0, parallelism = 2,"), TEST);
        world.release("passes");
        let mut command = world.command();
        if lies_alone {
            // Without the small agent beside it, katkit runs its own.
            let alone = world.path("katkit");
            fs::copy(env!("CARGO_BIN_EXE_katkit"), &alone).unwrap();
            command = Command::new(alone);
        }
        command.args(["apply", "--yes"]);
        let applied = world.start_command(command).wait();
        assert_eq!(applied.code, 0, "{applied}");
        assert_eq!(
            world.read("out/got"),
            "build/0/number:0\nbuild/0/out/deep/app:1\nbuild/1/number:1\nbuild/1/out/deep/app:1\n"
        );
        world.nothing_is_left();
    }
}

#[test]
fn a_retry_gets_the_same_inputs_and_a_repeated_build_makes_new_ones() {
    let world = shop(BUILD, &TEST.replace("order = 1,", "order = 1, retries = 1,"));
    assert_eq!(world.run(["apply"]).code, 1);
    let got = world.read("out/got");
    assert_snapshot!(got, @"
    build/0/number:0
    build/0/out/deep/app:1
    ");
    world.release("passes");
    assert_eq!(world.run(["retry", "dev/shop", "--apply"]).code, 0);
    assert_eq!(world.read("out/got"), got);
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "build", "--apply"]).code, 0);
    assert_snapshot!(world.read("out/got"), @"
    build/0/number:0
    build/0/out/deep/app:2
    ");
}

#[test]
fn a_phase_that_was_added_later_gets_what_the_earlier_run_stored() {
    let world = shop(BUILD, "");
    world.apply();
    world.release("passes");
    world.edit(BUILD, &format!("{BUILD}\n{}", TEST.replace("@OUT@", world.path("out").to_str().unwrap())));
    let applied = world.run(["retry", "dev/shop", "--phase", "test", "--apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_snapshot!(world.read("out/got"), @"
    build/0/number:0
    build/0/out/deep/app:1
    ");
    // Without that run on record, nobody knows where they are.
    let pruned = world.run(["prune", "--older-than", "0s", "--history", "--yes"]);
    assert_eq!(pruned.code, 0, "{pruned}");
    let applied = world.run(["retry", "dev/shop", "--phase", "test", "--apply"]);
    assert_snapshot!(applied, @"
    dev/shop  → <first>
      ~ grant     ana asked to retry <first> from `test`
      + run test  retry

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  `test` cannot be run: the record no longer names the run that stored the artifacts of `build`
      hint: `katkit retry dev/shop --phase build --apply` makes them again

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
}

#[test]
fn a_phase_whose_inputs_are_gone_fails_before_it_starts_and_says_what_to_do() {
    let world = shop(BUILD, TEST);
    assert_eq!(world.run(["apply"]).code, 1);
    world.release("passes");
    fs::remove_file(world.attempt("first", "build").join("replica-0/artifacts/number")).unwrap();
    fs::remove_file(world.path("out/got")).unwrap();
    assert_snapshot!(world.run(["retry", "dev/shop", "--apply"]), @"
    dev/shop  → <first>
      ~ grant     ana asked to retry <first> from `test`
      + run test  retry

    Plan: 1 link to change (1 phase), 0 up to date.

    dev/shop  `test` cannot be run: file://<world>/.katkit/blobs has only 1 of the 2 artifacts of `build`
      hint: `katkit retry dev/shop --phase build --apply` makes them again

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
    assert!(!world.path("out/got").exists());
    assert_snapshot!(world.run(["logs", "dev/shop", "--phase", "test"]), @"
    ----- stderr -----
    dev/shop  test of <first>, ended just now after <time>: exit code 1
    ----- exit 0
    ");
    let applied = world.run(["retry", "dev/shop", "--phase", "build", "--apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_snapshot!(world.read("out/got"), @"
    build/0/number:0
    build/0/out/deep/app:2
    ");
    world.nothing_is_left();
}

#[test]
fn a_phase_that_takes_the_artifacts_of_a_skipped_phase_is_held() {
    let world = shop(&BUILD.replace("mkdir", "test -e @OUT@/passes || exit 1; mkdir"), TEST);
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.run(["skip", "dev/shop", "build"]).code, 0);
    assert_eq!(world.run(["apply"]).code, 1);
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop  → <first>
      ! error: `test` cannot be run: `build` was skipped, so it stored no artifacts
          hint: `katkit retry dev/shop --phase build` runs it, and `katkit skip dev/shop test` skips this phase, too

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    let why: Value =
        serde_json::from_str(&world.run(["why", "dev/shop", "--format", "json"]).stdout).unwrap();
    assert_snapshot!(why["answer"].as_str().unwrap(), @"<first> is not live: `test` cannot be run: `build` was skipped, so it stored no artifacts.");
    let skipped = world.run(["skip", "dev/shop", "test", "--apply"]);
    assert_eq!(skipped.code, 0, "{skipped}");
    world.release("passes");
    let applied = world.run(["retry", "dev/shop", "--phase", "build", "--apply"]);
    assert_eq!(applied.code, 0, "{applied}");
}

#[test]
fn a_phase_that_stored_nothing_is_an_empty_directory() {
    let world = shop(
        r#"{ name = "build", order = 0, run = "true" },"#,
        r#"{ name = "test", order = 1, inputs = ["build"], run = "cd $KATKIT_INPUTS; find > @OUT@/got" },
        { name = "other", order = 1, run = "cd $KATKIT_INPUTS; find > @OUT@/none" }"#,
    );
    world.apply();
    assert_eq!(world.read("out/got"), ".\n./build\n./build/0\n");
    assert_eq!(world.read("out/none"), ".\n");
}

#[test]
fn a_later_stage_that_reuses_images_has_no_artifacts_of_their_build() {
    let registry = ImageRegistry::start();
    let build = format!("[ $KATKIT_PHASE != build ] || {}", pinning::LISTED);
    let world = pinning::world(&registry, pinning::PIPELINE, &build);
    world.edit(
        "kind = \"deployment\" },\n",
        "kind = \"deployment\" },\n  { name = \"test\", order = 2, inputs = [\"build\"] },\n",
    );
    pinning::beta_is_live(&world);
    assert_eq!(world.run(["promote", "prod/shop"]).code, 0);
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert_snapshot!(world.run(["plan"]), @"
    prod/shop  → <first>
      ! error: `test` cannot be run: `build` did not run here, since its images are those of `beta/shop`, and artifacts stay in the tenant that stored them
          hint: `katkit skip prod/shop test` skips it here; or leave `build` out of its `inputs`
      · note: <first> was promoted by ana

    Plan: nothing to change, 1 could not be planned, 1 up to date.
    ----- exit 1
    ");
}

#[test]
fn an_invalid_input_is_reported_with_its_position() {
    let world = World::shop_with(
        r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
  { name = "test", order = 2, inputs = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
  { name = "lint", order = 2 },
  { name = "verify", order = 3, inputs = ["test"] },"#,
    );
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × `inputs` makes no sense here: a deployment phase runs no code
        ╭─[katkit.toml:15:63]
     14 │   { name = "build", order = 0 },
     15 │ …{ name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
        ·                                                              ────┬────
        ·                                                                  ╰── remove it
     16 │   { name = "test", order = 2, inputs = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
        ╰────

      × there is no phase `biuld`, did you mean `build`?
        ╭─[katkit.toml:16:41]
     15 │   { name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
     16 │   { name = "test", order = 2, inputs = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
        ·                                         ───┬───
        ·                                            ╰── not defined
     17 │   { name = "lint", order = 2 },
        ╰────

      × `test` takes its own artifacts
        ╭─[katkit.toml:16:50]
     15 │   { name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
     16 │   { name = "test", order = 2, inputs = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
        ·                                                  ───┬──
        ·                                                     ╰── itself
     17 │   { name = "lint", order = 2 },
        ╰────
      help: name phases with a lower `order`

      × `deploy` is a deployment, which has no artifacts
        ╭─[katkit.toml:16:58]
     15 │   { name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
     16 │   { name = "test", order = 2, inputs = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
        ·                                                          ────┬───
        ·                                                              ╰── runs no code
     17 │   { name = "lint", order = 2 },
        ╰────
      help: name phases that run code

      × `verify` does not end before this phase starts
        ╭─[katkit.toml:16:68]
     15 │   { name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
     16 │ …e = "test", order = 2, inputs = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
        ·                                                              ────┬───
        ·                                                                  ╰── runs at 3, this phase at 2
     17 │   { name = "lint", order = 2 },
        ╰────
      help: its `order` is at katkit.toml:18:30
            inputs come from phases with a lower `order`

      × `lint` does not end before this phase starts
        ╭─[katkit.toml:16:78]
     15 │   { name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
     16 │ …, order = 2, inputs = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
        ·                                                              ───┬──
        ·                                                                 ╰── runs at 2, this phase at 2
     17 │   { name = "lint", order = 2 },
        ╰────
      help: its `order` is at katkit.toml:17:28
            inputs come from phases with a lower `order`

      × `build` is an input twice
        ╭─[katkit.toml:16:95]
     15 │   { name = "deploy", order = 1, kind = "deployment", inputs = ["build"] },
     16 │ …ts = ["biuld", "test", "deploy", "verify", "lint", "build", "build"] },
        ·                                                              ───┬───
        ·                                                                 ╰── the second
     17 │   { name = "lint", order = 2 },
        ╰────
      help: the first is at katkit.toml:16:86

    7 errors
    ----- exit 1
    "#);
    let world = shop(BUILD, TEST);
    world.edit("branch = \"main\" }", "branch = \"main\", skip = [\"build\"] }");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × `build` is skipped, but `test` takes its artifacts
        ╭─[katkit.toml:10:79]
      9 │ [tenants.dev]
     10 │ …o = "shop", workflow = "standard", branch = "main", skip = ["build"] }
        ·                                                              ───┬───
        ·                                                                 ╰── stores nothing here
        ╰────
      help: the input is at katkit.toml:16:39
            skip `test` as well, or leave `build` out of its `inputs`

    1 error
    ----- exit 1
    "#);
    world.edit("skip = [\"build\"]", "skip = [\"test\", \"build\"]");
    let both = world.run(["validate"]);
    assert_eq!(both.code, 0, "{both}");
}

/// The artifacts are gone, which says nothing about the commit.
#[test]
fn a_missing_input_neither_rolls_back_nor_withdraws_what_is_verified() {
    let deploy = r#"{ name = "deploy", order = 1, kind = "deployment" },"#;
    let mut world = shop(BUILD, &format!("{deploy}\n{}", TEST.replace("order = 1", "order = 2")));
    world.edit("[workflows.standard]", "[workflows.standard]\non-failure = \"rollback\"");
    world.release("passes");
    world.apply();
    world.change("shop", |repo| repo.file("more", "x").commit("second"));
    world.apply();
    fs::remove_dir_all(world.attempt("second", "build").join("replica-0/artifacts")).unwrap();
    let applied = world.run(["retry", "dev/shop", "--phase", "test", "--apply"]);
    assert_eq!((applied.code, applied.stdout.contains("`test` cannot be run")), (1, true), "{applied}");
    assert!(world.deployed("dev/shop").contains("<second>"));
    let status = world.run(["status"]);
    assert!(!status.stdout.contains("quarantine"), "{status}");
    let applied = world.run(["retry", "dev/shop", "--phase", "build", "--apply"]);
    assert_eq!(applied.code, 0, "{applied}");
}

/// The list of peers that a phase saw.
fn peers(world: &World, name: &str) -> Value {
    let text = world.read(name);
    let schema = serde_json::from_str(&world.run(["schema", "peers"]).stdout).unwrap();
    let peers: Value = serde_json::from_str(&text).unwrap();
    jsonschema::validate(&schema, &peers).unwrap_or_else(|error| panic!("{error}: {text}"));
    peers
}

#[test]
fn a_phase_sees_what_else_is_live_in_its_tenant() {
    let link = |name: &str| {
        format!("links.{name} = {{ repo = \"shop\", workflow = \"standard\", branch = \"main\" }}\n")
    };
    let world = World::shop_with(
        r#"{ name = "deploy", order = 1, kind = "deployment" },
           { name = "test", order = 2, run = "cp $KATKIT_PEERS @OUT@/$KATKIT_TENANT-$KATKIT_LINK" },"#,
    );
    let shop = link("shop");
    let all = format!("{shop}{}[tenants.prod]\n{}", link("api"), link("web"));
    world.edit(&shop, &all);
    for link in ["dev/api", "prod/web", "dev/shop"] {
        let applied = world.run(["apply", link]);
        assert_eq!(applied.code, 0, "{applied}");
    }
    assert_eq!(peers(&world, "out/dev-api")["links"], json!([]), "nothing else was live");
    assert_eq!(peers(&world, "out/prod-web")["links"], json!([]));
    let first = world.sha("first");
    let mut seen = peers(&world, "out/dev-shop");
    let [read_at, at] = [&seen["read_at"], &seen["links"][0]["at"]].map(|at| at.as_str().unwrap().to_owned());
    assert!(read_at > at, "{seen}");
    seen["links"][0]["at"].take();
    assert_eq!(seen["tenant"], "dev");
    assert_eq!(seen["format_version"], "1.0");
    let images = json!({ "web": format!("acme/web:{first}") });
    assert_eq!(seen["links"], json!([{ "link": "dev/api", "sha": first, "at": null, "images": images }]));
    // A peer whose record cannot be read is left out, and stops nobody else.
    world.state().execute("UPDATE link SET head = '{' WHERE link = 'api'", []).unwrap();
    let applied = world.run(["retry", "dev/shop", "--phase", "test", "--apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(peers(&world, "out/dev-shop")["links"], json!([]));
}
