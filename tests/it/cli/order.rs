//! The order of tenants, and where it stops.

use std::fs;

use insta::assert_snapshot;

use crate::world::{TELLS, World};

const THREE_TENANTS: &str = r#"version = 1
repos.shop.url = "repos/shop"
fleets.local.kind = "process"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "test ! -e @OUT@/$KATKIT_TENANT-$KATKIT_LINK" },
]

[tenants.alpha]
after = ["beta"]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
links.web = { repo = "shop", workflow = "standard", branch = "main" }

[tenants.beta]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }

[tenants.prod]
protected = true
after = ["alpha"]
links.api = { repo = "shop", workflow = "standard", branch = "main" }
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
links.web = { repo = "shop", workflow = "standard", branch = "main" }
"#;

fn world() -> World {
    World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(THREE_TENANTS)
}

/// The tenants whose phases ran, each once, in order.
fn tenants(world: &World) -> Vec<String> {
    let ran = fs::read_to_string(world.path("out/ran")).unwrap();
    let mut tenants: Vec<_> = ran.lines().map(|line| line.split('/').next().unwrap().to_owned()).collect();
    tenants.dedup();
    tenants
}

#[test]
fn a_tenant_begins_when_those_before_it_are_done() {
    let world = world();
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(tenants(&world), ["beta", "alpha", "prod"]);
}

#[test]
fn order_alone_holds_nothing_when_an_earlier_tenant_fails() {
    let world = world();
    world.write("out/beta-shop", "");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_eq!(tenants(&world), ["beta", "alpha", "prod"]);
}

#[test]
fn after_the_first_failed_deployment_in_a_protected_tenant_no_other_begins_there() {
    let world = world();
    world.write("out/prod-api", "");
    let applied = world.run(["apply", "--yes", "--parallelism", "1"]);
    assert_eq!(applied.code, 1);
    let summary = applied.stdout.split_once("0 up to date.").unwrap().1;
    assert_snapshot!(summary, @r"
    prod/api  `verify` failed for <first> (attempt 1): exit code 1
      log:   katkit logs prod/api --phase verify
      retry: katkit retry prod/api --phase verify --apply

    Not deployed, because prod/api failed: prod/shop, prod/web. The next `katkit apply` continues with them; `--max-failures` sets how many deployments may fail.

    Applied: 3 links done, 1 failed, 2 not deployed in <time>.
    ");
    fs::remove_file(world.path("out/prod-api")).unwrap();
    assert_eq!(world.run(["retry", "prod/api"]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0, "what was left is done by the next");
}

#[test]
fn in_other_tenants_all_continue_unless_a_limit_is_set() {
    let limited = world();
    limited.write("out/beta-shop", "");
    assert_eq!(limited.run(["apply", "--yes", "--max-failures", "1"]).code, 1);
    assert_eq!(tenants(&limited), ["beta"]);
    let generous = world();
    generous.write("out/prod-api", "");
    assert_eq!(generous.run(["apply", "--yes", "--max-failures", "2", "--parallelism", "1"]).code, 1);
    assert!(generous.deployed("prod/web").contains("acme/web:<first>"), "two may fail");
}

#[test]
fn a_failed_build_holds_back_no_other_deployment() {
    let mut world = world();
    world.change("shop", |repo| {
        repo.ci("test \"$KATKIT_TENANT/$KATKIT_LINK\" != prod/api\n").commit("second")
    });
    assert_eq!(world.run(["apply", "--yes", "--parallelism", "1"]).code, 1);
    assert!(world.deployed("prod/web").contains("acme/web:<second>"));
}
