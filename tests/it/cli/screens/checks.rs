//! Commands that check something first: validate, verify, doctor; and error messages.

use insta::assert_snapshot;

use super::{MANIFEST, estate, failed};
use crate::world::World;

#[test]
fn a_valid_manifest_and_the_links_its_templates_make() {
    let world = estate();
    assert_snapshot!(world.run(["validate"]), @r"
    The manifest is valid: 2 tenants, 2 links, 1 repository, 1 file.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["validate", "--expand"]), @r#"
    [tenants.dev.links.shop]
    repo = "shop"
    workflow = "standard"
    branch = "main"

    [tenants.prod.links.shop]
    repo = "shop"
    workflow = "standard"
    branch = "main"
    ----- exit 0
    "#);
}

#[test]
fn what_links_depend_on() {
    let mut world = estate();
    world.change("shop", |repo| repo.without("ci.sh").commit("second"));
    let verified = world.run(["verify"]);
    // What precedes the links depends on paths of this machine.
    let (_, links) = verified.stdout.split_once("dev/shop\n").unwrap();
    assert_snapshot!(links, @"
      BAD repository `shop`: there is no `ci.sh` at <second>, which `build` runs
          fix: add the script, or set `run` in the phase
      ok  service description `<world>/.katkit/platform/dev/shop.json` does
          not exist yet
    prod/shop
      BAD repository `shop`: there is no `ci.sh` at <second>, which `build` runs
          fix: add the script, or set `run` in the phase
      ok  service description `<world>/.katkit/platform/prod/shop.json` does
          not exist yet
    2 problems
    ");
}

#[test]
fn a_healthy_record() {
    assert_snapshot!(failed().run(["doctor"]), @r"
    2 links are healthy
    no problems found
    ----- exit 0
    ");
}

#[test]
fn mistakes_on_the_command_line() {
    let world = estate();
    assert_snapshot!(world.run(["why", "dev/shpo"]), @r"
    ----- stderr -----
    error: there is no link `dev/shpo`
     hint: did you mean `dev/shop`?
    ----- exit 64
    ");
    assert_snapshot!(world.run(["plan", "stagin"]), @r"
    ----- stderr -----
    error: `stagin` matches no link in the manifest
     hint: `katkit status` lists the links
    ----- exit 64
    ");
    assert_snapshot!(world.run(["retry", "dev/shop"]), @r"
    ----- stderr -----
    error: `dev/shop` has no run to retry
     hint: `katkit apply` starts one
    ----- exit 1
    ");
    assert_snapshot!(world.run(["rollback", "dev/shop"]), @r"
    ----- stderr -----
    error: nothing is deployed to `dev/shop`
     hint: `katkit set dev/shop SHA` selects another commit
    ----- exit 1
    ");
    assert_snapshot!(world.run(["logs", "dev/shop", "--phase", "bild"]), @"
    ----- stderr -----
    Nothing has ever run for dev/shop.
    ----- exit 0
    ");
    world.edit("branch = \"main\"", "branch = \"mian\"");
    assert_snapshot!(world.run(["plan", "dev"]), @r"
    dev/shop
      ! error: <world>/repos/shop has no branch `mian`
          hint: did you mean `main`?

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    world.edit("use = [\"shop\"]", "use = [\"shpo\"]");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      ⚠ no tenant uses the template `shop`
        ╭─[katkit.toml:16:12]
     15 │
     16 │ [templates.shop]
        ·            ──┬─
        ·              ╰── not used
     17 │ repo = "shop"
        ╰────
      help: write `use = ["shop"]` in a tenant

      × there is no template `shpo`, did you mean `shop`?
        ╭─[katkit.toml:22:8]
     21 │ [tenants.dev]
     22 │ use = ["shpo"]
        ·        ───┬──
        ·           ╰── not defined
        ╰────

      × there is no template `shpo`, did you mean `shop`?
        ╭─[katkit.toml:25:8]
     24 │ [tenants.prod]
     25 │ use = ["shpo"]
        ·        ───┬──
        ·           ╰── not defined
        ╰────

    2 errors, 1 warning
    ----- exit 1
    "#);
}

/// Only AWS can show what it creates, and `--print` writes JSON; these are its other messages.
#[cfg(feature = "aws")]
#[test]
fn bootstrap_without_aws() {
    assert_snapshot!(estate().run(["bootstrap"]), @r"
    The manifest uses nothing in AWS, so there is nothing to create.
    ----- exit 0
    ");
    let aws = "\n[state]\nbackend = \"dynamodb\"\ntable = \"deploys\"\nregion = \"eu-central-1\"\n\n\
               [blobs]\nurl = \"s3://acme-deploys/blobs\"\nregion = \"eu-central-1\"\n";
    let world = World::new().manifest(&format!("{MANIFEST}{aws}")).variable("COLUMNS", "80");
    let printed = world.run(["bootstrap", "--print"]);
    assert_eq!(printed.code, 0, "{printed}");
    assert_snapshot!(printed.stderr, @"
    note: no account is given, so ARNs contain `*` instead: set it with `--account`
    note: no fleet has containers, so agents need no policy: those of `process`
          fleets act as the user who runs katkit
    ");
    assert_snapshot!(world.run(["bootstrap", "--print", "--fleet", "web"]), @r"
    ----- stderr -----
    error: there is no container fleet `web` in the manifest
     hint: the manifest has none
    ----- exit 64
    ");
}
